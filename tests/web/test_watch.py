"""The watch itself: it sees each thing that no page may do, or the other tests would prove nothing."""

import asyncio

from tests.web.conftest import Meet

CONTROLS = {
    "another origin was asked": "open('http://localhost:9/CNRY')",
    "policy violated: connect-src": "fetch('http://localhost:9/CNRY').catch(() => {})",
    "policy violated: script-src": "import('http://localhost:9/CNRY.js').catch(() => {})",
    "policy violated: img-src": "document.body.append(Object.assign(new Image(), {src: 'data:,x'}))",
    "policy violated: style-src": "document.body.setAttribute('style', 'color: red')",
    "policy violated: require-trusted-types-for": "try { document.body.innerHTML = '<b>' } catch {}",
    "policy violated: trusted-types": "try { trustedTypes.createPolicy('other', {}) } catch {}",
    "console error: CNRY": "console.error('CNRY')",
    "console warning: CNRY": "console.warn('CNRY')",
    "page error": "setTimeout(() => { throw new Error('CNRY') })",
    "a dialog opened: alert CNRY": "setTimeout(() => alert('CNRY'))",
}


async def test_the_watch_sees_what_no_page_may_do(meet: Meet) -> None:
    odile = await meet("odile")
    await odile.open()
    assert odile.watch.findings == []
    for finding, provocation in CONTROLS.items():
        odile.watch.findings.clear()
        await odile.page.evaluate(f"() => {{ {provocation} }}")
        async with asyncio.timeout(5):
            while not [one for one in odile.watch.findings if finding in one]:
                await asyncio.sleep(0.02)
    odile.watch.allow("")

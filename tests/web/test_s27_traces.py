"""S-27 in a browser: no address, referrer, title or history entry of a page holds a secret or a name."""

import re

from tests.web.conftest import Meet

_PLAIN = re.compile(
    r"(http|ws)://127\.0\.0\.1:\d+(/|/v1/[a-zA-Z]+(/check|/renew)?|/[a-z.-]+|/(assets|icons)/[\w-]+\.\w+)"
)
"""What may stand in an address: a call, or a file of the app. Neither has room for anything else."""


async def test_s27_addresses_and_titles_hold_nothing(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await mira.write(odile.name, "CNRY-27 https://elsewhere.example/CNRY-27")
    await odile.reads("CNRY-27")
    titles = [await person.page.title() for person in (mira, odile)]
    await mira.hang_up()
    await odile.is_gone()
    for person in (mira, odile):
        titles.append(await person.page.title())
        assert len(person.watch.addresses) > 6
        strange = [
            url
            for url in person.watch.addresses
            if not _PLAIN.fullmatch(url) and not url.startswith(f"blob:{person.origin}/")
        ]
        assert strange == []
        assert person.page.url == f"{person.origin}/"
        assert await person.page.evaluate("history.length") <= 2
        assert await person.page.evaluate("[history.state, document.referrer, name]") == [None, "", ""]
    assert set(titles) == {"Live · Whisp", "Gone · Whisp"}


async def test_s27_a_link_in_a_message_opens_without_telling_where_from(meet: Meet) -> None:
    """Nothing is fetched for it until it is clicked; then the other site learns no address of ours."""
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    elsewhere = odile.origin.replace("127.0.0.1", "localhost") + "/v1/server?CNRY"
    await mira.write(odile.name, f"look: {elsewhere}")
    await odile.reads("look:")
    assert not [url for url in odile.watch.addresses if "CNRY" in url]
    odile.watch.allow("another origin was asked")
    async with odile.context.expect_page() as opened:
        await odile.page.get_by_role("link", name=elsewhere).click()
    other = await opened.value
    await other.wait_for_load_state()
    assert await other.evaluate("[document.referrer, opener]") == ["", None]
    await odile.reads("look:")

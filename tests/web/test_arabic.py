"""Arabic on the smallest phone: it reads from right to left, and nothing scrolls sideways."""

from playwright.async_api import FilePayload, expect
from tests.web.conftest import Meet
from tests.web.person import Person

_LONG: FilePayload = {"name": f"{'plan' * 20}.bin", "mimeType": "text/plain", "buffer": bytes(2000)}

_SIDEWAYS = """() => {
    const slides = (one) =>
        one === document.documentElement || ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
    const wide = [...document.querySelectorAll("*")]
        .filter((one) => one.scrollWidth > one.clientWidth + 1 && slides(one))
        .map((one) => `${one.tagName}.${one.className} ${one.scrollWidth} > ${one.clientWidth}`);
    return [document.documentElement.dir, document.documentElement.lang, wide];
}"""


async def fits(person: Person) -> None:
    """Check the screen that is shown."""
    assert await person.page.evaluate(_SIDEWAYS) == ["rtl", "ar", []]


async def test_arabic_reads_from_the_right_and_never_scrolls_sideways_at_320(meet: Meet) -> None:
    small = {"width": 320, "height": 640}
    mira = await meet("mira", locale="ar", viewport=small)
    odile = await meet("odile", locale="ar", viewport=small)
    mira.language = odile.language = "ar"
    await mira.open()
    await expect(mira.heading("onboarding.choose")).to_be_visible()
    await fits(mira)
    await mira.register()
    await fits(mira)
    await odile.register()
    await mira.dial()
    await fits(mira)
    await mira.ring(odile.name)
    await odile.is_rung_by(mira.name)
    await fits(odile)
    await fits(mira)
    await odile.accept(mira.name)
    await mira.is_in_call(odile.name)
    await mira.write(odile.name, "مساء الخير")
    await odile.reads("مساء الخير")
    await mira.write(odile.name, "x" * 300)
    await odile.reads("xxx")
    await mira.offer(_LONG)
    await expect(odile.button("file.accept", file=_LONG["name"])).to_be_visible()
    await fits(mira)
    await fits(odile)
    await mira.hang_up()
    await odile.is_gone()
    await fits(odile)
    await odile.done()
    await fits(odile)
    await (
        odile.page.get_by_role("button", name=odile.say("home.compare", name=mira.name))
        .or_(odile.page.get_by_role("button", name=odile.say("home.safety", name=mira.name)))
        .first.click()
    )
    await expect(odile.page.get_by_role("list", name=odile.say("safety.digits"))).to_be_visible()
    await fits(odile)
    await mira.is_gone()
    await mira.done()
    await mira.button("nav.settings").locator("visible=true").click()
    await expect(mira.heading("settings.title")).to_be_visible()
    await fits(mira)
    await mira.page.get_by_role("button", name=mira.say("settings.stored")).click()
    await expect(mira.heading("stored.title")).to_be_visible()
    await fits(mira)

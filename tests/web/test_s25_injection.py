"""S-25 in a browser: whatever a peer writes, names or sends is shown as text, and nothing of it acts.

The watch over every page (`Watch`) fails these tests at any dialog, request elsewhere, or violation.
"""

import zlib
from struct import pack

from playwright.async_api import Page, expect
from tests.web.conftest import Meet
from tests.web.words import pattern

MARKUP = "<img src=x onerror=alert(25)><script>alert(25)</script><svg onload=alert(25)><b>bold</b>"

TEXTS = [
    MARKUP,
    "\"><iframe srcdoc='<script>alert(25)</script>'></iframe>",
    "{{constructor.constructor('alert(25)')()}} ${alert(25)} #{7*7} <%= 7*7 %>",
    "javascript:alert(25) data:text/html,<script>alert(25)</script>",
    "https://bank.example@evil.example/ https://еxample.com/ http://localhost:1/CNRY-25",
    "\u202eevil\u2066hidden\u2069 zero\u200bwidth\u2060joined \ufeff",
    "Z" * 1500,
    "a\u0301" + "\u0301" * 500,
    "\x1b[31mred\x07\x00 \u2028 \u2029",
]

SHOWN = {
    0: MARKUP,
    2: TEXTS[2],
    5: "‹RLO›evil‹LRI›hidden‹PDI› zero‹200B›width‹2060›joined",
    7: "‹493 marks›",
    8: "␛[31mred␇␀",
}
"""What becomes of some of them, by number."""

NAMES = [
    f"{MARKUP.replace('/', '∕')}.png",
    "photo\u202egnp.exe",
    "zero\u200bwidth\u2066.txt",
    "x" * 255,
]


def png(width: int, height: int) -> bytes:
    """Return a white picture; a large one is small as a file."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress((b"\x00" + b"\xff" * ((width + 7) // 8)) * height, 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(25)'><script>alert(25)</script></svg>"

ACTING = {
    "page.html": b"<script>alert(25)</script>",
    "page.png": b"<!doctype html><script>alert(25)</script>",
    "drawing.svg": SVG,
    "drawing.png": b"<?xml version='1.0'?>" + SVG,
    "script.js": b"alert(25)",
}


async def holds_nothing_foreign(page: Page) -> None:
    """Check that no element came out of foreign text, and no link that does more than open its address."""
    strange = "script:not([src]), iframe, object, embed, [onerror], [onload], base, form[action]"
    assert await page.locator(f"body :is({strange})").count() == 0
    for link in await page.locator("a[href]").all():
        assert await link.get_attribute("rel") in ("noreferrer noopener", "noopener noreferrer", "noreferrer")
        assert (await link.get_attribute("href") or "").startswith(("http://", "https://"))
    width = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "it scrolls sideways"


async def test_s25_messages_and_file_names_are_text(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    for number, text in enumerate(TEXTS):
        await mira.write(odile.name, f"({number}) {text}")
        await odile.reads(f"({number}) ")
        if number in SHOWN:
            await expect(odile.messages(f"({number}) ")).to_contain_text(SHOWN[number])
    for name in NAMES:
        await mira.offer({"name": name, "mimeType": "image/png", "buffer": b"x"})
    await expect(odile.page.get_by_text("photo‹RLO›gnp.exe").first).to_be_visible()
    for person in (mira, odile):
        await holds_nothing_foreign(person.page)
    await odile.page.set_viewport_size({"width": 320, "height": 600})
    await holds_nothing_foreign(odile.page)


async def test_s25_files_that_could_act_are_never_shown(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    for name, content in ACTING.items():
        await mira.offer({"name": name, "mimeType": "image/png", "buffer": content})
        await odile.take(name)
        assert await odile.save(name) == content
    await odile.page.wait_for_timeout(200)
    assert await odile.page.locator("img").count() == 0
    await holds_nothing_foreign(odile.page)

    await mira.offer({"name": "white.dat", "mimeType": "text/html", "buffer": png(40, 40)})
    await odile.take("white.dat")  # the control: a picture is shown, whatever it is called
    await expect(odile.page.get_by_role("img", name=pattern("file.photo", file="white.dat"))).to_be_visible()


async def test_s25_a_picture_that_unfolds_to_gigabytes_is_not_unfolded(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await mira.offer({"name": "bomb.png", "mimeType": "image/png", "buffer": png(40_000, 40_000)})
    await odile.take("bomb.png")
    await odile.page.wait_for_timeout(300)
    assert await odile.page.locator("img").count() == 0
    await mira.write(odile.name, "still there?")
    await odile.reads("still there?")


async def test_s25_what_comes_with_the_address_changes_nothing(meet: Meet) -> None:
    odile = await meet("odile")
    for part in (
        "?name=<script>alert(25)</script>",
        "#<img src=x onerror=alert(25)>",
        "?a#javascript:alert(25)",
    ):
        await odile.page.goto(odile.origin + "/" + part)
        await expect(odile.heading("onboarding.choose")).to_be_visible()
        assert "alert(" not in (await odile.page.content()).replace("&lt;", "<").lower()
        await odile.page.goto("about:blank")


async def test_s25_a_name_is_checked_before_it_is_asked_about(meet: Meet) -> None:
    odile = await meet("odile")
    await odile.register()
    for name in (MARKUP, "ад-odile", "odi\u200ble", "ODILE\u202e"):
        await odile.page.get_by_label("Name", exact=True).fill(name[:32])
        await odile.button("home.call").click()
        await expect(odile.page.get_by_text("Use 3 to 32 of a to z, 0 to 9 and hyphen.")).to_be_visible()
    await holds_nothing_foreign(odile.page)

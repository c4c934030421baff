"""The pictures of the README, made from the app as it is: WRITE_PICTURES=1 writes them."""

import os
from pathlib import Path
from typing import Final

from playwright.async_api import ViewportSize, expect
from tests.attacks.server_process import serving
from tests.test_house import ROOT
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.words import pattern, say

_IMAGES: Final = ROOT / "docs" / "images"
_MOST_BYTES: Final = 150_000
_IS_WRITING: Final = os.environ.get("WRITE_PICTURES", "") == "1"
_WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
_PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


async def show(person: Person, picture: str) -> None:
    """Take a picture of what somebody sees."""
    taken = await person.page.screenshot(animations="disabled", caret="hide")
    assert taken.startswith(b"\x89PNG")
    assert len(taken) < _MOST_BYTES
    if _IS_WRITING:
        (_IMAGES / f"web-{picture}.png").write_bytes(taken)


async def talk(mira: Person, odile: Person) -> None:
    """Say what the pictures show."""
    await mira.call(odile)
    await mira.write(odile.name, "Did the second draft reach you?")
    await odile.reads("second draft")
    await odile.write(mira.name, "Not yet. Send it here, then neither of us has to keep it.")
    await mira.reads("Not yet.")
    plan = bytes(range(256)) * 1800
    await mira.offer({"name": "draft-2.pdf", "mimeType": "application/pdf", "buffer": plan})
    await odile.take("draft-2.pdf")
    await expect(mira.page.get_by_text(f"{odile.name} has it")).to_be_visible()
    await odile.write(mira.name, "Here. Page four is much better now.")
    await mira.reads("Page four")
    await mira.write(odile.name, "Good. Then I hang up, and that was that.")
    await odile.reads("that was that")
    await mira.sees_progress("that was that", "read")
    for person in (mira, odile):
        await person.page.mouse.move(0, 0)  # what a pointer opens stays shut


async def test_the_pictures_of_the_readme(meet: Meet, tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        mira = await meet("mira", at=server.origin, viewport=_WIDE, color_scheme="light")
        odile = await meet("odile", at=server.origin, viewport=_PHONE, color_scheme="light")
        for person in (mira, odile):
            person.name = person.name.rpartition("-")[0]
            await person.register()
        await talk(mira, odile)
        await show(mira, "chat")
        await show(odile, "phone")
        await mira.page.emulate_media(color_scheme="dark")
        await show(mira, "chat-dark")
        await mira.page.emulate_media(color_scheme="light")
        await mira.page.get_by_role("button", name=say("panel.notCompared")).click()
        await expect(mira.page.get_by_role("heading", name=pattern("safety.title"))).to_be_visible()
        await expect(mira.page.get_by_role("img", name=say("safety.qr"))).to_be_visible()
        await show(mira, "safety")
        await odile.hang_up()
        await mira.is_gone()

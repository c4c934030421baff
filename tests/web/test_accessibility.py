"""Every screen as people reach it: axe-core finds nothing, in both themes, and the keyboard does it all."""

import pytest
from playwright.async_api import expect
from tests.web import axe
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.words import pattern, say


class Reader:
    """Collects what axe-core finds, by the screen."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self.screens = 0

    async def reads(self, screen: str, person: Person) -> None:
        """Check one screen."""
        self.screens += 1
        if found := await axe.findings(person.page):
            self.found[screen] = found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_way_through_the_app(meet: Meet, scheme: str) -> None:
    reader = Reader()
    mira = await meet("mira", color_scheme=scheme)
    odile = await meet("odile", color_scheme=scheme, viewport={"width": 390, "height": 844})
    await mira.open()
    await expect(mira.heading("onboarding.choose")).to_be_visible()
    await reader.reads("onboarding", mira)
    await mira.register()
    await reader.reads("home, empty", mira)
    await mira.ring("nobody-at-all")
    await expect(mira.heading("notFound.title")).to_be_visible()
    await reader.reads("not found", mira)
    await mira.button("notFound.check").click()
    await odile.open()
    await expect(odile.heading("onboarding.choose")).to_be_visible()
    await reader.reads("onboarding, phone", odile)
    await odile.register()
    await odile.dial()
    await odile.ring(mira.name)
    await mira.is_rung_by(odile.name)
    await reader.reads("ringing", odile)
    await reader.reads("rung", mira)
    await mira.accept(odile.name)
    await odile.is_in_call(mira.name)
    await mira.write(odile.name, "Good evening, see https://example.com")
    await odile.reads("Good evening")
    await odile.offer({"name": "plan.txt", "mimeType": "text/plain", "buffer": b"plan"})
    await expect(mira.button("file.accept", file="plan.txt")).to_be_visible()
    await reader.reads("call", mira)
    await reader.reads("call, phone", odile)
    await mira.page.get_by_role("button", name=say("panel.notCompared")).click()
    await expect(mira.page.get_by_role("heading", name=pattern("safety.title"))).to_be_visible()
    await reader.reads("safety number", mira)
    await mira.hang_up()  # from there too
    await mira.is_gone()
    await reader.reads("gone", mira)
    await mira.done()
    await reader.reads("home", mira)
    await mira.button("nav.settings").click()
    await expect(mira.heading("settings.title")).to_be_visible()
    await reader.reads("settings", mira)
    await mira.page.get_by_role("button", name=mira.say("settings.stored")).click()
    await expect(mira.heading("stored.title")).to_be_visible()
    await reader.reads("what is stored", mira)
    await mira.button("nav.lock").click()
    await expect(mira.heading("locked.title")).to_be_visible()
    await reader.reads("locked", mira)
    assert (reader.found, reader.screens) == ({}, 14)


async def test_the_keyboard_alone_is_enough(meet: Meet) -> None:
    """From the first page to the last, without a pointer; focus is never lost."""
    mira, odile = await meet("mira"), await meet("odile")
    await odile.register()
    await mira.open()
    await expect(mira.heading("onboarding.choose")).to_be_visible()
    keys = mira.page.keyboard
    await _tab_to(mira, say("onboarding.name"))
    await keys.type(mira.name)
    await expect(mira.page.get_by_text(say("onboarding.free", name=mira.name))).to_be_visible()
    await keys.press("Enter")
    await mira.is_home()
    await mira.is_online()
    await keys.press("Control+k")
    await keys.type(odile.name)
    await expect(mira.page.get_by_text(say("palette.call", name=odile.name))).to_be_visible()
    await keys.press("Enter")
    await odile.is_rung_by(mira.name)
    await odile.page.keyboard.press("a")  # typed at once it does not answer: it may have been meant elsewhere
    await expect(odile.page.get_by_role("alertdialog")).to_be_visible()
    await odile.page.wait_for_timeout(700)
    await odile.page.keyboard.press("a")
    await odile.is_in_call(mira.name)
    await mira.is_in_call(odile.name)
    await expect(mira.composer(odile.name)).to_be_focused()
    await keys.type("one")
    await keys.press("Shift+Enter")
    await keys.type("two")
    await keys.press("Enter")
    await odile.reads("one\ntwo")
    await keys.press("Escape")  # closes what is open, and never hangs up
    await mira.is_in_call(odile.name)
    await keys.press("Control+k")
    await keys.type(say("palette.hangUp"))
    await keys.press("Enter")
    await mira.is_gone()
    await expect(mira.page.locator(":focus")).to_have_count(1)
    await _tab_to(mira, say("gone.done"))
    await keys.press("Enter")
    await mira.is_home()


async def _tab_to(person: Person, name: str) -> None:
    """Press Tab until the control with this name has the focus."""
    focused = """() => {
        const { ariaLabel, textContent, labels } = document.activeElement;
        return [ariaLabel, textContent, labels?.[0]?.textContent].map((text) => text?.trim());
    }"""
    for _ in range(40):
        if name in await person.page.evaluate(focused):
            return
        await person.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never came to {name}")

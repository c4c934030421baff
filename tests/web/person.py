"""People at pages: what a person does with mouse, keys and eyes, by the words that are on the screen."""

import asyncio
import re
import secrets
from pathlib import Path
from typing import Final

from playwright.async_api import BrowserContext, FilePayload, Locator, Page, expect
from tests.web.watch import Watch
from tests.web.words import say

from whisp import Client, MemoryVault, NotFoundError

__all__ = ["PATIENCE_MS", "Person"]

PATIENCE_MS: Final = 15_000
"""How long one thing may take on a busy machine. What is fast is measured elsewhere."""

expect.set_options(timeout=PATIENCE_MS)


class Person:
    """Somebody at a page of their own browser profile."""

    def __init__(self, name: str, context: BrowserContext, page: Page, watch: Watch, origin: str) -> None:
        self.name = name
        self.context = context
        self.page = page
        self.watch = watch
        self.origin = origin
        self.language = "en"

    def say(self, key: str, /, **values: str) -> str:
        """Return a message in this person's language."""
        if self.language == "ar":  # names keep a direction of their own
            values = {place: f"\u2068{value}\u2069" for place, value in values.items()}
        return say(key, language=self.language, **values)

    # Beginning

    async def open(self) -> None:
        """Go to the server's address."""
        await self.page.goto(self.origin)

    async def register(self, passphrase: str | None = None) -> "Person":
        """Open the page and make an account, sealed by a passphrase if one is given."""
        await self.open()
        page = self.page
        await page.get_by_label(self.say("onboarding.name")).fill(self.name)
        await expect(page.get_by_text(self.say("onboarding.free", name=self.name))).to_be_visible()
        if passphrase is not None:
            await self._choose_passphrase(passphrase)
        await page.get_by_role("button", name=self.say("onboarding.make")).click()
        await self.is_home()
        await self.is_online()
        return self

    async def _choose_passphrase(self, passphrase: str) -> None:
        await self.page.get_by_role("radio", name=self.say("onboarding.openPassphrase")).check(force=True)
        for label in ("onboarding.passphrase", "onboarding.again"):
            await self.page.get_by_label(self.say(label), exact=True).fill(passphrase)

    async def unlock(self, passphrase: str) -> None:
        """Open a sealed device."""
        await self.page.get_by_label(self.say("locked.passphrase")).fill(passphrase)
        await self.page.get_by_role("button", name=self.say("locked.unlock")).click()

    # Where am I

    async def is_home(self) -> None:
        """Wait for the contacts."""
        await expect(self.heading("home.contacts")).to_be_visible()

    async def is_online(self) -> None:
        """Wait until the page says that this person can be rung."""
        reachable = self.page.get_by_text(self.say("home.canRing"))
        await expect(reachable).to_be_attached()  # a phone shows it on the page beside

    async def is_found(self) -> None:
        """Wait until the server says that this person is there, while the page shows something else."""
        async with asyncio.timeout(PATIENCE_MS / 1000), Client(self.origin, MemoryVault()) as stranger:
            await stranger.register(f"stranger-{secrets.token_hex(6)}")
            await stranger.login()
            while not await _is_found(stranger, self.name):
                await asyncio.sleep(0.05)

    async def is_in_call(self, peer: str) -> None:
        """Wait for a call with somebody."""
        await expect(self.composer(peer)).to_be_visible()

    async def is_gone(self) -> None:
        """Wait for the end of a call, in its exact words."""
        words = "Everything is gone." if self.language == "en" else self.say("gone.title")
        await expect(self.page.get_by_role("heading", name=words)).to_be_visible()

    def heading(self, key: str) -> Locator:
        """Return the heading with these words."""
        return self.page.get_by_role("heading", name=self.say(key), exact=True)

    def button(self, key: str, /, **values: str) -> Locator:
        """Return the button with these words."""
        return self.page.get_by_role("button", name=self.say(key, **values), exact=True)

    # Calling

    async def dial(self) -> None:
        """On a phone: go to the page where one calls by name."""
        await self.button("home.callByName").locator("visible=true").click()

    async def ring(self, peer: str) -> None:
        """Call someone by name."""
        await self.page.get_by_label(self.say("home.name"), exact=True).fill(peer)
        await self.button("home.call").click()

    async def is_rung_by(self, caller: str) -> None:
        """Wait for somebody's ring."""
        words = f"{caller} is calling" if self.language == "en" else caller
        await expect(self.page.get_by_role("alertdialog")).to_contain_text(words)

    async def accept(self, caller: str) -> None:
        """Answer somebody's ring."""
        await self.is_rung_by(caller)
        await self.button("ringIn.accept").click()
        await self.is_in_call(caller)

    async def call(self, other: "Person") -> None:
        """Call another page; return when both are in the call."""
        await self.ring(other.name)
        await other.accept(self.name)
        await self.is_in_call(other.name)

    async def hang_up(self) -> None:
        """End the call."""
        await self.button("chat.hangUp").locator("visible=true").first.click()

    async def wipes_a_dropped_call(self) -> None:
        """See that the line dropped, and do not wait for who will not come back."""
        await expect(self.page.get_by_role("heading", name="The line dropped.")).to_be_visible()
        await self.button("line.wipe").click()
        await self.is_gone()

    async def done(self) -> None:
        """Leave the page that says that everything is gone."""
        await self.button("gone.done").click()
        await self.is_home()

    # Talking

    def composer(self, peer: str) -> Locator:
        """Return the field one writes in."""
        return self.page.get_by_role("textbox", name=self.say("chat.message", name=peer), exact=True)

    @property
    def log(self) -> Locator:
        """The messages of the call."""
        return self.page.get_by_role("log")

    def messages(self, text: str | re.Pattern[str]) -> Locator:
        """Return the messages that hold a text."""
        return self.log.locator(".message").filter(has_text=text)

    async def write(self, peer: str, text: str) -> None:
        """Write a text and send it with Enter."""
        field = self.composer(peer)
        await field.fill(text)
        await field.press("Enter")

    async def reads(self, text: str) -> None:
        """Wait until a text is in the log."""
        await expect(self.messages(text).first).to_be_visible()

    async def sees_progress(self, text: str, key: str) -> None:
        """Wait until an own text has come so far."""
        await expect(self.messages(text).filter(has_text=self.say(f"chat.{key}")).first).to_be_attached()

    # Lines

    async def refuses_direct_lines(self) -> None:
        """Switch off in the settings that one is asked about direct lines."""
        await self.button("nav.settings").locator("visible=true").click()
        await self.page.get_by_role("switch", name=self.say("settings.direct")).click()
        await self.button("nav.contacts").locator("visible=true").click()
        await self.is_home()

    async def reads_of_the_line(self, key: str, peer: str) -> None:
        """Wait until the strip under the name says this of the line."""
        await expect(self.page.locator(".strip .truth")).to_have_text(self.say(f"line.{key}", name=peer))

    # Files

    async def offer(self, *files: FilePayload | Path) -> None:
        """Offer files with the button, and confirm."""
        picker = self.page.locator("input[type=file]")
        if all(isinstance(file, Path) for file in files):
            await picker.set_input_files([file for file in files if isinstance(file, Path)])
        else:
            await picker.set_input_files([file for file in files if not isinstance(file, Path)])
        await self.button("chat.offer").click()

    async def take(self, name: str) -> None:
        """Accept a file and wait until it is here."""
        await self.button("file.accept", file=name).click()
        await expect(self.button("file.save", file=name)).to_be_visible()

    async def save(self, name: str) -> bytes:
        """Save a file that is here; return its content."""
        async with self.page.expect_download() as download:
            await self.button("file.save", file=name).click()
        saved = await (await download.value).path()
        return saved.read_bytes()


async def _is_found(stranger: Client, name: str) -> bool:
    try:
        return await stranger.discover(name)
    except NotFoundError:
        return False

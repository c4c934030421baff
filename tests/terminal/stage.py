"""A stage for the app: fake client, still clock, and the screen as plain lines."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.terminal.fakes import Clock, FakeClient, FakeConversation, FakeOpener, contact
from textual.pilot import Pilot
from textual.widgets import Input

from whisp.terminal import app as app_module
from whisp.terminal.app import WhispApp
from whisp.terminal.glyphs import UNICODE, Glyphs
from whisp.terminal.passphrase import Passphrase
from whisp.terminal.profile import Profile

__all__ = ["Stage", "stage"]


@dataclass
class Stage:
    """The app on stage."""

    app: WhispApp
    pilot: Pilot[int]
    client: FakeClient
    opener: FakeOpener
    now: Clock
    keyboard: Clock

    def lines(self) -> list[str]:
        """Return the screen as lines of text without trailing spaces."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    def text(self) -> str:
        """Return the screen as one text, without trailing blank lines."""
        return "\n".join(self.lines()).rstrip() + "\n"

    async def press(self, *keys: str) -> None:
        """Press keys; the keyboard rests for a second before the first."""
        self.keyboard.advance(1.0)
        await self.pilot.press(*keys)
        await self.settle()

    async def write(self, text: str) -> None:
        """Type a text into the field that has the focus."""
        field = self.app.focused
        assert isinstance(field, Input)
        self.keyboard.advance(1.0)
        field.insert_text_at_cursor(text)
        await self.settle()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass on both clocks, and tick."""
        self.now.advance(seconds)
        self.keyboard.advance(seconds)
        self.app.tick()
        await self.settle()

    async def settle(self) -> None:
        """Let everything that is under way come to rest."""
        for _ in range(4):
            await self.pilot.pause()
            await asyncio.sleep(0)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        for _ in range(200):
            if holds():
                return
            await asyncio.sleep(0.01)
            await self.pilot.pause()
        raise AssertionError(f"it never came about; on the screen is\n{self.text()}")

    async def unlock(self) -> None:
        """Open the account."""
        await self.write("open sesame")
        await self.press("enter")
        await self.until(lambda: "Who would you like to call?" in self.text())

    async def call(self, name: str = "odile") -> FakeConversation:
        """Ring someone who accepts."""
        conversation = FakeConversation(self.client.log, name, at=self.now())
        self.client.outcome = conversation
        await self.write(name)
        await self.press("enter")
        await self.until(lambda: "Live" in self.text())
        return conversation


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    size: tuple[int, int] = (80, 24),
    client: FakeClient | None = None,
    has_vault: bool = True,
    glyphs: Glyphs = UNICODE,
    is_light: bool = False,
    lock_after: float = 900.0,
    passphrase: str | None = None,
) -> AsyncIterator[Stage]:
    """Put the app on stage, locked, or before the first start without a vault."""
    client = client or FakeClient([], contact("odile", verified=True), contact("sefa"), contact("teo"))
    opener = FakeOpener(client)
    profile = Profile(folder)
    if has_vault:
        profile.make()
        profile.vault.write_bytes(b"sealed")
    now, keyboard = Clock(), Clock(1000.0)
    app = WhispApp(
        profile,
        "http://127.0.0.1:8790",
        opener,
        glyphs,
        passphrase=Passphrase(passphrase) if passphrase else None,
        is_light=is_light,
        lock_after=lock_after,
        now=now,
        monotonic=keyboard,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_module, "needs_passphrase", lambda profile: True)
        async with app.run_test(size=size) as pilot:
            yield Stage(app, pilot, client, opener, now, keyboard)

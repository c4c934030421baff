"""The pictures of the README and the guide are drawn by the app itself: `WHISP_DRAW=1` draws them anew."""

import os
import re
from html import unescape
from pathlib import Path

import pytest
from tests.terminal.fakes import START, FakeIncomingFile
from tests.terminal.stage import Stage, stage

from whisp.client import events
from whisp.terminal import words

_IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def _picture(on: Stage) -> str:
    """Return the screen as SVG without anything that changes from run to run."""
    drawn = on.app.export_screenshot(title="whisp")
    drawn = re.sub(r"terminal-\d+-", "whisp-", drawn)
    drawn = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # the reader has fonts
    drawn = re.sub(r"\s*<!--.*?-->", "", drawn)
    drawn = drawn.replace("Fira Code", "ui-monospace, DejaVu Sans Mono, Menlo, Consolas")
    return re.sub(r"[ \t]+\n", "\n", drawn)


def _shows(name: str, drawn: str) -> None:
    path = _IMAGES / f"{name}.svg"
    if os.environ.get("WHISP_DRAW"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, "utf-8")
    assert path.read_text("utf-8") == drawn, f"{name} looks different; draw it anew with WHISP_DRAW=1"
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", drawn), "a picture must load nothing"


async def _conversation(on: Stage) -> None:
    await on.unlock()
    on.now.advance(-760)
    talk = await on.call()
    on.now.advance(760)
    odile = talk.members[0]
    talk.emit(events.TextReceived(1, odile, "I have ten minutes before my shift.", START - 190))
    await on.settle()
    await on.write("That is plenty. Nothing with your name on it, please.")
    await on.press("enter")
    await on.settle()
    talk.emit(events.Delivered(1, 1))
    talk.emit(events.Read(1, 1))
    talk.emit(events.TextReceived(2, odile, "It is on no drawing. Here is what we wrote down.", START - 60))
    file = FakeIncomingFile(on.client.log, "inspection-notes.pdf", 18_400_000)
    talk.emit(events.FileOffered(file))
    talk.emit(events.FileProgress(file.id, 11_408_000, file.size))
    await on.settle()
    await on.write("Thank you. I will read it tonight.")
    await on.press("enter")
    await on.settle()
    talk.emit(events.Delivered(2, 1))
    talk.emit(events.Typing(odile, True))
    await on.pass_time(0)


@pytest.mark.parametrize("look", ["dark", "light"])
async def test_the_chat(tmp_path: Path, look: str) -> None:
    async with stage(tmp_path, size=(112, 28), is_light=look == "light") as on:
        await _conversation(on)
        drawn = _picture(on)
        assert words.RELAYED in unescape(drawn).replace("\xa0", " ")
        _shows("terminal-chat" if look == "dark" else "terminal-chat-light", drawn)


async def test_an_incoming_ring(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(80, 20)) as on:
        await on.unlock()
        on.client.ring_from("odile")
        await on.until(lambda: "odile is calling" in on.text())
        await on.pass_time(3)
        _shows("terminal-ring", _picture(on))


async def test_the_safety_number(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(80, 24)) as on:
        await on.unlock()
        await on.call()
        await on.press("ctrl+g")
        _shows("terminal-safety", _picture(on))


async def test_the_end(tmp_path: Path) -> None:
    async with stage(tmp_path, size=(80, 22)) as on:
        await _conversation(on)
        await on.press("ctrl+x")
        await on.until(lambda: words.GONE in on.text())
        _shows("terminal-gone", _picture(on))

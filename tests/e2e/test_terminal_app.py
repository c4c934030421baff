"""Two people with the full-screen app on terminals of their own: a call from its first key to its end."""

import os
from pathlib import Path

import pytest
from tests.e2e.terminals import registered
from tests.terminal.on_pty import Terminal, on_terminal

from whisp.testing import running_server_process

APP = ("-m", "whisp.terminal")
SECRET = "a canary that was said"


def _register(terminal: Terminal, name: str) -> None:
    terminal.wait("Choose a name.")
    terminal.send(f"{name}\r")
    terminal.send("open sesame\r")
    terminal.send("open sesame\r")
    terminal.wait(f"{name} can be rung now")


def _call(caller: Terminal, callee: Terminal, name: str) -> None:
    caller.send(f"{name}\r")
    callee.wait("is calling")
    callee.send("\t\t\r")
    caller.wait("Live")
    callee.wait("Live")


def _settings(folder: Path, name: str, origin: str) -> dict[str, str]:
    return {"WHISP_PROFILE": str(folder / name), "WHISP_SERVER": origin, "HOME": str(folder)}


async def test_l2_a_call_between_two_apps(tmp_path: Path) -> None:
    source, inbox = tmp_path / "notes.bin", tmp_path / "Downloads"
    source.write_bytes(os.urandom(500_000))
    inbox.mkdir()
    async with running_server_process() as server:
        one, other = (_settings(tmp_path, name, server.origin) for name in ("odile", "mira"))
        with (
            on_terminal(*APP, environment=one, size=(110, 30)) as odile,
            on_terminal(*APP, environment=other, size=(80, 24)) as mira,
        ):
            _register(odile, "odile")
            _register(mira, "mira")
            _call(mira, odile, "odile")
            mira.wait("You have not compared safety numbers with odile yet.")
            mira.send(f"{SECRET}\r")
            odile.wait(SECRET)
            mira.wait("✓✓ read")
            odile.send("and answered\r")
            mira.wait("and answered")
            mira.send("\x0f")
            mira.wait("Send a file to odile")
            mira.send(f"{source}\r")
            odile.wait("notes.bin")
            odile.send("\x13")
            odile.wait("Save notes.bin in")
            odile.send("\r")
            odile.wait("Saved as")
            mira.wait("odile has it")
            assert (inbox / "notes.bin").read_bytes() == source.read_bytes()
            mira.send("\x1b")
            mira.send("\x1b")
            mira.wait("Nothing is left to see.")
            odile.wait("Locked, and says it has wiped too")
            mark = len(mira.written)
            mira.send("open sesame\r")
            mira.wait("mira can be rung now", since=mark)
            odile.send("\x11")
            mira.send("\x11")
            assert (odile.end(), mira.end()) == (0, 0)
            for terminal in (odile, mira):
                assert terminal.text().rstrip().endswith("Everything is gone.")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


async def test_the_app_meets_the_line_mode(tmp_path: Path) -> None:
    async with registered(tmp_path, "mira") as (mira,):
        environment = _settings(tmp_path, "odile", mira.origin)
        with on_terminal(*APP, environment=environment) as odile:
            _register(odile, "odile")
            chat = await mira.start("chat", "odile", "--stay")
            odile.wait("mira is calling")
            odile.send("\t\t\r")
            await chat.told("Relayed.")
            assert chat.process.stdin is not None
            chat.process.stdin.write(b"from a pipe\n")
            odile.wait("from a pipe")
            odile.send("from the app\r")
            odile.wait("✓✓")
            odile.send("\x18")
            odile.wait("Everything is gone.")
            assert await chat.finish() == 0, chat.err
            assert chat.out == "odile: from the app\n"
            assert "odile hung up, and says it has wiped too." in chat.err


async def test_a_declined_ring_in_the_app(tmp_path: Path) -> None:
    async with registered(tmp_path, "mira") as (mira,):
        with on_terminal(*APP, environment=_settings(tmp_path, "odile", mira.origin)) as odile:
            _register(odile, "odile")
            chat = await mira.start("chat", "odile")
            odile.wait("mira is calling")
            odile.send("\t\r")
            assert await chat.finish() == 4
            assert chat.err.splitlines()[-1] == "The call was declined."


@pytest.mark.parametrize("name", ["odile", "not-there"])
async def test_not_found_sounds_the_same_in_the_app(tmp_path: Path, name: str) -> None:
    async with registered(tmp_path, "odile") as (odile,):
        with on_terminal(*APP, environment=_settings(tmp_path, "mira", odile.origin)) as mira:
            _register(mira, "mira")
            mark = len(mira.written)
            mira.send(f"{name}\r")
            mira.wait("User not found or offline.", since=mark)

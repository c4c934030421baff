"""The app and the line mode on a real pseudo-terminal, with a fake account.

Whatever the scenario puts in, the test reads out of the terminal's bytes.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final

import pexpect

__all__ = ["CANARY", "HOSTILE", "Terminal", "on_terminal"]

CANARY: Final = "CANARY"

HOSTILE: Final = (
    f"\x1b]52;c;{CANARY}\x07",
    f"\x1b]0;{CANARY}\x1b\\",
    f"\x1b[2J{CANARY}",
    f"\u009b2J{CANARY}",
    f"\u009d0;{CANARY}\u009c",
    f"\x07{CANARY}\r{CANARY}\b\x7f",
    f"\u202e{CANARY}\u2066\u200b\ufeff",
    f"[/]{CANARY}[@click=app.quit]x[/]",
    f"\x1bP{CANARY}\x1b\\\x1b^{CANARY}\x1b\\\x1b_{CANARY}\x1b\\",
    f"\x1bc{CANARY}\x0e\x0f",
    f"hello\n{CANARY}: this is forged",
    f"{CANARY}" + "\u0301" * 10_000,
    f"{CANARY}" + "x" * 1_048_576,
    f"{CANARY}\u2028\u2029\x85\x0b\x0c",
)
"""What a peer might try. No sequence a terminal obeys may come of it."""

_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHM])")


def _drawn(written: bytes) -> str:
    return _ESCAPES.sub(b"", written).decode("utf-8", "replace")


class Terminal:
    """A pseudo-terminal with a program in it. It remembers every byte."""

    def __init__(self, program: "pexpect.spawn[bytes]") -> None:
        self.program = program
        self.written = b""

    @property
    def pid(self) -> int:
        """The program's process."""
        assert self.program.pid is not None
        return self.program.pid

    def text(self) -> str:
        """Return all that was drawn, in the order it was drawn, without escape sequences."""
        return _drawn(self.written)

    def wait(self, words: str, *, seconds: float = 30.0, since: int = 0) -> None:
        """Wait until `words` were drawn after the first `since` bytes."""
        self.until(
            lambda: words in _ESCAPES.sub(b"", self.written[since:]).decode("utf-8", "replace"), seconds
        )

    def until(self, holds: Callable[[], bool], seconds: float = 30.0) -> None:
        """Read until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            if not self._read() or time.monotonic() > deadline:
                raise AssertionError(f"it never came about; the last on the screen: {self.text()[-1500:]!r}")

    def end(self, seconds: float = 30.0) -> int:
        """Wait until the program ends; return its exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not end; the last on the screen: {self.text()[-1500:]!r}")
        self.program.close()
        assert self.program.exitstatus is not None, f"killed by signal {self.program.signalstatus}"
        return int(self.program.exitstatus)

    def send(self, keys: str) -> None:
        """Press keys."""
        self.program.send(keys)

    def _read(self) -> bool:
        try:
            self.written += self.program.read_nonblocking(65_536, 0.1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True


@contextmanager
def on_terminal(
    *command: str, environment: dict[str, str] | None = None, size: tuple[int, int] = (80, 24)
) -> Iterator[Terminal]:
    """Run a Python program on a pseudo-terminal of columns and rows; end it with the context."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WHISP_")}
    settings = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUTF8": "1", "TZ": "UTC"}
    program: pexpect.spawn[bytes] = pexpect.spawn(
        sys.executable,
        list(command),
        env={**kept, **settings, **(environment or {})},
        dimensions=(size[1], size[0]),
        cwd=Path(__file__).resolve().parents[2],
        timeout=30,
    )
    program.delaybeforesend = None
    try:
        yield Terminal(program)
    finally:
        program.close(force=True)


def _hostile_app(folder: Path) -> int:
    """Show the app with hostile text at every place where foreign text stands."""
    from tests.terminal.fakes import (
        FakeClient,
        FakeConversation,
        FakeIncomingFile,
        FakeOpener,
        FakeRing,
        contact,
    )

    from whisp.client import events
    from whisp.terminal import app as app_module
    from whisp.terminal.app import WhispApp
    from whisp.terminal.commands.full_screen import _run
    from whisp.terminal.driver import CleanDriver
    from whisp.terminal.glyphs import choose
    from whisp.terminal.profile import Profile

    _pretend(app_module)
    client = FakeClient([], contact("odile"))
    profile = Profile(folder)
    profile.make()
    profile.vault.write_bytes(b"sealed")
    app = WhispApp(profile, "http://127.0.0.1:1", FakeOpener(client), choose(), driver_class=CleanDriver)

    async def attack() -> None:
        while not app.calls.is_open:
            await asyncio.sleep(0.05)
        for text in HOSTILE[:-2]:
            client.tell(events.ConnectionChanged(events.ConnectionState.WAITING, text))
            ring = client.ring_from(text)
            await asyncio.sleep(0.05)
            await ring.decline()
        client.tell(events.ConnectionChanged(events.ConnectionState.WAITING, "all rings are over"))
        conversation = FakeConversation(client.log, at=time.time())
        client.outcome = conversation
        while app.calls.conversation is None:
            await asyncio.sleep(0.05)
        for number, text in enumerate(HOSTILE, 1):
            conversation.say(text, number=number)
            conversation.emit(events.FileOffered(FakeIncomingFile(client.log, text[:5000], 9, number)))
            await asyncio.sleep(0.05)
        conversation.say("all is said", number=99)
        assert isinstance(ring, FakeRing)

    async def main() -> None:
        task = asyncio.create_task(attack())
        await _run(app)
        task.cancel()

    asyncio.run(main())
    if app.fault is not None:
        raise app.fault
    return int(app.return_value or 0)


def _faulty_app(folder: Path) -> int:
    """Let a screen fail while it holds what was said."""
    from whisp.client import events
    from whisp.terminal.screens.chat import ChatScreen

    def hear(screen: ChatScreen, event: events.ConversationEvent) -> None:
        held = f"{CANARY} in a local of a screen that fails"
        raise RuntimeError(held)

    type.__setattr__(ChatScreen, "hear", hear)
    return _told(lambda: _hostile_app(folder))


def _faulty_task(folder: Path) -> int:
    """Let a task behind the screens fail while it holds what was said."""
    from tests.terminal.fakes import FakeConversation

    async def mark_read(conversation: FakeConversation, message_id: int) -> None:
        held = f"{CANARY} in a local of a task that fails"
        raise RuntimeError(held)

    type.__setattr__(FakeConversation, "mark_read", mark_read)
    return _told(lambda: _hostile_app(folder))


def _told(work: Callable[[], int]) -> int:
    """Tell an error as the command line does."""
    from whisp.terminal.exits import explain

    try:
        return work()
    except RuntimeError as error:
        code, sentence = explain(error)
        sys.stderr.write(f"{sentence}\n")
        return int(code)


def _faulty_lines(folder: Path) -> int:
    """Let line mode fail while it holds what was said."""
    from whisp.terminal.output import Output

    def message(output: Output, who: str, text: str) -> None:
        raise RuntimeError(f"{CANARY} {text}")

    type.__setattr__(Output, "message", message)
    return _hostile_lines(folder)


def _hostile_lines(folder: Path) -> int:
    """Say everything hostile in line mode."""
    from tests.terminal.fakes import FakeClient, FakeConversation, FakeIncomingFile, FakeOpener

    from whisp.client import events
    from whisp.client.conversation import Conversation
    from whisp.client.errors import EndReason
    from whisp.terminal.cli import run
    from whisp.terminal.commands import session

    _pretend(session)

    class Attacker(FakeClient):
        async def call(self, username: str, *, timeout: float = 45.0) -> Conversation:
            conversation = FakeConversation(self.log)
            self.tell(events.ServerWarned(events.ServerWarning.OTHER_NAME, self.username, HOSTILE[0]))
            for number, text in enumerate(HOSTILE, 1):
                conversation.say(text, number=number)
                conversation.emit(events.FileOffered(FakeIncomingFile(self.log, text, 9, number)))
            conversation.say("all is said", number=99)
            conversation.emit(events.Ended(EndReason.PEER_HUNG_UP, 0))
            await asyncio.sleep(0.1)
            return conversation

    return _line_mode(folder, run, FakeOpener(Attacker([])))


def _pretend(module: ModuleType) -> None:
    """Let a vault that is none ask for a passphrase."""
    module.__dict__["needs_passphrase"] = lambda profile: True


def _line_mode(folder: Path, run: Callable[..., int], opener: object) -> int:
    (folder / "vault").write_bytes(b"sealed")
    secret = folder / "pass"
    secret.write_text("open sesame")
    secret.chmod(0o600)
    return run(["chat", "odile", "--profile", str(folder), "--passphrase-file", str(secret)], opener)


def _main() -> int:
    from whisp.terminal.__main__ import prepare

    prepare()
    scenarios = {
        "app": _hostile_app,
        "lines": _hostile_lines,
        "faulty-app": _faulty_app,
        "faulty-task": _faulty_task,
        "faulty-lines": _faulty_lines,
    }
    with tempfile.TemporaryDirectory() as folder:
        return scenarios[sys.argv[1]](Path(folder))


if __name__ == "__main__":
    sys.exit(_main())

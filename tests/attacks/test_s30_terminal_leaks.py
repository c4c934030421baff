"""S-30: what a terminal could give away: tracebacks, scrollback, arguments, debug features."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.terminal.on_pty import CANARY, Terminal, on_terminal

from whisp.terminal.app import WhispApp
from whisp.terminal.screen_guard import CLEAR, LEAVE

SCRIPT = "tests.terminal.on_pty"
SENTENCE = "Something went wrong inside Whisp. Run again with --debug to see where."

DEBUGGING = {
    "TEXTUAL": "debug,devtools",
    "TEXTUAL_DEBUG": "1",
    "TEXTUAL_LOG": "textual.log",
    "TEXTUAL_SCREENSHOT": "1",
    "TEXTUAL_SCREENSHOT_LOCATION": ".",
    "TEXTUAL_PRESS": "a,b",
    "TEXTUAL_SHOW_RETURN": "1",
    "TEXTUAL_ALLOW_SIGNALS": "1",
    "TEXTUAL_DRIVER": "textual.drivers.headless_driver:HeadlessDriver",
    "PYTHONASYNCIODEBUG": "1",
    "PYTHONDEVMODE": "1",
    "PYTHONWARNINGS": "default",
    "RICH_TRACEBACK": "1",
    "HTTPX_LOG_LEVEL": "trace",
}


def _begin(terminal: Terminal) -> None:
    terminal.wait("Unlock")
    terminal.send("open sesame\r")
    terminal.wait("all rings are over")
    terminal.send("odile\r")


def _was_left_clean(written: bytes) -> None:
    """The alternate screen was cleared with its scrollback, then left, and nothing was said afterwards."""
    left = written.rindex(LEAVE.encode())
    cleared = written.rindex(CLEAR.encode())
    assert cleared < left
    assert CANARY.encode() not in written[cleared:]


def _state(pid: int) -> str:
    """Return a process's state as the kernel tells it, X once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "X"


def test_s30_a_fault_in_a_screen_is_a_sentence() -> None:
    with on_terminal("-m", SCRIPT, "faulty-app", size=(100, 30)) as terminal:
        _begin(terminal)
        assert terminal.end() == 1
        _was_left_clean(terminal.written)
        last = terminal.written[terminal.written.rindex(LEAVE.encode()) :]
        assert SENTENCE.encode() in last
        assert b"Traceback" not in terminal.written
        assert b"in a local" not in terminal.written


def test_s30_a_fault_in_a_task_is_a_sentence() -> None:
    with on_terminal("-m", SCRIPT, "faulty-task", size=(100, 30)) as terminal:
        _begin(terminal)
        assert terminal.end() == 1
        _was_left_clean(terminal.written)
        assert SENTENCE.encode() in terminal.written
        assert b"Traceback" not in terminal.written
        assert b"in a local" not in terminal.written


def test_s30_a_fault_in_line_mode_is_a_sentence() -> None:
    with on_terminal("-m", SCRIPT, "faulty-lines") as terminal:
        assert terminal.end() == 1
        _was_left_clean(terminal.written)
        assert SENTENCE in terminal.text()
        assert "Traceback" not in terminal.text()


def test_s30_line_mode_leaves_nothing_in_the_scrollback() -> None:
    with on_terminal("-m", SCRIPT, "lines") as terminal:
        assert terminal.end() == 0
        _was_left_clean(terminal.written)
        assert terminal.text().rstrip().endswith("Everything is gone.")


def test_s30_the_app_leaves_nothing_in_the_scrollback() -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        terminal.send("\x11")
        assert terminal.end() == 0
        _was_left_clean(terminal.written)


def test_s30_hanging_up_clears_at_once() -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        mark = len(terminal.written)
        terminal.send("\x18")
        terminal.wait("Everything is gone.", since=mark)
        terminal.until(lambda: CLEAR.encode() in terminal.written[mark:])
        assert LEAVE.encode() not in terminal.written[mark:]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_s30_a_signal_leaves_the_terminal_clean(number: signal.Signals) -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        os.kill(terminal.pid, number)
        assert terminal.end() == 130
        _was_left_clean(terminal.written)


def test_s30_a_stopped_app_shows_nothing_and_comes_back() -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        os.kill(terminal.pid, signal.SIGTSTP)
        terminal.until(lambda: LEAVE.encode() in terminal.written and _state(terminal.pid) == "T")
        _was_left_clean(terminal.written)
        mark = len(terminal.written)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait("all is said", since=mark)
        terminal.send("\x11")
        assert terminal.end() == 0


def test_s30_a_lost_terminal_ends_the_app() -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        pid = terminal.pid
        terminal.program.close(force=False)
        for _ in range(100):
            if _state(pid) in "XZ":
                return
            signal.sigtimedwait([], 0.1)
        pytest.fail("the app lives on with the keys of the call")


def test_s30_nothing_is_copied_or_pictured(tmp_path: Path) -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        terminal.send("typed words")
        terminal.wait("typed words")
        for keys in ("\x1b[1;2H", "\x03", "\x10", "\x16"):  # select all, copy, palette, paste
            terminal.send(keys)
        terminal.send("\r")
        terminal.wait("typed words  ")
        terminal.send("\x11")
        assert terminal.end() == 0
        assert b"\x1b]52" not in terminal.written
    assert WhispApp.ENABLE_COMMAND_PALETTE is False
    assert WhispApp.ALLOW_SELECT is False


def test_s30_no_debug_variable_of_the_frameworks_has_an_effect(tmp_path: Path) -> None:
    settings = {
        **DEBUGGING,
        "TEXTUAL_LOG": str(tmp_path / "log"),
        "TEXTUAL_SCREENSHOT_LOCATION": str(tmp_path),
    }
    with on_terminal("-m", SCRIPT, "app", environment=settings, size=(100, 30)) as terminal:
        _begin(terminal)
        terminal.wait("all is said")
        terminal.send("\x11")
        assert terminal.end() == 0
        _was_left_clean(terminal.written)
    assert list(tmp_path.iterdir()) == []


def test_s30_no_option_takes_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    from whisp.terminal.cli import run

    commands = ("", "chat", "listen", "send", "receive", "register", "safety", "account", "delete-account")
    for command in commands:
        assert run([*command.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        for option in re.findall(r"--[a-z-]+", shown):
            assert option == "--passphrase-file" or "pass" not in option
            assert "secret" not in option
            assert "token" not in option


def test_s30_a_command_s_memory_is_never_written_to_disk() -> None:
    probe = (
        "from whisp.terminal.__main__ import prepare; prepare();"
        "import resource, os; print(resource.getrlimit(resource.RLIMIT_CORE)[0]);"
        "print([name for name in os.environ if name.startswith('TEXTUAL')])"
    )
    told = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, **DEBUGGING},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["0", "[]"]

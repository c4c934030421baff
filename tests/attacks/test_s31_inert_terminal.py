"""S-31: text from others is inert in a terminal, down to the bytes the terminal receives."""

import re

from tests.terminal.on_pty import CANARY, HOSTILE, Terminal, on_terminal

SCRIPT = "tests.terminal.on_pty"
_NEVER = "\u202e\u2066\u200b\ufeff\u2028\u2029\x7f\b\x0b\x0c\x0e\x0f"
_STRING = re.compile(rb"\x1b[\]P^_X]([^\x1b\x07]*)")


def _is_untouched(terminal: Terminal, *, bells: int) -> None:
    written = terminal.written
    assert CANARY.encode() in written
    for content in _STRING.findall(written):
        assert CANARY.encode() not in content
        assert not content.startswith((b"52;", b"0;", b"1;", b"2;")), content
    text = written.decode("utf-8", "replace")
    assert not [hex(ord(c)) for c in text if 0x80 <= ord(c) < 0xA0]
    assert not [
        hex(ord(c)) for c in text if c in "\u202e\u2066\u200b\ufeff\u2028\u2029\x7f\b\x0b\x0c\x0e\x0f"
    ]
    assert b"\x1bc" not in written
    assert re.sub(rb"\x1b\][^\x07\x1b]*\x07", b"", written).count(b"\x07") <= bells
    assert "\u0301" * 9 not in text


def test_s31_foreign_text_in_the_app_reaches_no_terminal_function() -> None:
    with on_terminal("-m", SCRIPT, "app", size=(100, 30)) as terminal:
        terminal.wait("Unlock")
        terminal.send("open sesame\r")
        terminal.wait("all rings are over")
        terminal.send("odile\r")
        terminal.wait("all is said")
        for key in ("\x1b[1;3A", "\x1b[1;3A", "\x13"):  # walk up twice, ask where to save
            terminal.send(key)
        terminal.wait("Save")
        mark = len(terminal.written)
        terminal.send("\x1b")
        terminal.wait("all is said", since=mark)
        mark = len(terminal.written)
        terminal.send("\x06canary")  # find
        terminal.wait(" of ", since=mark)
        terminal.send("\x18")
        terminal.wait("Everything is gone.")
        terminal.send("\x11")
        assert terminal.end() == 0
        _is_untouched(terminal, bells=len(HOSTILE))


def test_s31_foreign_text_in_line_mode_reaches_no_terminal_function() -> None:
    with on_terminal("-m", SCRIPT, "lines", size=(100, 30)) as terminal:
        assert terminal.end() == 0
        assert "all is said" in terminal.text()
        _is_untouched(terminal, bells=0)


def test_s31_a_message_cannot_pass_for_another_line() -> None:
    with on_terminal("-m", SCRIPT, "lines", size=(100, 30)) as terminal:
        terminal.end()
        rows = re.split(r"\r?\n", terminal.text())
        started = [row for row in rows if row.startswith(CANARY)]
        assert not started

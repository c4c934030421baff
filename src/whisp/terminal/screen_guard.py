"""Line mode's hold on the terminal: the alternate screen, so that nothing said stays in the scrollback."""

import asyncio
import os
import signal
import sys
from types import TracebackType
from typing import Final, Self, TextIO

__all__ = ["CLEAR", "ENTER", "LEAVE", "ScreenGuard"]

ENTER: Final = "\x1b[?1049h\x1b[H"
CLEAR: Final = "\x1b[H\x1b[2J\x1b[3J"
"""Home, erase the screen, erase its scrollback (xterm's extension; others ignore it)."""
LEAVE: Final = "\x1b[?1049l"


class ScreenGuard:
    """Enters the alternate screen on a terminal and leaves it cleared, also around a stop by job control.

    With output to a pipe or a file it does nothing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._is_on = self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def __enter__(self) -> Self:
        if self._is_on:
            self._write(ENTER)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_on:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTSTP)
            self._write(CLEAR + LEAVE)

    def _stop(self) -> None:
        self._write(CLEAR + LEAVE)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._write(ENTER)  # runs when someone continues the process

    def _write(self, data: str) -> None:
        self._stream.write(data)
        self._stream.flush()

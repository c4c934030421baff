"""Where a passphrase may come from: a file, or a person at a terminal. Never an argument or a variable."""

import os
import stat
import sys
from pathlib import Path
from typing import Final

from whisp.terminal.exits import UsageError

__all__ = ["MIN_CHARACTERS", "Passphrase", "ask", "from_file"]

MIN_CHARACTERS: Final = 8
"""Fewer are guessed within a day even through Argon2id."""

_MAX_FILE_BYTES: Final = 4096


class Passphrase:
    """A passphrase on its way to the vault. It shows itself to no one; `reveal` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Passphrase(<redacted>)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the text, for the vault only."""
        return self._text


def from_file(path: Path) -> Passphrase:
    """Read a passphrase from the first line of `path`.

    Raises:
        UsageError: it cannot be read, is empty, or others can read it too.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                raise UsageError("Others can read the passphrase file. Run chmod 600 on it.")
            line = file.readline(_MAX_FILE_BYTES)
    except OSError as error:
        raise UsageError("The passphrase file cannot be read.") from error
    try:
        text = line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError("The passphrase file is not UTF-8 text.") from error
    if not text:
        raise UsageError("The passphrase file is empty.")
    return Passphrase(text)


def ask(prompt: str = "Passphrase", *, twice: bool = False) -> Passphrase:
    """Ask at the terminal, without echo.

    Raises:
        UsageError: there is no terminal to ask at, or the two entries differ.
    """
    import getpass

    if not sys.stdin.isatty():
        raise UsageError("A passphrase is needed. Name a file with --passphrase-file, or run in a terminal.")
    first = getpass.getpass(f"{prompt}: ", stream=sys.stderr)
    if not first:
        raise UsageError("The passphrase is empty.")
    if twice:
        if len(first) < MIN_CHARACTERS:
            raise UsageError(f"Use at least {MIN_CHARACTERS} characters.")
        if getpass.getpass("Once more: ", stream=sys.stderr) != first:
            raise UsageError("The two are not the same.")
    return Passphrase(first)

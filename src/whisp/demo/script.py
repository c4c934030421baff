"""What the demo's processes tell each other."""

from typing import Final

from msgspec import Struct

from whisp.wire.errors import WhispError

__all__ = ["EARLY_END", "FILE_BYTES", "Census", "DemoError", "Report", "Script"]

FILE_BYTES: Final = 64 * 1024 * 1024
EARLY_END: Final = "The call ended before the demo was through."


class DemoError(WhispError):
    """A step of the demo did not go as it must; the message says which and how."""


class Script(Struct, frozen=True):
    """What one person of the demo does. Passed on stdin, so that no text shows among process arguments."""

    server: str
    name: str
    peer: str
    rings: bool
    texts: list[str]


class Report(Struct, omit_defaults=True):
    """One finished step of one person."""

    step: str
    seconds: float = 0.0
    safety_number: str = ""
    session_code: str = ""
    count: int = 0
    digest: str = ""
    """SHA-256 of what arrived."""
    sent_digest: str = ""
    line: str = ""
    refusal: str = ""
    reason: str = ""


class Census(Struct, frozen=True):
    """How much the server holds: rows of each table, and entries of each volatile store."""

    rows: dict[str, int]
    volatile: dict[str, int]

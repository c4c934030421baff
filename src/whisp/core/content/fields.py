"""What all contents share: the type byte, the number, and how small fields are read."""

from enum import IntEnum
from typing import Final

from whisp.wire.encoding import Reader
from whisp.wire.errors import MalformedError

__all__ = [
    "MAX_NUMBER",
    "ContentType",
    "decode_utf8",
    "read_flag",
    "utf8_fault",
]

MAX_NUMBER: Final = 2**32 - 1
"""The last content number: a u32 that never wraps. At 100 a second it lasts sixteen months."""


class ContentType(IntEnum):
    """First byte of a content. A type that is not here comes from a newer minor version and is skipped."""

    TEXT = 0x01
    TYPING = 0x02
    RECEIPT = 0x03
    TEXT_EDIT = 0x04
    TEXT_DELETE = 0x05
    REACTION = 0x06
    FILE_OFFER = 0x10
    FILE_REQUEST = 0x11
    FILE_ACK = 0x12
    FILE_CANCEL = 0x13
    FILE_DONE = 0x14
    HEARTBEAT = 0x20
    RESUME = 0x21
    BYE = 0x22
    LIST_UPDATE = 0x30
    LIST_REPORT = 0x31
    DIRECT_CONSENT = 0x40
    LINE_OFFER = 0x41
    LINE_ANSWER = 0x42
    RTC_OFFER = 0x43
    RTC_ANSWER = 0x44
    RTC_CANDIDATES = 0x45
    RTC_CLOSE = 0x46


def read_flag(reader: Reader) -> bool:
    """Take one byte as 0 or 1. Raises MalformedError for any other."""
    value = reader.u8()
    if value > 1:
        raise MalformedError("a flag that is neither 0 nor 1")
    return value == 1


def decode_utf8(encoded: bytes) -> str:
    """Return the text of strict UTF-8. Raises MalformedError."""
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        raise MalformedError("a string that is not UTF-8") from None


def utf8_fault(text: str, limit: int, what: str) -> str | None:
    """Say what is wrong with a text that must be at most `limit` bytes of UTF-8, None if nothing is."""
    try:
        return f"{what} over {limit} bytes" if len(text.encode()) > limit else None
    except UnicodeEncodeError:
        return f"{what} that is not Unicode"

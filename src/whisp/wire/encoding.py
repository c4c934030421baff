"""Fixed binary layouts: big-endian integers, length-prefixed byte strings, nothing optional.

Everything signed, hashed or authenticated uses these and no JSON (spec/overview.md, Notation).
"""

import struct
from enum import IntEnum
from typing import Final, TypeVar

from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = ["MAX_INTEGER", "Reader", "lp8", "lp16", "lp32", "parse_enum", "tag", "u8", "u16", "u32", "u64"]

MAX_INTEGER: Final = 2**53 - 1
"""The largest integer in any layout (spec/overview.md, Notation)."""

_Kind = TypeVar("_Kind", bound=IntEnum)
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


def tag(label: str) -> bytes:
    """Return T(label), the domain separator that opens everything signed, hashed or derived.

    ASCII ``"Whisp/1 " ‖ label ‖ 0x00``. The terminator keeps any tag from being another's prefix.
    """
    return b"Whisp/1 " + label.encode("ascii") + b"\x00"


def u8(value: int) -> bytes:
    """Encode 0..2^8-1 in one byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Encode 0..2^16-1 in two bytes."""
    return _U16.pack(value)


def u32(value: int) -> bytes:
    """Encode 0..2^32-1 in four bytes."""
    return _U32.pack(value)


def u64(value: int) -> bytes:
    """Encode 0..2^64-1 in eight bytes; nobody reads one beyond MAX_INTEGER."""
    return _U64.pack(value)


def lp8(data: bytes) -> bytes:
    """Prefix `data` (at most 255 bytes) with its u8 length. Raises LocalProtocolError beyond that."""
    if len(data) > 0xFF:
        raise LocalProtocolError(f"{len(data)} bytes do not fit an 8-bit length")
    return u8(len(data)) + data


def lp16(data: bytes) -> bytes:
    """Prefix `data` (at most 65,535 bytes) with its u16 length. Raises LocalProtocolError beyond that."""
    if len(data) > 0xFFFF:
        raise LocalProtocolError(f"{len(data)} bytes do not fit a 16-bit length")
    return _U16.pack(len(data)) + data


def lp32(data: bytes) -> bytes:
    """Prefix `data` with its u32 length."""
    return _U32.pack(len(data)) + data


def parse_enum(kind: type[_Kind], value: int) -> _Kind:
    """Return the member of `kind` for `value`. Raises MalformedError for any other value."""
    try:
        return kind(value)
    except ValueError:
        raise MalformedError(f"{value} is not a {kind.__name__}") from None


class Reader:
    """Takes fields off the front of a byte string; every method raises MalformedError when it runs out.

    Call `finish` last: trailing bytes are an error in every layout.
    """

    __slots__ = ("_data", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    @property
    def offset(self) -> int:
        """How many bytes have been taken."""
        return self._offset

    def take(self, length: int) -> bytes:
        """Take exactly `length` bytes."""
        end = self._offset + length
        if end > len(self._data):
            raise MalformedError(f"ends {end - len(self._data)} bytes early")
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def u8(self) -> int:
        """Take one byte as an integer."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Take a two-byte integer."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Take a four-byte integer."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """Take an eight-byte integer. One beyond 2^53 - 1 is malformed: not every language can hold it."""
        value = int.from_bytes(self.take(8), "big")
        if value > MAX_INTEGER:
            raise MalformedError("an integer beyond 2^53 - 1")
        return value

    def enum(self, kind: type[_Kind]) -> _Kind:
        """Take one byte as a member of `kind`; any other value is malformed."""
        return parse_enum(kind, self.u8())

    def lp8(self, limit: int = 0xFF) -> bytes:
        """Take a byte string prefixed by its u8 length; refuse one longer than `limit` before taking it."""
        return self._limited(self.u8(), limit)

    def lp16(self, limit: int = 0xFFFF) -> bytes:
        """Take a byte string prefixed by its u16 length; refuse one longer than `limit` before taking it."""
        return self._limited(self.u16(), limit)

    def lp32(self, limit: int) -> bytes:
        """Take a byte string prefixed by its u32 length; refuse one longer than `limit` before taking it."""
        return self._limited(self.u32(), limit)

    def rest(self) -> bytes:
        """Take all that is left, possibly nothing."""
        return self.take(len(self._data) - self._offset)

    def finish(self) -> None:
        """Raise MalformedError if anything is left."""
        left = len(self._data) - self._offset
        if left:
            raise MalformedError(f"has {left} trailing bytes")

    def _limited(self, length: int, limit: int) -> bytes:
        if length > limit:
            raise MalformedError(f"a field of {length} bytes is over its limit of {limit}")
        return self.take(length)

"""What the two programs say about the line itself: life signs, resumption, leaving, lists, paths."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final

from whisp.core.content.fields import MAX_NUMBER, ContentType, read_flag
from whisp.wire.device_list import MAX_DEVICE_LIST_BYTES, DeviceList
from whisp.wire.encoding import Reader, u8, u16, u32
from whisp.wire.errors import MalformedError

__all__ = [
    "LINE_TOKEN_BYTES",
    "MAX_HOLES",
    "MAX_LINE_ADDRESSES",
    "Address",
    "Bye",
    "ByeReason",
    "DirectConsent",
    "Heartbeat",
    "LineAnswer",
    "LineOffer",
    "ListReport",
    "ListUpdate",
    "Resume",
]

MAX_HOLES: Final = 64
"""Missing numbers named in one RESUME; those beyond are asked for when these have come."""

MAX_LINE_ADDRESSES: Final = 8
"""Addresses in one LINE_OFFER: a machine with several networks, both IP versions."""

LINE_TOKEN_BYTES: Final = 16


class ByeReason(IntEnum):
    """Why a side left. A code younger than this version reads as OTHER: a hang-up always ends the call."""

    OTHER = 0
    HUNG_UP = 1
    LOCKED = 2
    """Locked, or wiped by panic: the peer is not told which."""
    IDLE = 3
    REVOKED = 4
    """The leaver saw that one of the two devices is no longer on its account's list."""
    PROTOCOL = 5
    """The leaver saw a break of this protocol."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """I am here, and `last_number` is the last content I counted: a lost tail shows."""

    TYPE: ClassVar = ContentType.HEARTBEAT
    COUNTED: ClassVar = False
    last_number: int

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return None if 0 <= self.last_number <= MAX_NUMBER else "a heartbeat out of range"

    def encode_body(self) -> bytes:
        """Return last number u32."""
        return u32(self.last_number)

    @classmethod
    def read(cls, reader: Reader) -> "Heartbeat":
        """Take the body."""
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class Resume:
    """Send again, byte for byte, what is missing: `holes` (ascending, at or below `highest`).

    `is_new_path` asks for all after `highest` too: what was under way on the old path may be gone.
    """

    TYPE: ClassVar = ContentType.RESUME
    COUNTED: ClassVar = False
    is_new_path: bool
    highest: int
    holes: tuple[int, ...] = ()

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if not 0 <= self.highest <= MAX_NUMBER or len(self.holes) > MAX_HOLES:
            return "a resume out of range, or with too many holes"
        last = 0
        for hole in self.holes:
            if not last < hole <= self.highest:
                return "a resume whose holes are not ascending or go too far"
            last = hole
        return None

    def encode_body(self) -> bytes:
        """Return new path u8 ‖ highest u32 ‖ count u8 ‖ count × u32."""
        holes = b"".join(map(u32, self.holes))
        return u8(self.is_new_path) + u32(self.highest) + u8(len(self.holes)) + holes

    @classmethod
    def read(cls, reader: Reader) -> "Resume":
        """Take the body."""
        is_new_path, highest, count = read_flag(reader), reader.u32(), reader.u8()
        if count > MAX_HOLES:
            raise MalformedError("a resume with too many holes")
        return cls(is_new_path, highest, tuple(reader.u32() for _ in range(count)))


@dataclass(frozen=True, slots=True)
class Bye:
    """I leave and wipe now. `last_number` is the last content I counted."""

    TYPE: ClassVar = ContentType.BYE
    COUNTED: ClassVar = False
    reason: ByeReason
    last_number: int

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return None if 0 <= self.last_number <= MAX_NUMBER else "a number out of range"

    def encode_body(self) -> bytes:
        """Return reason u8 ‖ last number u32."""
        return u8(self.reason) + u32(self.last_number)

    @classmethod
    def read(cls, reader: Reader) -> "Bye":
        """Take the body."""
        code, last_number = reader.u8(), reader.u32()
        known = code in ByeReason.__members__.values()
        return cls(ByeReason(code) if known else ByeReason.OTHER, last_number)


@dataclass(frozen=True, slots=True)
class ListUpdate:
    """The sender's own newer device list, encoded; a well-formed one, not yet verified."""

    TYPE: ClassVar = ContentType.LIST_UPDATE
    COUNTED: ClassVar = True
    device_list: bytes = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if len(self.device_list) > MAX_DEVICE_LIST_BYTES:
            return "a device list over its size limit"
        try:
            DeviceList.decode(self.device_list)
        except MalformedError as error:
            return str(error)
        return None

    def encode_body(self) -> bytes:
        """Return the list."""
        return self.device_list

    @classmethod
    def read(cls, reader: Reader) -> "ListUpdate":
        """Take the body."""
        return cls(reader.rest())


@dataclass(frozen=True, slots=True)
class ListReport:
    """The version and SHA-256 of the receiver's list that the sender holds; a lying server shows here."""

    TYPE: ClassVar = ContentType.LIST_REPORT
    COUNTED: ClassVar = False
    version: int
    digest: bytes

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return None if 0 < self.version <= MAX_NUMBER and len(self.digest) == 32 else "a report of no list"

    def encode_body(self) -> bytes:
        """Return version u32 ‖ digest 32."""
        return u32(self.version) + self.digest

    @classmethod
    def read(cls, reader: Reader) -> "ListReport":
        """Take the body."""
        return cls(reader.u32(), reader.take(32))


@dataclass(frozen=True, slots=True)
class DirectConsent:
    """Whether the sender lets this peer learn its IP address. No LINE_OFFER before both said yes."""

    TYPE: ClassVar = ContentType.DIRECT_CONSENT
    COUNTED: ClassVar = True
    allowed: bool

    def fault(self) -> str | None:
        """Nothing can be wrong."""
        return None

    def encode_body(self) -> bytes:
        """Return u8 0 or 1."""
        return u8(self.allowed)

    @classmethod
    def read(cls, reader: Reader) -> "DirectConsent":
        """Take the body."""
        return cls(read_flag(reader))


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address, 4 or 16 bytes, and a TCP port, 1 to 65,535. `repr` hides where that is."""

    ip: bytes = field(repr=False)
    port: int = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if len(self.ip) not in (4, 16) or not 0 < self.port <= 0xFFFF:
            return "an address that is none"
        return None

    def encode(self) -> bytes:
        """Return u8 length ‖ ip ‖ port u16."""
        return u8(len(self.ip)) + self.ip + u16(self.port)

    @classmethod
    def read(cls, reader: Reader) -> "Address":
        """Take one address."""
        return cls(reader.take(reader.u8()), reader.u16())


@dataclass(frozen=True, slots=True)
class _LineAddresses:
    """What LineOffer and LineAnswer share: a token naming the attempt, and where to reach the sender."""

    TYPE: ClassVar[ContentType]
    COUNTED: ClassVar = True
    token: bytes = field(repr=False)
    """16 random bytes the dialler writes first, so that no stranger's connection counts."""
    addresses: tuple[Address, ...] = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if len(self.token) != LINE_TOKEN_BYTES or len(self.addresses) > MAX_LINE_ADDRESSES:
            return "a token of the wrong length, or too many addresses"
        return next((fault for address in self.addresses if (fault := address.fault())), None)

    def encode_body(self) -> bytes:
        """Return token 16 ‖ count u8 ‖ count × address."""
        return self.token + u8(len(self.addresses)) + b"".join(a.encode() for a in self.addresses)


@dataclass(frozen=True, slots=True)
class LineOffer(_LineAddresses):
    """Dial me on one of these for a direct TCP path."""

    TYPE: ClassVar = ContentType.LINE_OFFER

    @classmethod
    def read(cls, reader: Reader) -> "LineOffer":
        """Take the body."""
        return cls(reader.take(LINE_TOKEN_BYTES), _addresses(reader))


@dataclass(frozen=True, slots=True)
class LineAnswer(_LineAddresses):
    """The answer to the offer of the same token: dial me on these too; none means stay on the relay."""

    TYPE: ClassVar = ContentType.LINE_ANSWER

    @classmethod
    def read(cls, reader: Reader) -> "LineAnswer":
        """Take the body."""
        return cls(reader.take(LINE_TOKEN_BYTES), _addresses(reader))


def _addresses(reader: Reader) -> tuple[Address, ...]:
    count = reader.u8()
    if count > MAX_LINE_ADDRESSES:
        raise MalformedError("too many addresses")
    return tuple(Address.read(reader) for _ in range(count))

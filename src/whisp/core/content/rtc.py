"""What two sides say to agree on a WebRTC line: values, never descriptions (spec/lines.md, WebRTC)."""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final, Self

from whisp.core.content.fields import ContentType
from whisp.core.content.line import LINE_TOKEN_BYTES
from whisp.wire.encoding import Reader, lp8, parse_enum, u8, u16, u32
from whisp.wire.errors import MalformedError

__all__ = [
    "MAX_CANDIDATES_AT_ONCE",
    "MAX_PWD_BYTES",
    "MAX_UFRAG_BYTES",
    "MDNS_NAME_BYTES",
    "MIN_PWD_BYTES",
    "MIN_UFRAG_BYTES",
    "CandidateKind",
    "IceCandidate",
    "RtcAnswer",
    "RtcCandidates",
    "RtcClose",
    "RtcCloseReason",
    "RtcOffer",
    "RtcPolicy",
]

MAX_CANDIDATES_AT_ONCE: Final = 16
"""Candidates in one RTC_CANDIDATES: more than a machine with several networks gathers before it sends."""

MIN_UFRAG_BYTES: Final = 4
MAX_UFRAG_BYTES: Final = 32
"""RFC 8839 allows 256; 32 is what RFC 8445 asks implementations to send at most."""

MIN_PWD_BYTES: Final = 22
MAX_PWD_BYTES: Final = 128

MDNS_NAME_BYTES: Final = 42
"""A UUID and ".local": what a browser puts in place of an address that a page shall not see."""

_ICE_CHARS: Final = re.compile(rb"[A-Za-z0-9+/]*")
_MDNS_NAME: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local")


class RtcPolicy(IntEnum):
    """Which candidates an attempt may use."""

    RELAY_ONLY = 1
    """Through TURN: the peers see each other's TURN server, nothing else."""
    ALL = 2
    """Any way there is, so the peers learn each other's addresses. Needs consent of both."""


class CandidateKind(IntEnum):
    """Where an address comes from, which is also what it shows."""

    HOST = 1
    SERVER_REFLEXIVE = 2
    RELAYED = 3


class RtcCloseReason(IntEnum):
    """Why an attempt or a line is over. A code younger than this version reads as BROKE."""

    BROKE = 1
    CANNOT = 2
    NOT_WANTED = 3


@dataclass(frozen=True, slots=True)
class _IceDescription:
    """What RtcOffer and RtcAnswer share: the attempt, its policy, and ICE's name and password."""

    TYPE: ClassVar[ContentType]
    COUNTED: ClassVar = True
    token: bytes = field(repr=False)
    """16 random bytes naming the attempt."""
    policy: RtcPolicy
    ufrag: str = field(repr=False)
    pwd: str = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return (
            _token_fault(self.token)
            or _ice_fault(self.ufrag, MIN_UFRAG_BYTES, MAX_UFRAG_BYTES)
            or _ice_fault(self.pwd, MIN_PWD_BYTES, MAX_PWD_BYTES)
        )

    def encode_body(self) -> bytes:
        """Return token 16 ‖ policy u8 ‖ lp8 ufrag ‖ lp8 pwd."""
        return self.token + u8(self.policy) + lp8(self.ufrag.encode()) + lp8(self.pwd.encode())

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Take the body."""
        return cls(
            reader.take(LINE_TOKEN_BYTES),
            parse_enum(RtcPolicy, reader.u8()),
            _read_ice(reader, MAX_UFRAG_BYTES),
            _read_ice(reader, MAX_PWD_BYTES),
        )


@dataclass(frozen=True, slots=True)
class RtcOffer(_IceDescription):
    """Let us try a DataChannel; with the token of an open attempt and a new ufrag, an ICE restart."""

    TYPE: ClassVar = ContentType.RTC_OFFER


@dataclass(frozen=True, slots=True)
class RtcAnswer(_IceDescription):
    """The answer to the offer of the same token and policy."""

    TYPE: ClassVar = ContentType.RTC_ANSWER


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """One UDP address the sender may be reached at. `repr` hides where that is."""

    kind: CandidateKind
    priority: int
    address: bytes = field(repr=False)
    """4 or 16 bytes of an IP address, or the 42 ASCII bytes of an mDNS name."""
    port: int = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if not (0 <= self.priority < 2**32 and 0 < self.port <= 0xFFFF):
            return "a candidate out of range"
        if len(self.address) in (4, 16):
            return None
        # The length first: a name is matched whole, and only when it can be one.
        if len(self.address) == MDNS_NAME_BYTES and _MDNS_NAME.fullmatch(self.address):
            return None
        return "a candidate whose address is none"

    def encode(self) -> bytes:
        """Return kind u8 ‖ priority u32 ‖ lp8 address ‖ port u16."""
        return u8(self.kind) + u32(self.priority) + lp8(self.address) + u16(self.port)

    @classmethod
    def read(cls, reader: Reader) -> "IceCandidate":
        """Take one candidate."""
        kind, priority = parse_enum(CandidateKind, reader.u8()), reader.u32()
        return cls(kind, priority, reader.lp8(MDNS_NAME_BYTES), reader.u16())


@dataclass(frozen=True, slots=True)
class RtcCandidates:
    """More candidates of the description with this ufrag; none at all says that there are no more."""

    TYPE: ClassVar = ContentType.RTC_CANDIDATES
    COUNTED: ClassVar = True
    token: bytes = field(repr=False)
    ufrag: str = field(repr=False)
    candidates: tuple[IceCandidate, ...]

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if len(self.candidates) > MAX_CANDIDATES_AT_ONCE:
            return "too many candidates"
        fault = _token_fault(self.token) or _ice_fault(self.ufrag, MIN_UFRAG_BYTES, MAX_UFRAG_BYTES)
        return fault or next((fault for c in self.candidates if (fault := c.fault())), None)

    def encode_body(self) -> bytes:
        """Return token 16 ‖ lp8 ufrag ‖ count u8 ‖ count × candidate."""
        candidates = b"".join(candidate.encode() for candidate in self.candidates)
        return self.token + lp8(self.ufrag.encode()) + u8(len(self.candidates)) + candidates

    @classmethod
    def read(cls, reader: Reader) -> "RtcCandidates":
        """Take the body."""
        token, ufrag = reader.take(LINE_TOKEN_BYTES), _read_ice(reader, MAX_UFRAG_BYTES)
        count = reader.u8()
        if count > MAX_CANDIDATES_AT_ONCE:
            raise MalformedError("too many candidates")
        return cls(token, ufrag, tuple(IceCandidate.read(reader) for _ in range(count)))


@dataclass(frozen=True, slots=True)
class RtcClose:
    """The attempt or the line of this token is over; frames go over the relay."""

    TYPE: ClassVar = ContentType.RTC_CLOSE
    COUNTED: ClassVar = True
    token: bytes = field(repr=False)
    reason: RtcCloseReason

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return _token_fault(self.token)

    def encode_body(self) -> bytes:
        """Return token 16 ‖ reason u8."""
        return self.token + u8(self.reason)

    @classmethod
    def read(cls, reader: Reader) -> "RtcClose":
        """Take the body."""
        token, code = reader.take(LINE_TOKEN_BYTES), reader.u8()
        known = code in RtcCloseReason.__members__.values()
        return cls(token, RtcCloseReason(code) if known else RtcCloseReason.BROKE)


def _token_fault(token: bytes) -> str | None:
    return None if len(token) == LINE_TOKEN_BYTES else "a token of the wrong length"


def _ice_fault(text: str, least: int, most: int) -> str | None:
    if not (text.isascii() and least <= len(text) <= most and _ICE_CHARS.fullmatch(text.encode())):
        return "an ICE name or password that is none"
    return None


def _read_ice(reader: Reader, limit: int) -> str:
    # Latin-1 never fails, and whatever is not ASCII is refused by `fault`.
    return reader.lp8(limit).decode("latin-1")

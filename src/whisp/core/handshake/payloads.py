"""What the sealed fields of the handshake hold once opened (spec/handshake.md, Plaintexts)."""

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from typing import Final

from whisp.wire.certificate import CERTIFICATE_BYTES, Certificate
from whisp.wire.device_list import MAX_DEVICE_LIST_BYTES, DeviceList
from whisp.wire.encoding import Reader, lp16, u16, u32, u64
from whisp.wire.errors import MalformedError

__all__ = [
    "FINGERPRINT_BYTES",
    "MAX_TRANSPORT_BYTES",
    "NO_FINGERPRINT",
    "AnswerPayload",
    "CallFlags",
    "CancelReason",
    "DeclineReason",
    "IdentityPayload",
    "ListSighting",
    "ListView",
    "OfferPayload",
]

FINGERPRINT_BYTES: Final = 32
NO_FINGERPRINT: Final = bytes(FINGERPRINT_BYTES)
"""What stands for the SHA-256 of a DTLS certificate when the transport has no DTLS."""

MAX_TRANSPORT_BYTES: Final = 16 * 1024
"""Opaque bytes about the way to reach a side; with full device lists an OFFER still fits its limit."""


_KNOWN_FLAGS: Final = 0x0001


class CallFlags(IntFlag):
    """What a caller asks for. Unknown bits are malformed."""

    NONE = 0
    DIRECT = 1
    """The caller allows a direct connection, which shows each side the other's address."""


class DeclineReason(IntEnum):
    """Why a callee does not take the call."""

    DECLINED = 1
    BUSY = 2


class CancelReason(IntEnum):
    """Why a caller takes an OFFER back."""

    STOPPED = 1
    """The caller hung up while it rang."""
    NO_ANSWER = 2
    """It rang for its full time."""
    ELSEWHERE = 3
    """Another device of the same account answered."""
    GLARE = 4
    """Both rang each other, and the other offer won."""


@dataclass(frozen=True, slots=True)
class ListSighting:
    """Which device list a side has seen: version, and the SHA-256 of the whole list."""

    version: int
    digest: bytes

    @classmethod
    def of(cls, device_list: DeviceList) -> "ListSighting":
        """Return the sighting of a list."""
        return cls(device_list.version, device_list.digest())

    def encode(self) -> bytes:
        """Return version u32 ‖ digest 32."""
        return u32(self.version) + self.digest

    @classmethod
    def read(cls, reader: Reader) -> "ListSighting":
        """Take 36 bytes."""
        return cls(reader.u32(), reader.take(32))


class ListView(Enum):
    """How a peer's view of our own device list compares with the list itself."""

    SAME = "same"
    PEER_BEHIND = "peer-behind"
    """It saw an older one; ours is in the handshake, so it learns."""
    PEER_AHEAD = "peer-ahead"
    """It saw a newer one: fetch it, and end the call if our device is not in it."""
    FORKED = "forked"
    """It saw another list of the same version: someone shows different lists to different people."""

    @classmethod
    def compare(cls, own: DeviceList, seen: ListSighting) -> "ListView":
        """Compare our own list with what the peer saw."""
        if seen.version < own.version:
            return cls.PEER_BEHIND
        if seen.version > own.version:
            return cls.PEER_AHEAD
        return cls.SAME if seen.digest == own.digest() else cls.FORKED


@dataclass(frozen=True, slots=True)
class IdentityPayload:
    """id_A: who calls."""

    certificate: Certificate
    device_list: DeviceList

    def encode(self) -> bytes:
        """Return certificate 194 ‖ lp16(list)."""
        return self.certificate.encode() + lp16(self.device_list.encode())

    @classmethod
    def decode(cls, encoded: bytes) -> "IdentityPayload":
        """Parse the layout. Proves nothing yet. Raises MalformedError."""
        reader = Reader(encoded)
        certificate = Certificate.decode(reader.take(CERTIFICATE_BYTES))
        device_list = DeviceList.decode(reader.lp16(MAX_DEVICE_LIST_BYTES))
        reader.finish()
        return cls(certificate, device_list)


@dataclass(frozen=True, slots=True)
class OfferPayload:
    """offer_A: what the caller speaks, knows and proposes."""

    versions: int
    suites: int
    time: int
    """The caller's clock, Unix seconds."""
    callee_list: ListSighting
    fingerprint: bytes
    flags: CallFlags
    transport: bytes

    def encode(self) -> bytes:
        """Return versions u16 ‖ suites u16 ‖ time u64 ‖ sighting 36 ‖ fp 32 ‖ flags u16 ‖ lp16 transport."""
        return (
            u16(self.versions)
            + u16(self.suites)
            + u64(self.time)
            + self.callee_list.encode()
            + self.fingerprint
            + u16(self.flags)
            + lp16(self.transport)
        )

    @classmethod
    def decode(cls, encoded: bytes) -> "OfferPayload":
        """Parse the layout. Raises MalformedError."""
        reader = Reader(encoded)
        versions, suites, time, sighting = (
            reader.u16(),
            reader.u16(),
            reader.u64(),
            ListSighting.read(reader),
        )
        fingerprint, flags, transport = (
            reader.take(FINGERPRINT_BYTES),
            reader.u16(),
            reader.lp16(MAX_TRANSPORT_BYTES),
        )
        reader.finish()
        if flags & ~_KNOWN_FLAGS:
            raise MalformedError("unknown call flags")
        return cls(versions, suites, time, sighting, fingerprint, CallFlags(flags), transport)


@dataclass(frozen=True, slots=True)
class AnswerPayload:
    """ans_B: what the callee knows and proposes."""

    time: int
    """The callee's clock, Unix seconds."""
    caller_list: ListSighting
    fingerprint: bytes
    device_list: DeviceList
    transport: bytes

    def encode(self) -> bytes:
        """Return time u64 ‖ sighting 36 ‖ fp 32 ‖ lp16(list) ‖ lp16 transport."""
        return (
            u64(self.time)
            + self.caller_list.encode()
            + self.fingerprint
            + lp16(self.device_list.encode())
            + lp16(self.transport)
        )

    @classmethod
    def decode(cls, encoded: bytes) -> "AnswerPayload":
        """Parse the layout. Raises MalformedError."""
        reader = Reader(encoded)
        time, sighting, fingerprint = (
            reader.u64(),
            ListSighting.read(reader),
            reader.take(FINGERPRINT_BYTES),
        )
        device_list = DeviceList.decode(reader.lp16(MAX_DEVICE_LIST_BYTES))
        transport = reader.lp16(MAX_TRANSPORT_BYTES)
        reader.finish()
        return cls(time, sighting, fingerprint, device_list, transport)

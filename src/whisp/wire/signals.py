"""The five handshake messages, as far as the server may see into them (spec/handshake.md, Messages).

Sealed fields stay opaque here; `whisp.core.handshake` opens them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Final, TypeAlias

from whisp.wire.encoding import Reader, lp16, parse_enum
from whisp.wire.errors import MalformedError
from whisp.wire.ids import CallId, DeviceId, PreKeyId
from whisp.wire.limits import MAX_SIGNAL_BYTES
from whisp.wire.prekey import KEM_KEY_BYTES

__all__ = [
    "KEM_CIPHERTEXT_BYTES",
    "NO_PRE_KEY",
    "Answer",
    "Cancel",
    "Confirm",
    "Decline",
    "Offer",
    "Signal",
    "SignalType",
    "decode_signal",
    "peek_call_id",
    "peek_type",
]

KEM_CIPHERTEXT_BYTES: Final = 1088
NO_PRE_KEY: Final = PreKeyId(bytes(8))
_FLAG_ONE_TIME: Final = 0x01


class SignalType(IntEnum):
    """First byte of a signal."""

    OFFER = 0x01
    ANSWER = 0x02
    DECLINE = 0x03
    CANCEL = 0x04
    CONFIRM = 0x05


@dataclass(frozen=True, slots=True)
class Offer:
    """Caller to callee: the first flight, one per callee device."""

    TYPE: ClassVar = SignalType.OFFER
    HEADER_BYTES: ClassVar = 2356
    """How many bytes precede the sealed fields; th1 covers exactly these."""

    version: int
    suite: int
    call_id: CallId
    callee_device: DeviceId
    signed_pre_key: PreKeyId
    one_time_pre_key: PreKeyId | None
    ephemeral_key: bytes
    """EK_a, X25519, 32 bytes, fresh."""
    kem_key: bytes
    """ek_a, ML-KEM-768, 1184 bytes, fresh."""
    kem_ciphertext: bytes
    """ct1, 1088 bytes, to the one-time record's KEM key, else the signed record's."""
    sealed_identity: bytes
    sealed_offer: bytes

    def encode_header(self) -> bytes:
        """Return bytes 0..2355."""
        flags = _FLAG_ONE_TIME if self.one_time_pre_key else 0
        return (
            bytes((self.TYPE, self.version, self.suite, flags))
            + self.call_id
            + self.callee_device
            + self.signed_pre_key
            + (self.one_time_pre_key or NO_PRE_KEY)
            + self.ephemeral_key
            + self.kem_key
            + self.kem_ciphertext
        )

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return self.encode_header() + lp16(self.sealed_identity) + lp16(self.sealed_offer)

    @classmethod
    def read(cls, version: int, suite: int, flags: int, call_id: CallId, reader: Reader) -> "Offer":
        """Take the fields after the common head."""
        callee_device, signed, one_time = (
            DeviceId(reader.take(16)),
            PreKeyId(reader.take(8)),
            PreKeyId(reader.take(8)),
        )
        if flags not in (0, _FLAG_ONE_TIME) or (flags == 0) != (one_time == NO_PRE_KEY):
            raise MalformedError("an OFFER whose flags do not fit its pre-keys")
        return cls(
            version,
            suite,
            call_id,
            callee_device,
            signed,
            one_time if flags else None,
            reader.take(32),
            reader.take(KEM_KEY_BYTES),
            reader.take(KEM_CIPHERTEXT_BYTES),
            reader.lp16(),
            reader.lp16(),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """Callee to caller: sent when the person accepts."""

    TYPE: ClassVar = SignalType.ANSWER
    HEADER_BYTES: ClassVar = 1156

    version: int
    suite: int
    call_id: CallId
    device: DeviceId
    ephemeral_key: bytes
    """EK_b, X25519, 32 bytes, fresh; becomes the callee's first ratchet key."""
    kem_ciphertext: bytes
    """ct2, 1088 bytes, to the caller's fresh KEM key."""
    sealed_answer: bytes

    def encode_header(self) -> bytes:
        """Return bytes 0..1155; th4 covers exactly these."""
        return (
            bytes((self.TYPE, self.version, self.suite, 0))
            + self.call_id
            + self.device
            + self.ephemeral_key
            + self.kem_ciphertext
        )

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return self.encode_header() + lp16(self.sealed_answer)

    @classmethod
    def read(cls, version: int, suite: int, flags: int, call_id: CallId, reader: Reader) -> "Answer":
        """Take the fields after the common head."""
        _require_no_flags(flags)
        return cls(
            version,
            suite,
            call_id,
            DeviceId(reader.take(16)),
            reader.take(32),
            reader.take(KEM_CIPHERTEXT_BYTES),
            reader.lp16(),
        )


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What DECLINE and CANCEL share: who speaks, and a sealed reason."""

    TYPE: ClassVar[SignalType]
    HEADER_BYTES: ClassVar = 36

    version: int
    suite: int
    call_id: CallId
    device: DeviceId
    sealed_reason: bytes

    def encode_header(self) -> bytes:
        """Return bytes 0..35, which the seal covers."""
        return bytes((self.TYPE, self.version, self.suite, 0)) + self.call_id + self.device

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return self.encode_header() + lp16(self.sealed_reason)


@dataclass(frozen=True, slots=True)
class Decline(_Refusal):
    """Callee to caller: no, or busy."""

    TYPE: ClassVar = SignalType.DECLINE

    @classmethod
    def read(cls, version: int, suite: int, flags: int, call_id: CallId, reader: Reader) -> "Decline":
        """Take the fields after the common head."""
        _require_no_flags(flags)
        return cls(version, suite, call_id, DeviceId(reader.take(16)), reader.lp16())


@dataclass(frozen=True, slots=True)
class Cancel(_Refusal):
    """Caller to callee: never mind, or answered elsewhere."""

    TYPE: ClassVar = SignalType.CANCEL

    @classmethod
    def read(cls, version: int, suite: int, flags: int, call_id: CallId, reader: Reader) -> "Cancel":
        """Take the fields after the common head."""
        _require_no_flags(flags)
        return cls(version, suite, call_id, DeviceId(reader.take(16)), reader.lp16())


@dataclass(frozen=True, slots=True)
class Confirm:
    """Caller to callee: proof that the caller is live, with the first ratchet message behind it."""

    TYPE: ClassVar = SignalType.CONFIRM

    version: int
    suite: int
    call_id: CallId
    mac: bytes
    """HMAC-SHA-256, 32 bytes."""
    first_message: bytes

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return bytes((self.TYPE, self.version, self.suite, 0)) + self.call_id + self.mac + self.first_message

    @classmethod
    def read(cls, version: int, suite: int, flags: int, call_id: CallId, reader: Reader) -> "Confirm":
        """Take the fields after the common head."""
        _require_no_flags(flags)
        mac, first_message = reader.take(32), reader.rest()
        if not first_message:
            raise MalformedError("a CONFIRM without the first ratchet message")
        return cls(version, suite, call_id, mac, first_message)


Signal: TypeAlias = Offer | Answer | Decline | Cancel | Confirm

_CODECS: Final[dict[int, Any]] = {codec.TYPE: codec for codec in (Offer, Answer, Decline, Cancel, Confirm)}


def decode_signal(encoded: bytes) -> Signal:
    """Parse any of the five messages. Raises MalformedError; proves nothing about who wrote them."""
    if len(encoded) > MAX_SIGNAL_BYTES:
        raise MalformedError("a signal over its size limit")
    reader = Reader(encoded)
    kind, version, suite, flags = reader.take(4)
    codec = _CODECS.get(kind)
    if codec is None:
        raise MalformedError("an unknown type of signal")
    signal: Signal = codec.read(version, suite, flags, CallId(reader.take(16)), reader)
    reader.finish()
    return signal


def peek_type(encoded: bytes) -> SignalType:
    """Return a signal's type without decoding it: all that routing needs. Raises MalformedError."""
    if not encoded:
        raise MalformedError("an empty signal")
    return parse_enum(SignalType, encoded[0])


def peek_call_id(encoded: bytes) -> CallId:
    """Return a signal's call id without decoding it. Raises MalformedError."""
    if len(encoded) < 20:
        raise MalformedError("a signal that ends before its call id")
    return CallId(encoded[4:20])


def _require_no_flags(flags: int) -> None:
    if flags:
        raise MalformedError("unknown flags in a signal")

"""Pre-key records and the bundle a caller fetches (spec/identity.md, Pre-keys)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from whisp.wire.certificate import CERTIFICATE_BYTES, Certificate
from whisp.wire.device_list import MAX_DEVICE_LIST_BYTES, DeviceList
from whisp.wire.encoding import Reader, lp16, u8, u16, u64
from whisp.wire.errors import ExpiredError, MalformedError, NotYetValidError, VerificationError
from whisp.wire.ids import DeviceId, PreKeyId
from whisp.wire.limits import MAX_CLOCK_ERROR_SECONDS
from whisp.wire.signing import SIGNATURE_BYTES, verify

__all__ = [
    "KEM_KEY_BYTES",
    "MAX_PRE_KEY_SECONDS",
    "PRE_KEY_BYTES",
    "PRE_KEY_LABELS",
    "PreKeyBundle",
    "PreKeyKind",
    "PreKeyRecord",
]

PRE_KEY_BYTES: Final = 1326
MAX_PRE_KEY_SECONDS: Final = 3600
KEM_KEY_BYTES: Final = 1184
_FORMAT: Final = 1


class PreKeyKind(IntEnum):
    """Signed records serve many calls for at most an hour; one-time records serve one."""

    SIGNED = 1
    ONE_TIME = 2


PRE_KEY_LABELS: Final = {PreKeyKind.SIGNED: "prekey-signed", PreKeyKind.ONE_TIME: "prekey-once"}


@dataclass(frozen=True, slots=True)
class PreKeyRecord:
    """An X25519 and an ML-KEM-768 public key under one device signature, so neither can be re-paired."""

    kind: PreKeyKind
    device: DeviceId
    id: PreKeyId
    created: int
    expires: int
    versions: int
    """Bitmap of pairwise protocol versions, bit v-1 for version v."""
    suites: int
    agreement_key: bytes
    """X25519, 32 bytes."""
    kem_key: bytes
    """ML-KEM-768 encapsulation key, 1184 bytes."""
    signature: bytes

    @classmethod
    def decode(cls, encoded: bytes) -> "PreKeyRecord":
        """Parse the fixed layout. Proves nothing yet: call `verify`. Raises MalformedError."""
        reader = Reader(encoded)
        if reader.u8() != _FORMAT:
            raise MalformedError("an unknown pre-key format")
        record = cls(
            reader.enum(PreKeyKind),
            DeviceId(reader.take(16)),
            PreKeyId(reader.take(8)),
            reader.u64(),
            reader.u64(),
            reader.u16(),
            reader.u16(),
            reader.take(32),
            reader.take(KEM_KEY_BYTES),
            reader.take(SIGNATURE_BYTES),
        )
        reader.finish()
        return record

    def to_be_signed(self) -> bytes:
        """Return bytes 0..1261, what the device signs."""
        return (
            u8(_FORMAT)
            + u8(self.kind)
            + self.device
            + self.id
            + u64(self.created)
            + u64(self.expires)
            + u16(self.versions)
            + u16(self.suites)
            + self.agreement_key
            + self.kem_key
        )

    def encode(self) -> bytes:
        """Return the 1326 bytes; `decode` of them gives this record back."""
        return self.to_be_signed() + self.signature

    def verify(self, signing_key: bytes, now: int) -> None:
        """Check the device's signature and the validity period at `now` (Unix seconds, ±300 s allowed).

        Raises:
            ForgedError: the signature does not hold.
            NotYetValidError: it is of the future.
            ExpiredError: its time is over.
            VerificationError: it claims no time, or more than an hour.
        """
        verify(signing_key, PRE_KEY_LABELS[self.kind], self.to_be_signed(), self.signature)
        if not 0 < self.expires - self.created <= MAX_PRE_KEY_SECONDS:
            raise VerificationError("the pre-key's validity period is not allowed")
        if now < self.created - MAX_CLOCK_ERROR_SECONDS:
            raise NotYetValidError("the pre-key is not valid yet; check the clock")
        if now > self.expires + MAX_CLOCK_ERROR_SECONDS:
            raise ExpiredError("the pre-key has expired; check the clock")


@dataclass(frozen=True, slots=True)
class PreKeyBundle:
    """What a caller needs to ring one device: who it is, and keys to reach it."""

    certificate: Certificate
    device_list: DeviceList
    signed: PreKeyRecord
    one_time: PreKeyRecord | None

    @classmethod
    def decode(cls, encoded: bytes) -> "PreKeyBundle":
        """Parse certificate ‖ lp16(list) ‖ signed record ‖ u8 has ‖ [one-time record].

        Raises MalformedError.
        """
        reader = Reader(encoded)
        certificate = Certificate.decode(reader.take(CERTIFICATE_BYTES))
        device_list = DeviceList.decode(reader.lp16(MAX_DEVICE_LIST_BYTES))
        signed = PreKeyRecord.decode(reader.take(PRE_KEY_BYTES))
        has_one_time = reader.u8()
        if has_one_time > 1:
            raise MalformedError("a bundle's flag is neither 0 nor 1")
        one_time = PreKeyRecord.decode(reader.take(PRE_KEY_BYTES)) if has_one_time else None
        reader.finish()
        if signed.kind is not PreKeyKind.SIGNED or (one_time and one_time.kind is not PreKeyKind.ONE_TIME):
            raise MalformedError("a bundle's pre-keys are of the wrong kind")
        return cls(certificate, device_list, signed, one_time)

    def encode(self) -> bytes:
        """Return the bytes on the wire; `decode` of them gives this bundle back."""
        one_time = self.one_time.encode() if self.one_time else b""
        return (
            self.certificate.encode()
            + lp16(self.device_list.encode())
            + self.signed.encode()
            + u8(len(one_time) > 0)
            + one_time
        )

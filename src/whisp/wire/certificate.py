"""Device certificates: the account key vouches for a device's keys (spec/identity.md, Certificate)."""

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from whisp.wire.encoding import Reader, u8, u64
from whisp.wire.errors import ExpiredError, MalformedError, NotYetValidError, VerificationError
from whisp.wire.ids import AccountId, DeviceId
from whisp.wire.limits import MAX_CLOCK_ERROR_SECONDS
from whisp.wire.signing import SIGNATURE_BYTES, verify

__all__ = ["CERTIFICATE_BYTES", "CERTIFICATE_LABEL", "MAX_CERTIFICATE_SECONDS", "Certificate", "DeviceKind"]

CERTIFICATE_BYTES: Final = 194
CERTIFICATE_LABEL: Final = "device-cert"
MAX_CERTIFICATE_SECONDS: Final = 365 * 86_400
_FORMAT: Final = 1


class DeviceKind(IntEnum):
    """What a device is, shown when it is linked."""

    NATIVE = 1
    WEB = 2
    MOBILE = 3
    BOT = 4


@dataclass(frozen=True, slots=True)
class Certificate:
    """An account key's statement about one device. 194 bytes on the wire; all keys are public, 32 bytes."""

    account: AccountId
    device: DeviceId
    signing_key: bytes
    """DK_sign, Ed25519: signs pre-keys and log-ins, never a call."""
    agreement_key: bytes
    """DK_dh, X25519: authenticates calls."""
    created: int
    expires: int
    kind: DeviceKind
    signature: bytes

    @classmethod
    def decode(cls, encoded: bytes) -> "Certificate":
        """Parse the fixed layout. Proves nothing yet: call `verify`. Raises MalformedError."""
        reader = Reader(encoded)
        if reader.u8() != _FORMAT:
            raise MalformedError("an unknown certificate format")
        account, device = AccountId(reader.take(32)), DeviceId(reader.take(16))
        signing_key, agreement_key = reader.take(32), reader.take(32)
        created, expires, kind = reader.u64(), reader.u64(), reader.enum(DeviceKind)
        signature = reader.take(SIGNATURE_BYTES)
        reader.finish()
        return cls(account, device, signing_key, agreement_key, created, expires, kind, signature)

    def to_be_signed(self) -> bytes:
        """Return bytes 0..129, what the account key signs."""
        return (
            u8(_FORMAT)
            + self.account
            + self.device
            + self.signing_key
            + self.agreement_key
            + u64(self.created)
            + u64(self.expires)
            + u8(self.kind)
        )

    def encode(self) -> bytes:
        """Return the 194 bytes; `decode` of them gives this certificate back."""
        return self.to_be_signed() + self.signature

    def digest(self) -> bytes:
        """Return SHA-256 of the encoded certificate, as the device list names it."""
        return sha256(self.encode()).digest()

    def verify(self, now: int) -> None:
        """Check signature and validity period at `now` (Unix seconds, ±300 s of clock error allowed).

        Raises:
            ForgedError: the signature does not hold.
            NotYetValidError: it is of the future.
            ExpiredError: its time is over.
            VerificationError: it claims no time, or more than a year.
        """
        verify(self.account, CERTIFICATE_LABEL, self.to_be_signed(), self.signature)
        if not 0 < self.expires - self.created <= MAX_CERTIFICATE_SECONDS:
            raise VerificationError("the certificate's validity period is not allowed")
        if now < self.created - MAX_CLOCK_ERROR_SECONDS:
            raise NotYetValidError("the certificate is not valid yet; check the clock")
        if now > self.expires + MAX_CLOCK_ERROR_SECONDS:
            raise ExpiredError("the certificate has expired")

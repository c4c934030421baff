"""Signed, versioned device lists: a server cannot add or hide a device unseen (spec/identity.md)."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from whisp.wire.encoding import Reader, u8, u32, u64
from whisp.wire.errors import ExpiredError, MalformedError, NotYetValidError, VerificationError
from whisp.wire.ids import AccountId, DeviceId
from whisp.wire.limits import MAX_ACTIVE_DEVICES, MAX_CLOCK_ERROR_SECONDS, MAX_REVOKED_DEVICES
from whisp.wire.signing import SIGNATURE_BYTES, verify

__all__ = [
    "DEVICE_LIST_LABEL",
    "FIRST_PREVIOUS",
    "MAX_DEVICE_LIST_BYTES",
    "MAX_DEVICE_LIST_SECONDS",
    "ActiveDevice",
    "DeviceList",
    "RevokedDevice",
]

DEVICE_LIST_LABEL: Final = "device-list"
FIRST_PREVIOUS: Final = bytes(32)
"""What version 1 carries where later versions carry the hash of the list before them."""

MAX_DEVICE_LIST_SECONDS: Final = 7 * 86_400
"""Lists live briefly: this bounds how long a lying server can hide a revocation."""

MAX_DEVICE_LIST_BYTES: Final = (
    1 + 32 + 4 + 32 + 16 + 1 + 48 * MAX_ACTIVE_DEVICES + 1 + 25 * MAX_REVOKED_DEVICES + SIGNATURE_BYTES
)
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ActiveDevice:
    """A device that may act for the account, and the SHA-256 of its certificate."""

    device: DeviceId
    certificate_digest: bytes


@dataclass(frozen=True, slots=True)
class RevokedDevice:
    """A tombstone: this device id never returns."""

    device: DeviceId
    revoked_at: int
    reason: int


@dataclass(frozen=True, slots=True)
class DeviceList:
    """All devices of an account, signed by its key. Version numbers start at 1 and rise by 1."""

    account: AccountId
    version: int
    previous_digest: bytes
    issued: int
    expires: int
    active: tuple[ActiveDevice, ...]
    revoked: tuple[RevokedDevice, ...]
    signature: bytes

    @classmethod
    def decode(cls, encoded: bytes) -> "DeviceList":
        """Parse the layout. Proves nothing yet: call `verify`. Raises MalformedError."""
        reader = Reader(encoded)
        if reader.u8() != _FORMAT:
            raise MalformedError("an unknown device list format")
        account, version, previous = AccountId(reader.take(32)), reader.u32(), reader.take(32)
        issued, expires = reader.u64(), reader.u64()
        active_count = reader.u8()
        if active_count > MAX_ACTIVE_DEVICES:
            raise MalformedError("too many devices")
        active = tuple(ActiveDevice(DeviceId(reader.take(16)), reader.take(32)) for _ in range(active_count))
        revoked_count = reader.u8()
        if revoked_count > MAX_REVOKED_DEVICES:
            raise MalformedError("too many revoked devices")
        revoked = tuple(
            RevokedDevice(DeviceId(reader.take(16)), reader.u64(), reader.u8()) for _ in range(revoked_count)
        )
        signature = reader.take(SIGNATURE_BYTES)
        reader.finish()
        named = [entry.device for entry in active] + [entry.device for entry in revoked]
        if version == 0 or len(set(named)) != len(named):
            raise MalformedError("a device list that names a device twice or has version 0")
        if (version == 1) != (previous == FIRST_PREVIOUS):
            raise MalformedError("only the first device list names no list before it")
        return cls(account, version, previous, issued, expires, active, revoked, signature)

    def to_be_signed(self) -> bytes:
        """Return everything before the signature, what the account key signs."""
        return b"".join(
            (
                u8(_FORMAT),
                self.account,
                u32(self.version),
                self.previous_digest,
                u64(self.issued),
                u64(self.expires),
                u8(len(self.active)),
                *(entry.device + entry.certificate_digest for entry in self.active),
                u8(len(self.revoked)),
                *(entry.device + u64(entry.revoked_at) + u8(entry.reason) for entry in self.revoked),
            )
        )

    def encode(self) -> bytes:
        """Return the bytes on the wire; `decode` of them gives this list back."""
        return self.to_be_signed() + self.signature

    def digest(self) -> bytes:
        """Return SHA-256 of the encoded list, as the next version names it."""
        return sha256(self.encode()).digest()

    def certificate_digest(self, device: DeviceId) -> bytes | None:
        """Return the digest of an active device's certificate, None for any other device."""
        return next((entry.certificate_digest for entry in self.active if entry.device == device), None)

    def verify(self, now: int) -> None:
        """Check signature and validity period at `now` (Unix seconds, ±300 s of clock error allowed).

        Versions are compared by whoever remembers them: `whisp.core.identity` and the server's store.

        Raises:
            ForgedError: the signature does not hold.
            NotYetValidError: it is of the future.
            ExpiredError: its time is over.
            VerificationError: it claims no time, or more than seven days.
        """
        verify(self.account, DEVICE_LIST_LABEL, self.to_be_signed(), self.signature)
        if not 0 < self.expires - self.issued <= MAX_DEVICE_LIST_SECONDS:
            raise VerificationError("the device list's validity period is not allowed")
        if now < self.issued - MAX_CLOCK_ERROR_SECONDS:
            raise NotYetValidError("the device list is not valid yet; check the clock")
        if now > self.expires + MAX_CLOCK_ERROR_SECONDS:
            raise ExpiredError("the device list has expired")

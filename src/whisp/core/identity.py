"""Who is who: account keys, device keys, and what one account remembers of another (spec/identity.md).

Three private keys, each for one purpose: AK signs certificates and device lists, DK_sign signs pre-keys and
log-ins, DK_dh authenticates calls by Diffie-Hellman and never signs.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import urandom
from typing import Final, NoReturn, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.errors import (
    ForkedDeviceListError,
    HandshakeError,
    HandshakeReason,
    SessionEndedError,
    StaleDeviceListError,
)
from whisp.core.key_schedule import is_equal
from whisp.wire.certificate import CERTIFICATE_LABEL, MAX_CERTIFICATE_SECONDS, Certificate, DeviceKind
from whisp.wire.device_list import (
    DEVICE_LIST_LABEL,
    FIRST_PREVIOUS,
    MAX_DEVICE_LIST_SECONDS,
    ActiveDevice,
    DeviceList,
    RevokedDevice,
)
from whisp.wire.encoding import Reader, u8
from whisp.wire.errors import (
    ExpiredError,
    LocalProtocolError,
    MalformedError,
    NotYetValidError,
    VerificationError,
)
from whisp.wire.ids import AccountId, DeviceId
from whisp.wire.limits import MAX_ACTIVE_DEVICES, MAX_CLOCK_ERROR_SECONDS, MAX_REVOKED_DEVICES
from whisp.wire.signing import sign
from whisp.wire.version import SUITE_BITMAP, VERSION_BITMAP

__all__ = [
    "LIST_RENEWAL_SECONDS",
    "AccountKey",
    "DeviceKeys",
    "DevicePublicKeys",
    "LocalDevice",
    "PeerIdentity",
    "PinnedAccount",
    "issue_certificate",
    "issue_device_list",
    "refusing",
    "renewal_due",
    "verify_device",
]

LIST_RENEWAL_SECONDS: Final = 3 * 86_400
"""A list with less time than this left is renewed: four days of grace for an account whose devices sleep."""

_EXPORT_FORMAT: Final = 1
_SEED_BYTES: Final = 32


class AccountKey:
    """AK: the account *is* this key. It signs certificates, lists and account erasure, never a call."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key: Ed25519PrivateKey | None = key
        self.public = AccountId(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh key from the system's random source."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of a 32-byte seed. Raises MalformedError for any other length."""
        if len(seed) != _SEED_BYTES:
            raise MalformedError("an account key's seed is 32 bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def seed(self) -> bytes:
        """Return the 32-byte secret seed, for the vault and for enrolment only."""
        return self._live().private_bytes_raw()

    def sign(self, label: str, message: bytes) -> bytes:
        """Return the 64-byte signature over T(label) ‖ message."""
        return sign(self._live(), label, message)

    def wipe(self) -> None:
        """Drop the key; every later use raises SessionEndedError. The library frees its own memory."""
        self._key = None

    def __repr__(self) -> str:
        return "AccountKey(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("an AccountKey is stored as its seed, in the vault only")

    def _live(self) -> Ed25519PrivateKey:
        if self._key is None:
            raise SessionEndedError("this AccountKey was wiped")
        return self._key


@dataclass(frozen=True, slots=True)
class DevicePublicKeys:
    """What a certificate says of a device: its id (16 bytes), DK_sign and DK_dh (32 public bytes each)."""

    device: DeviceId
    signing_key: bytes
    agreement_key: bytes


class DeviceKeys:
    """A device's id and its two private keys, DK_sign (Ed25519) and DK_dh (X25519)."""

    __slots__ = ("_agreement", "_signing", "public")

    def __init__(self, device: DeviceId, signing: Ed25519PrivateKey, agreement: X25519PrivateKey) -> None:
        self._signing: Ed25519PrivateKey | None = signing
        self._agreement: X25519PrivateKey | None = agreement
        self.public = DevicePublicKeys(
            device, signing.public_key().public_bytes_raw(), agreement.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> Self:
        """Return fresh keys and a fresh random device id."""
        return cls(DeviceId(urandom(16)), Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def restore(cls, exported: bytes) -> Self:
        """Return the keys that `export` wrote. Raises MalformedError."""
        reader = Reader(exported)
        if reader.u8() != _EXPORT_FORMAT:
            raise MalformedError("an unknown format of device keys")
        device, signing, agreement = (DeviceId(reader.take(16)), reader.take(32), reader.take(32))
        reader.finish()
        return cls(
            device,
            Ed25519PrivateKey.from_private_bytes(signing),
            X25519PrivateKey.from_private_bytes(agreement),
        )

    def export(self) -> bytes:
        """Return format u8 ‖ device id 16 ‖ DK_sign seed 32 ‖ DK_dh 32: secret, for the vault only."""
        return (
            u8(_EXPORT_FORMAT)
            + self.device
            + self._live_signing().private_bytes_raw()
            + self.agreement.private_bytes_raw()
        )

    @property
    def device(self) -> DeviceId:
        """The device id, 16 bytes."""
        return self.public.device

    @property
    def agreement(self) -> X25519PrivateKey:
        """DK_dh, for the handshake. Raises SessionEndedError after `wipe`."""
        if self._agreement is None:
            raise SessionEndedError("these DeviceKeys were wiped")
        return self._agreement

    def sign(self, label: str, message: bytes) -> bytes:
        """Return DK_sign's 64-byte signature over T(label) ‖ message."""
        return sign(self._live_signing(), label, message)

    def wipe(self) -> None:
        """Drop both keys; every later use raises SessionEndedError."""
        self._signing = self._agreement = None

    def __repr__(self) -> str:
        return "DeviceKeys(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("DeviceKeys are stored as their export, in the vault only")

    def _live_signing(self) -> Ed25519PrivateKey:
        if self._signing is None:
            raise SessionEndedError("these DeviceKeys were wiped")
        return self._signing


def issue_certificate(
    account_key: AccountKey,
    device: DevicePublicKeys,
    kind: DeviceKind,
    now: float,
    lifetime: int = MAX_CERTIFICATE_SECONDS,
) -> Certificate:
    """Return AK's certificate for a device, valid from `now` for `lifetime` seconds (a year at most).

    Raises:
        LocalProtocolError: the lifetime is not allowed.
    """
    if not 0 < lifetime <= MAX_CERTIFICATE_SECONDS:
        raise LocalProtocolError("a certificate lives for a year at most")
    unsigned = Certificate(
        account_key.public,
        device.device,
        device.signing_key,
        device.agreement_key,
        int(now),
        int(now) + lifetime,
        kind,
        b"",
    )
    return replace(unsigned, signature=account_key.sign(CERTIFICATE_LABEL, unsigned.to_be_signed()))


def issue_device_list(
    account_key: AccountKey,
    certificates: Iterable[Certificate],
    now: float,
    previous: DeviceList | None,
    revoke: Iterable[tuple[DeviceId, int]] = (),
) -> DeviceList:
    """Return the next device list, signed: `certificates` are active, `revoke` (id, reason) joins the dead.

    A tombstone falls away when no certificate of its device can still be valid; of more than 64, the oldest
    go first, since a device that is not active is refused with or without one.

    Raises:
        LocalProtocolError: an active device left without being revoked, a revoked one came back, one is named
            twice, there are more than 16, or a certificate or the previous list is another account's.
    """
    vouched = tuple(certificates)
    active = tuple(ActiveDevice(certificate.device, certificate.digest()) for certificate in vouched)
    fresh = tuple(RevokedDevice(device, int(now), reason) for device, reason in revoke)
    before = previous.revoked if previous else ()
    kept = tuple(
        tombstone
        for tombstone in before
        if now <= tombstone.revoked_at + MAX_CERTIFICATE_SECONDS + MAX_CLOCK_ERROR_SECONDS
    )
    named = [entry.device for entry in active] + [entry.device for entry in (*before, *fresh)]
    if len(set(named)) != len(named):
        raise LocalProtocolError("a device is named twice, or came back after its revocation")
    if previous and not {entry.device for entry in previous.active} <= set(named):
        raise LocalProtocolError("a device leaves the list only by revocation")
    if len(active) > MAX_ACTIVE_DEVICES:
        raise LocalProtocolError(f"an account has at most {MAX_ACTIVE_DEVICES} devices")
    owners = {certificate.account for certificate in vouched} | ({previous.account} if previous else set())
    if owners - {account_key.public}:
        raise LocalProtocolError("a certificate or list of another account")
    unsigned = DeviceList(
        account_key.public,
        previous.version + 1 if previous else 1,
        previous.digest() if previous else FIRST_PREVIOUS,
        int(now),
        int(now) + MAX_DEVICE_LIST_SECONDS,
        active,
        (*kept, *fresh)[-MAX_REVOKED_DEVICES:],
        b"",
    )
    return replace(unsigned, signature=account_key.sign(DEVICE_LIST_LABEL, unsigned.to_be_signed()))


def renewal_due(device_list: DeviceList, now: float) -> bool:
    """Say whether a device that holds AK should issue the next version of its own list now."""
    return device_list.expires - now < LIST_RENEWAL_SECONDS


@dataclass(frozen=True, slots=True)
class PinnedAccount:
    """What is remembered of an account: its key, and the highest device list seen of it.

    It must outlive restarts, or a server could bring a revoked device back (spec/identity.md, Pinning).
    """

    account: AccountId
    version: int
    digest: bytes
    """SHA-256 of the whole list of that version."""

    @classmethod
    def first_contact(cls, device_list: DeviceList, now: float) -> "PinnedAccount":
        """Pin the account of a list that is valid at `now`. Raises what `accept` raises."""
        return cls(device_list.account, 0, FIRST_PREVIOUS).accept(device_list, now)

    def accept(self, device_list: DeviceList, now: float) -> "PinnedAccount":
        """Return the memory after seeing `device_list`; `self` is returned when it says nothing new.

        Raises:
            HandshakeError: another account's list (`wrong-account`), a forged one, or one of the future.
            ForkedDeviceListError: it contradicts what was seen before; both sides of it are in the error.
            StaleDeviceListError: it is older than what was seen before, or has expired.
        """
        if not is_equal(device_list.account, self.account):
            raise HandshakeError(HandshakeReason.WRONG_ACCOUNT, "a device list of another account")
        expired = False
        with refusing(HandshakeReason.LIST_FORGED):
            try:
                device_list.verify(int(now))
            except ExpiredError:
                expired = True  # a fork is evidence even when it has expired, so it is looked for first
        digest = device_list.digest()
        if device_list.version == self.version and not is_equal(digest, self.digest):
            raise ForkedDeviceListError(self.version, self.digest, device_list)
        if device_list.version == self.version + 1 and not is_equal(device_list.previous_digest, self.digest):
            raise ForkedDeviceListError(self.version, self.digest, device_list)
        if device_list.version < self.version:
            raise StaleDeviceListError(
                f"device list {device_list.version} came after list {self.version} was seen"
            )
        if expired:
            raise StaleDeviceListError("the device list has expired")
        return (
            self
            if device_list.version == self.version
            else replace(self, version=device_list.version, digest=digest)
        )


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """The device at the other end, as far as it has been verified, and what to remember of its account."""

    certificate: Certificate
    device_list: DeviceList
    pinned: PinnedAccount
    """Store it: it includes the list of this handshake."""

    @property
    def account(self) -> AccountId:
        """The peer's account key."""
        return self.certificate.account

    @property
    def device(self) -> DeviceId:
        """The peer's device id."""
        return self.certificate.device


@dataclass(frozen=True, slots=True)
class LocalDevice:
    """Everything a handshake needs of our own side.

    `versions` and `suites` are bitmaps of what this side speaks; only tests have reason to change them.

    Raises:
        LocalProtocolError: certificate, device list and keys are not of one device.
    """

    certificate: Certificate
    device_list: DeviceList
    keys: DeviceKeys
    versions: int = VERSION_BITMAP
    suites: int = SUITE_BITMAP

    def __post_init__(self) -> None:
        certificate, public = self.certificate, self.keys.public
        if (
            certificate.device != public.device
            or certificate.signing_key != public.signing_key
            or certificate.agreement_key != public.agreement_key
        ):
            raise LocalProtocolError("the certificate is not of these device keys")
        if (
            self.device_list.account != certificate.account
            or self.device_list.certificate_digest(certificate.device) != certificate.digest()
        ):
            raise LocalProtocolError("the device list does not name this certificate")

    @property
    def account(self) -> AccountId:
        """Our own account key."""
        return self.certificate.account

    @property
    def device(self) -> DeviceId:
        """Our own device id."""
        return self.certificate.device


def verify_device(
    certificate: Certificate, device_list: DeviceList, pinned: PinnedAccount | None, now: float
) -> PinnedAccount:
    """Check that a device may act for its account at `now`, and return what to remember of the account.

    In this order: the account is the pinned one, the list by the rules of `PinnedAccount.accept`, the
    device is active, its certificate is the one listed, and the certificate is valid.

    Raises:
        HandshakeError: with the reason of the first check that failed.
    """
    memory = pinned or PinnedAccount(device_list.account, 0, FIRST_PREVIOUS)
    if not is_equal(certificate.account, memory.account):
        raise HandshakeError(HandshakeReason.WRONG_ACCOUNT, "a certificate of another account")
    memory = memory.accept(device_list, now)
    listed = device_list.certificate_digest(certificate.device)
    if listed is None:
        raise HandshakeError(HandshakeReason.DEVICE_NOT_LISTED, "the device list does not name this device")
    if not is_equal(listed, certificate.digest()):
        raise HandshakeError(
            HandshakeReason.CERTIFICATE_MISMATCH, "the device list names another certificate for this device"
        )
    with refusing(HandshakeReason.CERTIFICATE_FORGED, HandshakeReason.CERTIFICATE_EXPIRED):
        certificate.verify(int(now))
    return memory


@contextmanager
def refusing(forged: HandshakeReason, expired: HandshakeReason | None = None) -> Iterator[None]:
    """Give a failed verification inside its reason: `forged`, `expired`, or `clock` for the future's."""
    try:
        yield
    except NotYetValidError as error:
        raise HandshakeError(HandshakeReason.CLOCK, str(error)) from None
    except ExpiredError as error:
        if expired is None:
            raise
        raise HandshakeError(expired, str(error)) from None
    except (VerificationError, MalformedError) as error:
        raise HandshakeError(forged, str(error)) from None

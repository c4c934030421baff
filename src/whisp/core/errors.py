"""What goes wrong in the core, on top of `whisp.wire.errors` (spec/errors.md).

LocalProtocolError
├── ConsumedStateError        a handshake state was used after it gave way to the next one
└── SessionEndedError         a session, ratchet or key was used after its end
RemoteProtocolError
├── HandshakeError            a check of the handshake failed; `reason` names which
│   ├── StaleDeviceListError      an expired or older device list
│   ├── ForkedDeviceListError     two lists that cannot both be honest, kept as evidence
│   └── AccountKeyChangedError    a known name came with another account key
├── DecryptionError           a message did not open; it changed nothing
│   └── MessageKeyGoneError       its keys were used or are too old: a duplicate or a straggler
└── RatchetEndedError         a rule of the ratchet was broken past repair; `reason` names which
"""

from enum import StrEnum

from whisp.wire.device_list import DeviceList
from whisp.wire.errors import LocalProtocolError, RemoteProtocolError
from whisp.wire.ids import AccountId

__all__ = [
    "AccountKeyChangedError",
    "ConsumedStateError",
    "DecryptionError",
    "ForkedDeviceListError",
    "HandshakeError",
    "HandshakeReason",
    "MessageKeyGoneError",
    "RatchetEnd",
    "RatchetEndedError",
    "SessionEndedError",
    "StaleDeviceListError",
]


class HandshakeReason(StrEnum):
    """Why a handshake message or a bundle was refused. For our own side only: a peer is never told."""

    MALFORMED = "malformed"
    WRONG_CALL = "wrong-call"
    """The message belongs to another call."""
    WRONG_DEVICE = "wrong-device"
    """The message is for, or from, another device."""
    WRONG_ACCOUNT = "wrong-account"
    """The account key is not the one that was asked for."""
    ACCOUNT_CHANGED = "account-changed"
    """The name is known under another account key."""
    CLOCK = "clock"
    """Something lies in the future, or the peer's clock is more than 300 s away from ours."""
    CERTIFICATE_FORGED = "certificate-forged"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_MISMATCH = "certificate-mismatch"
    """The device list names another certificate for this device."""
    LIST_FORGED = "list-forged"
    LIST_STALE = "list-stale"
    """The device list has expired, or an older one than was seen before came."""
    LIST_FORKED = "list-forked"
    DEVICE_NOT_LISTED = "device-not-listed"
    PRE_KEY_FORGED = "pre-key-forged"
    PRE_KEY_EXPIRED = "pre-key-expired"
    PRE_KEY_UNKNOWN = "pre-key-unknown"
    """A record this device never made, or whose time is over."""
    PRE_KEY_USED = "pre-key-used"
    REPLAYED = "replayed"
    DOWNGRADE = "downgrade"
    """Another version or suite than the highest that both sides know."""
    BAD_KEY = "bad-key"
    """A public key that no honest side makes: a small-order point or an invalid KEM key."""
    NOT_AUTHENTIC = "not-authentic"
    """A sealed field does not open, or a MAC does not hold: forged, altered or of another handshake."""
    FINGERPRINT = "fingerprint"
    """The transport's fingerprint is not the one the transcript binds."""


class HandshakeError(RemoteProtocolError):
    """A check of the handshake failed. No state changed; `reason` names the check."""

    def __init__(self, reason: HandshakeReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StaleDeviceListError(HandshakeError):
    """A device list has expired, or is older than one seen before."""

    def __init__(self, message: str) -> None:
        super().__init__(HandshakeReason.LIST_STALE, message)


class ForkedDeviceListError(HandshakeError):
    """Two signed device lists contradict each other: someone shows different lists to different people.

    `known_version` and `known_digest` are what was remembered, `presented` is the list that contradicts it.
    """

    def __init__(self, known_version: int, known_digest: bytes, presented: DeviceList) -> None:
        super().__init__(
            HandshakeReason.LIST_FORKED,
            f"device list {presented.version} contradicts list {known_version}, seen before",
        )
        self.known_version = known_version
        self.known_digest = known_digest
        self.presented = presented


class AccountKeyChangedError(HandshakeError):
    """A known name came with another account key: a new identity, or someone in between."""

    def __init__(self, known: AccountId, presented: AccountId) -> None:
        super().__init__(HandshakeReason.ACCOUNT_CHANGED, "this name now has another account key")
        self.known = known
        self.presented = presented


class ConsumedStateError(LocalProtocolError):
    """A handshake state was used again after it had given way to the next one."""


class SessionEndedError(LocalProtocolError):
    """A session, or a secret of it, was used after it had ended and was wiped."""


class DecryptionError(RemoteProtocolError):
    """A message did not open. It changed nothing, and the peer is not told why."""


class MessageKeyGoneError(DecryptionError):
    """A message's keys are gone: it was read before, or came too late. No failure: networks do this."""

    def __init__(self) -> None:
        super().__init__("the keys of this message are gone")


class RatchetEnd(StrEnum):
    """Why a ratchet ended itself. For our own side only: a peer is never told."""

    PROTOCOL = "protocol"
    """An authentic message broke the order of the post-quantum exchange."""
    PQ_STALLED = "pq-stalled"
    """Messages arrive, but none that would renew the post-quantum keys."""
    TAMPERED = "tampered"
    """Too many frames did not open."""
    EXHAUSTED = "exhausted"
    """A counter or the epoch ran out."""


class RatchetEndedError(RemoteProtocolError):
    """The ratchet ended and wiped itself; the session cannot go on. `reason` names why."""

    def __init__(self, reason: RatchetEnd) -> None:
        super().__init__(f"the ratchet ended: {reason}")
        self.reason = reason

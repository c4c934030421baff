"""Everything the SDK raises. `str()` of each is a sentence fit to show a person.

WhispError
├── ClientError
│   ├── NotFoundError             the one answer to every refused look-up
│   ├── CallError                 a ring that led to no conversation
│   │   ├── DeclinedError
│   │   ├── BusyError
│   │   ├── NoAnswerError
│   │   └── RingOverError         accepting a ring that is already over
│   ├── IdentityError             a check of keys failed; nothing was sent
│   │   ├── KeyChangedError       the account behind a name is not the one you know
│   │   ├── RefusedIdentityError  the server showed keys, lists or signatures that do not hold
│   │   └── RevokedError          this device, or the peer's, is no longer in its account's list
│   ├── AccountError
│   │   ├── UnauthorizedError
│   │   ├── UsernameTakenError
│   │   ├── InvalidUsernameError
│   │   ├── NotRegisteredError    this vault holds no account yet
│   │   └── AlreadyRegisteredError
│   ├── TransportError            the network or the server, not the peer
│   │   ├── ServerUnreachableError
│   │   ├── ServerFaultError      the server answered what no server should
│   │   ├── VersionMismatchError
│   │   ├── ClockError            this clock and the server's are too far apart
│   │   ├── ReplacedError         a newer connection of this device took over
│   │   └── RateLimitedError      carries retry_after, seconds
│   ├── VaultError
│   │   ├── WrongPassphraseError
│   │   ├── DamagedVaultError
│   │   ├── VaultExistsError
│   │   ├── VaultInUseError
│   │   └── VaultMissingError
│   ├── FileTransferError
│   ├── LockedError               the client was locked, or panicked; open it again
│   └── ConversationEndedError    carries the reason
└── LocalProtocolError, RemoteProtocolError (whisp.wire.errors)
"""

from enum import StrEnum
from typing import ClassVar

from whisp.wire.errors import WhispError

__all__ = [
    "AccountError",
    "AlreadyRegisteredError",
    "BusyError",
    "CallError",
    "ClientError",
    "ClockError",
    "ConversationEndedError",
    "DamagedVaultError",
    "DeclinedError",
    "EndReason",
    "FileFault",
    "FileTransferError",
    "IdentityError",
    "InvalidUsernameError",
    "KeyChangedError",
    "LockedError",
    "NoAnswerError",
    "NotFoundError",
    "NotRegisteredError",
    "RateLimitedError",
    "RefusedIdentityError",
    "ReplacedError",
    "RevokedError",
    "RingEnd",
    "RingOverError",
    "ServerFaultError",
    "ServerUnreachableError",
    "TransportError",
    "UnauthorizedError",
    "UsernameTakenError",
    "VaultError",
    "VaultExistsError",
    "VaultInUseError",
    "VaultMissingError",
    "VersionMismatchError",
    "WrongPassphraseError",
]


class EndReason(StrEnum):
    """Why a conversation is over."""

    HUNG_UP = "hung_up"
    """This side hung up."""
    PEER_HUNG_UP = "peer_hung_up"
    PEER_LOCKED = "peer_locked"
    """The other side locked, panicked or timed out."""
    LOST = "lost"
    """No sign of life for 60 seconds."""
    LOCKED = "locked"
    """This client was locked, or panicked."""
    REVOKED = "revoked"
    """A device in the call was removed from its account."""
    TAMPERED = "tampered"
    """Too many frames that were not the peer's, or another certificate on the line than the call's."""
    FORKED = "forked"
    """The server shows different people different device lists."""
    PROTOCOL = "protocol"
    """The peer broke the protocol."""
    STALLED = "stalled"
    """Fresh keys did not come through for too long."""


class RingEnd(StrEnum):
    """Why a ring is over."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The caller stopped."""
    ELSEWHERE = "elsewhere"
    """Another of your devices answered."""
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    """The caller never proved to be live, or the line went."""


class FileFault(StrEnum):
    """Why a file did not arrive whole."""

    DECLINED = "declined"
    CANCELLED = "cancelled"
    """By this side."""
    PEER_CANCELLED = "peer_cancelled"
    DISK_FULL = "disk_full"
    UNREADABLE = "unreadable"
    """The source failed, or its size changed while it was sent."""
    UNWRITABLE = "unwritable"
    DAMAGED = "damaged"
    """A chunk was missing, doubled, forged or out of place; what had arrived was deleted."""
    ENDED = "ended"
    """The conversation ended first."""


class ClientError(WhispError):
    """The base of everything the SDK raises by itself."""

    sentence: ClassVar[str] = "Something went wrong."

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.sentence)


class NotFoundError(ClientError):
    """No such name, offline, or not reachable for you: the server does not say which."""

    sentence = "User not found or offline."


class CallError(ClientError):
    """A ring that led to no conversation."""

    sentence = "The call did not come about."


class DeclinedError(CallError):
    """The person said no."""

    sentence = "The call was declined."


class BusyError(CallError):
    """The person is in another call."""

    sentence = "They are in another call."


class NoAnswerError(CallError):
    """Nobody answered in time."""

    sentence = "No answer."


class RingOverError(CallError):
    """The ring was over before it was accepted or declined; `reason` says how."""

    sentence = "That call is already over."

    def __init__(self, reason: RingEnd) -> None:
        super().__init__()
        self.reason = reason


class IdentityError(ClientError):
    """A check of keys failed; nothing was sent."""

    sentence = "The other side could not be identified. Nothing was sent."


class KeyChangedError(IdentityError):
    """The account key behind `username` is not the one you know.

    The verified mark is gone. `Client.accept_new_key` goes on with the new key.
    """

    def __init__(self, username: str) -> None:
        super().__init__(
            f"The key of {username} has changed. This can be a new account, or someone in between. "
            "Compare safety numbers before you go on."
        )
        self.username = username


class RefusedIdentityError(IdentityError):
    """The server showed keys, certificates, lists or signatures that do not hold; `detail` names which."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"An identity check failed: {detail}. Nothing was sent.")
        self.detail = detail


class RevokedError(IdentityError):
    """A device is no longer in its account's signed list."""

    sentence = "This device has been removed from the account."


class AccountError(ClientError):
    """Something about the own account."""

    sentence = "The account cannot do that."


class UnauthorizedError(AccountError):
    """The server does not know this device, or no longer."""

    sentence = "The server does not accept this device."


class UsernameTakenError(AccountError):
    """Someone has this name, had it, or nobody may."""

    sentence = "That username is not available."


class InvalidUsernameError(AccountError):
    """Not a legal username."""

    sentence = "Use 3 to 32 of a to z, 0 to 9 and hyphen."


class NotRegisteredError(AccountError):
    """The vault holds no account; call `Client.register` first."""

    sentence = "There is no account on this device yet."


class AlreadyRegisteredError(AccountError):
    """The vault already holds an account."""

    sentence = "This device already has an account."


class TransportError(ClientError):
    """The network or the server failed, not the peer."""

    sentence = "The connection failed."


class ServerUnreachableError(TransportError):
    """No connection to the server."""

    sentence = "The server cannot be reached."


class ServerFaultError(TransportError):
    """The server answered what no server of this protocol should."""

    sentence = "The server answered something unexpected."


class VersionMismatchError(TransportError):
    """Client and server speak different major versions of the protocol."""

    sentence = "The server speaks another version of the protocol. Update Whisp."


class ClockError(TransportError):
    """This clock and the server's are too far apart for anything signed to hold; `seconds` it is ahead."""

    def __init__(self, seconds: float) -> None:
        minutes = abs(seconds) / 60
        unit, size = next(
            (unit, size) for unit, size in _CLOCK_UNITS if minutes >= 2 * size or unit == "minutes"
        )
        side = "ahead of" if seconds > 0 else "behind"
        super().__init__(
            f"This device's clock is {round(minutes / size)} {unit} {side} the server's. "
            "Check the clock, then start Whisp again."
        )
        self.seconds = seconds


class ReplacedError(TransportError):
    """A newer connection of this device took over; this one stays down until `Client.login`."""

    sentence = "This account was opened somewhere else with the same device."


class RateLimitedError(TransportError):
    """Too many requests; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"Too many requests. Try again in {max(1, round(retry_after))} seconds.")
        self.retry_after = retry_after


class VaultError(ClientError):
    """The vault cannot be opened or saved."""

    sentence = "The vault cannot be used."


class WrongPassphraseError(VaultError):
    """The passphrase does not open the vault (or its sealed part was altered: the two look the same)."""

    sentence = "That passphrase does not open the vault."


class DamagedVaultError(VaultError):
    """The file is not a whole vault; no passphrase would open it."""

    sentence = "The vault file is damaged."


class VaultExistsError(VaultError):
    """A vault is already there and is never overwritten."""

    sentence = "There is already a vault at this place."


class VaultInUseError(VaultError):
    """Another process has this vault open."""

    sentence = "Whisp already runs with this vault."


class VaultMissingError(VaultError):
    """There is no vault at this place."""

    sentence = "There is no vault at this place."


class FileTransferError(ClientError):
    """A file did not arrive whole; nothing of it was kept."""

    def __init__(self, fault: FileFault, message: str = "") -> None:
        super().__init__(message or _FILE_SENTENCES[fault])
        self.fault = fault


class LockedError(ClientError):
    """The client was locked or panicked: its keys are gone from memory. Open the vault again."""

    sentence = "Whisp is locked."


class ConversationEndedError(ClientError):
    """The conversation is over; `reason` says how."""

    sentence = "The conversation is over."

    def __init__(self, reason: EndReason) -> None:
        super().__init__()
        self.reason = reason


_CLOCK_UNITS = (("days", 1440), ("hours", 60), ("minutes", 1))

_FILE_SENTENCES = {
    FileFault.DECLINED: "The file was declined.",
    FileFault.CANCELLED: "The transfer was cancelled.",
    FileFault.PEER_CANCELLED: "The other side cancelled the transfer.",
    FileFault.DISK_FULL: "The disk is full. What had arrived was deleted.",
    FileFault.UNREADABLE: "The file could not be read to its end.",
    FileFault.UNWRITABLE: "The file could not be saved.",
    FileFault.DAMAGED: "The file arrived damaged and was deleted.",
    FileFault.ENDED: "The conversation ended before the file was through.",
}

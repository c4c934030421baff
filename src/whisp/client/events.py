"""What happens, as values: the events of a conversation and those of a client.

A conversation yields `ConversationEvent`s in the sender's order; `Ended` is always the last.
`Client.events()` yields `ClientEvent`s.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from whisp.client.errors import EndReason, FileFault
from whisp.client.people import Member
from whisp.wire.ids import Username

if TYPE_CHECKING:
    from whisp.client.conversation import DirectRequest
    from whisp.client.files import IncomingFile

__all__ = [
    "ClientEvent",
    "ClientLocked",
    "ConnectionChanged",
    "ConnectionState",
    "ConversationEvent",
    "Delivered",
    "DirectRequested",
    "Ended",
    "FileCancelled",
    "FileCompleted",
    "FileOffered",
    "FileProgress",
    "Gap",
    "KeyChanged",
    "Line",
    "LineChanged",
    "Quote",
    "Reacted",
    "Read",
    "SentMessage",
    "ServerWarned",
    "ServerWarning",
    "TextDeleted",
    "TextEdited",
    "TextReceived",
    "Typing",
    "Undelivered",
]


class Line(StrEnum):
    """How frames travel now."""

    RELAYED = "relayed"
    """Through the server; the peer does not learn this address."""
    DIRECT = "direct"
    """Straight to the peer, which then knows this address."""
    HELD = "held"
    """Down; the call is kept for up to 60 s and what is sent waits."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Quote:
    """A message said earlier in this conversation, as seen from this side."""

    is_own: bool
    id: int


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A text on its way. `Delivered` and `Read` name it by `id`."""

    id: int
    text: str
    at: float
    """Unix seconds on this device."""
    reply_to: "Quote | None" = None


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A text, decrypted and in order. `id` is the sender's number for it; pass it to `mark_read`."""

    id: int
    sender: Member
    text: str
    at: float
    """When it arrived here, Unix seconds."""
    reply_to: Quote | None = None


@dataclass(frozen=True, slots=True)
class TextEdited:
    """The peer's text `id` says `text` from now on. Told only of a text that came and was not deleted."""

    id: int
    sender: Member
    text: str
    at: float
    """When the edit arrived here, Unix seconds."""


@dataclass(frozen=True, slots=True)
class TextDeleted:
    """The peer deleted its text `id`: show and keep it no more."""

    id: int
    sender: Member


@dataclass(frozen=True, slots=True)
class Reacted:
    """The peer reacts to a text, its own or ours, in place of its reaction before."""

    to: Quote
    sender: Member
    symbol: str
    """Up to 32 bytes without characters that act or hide; empty takes the reaction back."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The peer decrypted our messages `first` to `id`."""

    id: int
    first: int


@dataclass(frozen=True, slots=True)
class Read:
    """The peer's person saw our messages `first` to `id`. `Delivered` for them came before."""

    id: int
    first: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The peer gave up on our messages `first` to `id`: they never reached it. Say them again."""

    id: int
    first: int


@dataclass(frozen=True, slots=True)
class Typing:
    """Someone began or stopped typing."""

    member: Member
    active: bool


@dataclass(frozen=True, slots=True)
class FileOffered:
    """A file is on offer; nothing of it moves until `file.accept`."""

    file: "IncomingFile"


@dataclass(frozen=True, slots=True)
class FileProgress:
    """So much of a file has moved, in or out. At most ten a second for one file."""

    file_id: bytes
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class FileCompleted:
    """A file arrived whole. `path` is where it was saved, None for a sink or an outgoing file."""

    file_id: bytes
    path: Path | None


@dataclass(frozen=True, slots=True)
class FileCancelled:
    """A file will not arrive; nothing of it was kept."""

    file_id: bytes
    reason: FileFault


@dataclass(frozen=True, slots=True)
class Gap:
    """`count` messages of the peer were lost for good at this place."""

    count: int


@dataclass(frozen=True, slots=True)
class LineChanged:
    """Frames travel another way now. `held_until` (Unix seconds) is set while the line is HELD."""

    line: Line
    held_until: float | None = None


@dataclass(frozen=True, slots=True)
class DirectRequested:
    """The peer asks for a direct line, which shows each side the other's address."""

    request: "DirectRequest"


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation is over and its keys are wiped. `lost` messages of the peer never arrived."""

    reason: EndReason
    lost: int


ConversationEvent: TypeAlias = (
    TextReceived
    | TextEdited
    | TextDeleted
    | Reacted
    | Delivered
    | Read
    | Undelivered
    | Typing
    | FileOffered
    | FileProgress
    | FileCompleted
    | FileCancelled
    | Gap
    | LineChanged
    | DirectRequested
    | Ended
)


class ConnectionState(StrEnum):
    """The socket to the server."""

    OFFLINE = "offline"
    """Not wanted, or given up for the reason in `ConnectionChanged`."""
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    """Between two attempts."""


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The socket's state changed. `reason` is a sentence, `retry_at` Unix seconds while WAITING."""

    state: ConnectionState
    reason: str | None = None
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """A known name came with a new account key. It was refused, and its verified mark removed."""

    username: Username


class ServerWarning(StrEnum):
    """What the server did that an honest one would not."""

    UNSIGNED_DEVICE_LIST = "unsigned_device_list"
    """It shows a list for this account that this account did not sign."""
    FORKED_DEVICE_LIST = "forked_device_list"
    """It shows two different lists of one version."""
    STALE_DEVICE_LIST = "stale_device_list"
    """It shows a list older than one already seen, which can hide a removed device."""
    BAD_PRE_KEYS = "bad_pre_keys"
    """It shows keys whose signatures do not hold."""
    OTHER_NAME = "other_name"
    """It shows a known account under another name."""


@dataclass(frozen=True, slots=True)
class ServerWarned:
    """The server was caught. `about` is the name concerned, `sentence` is fit to show."""

    warning: ServerWarning
    about: Username
    sentence: str


@dataclass(frozen=True, slots=True)
class ClientLocked:
    """The client locked itself after the time set by `lock_after`, or was locked."""


ClientEvent: TypeAlias = ConnectionChanged | KeyChanged | ServerWarned | ClientLocked

"""What the controller tells the app: typed messages, the only way news from the SDK reaches a screen."""

from dataclasses import dataclass

from textual.message import Message

from whisp.client.errors import EndReason, RingEnd
from whisp.client.events import ConversationEvent, SentMessage
from whisp.client.ring import Ring

__all__ = [
    "CallBegan",
    "CallEnded",
    "CallFailed",
    "CallNews",
    "ConnectionNews",
    "FaultFound",
    "FileNews",
    "Locked",
    "OpenFailed",
    "Opened",
    "RingArrived",
    "RingOver",
    "SendFailed",
    "Sent",
    "Summary",
]


@dataclass(frozen=True, slots=True)
class Summary:
    """How a call ended, for the screen that tells it. No content."""

    name: str
    reason: EndReason
    seconds: float
    lost: int


@dataclass
class Opened(Message):
    """The account is open and going online."""

    username: str
    is_new: bool


@dataclass
class OpenFailed(Message):
    """Opening, or making, the account failed."""

    error: Exception


@dataclass
class ConnectionNews(Message):
    """How the connection to the server is; the sentence is empty while all is well."""

    is_online: bool
    sentence: str


@dataclass
class RingArrived(Message):
    """Someone is calling."""

    ring: Ring


@dataclass
class RingOver(Message):
    """An incoming ring ended without this device answering it."""

    ring: Ring
    end: RingEnd


@dataclass
class CallFailed(Message):
    """A ring, ours or theirs, led to no conversation."""

    name: str
    error: Exception


@dataclass
class CallBegan(Message):
    """A conversation lives."""

    name: str


@dataclass
class CallNews(Message):
    """Something happened in the conversation."""

    event: ConversationEvent


@dataclass
class Sent(Message):
    """Our text `place` (its index in the transcript) is encrypted and queued."""

    place: int
    sent: SentMessage
    is_waiting: bool
    """The line is down, so it waits in memory."""


@dataclass
class SendFailed(Message):
    """Our text `place` did not go out."""

    place: int
    error: Exception


@dataclass
class FileNews(Message):
    """An outgoing file is on offer, or, with an error, something about a file could not be done."""

    file_id: bytes
    name: str
    size: int
    error: Exception | None = None


@dataclass
class CallEnded(Message):
    """The conversation is over and wiped."""

    summary: Summary


@dataclass
class Locked(Message):
    """The client locked itself."""


@dataclass
class FaultFound(Message):
    """A bug: something raised what nothing should."""

    error: Exception

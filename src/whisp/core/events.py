"""What a session reports, as values in the order things happened (spec/session.md, Events)."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from whisp.core.content import ByeReason, Content
from whisp.wire.ids import AccountId, DeviceId

__all__ = [
    "ContentReceived",
    "ContentRefused",
    "Delivered",
    "EndReason",
    "Ended",
    "Event",
    "Gap",
    "ListReported",
    "Member",
    "PeerLeft",
    "Read",
    "ResendFrames",
    "Undelivered",
    "UnknownContent",
]


@dataclass(frozen=True, slots=True)
class Member:
    """One device of one account in a session."""

    account: AccountId
    device: DeviceId


class EndReason(StrEnum):
    """Why a session is over."""

    HUNG_UP = "hung-up"
    """This side left."""
    PEER_LEFT = "peer-left"
    """The peer said goodbye."""
    LOST = "lost"
    """No authentic message for 60 s."""
    TAMPERED = "tampered"
    """100 frames did not authenticate: someone on the way alters or injects."""
    PROTOCOL = "protocol"
    """The peer, authentic, breaks the protocol."""
    PQ_STALLED = "pq-stalled"
    """Post-quantum rekeying makes no progress while messages arrive: someone drops the large frames."""
    EXHAUSTED = "exhausted"
    """A counter reached its end."""
    REVOKED = "revoked"
    """One of the two devices is no longer on its account's list."""
    FORKED = "forked"
    """Two contradicting device lists are shown for one account."""
    WIPED = "wiped"
    """Locked, or wiped by panic."""


@dataclass(frozen=True, slots=True)
class ContentReceived:
    """A content for the layer above. Counted ones come in the sender's order; `number` is 0 for others."""

    sender: Member
    number: int
    content: Content


@dataclass(frozen=True, slots=True)
class UnknownContent:
    """A content of a type this version does not know: the peer is newer. Skipped."""

    sender: Member
    number: int
    kind: int


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """A counted content that authenticated but does not decode: the peer's fault. It fills its place."""

    sender: Member
    number: int


@dataclass(frozen=True, slots=True)
class Gap:
    """`count` contents from number `first` on are lost for good; asking again did not bring them."""

    sender: Member
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """The peer decrypted our contents `first` to `up_to`, all of them, and has them in order."""

    sender: Member
    first: int
    up_to: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The peer gave up on our contents `first` to `last`: they never reached it."""

    sender: Member
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Read:
    """The peer's person saw our contents `first` to `up_to`. Delivered for them came before."""

    sender: Member
    first: int
    up_to: int


@dataclass(frozen=True, slots=True)
class ListReported:
    """The version and SHA-256 the peer holds of *our* device list: compare them with the real one."""

    sender: Member
    version: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class ResendFrames:
    """Send these frames now, as they are: the peer asked for them."""

    frames: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """The peer said goodbye; `lost` of its last contents never arrived. `Ended` follows."""

    sender: Member
    reason: ByeReason
    lost: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over and wiped; always the last event."""

    reason: EndReason


Event: TypeAlias = (
    ContentReceived
    | UnknownContent
    | ContentRefused
    | Gap
    | Delivered
    | Undelivered
    | Read
    | ListReported
    | ResendFrames
    | PeerLeft
    | Ended
)

"""Around a conversation: what it needs of its client, and why it can end."""

from typing import TYPE_CHECKING, Final, Protocol

from whisp.client.clock import Clock
from whisp.client.errors import EndReason
from whisp.client.people import Member
from whisp.core import content as said
from whisp.core import events as core
from whisp.core.errors import HandshakeError
from whisp.core.session import HeldList
from whisp.wire import api
from whisp.wire.device_list import DeviceList

if TYPE_CHECKING:
    from whisp.client.conversation import Conversation

__all__ = ["BYES", "REASONS", "ConversationHost", "take_peer_list"]

REASONS: Final = {
    core.EndReason.HUNG_UP: EndReason.HUNG_UP,
    core.EndReason.PEER_LEFT: EndReason.PEER_HUNG_UP,
    core.EndReason.LOST: EndReason.LOST,
    core.EndReason.TAMPERED: EndReason.TAMPERED,
    core.EndReason.PROTOCOL: EndReason.PROTOCOL,
    core.EndReason.PQ_STALLED: EndReason.STALLED,
    core.EndReason.EXHAUSTED: EndReason.STALLED,
    core.EndReason.REVOKED: EndReason.REVOKED,
    core.EndReason.FORKED: EndReason.FORKED,
    core.EndReason.WIPED: EndReason.LOCKED,
}
BYES: Final = {
    said.ByeReason.LOCKED: EndReason.PEER_LOCKED,
    said.ByeReason.IDLE: EndReason.PEER_LOCKED,
    said.ByeReason.REVOKED: EndReason.REVOKED,
    said.ByeReason.PROTOCOL: EndReason.PROTOCOL,
}


class ConversationHost(Protocol):
    """What a conversation needs of its client."""

    receipts: bool
    allow_direct: bool
    clock: Clock

    @property
    def may_use_loopback(self) -> bool:
        """Whether peers can be on this very machine: the server is."""
        ...

    def conversation_over(self, conversation: "Conversation") -> None:
        """It ended: leave the call."""
        ...

    async def turn_credentials(self, conversation: "Conversation") -> api.TurnCredentials | None:
        """Ask the server for TURN credentials for its call; None when it has none to give."""
        ...

    def peer_list_shown(self, peer: Member, shown: DeviceList) -> HeldList:
        """Check a device list the peer sent; remember it. Raises HandshakeError."""
        ...

    def own_list_reported(self, conversation: "Conversation", version: int, digest: bytes) -> None:
        """Compare what the peer was shown as this account's list."""
        ...

    def touched(self) -> None:
        """A person did something, here or there."""
        ...


def take_peer_list(host: ConversationHost, peer: Member, update: said.ListUpdate) -> HeldList | EndReason:
    """Check a list that the peer showed of its account; return what to remember of it, or why to leave.

    Raises MalformedError.
    """
    shown = DeviceList.decode(update.device_list)
    try:
        held = host.peer_list_shown(peer, shown)
    except HandshakeError:
        return EndReason.FORKED
    return held if shown.certificate_digest(peer.device) is not None else EndReason.REVOKED

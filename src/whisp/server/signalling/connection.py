"""A client's socket as the hub sees it: messages in, messages out, and the means to slow it down.

Two drivers stand behind it, `picows_driver` and `asgi_driver`; the hub cannot tell them apart.
"""

from typing import Any, Protocol

from whisp.server.signalling.relay import Links
from whisp.wire.codes import CloseCode

__all__ = ["Connection", "Inbox"]


class Connection(Protocol):
    """One open WebSocket. No method blocks, and none raises because the other side is gone."""

    links: Links
    """Where this socket's relay frames go. The driver looks here first, before it asks its inbox."""
    allowance: int
    """How many more frames are taken before the inbox is asked: the driver counts it down, pongs and all."""
    is_full: bool
    """Whether more than MAX_QUEUED_BYTES wait to be sent."""
    peer: Any
    """The inbox's own note; the driver does not touch it."""

    @property
    def queued_bytes(self) -> int:
        """How much waits to be sent."""

    def send(self, message: bytes) -> None:
        """Send one binary message."""

    def ping(self) -> None:
        """Ask for a sign of life."""

    def pause_reading(self) -> None:
        """Read no more from this client: what it sends waits in the network."""

    def resume_reading(self) -> None:
        """Read again."""

    def accept_large_messages(self) -> bool:
        """Take messages up to MAX_FRAME_BYTES from now on. False if more than HELLO has come already."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Send the close code after what is queued. What still comes goes to the inbox until it is closed."""

    def abort(self) -> None:
        """Cut it now."""


class Inbox(Protocol):
    """Who a driver tells what happens at its sockets."""

    def opened(self, connection: Connection, address: str) -> None:
        """A client is connected. `address` is its host, and only ever compared."""

    def received(self, connection: Connection, message: bytes) -> None:
        """It sent a binary message that none of its links took."""

    def broken(self, connection: Connection, code: CloseCode, reason: str) -> None:
        """It broke a rule of WebSocket or a bound: it is to be closed."""

    def spent(self, connection: Connection) -> None:
        """It has used up its allowance."""

    def held_up(self, connection: Connection, reader: Connection) -> None:
        """It sends to `reader`, which is full."""

    def filled(self, connection: Connection) -> None:
        """Its queue has grown over MAX_QUEUED_BYTES."""

    def drained(self, connection: Connection) -> None:
        """Its queue has fallen below RESUME_QUEUED_BYTES."""

    def closed(self, connection: Connection) -> None:
        """It is gone. The last thing said of it."""

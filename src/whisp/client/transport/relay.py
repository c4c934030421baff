"""Frames through the server's blind relay: the usual way, and the one that shows nobody's address."""

from collections.abc import Callable

from whisp.client.server_socket import ServerSocket
from whisp.wire.frames import FrameType
from whisp.wire.ids import RouteId

__all__ = ["RelayTransport"]


class RelayTransport:
    """One call's route on one socket. Closing it leaves the socket alone: other calls use it too.

    Args:
        hold: told True when this call wants the socket's reading paused, False when it no longer does.
    """

    def __init__(self, socket: ServerSocket, route: RouteId, hold: Callable[[object, bool], None]) -> None:
        self._socket = socket
        self._head = bytes((FrameType.RELAY,)) + route
        self._hold = hold
        self._is_open = True

    def send(self, frame: bytes) -> None:
        """Queue one frame. Does nothing once closed."""
        if self._is_open:
            self._socket.send(self._head + frame)

    @property
    def is_full(self) -> bool:
        """Whether `drain` would wait."""
        return self._is_open and self._socket.is_full

    async def drain(self) -> None:
        """Wait while too much is queued."""
        if self._is_open:
            await self._socket.drain()

    def pause_reading(self) -> None:
        """Stop reading the socket, for all calls: the server slows the sender down."""
        if self._is_open:
            self._hold(self, True)

    def resume_reading(self) -> None:
        """Read again, unless another call is behind."""
        self._hold(self, False)

    def close(self) -> None:
        """Send nothing more."""
        self._is_open = False
        self._hold(self, False)

    def abort(self) -> None:
        """Send nothing more; what is queued at the socket is sealed and harmless."""
        self.close()

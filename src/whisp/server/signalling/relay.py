"""The blind relay: which socket a frame goes to, looked up by the 17 bytes it begins with.

A device knows its end of a call by a route id; the other end knows it by another. The relay puts the one in
the place of the other and passes on the rest unseen. Only the routes of the sending device are looked in, so
a route seen elsewhere is as unknown as a made-up one.
"""

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from whisp.server.limits import MAX_TOMBSTONES, TOMBSTONE_SECONDS
from whisp.wire.frames import FrameType
from whisp.wire.ids import DeviceId, RouteId

if TYPE_CHECKING:
    from whisp.server.signalling.connection import Connection

__all__ = ["NO_LINKS", "Desk", "Exchange", "Link", "Links", "head_of", "websocket_header"]


def head_of(route: RouteId) -> bytes:
    """Return the 17 bytes that open every relay frame on `route`."""
    return bytes((FrameType.RELAY,)) + route


def websocket_header(length: int) -> bytes:
    """Return the header of one whole, unmasked binary WebSocket message (RFC 6455 section 5.2)."""
    if length < 126:
        return bytes((0x82, length))
    if length < 65536:
        return b"\x82\x7e" + length.to_bytes(2, "big")
    return b"\x82\x7f" + length.to_bytes(8, "big")


class Desk:
    """Where frames for one device arrive: at its socket, or nowhere while it has none."""

    __slots__ = ("connection", "links")

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.links: Links = {}


class Link:
    """One direction of an accepted call: where to, and what the frame must begin with there."""

    __slots__ = ("head", "last_prefix", "last_size", "toward")

    def __init__(self, head: bytes, toward: Desk) -> None:
        self.head = head
        self.toward = toward
        self.last_size = -1
        self.last_prefix = b""

    def prefix(self, size: int) -> bytes:
        """Return the WebSocket header of a message of `size` bytes, and the head that opens it.

        Padding gives most messages of a call the same size, so the last answer is kept.
        """
        if size != self.last_size:
            self.last_prefix = websocket_header(size) + self.head
            self.last_size = size
        return self.last_prefix


Links: TypeAlias = dict[bytes, Link]
"""The links of one device, by the head its own frames begin with."""

NO_LINKS: Final[Links] = {}
"""What a connection without calls looks in. Never written to."""

_NOWHERE: Final = Desk()
"""Where frames of an ended call go for a while: they are dropped and do not count as stray."""


class Exchange:
    """All links of all devices. Opened, closed and looked up; it decides nothing."""

    def __init__(self) -> None:
        self._desks: dict[DeviceId, Desk] = {}
        self._dying: deque[tuple[float, DeviceId, bytes]] = deque()

    def __len__(self) -> int:
        """How many devices have a socket or a link."""
        return len(self._desks)

    def connection(self, device: DeviceId) -> "Connection | None":
        """Return the socket of a device, None while it has none."""
        desk = self._desks.get(device)
        return desk.connection if desk else None

    def attach(self, device: DeviceId, connection: "Connection") -> None:
        """Let frames for `device` go to `connection`, and its own frames find their links."""
        desk = self._desks.setdefault(device, Desk())
        desk.connection = connection
        connection.links = desk.links

    def detach(self, device: DeviceId) -> None:
        """Let frames for `device` go nowhere. Its links stay as long as its calls."""
        desk = self._desks.get(device)
        if desk is None:
            return
        if desk.connection is not None:
            desk.connection.links = NO_LINKS
            desk.connection = None
        self._clear(device, desk)

    def open(self, device: DeviceId, route: RouteId, toward: DeviceId, toward_route: RouteId) -> None:
        """Let frames of `device` on `route` come to `toward` on `toward_route`."""
        target = self._desks.setdefault(toward, Desk())
        self._desks.setdefault(device, Desk()).links[head_of(route)] = Link(head_of(toward_route), target)

    def close(self, device: DeviceId, route: RouteId, now: float) -> None:
        """Drop what still comes from `device` on `route`, quietly for a while."""
        desk = self._desks.get(device)
        head = head_of(route)
        if desk is None or head not in desk.links:
            return
        desk.links[head] = Link(head, _NOWHERE)
        self._dying.append((now + TOMBSTONE_SECONDS, device, head))
        if len(self._dying) > MAX_TOMBSTONES:
            self._bury()

    def expire(self, now: float) -> None:
        """Forget routes that died long enough ago."""
        while self._dying and self._dying[0][0] <= now:
            self._bury()

    def _bury(self) -> None:
        _, device, head = self._dying.popleft()
        desk = self._desks.get(device)
        if desk is not None:
            desk.links.pop(head, None)
            self._clear(device, desk)

    def _clear(self, device: DeviceId, desk: Desk) -> None:
        if desk.connection is None and not desk.links:
            del self._desks[device]

"""How many HTTP connections may stand at the door, from where, and for how long.

uvicorn waits without limit for a request to arrive and takes any number of connections. Here every connection
has a moment by which its next step must be done, and where too many are open the one that has kept the door
waiting longest gives up its place: whoever sends a request at once is served, even from the address of an
attacker.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from whisp.server.gate.addresses import networks_of
from whisp.wire.ids import DeviceId

__all__ = [
    "ANSWER_SECONDS",
    "BODY_SECONDS",
    "CLOSE_SECONDS",
    "HEAD_SECONDS",
    "IDLE_SECONDS",
    "Doorman",
    "Visitor",
]

HEAD_SECONDS: Final = 10.0
"""From the connection, or a later request's first byte, to the end of its head: a few packets."""

BODY_SECONDS: Final = 30.0
"""From there to the end of the body: 768 KiB at 200 kbit/s."""

ANSWER_SECONDS: Final = 60.0
"""From there until the answer was given: the slowest is storage that is locked by a backup."""

IDLE_SECONDS: Final = 15.0
"""From there to the next request's first byte. uvicorn closes idle connections after five; this is in case a
client does not read the end of its answer."""

CLOSE_SECONDS: Final = 2.0
"""From closing to cutting, for the last bytes to be read."""

SWEEP_SECONDS: Final = 0.5
"""One timer for all of these; they are met this late at most."""

MAX_VOUCHED_PER_DEVICE: Final = 16
"""Connections of one device that do not count as strangers'; an SDK keeps one, a browser up to six."""


class Visitor(Protocol):
    """An HTTP connection."""

    deadline: float
    """The loop's time by which it must have got on."""

    @property
    def is_waiting(self) -> bool:
        """Whether it owes us bytes, and we owe it nothing."""

    def expire(self) -> None:
        """Its time is up: end it, and set a new deadline until it is gone."""

    def abort(self) -> None:
        """Cut it now."""


class Doorman:
    """Counts connections and keeps their time. `is_proxy` tells addresses that stand for many clients."""

    def __init__(
        self, max_connections: int, max_per_address: int, is_proxy: Callable[[str], bool] = lambda peer: False
    ) -> None:
        self._max = max_connections
        self._max_per_address = max_per_address
        self._is_proxy = is_proxy
        self._visitors: dict[Visitor, str] = {}
        self._strangers: dict[str, dict[Visitor, None]] = {}
        self._devices: dict[Visitor, DeviceId] = {}
        self._per_device: Counter[DeviceId] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._visitors)

    def start(self) -> None:
        """Begin to keep time, in the running loop."""
        self._timer = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """Keep time no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def admit(self, visitor: Visitor, peer: str) -> bool:
        """Take in a new connection, if need be in the place of one that waits; False if there is none."""
        network = "" if self._is_proxy(peer) else networks_of(peer)[0]
        neighbours = self._strangers.get(network, {})
        if network and len(neighbours) >= self._max_per_address and not _make_room(neighbours):
            return False
        if len(self._visitors) >= self._max and not any(map(_make_room, tuple(self._strangers.values()))):
            return False
        self._visitors[visitor] = network
        self._strangers.setdefault(network, {})[visitor] = None
        return True

    def vouch(self, visitor: Visitor, device: DeviceId) -> None:
        """Note that a valid token came over a connection: it is no stranger's any more."""
        network = self._visitors.get(visitor)
        if network is None or visitor in self._devices or self._per_device[device] >= MAX_VOUCHED_PER_DEVICE:
            return
        self._devices[visitor] = device
        self._per_device[device] += 1
        self._drop_stranger(visitor, network)

    def leave(self, visitor: Visitor) -> None:
        """Forget a connection that is closed, or that became a WebSocket."""
        network = self._visitors.pop(visitor, None)
        if network is None:
            return
        self._drop_stranger(visitor, network)
        device = self._devices.pop(visitor, None)
        if device is not None:
            self._per_device[device] -= 1
            if not self._per_device[device]:
                del self._per_device[device]

    def _drop_stranger(self, visitor: Visitor, network: str) -> None:
        neighbours = self._strangers.get(network, {})
        neighbours.pop(visitor, None)
        if not neighbours:
            self._strangers.pop(network, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            for visitor in [visitor for visitor in self._visitors if visitor.deadline <= now]:
                visitor.expire()
        finally:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep)


def _make_room(strangers: dict[Visitor, None]) -> bool:
    """Cut the connection that has waited longest. False if all are being served."""
    for visitor in strangers:
        if visitor.is_waiting:
            visitor.abort()
            return True
    return False

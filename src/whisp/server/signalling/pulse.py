"""Signs of life: every socket is pinged once in PING_SECONDS, a few at each sweep, by one timer for all."""

from typing import Final

from whisp.server.limits import PING_SECONDS, SWEEP_SECONDS
from whisp.server.signalling.connection import Connection

__all__ = ["Pulse"]

_BEATS: Final = round(PING_SECONDS / SWEEP_SECONDS)
_HEARD: Final = -1
"""A note that differs from every allowance: the socket was heard from."""


class Pulse:
    """All sockets, dealt out over the beats of one ping interval by their hash."""

    def __init__(self) -> None:
        self._beats: list[dict[Connection, int]] = [{} for _ in range(_BEATS)]
        self._next = 0

    def __len__(self) -> int:
        """How many sockets there are."""
        return sum(map(len, self._beats))

    def all(self) -> list[Connection]:
        """Return every socket."""
        return [connection for beat in self._beats for connection in beat]

    def hear(self, connection: Connection) -> None:
        """Note that a socket lives; a new one is taken in."""
        self._beats[hash(connection) % _BEATS][connection] = _HEARD

    def discard(self, connection: Connection) -> None:
        """Forget a socket."""
        self._beats[hash(connection) % _BEATS].pop(connection, None)

    def beat(self) -> list[Connection]:
        """Ping the sockets whose turn it is; return those that sent nothing since their last ping."""
        turn = self._beats[self._next]
        self._next = (self._next + 1) % _BEATS
        silent = [connection for connection, allowance in turn.items() if connection.allowance == allowance]
        for connection in turn:
            turn[connection] = connection.allowance
            connection.ping()
        return silent

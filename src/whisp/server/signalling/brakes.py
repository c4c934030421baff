"""Who is not being read, and why: a socket is read again when its last reason is gone."""

from typing import TypeAlias

from whisp.server.signalling.connection import Connection

__all__ = ["Brakes"]

_Reason: TypeAlias = Connection | tuple[str, Connection]
"""A full reader, or a rule that this very socket met."""


class Brakes:
    """Reasons to pause reading, kept both ways. Every method leaves the sockets paused as the reasons say."""

    def __init__(self) -> None:
        self._reasons: dict[Connection, set[_Reason]] = {}
        self._held: dict[_Reason, set[Connection]] = {}

    def __len__(self) -> int:
        """How many sockets are paused."""
        return len(self._reasons)

    def hold(self, connection: Connection, reason: _Reason) -> None:
        """Stop reading `connection` until `reason` is released."""
        reasons = self._reasons.get(connection)
        if reasons is None:
            reasons = self._reasons[connection] = set()
            connection.pause_reading()
        reasons.add(reason)
        self._held.setdefault(reason, set()).add(connection)

    def release(self, reason: _Reason) -> None:
        """Read all who were held for `reason`, unless something else holds them."""
        for connection in self._held.pop(reason, ()):
            reasons = self._reasons[connection]
            reasons.discard(reason)
            if not reasons:
                del self._reasons[connection]
                connection.resume_reading()

    def forget(self, connection: Connection) -> None:
        """Forget a socket that is going, as one held and as a reason. It is read again, to see it close."""
        for reason in self._reasons.pop(connection, ()):
            held = self._held[reason]
            held.discard(connection)
            if not held:
                del self._held[reason]
        connection.resume_reading()
        self.release(connection)

"""Keeps a device online: logs in, connects, publishes pre-keys, and does so again after every loss."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from whisp.client.errors import (
    ClientError,
    IdentityError,
    RateLimitedError,
    ReplacedError,
    RevokedError,
    ServerUnreachableError,
    TransportError,
    UnauthorizedError,
    VersionMismatchError,
)
from whisp.client.events import ConnectionChanged, ConnectionState
from whisp.client.server_socket import ServerSocket, SocketClosedError
from whisp.wire.codes import CloseCode

__all__ = ["Connection", "back_off"]

FIRST_BACK_OFF_SECONDS: Final = 0.5
MAX_BACK_OFF_SECONDS: Final = 30.0
MAX_BUSY_BACK_OFF_SECONDS: Final = 4.0
"""While a conversation lives: the server holds it for 60 seconds only."""

PUBLISHED_SECONDS: Final = 10.0
"""From WELCOME to the server's word that it has the pre-keys."""

SETTLED_SECONDS: Final = 10.0
"""A connection that lived this long starts the back-off anew."""

_FINAL: Final[dict[int, type[ClientError]]] = {
    CloseCode.VERSION: VersionMismatchError,
    CloseCode.REVOKED: RevokedError,
    CloseCode.REPLACED: ReplacedError,
}
"""After these the device stays offline until it is told otherwise."""


def back_off(attempt: int, ceiling: float, draw: Callable[[], float]) -> float:
    """Return seconds to wait before attempt 1, 2, …: exponential with full jitter.

    `draw` returns 0 to 1. Full jitter spreads the crowd that a restarted server meets.
    """
    return draw() * min(ceiling, FIRST_BACK_OFF_SECONDS * 2.0 ** min(attempt, 16))


class Connection:
    """The device's line to its server, in one background task.

    Args:
        dial: logs in where needed and returns an open socket. Its errors are told apart: identity, version
            and authorisation errors end the attempts, others are retried.
        on_online: called with each new socket, at once; publishes what the server forgot. Who hears that it
            has arrived calls `confirm`.
        on_offline: called when a socket is gone.
        on_change: told of every change of state.
        is_busy: says whether conversations wait for the line.
    """

    def __init__(
        self,
        dial: Callable[[], Awaitable[ServerSocket]],
        *,
        on_online: Callable[[ServerSocket], None],
        on_offline: Callable[[], None],
        on_change: Callable[[ConnectionChanged], None],
        is_busy: Callable[[], bool],
    ) -> None:
        self._dial = dial
        self._on_online = on_online
        self._on_offline = on_offline
        self._on_change = on_change
        self._is_busy = is_busy
        self._socket: ServerSocket | None = None
        self._confirmed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.state = ConnectionState.OFFLINE

    @property
    def socket(self) -> ServerSocket | None:
        """The open socket, None while there is none."""
        return self._socket

    def send(self, frame: bytes) -> bool:
        """Queue a frame; say whether there was a socket to queue it at."""
        if self._socket is None or not self._socket.is_open:
            return False
        self._socket.send(frame)
        return True

    def confirm(self) -> None:
        """The server would deliver a ring now."""
        if self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_result(None)

    async def start(self) -> None:
        """Go online, once; then stay so in the background.

        Raises what `dial` raises, and ServerUnreachableError: it did not take what this device publishes.
        """
        await self.stop()
        self._change(ConnectionState.CONNECTING)
        try:
            socket = await self._connect()
        except SocketClosedError as closed:
            self._change(ConnectionState.OFFLINE)
            raise _error(closed) from None
        except BaseException:
            socket_left, self._socket = self._socket, None
            if socket_left is not None:
                socket_left.abort()
                self._on_offline()
            self._change(ConnectionState.OFFLINE)
            raise
        self._task = asyncio.create_task(self._stay_online(socket), name="whisp connection")

    async def stop(self) -> None:
        """Go offline after what is queued has left."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()
            self._on_offline()
        self._change(ConnectionState.OFFLINE)

    def abort(self) -> None:
        """Go offline now."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.abort()
        self._change(ConnectionState.OFFLINE)

    async def _stay_online(self, socket: ServerSocket) -> None:
        attempt = 0
        while True:
            since = time.monotonic()
            closed = await socket.wait_closed()
            self._socket = None
            self._on_offline()
            if closed.code in _FINAL:
                self._change(ConnectionState.OFFLINE, _error(closed))
                return
            if time.monotonic() - since > SETTLED_SECONDS:
                attempt = 0
            error: ClientError = _error(closed)
            while True:
                await self._wait(attempt, error)
                attempt += 1
                self._change(ConnectionState.CONNECTING)
                try:
                    socket = await self._connect()
                    break
                except SocketClosedError as refused:
                    error = _error(refused)
                    if refused.code in _FINAL:
                        self._change(ConnectionState.OFFLINE, error)
                        return
                except (IdentityError, UnauthorizedError, VersionMismatchError) as refused_for_good:
                    self._change(ConnectionState.OFFLINE, refused_for_good)
                    return
                except TransportError as failed:
                    error = failed

    async def _wait(self, attempt: int, error: ClientError) -> None:
        ceiling = MAX_BUSY_BACK_OFF_SECONDS if self._is_busy() else MAX_BACK_OFF_SECONDS
        delay = back_off(attempt, ceiling, random.random)
        if isinstance(error, RateLimitedError):
            delay += error.retry_after
        self._change(ConnectionState.WAITING, error, time.time() + delay)
        await asyncio.sleep(delay)

    async def _connect(self) -> ServerSocket:
        """Dial, and wait until the server would deliver a ring. Held calls go on meanwhile."""
        socket = await self._dial()
        self._socket = socket
        self._confirmed = asyncio.get_running_loop().create_future()
        self._on_online(socket)
        closing = asyncio.ensure_future(socket.wait_closed())
        try:
            await asyncio.wait(
                (closing, self._confirmed), timeout=PUBLISHED_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if self._confirmed.done():
                self._change(ConnectionState.ONLINE)
                return socket
            if self._socket is socket:
                self._socket = None
                socket.abort()
                self._on_offline()
            raise closing.result() if closing.done() else ServerUnreachableError
        finally:
            closing.cancel()

    def _change(
        self, state: ConnectionState, error: ClientError | None = None, retry_at: float | None = None
    ) -> None:
        if state is self.state and error is None:
            return
        self.state = state
        self._on_change(ConnectionChanged(state, str(error) if error else None, retry_at))


def _error(closed: SocketClosedError) -> ClientError:
    kind = _FINAL.get(closed.code or 0)
    if kind is not None:
        return kind()
    if closed.code == CloseCode.UNAUTHORIZED:
        return UnauthorizedError()
    if closed.code == CloseCode.BUSY:
        return TransportError("The server has too many connections.")
    return TransportError("The connection to the server was lost.")

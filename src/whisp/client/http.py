"""HTTP to the server: one kept connection, driven in a thread, JSON in and out.

The standard library's client, because it loads in a tenth of the time of the usual alternatives and this
API needs nothing they add (docs/decisions/0005-sdk-transports.md). Redirects are never followed.
"""

import asyncio
import contextlib
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, TypeVar

import msgspec

from whisp.client.clock import Clock
from whisp.client.errors import (
    InvalidUsernameError,
    RateLimitedError,
    ServerFaultError,
    ServerUnreachableError,
    TransportError,
    UnauthorizedError,
    UsernameTakenError,
    VersionMismatchError,
)
from whisp.client.origin import Origin
from whisp.wire.api import Error, parse
from whisp.wire.codes import ErrorCode
from whisp.wire.errors import MalformedError, WhispError

__all__ = ["Http"]

_Answer = TypeVar("_Answer", bound=msgspec.Struct)

MAX_ANSWER_BYTES: Final = 512 * 1024
"""Sixteen bundles of 8 KiB in base64, with room."""

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 15.0
MAX_IDLE_SECONDS: Final = 3.0
"""Servers drop idle connections after five seconds; a younger one is surely alive."""

_BY_CODE: Final[dict[ErrorCode, type[WhispError]]] = {
    ErrorCode.UNAUTHORIZED: UnauthorizedError,
    ErrorCode.FORBIDDEN: UnauthorizedError,
    ErrorCode.USERNAME_TAKEN: UsernameTakenError,
    ErrorCode.BAD_USERNAME: InvalidUsernameError,
}


@dataclass(slots=True)
class _Exchange:
    """One request on its way; the loop and the thread share it under the lock."""

    method: str
    path: str
    body: bytes | None
    token: str | None
    connection: HTTPConnection | None = None
    is_given_up: bool = False

    def __repr__(self) -> str:
        return f"_Exchange({self.method} {self.path})"


class Http:
    """Sends one request at a time over one kept connection. Cancelling a request closes the connection."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None = None) -> None:
        self._origin = origin
        self._tls = tls
        self._kept: HTTPConnection | None = None
        self._used_at = 0.0
        self._clock = Clock()
        self.clock_error: float | None = None
        """Seconds this clock is ahead of the server's, as its newest answer was dated; None before."""
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()

    async def request(
        self,
        method: str,
        path: str,
        answer: type[_Answer],
        body: msgspec.Struct | None = None,
        token: str | None = None,
    ) -> _Answer:
        """Send a request and return its 2xx answer.

        Raises:
            RateLimitedError, UnauthorizedError, UsernameTakenError, InvalidUsernameError: as they say.
            ServerUnreachableError: no connection, or none that answers in time.
            ServerFaultError: an answer outside the protocol.
        """
        encoded = msgspec.json.encode(body) if body is not None else None
        async with self._turn:
            exchange = _Exchange(method, path, encoded, token)
            attempt = asyncio.get_running_loop().run_in_executor(None, self._carry_out, exchange)
            attempt.add_done_callback(_take_outcome)
            try:
                status, retry_after, content = await asyncio.shield(attempt)
            except asyncio.CancelledError:
                self._give_up(exchange)
                raise
            except (OSError, HTTPException):
                raise ServerUnreachableError from None
        return _decode(status, retry_after, content, answer)

    def abort(self) -> None:
        """Drop the kept connection now."""
        with self._lock:
            connection, self._kept = self._kept, None
        if connection is not None:
            connection.close()

    def _give_up(self, exchange: "_Exchange") -> None:
        """Nobody waits for this exchange any more: end it early, and keep nothing of it."""
        with self._lock:
            exchange.is_given_up = True
            if exchange.connection is not None and exchange.connection.sock is not None:
                with contextlib.suppress(OSError):
                    exchange.connection.sock.shutdown(socket.SHUT_RDWR)

    def _carry_out(self, exchange: "_Exchange") -> tuple[int, str | None, bytes]:
        """Do one exchange, in a thread. The connection is kept only after a whole answer."""
        connection = self._take_connection(exchange)
        is_reusable = False
        try:
            if connection.sock is None:
                self._connect(connection)
            headers = {"Accept": "application/json", "User-Agent": "whisp"}
            if exchange.body is not None:
                headers["Content-Type"] = "application/json"
            if exchange.token is not None:
                headers["Authorization"] = f"Bearer {exchange.token}"
            connection.request(exchange.method, exchange.path, exchange.body, headers)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES + 1)
            is_reusable = len(content) <= MAX_ANSWER_BYTES and not response.will_close
            self._compare_clocks(response.headers.get("Date"))
            return response.status, response.headers.get("Retry-After"), content
        finally:
            with self._lock:
                exchange.connection = None
                is_reusable = is_reusable and not exchange.is_given_up
                if is_reusable:
                    self._kept = connection
                    self._used_at = time.monotonic()
            if not is_reusable:
                connection.close()

    def _compare_clocks(self, date: str | None) -> None:
        try:
            self.clock_error = self._clock.now() - parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return  # an answer without a date says nothing of clocks

    def _take_connection(self, exchange: "_Exchange") -> HTTPConnection:
        with self._lock:
            connection, self._kept = self._kept, None
            if connection is not None and self._is_stale(connection):
                connection.close()
                connection = None
            exchange.connection = connection or self._new_connection()
            return exchange.connection

    def _is_stale(self, connection: HTTPConnection) -> bool:
        if connection.sock is None or time.monotonic() - self._used_at > MAX_IDLE_SECONDS:
            return True
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return bool(poll.poll(0))  # readable while idle: closed, or not speaking HTTP

    def _new_connection(self) -> HTTPConnection:
        host, port = self._origin.host, self._origin.port
        if not self._origin.is_secure:
            return HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._tls)

    def _connect(self, connection: HTTPConnection) -> None:
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock.settimeout(ANSWER_SECONDS)


def _decode(status: int, retry_after: str | None, content: bytes, answer: type[_Answer]) -> _Answer:
    if len(content) > MAX_ANSWER_BYTES:
        raise ServerFaultError
    if 200 <= status < 300:
        try:
            return parse(content, answer)
        except MalformedError:
            raise ServerFaultError from None
    raise _error(status, retry_after, content)


def _error(status: int, retry_after: str | None, content: bytes) -> WhispError:
    if status == 429:
        return RateLimitedError(_seconds(retry_after))
    if status in (502, 503, 504):
        return ServerUnreachableError("The server is not available right now.")
    try:
        code = parse(content, Error).error
    except MalformedError:
        return VersionMismatchError() if status == 404 else ServerFaultError()
    named = _BY_CODE.get(code)
    if named is not None:
        return named()
    if code is ErrorCode.MISDIRECTED:
        return TransportError("The server does not answer for this address.")
    return ServerFaultError()


def _seconds(retry_after: str | None) -> float:
    try:
        return min(max(float(retry_after or "1"), 0.0), 86_400.0)
    except ValueError:
        return 1.0


def _take_outcome(attempt: "asyncio.Future[tuple[int, str | None, bytes]]") -> None:
    """Take the outcome of a request that nobody waits for any more, so that no error is reported late."""
    if not attempt.cancelled():
        attempt.exception()

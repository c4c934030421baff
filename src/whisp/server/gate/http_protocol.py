"""uvicorn's HTTP protocol with what it leaves to a proxy: deadlines, a place in the queue, and strictness.

Its parser (llhttp) refuses most ambiguous requests; this refuses the rest, and does not let one request's
error be read as another's answer. It reaches into uvicorn's class, so uvicorn is pinned.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from whisp.server.gate.answers import raw_error
from whisp.server.gate.doorman import (
    ANSWER_SECONDS,
    BODY_SECONDS,
    CLOSE_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    Doorman,
)
from whisp.wire.codes import ErrorCode
from whisp.wire.ids import DeviceId

__all__ = ["hardened_protocol"]

MAX_HEAD_BYTES: Final = 16 * 1024
"""Request line and headers: ours take 600 bytes, browsers with many proxies a few KiB."""

MAX_HEADERS: Final = 64

MAX_PIPELINED: Final = 16
"""Requests sent ahead of their answers."""

_BAD: Final = raw_error(ErrorCode.BAD_REQUEST)
_LATE: Final = raw_error(ErrorCode.BAD_REQUEST, 408)
_HUGE_HEAD: Final = raw_error(ErrorCode.TOO_LARGE, 431)
_CONTINUE: Final = b"HTTP/1.1 100 "
_BUSY: Final = raw_error(ErrorCode.UNAVAILABLE)


class _RefusedError(Exception):
    """Raised inside the parser's callbacks, to stop it."""


def hardened_protocol(doorman: Doorman) -> Any:
    """Return what uvicorn takes as `http=`: connections that `doorman` watches."""

    def protocol(**uvicorns: Any) -> "_HardenedProtocol":
        return _HardenedProtocol(doorman, **uvicorns)

    return protocol


class _Stage(Enum):
    """Where a connection is in its current request."""

    NEW = auto()
    """Nothing has come yet."""
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    """The request is here; what comes now is the next one."""
    IDLE = auto()
    """It is answered, and no next one has begun."""
    OVER = auto()
    """Closing, closed, or handed over."""


class _Outbox:
    """Writes an answer's head and body together: uvicorn would send two packets and wake its reader twice."""

    __slots__ = ("_held", "_is_begun", "_transport", "is_closing")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._held = b""
        self._is_begun = False
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Hold a head until its body comes, or the body's first piece."""
        if self._is_begun:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        elif data.startswith(_CONTINUE):
            self._transport.write(data)
        else:
            self._held, self._is_begun = data, True

    def finish(self) -> None:
        """Write a head that has no body. What comes now is the next head."""
        self.flush()
        self._is_begun = False

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            self._transport.write(self._held)
            self._held = b""

    def close(self) -> None:
        """Write what is held and close."""
        self.flush()
        self._transport.close()


class _HardenedProtocol(HttpToolsProtocol):
    """One HTTP connection, a `doorman.Visitor`."""

    def __init__(self, doorman: Doorman, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.deadline = 0.0
        self._doorman = doorman
        self._time: Callable[[], float] = self.loop.time
        self._stage = _Stage.NEW
        self._refusal = _BAD
        self._head_bytes = 0
        self._is_vouched = False

    # The doorman's side

    @property
    def is_waiting(self) -> bool:
        """Whether the client owes us bytes, and we owe it no answer."""
        cycle = self.cycle
        is_served = cycle is not None and not cycle.response_complete and not cycle.more_body
        return not is_served and not self.pipeline

    def expire(self) -> None:
        """End the connection, with an answer if a request is late; the second time, cut it."""
        if self._stage is _Stage.OVER:
            self.abort()
        elif self._stage in (_Stage.HEAD, _Stage.BODY):
            self._refuse(_LATE)
        else:
            self._end()

    def abort(self) -> None:
        """Cut the connection now."""
        self._stage = _Stage.OVER
        self._doorman.leave(self)
        self.transport.abort()

    def vouch(self, device: DeviceId) -> None:
        """Note that a valid token came over this connection."""
        if not self._is_vouched:
            self._is_vouched = True
            self._doorman.vouch(self, device)

    # uvicorn's side

    def connection_made(self, transport: Any) -> None:
        """Ask the doorman for a place."""
        super().connection_made(transport)
        self._outbox: Any = _Outbox(transport)
        self.deadline = self._time() + HEAD_SECONDS
        if not self._doorman.admit(self, self.client[0] if self.client else ""):
            self._refuse(_BUSY)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._stage = _Stage.OVER
        self._doorman.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count what a head takes until it is whole."""
        if self._stage is _Stage.OVER:
            return
        super().data_received(data)
        if self._stage is _Stage.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_HUGE_HEAD)

    def on_message_begin(self) -> None:
        """Begin a request: its head has HEAD_SECONDS from its first byte, or the connection."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        super().on_message_begin()
        self.scope["whisp.connection"] = self  # type: ignore[typeddict-unknown-key] # ours, for the gate
        if self._stage is not _Stage.NEW:
            self.deadline = self._time() + HEAD_SECONDS
        self._stage = _Stage.HEAD
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. One that follows the body is dropped: it was not there when the head was judged."""
        if self._stage is _Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Judge the head before anything is made of it."""
        self._judge_head()
        self._stage = _Stage.BODY
        self.deadline = self._time() + BODY_SECONDS
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = self._outbox

    def on_message_complete(self) -> None:
        """The request is here; it may have been answered before its end."""
        super().on_message_complete()
        is_answered = self.cycle is not None and self.cycle.response_complete
        self._stage = _Stage.IDLE if is_answered else _Stage.ANSWER
        self.deadline = self._time() + (IDLE_SECONDS if is_answered else ANSWER_SECONDS)

    def on_response_complete(self) -> None:
        """The answer is given."""
        self._outbox.finish()
        super().on_response_complete()
        if self.transport.is_closing():
            self._end()
        elif self._stage is _Stage.ANSWER and self.is_waiting:
            self._stage = _Stage.IDLE
            self.deadline = self._time() + IDLE_SECONDS

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for a while."""
        self._end()

    def handle_websocket_upgrade(self) -> None:
        """Hand the socket over; the live half counts it from here on."""
        self._stage = _Stage.OVER
        self._doorman.leave(self)
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or was found wanting."""
        self._refuse(self._refusal)

    def shutdown(self) -> None:
        """The server stops: finish what is under way, and close."""
        if self.is_waiting:
            self._end()
        else:
            super().shutdown()

    # Judging

    def _judge_head(self) -> None:
        names = [name for name, _ in self.headers]
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(names) > MAX_HEADERS:
            self._refusal = _HUGE_HEAD
            raise _RefusedError
        is_chunked = b"transfer-encoding" in names
        if (
            not self.url.startswith(b"/")
            or names.count(b"host") != 1
            or names.count(b"content-length") + names.count(b"transfer-encoding") > 1
            or (is_chunked and dict(self.headers)[b"transfer-encoding"].lower() != b"chunked")
            or (is_chunked and self.parser.get_http_version() != "1.1")
            or (self.parser.should_upgrade() and not self._may_upgrade())
        ):
            raise _RefusedError

    def _may_upgrade(self) -> bool:
        """Only to WebSocket, and not while an answer is due that would run into its frames."""
        is_free = (self.cycle is None or self.cycle.response_complete) and not self.pipeline
        return is_free and self.parser.get_method() == b"GET" and self._should_upgrade()

    # Ending

    def _refuse(self, answer: bytes) -> None:
        """Answer out of turn and close. If another answer is due first, or was begun, only close."""
        if self._stage is _Stage.OVER:
            return
        cycle = self.cycle
        is_begun = self._stage is _Stage.BODY and cycle is not None and cycle.response_started
        if self.is_waiting and not is_begun:
            self.transport.write(answer)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # whoever reads its body learns that there is no more
            cycle.message_event.set()
        self._end()

    def _end(self) -> None:
        self._stage = _Stage.OVER
        self.deadline = self._time() + CLOSE_SECONDS
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.transport.close()

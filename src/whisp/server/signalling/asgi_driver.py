"""WebSockets through ASGI: the fallback, on uvicorn's own WebSocket, for where picows cannot be had.

Slower and larger per connection, and otherwise the same: one set of tests runs both. uvicorn sends the pings
here and watches for their answers, and hands over one message at a time: it reads on when that is taken.
"""

import asyncio
import logging
from collections import deque
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from whisp.server.limits import (
    CLOSE_SECONDS,
    MAX_FRAGMENTS,
    MAX_FRAMES_PER_SECOND,
    MAX_HELLO_BYTES,
    MAX_QUEUED_BYTES,
    RESUME_QUEUED_BYTES,
)
from whisp.server.signalling.connection import Inbox
from whisp.server.signalling.door import Door, Refusal, UpgradeRequest
from whisp.server.signalling.relay import NO_LINKS, Links
from whisp.wire import api
from whisp.wire.codes import CloseCode
from whisp.wire.limits import MAX_FRAME_BYTES

__all__ = ["AsgiConnection", "BoundedWebSocket", "WebSocketEndpoint"]

_ABORT: Final = "whisp.abort"
"""Where `BoundedWebSocket` leaves in the scope what ASGI has no word for: cutting the socket."""


class WebSocketEndpoint:
    """An ASGI application for scopes of type `websocket`: what `door` lets in becomes connections."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket until it is gone."""
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        request = UpgradeRequest("GET", path, headers)
        await receive()  # websocket.connect
        refusal = self._door.refusal(request)
        if refusal is not None:
            await _refuse(refusal, send)
            return
        await send({"type": "websocket.accept"})
        connection = AsgiConnection(self._door.inbox, receive, send, scope.get(_ABORT, lambda: None))
        peer = scope.get("client") or ("", 0)
        self._door.inbox.opened(connection, self._door.client_address(peer[0], request))
        await connection.serve()


class AsgiConnection:
    """A `Connection` over an ASGI server's WebSocket."""

    def __init__(self, inbox: Inbox, receive: Receive, send: Send, abort: Any) -> None:
        self.links: Links = NO_LINKS
        self.allowance = MAX_FRAMES_PER_SECOND
        self.is_full = False
        self.peer: Any = None
        self._inbox = inbox
        self._receive = receive
        self._send = send
        self._abort = abort
        self._max_message_bytes = MAX_HELLO_BYTES
        self._queue: deque[dict[str, Any]] = deque()
        self._queued_bytes = 0
        self._has_output = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_open = True
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    @property
    def queued_bytes(self) -> int:
        """How much waits to be sent."""
        return self._queued_bytes

    def send(self, message: bytes) -> None:
        """Send one binary message."""
        if not self._is_open:
            return
        self._queued_bytes += len(message)
        self._put({"type": "websocket.send", "bytes": message})
        if self._queued_bytes > MAX_QUEUED_BYTES and not self.is_full:
            self.is_full = True
            self._inbox.filled(self)

    def ping(self) -> None:
        """Count as heard: uvicorn asks, and cuts the socket itself when there is no answer."""
        self.allowance -= 1

    def pause_reading(self) -> None:
        """Take no more messages."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Take messages again."""
        self._may_read.set()

    def accept_large_messages(self) -> bool:
        """Take messages up to MAX_FRAME_BYTES from now on."""
        self._max_message_bytes = MAX_FRAME_BYTES
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        """Send the close code after what is queued."""
        if self._is_open:
            self._is_open = False
            self._put({"type": "websocket.close", "code": int(code), "reason": reason})

    def abort(self) -> None:
        """Cut it now."""
        self._is_open = False
        self._abort()
        for task in self._tasks:
            task.cancel()

    async def serve(self) -> None:
        """Read and write until either side is done."""
        loop = asyncio.get_running_loop()
        self._tasks = (loop.create_task(self._read()), loop.create_task(self._write()))
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_open = False
            self._inbox.closed(self)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            await self._may_read.wait()
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return
            self.allowance -= 1
            message = event.get("bytes")
            if not self._is_open:
                continue
            if message is None:
                self._inbox.broken(self, CloseCode.PROTOCOL, "Only whole binary messages.")
            elif len(message) > self._max_message_bytes:
                self._inbox.broken(self, CloseCode.TOO_BIG, "The message is too big.")
            else:
                self._take(message)
            if self.allowance < 0:
                self._inbox.spent(self)

    def _take(self, message: bytes) -> None:
        link = self.links.get(message[:17])
        if link is None or len(message) == 17:
            self._inbox.received(self, message)
        elif (reader := link.toward.connection) is not None:
            reader.send(link.head + message[17:])
            if reader.is_full:
                self._inbox.held_up(self, reader)

    async def _write(self) -> None:
        while True:
            await self._has_output.wait()
            self._has_output.clear()
            while self._queue:
                event = self._queue.popleft()
                await self._send(event)
                if event["type"] == "websocket.close":
                    return
                self._queued_bytes -= len(event["bytes"])
                if self.is_full and self._queued_bytes < RESUME_QUEUED_BYTES:
                    self.is_full = False
                    self._inbox.drained(self)

    def _put(self, event: dict[str, Any]) -> None:
        self._queue.append(event)
        self._has_output.set()


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket with what it lacks: a bound on fragments, a way to cut a socket, and no log.

    uvicorn takes it as `ws=`. Its logger would name addresses and paths.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = self.conn.logger = _SILENT

    def handle_connect(self, event: Any) -> None:
        """Leave in the scope how to cut the socket."""
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", {})  # there is none when the handshake failed
        scope[_ABORT] = self.transport.abort

    def handle_ping(self) -> None:
        """Answer, unless answers pile up: the client asks without reading."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    def handle_cont(self, event: Any) -> None:
        """Take one more fragment, or close: empty ones pass every bound on size."""
        if self.close_sent:
            return
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.FLOOD})
        self.conn.send_close(CloseCode.FLOOD, "Too many fragments.")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        # Closing now, with more fragments unread, would reset the connection and lose the code.
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.close)


_SILENT: Final = logging.Logger("whisp.silent", logging.CRITICAL + 1)


async def _refuse(refusal: Refusal, send: Send) -> None:
    body = msgspec.json.encode(api.Error(refusal.code, refusal.message))
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})

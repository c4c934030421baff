"""One WebSocket to the server, from its HELLO to its close code. It does not reconnect: see `connection`."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from whisp.client.errors import ServerFaultError, ServerUnreachableError, VersionMismatchError
from whisp.client.origin import Origin
from whisp.wire.codes import CloseCode
from whisp.wire.errors import MalformedError
from whisp.wire.frames import Hello, Welcome, decode_server_frame
from whisp.wire.limits import MAX_FRAME_BYTES
from whisp.wire.version import CURRENT

__all__ = ["ServerSocket", "SocketClosedError"]

WELCOME_SECONDS: Final = 10.0
PING_AFTER_SECONDS: Final = 15.0
"""A silent line is asked for a sign of life: a dead one is noticed well inside the 60 s hold."""

SETTLE_SECONDS: Final = 3.0

WRITE_HIGH_BYTES: Final = 512 * 1024
"""Beyond this, senders wait: eight file chunks keep a fast line busy."""

WRITE_LOW_BYTES: Final = 256 * 1024
READ_BUFFER_BYTES: Final = 128 * 1024
"""Holds a file chunk with its frame; grows to four."""


_SILENT: Final = logging.getLogger("whisp.client.silent")
"""picows logs addresses and frames; this client logs neither."""
_SILENT.disabled = True


class SocketClosedError(Exception):
    """The socket closed. `code` is its close code, None if it broke."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"the socket closed with {code}")
        self.code = code
        self.reason = reason


class ServerSocket(WSListener):
    """A connected socket. Messages after WELCOME wait until `deliver_to` says who takes them."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._on_frame: Callable[[bytes], None] | None = None
        self._early: list[bytes] = []
        self._transport: WSTransport | None = None
        self._welcome: asyncio.Future[Welcome] = loop.create_future()
        self._closed: asyncio.Future[SocketClosedError] = loop.create_future()
        self._close_code: int | None = None
        self._close_reason = ""
        self._writable: asyncio.Future[None] | None = None
        self._fragments: list[bytes] = []

    @classmethod
    async def open(
        cls,
        origin: Origin,
        token: str,
        tls: ssl.SSLContext | None = None,
    ) -> "ServerSocket":
        """Connect, say HELLO and wait for WELCOME.

        Raises:
            ServerUnreachableError: no connection.
            ServerFaultError: it is not a server of this protocol.
            VersionMismatchError: another major version.
            SocketClosedError: the server closed instead of saying WELCOME.
        """
        socket = cls()
        try:
            await ws_connect(
                lambda: socket,
                origin.websocket_url,
                ssl_context=tls,
                websocket_handshake_timeout=WELCOME_SECONDS,
                enable_auto_ping=True,
                auto_ping_idle_timeout=PING_AFTER_SECONDS,
                max_frame_size=MAX_FRAME_BYTES,
                max_redirects=0,
                logger_name=_SILENT,
                read_buffer_init_size=READ_BUFFER_BYTES,
            )
        except (OSError, TimeoutError):
            raise ServerUnreachableError from None
        except WSError:
            raise ServerFaultError from None
        try:
            await socket._say_hello(token)
        except BaseException:
            socket.abort()
            raise
        return socket

    def deliver_to(self, on_frame: Callable[[bytes], None]) -> None:
        """Hand every message to `on_frame`, synchronously and in order, those that waited first."""
        self._on_frame = on_frame
        early, self._early = self._early, []
        for message in early:
            on_frame(message)

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return not self._closed.done()

    def send(self, frame: bytes) -> None:
        """Queue one message; await `drain` before the next large one. After the close it does nothing."""
        transport = self._transport
        if transport is not None and not self._closed.done():
            transport.send(WSMsgType.BINARY, frame)

    async def drain(self) -> None:
        """Wait while too much is queued; returns at once after the close."""
        while self._writable is not None:
            await asyncio.shield(self._writable)

    @property
    def is_full(self) -> bool:
        """Whether `drain` would wait."""
        return self._writable is not None

    async def settle(self) -> None:
        """Wait until the server has taken what was sent so far: a ping behind it came back. Never fails."""
        transport = self._transport
        if transport is None or self._closed.done():
            return
        answered = asyncio.ensure_future(transport.measure_roundtrip_time(1))
        await asyncio.wait(
            (answered, self._closed), timeout=SETTLE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        answered.cancel()

    def pause_reading(self) -> None:
        """Take nothing more off the network: what is under way waits there."""
        if self._transport is not None and self.is_open:
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and self.is_open:
            self._transport.underlying_transport.resume_reading()

    async def wait_closed(self) -> SocketClosedError:
        """Wait for the end, and return how it came."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Say goodbye, let what is queued leave, and close; at most half a second."""
        transport = self._transport
        if transport is None or self._closed.done():
            return
        transport.send_close()
        transport.disconnect()
        try:
            async with asyncio.timeout(0.5):
                await asyncio.shield(self._closed)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut it now; what is queued is lost."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport; called by picows."""
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(WRITE_HIGH_BYTES, WRITE_LOW_BYTES)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass a message on; called by picows."""
        kind = frame.msg_type
        if kind is WSMsgType.BINARY and frame.fin:
            self._take(frame.get_payload_as_bytes())
        elif kind is WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            self._close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else CloseCode.NORMAL
            self._close_reason = payload[2:].decode("utf-8", "replace")
            transport.send_close()
            transport.disconnect()
        elif kind is WSMsgType.BINARY or kind is WSMsgType.CONTINUATION:
            self._fragments.append(frame.get_payload_as_bytes())
            if sum(map(len, self._fragments)) > MAX_FRAME_BYTES:
                self._refuse()
            elif frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._take(message)
        elif kind is WSMsgType.TEXT:
            self._refuse()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Wake everyone who waits; called by picows."""
        self.resume_writing()
        if not self._closed.done():
            self._closed.set_result(SocketClosedError(self._close_code, self._close_reason))
        if not self._welcome.done():
            self._welcome.set_exception(SocketClosedError(self._close_code, self._close_reason))
            self._welcome.exception()  # whoever waits still gets it; if nobody does, nobody is told

    def pause_writing(self) -> None:
        """Note that too much is queued; called by the event loop."""
        if self._writable is None and not self._closed.done():
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Note that there is room again; called by the event loop."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    async def _say_hello(self, token: str) -> None:
        self.send(Hello(CURRENT, token).encode())
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                welcome = await self._welcome
        except TimeoutError:
            raise ServerUnreachableError from None
        if not CURRENT.is_compatible(welcome.version):
            raise VersionMismatchError

    def _take(self, message: bytes) -> None:
        if self._on_frame is not None:
            self._on_frame(message)
            return
        if self._welcome.done():
            self._early.append(message)
            return
        try:
            frame = decode_server_frame(message)
        except MalformedError:
            self._refuse()
            return
        if isinstance(frame, Welcome):
            self._welcome.set_result(frame)
        else:
            self._refuse()

    def _refuse(self) -> None:
        """Leave a server that breaks the protocol."""
        self._close_code = CloseCode.PROTOCOL
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

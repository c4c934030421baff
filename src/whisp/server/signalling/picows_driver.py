"""WebSockets on picows: the hot path.

uvicorn hands an upgraded socket to the class it was given as `ws=`; `picows_protocol` makes that class. The
frames are parsed by picows' own protocol class, which is internal to it: picows is pinned, and this file is
the only one that knows. The HTTP half of the upgrade is ours, checked by `door`; the parser is then started
with a request and an answer of which nothing reaches the wire. That has a second use: a parser can be
replaced between two frames, so a stranger's takes only a HELLO, and one that has grown can shrink.
"""

import asyncio
import logging
import os
import sys
import traceback
from http import HTTPStatus
from typing import Any, Final

import msgspec
from multidict import CIMultiDict
from picows import WSAutoPingStrategy, WSListener, WSTransport
from picows.common import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined] # internal, see above

from whisp.server.limits import (
    MAX_FRAGMENTS,
    MAX_FRAMES_PER_SECOND,
    MAX_HELLO_BYTES,
    MAX_QUEUED_BYTES,
    PING_SECONDS,
    READ_BUFFER_BYTES,
    RESUME_QUEUED_BYTES,
)
from whisp.server.signalling.connection import Inbox
from whisp.server.signalling.door import NOT_A_WEBSOCKET, Door, Refusal, UpgradeRequest, accept_key
from whisp.server.signalling.relay import NO_LINKS, Link, Links, websocket_header
from whisp.wire import api
from whisp.wire.codes import CloseCode
from whisp.wire.limits import MAX_FRAME_BYTES

__all__ = ["PicowsConnection", "picows_protocol"]

_log = logging.getLogger("whisp.signalling")

# Plain integers: comparing with picows' enum members costs more than all the rest of the look-up.
_CONTINUATION: Final = 0x0
_BINARY: Final = 0x2
_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA

_SHORT_MESSAGE_BYTES: Final = READ_BUFFER_BYTES - 512
"""Messages up to here never make the read buffer grow (picows keeps 256 bytes and grows at nine tenths)."""


def picows_protocol(door: Door) -> Any:
    """Return what uvicorn takes as `ws=`: upgrades that `door` lets in become connections of its inbox."""

    def protocol(*, config: Any, server_state: Any, app_state: Any) -> _Upgrade:
        return _Upgrade(door, server_state.connections)

    return protocol


class PicowsConnection(WSListener):
    """A `Connection` whose frames are parsed by picows and written straight to the socket."""

    __slots__ = (
        "_direct",
        "_inbox",
        "_is_open",
        "_links_aside",
        "_live",
        "_max_message_bytes",
        "_pieces",
        "_queued",
        "_touched",
        "_transport",
        "_websocket",
        "allowance",
        "corked",
        "is_full",
        "links",
        "peer",
    )

    def __init__(self, inbox: Inbox, transport: Any, live: set[Any]) -> None:
        self.links: Links = NO_LINKS
        self.allowance = MAX_FRAMES_PER_SECOND
        self.is_full = False
        self.peer: Any = None
        self._inbox = inbox
        self._transport = transport
        self._queued = transport.get_write_buffer_size
        self._live = live
        self._websocket: WSTransport | None = None
        self._is_open = True
        self._max_message_bytes = MAX_HELLO_BYTES
        self._pieces: list[bytes] | None = None
        self._links_aside: Links = NO_LINKS
        self.corked: list[bytes] | None = None
        self._touched: list[PicowsConnection] | None = None
        is_tls = transport.get_extra_info("ssl_object") is not None
        self._direct = -1 if is_tls else transport.get_extra_info("socket").fileno()
        transport.set_write_buffer_limits(high=MAX_QUEUED_BYTES, low=RESUME_QUEUED_BYTES)
        live.add(self)

    # The hub's side (`connection.Connection`)

    @property
    def queued_bytes(self) -> int:
        """How much waits to be sent."""
        size: int = self._queued()
        return size

    def send(self, message: bytes) -> None:
        """Send one binary message."""
        if self.corked:
            self.uncork()
        self._write(websocket_header(len(message)) + message)

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._write(b"\x89\x00")

    def pause_reading(self) -> None:
        """Read no more from this client."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def accept_large_messages(self) -> bool:
        """Take messages up to MAX_FRAME_BYTES from now on. False if more than HELLO has come already."""
        left_over = len(self._transport.get_protocol().get_buffer(-1)) != READ_BUFFER_BYTES - 256
        if left_over or self._pieces is not None:
            return False
        self._max_message_bytes = MAX_FRAME_BYTES
        self._renew_parser()
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        """Send the close code after what is queued."""
        if self.corked:
            self.uncork()
        if self._is_open and self._websocket is not None:
            self._is_open = False
            self._websocket.send_close(code, reason)  # type: ignore[arg-type] # picows takes any code

    def abort(self) -> None:
        """Cut it now."""
        self._is_open = False
        self._transport.abort()

    def shutdown(self) -> None:
        """Close, because uvicorn is shutting down."""
        self._inbox.broken(self, CloseCode.RESTART, "The server is restarting.")

    # picows' side

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the parser's transport: at the start, and whenever the parser was replaced."""
        self._websocket = transport
        transport.request.headers = _NO_HEADERS  # the stand-in's: nobody asks for them

    def on_ws_frame(self, transport: WSTransport, frame: Any) -> None:
        """Relay a frame if one of our links takes it: nearly all frames end here, so every step is counted.

        Frames that came in one read leave in one write. The opcode and the reserved bits cost as much to
        ask for as all the rest, so they are asked of the last frame of a read: who errs is found out, and who
        hides a wrong opcode in a burst has had his own frame relayed on his own route, and nothing else.
        """
        message = frame.get_payload_as_bytes()
        link = self.links.get(message[:17])
        size = len(message)
        if link is None or size == 17 or not frame.fin:
            self._receive(frame, message)
        elif not frame.last_in_buffer:
            reader: Any = link.toward.connection
            if reader is None:
                self.allowance -= 1
            elif reader.corked is None:
                reader.corked = [link.prefix(size), message[17:]]
                self._cork(reader)
            else:
                reader.corked.append(link.last_prefix if size == link.last_size else link.prefix(size))
                reader.corked.append(message[17:])
            return
        elif frame.msg_type != _BINARY or frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._receive(frame, message)
        else:
            self._relay(link, size, message)
        if self._touched and frame.last_in_buffer:
            self._flush()
        if self.allowance < 0:
            self._inbox.spent(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The socket is gone."""
        self._is_open = False
        self._live.discard(self)
        self._inbox.closed(self)

    def pause_writing(self) -> None:
        """More than MAX_QUEUED_BYTES wait."""
        self.is_full = True
        self._inbox.filled(self)

    def resume_writing(self) -> None:
        """Fewer than RESUME_QUEUED_BYTES wait."""
        self.is_full = False
        self._inbox.drained(self)

    # Sending

    def _relay(self, link: Link, size: int, message: bytes) -> None:
        """Write a frame to the socket its link leads to, after what is corked there."""
        reader: Any = link.toward.connection
        self.allowance -= 1
        if reader is None:
            return
        if reader.corked is None:
            reader._write(link.prefix(size) + message[17:])
        else:
            self.allowance -= len(reader.corked) // 2
            reader.corked += link.prefix(size), message[17:]
            reader.uncork()
        if reader.is_full:
            self._inbox.held_up(self, reader)

    def _cork(self, reader: "PicowsConnection") -> None:
        """Remember whose frames wait for the end of this read."""
        if self._touched is None:
            self._touched = []
        self._touched.append(reader)

    def _flush(self) -> None:
        """End a read: write what it brought."""
        touched, self._touched = self._touched or (), None
        for reader in touched:
            if reader.corked:
                self.allowance -= len(reader.corked) // 2
                reader.uncork()
            if reader.is_full:
                self._inbox.held_up(self, reader)

    def uncork(self) -> None:
        """Write what waits for the end of a read now."""
        corked, self.corked = self.corked, None
        self._write(b"".join(corked or ()))

    def _write(self, data: bytes) -> None:
        """Write to the socket itself while nothing waits before it; else queue in the transport."""
        if not self._is_open:
            return
        if self._direct >= 0 and not self._queued():
            try:
                written = os.write(self._direct, data)
            except BlockingIOError:
                written = 0
            except OSError:
                self.abort()
                return
            if written == len(data):
                return
            data = data[written:]
        self._transport.write(data)

    # Receiving what is no whole relay frame

    def _receive(self, frame: Any, message: bytes) -> None:
        self.allowance -= 1
        kind = int(frame.msg_type)
        if kind == _CLOSE:
            if self._is_open:
                self._inbox.broken(self, CloseCode.NORMAL, "")
            self._transport.close()
        elif not self._is_open:
            pass
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._inbox.broken(self, CloseCode.PROTOCOL, "No extension was agreed on.")
        elif kind in (_PING, _PONG):
            if kind == _PING:
                self._pong(message)
            if not frame.tail_size and len(self._transport.get_protocol().get_buffer(-1)) > READ_BUFFER_BYTES:
                self._renew_parser()
        elif kind == _BINARY and self._pieces is None and frame.fin:
            self._inbox.received(self, message)
            if len(message) > _SHORT_MESSAGE_BYTES and not frame.tail_size and self._is_open:
                self._renew_parser()
        elif (kind == _BINARY) == (self._pieces is None) and kind in (_BINARY, _CONTINUATION):
            self._receive_piece(message, bool(frame.fin))
        else:
            self._inbox.broken(self, CloseCode.PROTOCOL, "Only whole binary messages.")

    def _receive_piece(self, piece: bytes, is_final: bool) -> None:
        """Put a message together. Meanwhile no link takes a frame, or a piece could pass for one."""
        if self._pieces is None:
            self._pieces = []
            self._links_aside, self.links = self.links, NO_LINKS
        pieces = self._pieces
        pieces.append(piece)
        if len(pieces) > MAX_FRAGMENTS:
            self._inbox.broken(self, CloseCode.FLOOD, "Too many fragments.")
        elif sum(map(len, pieces)) > self._max_message_bytes:
            self._inbox.broken(self, CloseCode.TOO_BIG, "The message is too big.")
        elif is_final:
            self._pieces = None
            self.links, self._links_aside = self._links_aside, NO_LINKS
            message = b"".join(pieces)
            link = self.links.get(message[:17])
            if link is None or len(message) == 17:
                self._inbox.received(self, message)
            else:
                self._relay(link, len(message), message)

    def _pong(self, payload: bytes) -> None:
        if self.is_full:
            self._inbox.held_up(self, self)  # it asks without reading the answers
        else:
            self._write(bytes((0x8A, len(payload))) + payload)

    def _renew_parser(self) -> None:
        """Begin with an empty read buffer of the smallest size. Only between two frames."""
        former = self._transport.get_protocol()
        parser = _Parser(self, self._max_message_bytes)
        parser.connection_made(self._transport)
        parser.begin()
        self._transport.set_protocol(parser)
        # The former parser is still on the stack, calling us.
        asyncio.get_running_loop().call_soon(_let_go, former)


class _Parser(WSProtocol):  # type: ignore[misc] # an extension class
    """picows' protocol, started past its own handshake."""

    __slots__ = ("connection",)

    def __init__(self, connection: PicowsConnection | None, max_message_bytes: int) -> None:
        super().__init__(
            None,  # host and path: a client's concern
            None,
            False,
            self._accept,
            _QUIET,
            True,  # disconnect when we raise
            None,  # no handshake time-out: the upgrade is complete
            False,  # no pings of its own: the hub's pulse is one timer for all
            PING_SECONDS,
            PING_SECONDS,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # no pongs of its own: a flood of pings must not fill the queue
            max_message_bytes,
            None,
            READ_BUFFER_BYTES,
        )
        self.connection: PicowsConnection | None = connection

    def _accept(self, request: object) -> WSUpgradeResponseWithListener:
        return WSUpgradeResponseWithListener(_SILENCE, self.connection)

    def data_received(self, data: bytes) -> None:
        """Never called: uvloop reads into our buffer. Without this name it would keep the former parser's."""
        raise AssertionError("uvloop read past our buffer")

    def begin(self) -> None:
        """Go past the handshake: a stand-in request goes in, and an empty answer comes out."""
        self.get_buffer(-1)[: len(_STAND_IN)] = _STAND_IN
        self.buffer_updated(len(_STAND_IN))


class _Upgrade(_Parser):
    """What uvicorn constructs for an upgrade request, and then makes the socket's protocol."""

    __slots__ = ("_door", "_live", "_socket")

    def __init__(self, door: Door, live: set[Any]) -> None:
        super().__init__(None, MAX_HELLO_BYTES)
        self._door = door
        self._live = live

    def connection_made(self, transport: Any) -> None:
        """Take the socket from uvicorn's HTTP protocol."""
        self._socket = transport
        super().connection_made(transport)

    def data_received(self, head: bytes) -> None:
        """Answer the request head, which uvicorn has parsed and put together again."""
        request = UpgradeRequest.parse(head)
        refusal = self._door.refusal(request) if request else NOT_A_WEBSOCKET
        if refusal is not None:
            self._socket.write(_refuse(refusal))
            self._socket.close()
        elif request is not None:
            self._admit(request)

    def _admit(self, request: UpgradeRequest) -> None:
        peer = self._socket.get_extra_info("peername")
        host = peer[0] if isinstance(peer, tuple) else ""
        self._socket.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(request).encode("ascii") + b"\r\n\r\n"
        )
        connection = self.connection = PicowsConnection(self._door.inbox, self._socket, self._live)
        self.begin()
        self._door.inbox.opened(connection, self._door.client_address(host, request))


def _refuse(refusal: Refusal) -> bytes:
    body = msgspec.json.encode(api.Error(refusal.code, refusal.message))
    head = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
        f"content-type: application/json\r\ncache-control: no-store\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _let_go(parser: object) -> None:
    """Do nothing: the loop held `parser` until here."""


class _Silence(WSUpgradeResponse):
    """The answer to the stand-in request: accepted, in no bytes."""

    __slots__ = ()

    def __init__(self) -> None:
        self.status = HTTPStatus.SWITCHING_PROTOCOLS
        self.headers = CIMultiDict()

    def to_bytes(self) -> bytearray:
        return bytearray()


class _QuietLogger:
    """What picows logs to: it would name addresses, requests and payloads. Only our own bugs get through."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 # the name logging gave it
        return False

    def drop(self, *args: object) -> None:
        """Log nothing."""

    log = debug = info = warning = error = drop

    def exception(self, *args: object) -> None:
        error = sys.exc_info()[1]
        frames = traceback.extract_tb(error.__traceback__) if error else []
        where = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
        _log.error("a frame could not be handled: %s in %s", type(error).__name__, where)


_NO_HEADERS: Final[CIMultiDict[str]] = CIMultiDict()
_SILENCE: Final = _Silence()
_QUIET: Final = _QuietLogger()
_STAND_IN: Final = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

"""A WebSocket client that can send any bytes at all."""

import asyncio
import base64
import contextlib
import os
import struct
from typing import Any

import pytest
from tests.server.signalling.scripts import Device

from whisp.wire.frames import Relay, decode_server_frame
from whisp.wire.ids import RouteId

__all__ = ["BINARY", "CLOSE", "CONTINUATION", "PING", "PONG", "TEXT", "ClosedError", "RawClient"]

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


class ClosedError(Exception):
    """The server closed the WebSocket."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class RawClient:
    """A WebSocket client without manners."""

    device: Device

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self.reader = reader
        self.writer = writer
        self.head = head
        self.pongs = 0

    @classmethod
    async def dial(
        cls,
        port: int,
        path: str = "/v1/connect",
        headers: dict[str, str | None] | None = None,
        limit: int = 2**16,
        after: bytes = b"",
    ) -> "RawClient":
        """Connect and upgrade. A header of None is left out; `after` follows the request at once."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
        fields: dict[str, str | None] = {
            "Host": f"localhost:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **(headers or {}),
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items() if v is not None), "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + after)
        head = await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer, head)

    @property
    def status(self) -> int:
        """The HTTP status of the upgrade."""
        return int(self.head.split()[1])

    def write_piece(
        self,
        payload: bytes,
        kind: int = BINARY,
        *,
        fin: bool = True,
        rsv: int = 0,
        masked: bool = True,
        length: int | None = None,
    ) -> None:
        """Write one WebSocket frame, right or wrong: `length` may lie."""
        size = len(payload) if length is None else length
        head = bytes((fin << 7 | rsv << 4 | kind,))
        if size < 126:
            head += bytes((masked << 7 | size,))
        elif size < 65536:
            head += bytes((masked << 7 | 126,)) + struct.pack(">H", size)
        else:
            head += bytes((masked << 7 | 127,)) + struct.pack(">Q", size)
        self.writer.write(head + (bytes(4) if masked else b"") + payload)  # a mask of zeros

    async def send(self, message: bytes) -> None:
        """Send one binary message."""
        self.write_piece(message)
        await self.writer.drain()

    async def piece(self) -> tuple[int, bytes]:
        """Read one WebSocket frame: its opcode and payload."""
        first, second = await self.reader.readexactly(2)
        assert first & 0x70 == 0, "reserved bits from the server"
        assert second & 0x80 == 0, "a masked frame from the server"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(length)

    async def message(self, timeout: float = 5.0) -> bytes:
        """Read the next binary message; answer pings on the way. Raises ClosedError."""
        async with asyncio.timeout(timeout):
            while True:
                try:
                    kind, payload = await self.piece()
                except (asyncio.IncompleteReadError, ConnectionError):
                    raise ClosedError(1006) from None
                if kind == BINARY:
                    return payload
                if kind == CLOSE:
                    code = int.from_bytes(payload[:2], "big") if payload else 1005
                    with contextlib.suppress(ConnectionError):
                        self.write_piece(payload[:2], CLOSE)
                    raise ClosedError(code, payload[2:].decode())
                if kind == PING:
                    self.write_piece(payload, PONG)
                elif kind == PONG:
                    self.pongs += 1

    async def frame(self, timeout: float = 5.0) -> Any:
        """Read the next message as a server's frame."""
        return decode_server_frame(await self.message(timeout))

    async def settle(self) -> None:
        """Wait until the server has taken everything sent so far. Any message meanwhile is an error."""
        self.write_piece(b"settle", PING)
        async with asyncio.timeout(20):
            while (received := await self.piece())[0] == PING:
                self.write_piece(received[1], PONG)
            kind, payload = received
            if kind == CLOSE:
                raise ClosedError(int.from_bytes(payload[:2], "big"), payload[2:].decode())
            assert (kind, payload) == (PONG, b"settle"), (kind, payload[:40])

    async def closed(self, timeout: float = 5.0) -> ClosedError:
        """Read until the server closes; any message before that is an error."""
        try:
            message = await self.message(timeout)
        except ClosedError as closed:
            return closed
        pytest.fail(f"a message of type {message[0]:#x} instead of a close")

    async def disconnect(self) -> None:
        """Cut the connection without a word."""
        self.writer.transport.abort()
        await asyncio.sleep(0)

    async def relay(self, route: RouteId, payload: bytes) -> None:
        """Send a relay frame."""
        await self.send(Relay(route, payload).encode())

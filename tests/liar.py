"""LIAR: a server nobody should trust, between real clients and a real server.

It is a proxy on the wire. It reads every request and every frame, and can drop, hold, change, repeat and
invent any of them; to its clients it is the server, down to the origin they sign.
"""

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from whisp.server.app import Application
from whisp.server.config import Settings
from whisp.server.serve import running

__all__ = ["Liar", "Link", "lying_server"]

HttpLie: TypeAlias = Callable[[str, dict[str, Any], Any], Any]
"""path, request, answer → the answer the client gets."""

FrameLie: TypeAlias = Callable[["Link", bytes], list[bytes]]
"""link, frame → the frames that go on in its place."""


def _honest(link: "Link", frame: bytes) -> list[bytes]:
    return [frame]


@dataclass(eq=False)
class Link:
    """One client's WebSocket, with a hand in it."""

    client_writer: asyncio.StreamWriter
    server_writer: asyncio.StreamWriter
    device: bytes = b""

    def to_client(self, frame: bytes) -> None:
        """Say something to the client as if the server had."""
        self.client_writer.write(_websocket_frame(frame, masked=False))

    def to_server(self, frame: bytes) -> None:
        """Say something to the server as if the client had."""
        self.server_writer.write(_websocket_frame(frame, masked=True))


@dataclass(eq=False)
class Liar:
    """What the liar does, and all it has seen."""

    application: Application | None = None
    origin: str = ""
    answer: HttpLie = lambda path, request, answer: answer
    to_client: FrameLie = _honest
    to_server: FrameLie = _honest
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seen: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    """(direction, device, frame), as they came in."""
    links: list[Link] = field(default_factory=list)
    tokens: dict[str, bytes] = field(default_factory=dict)

    def link(self, device: bytes) -> Link:
        """Return the newest link of a device."""
        return next(link for link in reversed(self.links) if link.device == device)

    def asked(self, path: str) -> list[dict[str, Any]]:
        """Return the requests that were made to a path."""
        return [request for asked, request in self.requests if asked == path]

    def frames(self, kind: int, direction: str = "to_server") -> list[bytes]:
        """Return the frames of a type that went one way."""
        return [frame for way, _, frame in self.seen if way == direction and frame[0] == kind]

    def be_honest(self) -> None:
        """Stop lying."""
        self.answer = lambda path, request, answer: answer
        self.to_client = self.to_server = _honest


@asynccontextmanager
async def lying_server() -> AsyncIterator[Liar]:
    """Run a real server with a liar before it; clients dial `liar.origin`."""
    liar = Liar()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        liar.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = Settings(port=0, data=None, origins=(liar.origin,), rate_factor=1000.0)
        async with running(settings) as server:
            liar.application = server.application
            tasks: set[asyncio.Task[None]] = set()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.current_task()
                assert task is not None
                tasks.add(task)
                with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                    upstream = await asyncio.open_connection("127.0.0.1", server.port)
                    try:
                        await _serve(liar, (reader, writer), upstream)
                    finally:
                        upstream[1].close()
                        writer.close()
                tasks.discard(task)

            proxy = await asyncio.start_server(serve, sock=listener)
            try:
                yield liar
            finally:
                proxy.close()
                for task in tuple(tasks):
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


_Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _serve(liar: Liar, client: _Stream, upstream: _Stream) -> None:
    while True:
        head = await client[0].readuntil(b"\r\n\r\n")
        _, path, _ = head.split(b" ", 2)
        upstream[1].write(head)
        if b"upgrade: websocket" in head.lower():
            client[1].write(await upstream[0].readuntil(b"\r\n\r\n"))
            await _serve_frames(liar, client, upstream)
            return
        body = await client[0].readexactly(_content_length(head))
        request = json.loads(body) if body else {}
        liar.requests.append((path.decode(), request))
        upstream[1].write(body)
        answer_head = await upstream[0].readuntil(b"\r\n\r\n")
        answer = await upstream[0].readexactly(_content_length(answer_head))
        is_json = b"\r\ncontent-type: application/json" in answer_head.lower()  # else it is a page of the app
        if is_json and answer_head.split(b" ", 2)[1].startswith(b"2"):
            told = json.loads(answer)
            if "token" in told:
                device = request.get("deviceId") or request["certificate"]
                raw = base64.b64decode(device)
                liar.tokens[told["token"]] = raw if len(raw) == 16 else raw[33:49]
            answer = json.dumps(liar.answer(path.decode(), request, told)).encode()
            answer_head = _with_length(answer_head, len(answer))
        client[1].write(answer_head + answer)


async def _serve_frames(liar: Liar, client: _Stream, upstream: _Stream) -> None:
    link = Link(client[1], upstream[1])
    liar.links.append(link)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        is_up = direction == "to_server"
        while True:
            opcode, payload = await _read_frame(reader)
            if opcode != 2:
                writer.write(_websocket_frame(payload, masked=is_up, opcode=opcode))
            else:
                if is_up and payload[0] == 0x01:
                    link.device = liar.tokens.get(payload[5:].decode(), b"")
                liar.seen.append((direction, link.device, payload))
                lie = liar.to_server if is_up else liar.to_client
                for frame in lie(link, payload):
                    writer.write(_websocket_frame(frame, masked=is_up))
            await writer.drain()
            if opcode == 8:
                return

    ways = [
        asyncio.create_task(carry(client[0], upstream[1], "to_server")),
        asyncio.create_task(carry(upstream[0], client[1], "to_client")),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.02)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(length)
    if mask:
        key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        payload = (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")
    return first & 0x0F, payload


def _websocket_frame(payload: bytes, *, masked: bool, opcode: int = 2) -> bytes:
    length, bit = len(payload), 0x80 if masked else 0
    if length < 126:
        head = bytes((0x80 | opcode, bit | length))
    elif length < 65_536:
        head = bytes((0x80 | opcode, bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, bit | 127)) + length.to_bytes(8, "big")
    return head + (bytes(4) if masked else b"") + payload


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _with_length(head: bytes, length: int) -> bytes:
    lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"content-length: %d" % length, b"", b""])

"""A live half on a free port, and clients that can send any bytes at all."""

import asyncio
import base64
import contextlib
import inspect
import logging
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from whisp.server.presence import MemoryPresence
from whisp.server.signalling.asgi_driver import WebSocketEndpoint
from whisp.server.signalling.door import Door
from whisp.server.signalling.drivers import WebSocketDriver, websocket_options
from whisp.server.signalling.hub import Hub
from whisp.server.signalling.relay import NO_LINKS, Links
from whisp.wire.certificate import CERTIFICATE_LABEL, Certificate, DeviceKind
from whisp.wire.codes import CloseCode
from whisp.wire.device_list import DEVICE_LIST_LABEL, FIRST_PREVIOUS, ActiveDevice, DeviceList, RevokedDevice
from whisp.wire.errors import VerificationError
from whisp.wire.frames import (
    FrameType,
    HangUp,
    Hello,
    LineState,
    LineStatus,
    PreKeys,
    Relay,
    Ring,
    Route,
    Signalled,
    Welcome,
    decode_server_frame,
)
from whisp.wire.ids import AccountId, CallId, DeviceId, PreKeyId, RouteId, Username
from whisp.wire.prekey import KEM_KEY_BYTES, PRE_KEY_LABELS, PreKeyKind, PreKeyRecord
from whisp.wire.signals import KEM_CIPHERTEXT_BYTES, Answer, Cancel, Confirm, Decline, Offer
from whisp.wire.signing import sign
from whisp.wire.version import CURRENT

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


@dataclass
class Device:
    """A device with real keys, as the accounts would know it."""

    username: Username
    account_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    signing_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    device: DeviceId = field(default_factory=lambda: DeviceId(os.urandom(16)))
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    certificate: bytes = b""
    device_list: bytes = b""

    def __post_init__(self) -> None:
        now = int(time.time())
        unsigned = Certificate(
            self.account,
            self.device,
            self.signing_key.public_key().public_bytes_raw(),
            os.urandom(32),
            now,
            now + 86_400,
            DeviceKind.NATIVE,
            bytes(64),
        )
        signature = sign(self.account_key, CERTIFICATE_LABEL, unsigned.to_be_signed())
        self.certificate = unsigned.to_be_signed() + signature
        self.device_list = self.list_of(self)

    @property
    def account(self) -> AccountId:
        """The account's public key."""
        return AccountId(self.account_key.public_key().public_bytes_raw())

    def list_of(self, *active: "Device", revoked: tuple["Device", ...] = (), version: int = 1) -> bytes:
        """Return a device list of this account."""
        now = int(time.time())
        unsigned = DeviceList(
            self.account,
            version,
            FIRST_PREVIOUS if version == 1 else os.urandom(32),
            now,
            now + 86_400,
            tuple(
                ActiveDevice(each.device, Certificate.decode(each.certificate).digest()) for each in active
            ),
            tuple(RevokedDevice(each.device, now, 1) for each in revoked),
            bytes(64),
        )
        signature = sign(self.account_key, DEVICE_LIST_LABEL, unsigned.to_be_signed())
        return unsigned.to_be_signed() + signature

    def record(self, kind: PreKeyKind = PreKeyKind.ONE_TIME, expires_in: int = 3600, age: int = 0) -> bytes:
        """Return a signed pre-key record. Its keys are noise: the server cannot tell."""
        created = int(time.time()) - age
        unsigned = PreKeyRecord(
            kind,
            self.device,
            PreKeyId(os.urandom(8)),
            created,
            created + expires_in,
            1,
            1,
            os.urandom(32),
            os.urandom(KEM_KEY_BYTES),
            bytes(64),
        )
        signature = sign(self.signing_key, PRE_KEY_LABELS[kind], unsigned.to_be_signed())
        return unsigned.to_be_signed() + signature

    def records(self, one_time: int = 2) -> tuple[bytes, ...]:
        """Return one signed and some one-time records."""
        return (self.record(PreKeyKind.SIGNED), *(self.record() for _ in range(one_time)))


class FakeTokens:
    """Tokens that are looked up."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}

    def verify(self, token: str, now: float) -> Device:
        """Return whose token it is."""
        try:
            return self.devices[token]
        except KeyError:
            raise VerificationError("no such token") from None


class FakeDirectory:
    """A directory that can be made to wait, to forget and to fail."""

    def __init__(self) -> None:
        self.devices: dict[DeviceId, Device] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.failure: Exception | None = None

    async def record(self, device: DeviceId) -> Device | None:
        """Return the device, if it is (still) known."""
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return self.devices.get(device)


class FakeConnection:
    """A `Connection` that keeps what it was told."""

    def __init__(self) -> None:
        self.links: Links = NO_LINKS
        self.allowance = 0
        self.is_full = False
        self.peer: Any = None
        self.queued_bytes = 10**6
        self.sent: list[bytes] = []
        self.pings = 0
        self.is_paused = False
        self.closed_with: CloseCode | None = None
        self.is_aborted = False

    def send(self, message: bytes) -> None:
        """Keep it."""
        self.sent.append(message)

    def ping(self) -> None:
        """Count it."""
        self.pings += 1

    def pause_reading(self) -> None:
        """Note it."""
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self) -> None:
        """Note it."""
        self.is_paused = False

    def accept_large_messages(self) -> bool:
        """Do nothing."""
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        """Keep the code."""
        self.closed_with = code

    def abort(self) -> None:
        """Note it."""
        self.is_aborted = True


class Clock:
    """Monotonic time that runs, and can jump."""

    def __init__(self) -> None:
        self._jumped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._jumped

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        self._jumped += seconds


class Live:
    """The server under test."""

    def __init__(self, **hub_options: Any) -> None:
        self.tokens = FakeTokens()
        self.directory = FakeDirectory()
        self.presence = MemoryPresence()
        self.clock = Clock()
        self.hub = Hub(self.tokens, self.directory, self.presence, clock=self.clock, **hub_options)
        self.port = 0
        self.errors: list[str] = []
        """What the server logged as its own failure; a test that expects one clears it."""
        self._clients: list[RawClient] = []

    def add(self, name: str, like: Device | None = None) -> Device:
        """Make a device known; `like` is a device of the same account."""
        device = Device(Username(name)) if like is None else Device(like.username, like.account_key)
        self.tokens.devices[device.token] = device
        self.directory.devices[device.device] = device
        return device

    async def dial(self, **options: Any) -> "RawClient":
        """Open a WebSocket and say nothing."""
        client = await RawClient.dial(self.port, **options)
        self._clients.append(client)
        return client

    async def log_in(self, device: Device, one_time: int = 2) -> "RawClient":
        """Open a WebSocket and put `device` online."""
        client = await self.dial()
        client.device = device
        await client.send(Hello(CURRENT, device.token).encode())
        assert await client.frame() == Welcome(CURRENT)
        await client.send(PreKeys(device.records(one_time)).encode())
        await client.settle()
        return client

    async def online(self, name: str) -> "RawClient":
        """Put a new device of a new account online."""
        return await self.log_in(self.add(name))

    async def ring(self, caller: "RawClient", *callees: "RawClient", call_id: CallId | None = None) -> CallId:
        """Let `caller` ring; return the call id after every callee has its RING."""
        call_id = call_id or CallId(os.urandom(16))
        offers = [offer(call_id, callee.device.device) for callee in callees]
        name = callees[0].device.username
        assert await self.hub.ring(caller.device, name, offers)
        for callee, expected in zip(callees, offers, strict=True):
            ring = await callee.frame()
            assert ring == Ring(caller.device.device, caller.device.username, expected)
        return call_id

    async def call(self, caller: "RawClient", callee: "RawClient") -> "Call":
        """Bring two clients into a call; return it with the route each has."""
        call_id = await self.ring(caller, callee)
        near, far = callee.device.device, caller.device.device
        await callee.send(Signalled(far, answer(call_id, near)).encode())
        assert await caller.frame() == Signalled(near, answer(call_id, near))
        await caller.send(Signalled(near, confirm(call_id)).encode())
        callee_route, confirmed, caller_route = (
            await callee.frame(),
            await callee.frame(),
            await caller.frame(),
        )
        assert isinstance(callee_route, Route)
        assert isinstance(caller_route, Route)
        assert confirmed == Signalled(far, confirm(call_id))
        assert (callee_route.call_id, callee_route.device) == (call_id, far)
        assert (caller_route.call_id, caller_route.device) == (call_id, near)
        assert callee_route.route != caller_route.route
        return Call(call_id, caller_route.route, callee_route.route)

    @property
    def now(self) -> float:
        """The wall clock, for presence."""
        return time.time()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.hub.expire()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.005)

    async def quiet(self, connections: int = 0) -> None:
        """Wait until only so many sockets are left."""
        await self.until(lambda: self.hub.counts()["connections"] == connections)

    def forget_clients(self) -> None:
        """Keep no client alive that the test has done with."""
        self._clients.clear()

    async def close_clients(self) -> None:
        """Close what the test left open."""
        for client in self._clients:
            await client.disconnect()


@dataclass(frozen=True)
class Call:
    """An accepted call."""

    call_id: CallId
    caller_route: RouteId
    callee_route: RouteId


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
        async with asyncio.timeout(5):
            kind, payload = await self.piece()
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


def offer(call_id: CallId, callee: DeviceId) -> bytes:
    """Return an OFFER that is well formed and says nothing."""
    noise = bytes(32), bytes(KEM_KEY_BYTES), bytes(KEM_CIPHERTEXT_BYTES)
    return Offer(1, 1, call_id, callee, PreKeyId(b"12345678"), None, *noise, b"id", b"offer").encode()


def answer(call_id: CallId, device: DeviceId) -> bytes:
    """Return an ANSWER that is well formed and says nothing."""
    return Answer(1, 1, call_id, device, bytes(32), bytes(KEM_CIPHERTEXT_BYTES), b"answer").encode()


def decline(call_id: CallId, device: DeviceId) -> bytes:
    """Return a DECLINE."""
    return Decline(1, 1, call_id, device, b"no").encode()


def cancel(call_id: CallId, device: DeviceId) -> bytes:
    """Return a CANCEL."""
    return Cancel(1, 1, call_id, device, b"never mind").encode()


def confirm(call_id: CallId) -> bytes:
    """Return a CONFIRM."""
    return Confirm(1, 1, call_id, bytes(32), b"the first message").encode()


def line(call_id: CallId, device: Device, state: LineState) -> LineStatus:
    """Return the LINE frame that tells of a device."""
    return LineStatus(call_id, device.device, state)


def hang_up(call_id: CallId) -> bytes:
    """Return a HANG_UP frame."""
    return HangUp(call_id).encode()


class _Errors(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the sentence."""
        self._kept.append(record.getMessage())


@contextlib.asynccontextmanager
async def serve(driver: WebSocketDriver, **hub_options: Any) -> AsyncIterator[Live]:
    """Run the live half under uvicorn in this loop, as `whisp serve` does, on a free port."""
    live = Live(**hub_options)
    door = Door(
        live.hub,
        lambda host: host == f"localhost:{live.port}",
        lambda origin: origin == f"http://localhost:{live.port}",
    )
    endpoint = WebSocketEndpoint(door)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await endpoint(scope, receive, send)
            return
        assert scope["type"] == "lifespan"
        await receive()
        live.hub.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await live.hub.stop()
        await send({"type": "lifespan.shutdown.complete"})

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http="httptools",
        lifespan="on",
        log_level="error",
        timeout_graceful_shutdown=3,
        **websocket_options(driver, door),
    )
    server = uvicorn.Server(config)
    task = asyncio.get_running_loop().create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
        assert not task.done(), task
    live.port = server.servers[0].sockets[0].getsockname()[1]
    log = logging.getLogger("whisp.signalling")
    log.addHandler(handler := _Errors(live.errors))
    try:
        yield live
    finally:
        await live.close_clients()
        server.should_exit = True
        await task
        log.removeHandler(handler)
    assert live.errors == []


def both_drivers(test: Callable[[Live], Awaitable[None]]) -> Callable[..., None]:
    """Run an async test of the live half on uvloop, once with each driver."""

    def run(driver: WebSocketDriver) -> None:
        async def scenario() -> None:
            async with serve(driver) as live:
                await test(live)

        uvloop.run(scenario())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    run.__module__ = test.__module__
    run.__signature__ = inspect.signature(run)  # type: ignore[attr-defined] # not the wrapped test's
    return pytest.mark.parametrize("driver", ["picows", "uvicorn"])(run)


__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "Call",
    "ClosedError",
    "Device",
    "FakeConnection",
    "FrameType",
    "Live",
    "RawClient",
    "answer",
    "both_drivers",
    "cancel",
    "confirm",
    "decline",
    "hang_up",
    "line",
    "offer",
    "serve",
]

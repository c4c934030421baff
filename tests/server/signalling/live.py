"""A live half on a free port, and the clients of its tests."""

import asyncio
import contextlib
import inspect
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
import uvloop
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import Device, answer, confirm, offer

from whisp.server.presence import MemoryPresence
from whisp.server.signalling.asgi_driver import WebSocketEndpoint
from whisp.server.signalling.door import Door
from whisp.server.signalling.drivers import WebSocketDriver, websocket_options
from whisp.server.signalling.hub import Hub
from whisp.server.signalling.relay import NO_LINKS, Links
from whisp.wire.codes import CloseCode
from whisp.wire.errors import VerificationError
from whisp.wire.frames import (
    Hello,
    PreKeys,
    PreKeysLeft,
    Ring,
    Route,
    Signalled,
    Welcome,
)
from whisp.wire.ids import CallId, DeviceId, RouteId, Username
from whisp.wire.version import CURRENT


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
        assert await client.frame() == PreKeysLeft(one_time)
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
        async with asyncio.timeout(20):
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

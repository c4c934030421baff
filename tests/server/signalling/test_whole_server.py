"""The live half inside the real server: accounts, HTTP and WebSockets together, on both drivers."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from tests.server.house import House, Person, another_device, house, next_list
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import answer, confirm, hang_up, line, offer

from whisp.server.signalling.drivers import WebSocketDriver
from whisp.wire import api
from whisp.wire.codes import CloseCode
from whisp.wire.frames import Hello, LineState, PreKeysLeft, Relay, Ring, Route, Signalled, Welcome
from whisp.wire.ids import CallId
from whisp.wire.prekey import PreKeyBundle
from whisp.wire.version import CURRENT


def on_both_drivers(test: Callable[[House], Awaitable[None]]) -> Callable[[WebSocketDriver], None]:
    """Run an async test of the whole server on uvloop, once with each driver."""

    def run(driver: WebSocketDriver) -> None:
        async def scenario() -> None:
            async with house(websocket=driver) as rooms:
                await test(rooms)

        uvloop.run(scenario())

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    marked: Callable[[WebSocketDriver], None] = pytest.mark.parametrize("driver", ["picows", "uvicorn"])(run)
    return marked


async def ring(caller: Person, name: str, *offers: bytes) -> str:
    """Ask for a session; return the result."""
    request = api.SessionRequest(caller.device.device, name, list(offers))
    return (await caller.ask("POST", "/v1/requestSession", request)).as_(api.SessionOutcome).result


async def call(caller: Person, near: RawClient, far: RawClient) -> tuple[CallId, Route, Route]:
    """Bring `far` into a call; return it with the caller's and the callee's ROUTE."""
    call_id = CallId(os.urandom(16))
    own, other = near.device.device, far.device.device
    assert await ring(caller, far.device.username, offer(call_id, other)) == "delivered"
    assert await far.frame() == Ring(own, caller.name, offer(call_id, other))
    await far.send(Signalled(own, answer(call_id, other)).encode())
    assert await near.frame() == Signalled(other, answer(call_id, other))
    await near.send(Signalled(other, confirm(call_id)).encode())
    far_route, confirmed, near_route = await far.frame(), await far.frame(), await near.frame()
    assert confirmed == Signalled(own, confirm(call_id))
    return call_id, near_route, far_route


@on_both_drivers
async def test_the_example_of_the_specification(rooms: House) -> None:
    odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
    near, far = await odile.online(), await sefa.online()
    reply = await odile.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest("SEFA"))
    outcome = reply.as_(api.PreKeyBundles)
    assert outcome.bundles
    (encoded,) = outcome.bundles
    PreKeyBundle.decode(encoded).certificate.verify(int(time.time()))
    assert isinstance(await far.frame(), PreKeysLeft)
    call_id, near_route, far_route = await call(odile, near, far)
    await near.relay(near_route.route, b"a ratchet message")
    assert await far.frame() == Relay(far_route.route, b"a ratchet message")
    await far.send(hang_up(call_id))
    assert await near.frame() == line(call_id, far.device, LineState.ENDED)


@on_both_drivers
async def test_logging_out_closes_the_socket_and_erasing_ends_the_calls(rooms: House) -> None:
    odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
    near, far = await odile.online(), await sefa.online()
    call_id, *_ = await call(odile, near, far)
    await sefa.ask("POST", "/v1/logout")
    assert (await far.closed()).code in (CloseCode.UNAUTHORIZED, CloseCode.NORMAL)
    assert await near.frame() == line(call_id, far.device, LineState.DOWN)
    sefa.token = await sefa.log_in()
    far = await RawClient.dial(rooms.port)
    sefa.sockets.append(far)
    far.device = sefa.device
    await far.send(Hello(CURRENT, sefa.token).encode())
    assert await far.frame() == Welcome(CURRENT)
    assert isinstance(await far.frame(), Route)
    assert await near.frame() == line(call_id, far.device, LineState.UP)
    await sefa.erase()
    assert (await far.closed()).code == CloseCode.REVOKED
    assert await near.frame() == line(call_id, far.device, LineState.ENDED)


@on_both_drivers
async def test_a_revoked_device_is_closed_with_4003(rooms: House) -> None:
    odile = await rooms.person("odile")
    tablet = another_device(odile)
    current = odile.device.device_list
    update = next_list(odile, current, (odile.device, tablet))
    assert (await odile.ask("PUT", "/v1/deviceList", update)).as_(api.Done)
    token = await odile.log_in(tablet)
    client = await odile.online(tablet, token)
    assert len(await rooms.application.presence.devices("odile", time.time())) == 1
    gone = next_list(odile, update.device_list, (odile.device,), (tablet,))
    assert (await odile.ask("PUT", "/v1/deviceList", gone)).as_(api.Done)
    assert (await client.closed()).code == CloseCode.REVOKED


@on_both_drivers
async def test_a_stopping_server_says_so_and_does_not_linger(rooms: House) -> None:
    odile = await rooms.person("odile")
    client = await odile.online()
    stopping = asyncio.ensure_future(rooms.application.hub.stop())
    assert (await client.closed()).code == CloseCode.RESTART
    await asyncio.wait_for(stopping, 3)

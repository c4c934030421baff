"""S-10: frames into calls and to devices that are not the sender's reach nobody and tell nothing."""

import gc
import os

import pytest
import uvloop
from tests.server.signalling.live import Live, both_drivers, serve
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import answer, cancel, confirm, decline, hang_up, line

from whisp.server.limits import MAX_STRAY_FRAMES
from whisp.wire.codes import CloseCode
from whisp.wire.frames import HangUp, LineState, Relay, Signalled
from whisp.wire.ids import CallId, RouteId


async def expect_stray(client: RawClient, frame: bytes) -> tuple[int, str]:
    """Send `frame` until the socket closes; return how it was closed."""
    for _ in range(MAX_STRAY_FRAMES - 1):
        await client.send(frame)
    await client.settle()  # not one too early
    await client.send(frame)
    closed = await client.closed()
    assert closed.code == CloseCode.STRAY
    return closed.code, closed.reason


@both_drivers
async def test_s10_every_kind_of_foreign_frame_is_stray_and_closes_alike(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    ringing = await live.ring(odile, sefa)
    far, near = odile.device.device, sefa.device.device
    unknown = CallId(os.urandom(16))
    frames = [
        Relay(call.caller_route, b"a route seen elsewhere").encode(),
        Relay(call.callee_route, b"a route seen elsewhere").encode(),
        Relay(RouteId(os.urandom(16)), b"a route that never was").encode(),
        *(
            Signalled(to, make(call_id, far)).encode()
            for to in (far, near)
            for call_id in (call.call_id, ringing, unknown)
            for make in (answer, decline, cancel)
        ),
        Signalled(near, confirm(ringing)).encode(),
        HangUp(call.call_id).encode(),
        HangUp(ringing).encode(),
        HangUp(unknown).encode(),
    ]
    answers = set()
    for n, frame in enumerate(frames):
        third = await live.online(f"third-{n}")
        answers.add(await expect_stray(third, frame))
    assert len(answers) == 1, "the close tells whether the call exists"
    await odile.settle()
    await sefa.settle()
    await odile.relay(call.caller_route, b"undisturbed")
    assert await sefa.frame() == Relay(call.callee_route, b"undisturbed")


@both_drivers
async def test_s10_the_other_end_s_route_is_not_one_s_own(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    await expect_stray(odile, Relay(call.callee_route, b"to myself?").encode())
    assert await sefa.frame() == line(call.call_id, odile.device, LineState.DOWN)
    await sefa.settle()


@both_drivers
async def test_s10_nothing_is_relayed_before_both_accepted(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call_id = await live.ring(odile, sefa)
    await odile.send(Signalled(sefa.device.device, confirm(call_id)).encode())  # without an ANSWER
    await odile.relay(RouteId(call_id), b"the call id is no route")
    await odile.settle()
    await sefa.settle()


@both_drivers
async def test_s10_a_device_that_did_not_accept_has_no_route(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    tablet = await live.log_in(live.add("sefa", like=sefa.device))
    call = await live.call(odile, sefa)
    await expect_stray(tablet, Relay(call.callee_route, b"the same account").encode())
    await odile.settle()
    await sefa.settle()


@both_drivers
async def test_s10_routes_die_with_their_call(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    old = await live.call(odile, sefa)
    await odile.send(hang_up(old.call_id))
    assert await sefa.frame() == line(old.call_id, odile.device, LineState.ENDED)
    new = await live.call(odile, sefa)
    assert {new.caller_route, new.callee_route}.isdisjoint({old.caller_route, old.callee_route})
    await odile.relay(old.caller_route, b"of the old call")
    await sefa.send(hang_up(old.call_id))  # a replayed hang-up
    await odile.relay(new.caller_route, b"of the new call")
    assert await sefa.frame() == Relay(new.callee_route, b"of the new call")
    await odile.settle()


def test_s10_strays_leave_nothing_behind() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:

            async def probe() -> None:
                third = await live.log_in(live.add("third"), one_time=0)
                await expect_stray(third, Relay(RouteId(os.urandom(16)), b"?").encode())
                await third.disconnect()
                live.tokens.devices.clear()
                live.directory.devices.clear()
                live.forget_clients()
                await live.quiet()

            for _ in range(5):
                await probe()
            gc.collect()
            before = len(gc.get_objects())
            for _ in range(40):
                await probe()
            gc.collect()
            assert len(gc.get_objects()) - before < 80  # not two a round
            assert set(live.hub.counts().values()) == {0}

    uvloop.run(scenario())


@pytest.mark.parametrize("make", [answer, decline, cancel])
def test_s10_a_signal_cannot_be_sent_to_oneself(make: object) -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            call_id = await live.ring(odile, sefa)
            for client in (odile, sefa):
                own = client.device.device
                await client.send(Signalled(own, make(call_id, own)).encode())  # type: ignore[operator]
                await client.settle()

    uvloop.run(scenario())

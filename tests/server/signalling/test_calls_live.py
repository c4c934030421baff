"""Calls over real sockets, with both drivers."""

from tests.server.signalling.live import Live, both_drivers
from tests.server.signalling.scripts import hang_up, line

from whisp.wire.frames import LineState, Relay


@both_drivers
async def test_a_call_through_the_relay(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    for size in (1, 100, 125 - 17, 126 - 17, 5000, 65_519, 262_144):
        payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
        await odile.relay(call.caller_route, payload)
        assert await sefa.frame() == Relay(call.callee_route, payload)
        await sefa.relay(call.callee_route, payload)
        assert await odile.frame() == Relay(call.caller_route, payload)
    await sefa.send(hang_up(call.call_id))
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.ENDED)
    assert live.hub.counts()["calls"] == 0

"""S-09: who sent it is what the server knows from the socket, never what a frame says."""

from tests.server.signalling.live import Live, both_drivers
from tests.server.signalling.scripts import answer, cancel, decline, offer

from whisp.server.limits import MAX_STRAY_FRAMES
from whisp.wire.codes import CloseCode
from whisp.wire.frames import Ring, Signalled
from whisp.wire.ids import CallId


@both_drivers
async def test_s09_the_server_names_the_sender_of_every_signal(live: Live) -> None:
    odile, sefa, nils = await live.online("odile"), await live.online("sefa"), await live.online("nils")
    tablet = await live.log_in(live.add("sefa", like=sefa.device))
    for stated in (odile.device, nils.device, tablet.device):
        call_id = await live.ring(odile, sefa)
        spoofed = answer(call_id, stated.device)
        await sefa.send(Signalled(odile.device.device, spoofed).encode())
        assert await odile.frame() == Signalled(sefa.device.device, spoofed)
        await sefa.send(Signalled(odile.device.device, decline(call_id, stated.device)).encode())
        assert (await odile.frame()).device == sefa.device.device
    for client in (nils, tablet, sefa):
        await client.settle()


@both_drivers
async def test_s09_another_device_of_the_same_account_cannot_answer_for_the_rung_one(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    tablet = await live.log_in(live.add("sefa", like=sefa.device))
    call_id = await live.ring(odile, sefa)
    for make in (answer, decline, cancel):
        await tablet.send(Signalled(odile.device.device, make(call_id, sefa.device.device)).encode())
    await tablet.settle()
    await odile.settle()
    await sefa.settle()


@both_drivers
async def test_s09_a_ring_carries_the_name_and_device_of_the_token(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call_id = CallId(bytes(16))
    assert await live.hub.ring(odile.device, "sefa", [offer(call_id, sefa.device.device)])
    ring = await sefa.frame()
    assert ring == Ring(odile.device.device, odile.device.username, offer(call_id, sefa.device.device))


@both_drivers
async def test_s09_mismatches_are_counted(live: Live) -> None:
    nils, odile, sefa = await live.online("nils"), await live.online("odile"), await live.online("sefa")
    call_id = await live.ring(odile, sefa)
    for _ in range(MAX_STRAY_FRAMES):
        await nils.send(Signalled(odile.device.device, answer(call_id, sefa.device.device)).encode())
    assert (await nils.closed()).code == CloseCode.STRAY
    await odile.settle()

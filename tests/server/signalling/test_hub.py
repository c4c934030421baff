"""The hub over real sockets, with both drivers: who gets in, who is told what, what is left behind."""

import asyncio
import base64

import uvloop
from tests.server.signalling.live import Live, both_drivers, serve
from tests.server.signalling.raw_client import CLOSE, PING, ClosedError
from tests.server.signalling.scripts import answer, cancel, confirm, hang_up, line, offer

from whisp.server import limits
from whisp.wire.codes import CloseCode
from whisp.wire.errors import MalformedError
from whisp.wire.frames import (
    Hello,
    LineState,
    PreKeys,
    PreKeysLeft,
    Relay,
    Route,
    Signalled,
    Welcome,
)
from whisp.wire.ids import CallId, DeviceId
from whisp.wire.limits import LOW_PRE_KEYS
from whisp.wire.prekey import PreKeyBundle, PreKeyKind
from whisp.wire.version import CURRENT, Version

CALL = CallId(b"c" * 16)


@both_drivers
async def test_a_device_is_online_after_its_pre_keys_and_offline_after_its_socket(live: Live) -> None:
    sefa = live.add("sefa")
    client = await live.dial()
    assert client.status == 101
    await client.send(Hello(CURRENT, sefa.token).encode())
    assert await client.frame() == Welcome(CURRENT)
    assert not await live.presence.is_online("sefa", live.now)
    records = sefa.records(20)
    await client.send(PreKeys(records).encode())
    assert await client.frame() == PreKeysLeft(20)
    assert await live.presence.is_online("sefa", live.now)
    (bundle,) = await live.presence.bundles("sefa", live.now)
    assert PreKeyBundle.decode(bundle).signed.encode() == records[0]
    await client.disconnect()
    await live.quiet()
    assert not await live.presence.is_online("sefa", live.now)
    assert set(live.hub.counts().values()) == {0}


@both_drivers
async def test_a_client_is_asked_for_more_pre_keys(live: Live) -> None:
    sefa = await live.log_in(live.add("sefa"), one_time=7)
    for left in range(6, -1, -1):
        await live.presence.bundles("sefa", live.now)
        if left <= LOW_PRE_KEYS:
            assert await sefa.frame() == PreKeysLeft(left)
    await live.presence.bundles("sefa", live.now)
    await sefa.settle()


@both_drivers
async def test_another_major_version_is_told_both(live: Live) -> None:
    client = await live.dial()
    await client.send(Hello(Version(2, 7), "").encode()[:3])
    closed = await client.closed()
    assert closed.code == CloseCode.VERSION
    assert str(CURRENT) in closed.reason
    assert "2.7" in closed.reason


@both_drivers
async def test_another_minor_version_is_welcome(live: Live) -> None:
    client = await live.dial()
    await client.send(Hello(Version(CURRENT.major, 200), live.add("sefa").token).encode())
    assert await client.frame() == Welcome(CURRENT)


@both_drivers
async def test_s22_a_wrong_token_and_a_revoked_device(live: Live) -> None:
    client = await live.dial()
    await client.send(Hello(CURRENT, "no such token").encode())
    assert (await client.closed()).code == CloseCode.UNAUTHORIZED
    gone = live.add("sefa")
    del live.directory.devices[gone.device]
    client = await live.dial()
    await client.send(Hello(CURRENT, gone.token).encode())
    assert (await client.closed()).code == CloseCode.REVOKED


@both_drivers
async def test_a_failing_storage_asks_to_come_back(live: Live) -> None:
    live.directory.failure = OSError("disk full")
    client = await live.dial()
    await client.send(Hello(CURRENT, live.add("sefa").token).encode())
    assert (await client.closed()).code == CloseCode.RESTART
    assert live.errors == ["a device could not be looked up: OSError"]
    live.errors.clear()


@both_drivers
async def test_a_newer_connection_replaces_the_older_and_keeps_its_calls(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    newer = await live.dial()
    newer.device = sefa.device
    await newer.send(Hello(CURRENT, sefa.device.token).encode())
    assert await newer.frame() == Welcome(CURRENT)
    assert (await sefa.closed()).code == CloseCode.REPLACED
    assert await newer.frame() == Route(call.call_id, odile.device.device, call.callee_route)
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.DOWN)
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.UP)
    await odile.relay(call.caller_route, b"still there?")
    assert await newer.frame() == Relay(call.callee_route, b"still there?")
    await sefa.disconnect()
    await odile.relay(call.caller_route, b"the old socket's end changes nothing")
    assert isinstance(await newer.frame(), Relay)


@both_drivers
async def test_a_call_is_held_while_a_side_is_away(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    await sefa.disconnect()
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.DOWN)
    for _ in range(limits.MAX_STRAY_FRAMES + 4):
        await odile.relay(call.caller_route, b"into the void")  # neither kept nor stray
    await odile.settle()
    back = await live.dial()
    back.device = sefa.device
    await back.send(Hello(CURRENT, sefa.device.token).encode())
    assert await back.frame() == Welcome(CURRENT)
    assert await back.frame() == Route(call.call_id, odile.device.device, call.callee_route)
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.UP)
    await back.relay(call.callee_route, b"here again")
    assert await odile.frame() == Relay(call.caller_route, b"here again")


@both_drivers
async def test_the_hold_ends(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    await sefa.disconnect()
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.DOWN)
    live.advance(59)
    await odile.settle()
    live.advance(2)
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.ENDED)
    await odile.relay(call.caller_route, b"too late, and no stray")
    await odile.settle()
    back = await live.log_in(sefa.device)
    await back.settle()
    live.advance(limits.TOMBSTONE_SECONDS + 1)
    await odile.settle()
    assert live.hub.counts()["desks"] == 2
    assert live.hub.counts()["calls"] == 0


@both_drivers
async def test_s10_after_a_hang_up_frames_go_nowhere(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    await odile.send(hang_up(call.call_id))
    assert await sefa.frame() == line(call.call_id, odile.device, LineState.ENDED)
    for _ in range(limits.MAX_STRAY_FRAMES):
        await sefa.relay(call.callee_route, b"was under way")
        await odile.relay(call.caller_route, b"was under way")
    await odile.settle()
    await sefa.settle()
    live.advance(limits.TOMBSTONE_SECONDS + 1)
    await sefa.settle()
    for _ in range(limits.MAX_STRAY_FRAMES):
        await sefa.relay(call.callee_route, b"is not")
    assert (await sefa.closed()).code == CloseCode.STRAY
    await odile.settle()


@both_drivers
async def test_a_revoked_device_goes_and_its_calls_end(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    live.hub.disconnect(sefa.device.device, CloseCode.REVOKED)
    assert (await sefa.closed()).code == CloseCode.REVOKED
    assert await odile.frame() == line(call.call_id, sefa.device, LineState.ENDED)
    assert live.hub.counts()["calls"] == 0
    assert not await live.presence.is_online("sefa", live.now)
    live.hub.disconnect(DeviceId(bytes(16)), CloseCode.REVOKED)  # nobody: nothing happens


@both_drivers
async def test_s36_a_device_revoked_while_it_identifies_does_not_get_in(live: Live) -> None:
    live.directory.may_answer.clear()
    sefa = live.add("sefa")
    client = await live.dial()
    await client.send(Hello(CURRENT, sefa.token).encode())
    while live.hub.counts()["paused"] == 0:
        await asyncio.sleep(0.005)
    live.hub.disconnect(sefa.device, CloseCode.REVOKED)
    live.directory.may_answer.set()
    assert (await client.closed()).code == CloseCode.REVOKED
    assert live.hub.counts()["desks"] == 0


@both_drivers
async def test_s36_two_log_ins_of_one_device_leave_one(live: Live) -> None:
    sefa = live.add("sefa")
    clients = [await live.dial() for _ in range(8)]
    for client in clients:
        await client.send(Hello(CURRENT, sefa.token).encode())
    ends = []
    for client in clients:
        try:
            assert await client.frame() == Welcome(CURRENT)
            await client.settle()
        except ClosedError as closed:
            ends.append(closed.code)
        else:
            ends.append(0)
    assert ends.count(0) <= 1
    assert set(ends) <= {0, CloseCode.REPLACED}
    await asyncio.sleep(0.05)
    assert live.hub.counts()["desks"] == 1


@both_drivers
async def test_a_newer_device_list_is_served_and_drops_the_revoked(live: Live) -> None:
    sefa = await live.online("sefa")
    tablet = await live.log_in(live.add("sefa", like=sefa.device))
    assert len(await live.presence.devices("sefa", live.now)) == 2
    newer = sefa.device.list_of(sefa.device, revoked=(tablet.device,), version=2)
    live.hub.update_device_list(sefa.device.account, newer, [sefa.device.certificate])
    assert (await tablet.closed()).code == CloseCode.REVOKED
    (bundle,) = await live.presence.bundles("sefa", live.now)
    assert PreKeyBundle.decode(bundle).device_list.version == 2
    await sefa.send(PreKeys(sefa.device.records()).encode())
    left = [await sefa.frame(), await sefa.frame()]
    assert left == [PreKeysLeft(1), PreKeysLeft(2)]  # of the first bundle, then of those published
    (bundle,) = await live.presence.bundles("sefa", live.now)
    assert PreKeyBundle.decode(bundle).device_list.version == 2


@both_drivers
async def test_ringing_reaches_the_devices_of_that_name_only(live: Live) -> None:
    odile, sefa, nils = await live.online("odile"), await live.online("sefa"), await live.online("nils")
    hub, caller = live.hub, odile.device
    assert not await hub.ring(caller, "sefa", [offer(CALL, nils.device.device)])
    assert not await hub.ring(caller, "nobody", [offer(CALL, sefa.device.device)])
    assert not await hub.ring(caller, "no such näme", [offer(CALL, sefa.device.device)])
    assert not await hub.ring(caller, "odile", [offer(CALL, odile.device.device)])
    assert not await hub.ring(caller, "sefa", [])
    for client in (odile, sefa, nils):
        await client.settle()
    assert hub.counts()["calls"] == 0
    await live.ring(odile, sefa)


@both_drivers
async def test_offers_that_are_none_are_refused_whoever_they_are_for(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    good = offer(CALL, sefa.device.device)
    bad: list[list[bytes]] = [
        [b""],
        [good[:-1]],
        [good + b"x"],
        [answer(CALL, sefa.device.device)],
        [good, good],
        [good, offer(CallId(bytes(16)), DeviceId(bytes(16)))],
        [bytes(40_000)],
    ]
    for name in ("sefa", "nobody"):
        for offers in bad:
            try:
                await live.hub.ring(odile.device, name, offers)
            except MalformedError:
                continue
            raise AssertionError(offers)
    await sefa.settle()


@both_drivers
async def test_first_device_to_accept_has_the_call(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    tablet = await live.log_in(live.add("sefa", like=sefa.device))
    call_id = await live.ring(odile, sefa, tablet)
    for callee in (tablet, sefa):
        near = callee.device.device
        await callee.send(Signalled(odile.device.device, answer(call_id, near)).encode())
        assert await odile.frame() == Signalled(near, answer(call_id, near))
    await odile.send(Signalled(tablet.device.device, confirm(call_id)).encode())
    await odile.send(Signalled(sefa.device.device, cancel(call_id, odile.device.device)).encode())
    assert isinstance(await tablet.frame(), Route)
    assert await sefa.frame() == Signalled(odile.device.device, cancel(call_id, odile.device.device))
    assert isinstance(await odile.frame(), Route)


@both_drivers
async def test_a_restart_says_so(live: Live) -> None:
    odile, stranger = await live.online("odile"), await live.dial()
    stop = asyncio.ensure_future(live.hub.stop())
    assert (await odile.closed()).code == CloseCode.RESTART
    assert (await stranger.closed()).code == CloseCode.RESTART
    await stop
    late = await live.dial()
    assert (await late.closed()).code == CloseCode.RESTART


@both_drivers
async def test_a_client_closes_and_is_answered(live: Live) -> None:
    odile = await live.online("odile")
    odile.write_piece(b"\x03\xe8", CLOSE)
    assert (await odile.closed()).code == CloseCode.NORMAL
    await live.quiet()
    assert set(live.hub.counts().values()) == {0}


@both_drivers
async def test_silence_before_hello_ends(live: Live) -> None:
    client = await live.dial()
    live.advance(limits.HELLO_SECONDS + 0.1)
    assert (await client.closed()).code == CloseCode.UNAUTHORIZED


def test_places_are_bounded_in_all_per_address_and_before_hello() -> None:
    async def scenario() -> None:
        for bound in ("max_connections", "max_connections_per_address", "max_unidentified"):
            async with serve("picows", **{bound: 3}) as live:
                first = [await live.dial() for _ in range(3)]
                assert (await (await live.dial()).closed()).code == CloseCode.BUSY
                for client in first:
                    await client.settle()
                await first[0].disconnect()
                await live.quiet(2)
                await (await live.dial()).settle()

    uvloop.run(scenario())


def test_identified_sockets_leave_the_places_before_hello() -> None:
    async def scenario() -> None:
        async with serve("picows", max_unidentified=1) as live:
            await live.online("odile")
            await live.online("sefa")
            assert live.hub.counts()["newcomers"] == 0

    uvloop.run(scenario())


def test_a_dead_socket_is_pinged_and_cut_and_a_live_one_stays() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            beats = round(limits.PING_SECONDS / limits.SWEEP_SECONDS)
            for _ in range(beats):
                live.hub.expire()
            for client in (odile, sefa):
                kind, payload = await client.piece()
                assert (kind, payload) == (PING, b"")
            odile.write_piece(b"", 10)
            await odile.settle()
            for _ in range(beats):
                live.hub.expire()
            assert (await sefa.closed()).code == 1006
            assert (await odile.piece())[0] == PING
            await odile.settle()

    uvloop.run(scenario())


@both_drivers
async def test_a_flood_of_pre_keys_is_slowed_and_then_ended(live: Live) -> None:
    sefa = await live.online("sefa")
    signed = PreKeys((sefa.device.record(PreKeyKind.SIGNED),)).encode()
    for _ in range(limits.MAX_PRE_KEY_BURST - 1):
        await sefa.send(signed)
        assert await sefa.frame() == PreKeysLeft(0)
    assert live.hub.counts()["paused"] == 0
    await sefa.send(signed)
    await live.until(lambda: live.hub.counts()["paused"] == 1)
    live.advance(limits.PRE_KEY_SECONDS + 1)
    await live.until(lambda: live.hub.counts()["paused"] == 0)
    assert await sefa.frame() == PreKeysLeft(0)
    await sefa.settle()


@both_drivers
async def test_bad_pre_keys_close(live: Live) -> None:
    signed, one_time = live.add("x1x").records(1)
    for name, records in (("aaa", (signed,)), ("bbb", (one_time,)), ("ccc", (signed, one_time))):
        client = await live.dial()
        await client.send(Hello(CURRENT, live.add(name).token).encode())
        await client.frame()
        await client.send(PreKeys(records).encode())
        assert (await client.closed()).code == CloseCode.PROTOCOL
        assert not await live.presence.is_online(name, live.now)


def test_the_upgrade_key_is_answered() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            key = base64.b64encode(b"the sample nonce").decode()
            assert key == "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3
            client = await live.dial(headers={"Sec-WebSocket-Key": key})
            assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in client.head

    uvloop.run(scenario())

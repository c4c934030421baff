"""What happens below our frames, with both drivers: upgrades, fragments, pings, sizes, back-pressure."""

import asyncio
import os

import pytest
import uvloop
from tests.server.signalling.live import Live, both_drivers, serve
from tests.server.signalling.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient
from tests.server.signalling.scripts import offer

from whisp.server import limits
from whisp.server.signalling.picows_driver import PicowsConnection
from whisp.wire.codes import CloseCode
from whisp.wire.frames import Hello, PreKeys, PreKeysLeft, Relay, Welcome
from whisp.wire.ids import CallId
from whisp.wire.version import CURRENT


async def connection_of(live: Live, client: RawClient) -> PicowsConnection:
    connection = live.hub._exchange.connection(client.device.device)
    assert isinstance(connection, PicowsConnection)
    return connection


def free_read_buffer(connection: PicowsConnection) -> int:
    return len(connection._transport.get_protocol().get_buffer(-1))


@both_drivers
async def test_a_message_may_come_in_pieces(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    frame = Relay(call.caller_route, b"in pieces, with a ping between").encode()
    odile.write_piece(frame[:5], BINARY, fin=False)
    odile.write_piece(b"now?", PING)
    odile.write_piece(frame[5:20], CONTINUATION, fin=False)
    odile.write_piece(frame[20:], CONTINUATION)
    assert await odile.piece() == (PONG, b"now?")
    assert await sefa.frame() == Relay(call.callee_route, b"in pieces, with a ping between")
    await odile.relay(call.caller_route, b"and whole again")
    assert await sefa.frame() == Relay(call.callee_route, b"and whole again")


@both_drivers
async def test_a_piece_never_passes_for_a_frame(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    inner = Relay(call.caller_route, b"not alone").encode()
    outer = Relay(call.caller_route, b"0123" + inner).encode()
    odile.write_piece(outer[:21], BINARY, fin=False)
    odile.write_piece(inner, CONTINUATION)
    odile.write_piece(b"", PING)  # so that the piece is not the last of its read
    assert await odile.piece() == (PONG, b"")
    assert await sefa.frame() == Relay(call.callee_route, b"0123" + inner)
    await sefa.settle()


@both_drivers
async def test_one_read_may_bring_frames_of_all_kinds(live: Live) -> None:
    odile, sefa, nils = await live.online("odile"), await live.online("sefa"), await live.online("nils")
    to_sefa, to_nils = await live.call(odile, sefa), await live.call(odile, nils)
    payloads = [os.urandom(size) for size in (200, 200, 10, 200, 3000)]
    for payload in payloads:
        odile.write_piece(Relay(to_sefa.caller_route, payload).encode())
        odile.write_piece(Relay(to_nils.caller_route, payload).encode())
        odile.write_piece(b"", PING)
    for payload in payloads:
        assert await sefa.frame() == Relay(to_sefa.callee_route, payload)
        assert await nils.frame() == Relay(to_nils.callee_route, payload)
        assert await odile.piece() == (PONG, b"")


@both_drivers
async def test_frames_of_one_sender_keep_their_order(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    for n in range(2000):
        odile.write_piece(Relay(call.caller_route, n.to_bytes(4, "big") * (1 + n % 97)).encode())
    for n in range(2000):
        frame = await sefa.frame()
        assert frame.payload == n.to_bytes(4, "big") * (1 + n % 97)


@both_drivers
async def test_text_closes(live: Live) -> None:
    client = await live.online("odile")
    client.write_piece(b"hello", TEXT)
    assert (await client.closed()).code == CloseCode.PROTOCOL


@both_drivers
async def test_text_that_looks_like_a_relay_frame_closes(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    odile.write_piece(Relay(call.caller_route, b"text").encode(), TEXT)
    assert (await odile.closed()).code in (CloseCode.PROTOCOL, 1007)  # random bytes are rarely UTF-8


@both_drivers
async def test_the_largest_message_passes_and_one_byte_more_closes(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    await odile.relay(call.caller_route, bytes(262_144))
    assert len((await sefa.frame()).payload) == 262_144
    await odile.relay(call.caller_route, bytes(262_145))
    assert (await odile.closed()).code == CloseCode.TOO_BIG


@both_drivers
async def test_before_hello_only_a_hello_fits(live: Live) -> None:
    client = await live.dial()
    await client.send(bytes(limits.MAX_HELLO_BYTES + 1))
    assert (await client.closed()).code == CloseCode.TOO_BIG


def test_before_hello_pieces_are_as_small() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            client = await live.dial()
            for n in range(limits.MAX_HELLO_BYTES // 100 + 1):
                client.write_piece(bytes(100), CONTINUATION if n else BINARY, fin=False)
            assert (await client.closed()).code == CloseCode.TOO_BIG

    uvloop.run(scenario())


def test_nothing_may_come_between_hello_and_welcome() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            sefa = live.add("sefa")
            client = await live.dial()
            client.write_piece(Hello(CURRENT, sefa.token).encode())
            client.write_piece(PreKeys(sefa.records(0)).encode())
            assert (await client.closed()).code in (CloseCode.PROTOCOL, CloseCode.TOO_BIG)
            live.directory.may_answer.clear()
            client = await live.dial()
            client.write_piece(Hello(CURRENT, sefa.token).encode())
            client.write_piece(b"half a fra", length=100)  # left over in the parser
            await live.until(lambda: live.hub.counts()["paused"] == 1)
            live.directory.may_answer.set()
            assert (await client.closed()).code == CloseCode.PROTOCOL

    uvloop.run(scenario())


@both_drivers
async def test_frames_that_wait_for_welcome_are_taken_after_it(live: Live) -> None:
    live.directory.may_answer.clear()
    sefa = live.add("sefa")
    client = await live.dial()
    await client.send(Hello(CURRENT, sefa.token).encode())
    await live.until(lambda: live.hub.counts()["paused"] == 1)
    await client.send(PreKeys(sefa.records(20)).encode())
    await asyncio.sleep(0.02)
    live.directory.may_answer.set()
    assert await client.frame() == Welcome(CURRENT)
    assert await client.frame() == PreKeysLeft(20)
    assert await live.presence.is_online("sefa", live.now)


@both_drivers
async def test_s24_only_our_own_pages_hosts_and_path_may_connect(live: Live) -> None:
    own = f"http://localhost:{live.port}"
    assert (await live.dial(headers={"Origin": own})).status == 101
    for origin in ("null", "http://evil.example", own + ".evil.example", "", own.upper() + "/"):
        assert (await live.dial(headers={"Origin": origin})).status == 403
    for host in ("evil.example", "localhost", f"localhost:{live.port}.evil.example"):
        assert (await live.dial(headers={"Host": host})).status == 421
    for path in ("/", "/v1/connect/", "/v1/Connect", "/v2/connect"):
        assert (await live.dial(path=path)).status == 404
    assert (await live.dial(path="/v1/connect?x=1")).status == 101


@both_drivers
async def test_a_refusal_says_no_more_than_its_kind(live: Live) -> None:
    client = await live.dial(headers={"Origin": "http://CNRY-origin"})
    body = await client.reader.read(500)
    assert b"no-store" in client.head
    assert b'"error":"forbidden"' in body
    assert b"CNRY" not in client.head + body


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Key": "c2hvcnQ="},
        {"Sec-WebSocket-Key": "not base 64"},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Version": None},
        {"Content-Length": "5"},
    ],
)
def test_an_upgrade_that_is_none_is_refused(headers: dict[str, str | None]) -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            assert (await live.dial(headers=headers)).status == 400

    uvloop.run(scenario())


def test_no_extension_is_agreed_on() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            client = await live.dial(headers={"Sec-WebSocket-Extensions": "permessage-deflate"})
            assert client.status == 101
            assert b"extensions" not in client.head.lower()
            client = await live.dial(headers={"Connection": "keep-alive, Upgrade"})  # as Firefox says it
            assert client.status == 101

    uvloop.run(scenario())


@both_drivers
async def test_s12_a_slow_reader_slows_its_sender_and_is_closed(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    nils, oline = await live.online("nils"), await live.online("oline")
    call, control = await live.call(odile, sefa), await live.call(nils, oline)
    sent = 0
    try:
        async with asyncio.timeout(20):
            while live.hub.counts()["paused"] == 0:
                odile.write_piece(Relay(call.caller_route, bytes(65_000)).encode())
                sent += 65_000
                await asyncio.wait_for(odile.writer.drain(), 0.2)
    except TimeoutError:
        pass
    assert live.hub.counts()["full"] == 1
    assert live.hub.counts()["paused"] == 1
    reader = live.hub._exchange.connection(sefa.device.device)
    assert reader is not None
    assert limits.MAX_QUEUED_BYTES < reader.queued_bytes < 2 * limits.MAX_QUEUED_BYTES
    await nils.relay(control.caller_route, b"others go on")
    assert await oline.frame() == Relay(control.callee_route, b"others go on")
    live.advance(limits.SLOW_READER_SECONDS - 1)
    assert live.hub.counts()["full"] == 1
    live.advance(2)
    assert live.hub.counts()["full"] == live.hub.counts()["paused"] == 0
    live.advance(limits.CLOSE_SECONDS + 1)  # nobody reads the close code: it is cut
    await live.until(lambda: live.hub.counts()["connections"] == 3)


@both_drivers
async def test_s12_a_reader_that_catches_up_gets_everything(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    count = 200

    async def send() -> None:
        for n in range(count):
            await odile.relay(call.caller_route, n.to_bytes(2, "big") + bytes(100_000))

    sending = asyncio.ensure_future(send())
    await live.until(lambda: live.hub.counts()["full"] == 1 or sending.done())
    for n in range(count):
        assert (await sefa.frame()).payload[:2] == n.to_bytes(2, "big")
    await sending
    await live.until(lambda: live.hub.counts()["paused"] == 0)
    await odile.settle()


@both_drivers
async def test_s12_pings_without_reading_fill_nothing(live: Live) -> None:
    client = await live.dial(limit=1024)
    client.device = live.add("sefa")
    await client.send(Hello(CURRENT, client.device.token).encode())
    await client.frame()
    connection = live.hub._exchange.connection(client.device.device)
    assert connection is not None
    connection.allowance = 10**9  # or the rule against floods would come first
    client.reader._transport.pause_reading()  # type: ignore[attr-defined] # the test reads no more
    flood = (b"\x89\xfd" + bytes(4) + bytes(125)) * 500
    try:
        for _ in range(300):  # 20 MB of pings
            client.writer.write(flood)
            await asyncio.wait_for(client.writer.drain(), 0.2)
    except TimeoutError:
        pass
    assert connection.queued_bytes < 2 * limits.MAX_QUEUED_BYTES


def test_s12_a_flood_is_paused_and_not_closed() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            call = await live.call(odile, sefa)
            frame = b"\x82\x92" + bytes(4) + Relay(call.caller_route, b"x").encode()
            connection = await connection_of(live, odile)
            connection.allowance = 1000  # the second is nearly used up
            live.hub._spent_at[connection] = live.clock()
            total = 20_000

            async def count() -> int:
                left = total * 20
                while left:
                    left -= len(await sefa.reader.read(min(left, 65_536)))
                return left

            counting = asyncio.ensure_future(count())
            odile.writer.write(frame * total)
            await live.until(lambda: live.hub.counts()["paused"] == 1)
            live.advance(1.1)
            await live.until(lambda: live.hub.counts()["paused"] == 0)
            await asyncio.wait_for(counting, 20)
            await odile.settle()

    uvloop.run(scenario())


def test_the_read_buffer_shrinks_after_large_frames() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            odile, sefa = await live.log_in(live.add("odile"), one_time=20), await live.online("sefa")
            call = await live.call(odile, sefa)
            small = limits.READ_BUFFER_BYTES - 256
            connection = await connection_of(live, odile)
            assert free_read_buffer(connection) == small  # PRE_KEYS was 28 KiB
            await odile.relay(call.caller_route, bytes(200_000))
            await sefa.frame()
            assert free_read_buffer(connection) > 200_000
            odile.write_piece(b"", PONG)
            await odile.settle()
            assert free_read_buffer(connection) == small
            await odile.relay(call.caller_route, bytes(200_000))
            assert len((await sefa.frame()).payload) == 200_000

    uvloop.run(scenario())


def test_the_interop_of_the_pinned_picows() -> None:
    """All that `picows_driver` takes from inside picows: a new version shows here first."""
    from picows.picows import WSProtocol, WSTransport  # type: ignore[attr-defined] # internal

    for name in ("connection_made", "connection_lost", "get_buffer", "buffer_updated", "pause_writing"):
        assert callable(getattr(WSProtocol, name))
    assert callable(WSTransport.send_close)


@both_drivers
async def test_a_close_in_the_middle_of_a_burst(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    odile.write_piece(Relay(call.caller_route, b"before").encode())
    odile.write_piece(b"\x03\xe8", CLOSE)
    odile.write_piece(Relay(call.caller_route, b"after").encode())
    assert await sefa.frame() == Relay(call.callee_route, b"before")
    assert (await sefa.frame()).state == 2
    await sefa.settle()


@both_drivers
async def test_a_relay_frame_without_payload_closes(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    await odile.send(b"\x20" + call.caller_route)
    assert (await odile.closed()).code == CloseCode.PROTOCOL
    assert (await sefa.frame()).call_id == call.call_id  # LINE down, no empty message before it
    await sefa.settle()


@both_drivers
async def test_a_ring_passes_a_full_socket_by(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    connection = live.hub._exchange.connection(sefa.device.device)
    assert connection is not None
    connection.is_full = True
    call_id = CallId(bytes(16))
    assert not await live.hub.ring(odile.device, "sefa", [offer(call_id, sefa.device.device)])
    assert live.hub.counts()["calls"] == 0
    connection.is_full = False
    await live.ring(odile, sefa, call_id=call_id)

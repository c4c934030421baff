"""S-12: who does not read, and who does not stop, costs a bounded amount and no one else anything.

The bounds of single sockets are tested on both drivers in `tests/server/signalling/test_drivers.py`.
"""

import asyncio
import contextlib
import resource
import statistics
import time
from collections.abc import AsyncIterator

import pytest
import uvloop
from tests.server.signalling.live import FakeConnection, Live, both_drivers, serve
from tests.server.signalling.raw_client import BINARY, CONTINUATION, PING, RawClient

from whisp.server import limits
from whisp.wire.codes import CloseCode
from whisp.wire.frames import Hello, Relay
from whisp.wire.ids import RouteId
from whisp.wire.version import CURRENT


@contextlib.asynccontextmanager
async def control_pair(live: Live) -> AsyncIterator[list[float]]:
    """Let two quiet people talk; gives their round-trip times in seconds."""
    odile, sefa = await live.online("control-1"), await live.online("control-2")
    call = await live.call(odile, sefa)
    times: list[float] = []

    async def talk() -> None:
        while True:
            start = time.perf_counter()
            await odile.relay(call.caller_route, b"ping")
            await sefa.frame()
            await sefa.relay(call.callee_route, b"pong")
            await odile.frame()
            times.append(time.perf_counter() - start)
            await asyncio.sleep(0.005)

    talking = asyncio.ensure_future(talk())
    try:
        yield times
    finally:
        assert not talking.done(), talking
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)


async def push(client: RawClient, data: bytes, times: int) -> None:
    """Write at line rate until the network takes no more."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        for _ in range(times):
            client.writer.write(data)
            await asyncio.wait_for(client.writer.drain(), 0.2)


@both_drivers
async def test_s12_many_slow_readers_stay_under_the_bound_and_others_talk(live: Live) -> None:
    async with control_pair(live) as times:
        readers = []
        for n in range(8):
            sender, reader = await live.online(f"fast-{n}"), await live.online(f"slow-{n}")
            call = await live.call(sender, reader)
            reader.reader._transport.pause_reading()  # type: ignore[attr-defined] # reads no more
            sender.write_piece(Relay(call.caller_route, bytes(262_144)).encode())
            await push(sender, sender_frame(call.caller_route), 60)
            readers.append(reader)
        for reader in readers:
            connection = live.hub._exchange.connection(reader.device.device)
            assert connection is not None
            assert connection.queued_bytes < limits.MAX_QUEUED_BYTES + 3 * 262_144
        assert live.hub.counts()["full"] == len(readers)
        live.advance(limits.SLOW_READER_SECONDS + 1)
        assert live.hub.counts()["full"] == live.hub.counts()["paused"] == 0
    assert len(times) > 3
    assert max(times) < 2


def sender_frame(route: RouteId) -> bytes:
    """Return a masked 256 KiB relay frame, ready for the socket."""
    frame = Relay(route, bytes(262_144)).encode()
    return b"\x82\xff" + len(frame).to_bytes(8, "big") + bytes(4) + frame


async def test_s12_a_trickle_does_not_count_as_reading() -> None:
    live, reader = Live(), FakeConnection()
    live.hub.opened(reader, "192.0.2.1")
    live.hub.received(reader, Hello(CURRENT, live.add("sefa").token).encode())
    await live.until(lambda: bool(reader.sent))
    live.hub.filled(reader)
    for _ in range(3):  # as long as it reads enough
        reader.queued_bytes -= limits.MIN_PROGRESS_BYTES
        live.advance(limits.SLOW_READER_SECONDS - 1)
        assert live.hub.counts()["full"] == 1
    for _ in range(9):
        reader.queued_bytes -= 1000
        live.advance(1)
        assert reader.closed_with is None
    live.advance(1)
    assert reader.closed_with is CloseCode.SLOW


@both_drivers
async def test_s12_endless_fragments_and_huge_frames_end(live: Live) -> None:
    async with control_pair(live) as times:
        client = await live.online("fragments")
        client.write_piece(b"\x25", BINARY, fin=False)
        tiny = b"\x00\x81" + bytes(4) + b"x"
        await push(client, tiny * 1000, 100)
        assert (await client.closed()).code == CloseCode.FLOOD
        client = await live.online("huge")
        client.write_piece(bytes(65_536), length=16 * 1024 * 1024)
        assert (await client.closed()).code == CloseCode.TOO_BIG
        client = await live.online("huge-pieces")
        client.write_piece(b"\x25", BINARY, fin=False)
        client.write_piece(bytes(65_536), CONTINUATION, fin=False, length=16 * 1024 * 1024)
        assert (await client.closed()).code == CloseCode.TOO_BIG
    assert times


@both_drivers
async def test_s12_ten_thousand_pings(live: Live) -> None:
    async with control_pair(live) as times:
        client = await live.online("pings")
        for _ in range(100):
            for _ in range(100):
                client.write_piece(b"?", PING)
            await client.writer.drain()
        left = 10_000 * 3
        while left:
            left -= len(await asyncio.wait_for(client.reader.read(min(left, 65_536)), 20))
        await client.settle()
    assert times


@pytest.mark.nightly
def test_s12_a_thousand_slow_readers() -> None:
    """RSS stays under bound × sockets, and the control pair's p99 within twice its quiet time."""

    async def scenario() -> None:
        async with serve("picows", max_connections_per_address=3000, max_unidentified=3000) as live:
            async with control_pair(live) as quiet:
                await asyncio.sleep(2)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            pairs = []
            for n in range(500):
                sender, reader = await live.online(f"fast-{n}"), await live.online(f"slow-{n}")
                call = await live.call(sender, reader)
                reader.reader._transport.pause_reading()  # type: ignore[attr-defined] # reads no more
                pairs.append((sender, call))
            for client in list(live._clients[:2]):
                await client.disconnect()
            await live.quiet(1000)
            async with control_pair(live) as busy:
                await asyncio.gather(
                    *(push(sender, sender_frame(call.caller_route), 40) for sender, call in pairs)
                )
                for connection in live.hub._full:
                    assert connection.queued_bytes < limits.MAX_QUEUED_BYTES + 3 * 262_144
                await asyncio.sleep(2)
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
            assert grown < 1000 * 2 * limits.MAX_QUEUED_BYTES
            assert p99(busy[-200:]) < 2 * p99(quiet) + 0.05

    def p99(times: list[float]) -> float:
        return statistics.quantiles(times, n=100)[98]

    uvloop.run(scenario())

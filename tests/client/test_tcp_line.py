"""Direct lines: only by consent, only between the two that share the session, and never a loss."""

import asyncio
import contextlib
import ipaddress
import os
import socket
from pathlib import Path

import pytest
from tests.client.pair import Pair, make_pair
from tests.client.test_conversation import next_of
from tests.client.test_files import offer

from whisp.client.events import DirectRequested, FileProgress, Line, LineChanged, TextReceived
from whisp.client.lines import Lines
from whisp.client.tcp_line import TcpLine
from whisp.core.content import Address, DirectConsent, LineOffer


async def connect(pair_allow: bool = True) -> Pair:
    pair = await make_pair(allow_direct=pair_allow)
    assert await pair.caller.request_direct()
    while pair.callee.line is not Line.DIRECT:
        await asyncio.sleep(0.01)
    return pair


async def test_texts_take_the_direct_line_once_both_allow_it() -> None:
    pair = await connect()
    pair.caller_line.tamper = pair.callee_line.tamper = lambda _: []
    await pair.caller.send_text("direct")
    assert (await next_of(pair.callee, TextReceived)).text == "direct"
    await pair.callee.send_text("and back")
    assert (await next_of(pair.caller, TextReceived)).text == "and back"
    await pair.caller.hang_up()
    await pair.callee.hang_up()


@pytest.mark.parametrize("asker", ["caller", "callee"])
async def test_the_other_person_is_asked(asker: str) -> None:
    pair = await make_pair()
    one, other = (pair.caller, pair.callee) if asker == "caller" else (pair.callee, pair.caller)
    asking = asyncio.create_task(one.request_direct())
    await (await next_of(other, DirectRequested)).request.accept()
    assert await asking
    assert (await next_of(other, LineChanged)).line is Line.DIRECT
    await one.hang_up()
    await other.hang_up()


async def test_a_refusal_shows_no_address_and_keeps_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("an address was looked up without consent")

    monkeypatch.setattr("whisp.client.tcp_line._local_addresses", forbidden)
    pair = await make_pair()
    asking = asyncio.create_task(pair.caller.request_direct())
    await (await next_of(pair.callee, DirectRequested)).request.refuse()
    assert not await asking
    await pair.caller.send_text("still here")
    assert (await next_of(pair.callee, TextReceived)).text == "still here"
    assert pair.caller.line is pair.callee.line is Line.RELAYED


async def test_s32_without_consent_an_offered_address_is_not_dialled() -> None:
    pair = await make_pair()
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        port = trap.getsockname()[1]
        await pair.caller.send_content(DirectConsent(True))
        await pair.caller.send_content(
            LineOffer(os.urandom(16), (Address(socket.inet_aton("127.0.0.1"), port),))
        )
        await next_of(pair.callee, DirectRequested)
        await asyncio.sleep(0.1)
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1"])
async def test_s32_a_peer_cannot_aim_the_client_at_odd_addresses(ip: str) -> None:
    pair = await make_pair()
    pair.callee_host.may_use_loopback = False
    line = TcpLine(Lines(pair.callee, bytes(32), allowed=True, rtc=None), bytes(32))

    assert not line._may_dial(ipaddress.ip_address(ip), 40_000)
    assert line._may_dial(ipaddress.ip_address("192.168.1.20"), 40_000)
    assert not line._may_dial(ipaddress.ip_address("192.168.1.20"), 22)


async def test_a_stranger_who_finds_the_port_gets_nothing() -> None:
    pair = await make_pair(allow_direct=True)
    seen: list[tuple[str, int]] = []
    original = asyncio.get_running_loop().create_server

    async def watch(factory, host, port, **options):  # type: ignore[no-untyped-def]  # the loop's own signature is long
        server = await original(factory, host, port, **options)
        await server.start_serving()
        seen.append(server.sockets[0].getsockname()[:2])
        reader, writer = await asyncio.open_connection(*seen[-1])
        writer.write(os.urandom(500))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        return server

    asyncio.get_running_loop().create_server = watch  # type: ignore[method-assign,assignment]  # one test watches
    assert await pair.caller.request_direct()
    assert seen
    await pair.caller.hang_up()
    await pair.callee.hang_up()
    for address in seen:
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(*address)


async def test_a_broken_direct_line_falls_back_without_loss_or_doubling() -> None:
    pair = await connect()
    texts: list[str] = []

    async def talk() -> None:
        for number in range(200):
            await pair.caller.send_text(str(number))
            if number in (50, 120):
                transport = pair.caller._lines.transport
                assert transport is not None
                transport.abort()
            if number == 80:
                while pair.callee.line is not Line.RELAYED:
                    await asyncio.sleep(0.01)
                assert await pair.caller.request_direct()

    talking = asyncio.create_task(talk())
    async with asyncio.timeout(20):
        while len(texts) < 200:
            texts.append((await next_of(pair.callee, TextReceived)).text)
    await talking
    assert texts == [str(number) for number in range(200)]
    await pair.caller.hang_up()
    await pair.callee.hang_up()


@pytest.mark.usefixtures("slow_disk")
async def test_a_file_survives_the_change_of_lines(tmp_path: Path) -> None:
    pair = await make_pair(allow_direct=True)
    (tmp_path / "in").mkdir()
    outgoing, incoming = await offer(pair, tmp_path, 60_000_000)
    await incoming.accept(tmp_path / "in")
    await next_of(pair.callee, FileProgress)
    assert await pair.caller.request_direct()
    await next_of(pair.callee, FileProgress)
    transport = pair.callee._lines.transport
    assert transport is not None
    transport.abort()
    await next_of(pair.callee, FileProgress)
    path = await incoming.done()
    await outgoing.done()
    assert path is not None
    assert path.read_bytes() == (tmp_path / "source").read_bytes()
    await pair.caller.hang_up()
    await pair.callee.hang_up()


async def test_an_attempt_that_is_cancelled_leaves_no_port_open(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = await make_pair()
    line = TcpLine(Lines(pair.caller, bytes(32), allowed=True, rtc=None), bytes(32))
    serving = asyncio.Event()
    servers: list[asyncio.Server] = []

    async def stall(server: asyncio.Server) -> None:
        servers.append(server)
        serving.set()
        await asyncio.sleep(60)

    monkeypatch.setattr("asyncio.base_events.Server.start_serving", stall)
    listening = asyncio.create_task(line._listen())
    await serving.wait()
    listening.cancel()
    line.close()
    await asyncio.sleep(0)
    assert servers
    assert all(not server.sockets for server in servers)

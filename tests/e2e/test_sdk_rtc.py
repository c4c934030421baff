"""A terminal and a web page over WebRTC, through a real coturn; the page is a client that says it is one."""

import asyncio
import hashlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.server_process import serving
from tests.coturn import SECRET, Coturn, coturn, turn_settings
from tests.e2e.people import connect, in_time, next_of, person, soon

from whisp import (
    Client,
    Conversation,
    DirectRequested,
    Ended,
    EndReason,
    FileOffered,
    Line,
    LineChanged,
    MemoryVault,
    TextReceived,
)
from whisp.client.rtc_line import RtcLine
from whisp.client.transport.rtc import RtcTransport
from whisp.core.content import RtcPolicy
from whisp.testing import LocalServer, running_server
from whisp.wire.certificate import DeviceKind


@asynccontextmanager
async def terminal_and_page(**options: Any) -> AsyncIterator[tuple[LocalServer, Client, Client]]:
    """Run a server, with odile at a terminal and sefa on a page; options are the server's settings."""
    async with (
        running_server(**options) as server,
        person(server, "odile") as odile,
        person(server, "sefa", kind=DeviceKind.WEB) as sefa,
    ):
        yield server, odile, sefa


@asynccontextmanager
async def through_turn() -> AsyncIterator[tuple[Coturn, Conversation, Conversation, Client, Client]]:
    """Give both ends of a conversation that has found its way through TURN."""
    async with coturn() as relay, terminal_and_page(**turn_settings(relay)) as (_, odile, sefa):
        one, two = await connect(odile, sefa)
        await soon(lambda: line_of(one) and line_of(two))
        yield relay, one, two, odile, sefa
        await one.hang_up()


def line_of(conversation: Conversation) -> RtcTransport | None:
    """Return the open DataChannel."""
    transport = conversation._lines.transport
    assert transport is None or isinstance(transport, RtcTransport)
    return transport


def policy_of(conversation: Conversation) -> RtcPolicy | None:
    """Return what the open DataChannel may use."""
    line = line_of(conversation)
    return None if line is None else line.policy


async def cut_from_the_server(*clients: Client) -> None:
    """Take the sockets away, so that nothing but the line is left."""
    for client in clients:
        await client._connection.stop()


async def talk(one: Conversation, two: Conversation) -> None:
    """Say something both ways."""
    for near, far in ((one, two), (two, one)):
        text = os.urandom(4).hex()
        await near.send_text(text)
        assert (await next_of(far, TextReceived)).text == text


async def test_frames_go_through_turn_by_themselves_and_show_no_address() -> None:
    async with through_turn() as (_, one, two, odile, sefa):
        assert one.line is two.line is Line.RELAYED
        for conversation in (one, two):
            line = line_of(conversation)
            assert line is not None
            assert line._ice is not None
            assert {candidate.type for candidate in line._ice.local_candidates} == {"relay"}
            (pair,) = line._ice._nominated.values()
            assert pair.local_candidate.type == "relay"
        await cut_from_the_server(odile, sefa)
        await talk(one, two)
        assert not [event for event in one._inbox._events if isinstance(event, LineChanged)]
        await one.hang_up()
        assert (await next_of(two, Ended)).reason is EndReason.PEER_HUNG_UP


async def test_files_of_some_mebibytes_cross_it_both_ways(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    async with through_turn() as (_, one, two, odile, sefa):
        await cut_from_the_server(odile, sefa)
        for near, far in ((one, two), (two, one)):
            source = tmp_path / near.members[0].username
            source.write_bytes(os.urandom(6_000_000))
            outgoing = await near.send_file(source)
            incoming = (await next_of(far, FileOffered)).file
            await incoming.accept(tmp_path / "in")
            saved = await in_time(incoming.done(), 30)
            await in_time(outgoing.done(), 10)
            assert saved is not None
            assert hashlib.sha256(saved.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()


async def test_many_texts_keep_order_while_the_line_comes_about_and_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("whisp.client.rtc_line.FIRST_RETRY_SECONDS", 0.2)
    async with coturn() as relay, terminal_and_page(**turn_settings(relay)) as (_, odile, sefa):
        one, two = await connect(odile, sefa)

        async def say() -> None:
            for number in range(300):
                await one.send_text(str(number))
                line = line_of(one if number % 2 else two)
                if number in (120, 201) and line is not None:
                    line._lose()
                if number % 20 == 0:
                    await asyncio.sleep(0.05)

        saying = asyncio.create_task(say())
        assert [(await next_of(two, TextReceived)).text for _ in range(300)] == [str(n) for n in range(300)]
        await saying
        await soon(lambda: line_of(one) and line_of(two), 10)
        await one.hang_up()


async def test_both_persons_consent_to_a_direct_line() -> None:
    async with through_turn() as (_, one, two, odile, sefa):
        asking = asyncio.create_task(two.request_direct())
        await (await next_of(one, DirectRequested)).request.accept()
        assert await in_time(asking)
        await soon(lambda: one.line is two.line is Line.DIRECT)
        assert policy_of(one) is policy_of(two) is RtcPolicy.ALL
        await cut_from_the_server(odile, sefa)
        await talk(one, two)


async def test_a_refused_direct_line_leaves_turn_alone() -> None:
    async with through_turn() as (_, one, two, *_):
        before = line_of(one), line_of(two)
        asking = asyncio.create_task(two.request_direct())
        await (await next_of(one, DirectRequested)).request.refuse()
        assert not await in_time(asking)
        await talk(one, two)
        assert (line_of(one), line_of(two)) == before
        assert one.line is two.line is Line.RELAYED


async def test_a_direct_line_that_breaks_falls_back_to_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whisp.client.rtc_line.FIRST_RETRY_SECONDS", 0.2)
    async with coturn() as relay, terminal_and_page(**turn_settings(relay)) as (_, odile, sefa):
        odile.allow_direct = True
        one, two = await connect(odile, sefa)
        await soon(lambda: line_of(one) and line_of(two))
        assert await in_time(two.request_direct())
        await soon(lambda: one.line is two.line is Line.DIRECT)
        line = line_of(two)
        assert line is not None
        line._lose()
        await talk(one, two)
        assert one.line is two.line is Line.RELAYED
        await soon(lambda: policy_of(one) is policy_of(two) is RtcPolicy.RELAY_ONLY)
        await talk(one, two)
        await one.hang_up()


async def test_direct_works_on_a_host_without_turn() -> None:
    async with terminal_and_page() as (_, odile, sefa):
        odile.allow_direct = sefa.allow_direct = True
        one, two = await connect(odile, sefa)
        assert await in_time(one.request_direct())
        await soon(lambda: one.line is two.line is Line.DIRECT)
        await talk(one, two)
        await one.hang_up()


async def test_without_turn_the_blind_relay_stays_and_nothing_is_offered() -> None:
    async with terminal_and_page() as (_, odile, sefa):
        one, two = await connect(odile, sefa)
        await talk(one, two)
        for conversation in (one, two):
            way = conversation._lines._way
            assert isinstance(way, RtcLine)
            await soon(lambda way=way: way._attempt is None)
            assert way.transport is None
            assert way._retry is None
        await one.hang_up()


async def test_when_coturn_is_down_the_blind_relay_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whisp.client.transport.rtc.GATHER_SECONDS", 0.3)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        settings = {"turn_urls": (f"turn:127.0.0.1:{udp.getsockname()[1]}",), "turn_secret": SECRET}
        async with terminal_and_page(**settings) as (_, odile, sefa):
            one, two = await connect(odile, sefa)
            offering = one if one._lines.is_offering else two
            way = offering._lines._way
            assert isinstance(way, RtcLine)
            await soon(lambda: way._retry is not None)
            assert line_of(one) is line_of(two) is None
            await talk(one, two)
            await one.hang_up()


async def test_when_coturn_dies_the_talk_goes_on_over_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.1)
    monkeypatch.setattr("whisp.client.transport.rtc.SILENCE_SECONDS", 1.0)
    async with through_turn() as (relay, one, two, *_):
        relay.stop()
        await one.send_text("into the void")
        assert (await next_of(two, TextReceived)).text == "into the void"
        await soon(lambda: line_of(one) is line_of(two) is None)
        await talk(one, two)
        assert one.line is two.line is Line.RELAYED


@pytest.mark.parametrize("kind", [DeviceKind.WEB, DeviceKind.NATIVE])
async def test_a_line_of_its_own_outlives_a_server_that_is_killed_and_comes_back(
    kind: DeviceKind, tmp_path: Path
) -> None:
    async with coturn() as relay:
        settings = {"WHISP_TURN_URLS": relay.url, "WHISP_TURN_SECRET": SECRET}
        direct = kind is DeviceKind.NATIVE
        async with (
            serving(tmp_path, settings=settings) as first,
            Client(first.origin, MemoryVault(), allow_direct=direct) as odile,
            Client(first.origin, MemoryVault(), allow_direct=direct, kind=kind) as sefa,
        ):
            for client, name in ((odile, "odile"), (sefa, "sefa")):
                await client.register(name)
                await client.login()
            one, two = await connect(odile, sefa)
            await soon(lambda: one._lines.transport is not None and two._lines.transport is not None)
            first.process.send_signal(signal.SIGKILL)
            await first.ended()
            await soon(lambda: odile._connection.socket is None and sefa._connection.socket is None)
            await talk(one, two)
            async with serving(tmp_path, first.port, settings=settings):
                await soon(lambda: all(c._connection.socket is not None for c in (odile, sefa)), 20)
                await talk(one, two)
                assert one.line is two.line is (Line.DIRECT if direct else Line.RELAYED)
                await one.hang_up()
                assert (await next_of(two, Ended)).reason is EndReason.PEER_HUNG_UP
                fresh, other = await connect(sefa, odile)
                await talk(fresh, other)
                await fresh.hang_up()


async def test_two_terminals_speak_no_webrtc() -> None:
    async with (
        coturn() as relay,
        running_server(**turn_settings(relay)) as server,
        person(server, "odile") as odile,
        person(server, "sefa") as sefa,
    ):
        one, two = await connect(odile, sefa)
        assert not isinstance(one._lines._way, RtcLine)
        assert not isinstance(two._lines._way, RtcLine)
        await one.hang_up()

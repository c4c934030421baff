"""S-32 over WebRTC: who learns an address. Every datagram of both clients is written down."""

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.coturn import coturn, turn_settings
from tests.e2e.people import connect, next_of, next_ring, soon
from tests.e2e.test_sdk_rtc import line_of, policy_of, terminal_and_page

from whisp import DeclinedError, DirectRequested, Line, NoAnswerError, TextReceived
from whisp.client.conversation import Conversation
from whisp.core.content import CandidateKind, Content, RtcCandidates, RtcOffer, RtcPolicy


@dataclass
class Watched:
    """What left this process, and what was said about addresses."""

    ports: set[int] = field(default_factory=set)
    hosts_looked_up: int = 0
    said: list[Content] = field(default_factory=list)

    @property
    def candidates(self) -> list[Any]:
        """Every candidate that was sent."""
        return [
            one for content in self.said if isinstance(content, RtcCandidates) for one in content.candidates
        ]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Write down where datagrams go, whose addresses are looked up, and which contents are sent."""
    seen = Watched()
    transport: Any = asyncio.selector_events._SelectorDatagramTransport  # type: ignore[attr-defined]  # the loop's
    sendto, connect_, say = (
        transport.sendto,
        asyncio.BaseEventLoop.create_datagram_endpoint,
        Conversation.send_soon,
    )

    def noting_sendto(self: Any, data: bytes, addr: Any = None) -> None:
        seen.ports.add((addr or self.get_extra_info("peername"))[1])
        sendto(self, data, addr)

    async def noting_endpoint(self: Any, factory: Any, **options: Any) -> Any:
        if options.get("remote_addr") is not None:
            seen.ports.add(options["remote_addr"][1])
        else:
            seen.ports.add(0)  # an endpoint that anybody can be sent to from
        return await connect_(self, factory, **options)

    def look_up(*_: Any, **__: Any) -> list[str]:
        seen.hosts_looked_up += 1
        return ["127.0.0.1"]

    def noting_say(self: Conversation, content: Content) -> None:
        seen.said.append(content)
        say(self, content)

    monkeypatch.setattr(transport, "sendto", noting_sendto)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_datagram_endpoint", noting_endpoint)
    monkeypatch.setattr("aioice.ice.get_host_addresses", look_up)
    monkeypatch.setattr(Conversation, "send_soon", noting_say)
    return seen


async def test_s32_nothing_is_gathered_before_the_call_is_accepted(watched: Watched) -> None:
    async with coturn() as relay, terminal_and_page(**turn_settings(relay)) as (_, odile, sefa):
        odile.allow_direct = sefa.allow_direct = True
        calling = asyncio.create_task(odile.call("sefa"))
        ring = await next_ring(sefa)
        await asyncio.sleep(0.2)
        await ring.decline()
        with pytest.raises(DeclinedError):
            await calling
        with pytest.raises(NoAnswerError):
            await odile.call("sefa", timeout=0.2)
        assert (watched.ports, watched.hosts_looked_up, watched.said) == (set(), 0, [])


async def test_s32_relay_only_speaks_to_the_turn_server_and_to_nobody_else(watched: Watched) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as stun:
        stun.bind(("127.0.0.1", 0))
        stun.setblocking(False)
        stun_url = f"stun:127.0.0.1:{stun.getsockname()[1]}"
        async with (
            coturn() as relay,
            terminal_and_page(**turn_settings(relay), stun_urls=(stun_url,)) as (_, odile, sefa),
        ):
            one, two = await connect(odile, sefa)
            await soon(lambda: line_of(one) and line_of(two), 10)
            await one.send_text("https://example.org/preview-me")
            await next_of(two, TextReceived)
            assert one.line is two.line is Line.RELAYED
            assert watched.ports == {relay.port}
            assert watched.hosts_looked_up == 0
            assert {candidate.kind for candidate in watched.candidates} == {CandidateKind.RELAYED}
            assert len(watched.candidates) == 2
            offers = [content for content in watched.said if isinstance(content, RtcOffer)]
            assert [offer.policy for offer in offers] == [RtcPolicy.RELAY_ONLY]
            with pytest.raises(BlockingIOError):
                stun.recv(100)
            await one.hang_up()


async def test_s32_without_turn_nothing_leaves_at_all(watched: Watched) -> None:
    async with terminal_and_page() as (_, odile, sefa):
        one, two = await connect(odile, sefa)
        asking = asyncio.create_task(one.request_direct())
        await (await next_of(two, DirectRequested)).request.refuse()
        assert not await asking
        await one.send_text("still on the relay")
        await next_of(two, TextReceived)
        assert (watched.ports, watched.hosts_looked_up, watched.candidates) == (set(), 0, [])
        await one.hang_up()


async def test_s32_addresses_are_gathered_when_both_said_yes_and_only_then(watched: Watched) -> None:
    async with coturn() as relay, terminal_and_page(**turn_settings(relay)) as (_, odile, sefa):
        one, two = await connect(odile, sefa)
        await soon(lambda: line_of(one) and line_of(two), 10)
        asking = asyncio.create_task(one.request_direct())
        request = (await next_of(two, DirectRequested)).request
        assert watched.hosts_looked_up == 0
        await request.accept()
        assert await asking
        await soon(lambda: policy_of(two) is RtcPolicy.ALL)
        assert watched.hosts_looked_up == 2
        assert CandidateKind.HOST in {candidate.kind for candidate in watched.candidates}
        await one.hang_up()

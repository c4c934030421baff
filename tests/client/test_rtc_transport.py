"""The DataChannel itself, between two ends in this process: bounds, pauses, and packets of a hostile peer."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aioice.ice import StunProtocol
from aiortc.rtcsctptransport import WEBRTC_BINARY

from whisp.client.rtc_certificate import RtcCertificate, RtcTerms
from whisp.client.transport import rtc
from whisp.client.transport.rtc import MAX_CANDIDATES, MAX_DATAGRAMS, RtcTransport
from whisp.core.content import CandidateKind, IceCandidate, RtcPolicy
from whisp.wire import api
from whisp.wire.limits import MAX_RELAY_PAYLOAD_BYTES


class Ends:
    """Two ends, and what happened to them."""

    def __init__(self) -> None:
        one, other = RtcCertificate.create(), RtcCertificate.create()
        self.lost: list[RtcTransport] = []
        self.opened: list[RtcTransport] = []
        self.near = self._end(RtcTerms(one, other.fingerprint), is_offering=True)
        self.far = self._end(RtcTerms(other, one.fingerprint), is_offering=False)

    def _end(self, terms: RtcTerms, *, is_offering: bool) -> RtcTransport:
        return RtcTransport(
            terms,
            is_offering=is_offering,
            policy=RtcPolicy.ALL,
            with_loopback=True,
            on_open=self.opened.append,
            on_lost=self.lost.append,
        )

    async def join(self) -> None:
        """Let them find each other."""
        ends = ((self.near, self.far), (self.far, self.near))
        for end, other in ends:
            other.add(await end.gather(None))
            other.add(())
        async with asyncio.timeout(15):
            await asyncio.gather(*(end.connect(other.ufrag, other.pwd) for end, other in ends))


@asynccontextmanager
async def joined() -> AsyncIterator[Ends]:
    """Give two ends of an open line on loopback only."""
    ends = Ends()
    await ends.join()
    try:
        yield ends
    finally:
        for end in (ends.near, ends.far):
            end.abort()
        await rtc.closed()


@pytest.fixture(autouse=True)
def on_loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's other networks out of it."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: [])


async def until(condition: object, seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_frames_arrive_whole_and_in_order_and_the_largest_too() -> None:
    async with joined() as ends:
        got: list[bytes] = []
        ends.far.deliver_to(lambda frame: got.append(bytes(frame)))
        sent = [os.urandom(size) for size in (1, 322, 65_574, MAX_RELAY_PAYLOAD_BYTES, 2)]
        for frame in sent:
            ends.near.send(frame)
        await until(lambda: len(got) == len(sent))
        assert got == sent


async def test_closing_lets_what_is_queued_leave_and_tells_the_other_end() -> None:
    async with joined() as ends:
        got: list[bytes] = []
        ends.far.deliver_to(lambda frame: got.append(bytes(frame)))
        ends.near.send(b"goodbye")
        ends.near.close()
        await until(lambda: ends.lost == [ends.far])
        assert got == [b"goodbye"]
        ends.far.send(b"nobody is there")
        await ends.far.drain()


async def test_a_reader_that_pauses_makes_the_sender_wait_and_loses_nothing() -> None:
    async with joined() as ends:
        got: list[bytes] = []
        ends.far.deliver_to(lambda frame: got.append(bytes(frame)))
        ends.far.pause_reading()
        sent = 0
        while sent < 200:
            ends.near.send(sent.to_bytes(4, "big") + bytes(65_532))
            sent += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ends.near.drain(), 1)
            if ends.near.is_full:  # a busy machine may have been late only
                break
        assert sent < 60, "three mebibytes, between both ends and the network"
        assert ends.near.is_full
        assert got == []
        draining = asyncio.create_task(ends.near.drain())
        ends.far.resume_reading()
        await asyncio.wait_for(draining, 20)
        await until(lambda: len(got) == sent, 20)
        assert [int.from_bytes(frame[:4], "big") for frame in got] == list(range(sent))


async def test_giving_up_while_the_turn_server_thinks_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rtc, "GATHER_SECONDS", 0.2)
    before = asyncio.all_tasks()
    with socket.socket(type=socket.SOCK_DGRAM) as turn:
        turn.bind(("127.0.0.1", 0))
        turn.settimeout(10)
        given = api.TurnCredentials("ok", [f"turn:127.0.0.1:{turn.getsockname()[1]}"], [], "name", "word", 0)
        ends = Ends()
        gathering = asyncio.create_task(ends.near.gather(given))
        await asyncio.to_thread(turn.recv, 1500)
        gathering.cancel()
        ends.near.abort()
        await rtc.closed()
    await until(lambda: asyncio.all_tasks() == before)


async def test_s11_what_is_no_frame_of_ours_is_dropped_and_one_too_large_ends_the_line() -> None:
    async with joined() as ends:
        got: list[bytes] = []
        ends.far.deliver_to(lambda frame: got.append(bytes(frame)))
        sctp, channel = ends.near._sctp, ends.near._channel
        assert sctp is not None
        assert channel is not None
        channel.send("text")
        await sctp._send(7, WEBRTC_BINARY, b"another channel")
        await sctp._send(0, 50, b"\x03" + bytes(20))  # an OPEN for the channel that is there
        await sctp._send(0, 51, b"\xff\xfe")  # text that is not UTF-8
        ends.near.send(b"ours")
        await until(lambda: got == [b"ours"])
        assert ends.lost == []
        await sctp._send(0, WEBRTC_BINARY, bytes(MAX_RELAY_PAYLOAD_BYTES + 1))
        await until(lambda: ends.far in ends.lost)
        assert got == [b"ours"]


async def test_s11_packets_that_break_the_stack_end_the_line_and_nothing_else() -> None:
    async with joined() as ends:
        sctp = ends.far._sctp
        assert sctp is not None
        garbled = bytearray(rtc_packet_of(sctp))
        await sctp._handle_data(bytes(garbled))
        await until(lambda: ends.lost == [ends.far])


def rtc_packet_of(sctp: RtcTransport | object) -> bytes:
    """Return a packet that aiortc's parser lets through and its handler chokes on: two INITs at once."""
    from aiortc.rtcsctptransport import InitChunk, serialize_packet
    from google_crc32c import value as crc32c

    one = serialize_packet(5000, 5000, 0, InitChunk(body=bytes(16)))
    two = bytearray(one + one[12:])
    two[8:12] = bytes(4)
    two[8:12] = crc32c(bytes(two)).to_bytes(4, "little")
    return bytes(two)


async def test_s11_a_message_that_never_ends_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtc, "MAX_PARTIAL_BYTES", 0)
    async with joined() as ends:
        sctp = ends.near._sctp
        assert sctp is not None
        monkeypatch.setattr("aiortc.rtcsctptransport.SCTP_DATA_LAST_FRAG", 0)
        sending = asyncio.ensure_future(sctp._send(0, WEBRTC_BINARY, bytes(3_000_000)))
        await until(lambda: ends.far in ends.lost, 20)
        sending.cancel()


async def test_s11_datagrams_that_nobody_reads_are_dropped() -> None:
    async with joined() as ends:
        ice = ends.far._ice
        assert ice is not None
        for _ in range(3 * MAX_DATAGRAMS):
            ice.data_received(b"\x00", 1)
        assert ice._queue.qsize() <= MAX_DATAGRAMS


async def test_a_peer_that_is_not_heard_any_more_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtc, "SILENCE_SECONDS", 0.5)
    async with joined() as ends:
        monkeypatch.setattr(StunProtocol, "datagram_received", lambda *_: None)
        await until(lambda: set(ends.lost) == {ends.near, ends.far})


@pytest.mark.parametrize(
    ("address", "port", "may"),
    [
        ("192.0.2.9", 50_000, True),
        ("192.168.1.20", 50_000, True),
        ("192.168.1.20", 22, False),
        ("127.0.0.1", 50_000, False),
        ("0.0.0.0", 50_000, False),
        ("169.254.169.254", 50_000, False),
        ("224.0.0.251", 5353, False),
        ("::1", 50_000, False),
        ("::ffff:127.0.0.1", 50_000, False),
        ("::ffff:192.168.1.20", 50_000, False),
        ("fe80::1", 50_000, False),
        ("2001:db8::9", 50_000, True),
    ],
)
async def test_s32_a_peer_cannot_aim_the_client_at_odd_addresses(address: str, port: int, may: bool) -> None:
    import ipaddress

    end = Ends().near
    end._with_loopback = False
    one = IceCandidate(CandidateKind.HOST, 1, ipaddress.ip_address(address).packed, port)
    end.add([one])
    assert (end._remote == [one]) is may


async def test_s32_no_more_than_32_candidates_are_looked_at() -> None:
    end = Ends().near
    for number in range(100):
        end.add([IceCandidate(CandidateKind.HOST, number, bytes((192, 0, 2, number)), 50_000)] * 3)
    assert len(end._remote) == MAX_CANDIDATES


def test_what_a_server_says_of_its_relays_is_read_with_care() -> None:
    def given(*urls: str) -> list[tuple[object, object, object]]:
        answer = api.TurnCredentials("ok", list(urls), ["stun:s.example"], "u", "c", 1)
        return [(r["turn_server"], r["turn_ssl"], r["turn_transport"]) for r in rtc._relays(answer)]

    assert given("turn:t.example") == [(("t.example", 3478), False, "udp")]
    assert given("turns:t.example", "turn:[2001:db8::1]:99?transport=tcp") == [
        (("t.example", 5349), True, "tcp"),
        (("2001:db8::1", 99), False, "tcp"),
    ]
    assert (
        given("stun:t.example", "turn:", "turns:t.example?transport=udp", "http://t.example", "turn:a b:1x")
        == []
    )
    assert rtc._relays(None) == []

"""S-08: relay frames are dropped, doubled, held and swapped, at random and by purpose."""

import asyncio
import random

import pytest
from tests.attacks.scene import RELAY, scene
from tests.client.pair import make_pair
from tests.e2e.people import connect, next_of, soon
from tests.liar import Link

from whisp import Conversation, Delivered, Ended, EndReason, Gap, Line, Read, TextReceived
from whisp.core.content import MAX_HOLES


class Mischief:
    """Loses, doubles, swaps and delays frames at a rate, from a seed."""

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._random = random.Random(seed)
        self._held: list[bytes] = []

    def __call__(self, frame: bytes) -> list[bytes]:
        """Return what arrives in place of `frame`."""
        if self._random.random() >= self._rate:
            released, self._held = self._held, []
            return [frame, *released]
        what = self._random.choice(("drop", "drop", "double", "hold", "swap"))
        if what == "drop":
            return []
        if what == "double":
            return [frame, frame]
        if what == "hold":
            self._held.append(frame)
            return []
        released, self._held = self._held, []
        return [*released, frame]


def is_prefix_with_declared_gaps(heard: list[str | int], sent: int) -> bool:
    """Say whether texts came in order, each once, and every missing one was declared in its place."""
    expected = 0
    for entry in heard:
        if isinstance(entry, str):
            if int(entry) != expected:
                return False
            expected += 1
        else:
            expected += entry
    return expected == sent


async def listen(conversation: Conversation, sent: int) -> list[str | int]:
    """Collect texts and gaps until all that was sent is accounted for."""
    heard: list[str | int] = []
    counted = 0
    async with asyncio.timeout(60):
        while counted < sent:
            event = await conversation.receive()
            if isinstance(event, TextReceived):
                heard.append(event.text)
                counted += 1
            elif isinstance(event, Gap):
                heard.append(event.count)
                counted += event.count
            assert not isinstance(event, Ended), event
    return heard


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
async def test_s08_what_arrives_is_the_senders_order_with_gaps_declared(rate: float) -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        mischief = Mischief(rate, seed=int(rate * 100))
        liar.to_client = lambda link, frame: mischief(frame) if frame[0] == RELAY else [frame]
        listening = asyncio.create_task(listen(two, 80))
        for number in range(80):
            await one.send_text(str(number))
            await asyncio.sleep(0.002)
        heard = await listening
        assert is_prefix_with_declared_gaps(heard, 80)
        assert sum(isinstance(entry, str) for entry in heard) >= 70  # asking again repairs nearly all
        liar.be_honest()
        await one.hang_up()


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10, 200))
async def test_s08_many_schedules_in_both_directions(seed: int) -> None:
    await survive(seed)


@pytest.mark.parametrize("seed", range(3))
async def test_s08_any_schedule_in_both_directions(seed: int) -> None:
    await survive(seed)


async def survive(seed: int) -> None:
    """Talk both ways over a line that loses a third of everything."""
    pair = await make_pair()
    one_way, other_way = Mischief(0.3, seed), Mischief(0.3, seed + 1000)
    pair.caller_line.tamper, pair.callee_line.tamper = one_way, other_way
    hearing = asyncio.gather(listen(pair.callee, 40), listen(pair.caller, 40))
    for number in range(40):
        await pair.caller.send_text(str(number))
        await pair.callee.send_text(str(number))
        await asyncio.sleep(0.001)
    for heard in await hearing:
        assert is_prefix_with_declared_gaps(heard, 40)
    pair.caller.wipe()
    pair.callee.wipe()


async def test_s08_a_receipt_is_never_shown_for_what_was_not_decrypted() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)

        def only_up(link: Link, frame: bytes) -> list[bytes]:
            return [] if frame[0] == RELAY and link.device == sefa.device_id else [frame]

        liar.to_client = only_up  # nothing reaches sefa
        for number in range(5):
            await one.send_text(str(number))
        await asyncio.sleep(0.3)
        told = [event for event in one._inbox._events if isinstance(event, Delivered | Read)]
        assert told == []
        liar.be_honest()
        assert await listen(two, 5) == [str(number) for number in range(5)]
        assert (await next_of(one, Delivered)).first == 1
        await one.hang_up()


async def test_s08_dropped_receipts_only_delay() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        liar.to_client = lambda link, frame: (
            [] if frame[0] == RELAY and link.device == odile.device_id else [frame]
        )
        for number in range(MAX_HOLES):
            await one.send_text(str(number))
        assert await listen(two, MAX_HOLES) == [str(number) for number in range(MAX_HOLES)]
        liar.be_honest()
        await two.send_text("anything")
        while (await next_of(one, Delivered)).id < MAX_HOLES:
            pass
        await one.hang_up()


async def test_s08_a_dropped_goodbye_ends_within_sixty_seconds() -> None:
    pair = await make_pair()
    pair.caller_line.tamper = lambda _: []
    await pair.caller.hang_up()
    pair.callee_host.skip(59)
    pair.callee._tick_if_due()
    assert not pair.callee._session.is_ended
    pair.callee_host.skip(2)
    pair.callee._tick_if_due()
    assert pair.callee.ended is EndReason.LOST
    assert pair.callee._session.is_ended


async def test_s08_silence_from_the_network_wipes_both_sides() -> None:
    pair = await make_pair()
    await pair.caller.send_text("x")
    await next_of(pair.callee, TextReceived)
    pair.caller_line.tamper = pair.callee_line.tamper = lambda _: []
    for host, side in ((pair.caller_host, pair.caller), (pair.callee_host, pair.callee)):
        for _ in range(7):
            host.skip(10)
            side._tick_if_due()
        assert side.ended is EndReason.LOST


async def test_s08_dropped_rekeying_ends_the_session() -> None:
    pair = await make_pair()

    def drop_large(frame: bytes) -> list[bytes]:
        return [] if len(frame) > 1200 else [frame]  # what carries a KEM key or ciphertext

    pair.caller_line.tamper = pair.callee_line.tamper = drop_large
    for _ in range(60):
        for host, side in ((pair.caller_host, pair.caller), (pair.callee_host, pair.callee)):
            host.skip(8)
            if side.ended is None:
                side._tick_if_due()
        await asyncio.sleep(0.002)
        if pair.caller.ended and pair.callee.ended:
            break
    assert pair.caller.ended in (EndReason.STALLED, EndReason.LOST, EndReason.PEER_HUNG_UP)
    assert pair.callee.ended in (EndReason.STALLED, EndReason.LOST, EndReason.PEER_HUNG_UP)


async def test_s08_a_held_line_shows_as_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whisp.client.connection.random.random", lambda: 0.5)  # long enough to be seen
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        liar.links[-1].client_writer.transport.abort()
        await soon(lambda: Line.HELD in (one.line, two.line))
        await soon(lambda: one.line is two.line is Line.RELAYED)
        await one.hang_up()

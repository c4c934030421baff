"""A conversation over a line in memory: texts, receipts, loss of the line, ends."""

import asyncio
from typing import TypeVar

import pytest
from tests.client.pair import make_pair

from whisp.client.conversation import Conversation
from whisp.client.errors import ConversationEndedError, EndReason
from whisp.client.events import (
    ConversationEvent,
    Delivered,
    Ended,
    Line,
    LineChanged,
    Quote,
    Read,
    TextReceived,
    Typing,
)
from whisp.core import content as said
from whisp.wire.errors import LocalProtocolError

_Event = TypeVar("_Event", bound=ConversationEvent)


async def next_of(conversation: Conversation, kind: type[_Event]) -> _Event:
    """Return the next event of a kind, dropping others."""
    async with asyncio.timeout(20):
        while True:
            event = await conversation.receive()
            if isinstance(event, kind):
                return event
            assert not isinstance(event, Ended), event


async def test_texts_go_both_ways_and_are_confirmed() -> None:
    pair = await make_pair()
    sent = await pair.caller.send_text("hello")
    heard = await next_of(pair.callee, TextReceived)
    assert (heard.text, heard.id, heard.sender.username) == ("hello", sent.id, "odile")
    await pair.callee.mark_read(heard.id)
    answer = await pair.callee.send_text("hello back", reply_to=Quote(False, heard.id))
    assert (await next_of(pair.caller, TextReceived)).reply_to == Quote(True, sent.id)
    assert (await next_of(pair.caller, Delivered)).id == sent.id
    assert (await next_of(pair.caller, Read)).id == sent.id
    assert answer.id == 1
    await pair.caller.hang_up()


async def test_both_sides_see_one_session_code() -> None:
    pair, other = await make_pair(), await make_pair()
    assert pair.caller.session_code == pair.callee.session_code != other.caller.session_code
    assert len(pair.caller.session_code.split()) == 6


async def test_typing_is_told_once() -> None:
    pair = await make_pair()
    for active in (True, True, True, False):
        await pair.caller.set_typing(active)
    await pair.caller.send_text("x")
    events = []
    while not isinstance(event := await pair.callee.receive(), TextReceived):
        events.append(event)
    assert len(events) <= 2
    assert all(isinstance(event, Typing) for event in events)


async def test_receipts_can_be_turned_off() -> None:
    pair = await make_pair(receipts=False)
    await pair.caller.send_text("hello")
    heard = await next_of(pair.callee, TextReceived)
    await pair.callee.mark_read(heard.id)
    await next_of(pair.caller, Delivered)
    await pair.callee.send_text("later")
    await next_of(pair.caller, TextReceived)
    await asyncio.sleep(0.15)
    assert not len(pair.caller._inbox)


async def test_hanging_up_ends_both_sides_and_wipes() -> None:
    pair = await make_pair()
    await pair.caller.send_text("last words")
    await pair.caller.hang_up()
    assert (await next_of(pair.callee, TextReceived)).text == "last words"
    assert await pair.callee.receive() == Ended(EndReason.PEER_HUNG_UP, 0)
    assert await pair.caller.receive() == Ended(EndReason.HUNG_UP, 0)
    for side in (pair.caller, pair.callee):
        assert side.line is Line.GONE
        with pytest.raises(ConversationEndedError):
            await side.send_text("too late")
    assert pair.caller_host.over == [pair.caller]
    assert pair.callee_host.over == [pair.callee]


async def test_leaving_the_context_hangs_up() -> None:
    pair = await make_pair()
    async with pair.caller as conversation:
        await conversation.send_text("x")
    await next_of(pair.callee, TextReceived)
    assert [event async for event in pair.callee] == [Ended(EndReason.PEER_HUNG_UP, 0)]


async def test_a_panic_says_goodbye_and_shows_nothing_more() -> None:
    pair = await make_pair()
    await pair.callee.send_text("unread")
    await asyncio.sleep(0.05)
    pair.caller.wipe()
    assert await pair.caller.receive() == Ended(EndReason.LOCKED, 0)
    assert [event async for event in pair.callee][-1] == Ended(EndReason.PEER_LOCKED, 0)


async def test_what_was_said_while_the_line_was_down_arrives_once_and_in_order() -> None:
    pair = await make_pair()
    await pair.caller.send_text("0")
    assert (await next_of(pair.callee, TextReceived)).text == "0"
    pair.cut()
    assert (await next_of(pair.caller, LineChanged)).line is Line.HELD
    for number in range(1, 20):
        await pair.caller.send_text(str(number))
        await pair.callee.send_text(str(number))
    pair.rejoin()
    for side in (pair.caller, pair.callee):
        assert [(await next_of(side, TextReceived)).text for _ in range(19)] == [str(n) for n in range(1, 20)]
    await pair.caller.send_text("after")
    assert (await next_of(pair.callee, TextReceived)).text == "after"


async def test_frames_that_died_with_the_line_are_sent_again() -> None:
    pair = await make_pair()
    pair.caller_line.tamper = lambda _: []
    await pair.caller.send_text("lost at first")
    pair.cut()
    pair.rejoin()
    assert (await next_of(pair.callee, TextReceived)).text == "lost at first"


async def test_a_held_line_ends_after_sixty_seconds() -> None:
    pair = await make_pair()
    pair.cut()
    change = await next_of(pair.caller, LineChanged)
    assert change.held_until is not None
    assert 55 < change.held_until - pair.caller_host.clock.now() <= 60
    pair.caller_host.skip(59)
    pair.caller._tick_if_due()
    assert pair.caller.ended is None
    pair.caller_host.skip(2)
    pair.caller._tick_if_due()
    assert await pair.caller.receive() == Ended(EndReason.LOST, 0)


async def test_an_application_that_does_not_read_stops_its_peer() -> None:
    pair = await make_pair()

    async def flood() -> None:
        for number in range(2000):
            await pair.caller.send_text(f"{number} " + "x" * 1000)

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(0.2)
    assert not flooding.done()
    assert len(pair.callee._inbox) < 400
    for number in range(2000):
        assert (await next_of(pair.callee, TextReceived)).text.startswith(f"{number} ")
    await flooding


@pytest.mark.parametrize("text", ["", "x" * 40_000, "\ud800"])
async def test_impossible_texts_are_refused(text: str) -> None:
    pair = await make_pair()
    with pytest.raises(LocalProtocolError):
        await pair.caller.send_text(text)
    await pair.caller.send_text("fine")
    assert (await next_of(pair.callee, TextReceived)).text == "fine"


async def test_nothing_secret_shows_in_a_repr() -> None:
    pair = await make_pair()
    await pair.caller.send_text("CNRY-text")
    assert repr(pair.caller) == "Conversation(relayed)"
    assert "CNRY" not in repr(pair.caller._session)


async def test_a_hundred_forged_frames_end_it_as_tampered() -> None:
    pair = await make_pair()
    pair.caller_line.tamper = lambda frame: [frame[:-1] + bytes((frame[-1] ^ 1,))]
    for _ in range(100):
        pair.caller_line.send(pair.caller._session.send(_text(), pair.caller_host.clock.now()).frame or b"")
        if pair.callee.ended or not pair.caller._session.can_send:
            break
        await asyncio.sleep(0)
    for _ in range(40):
        pair.callee._receiver(pair.callee_line)(b"\x10" + bytes(200))
    assert pair.callee.ended is EndReason.TAMPERED


def _text() -> said.Text:
    return said.Text("x")

"""The queue between conversation and application: bounded, in order, and brief about how far things got."""

import asyncio
from pathlib import Path

from whisp.client.errors import EndReason
from whisp.client.events import (
    ConversationEvent,
    Delivered,
    Ended,
    FileCompleted,
    FileProgress,
    Gap,
    Line,
    LineChanged,
    Read,
    TextReceived,
    Typing,
)
from whisp.client.inbox import FULL, ROOM_AGAIN, Inbox
from whisp.client.people import Member
from whisp.wire.ids import AccountId, DeviceId, Username

SEFA = Member(Username("sefa"), AccountId(bytes(32)), DeviceId(bytes(16)))


def text(number: int) -> TextReceived:
    return TextReceived(number, SEFA, str(number), 0.0)


async def drained(inbox: Inbox) -> list[ConversationEvent]:
    return [await inbox.get() for _ in range(len(inbox))]


async def test_events_come_in_order() -> None:
    inbox = Inbox(lambda _: None)
    events: list[ConversationEvent] = [text(1), Gap(2), text(4), Read(1, 1), text(5)]
    for event in events:
        inbox.put(event)
    assert await drained(inbox) == events


async def test_only_the_newest_of_how_far_is_kept() -> None:
    inbox = Inbox(lambda _: None)
    for number in range(1, 100):
        inbox.put(Delivered(number, number))
    inbox.put(FileProgress(b"a", 1, 9))
    inbox.put(text(1))
    inbox.put(FileProgress(b"b", 1, 9))
    inbox.put(FileProgress(b"a", 5, 9))
    inbox.put(Typing(SEFA, True))
    inbox.put(Typing(SEFA, False))
    inbox.put(LineChanged(Line.HELD, 1.0))
    inbox.put(LineChanged(Line.RELAYED))
    assert await drained(inbox) == [
        Delivered(99, 1),
        FileProgress(b"a", 5, 9),
        text(1),
        FileProgress(b"b", 1, 9),
        Typing(SEFA, False),
        LineChanged(Line.RELAYED),
    ]


async def test_receipts_with_a_gap_between_stay_apart() -> None:
    inbox = Inbox(lambda _: None)
    inbox.put(Delivered(3, 1))
    inbox.put(Delivered(9, 5))
    assert await drained(inbox) == [Delivered(3, 1), Delivered(9, 5)]


async def test_it_says_when_it_is_full_and_when_there_is_room() -> None:
    told: list[bool] = []
    inbox = Inbox(told.append)
    for number in range(FULL + 10):
        inbox.put(text(number))
    assert told == [True]
    for _ in range(10 + FULL - ROOM_AGAIN):
        await inbox.get()
    assert told == [True, False]


async def test_ended_is_the_last_and_stays() -> None:
    inbox = Inbox(lambda _: None)
    inbox.put(text(1))
    inbox.put(Ended(EndReason.HUNG_UP, 0))
    assert await inbox.get() == text(1)
    for _ in range(3):
        assert await inbox.get() == Ended(EndReason.HUNG_UP, 0)


async def test_a_reader_that_waits_is_woken() -> None:
    inbox = Inbox(lambda _: None)
    reading = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put(FileCompleted(b"a", Path("x")))
    assert await reading == FileCompleted(b"a", Path("x"))

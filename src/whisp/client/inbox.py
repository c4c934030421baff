"""The bounded queue between a conversation and its application."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from whisp.client.events import (
    ConversationEvent,
    Delivered,
    Ended,
    FileProgress,
    LineChanged,
    Read,
    Typing,
)

__all__ = ["Inbox"]

FULL: Final = 256
"""Unread events at which the peer is no longer read: more than a screen, little memory."""

ROOM_AGAIN: Final = 128


class Inbox:
    """Events in order, with what only says "how far" kept once: the newest stands for those before it.

    Args:
        on_full: called with True when the application is behind, with False when it caught up.
    """

    def __init__(self, on_full: Callable[[bool], None]) -> None:
        self._events: deque[ConversationEvent] = deque()
        self._on_full = on_full
        self.is_full = False
        """Whether the application is behind."""
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: ConversationEvent) -> None:
        """Queue an event, or let it replace an unread one that it makes pointless."""
        if not self._replace(event):
            self._events.append(event)
        self._arrived.set()
        if len(self._events) >= FULL and not self.is_full:
            self.is_full = True
            self._on_full(True)

    async def get(self) -> ConversationEvent:
        """Take the oldest event, waiting for one. `Ended` stays, for whoever asks again."""
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        if isinstance(self._events[0], Ended):
            return self._events[0]
        event = self._events.popleft()
        if self.is_full and len(self._events) <= ROOM_AGAIN:
            self.is_full = False
            self._on_full(False)
        return event

    def clear(self) -> None:
        """Drop what is unread."""
        self._events.clear()

    def _replace(self, event: ConversationEvent) -> bool:
        if isinstance(event, Delivered | Read | LineChanged):
            return self._merge_with_last(event)
        key = _key(event)
        if key is not None:
            for place, old in enumerate(self._events):
                if _key(old) == key:
                    self._events[place] = event
                    return True
        return False

    def _merge_with_last(self, event: Delivered | Read | LineChanged) -> bool:
        last = self._events[-1] if self._events else None
        match last, event:
            case (LineChanged(), LineChanged()):
                self._events[-1] = event
            case (Delivered(), Delivered()) if last.id + 1 == event.first:
                self._events[-1] = Delivered(event.id, last.first)
            case (Read(), Read()) if last.id + 1 == event.first:
                self._events[-1] = Read(event.id, last.first)
            case _:
                return False
        return True


def _key(event: ConversationEvent) -> object:
    """Return what two events share of which only the newest matters, None for all others."""
    match event:
        case FileProgress():
            return event.file_id
        case Typing():
            return event.member
    return None

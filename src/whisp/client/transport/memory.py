"""Two ends of a way inside one process: for tests, and for programs that talk to themselves."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from whisp.client.transport.transport import FrameHandler

__all__ = ["MemoryTransport"]

FULL_FRAMES: Final = 64
"""Frames under way at which the sender waits."""


class MemoryTransport:
    """One end. `pair` makes two; `tamper`, if set, gets every frame sent and returns what arrives instead."""

    def __init__(self) -> None:
        self._peer: MemoryTransport | None = None
        self._queue: deque[bytes] = deque()
        self._handler: FrameHandler | None = None
        self._is_paused = False
        self._is_scheduled = False
        self._room = asyncio.Event()
        self._room.set()
        self.tamper: Callable[[bytes], list[bytes]] | None = None

    @classmethod
    def pair(cls) -> tuple["MemoryTransport", "MemoryTransport"]:
        """Return two ends that are joined."""
        one, two = cls(), cls()
        one._peer, two._peer = two, one
        return one, two

    def deliver_to(self, handler: FrameHandler) -> None:
        """Hand frames that arrive at this end to `handler` from now on, those that waited first."""
        self._handler = handler
        self._schedule()

    def send(self, frame: bytes) -> None:
        """Queue one frame for the other end."""
        if self._peer is None:
            return
        for arriving in self.tamper(frame) if self.tamper else [frame]:
            self._peer._queue.append(arriving)
        if len(self._peer._queue) >= FULL_FRAMES:
            self._room.clear()
        self._peer._schedule()

    @property
    def is_full(self) -> bool:
        """Whether `drain` would wait."""
        return not self._room.is_set()

    async def drain(self) -> None:
        """Wait while too many frames are under way."""
        await self._room.wait()

    def pause_reading(self) -> None:
        """Leave frames where they are."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Take frames again."""
        self._is_paused = False
        self._schedule()

    def close(self) -> None:
        """Cut this end off; frames already sent still arrive."""
        self._peer = None
        self._handler = None
        self._room.set()

    def abort(self) -> None:
        """Cut this end off."""
        self.close()

    def _schedule(self) -> None:
        if not self._is_scheduled and self._queue:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_scheduled = False
        while self._queue and self._handler is not None and not self._is_paused:
            self._handler(self._queue.popleft())
        if self._peer is not None and len(self._queue) < FULL_FRAMES:
            self._peer._room.set()

"""A bounded stream of what happens, for one reader at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

__all__ = ["Feed"]

_Item = TypeVar("_Item")


class Feed(Generic[_Item]):
    """Keeps the newest `limit` items for a reader; older ones fall out. It ends when closed."""

    def __init__(self, limit: int) -> None:
        self._items: deque[_Item] = deque(maxlen=limit)
        self._changed = asyncio.Event()
        self._is_closed = False

    def put(self, item: _Item) -> None:
        """Add an item. After the close it goes nowhere."""
        if not self._is_closed:
            self._items.append(item)
            self._changed.set()

    def close(self) -> None:
        """Let the reader take what is left and stop."""
        self._is_closed = True
        self._changed.set()

    async def read(self) -> AsyncIterator[_Item]:
        """Yield items as they come, until the feed is closed and empty."""
        while True:
            while self._items:
                yield self._items.popleft()
            if self._is_closed:
                return
            self._changed.clear()
            await self._changed.wait()

"""One clock for everything with a deadline: it reads like Unix time and never jumps.

The wall clock is read once. From then on the time since boot counts, which includes suspends where the
system tells: a laptop that slept through the hold of a call finds the call over.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Alarm", "Clock"]

_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """Unix seconds that only go forward."""

    def __init__(self) -> None:
        self._offset = time.time() - time.clock_gettime(_SINCE_BOOT)

    def now(self) -> float:
        """Return Unix seconds, as of the wall clock when this clock was made."""
        return self._offset + time.clock_gettime(_SINCE_BOOT)


class Alarm:
    """One timer that is set again and again: it rings at the earliest time it was set to, or a little before.

    Whoever it calls looks at what is due and sets it anew.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at = 0.0

    def set(self, at: float, now: float) -> None:
        """Ring at `at`, or earlier if it was set so before: moving it for every frame would cost more."""
        if self._handle is not None:
            if self._at <= at:
                return
            self._handle.cancel()
        self._at = at
        self._handle = asyncio.get_running_loop().call_later(max(at - now, 0.0), self._fire)

    def cancel(self) -> None:
        """Ring no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        self._ring()

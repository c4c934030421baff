"""One clock for everything with a deadline: it reads like Unix time and never jumps.

The wall clock is read once. From then on the time since boot counts, which includes suspends where the
system tells: a laptop that slept through the hold of a call finds the call over.
"""

import time
from typing import Final

__all__ = ["Clock"]

_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """Unix seconds that only go forward."""

    def __init__(self) -> None:
        self._offset = time.time() - time.clock_gettime(_SINCE_BOOT)

    def now(self) -> float:
        """Return Unix seconds, as of the wall clock when this clock was made."""
        return self._offset + time.clock_gettime(_SINCE_BOOT)

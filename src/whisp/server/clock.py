"""Time for deadlines: the wall clock of the process's start, carried on by a clock that never jumps."""

import time

__all__ = ["SteadyClock"]


class SteadyClock:
    """Unix seconds that only move forward, evenly, whatever is done to the system's clock meanwhile.

    What the server promises until a time (tokens, challenges) is measured here, so that setting the clock
    back revives nothing. What others have signed (certificates, lists, pre-keys) is held against the wall
    clock instead, which an administrator may have to correct.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Return the time."""
        return time.monotonic() + self._offset

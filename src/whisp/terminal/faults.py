"""A fault shown to whoever debugs it: frames and lines of code, never the values in them."""

import sys
import traceback
from types import TracebackType

__all__ = ["show"]


def show(error: BaseException) -> None:
    """Print where `error` came from, on stderr: files, lines and types, without messages or locals.

    The text of a foreign error can hold what it was working on, so only its type is told.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        for line in _frames(current.__traceback__):
            sys.stderr.write(line)
        kind = type(current)
        sys.stderr.write(f"{kind.__module__}.{kind.__qualname__}\n")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _frames(trace: TracebackType | None) -> list[str]:
    return traceback.StackSummary.extract(traceback.walk_tb(trace), capture_locals=False).format()

"""Searches another process's memory for byte strings, where the system allows it (Linux, own children)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Found", "count_in_memory"]

_WINDOW: Final = 4 * 1024 * 1024
_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw")


@dataclass(frozen=True, slots=True)
class Found:
    """How often the needles and the control were found in so many MiB."""

    needles: int
    control: int
    mebibytes: int


def count_in_memory(pid: int, needles: Sequence[bytes], control: bytes) -> Found | None:
    """Count occurrences in all writable memory of process `pid`; None where the system refuses.

    `control` is something that must be there: a search that finds nothing proves nothing without it.
    """
    overlap = max(len(control), *map(len, needles)) - 1
    hits = controls = size = 0
    try:
        regions = Path(f"/proc/{pid}/maps").read_text(encoding="ascii").splitlines()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for region in regions:
                bounds = _REGION.match(region)
                if bounds is None:
                    continue
                start, end = (int(bound, 16) for bound in bounds.groups())
                for offset in range(start, end, _WINDOW):
                    try:
                        memory.seek(offset)
                        window = memory.read(min(_WINDOW + overlap, end - offset))
                    except OSError:
                        continue  # a page that went away, or a guard page
                    size += min(len(window), _WINDOW)
                    hits += sum(map(window.count, needles))
                    controls += window.count(control)
    except OSError:
        return None
    return Found(hits, controls, size // (1024 * 1024))

"""Tools the benches share: fair turns between contestants, CPU time of a process, a core of one's own."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import psutil

__all__ = ["Comparison", "cpu_seconds", "interleave", "pinned", "resident_bytes", "timed"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `interleave` found. The ratio is taken round by round, so a busy moment strikes both sides."""

    ratio: float
    """The median over all rounds of b / a: above 1 when a took less."""
    a: float
    """The median of a alone."""
    b: float
    """The median of b alone."""


def interleave(a: Callable[[], float], b: Callable[[], float], rounds: int, warm_up: int = 1) -> Comparison:
    """Run `a` and `b` in turn and compare what they return, seconds for example.

    Who goes first alternates, so that neither always runs on the other's warm caches. The first `warm_up`
    rounds are thrown away.
    """
    pairs: list[tuple[float, float]] = []
    for number in range(warm_up + rounds):
        if number % 2 == 0:
            first, second = a(), b()
        else:
            second, first = b(), a()
        if number >= warm_up:
            pairs.append((first, second))
    return Comparison(
        ratio=median(second / first for first, second in pairs),
        a=median(first for first, _ in pairs),
        b=median(second for _, second in pairs),
    )


def timed(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds `work` takes."""
    started = perf_counter()
    work()
    return perf_counter() - started


def cpu_seconds(pid: int) -> float:
    """Return the user and system seconds process `pid` has used so far, its threads included."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of process `pid`."""
    return int(psutil.Process(pid).memory_info().rss)


@contextmanager
def pinned(pid: int, cores: set[int]) -> Iterator[None]:
    """Keep process `pid` (0: this one) on `cores` meanwhile; does nothing where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(pid)
    os.sched_setaffinity(pid, cores & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(pid, before)

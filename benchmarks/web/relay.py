"""A file from Python to a page over the blind relay, against magic-wormhole through its own transit relay.

Wormhole's figure is a whole command with the start of both processes, ours begins when the person accepts: no
page starts for a file. The file is large, so that little of the difference is left.
"""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from tests.web.person import Person

from benchmarks import file as file_bench
from benchmarks.figures import Figure
from benchmarks.web.people import call_a_program, take

__all__ = ["against_wormhole"]

_MIB: Final = 1024 * 1024


async def against_wormhole(mira: Person, mib: int, rounds: int) -> list[Figure]:
    """Move `mib` MiB by each in turn; report the median ratio."""
    size = mib * _MIB
    times: list[tuple[float, float]] = []
    with ExitStack() as servers, tempfile.TemporaryDirectory(prefix="whisp-bench-") as folder:
        scratch = Path(folder)
        wormhole = servers.enter_context(file_bench.wormhole_servers(scratch))
        for number in range(1 + rounds):  # a call for each: a page keeps 256 MiB of files in one call
            payload = scratch / f"payload-{number}.bin"
            file_bench.write_random(payload, size if number else _MIB)
            async with call_a_program(mira) as conversation:
                await conversation.send_file(payload)
                ours = await take(mira, payload.name)
            out = scratch / f"out-{number}"
            out.mkdir()
            run = await asyncio.to_thread(wormhole.move, payload, out, direct=False)
            times.append((ours, run.seconds))
    ratios = [theirs / ours for ours, theirs in times[1:]]
    return [
        Figure("relay_vs_wormhole", median(ratios), "times as fast", 0.35),
        Figure("relay_mb_per_s", size / 1e6 / median(ours for ours, _ in times[1:]), "MB/s"),
        Figure("wormhole_relayed_mb_per_s", size / 1e6 / median(theirs for _, theirs in times[1:]), "MB/s"),
    ]

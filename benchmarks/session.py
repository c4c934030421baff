"""`./bench session`: from pressing "call" to the first message read on the other side, over the relay.

The server is a process of its own; the two clients share this one, so both ends of the handshake, the
signalling and the ratchet are paid for in the same figure. Nobody has to press "accept".
"""

import asyncio
import time
from typing import Final

from benchmarks.figures import Figure
from whisp import Client, Conversation, MemoryVault, TextReceived
from whisp.testing import running_server_process

__all__ = ["run"]

_WARM_UP: Final = 5


def run(quick: bool) -> list[Figure]:
    """Ring 400 times (quick: 120) and report the median and the 99th percentile in milliseconds."""
    times = sorted(asyncio.run(_measure(120 if quick else 400)))
    return [
        Figure("ring_to_message_p50_ms", _percentile(times, 50), "ms", 60, "at most"),
        Figure("ring_to_message_p99_ms", _percentile(times, 99), "ms"),
    ]


async def _measure(rings: int) -> list[float]:
    async with (
        running_server_process() as server,
        Client(server.origin, MemoryVault()) as caller,
        Client(server.origin, MemoryVault()) as callee,
    ):
        await caller.register("odile")
        await callee.register("sefa")
        await caller.login()
        await callee.login()
        answered: asyncio.Queue[Conversation] = asyncio.Queue()
        answering = asyncio.create_task(_answer(callee, answered))
        try:
            times = [await _ring(caller, answered) for _ in range(_WARM_UP + rings)]
        finally:
            answering.cancel()
    return times[_WARM_UP:]


async def _answer(callee: Client, answered: asyncio.Queue[Conversation]) -> None:
    async for ring in callee.rings():
        await answered.put(await ring.accept())


async def _ring(caller: Client, answered: asyncio.Queue[Conversation]) -> float:
    """Return the milliseconds from ringing to the first text read by the callee."""
    started = time.perf_counter()
    async with await caller.call("sefa") as conversation:
        await conversation.send_text("hello")
        async with await answered.get() as other:
            while not isinstance(await other.receive(), TextReceived):
                pass
            return (time.perf_counter() - started) * 1000


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

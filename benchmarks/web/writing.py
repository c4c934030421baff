"""How fast a key shows, and what a page holds, when ten thousand messages have come."""

from typing import Final

from tests.web.person import Person

from benchmarks.figures import Figure
from benchmarks.web.people import Guests
from whisp import Client, Conversation, MemoryVault

__all__ = ["latency"]

_MESSAGES: Final = 10_000
_KEYS: Final = 200
_KEY_MS: Final = 40

_WATCH_KEYS: Final = """
() => {
    window.benchKeys = [];
    document.querySelector(".composer textarea").addEventListener("keydown", (event) => {
        // the frame that draws it, and then whatever comes after that frame
        requestAnimationFrame(() => {
            const painted = new MessageChannel();
            painted.port1.onmessage = () => benchKeys.push(performance.now() - event.timeStamp);
            painted.port2.postMessage(null);
        });
    });
}
"""


async def latency(come: Guests, origin: str, more: int) -> list[Figure]:
    """Fill a chat from a Python peer, type into it, let `more` messages come, and weigh the page again."""
    mira = await come("mira")
    async with Client(origin, MemoryVault()) as odile:
        await odile.register(f"{mira.name}-peer")
        await odile.login()
        await mira.ring(odile.username)
        async for ring in odile.rings():
            conversation = await ring.accept()
            break
        async with conversation:
            await _fill(conversation, mira, 0, _MESSAGES)
            keys = await _type(mira, odile.username)
            full = await _heap_mib(mira)
            await _fill(conversation, mira, _MESSAGES, more)
            fuller = await _heap_mib(mira)
    return [
        Figure("typing_latency_p95_ms", keys[len(keys) * 95 // 100], "ms", 50, "at most"),
        Figure("heap_at_10000_mib", full, "MiB"),
        Figure("heap_growth_mib", fuller - full, f"MiB after {more:,} more", 4, "at most"),
    ]


async def _fill(conversation: Conversation, reader: Person, first: int, count: int) -> None:
    for number in range(first, first + count):
        await conversation.send_text(f"message {number}: what one says in a line of a conversation")
    await reader.page.get_by_text(f"message {first + count - 1}:").first.wait_for(timeout=120_000)


async def _type(person: Person, peer: str) -> list[float]:
    await person.page.evaluate(_WATCH_KEYS)
    field = person.composer(peer)
    await field.focus()
    await person.page.keyboard.type("quite calmly written " * (_KEYS // 21 + 1), delay=_KEY_MS)
    await field.fill("")
    return sorted(await person.page.evaluate("() => benchKeys"))


async def _heap_mib(person: Person) -> float:
    session = await person.context.new_cdp_session(person.page)
    try:
        await session.send("HeapProfiler.collectGarbage")
        usage = await session.send("Runtime.getHeapUsage")
    finally:
        await session.detach()
    return float(usage["usedSize"]) / 1024 / 1024

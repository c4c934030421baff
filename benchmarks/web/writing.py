"""How fast a key shows, and what a page holds, when ten thousand messages have come."""

from typing import Final

from tests.web.person import Person

from benchmarks.figures import Figure
from benchmarks.web.people import call_a_program
from whisp import Conversation

__all__ = ["latency"]

_MESSAGES: Final = 10_000
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


async def latency(mira: Person, keys: int, more: int) -> list[Figure]:
    """Fill a chat from a Python peer, press keys, let `more` messages come, and weigh the page again."""
    async with call_a_program(mira) as conversation:
        await _fill(conversation, mira, 0, _MESSAGES)
        shown_after = await _type(mira, keys)
        full = await _heap_mib(mira)
        await _fill(conversation, mira, _MESSAGES, more)
        fuller = await _heap_mib(mira)
    return [
        Figure("typing_latency_p95_ms", shown_after[len(shown_after) * 95 // 100], "ms", 50, "at most"),
        Figure("heap_at_10000_mib", full, "MiB"),
        Figure("heap_growth_mib", fuller - full, f"MiB after {more:,} more", 4, "at most"),
    ]


async def _fill(conversation: Conversation, reader: Person, first: int, count: int) -> None:
    for number in range(first, first + count):
        await conversation.send_text(f"message {number}: what one says in a line of a conversation")
    await reader.page.get_by_text(f"message {first + count - 1}:").first.wait_for(timeout=120_000)


async def _type(person: Person, keys: int) -> list[float]:
    await person.page.evaluate(_WATCH_KEYS)
    field = person.page.locator(".composer textarea")
    await field.focus()
    await person.page.keyboard.type(("quite calmly written " * (keys // 21 + 1))[:keys], delay=_KEY_MS)
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

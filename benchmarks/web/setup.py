"""From pressing "Call" to the first message on the other screen; nobody has to press "Accept"."""

import asyncio
import statistics
from typing import Final

from tests.web.person import Person

from benchmarks.figures import Figure
from benchmarks.web.people import is_home_again

__all__ = ["over_relay", "over_turn"]

_WARM_UP: Final = 1

_ACCEPT_AT_ONCE: Final = """
() => {
    const look = () => {
        const accept = document.querySelector('[role="alertdialog"] button[aria-keyshortcuts="a"]');
        if (accept === null) return;
        watch.disconnect();
        accept.click();
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true });
    look();
}
"""

_CALL_AND_SAY: Final = """
([text, needsChannel]) => new Promise((resolve) => {
    const isReady = () => !needsChannel || benchChannels.some((one) => one.readyState === "open");
    const look = () => {
        const field = document.querySelector(".composer textarea");
        if (field === null || !isReady()) return;
        clearInterval(watch);
        field.value = text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.form.requestSubmit();
        resolve(pressed);
    };
    const watch = setInterval(look, 1);
    const pressed = performance.timeOrigin + performance.now();
    document.querySelector('form.dial button[type="submit"]').click();
})
"""

_WHEN_SHOWN: Final = """
(text) => new Promise((resolve) => {
    const look = () => {
        for (const message of document.querySelectorAll(".message")) {
            if (!message.textContent.includes(text)) continue;
            watch.disconnect();
            resolve(performance.timeOrigin + performance.now());
        }
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true, characterData: true });
    look();
})
"""


async def over_relay(mira: Person, odile: Person, rounds: int) -> list[Figure]:
    """Call over the blind relay: the server has no TURN server to name."""
    return [
        Figure(
            "setup_relay_ms", await _median(mira, odile, rounds, needs_channel=False), "ms", 250, "at most"
        )
    ]


async def over_turn(mira: Person, odile: Person, rounds: int) -> list[Figure]:
    """Call, and wait for the DataChannel through coturn, as by default, before anything is said."""
    milliseconds = await _median(mira, odile, rounds, needs_channel=True)
    return [Figure("setup_datachannel_ms", milliseconds, "ms", 600, "at most")]


async def _median(mira: Person, odile: Person, rounds: int, *, needs_channel: bool) -> float:
    times = [await _once(mira, odile, number, needs_channel) for number in range(_WARM_UP + rounds)]
    return statistics.median(times[_WARM_UP:])


async def _once(mira: Person, odile: Person, number: int, needs_channel: bool) -> float:
    text = f"first words {number}"
    await odile.page.evaluate(_ACCEPT_AT_ONCE)
    await mira.page.evaluate("() => { benchChannels.length = 0; }")
    await mira.page.get_by_label("Name", exact=True).fill(odile.name)
    shown = asyncio.create_task(odile.page.evaluate(_WHEN_SHOWN, text))
    pressed = await mira.page.evaluate(_CALL_AND_SAY, [text, needs_channel])
    milliseconds = await shown - pressed
    await mira.hang_up()
    await is_home_again(mira, odile)
    return float(milliseconds)

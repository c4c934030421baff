"""People for a bench: each in a browser of their own, driven as the tests drive them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import TypeAlias

from playwright.async_api import async_playwright
from tests.web import chromium
from tests.web.person import Person
from tests.web.watch import Watch

__all__ = ["Guests", "go_direct", "guests", "is_direct", "meet"]

_numbers = count()

_BEFORE_THE_PAGE = """
localStorage.setItem("whisp.settings", JSON.stringify({ direct: true }));
window.benchChannels = [];
const make = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...all) {
    const channel = make.apply(this, all);
    window.benchChannels.push(channel);
    return channel;
};
"""
"""Direct lines may be asked for, and the bench can see a channel open."""

Guests: TypeAlias = Callable[[str], Awaitable[Person]]


@asynccontextmanager
async def guests(origin: str) -> AsyncIterator[Guests]:
    """Let people come, each registered at `origin`, in a browser that ends with the block."""
    async with async_playwright() as playwright, AsyncExitStack() as stack:

        async def come(stem: str) -> Person:
            flags = chromium.reaches_nothing_else()
            # A name in place of an address costs a second of multicast, which nobody answers on one machine.
            flags.append("--disable-features=WebRtcHideLocalIpsWithMdns")
            browser = await playwright.chromium.launch(executable_path=chromium.executable(), args=flags)
            stack.push_async_callback(browser.close)
            context = await browser.new_context(locale="en-GB", reduced_motion="reduce")
            await context.add_init_script(_BEFORE_THE_PAGE)
            person = Person(
                f"{stem}-{next(_numbers)}", context, await context.new_page(), Watch(origin), origin
            )
            return await person.register()

        yield come


async def meet(come: Guests) -> tuple[Person, Person]:
    """Bring two people."""
    return await come("mira"), await come("odile")


async def go_direct(asks: Person, answers: Person) -> None:
    """Agree on a direct line in a call, and wait for it on both sides."""
    await asks.button("panel.askDirect").click()
    await answers.button("direct.yes").click()
    await asyncio.gather(*(is_direct(person) for person in (asks, answers)))


async def is_direct(person: Person) -> None:
    """Wait until a page's channel is open and its person is told."""
    await person.page.wait_for_function("() => benchChannels.some((one) => one.readyState === 'open')")
    await person.page.locator(".panel").get_by_text("Known to each other").first.wait_for()

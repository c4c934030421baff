"""Two people for a bench: each in a browser of their own, driven as the tests drive them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from playwright.async_api import Browser, async_playwright
from tests.web import chromium
from tests.web.person import Person
from tests.web.watch import Watch

from whisp import Client, Conversation, MemoryVault

__all__ = ["call_a_program", "go_direct", "is_direct", "is_home_again", "take", "two_browsers", "two_people"]

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

_TAKE = """
(accept, label) => new Promise((resolve) => {
    const started = performance.now();
    const look = () => {
        if (document.querySelector(`button[aria-label="${label}"]`) === null) return;
        clearInterval(watch);
        resolve((performance.now() - started) / 1000);
    };
    const watch = setInterval(look, 5);
    accept.click();
})
"""


@asynccontextmanager
async def two_browsers() -> AsyncIterator[tuple[Browser, Browser]]:
    """Start a browser for each of two people."""
    async with async_playwright() as playwright, AsyncExitStack() as stack:
        # A name in place of an address costs a second of multicast, which nobody answers on one machine.
        one, two = await asyncio.gather(
            *(chromium.launch(playwright, chromium.OWN_ADDRESSES) for _ in range(2))
        )
        for browser in (one, two):
            stack.push_async_callback(browser.close)
        yield one, two


@asynccontextmanager
async def two_people(browsers: tuple[Browser, Browser], origin: str) -> AsyncIterator[tuple[Person, Person]]:
    """Bring two people, registered at `origin`, each in a browser of their own, until the block ends."""
    async with AsyncExitStack() as stack:
        coming = (_come(stack, *who, origin) for who in zip(browsers, ("mira", "odile"), strict=True))
        mira, odile = await asyncio.gather(*coming)
        yield mira, odile


async def _come(stack: AsyncExitStack, browser: Browser, stem: str, origin: str) -> Person:
    context = await browser.new_context(locale="en-GB", reduced_motion="reduce")
    stack.push_async_callback(context.close)
    await context.add_init_script(_BEFORE_THE_PAGE)
    page = await context.new_page()
    return await Person(f"{stem}-{next(_numbers)}", context, page, Watch(origin), origin).register()


@asynccontextmanager
async def call_a_program(caller: Person, *, allow_direct: bool = False) -> AsyncIterator[Conversation]:
    """Call somebody who uses the SDK; after the block the call is over and the page as it was before."""
    async with Client(caller.origin, MemoryVault(), allow_direct=allow_direct) as callee:
        await callee.register(f"program-{next(_numbers)}")
        await callee.login()
        await caller.ring(callee.username)
        async for ring in callee.rings():
            conversation = await ring.accept()
            break
        async with conversation:
            await caller.is_in_call(callee.username)
            yield conversation
    await is_home_again(caller)


async def is_home_again(*people: Person) -> None:
    """Leave the page that says that everything is gone, after a call."""
    for person in people:
        await person.is_gone()
        await person.done()


async def go_direct(asks: Person, answers: Person) -> None:
    """Agree on a direct line in a call, and wait for it on both sides."""
    await asks.button("panel.askDirect").click()
    await answers.button("direct.yes").click()
    await asyncio.gather(*(is_direct(person) for person in (asks, answers)))


async def is_direct(person: Person) -> None:
    """Wait until a page's channel is open and its person is told."""
    await person.page.wait_for_function("() => benchChannels.some((one) => one.readyState === 'open')")
    await person.page.locator(".panel").get_by_text("Known to each other").first.wait_for()


async def take(person: Person, name: str) -> float:
    """Accept a file that is offered; return the seconds until it is here.

    The page looks by itself, for one attribute: Playwright would compute the role and the name of all that is
    on the screen at each frame, on the cores that are measured.
    """
    accept = person.button("file.accept", file=name)
    return float(await accept.evaluate(_TAKE, person.say("file.save", file=name)))

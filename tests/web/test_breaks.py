"""Networks and servers that go away under a call of two pages: nothing is lost, doubled or out of order."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import psutil
from playwright.async_api import Playwright, expect
from tests.attacks.server_process import serving
from tests.coturn import coturn
from tests.web import chromium
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.rtc import connections, line_of, note_webrtc, turn_environment

_DROP_SECONDS: Final = 5.0
_TEXTS: Final = 10
_PATIENCE_SECONDS: Final = 30.0

_TALL: Final = {"width": 1280, "height": 4000}
"""Only messages in sight are drawn; here all of them are."""


@asynccontextmanager
async def stopped(*processes: int) -> AsyncIterator[None]:
    """Let these processes stand still."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def network_services() -> set[int]:
    """Return the processes that do all networking for the browsers of this process."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it ended while it was looked at
            if "--utility-sub-type=network.mojom.NetworkService" in process.cmdline():
                found.add(process.pid)
    return found


async def say(one: Person, two: Person, part: str, seconds: float = 0) -> None:
    """Write twenty numbered texts, ten from each side, evenly over some seconds."""
    started = time.monotonic()
    for number in range(_TEXTS):
        await one.write(two.name, f"{part} {number:02}")
        await two.write(one.name, f"{part} {number:02}")
        await asyncio.sleep(max(0, started + seconds * (number + 1) / _TEXTS - time.monotonic()))


async def has_all(person: Person, *parts: str) -> None:
    """Wait until everything the peer said in these parts is there: once, and in order."""
    wanted = [f"{part} {number:02}" for part in parts for number in range(_TEXTS)]
    theirs = person.log.locator(".message:not(.own) .said")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while len(found := await theirs.all_inner_texts()) < len(wanted):
            await asyncio.sleep(0.1)
    assert found == wanted


async def test_a_drop_of_turn_is_bridged_by_the_relay(meet: Meet, tmp_path: Path) -> None:
    async with coturn() as relay, serving(tmp_path, settings=turn_environment(relay)) as server:
        mira, odile = [await meet(stem, at=server.origin, viewport=_TALL) for stem in ("mira", "odile")]
        await note_webrtc(mira, odile)
        await mira.register()
        await odile.register()
        await mira.call(odile)
        for person in (mira, odile):
            await line_of(person)
        await say(mira, odile, "before")
        async with stopped(relay.process.pid):
            await say(mira, odile, "during", _DROP_SECONDS)
            await has_all(odile, "before", "during")  # by another way: this one stands still
            await has_all(mira, "before", "during")
        await say(mira, odile, "after")
        for person in (mira, odile):
            await has_all(person, "before", "during", "after")
            await expect(person.page.get_by_text("lost here")).to_have_count(0)
        for person in (mira, odile):
            line = await line_of(person)
            peer = odile if person is mira else mira
            await peer.write(person.name, f"is {peer.name} there?")
            await person.reads(f"is {peer.name} there?")
            assert (await line_of(person)).received > line.received  # it is in use again
        made = [one for person in (mira, odile) for one in await connections(person)]
        assert len(made) > 2 or sum(one.restarts for one in made) > 0


async def test_a_drop_of_one_network_on_a_direct_line(meet: Meet, playwright: Playwright) -> None:
    """One of the two has no network at all for five seconds: neither the line nor the way over the server."""
    before = network_services()
    alone = await chromium.launch(playwright, chromium.OWN_ADDRESSES)
    try:
        mira = await meet("mira", using=alone, viewport=_TALL)
        await note_webrtc(mira)
        await mira.register()
        (network,) = network_services() - before
        other = await chromium.launch(playwright, chromium.OWN_ADDRESSES)
        try:
            odile = await meet("odile", using=other, viewport=_TALL)
            await note_webrtc(odile)
            await odile.register()
            await mira.call(odile)
            await mira.button("panel.askDirect").click()
            await odile.button("direct.yes").click()
            for person in (mira, odile):
                await line_of(person, "all")
            await say(mira, odile, "before")
            async with stopped(network):
                await say(mira, odile, "during", _DROP_SECONDS)
            await say(mira, odile, "after")
            for person in (mira, odile):
                await has_all(person, "before", "during", "after")
                await expect(person.page.get_by_text("lost here")).to_have_count(0)
            await mira.reads_of_the_line("direct", odile.name)
            for person in (mira, odile):
                assert (await line_of(person, "all")).pair is not None
        finally:
            await other.close()
    finally:
        await alone.close()


async def test_a_server_that_dies_under_a_line_of_their_own(meet: Meet, tmp_path: Path) -> None:
    """The chat goes on through coturn, in both directions, while it is away and when it is back."""
    async with coturn() as relay:
        settings = turn_environment(relay)
        async with serving(tmp_path, settings=settings) as first:
            mira, odile = [await meet(stem, at=first.origin, viewport=_TALL) for stem in ("mira", "odile")]
            await note_webrtc(mira, odile)
            for person in (mira, odile):
                person.watch.allow("WebSocket connection to")
                person.watch.allow("net::ERR_CONNECTION_REFUSED")
                await person.register()
            await mira.call(odile)
            for person in (mira, odile):
                await line_of(person)
            await say(mira, odile, "before")
            first.process.kill()
            await first.ended()
        await say(mira, odile, "during", 2)
        for person in (mira, odile):
            await has_all(person, "before", "during")
        async with serving(tmp_path, first.port, settings=settings):
            for person in (mira, odile):
                await person.is_found()
            await say(mira, odile, "after")
            for person, peer in ((mira, odile), (odile, mira)):
                await has_all(person, "before", "during", "after")
                await person.reads_of_the_line("relayed", peer.name)
            await mira.hang_up()
            for person in (mira, odile):
                await person.is_gone()
                await person.done()
            await odile.call(mira)  # the server rings again, and a new line is found
            await line_of(odile)

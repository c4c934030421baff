"""`./bench web`: what a person at a page waits for, in Debian's Chromium, against the real server and coturn.

Every person has a browser of their own, as on two machines; here the two share its cores.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.coturn import Coturn, coturn, turn_settings

from benchmarks.figures import Figure
from benchmarks.web import channels, lighthouse, relay, setup, weight, writing
from benchmarks.web.people import two_browsers, two_people
from whisp.testing import ServerProcess, running_server_process

__all__ = ["run"]


def run(quick: bool) -> list[Figure]:
    """Measure set-up, typing, files, the weight of the page, and what Lighthouse says."""
    return asyncio.run(_measure(quick))


async def _measure(quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    async with two_browsers() as browsers:
        async with _server() as server, two_people(browsers, server.origin) as (mira, odile):
            figures += await setup.over_relay(mira, odile, rounds=3 if quick else 25)
            figures += await weight.first_load(mira)
            figures += await writing.latency(mira, *((40, 500) if quick else (200, 5_000)))
            figures += await channels.against_bare(mira, odile, *((16, 1) if quick else (48, 5)))
            figures += await relay.against_wormhole(mira, *((32, 1) if quick else (192, 3)))
        async with coturn() as turn, _server(turn) as server, two_people(browsers, server.origin) as people:
            figures += await setup.over_turn(*people, rounds=3 if quick else 25)
    async with _server() as server:
        figures += await asyncio.to_thread(lighthouse.audit, server.origin, 1 if quick else 3)
    return figures


@asynccontextmanager
async def _server(turn: Coturn | None = None) -> AsyncIterator[ServerProcess]:
    with _environment({} if turn is None else _turn_environment(turn)):
        async with running_server_process() as server:
            yield server


def _turn_environment(turn: Coturn) -> dict[str, str]:
    """Return the settings of a server that shares its secret with `turn`, as a process takes them."""
    settings = turn_settings(turn)
    return {"WHISP_TURN_URLS": ",".join(settings["turn_urls"]), "WHISP_TURN_SECRET": settings["turn_secret"]}


@contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]

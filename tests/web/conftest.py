"""A browser and a server for the tests of the web app, one of each a worker; a profile for each person."""

import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright
from tests.attacks.server_process import ServerProcess as WebServer
from tests.attacks.server_process import serving
from tests.coturn import coturn
from tests.web import chromium
from tests.web.person import PATIENCE_MS, Person
from tests.web.rtc import turn_environment
from tests.web.watch import Watch

from whisp.server.pages.pages import BUILT
from whisp.testing import ServerProcess, running_server_process

HERE: Final = Path(__file__).parent
_FAILED: Final = pytest.StashKey[bool]()
_numbers = count()

Meet: TypeAlias = Callable[..., Awaitable[Person]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of these tests in one loop, the browser's."""
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remember a failure until the pages close."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[_FAILED] = True
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """Playwright, or a skip that names what is missing."""
    if chromium.executable() is None:
        pytest.skip(chromium.MISSING)
    async with async_playwright() as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(playwright: Playwright) -> AsyncIterator[Browser]:
    """A browser."""
    launched = await chromium.launch(playwright)
    yield launched
    await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[ServerProcess]:
    """A server in a process of its own, with the built app."""
    if not (BUILT / "index.html").exists():
        pytest.skip("the web app is not built; ./run and ./test build it")
    async with running_server_process() as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plain_browser(playwright: Playwright) -> AsyncIterator[Browser]:
    """A browser that names its own addresses to a peer where a page may use them."""
    launched = await chromium.launch(playwright, chromium.OWN_ADDRESSES)
    yield launched
    await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def turn_server() -> AsyncIterator[WebServer]:
    """A server with a coturn of its own."""
    with tempfile.TemporaryDirectory(prefix="whisp-web-") as folder:
        async with coturn() as relay, serving(Path(folder), settings=turn_environment(relay)) as started:
            yield started


@pytest.fixture
def name() -> Callable[[str], str]:
    """Make names that no other test uses: the server is shared."""
    return lambda stem: f"{stem}-{next(_numbers)}"


@pytest_asyncio.fixture(loop_scope="session")
async def meet(
    request: pytest.FixtureRequest, browser: Browser, server: ServerProcess, name: Callable[[str], str]
) -> AsyncIterator[Meet]:
    """Bring somebody to a page: `await meet("mira")`. All of them are watched until the test ends."""
    people: list[Person] = []
    async with AsyncExitStack() as stack:

        async def come(
            stem: str, *, at: str | None = None, using: Browser | None = None, **options: Any
        ) -> Person:
            origin = at or server.origin
            settings = {"locale": "en-GB", "reduced_motion": "reduce", **options}
            context = await (using or browser).new_context(**settings)
            stack.push_async_callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            watch = Watch(origin)
            await watch.over(context)
            person = Person(name(stem), context, await context.new_page(), watch, origin)
            people.append(person)
            return person

        yield come
        if request.node.stash.get(_FAILED, False):
            await _keep_screenshots(request.node.name, people)
    assert {person.name: person.watch.findings for person in people if person.watch.findings} == {}


async def _keep_screenshots(test: str, people: list[Person]) -> None:
    folder = Path(tempfile.mkdtemp(prefix=f"whisp-web-{re.sub(r'[^a-z0-9]+', '-', test.lower())[:40]}-"))
    for person in people:
        for number, page in enumerate(person.context.pages):
            if not page.is_closed():
                await page.screenshot(path=folder / f"{person.name}-{number}.png")
    print(f"screenshots: {folder}")

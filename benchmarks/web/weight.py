"""How much script a first visit loads before the page can be used; the worker comes beside it."""

from typing import Final

from tests.web.person import Person
from tests.web.watch import Watch

from benchmarks.figures import Figure

__all__ = ["first_load"]

_SCRIPTS: Final = """
() => performance.getEntriesByType("resource")
    .filter((one) => new URL(one.name).pathname.endsWith(".js"))
    .map((one) => [new URL(one.name).pathname, one.encodedBodySize])
"""


async def first_load(person: Person) -> list[Figure]:
    """Open the page with nothing cached; add up the compressed scripts."""
    browser = person.context.browser
    assert browser is not None
    context = await browser.new_context(locale="en-GB")
    try:
        watch = Watch(person.origin)
        await watch.over(context)
        page = await context.new_page()
        await page.goto(person.origin)
        await page.get_by_label("Username").wait_for()
        await page.wait_for_load_state("networkidle")
        scripts = dict(await page.evaluate(_SCRIPTS))
    finally:
        await context.close()
    beside = sum(size for path, size in scripts.items() if "worker" in path)
    return [
        Figure("first_load_kib", (sum(scripts.values()) - beside) / 1024, "KiB of script", 150, "at most"),
        Figure("worker_kib", beside / 1024, "KiB of script"),
    ]

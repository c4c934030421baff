"""axe-core on a page: what it finds, as short lines."""

from functools import cache

from playwright.async_api import Page
from tests.test_house import ROOT

__all__ = ["findings"]

_RUN = """async () => (await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    rules: { "label-content-name-mismatch": { enabled: true } }, // what is read aloud holds what is seen
})).violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`)"""


@cache
def _source() -> str:
    return (ROOT / "web/node_modules/axe-core/axe.min.js").read_text("utf-8")


async def findings(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page as it is now."""
    if not await page.evaluate("typeof axe !== 'undefined'"):
        await page.evaluate(f"() => {{ {_source()}; }}")
    found: list[str] = await page.evaluate(_RUN)
    return found

"""The page without its server, and with a newer one: what its service worker keeps, and what ends it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from playwright.async_api import expect
from tests.attacks.server_process import serving
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.words import say

from whisp.server.pages.pages import BUILT

_KEPT = """async () => {
    const found = {};
    for (const name of await caches.keys()) {
        const requests = await (await caches.open(name)).keys();
        found[name] = requests.map(({ url }) => new URL(url).pathname);
    }
    return found;
}"""


def a_build(folder: Path) -> Path:
    """Copy the built app, without its compressed forms."""
    shutil.copytree(BUILT, folder, ignore=shutil.ignore_patterns("*.gz", ".stamp"))
    return folder


def change(build: Path) -> None:
    """Make it another build: with one file more, and a name of its own."""
    (build / "assets" / "newer-0123456789.txt").write_text("newer", "ascii")
    worker = build / "service-worker.js"
    head, rest = worker.read_text("utf-8").split("\n", 1)
    listed: dict[str, Any] = json.loads(re.sub(r"^const BUILD = (.*);$", r"\1", head))
    listed["name"] = "newer"
    listed["files"].append("/assets/newer-0123456789.txt")
    worker.write_text(f"const BUILD = {json.dumps(listed)};\n{rest}", "utf-8")


async def kept_by(person: Person) -> dict[str, list[str]]:
    """Return the paths that the browser keeps for the page, by the name of the cache."""
    found: dict[str, list[str]] = await person.page.evaluate(_KEPT)
    return found


async def is_kept(person: Person) -> None:
    """Wait until the page would open without a network."""
    await person.page.evaluate("async () => { await navigator.serviceWorker.ready; }")


def expect_no_server(person: Person) -> None:
    for part in ("WebSocket connection to", "net::ERR_"):
        person.watch.allow(part)


async def test_the_page_opens_without_its_server_and_keeps_no_answer(meet: Meet, tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        mira = await meet("mira", at=server.origin)
        expect_no_server(mira)
        await mira.register()
        await is_kept(mira)
    await mira.page.reload()
    await mira.is_home()
    down = "This server does not answer. Your keys and contacts are safe on this device."
    await expect(mira.page.get_by_text(down)).to_be_visible()
    (paths,) = (await kept_by(mira)).values()
    assert "/" in paths
    assert [path for path in paths if path.startswith("/v1") or not re.fullmatch(r"/[\w./-]*", path)] == []
    assert (
        await mira.page.evaluate("fetch('/v1/server').then(() => 'answered', () => 'nothing')") == "nothing"
    )


async def test_a_newer_build_is_offered_and_the_old_files_go(meet: Meet, tmp_path: Path) -> None:
    build = a_build(tmp_path / "build")
    settings = {"WHISP_WEB_APP": str(build)}
    async with serving(tmp_path / "data", settings=settings) as server:
        mira = await meet("mira", at=server.origin)
        expect_no_server(mira)
        await mira.register()
        await is_kept(mira)
        (older,) = await kept_by(mira)
    change(build)
    async with serving(tmp_path / "data", server.port, settings=settings):
        await mira.page.reload()
        await expect(mira.page.get_by_text(say("notice.updated"))).to_be_visible()
        assert older in await kept_by(mira)  # until the person wants it
        async with mira.page.expect_navigation():
            await mira.button("notice.load").click()
        await mira.is_home()
        await mira.is_online()
        kept = await kept_by(mira)
        assert list(kept) == ["whisp-newer"]
        assert "/assets/newer-0123456789.txt" in kept["whisp-newer"]
        await expect(mira.page.get_by_text(say("notice.updated"))).to_have_count(0)


async def test_a_server_without_the_worker_withdraws_it(meet: Meet, tmp_path: Path) -> None:
    build = a_build(tmp_path / "build")
    settings = {"WHISP_WEB_APP": str(build)}
    async with serving(tmp_path / "data", settings=settings) as server:
        mira = await meet("mira", at=server.origin)
        expect_no_server(mira)
        await mira.register()
        await is_kept(mira)
    (build / "service-worker.js").unlink()
    async with serving(tmp_path / "data", server.port, settings=settings):
        for part in ("404", "bad HTTP response code"):
            mira.watch.allow(part)
        await mira.page.reload()
        await mira.is_home()
        await mira.page.wait_for_function(
            "async () => (await caches.keys()).length === 0 "
            "&& (await navigator.serviceWorker.getRegistrations()).length === 0"
        )
        await mira.is_online()

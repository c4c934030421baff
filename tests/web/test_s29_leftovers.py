"""S-29 and S-26 in a browser: after a conversation no word and no key of it is stored, and no word in memory.

The other side is a Python client in this process: that is how keys of the call are known. No page tells them.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from zlib import compress, crc32

import pytest
from playwright.async_api import BrowserContext, Error, Playwright, expect
from tests.attacks.server_process import ServerProcess as OwnServer
from tests.attacks.server_process import serving
from tests.e2e.people import next_of, next_ring
from tests.web import chromium
from tests.web.conftest import Meet
from tests.web.leftovers import files_with, forms_of, kill, memory_of, stored_by
from tests.web.person import Person
from tests.web.watch import Watch
from tests.web.words import say

from whisp import Client, Conversation, MemoryVault, TextReceived
from whisp.core.ratchet import Ratchet
from whisp.testing import ServerProcess

SAID = "CNRY-said-7d31"
HEARD = "CNRY-heard-90ab"
FILE = "CNRY-file-44fe"
PICTURE = "CNRY-picture-6b20"
CONTROL = "CNRY-control-0c5e"
CANARIES = (SAID, HEARD, FILE, PICTURE)

CONTROL_KEY = bytes(range(100, 132))

STORE_CONTROL = """async ([canary, key]) => {
    localStorage.setItem("control", canary);
    const opening = indexedDB.open("control");
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    await new Promise((resolve) => { opening.onsuccess = resolve; });
    const change = opening.result.transaction("keys", "readwrite");
    change.objectStore("keys").put(new Uint8Array(key), "control");
    change.objectStore("keys").put(canary, "text");  // local storage may reach the disk seconds later
    await new Promise((resolve) => { change.oncomplete = resolve; });
    opening.result.close();
}"""

KEEP_BLOB_URLS = """{
    const blobs = new Set();
    Object.defineProperty(globalThis, "blobs", { value: blobs });
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (content) => {
        const address = createObjectURL.call(URL, content);
        blobs.add(address);
        return address;
    };
    URL.revokeObjectURL = (address) => {
        revokeObjectURL.call(URL, address);
        blobs.delete(address);
    };
}"""


@dataclass
class Talk:
    """`mira` at a page with a profile on disk, and `odile`, whose keys this process knows."""

    mira: Person
    profile: Path
    odile: Client
    conversation: Conversation
    server: ServerProcess | OwnServer


Ending: TypeAlias = Callable[[Talk], Awaitable[None]]


async def hang_up(talk: Talk) -> None:
    await talk.mira.hang_up()
    await talk.mira.is_gone()


async def peers_hang_up(talk: Talk) -> None:
    await talk.conversation.hang_up()
    await talk.mira.is_gone()


async def panic(talk: Talk) -> None:
    await talk.mira.button("chat.panic").click()
    await is_locked(talk)


async def escape_twice(talk: Talk) -> None:
    await talk.mira.page.keyboard.press("Escape")
    await talk.mira.page.keyboard.press("Escape")
    await is_locked(talk)


async def lock(talk: Talk) -> None:
    await talk.mira.button("nav.lock").click()
    await is_locked(talk)


async def nobody_there(talk: Talk) -> None:
    await talk.mira.page.clock.fast_forward("59:00")
    await is_locked(talk)


async def network_loss(talk: Talk) -> None:
    talk.mira.watch.allow("WebSocket connection to")
    talk.mira.watch.allow("net::ERR_CONNECTION_REFUSED")
    assert isinstance(talk.server, OwnServer)
    talk.server.process.kill()
    await talk.server.ended()
    await expect(talk.mira.page.get_by_role("heading", name="The line dropped.")).to_be_visible()
    await expect(talk.mira.heading("gone.title")).to_be_visible(timeout=75_000)


async def closed_tab(talk: Talk) -> None:
    left = talk.mira.page
    talk.mira.page = await talk.mira.context.new_page()
    await left.close()
    await talk.mira.open()
    await talk.mira.is_home()


async def killed_browser(talk: Talk) -> None:
    kill(talk.profile)


async def is_locked(talk: Talk) -> None:
    await expect(talk.mira.page.get_by_text(say("locked.title")).first).to_be_visible()


async def close(context: BrowserContext) -> None:
    """Close a browser that may have been killed."""
    with contextlib.suppress(Error):
        await context.close()


def keys_of(conversation: Conversation) -> set[bytes]:
    """Return the 32-byte secrets that both sides of this call share at this moment."""
    live = conversation._session._live()
    assert isinstance(live.ratchet, Ratchet)
    classical, post_quantum, _ = live.ratchet.snapshot_for_testing()
    found = {live.exporter.expose()}
    waiting: list[object] = [classical, post_quantum]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            waiting += one
        elif isinstance(one, bytes) and len(one) == 32:
            found.add(one)
    return found


def a_picture() -> bytes:
    """Return a PNG with a canary inside."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + crc32(kind + content).to_bytes(4, "big")

    size = (8).to_bytes(4, "big") * 2 + bytes((8, 0, 0, 0, 0))
    rows = compress(bytes(9) * 8)
    text = b"Comment\0" + PICTURE.encode() * 20
    parts = (chunk(b"IHDR", size), chunk(b"tEXt", text), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


async def converse(talk: Talk, folder: Path) -> set[bytes]:
    """Say and send canaries in both directions; `mira` saves nothing. Returns keys of every stage."""
    mira, conversation = talk.mira, talk.conversation
    keys = keys_of(conversation)
    await mira.write(talk.odile.username, SAID)
    assert (await next_of(conversation, TextReceived)).text == SAID
    keys |= keys_of(conversation)
    await conversation.send_text(HEARD)
    await mira.reads(HEARD)
    keys |= keys_of(conversation)
    for name, content in ((f"{FILE}.txt", (FILE + "-inside ").encode() * 5000), ("p.png", a_picture())):
        (folder / name).write_bytes(content)
        sending = await conversation.send_file(folder / name)
        await mira.take(name)
        await sending.done()
    await expect(mira.page.locator("img.picture")).to_be_visible()
    return keys | keys_of(conversation)


async def begin(mira: Person, profile: Path, odile: Client, server: ServerProcess | OwnServer) -> Talk:
    """Call a Python client."""
    await mira.register()
    await odile.register(f"{mira.name}-py")
    await odile.login()
    await mira.ring(odile.username)
    conversation = await (await next_ring(odile)).accept()
    await mira.is_in_call(odile.username)
    return Talk(mira, profile, odile, conversation, server)


def those_in(text: str, keys: set[bytes]) -> set[bytes]:
    """Return the keys that are written in a text, one way or another."""
    return {key for key in keys if any(form in text for form in forms_of(key))}


@pytest.mark.parametrize(
    "end",
    [
        hang_up,
        peers_hang_up,
        lock,
        panic,
        pytest.param(escape_twice, marks=pytest.mark.nightly),  # panic by other means
        nobody_there,
        pytest.param(network_loss, marks=pytest.mark.nightly),  # the hold of 60 s runs out in real time
        closed_tab,
        killed_browser,
    ],
)
async def test_s29_nothing_stays(
    end: Ending, playwright: Playwright, server: ServerProcess, name: Callable[[str], str], tmp_path: Path
) -> None:
    profile, folder = tmp_path / "profile", tmp_path / "files"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        where: ServerProcess | OwnServer = server
        if end is network_loss:
            where = await stack.enter_async_context(serving(tmp_path / "data"))
        context = await chromium.launch_with_profile(playwright, profile)
        stack.push_async_callback(close, context)
        watch = Watch(where.origin)
        await watch.over(context)
        await context.add_init_script(KEEP_BLOB_URLS)
        if end is nobody_there:
            await context.clock.install()
        mira = Person(name("mira"), context, context.pages[0], watch, where.origin)
        odile = await stack.enter_async_context(Client(where.origin, MemoryVault()))
        talk = await begin(mira, profile, odile, where)
        keys = await converse(talk, folder)

        # The control: while the call lives, all of it is found.
        before = await memory_of(context, mira.page)
        assert [canary for canary in (SAID, HEARD, f"{FILE}.txt") if canary not in before] == []
        assert await mira.page.evaluate("blobs.size") == 1
        assert len(keys) >= 16
        await mira.page.evaluate(STORE_CONTROL, [CONTROL, [*CONTROL_KEY]])
        everything = "\n".join((await stored_by(mira.page)).values())
        assert CONTROL in everything
        assert those_in(everything, {CONTROL_KEY}) == {CONTROL_KEY}

        await end(talk)
        if end is not killed_browser:
            stored = await stored_by(mira.page)
            assert any(place.startswith("indexedDB") for place in stored)  # the account, sealed
            everything = "\n".join(place + text for place, text in stored.items())
            assert [canary for canary in CANARIES if canary in everything] == []
            assert those_in(everything, keys) == set()
            after = await memory_of(context, mira.page)
            assert [canary for canary in CANARIES if canary in after] == []
            assert those_in(after, keys) == set()
            assert await mira.page.evaluate("blobs.size") == 0
            assert odile.username not in await mira.page.title()
            await context.close()
        forms = {form for key in keys for form in forms_of(key)}
        found = files_with(profile, [CONTROL, CONTROL_KEY, *CANARIES, *keys, *forms])
        assert found.pop(CONTROL_KEY)  # what is stored can be found there
        assert found.pop(CONTROL)
        assert {one: places for one, places in found.items() if places} == {}
        assert watch.findings == []


async def test_s29_keys_are_stored_so_that_no_script_can_read_them(meet: Meet) -> None:
    mira = await meet("mira")
    await mira.register()
    stored = await stored_by(mira.page)
    keys = [text for text in stored.values() if "CryptoKey" in text]
    assert keys
    assert not [text for text in keys if re.search(r"CryptoKey (private|secret) true", text)]
    assert mira.name not in " ".join(text for place, text in stored.items() if "indexedDB" in place)


async def test_s26_only_the_files_of_the_app_are_kept(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await mira.write(odile.name, SAID)
    await odile.reads(SAID)
    await mira.hang_up()
    kept = [place for place in await stored_by(mira.page) if place.startswith("cache")]
    files = rf"cache {re.escape(mira.origin)}/((assets|icons)/[\w-]+\.\w+|manifest\.webmanifest)?"
    assert [place for place in kept if not re.fullmatch(files, place)] == []

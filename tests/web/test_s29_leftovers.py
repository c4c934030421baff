"""S-29 and S-26 in a browser: after a conversation, nothing said is in storage, in memory or on disk."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.async_api import Playwright, expect
from tests.web import chromium
from tests.web.conftest import Meet
from tests.web.leftovers import files_with, memory_of, stored_by
from tests.web.person import Person
from tests.web.watch import Watch
from tests.web.words import say

from whisp.testing import ServerProcess

SAID = "CNRY-said-7d31"
HEARD = "CNRY-heard-90ab"
FILE = "CNRY-file-44fe"
CONTROL = "CNRY-control-0c5e"


async def hang_up(person: Person) -> None:
    await person.hang_up()


async def panic(person: Person) -> None:
    await person.button("chat.panic").click()


async def escape_twice(person: Person) -> None:
    await person.page.keyboard.press("Escape")
    await person.page.keyboard.press("Escape")


async def lock(person: Person) -> None:
    await person.button("nav.lock").click()


Ending: TypeAlias = Callable[[Person], Awaitable[None]]


async def converse(mira: Person, odile: Person) -> None:
    """Say and send canaries in both directions; `mira` saves nothing."""
    await mira.call(odile)
    await mira.write(odile.name, SAID)
    await odile.reads(SAID)
    await odile.write(mira.name, HEARD)
    await mira.reads(HEARD)
    content = (FILE + "-inside ").encode() * 20_000
    await odile.offer({"name": f"{FILE}.txt", "mimeType": "text/plain", "buffer": content})
    await mira.take(f"{FILE}.txt")


@pytest.mark.parametrize("end", [hang_up, panic, escape_twice, lock])
async def test_s29_nothing_said_stays_in_storage_or_memory(end: Ending, meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await converse(mira, odile)
    if end is hang_up:
        before = await memory_of(mira.context, mira.page)
        assert SAID in before  # the control: while it is on the screen, it is found
        assert HEARD in before
        assert f"{FILE}.txt" in before
    await end(mira)
    if end is hang_up:
        await mira.is_gone()
    else:
        await expect(mira.page.get_by_text(say("locked.title")).first).to_be_visible()
    stored = await stored_by(mira.page)
    assert any(place.startswith("indexedDB") for place in stored)  # the account, sealed
    assert [place for place, text in stored.items() if "CNRY" in place + text] == []
    after = await memory_of(mira.context, mira.page)
    assert [canary for canary in (SAID, HEARD, FILE) if canary in after] == []


async def test_s29_no_profile_on_disk_holds_what_was_said(
    playwright: Playwright, server: ServerProcess, meet: Meet, name: Callable[[str], str], tmp_path: Path
) -> None:
    odile = await meet("odile")
    await odile.register()
    context = await chromium.launch_with_profile(playwright, tmp_path / "profile")
    watch = Watch(server.origin)
    await watch.over(context)
    mira = Person(name("mira"), context, context.pages[0], watch, server.origin)
    await mira.register()
    await converse(mira, odile)
    await mira.hang_up()
    await mira.is_gone()
    stored = await stored_by(mira.page)
    assert [place for place, text in stored.items() if "CNRY" in place + text] == []
    await mira.page.evaluate("(canary) => { localStorage.setItem('control', canary); }", CONTROL)
    assert CONTROL in (await stored_by(mira.page)).values()
    await context.close()
    profile = tmp_path / "profile"
    assert files_with(profile, CONTROL)  # what is stored can be found there
    assert {canary: files_with(profile, canary) for canary in (SAID, HEARD, FILE)} == {
        SAID: [],
        HEARD: [],
        FILE: [],
    }
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

"""What breaks a conversation, and what is left of it: a reload, a closed tab, a second tab, a dead server."""

from pathlib import Path

from playwright.async_api import expect
from tests.attacks.server_process import serving
from tests.web.conftest import Meet
from tests.web.words import say


async def test_a_reload_wipes_the_chat_and_keeps_the_account(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await mira.write(odile.name, "Before the reload")
    await odile.reads("Before the reload")
    await mira.page.reload()
    await mira.is_home()
    await mira.is_online()
    assert "Before the reload" not in await mira.page.content()
    await expect(mira.page.get_by_text(say("home.youAre", name=mira.name))).to_be_visible()
    await odile.is_gone()  # told by the page that went
    await odile.done()
    await odile.call(mira)  # the account answers, with the keys it had
    await mira.hang_up()


async def test_a_sealed_device_asks_for_its_passphrase(meet: Meet) -> None:
    mira = await meet("mira")
    await mira.register("correct horse battery")
    await mira.page.reload()
    await mira.unlock("wrong horse battery")
    await expect(mira.page.get_by_text(say("locked.wrong"))).to_be_visible()
    await mira.unlock("correct horse battery")
    await mira.is_home()
    await mira.is_online()


async def test_a_second_tab_of_an_account_leaves_the_first_alone(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    second = await mira.context.new_page()
    await second.goto(mira.origin)
    await expect(second.get_by_text(say("locked.inUse"))).to_be_visible()
    await mira.write(odile.name, "Still here")
    await odile.reads("Still here")
    await mira.page.close()
    await odile.is_gone()
    await second.reload()
    await expect(second.get_by_text(say("home.youAre", name=mira.name))).to_be_visible()


async def test_a_tab_that_closes_in_the_middle_of_a_file(meet: Meet, tmp_path: Path) -> None:
    long = tmp_path / "long.bin"
    long.write_bytes(bytes(200_000_000))
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    await mira.offer(long)
    await odile.button("file.accept", file="long.bin").click()
    await expect(odile.page.get_by_role("progressbar")).to_be_visible()
    await mira.page.close()
    dropped = odile.page.get_by_role("heading", name="The line dropped.")
    await expect(
        dropped.or_(odile.heading("gone.title"))
    ).to_be_visible()  # a good-bye may be stuck behind the file
    if await dropped.is_visible():
        await odile.wipes_a_dropped_call()
    saved = odile.page.get_by_role("definition").filter(has_text=say("gone.nothing"))
    await expect(saved).to_be_visible()
    stored = "async () => (await navigator.storage.estimate()).usage"
    assert await odile.page.evaluate(stored) < 20_000_000  # the half of a file is nowhere


async def test_a_server_that_dies_and_comes_back(meet: Meet, tmp_path: Path) -> None:
    """The call was in its memory and cannot go on over it; the accounts can, and nothing was said twice."""
    async with serving(tmp_path / "data") as first:
        mira, odile = await meet("mira", at=first.origin), await meet("odile", at=first.origin)
        for person in (mira, odile):
            person.watch.allow("WebSocket connection to")
            person.watch.allow("net::ERR_CONNECTION_REFUSED")
            await person.register()
        await mira.call(odile)
        await mira.write(odile.name, "one")
        await odile.reads("one")
        first.process.kill()
        await first.ended()
        await expect(mira.page.get_by_text(say("chat.heldState"), exact=True)).to_be_visible()
        await mira.write(odile.name, "two")
        await mira.sees_progress("two", "waiting")
    async with serving(tmp_path / "data", first.port):
        for person in (mira, odile):
            await person.wipes_a_dropped_call()
            await person.done()
            await person.is_online()
        assert "two" not in await odile.page.content()
        await odile.call(mira)
        await odile.write(mira.name, "once more")
        await mira.reads("once more")
        await mira.hang_up()
        await odile.is_gone()

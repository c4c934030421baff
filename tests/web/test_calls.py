"""The whole way between two browsers: a name, a ring, a conversation, files, and nothing left."""

import re

import pytest
from playwright.async_api import FilePayload, expect
from tests.web.conftest import Meet
from tests.web.person import Person
from tests.web.words import pattern, say


def a_file(name: str, content: bytes, media_type: str = "application/octet-stream") -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": content}


async def two(meet: Meet) -> tuple[Person, Person]:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    return mira, odile


async def test_two_people_meet_talk_and_hang_up(meet: Meet) -> None:
    mira, odile = await two(meet)
    await mira.call(odile)
    await mira.write(odile.name, "Good evening")
    await odile.reads("Good evening")
    await odile.write(mira.name, "Two lines,\nof which one is not")
    await mira.reads("Two lines,")
    await mira.sees_progress("Good evening", "read")
    await mira.hang_up()
    await mira.is_gone()
    await odile.is_gone()
    await expect(odile.page.get_by_text(say("gone.memory"))).to_be_visible()
    for person in (mira, odile):
        assert "Good evening" not in await person.page.content()
        await person.done()
    await expect(mira.page.get_by_text(odile.name)).to_be_visible()  # a contact now


async def test_a_file_goes_over_and_arrives_as_it_was(meet: Meet) -> None:
    mira, odile = await two(meet)
    await mira.call(odile)
    content = bytes(range(256)) * 2000
    await mira.offer(a_file("plan.bin", content))
    await odile.take("plan.bin")
    assert await odile.save("plan.bin") == content
    await expect(mira.page.get_by_text(f"{odile.name} has it")).to_be_visible()
    await odile.hang_up()
    await mira.is_gone()
    await odile.is_gone()


async def test_one_origin_or_two_make_two_people_of_one_browser(meet: Meet) -> None:
    """Two windows of one browser are two people under two names of this machine, as ./run says."""
    mira = await meet("mira")
    await mira.register()
    odile = await meet("odile", at=re.sub(r"127\.0\.0\.1", "localhost", mira.origin))
    await odile.register()
    await odile.call(mira)
    await odile.write(mira.name, "From next door")
    await mira.reads("From next door")
    await mira.hang_up()
    await odile.is_gone()


async def test_nobody_and_somebody_offline_sound_alike(meet: Meet) -> None:
    mira, odile = await two(meet)
    await odile.context.close()
    heard = []
    for name in (odile.name, "nobody-at-all"):
        await mira.ring(name)
        answer = mira.page.get_by_text("User not found or offline.")
        await expect(answer).to_be_visible()
        heard.append((await mira.page.locator("main").inner_text()).replace(name, "…"))
        await mira.page.reload()
        await mira.is_home()
        await mira.is_online()
    assert heard[0] == heard[1]


async def test_a_ring_is_declined_stopped_and_answered_busy(meet: Meet) -> None:
    mira, odile = await two(meet)
    sefa = await meet("sefa")
    await sefa.register()
    await mira.ring(odile.name)
    await odile.is_rung_by(mira.name)
    assert await odile.page.title() == "Someone is calling · Whisp"  # no name in histories and window lists
    await odile.button("ringIn.decline").click()
    await expect(mira.page.get_by_text(f"{odile.name} declined.")).to_be_visible()
    await mira.page.reload()
    await mira.is_online()
    await mira.ring(odile.name)
    await odile.is_rung_by(mira.name)
    await mira.button("ringOut.stop").click()
    await odile.is_home()
    await mira.call(odile)
    await sefa.ring(odile.name)
    await expect(sefa.page.get_by_text(f"{odile.name} is in another call.")).to_be_visible()
    await odile.hang_up()
    await mira.is_gone()


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 800}, {"width": 390, "height": 844}])
async def test_a_call_can_be_ended_from_every_page_over_it(meet: Meet, viewport: dict[str, int]) -> None:
    mira, odile = await meet("mira", viewport=viewport), await meet("odile")
    await mira.register()
    await odile.register()
    number = mira.page.get_by_role("heading", name=pattern("safety.title"))
    for leave in ("Escape", "safety", "settings"):
        await odile.ring(mira.name)
        await mira.accept(odile.name)
        details = mira.page.get_by_role("button", name=say("chat.openDetails", name=odile.name))
        if leave == "settings":
            if await details.is_visible():
                await mira.hang_up()  # a phone shows no navigation in a call
                await mira.is_gone()
                return
            await mira.button("nav.settings").click()
            await expect(mira.heading("settings.title")).to_be_visible()
        else:
            if await details.is_visible():
                await details.click()
            await mira.page.get_by_role("button", name=say("panel.notCompared")).click()
            await expect(number).to_be_visible()
        await expect(mira.button("chat.panic").locator("visible=true")).to_have_count(1)
        if leave == "Escape":
            await mira.page.keyboard.press("Escape")
            await mira.is_in_call(odile.name)
            await expect(number).to_have_count(0)
        await mira.hang_up()
        await mira.is_gone()
        await odile.is_gone()
        await mira.done()
        await odile.done()

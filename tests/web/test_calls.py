"""The whole way between two browsers: a name, a ring, a conversation, files, and nothing left."""

from playwright.async_api import FilePayload, expect
from tests.web.conftest import Meet
from tests.web.words import say


def a_file(name: str, content: bytes, media_type: str = "application/octet-stream") -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": content}


async def test_two_people_meet_talk_and_hang_up(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
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


async def test_a_file_goes_over_and_arrives_as_it_was(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    content = bytes(range(256)) * 2000
    await mira.offer(a_file("plan.bin", content))
    await odile.take("plan.bin")
    assert await odile.save("plan.bin") == content
    await expect(mira.page.get_by_text(f"{odile.name} has it")).to_be_visible()
    await odile.hang_up()
    await mira.is_gone()
    await odile.is_gone()

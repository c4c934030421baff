"""Messages edited, deleted and reacted to between two browsers, by keys and by buttons."""

from playwright.async_api import expect
from tests.e2e.people import next_of, next_ring
from tests.web.axe import findings
from tests.web.conftest import Meet
from tests.web.test_s25_injection import holds_nothing_foreign
from tests.web.words import say

from whisp import Client, MemoryVault, Quote, Reacted, TextDeleted, TextEdited, TextReceived
from whisp.testing import ServerProcess


async def test_a_message_is_edited_reacted_to_and_deleted_for_both(meet: Meet) -> None:
    mira, odile = await meet("mira"), await meet("odile")
    await mira.register()
    await odile.register()
    await mira.call(odile)
    field = mira.composer(odile.name)
    await odile.write(mira.name, "Which door?")
    await mira.reads("Which door?")
    await mira.write(odile.name, "The led door")
    await odile.reads("The led door")

    # two Escapes are panic only with nothing open: leaving the edit is no step towards it
    await field.press("ArrowUp")
    await expect(field).to_have_value("The led door")
    await expect(mira.page.get_by_text(say("chat.editing"))).to_be_visible()
    await field.press("Escape")
    await expect(field).to_have_value("")
    await mira.page.wait_for_timeout(50)
    await field.press("ArrowUp")
    await field.press("Escape")
    await mira.is_in_call(odile.name)

    await field.press("ArrowUp")
    await expect(field).to_have_value("The led door")
    await field.fill("The red door")
    await field.press("Enter")
    row = odile.messages("The red door")
    await expect(row).to_contain_text(say("chat.edited"))
    await expect(odile.page.get_by_text("The led door")).to_have_count(0)
    await expect(field).to_be_focused()

    # Alt and arrows walk; then letters act on the message
    await odile.composer(mira.name).press("Alt+ArrowUp")
    await expect(row).to_be_focused()
    await odile.page.keyboard.press("Alt+ArrowUp")
    await expect(odile.messages("Which door?")).to_be_focused()
    await odile.page.keyboard.press("Alt+ArrowDown")
    await expect(row).to_be_focused()
    await odile.page.keyboard.press("e")
    choices = odile.page.get_by_role("group", name=say("chat.reactions"))
    await expect(choices.get_by_role("button").first).to_be_focused()
    assert await findings(odile.page) == []
    await choices.get_by_role("button", name="❤️").click()
    reaction = f"{say('chat.reactionBy', name=odile.name)} ❤️"
    await expect(mira.messages("The red door")).to_contain_text(reaction)
    await expect(row).to_contain_text(f"{say('chat.reactionYou')} ❤️")
    await expect(row).to_be_focused()
    await odile.page.keyboard.press("Delete")  # not one's own: nothing
    await odile.page.keyboard.press("r")
    await expect(odile.page.get_by_text(say("chat.stopReply"))).to_have_count(0)
    await odile.page.keyboard.type("Thank you")
    await odile.page.keyboard.press("Enter")
    await mira.reads("Thank you")

    await mira.messages("The red door").first.hover()
    await mira.messages("The red door").first.get_by_role("button", name=say("chat.delete")).click()
    for person in (mira, odile):
        await expect(person.page.get_by_text("The red door")).to_have_count(0)
        await expect(person.messages(say("chat.deleted")).first).to_be_visible()
        assert await findings(person.page) == []
        assert "red door" not in await person.page.content()
    await mira.hang_up()
    await odile.is_gone()


async def test_s25_edits_and_reactions_from_python_are_shown_as_text(
    meet: Meet, server: ServerProcess
) -> None:
    mira = await meet("mira")
    await mira.register()
    async with Client(server.origin, MemoryVault()) as odile:
        await odile.register(f"{mira.name}-py")
        await odile.login()
        await mira.ring(odile.username)
        async with await (await next_ring(odile)).accept() as conversation:
            await mira.is_in_call(odile.username)
            await mira.write(odile.username, "from the page")
            heard = await next_of(conversation, TextReceived)
            sent = await conversation.send_text("from Python")
            await mira.reads("from Python")
            await conversation.edit_text(sent.id, "<img src=x onerror=alert(25)> \u202eevil")
            await mira.reads("<img src=x onerror=alert(25)> ‹RLO›evil")
            await conversation.react(Quote(False, heard.id), "<script>alert(25)</script>")
            await expect(mira.messages("from the page")).to_contain_text("<script>alert(25)</script>")
            await holds_nothing_foreign(mira.page)
            await conversation.react(Quote(False, heard.id), "\u2764\ufe0f")
            await expect(mira.page.get_by_text("<script>")).to_have_count(0)
            await conversation.delete_text(sent.id)
            await expect(mira.page.get_by_text("onerror")).to_have_count(0)

            field = mira.composer(odile.username)
            await field.press("ArrowUp")
            await field.fill("from the page, again")
            await field.press("Enter")
            edited = await next_of(conversation, TextEdited)
            assert (edited.id, edited.text) == (heard.id, "from the page, again")
            await field.press("Alt+ArrowUp")
            await mira.page.keyboard.press("Alt+ArrowUp")
            await mira.page.keyboard.press("e")
            choices = mira.page.get_by_role("group", name=say("chat.reactions"))
            await choices.get_by_role("button", name="👍").click()
            reacted = await next_of(conversation, Reacted)
            assert (reacted.to, reacted.symbol) == (Quote(False, heard.id), "👍")
            await mira.page.keyboard.press("Delete")
            assert (await next_of(conversation, TextDeleted)).id == heard.id

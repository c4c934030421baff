"""Texts edited, deleted and reacted to over a line in memory, by their people and by a hostile peer."""

import asyncio

import pytest
from tests.client.pair import Pair, make_pair
from tests.client.test_conversation import next_of

from whisp.client.conversation import Conversation
from whisp.client.errors import ConversationEndedError
from whisp.client.events import (
    ConversationEvent,
    Gap,
    Quote,
    Reacted,
    TextDeleted,
    TextEdited,
    TextReceived,
)
from whisp.client.said_texts import MAX_TEXTS_KEPT, SaidTexts
from whisp.core import content as said
from whisp.wire.errors import LocalProtocolError


async def heard_before(conversation: Conversation, last: str) -> list[ConversationEvent]:
    """Return what comes before the text `last`."""
    heard: list[ConversationEvent] = []
    async with asyncio.timeout(20):
        while True:
            event = await conversation.receive()
            if isinstance(event, TextReceived) and event.text == last:
                return [
                    one
                    for one in heard
                    if isinstance(one, TextReceived | TextEdited | TextDeleted | Reacted | Gap)
                ]
            heard.append(event)


async def test_a_text_is_edited_reacted_to_and_deleted() -> None:
    pair = await make_pair()
    sent = await pair.caller.send_text("helo")
    heard = await next_of(pair.callee, TextReceived)
    await pair.caller.edit_text(sent.id, "hello")
    edited = await next_of(pair.callee, TextEdited)
    assert (edited.id, edited.text, edited.sender.username) == (heard.id, "hello", "odile")
    await pair.callee.react(Quote(False, heard.id), "\u2764\ufe0f")
    await pair.callee.react(Quote(False, heard.id), "")
    await pair.caller.react(Quote(True, sent.id), "+1")
    first, second = await next_of(pair.caller, Reacted), await next_of(pair.caller, Reacted)
    assert (first.to, first.symbol, second.symbol) == (Quote(True, sent.id), "\u2764\ufe0f", "")
    assert (await next_of(pair.callee, Reacted)).to == Quote(False, heard.id)
    await pair.caller.delete_text(sent.id)
    assert (await next_of(pair.callee, TextDeleted)).id == heard.id
    await pair.caller.hang_up()
    with pytest.raises(ConversationEndedError):
        await pair.caller.edit_text(sent.id, "late")


async def test_only_an_own_text_that_stands_can_be_changed() -> None:
    pair = await make_pair()
    await pair.caller.set_typing(True)
    theirs = await pair.callee.send_text("theirs")
    await next_of(pair.caller, TextReceived)
    own = [await pair.caller.send_text(text) for text in ("one", "two")]
    with pytest.raises(LocalProtocolError, match="empty"):
        await pair.caller.edit_text(own[0].id, "")
    with pytest.raises(LocalProtocolError, match="over"):
        await pair.caller.edit_text(own[0].id, "x" * (said.MAX_TEXT_BYTES + 1))
    await pair.caller.delete_text(own[0].id)
    for number in (0, -1, own[0].id, own[1].id + 1, 2**32):
        with pytest.raises(LocalProtocolError, match="no text"):
            await pair.caller.edit_text(number, "x")
        with pytest.raises(LocalProtocolError, match="no text"):
            await pair.caller.delete_text(number)
        with pytest.raises(LocalProtocolError, match="no text"):
            await pair.caller.react(Quote(True, number), "+1")
    for symbol in ("x" * 33, "\x1b", "\u202e+", " ", "\u200d"):
        with pytest.raises(LocalProtocolError, match="a reaction"):
            await pair.caller.react(Quote(False, theirs.id), symbol)
    await pair.caller.send_text("end")
    assert [type(event) for event in await heard_before(pair.callee, "end")] == [
        TextReceived,
        TextReceived,
        TextDeleted,
    ]


async def test_s25_changes_of_what_is_no_text_of_theirs_are_told_nobody() -> None:
    pair = await make_pair()
    ours = await pair.callee.send_text("ours")
    await next_of(pair.caller, TextReceived)
    deleted = await pair.caller.send_text("deleted")
    await pair.caller.delete_text(deleted.id)
    ours_to_them = said.MessageReference(said.Author.RECEIVER, ours.id)
    hostile: list[said.Content] = [
        said.TextEdit(deleted.id, "it is back"),
        said.TextDelete(deleted.id),
        said.TextEdit(deleted.id + 1, "of a change"),
        said.TextEdit(4_000_000_000, "of what never came"),
        said.TextDelete(4_000_000_000),
        said.Reaction(said.MessageReference(said.Author.SENDER, deleted.id), "+1"),
        said.Reaction(said.MessageReference(said.Author.RECEIVER, 99), "+1"),
        said.Reaction(ours_to_them, "ok"),
    ]
    for content in hostile:
        await pair.caller.send_content(content)
    await pair.caller.send_text("end")
    told = await heard_before(pair.callee, "end")
    assert [type(event) for event in told] == [TextReceived, TextDeleted, Reacted]
    assert isinstance(told[-1], Reacted)
    assert told[-1].to == Quote(True, ours.id)


async def test_changes_wait_for_the_line() -> None:
    pair: Pair = await make_pair()
    sent = await pair.caller.send_text("before")
    pair.cut()
    await pair.caller.edit_text(sent.id, "while held")
    pair.rejoin()
    assert (await next_of(pair.callee, TextEdited)).text == "while held"


async def test_s12_old_texts_are_forgotten() -> None:
    pair = await make_pair()
    texts = SaidTexts(pair.callee.own)
    for number in range(1, MAX_TEXTS_KEPT + 2):
        texts.sent(number)
        texts.heard(number, said.Text("x"), 0.0)
    with pytest.raises(LocalProtocolError):
        texts.require_own(1)
    texts.require_own(2)
    assert texts.heard(1, said.TextDelete(1), 0.0) is None
    assert isinstance(texts.heard(1, said.TextDelete(2), 0.0), TextDeleted)
    assert len(texts._own) == MAX_TEXTS_KEPT

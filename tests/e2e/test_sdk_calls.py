"""Calls between real clients over a real server: every way a ring can end, and what is left after."""

import asyncio
from typing import Any

import pytest
from tests.e2e.people import connect, in_time, is_idle, next_of, next_ring, people, person, soon

from whisp import (
    BusyError,
    Client,
    ConversationEndedError,
    DeclinedError,
    Ended,
    EndReason,
    LocalProtocolError,
    NoAnswerError,
    NotFoundError,
    Quote,
    Reacted,
    RingEnd,
    RingOverError,
    TextDeleted,
    TextEdited,
    TextReceived,
    TransportError,
)


async def test_two_people_talk_and_nothing_is_left() -> None:
    async with people("odile", "sefa") as (server, (odile, sefa)):
        one, two = await connect(odile, sefa)
        for number in range(30):
            await one.send_text(f"o{number}")
            await two.send_text(f"s{number}")
        assert [(await next_of(two, TextReceived)).text for _ in range(30)] == [f"o{n}" for n in range(30)]
        assert [(await next_of(one, TextReceived)).text for _ in range(30)] == [f"s{n}" for n in range(30)]
        assert one.session_code == two.session_code
        assert odile.safety_number("sefa").digits == sefa.safety_number("odile").digits
        sefa.verify_safety_qr("odile", odile.safety_number("sefa").qr)
        assert server.counts()["calls"] == 1
        await one.hang_up()
        assert (await next_of(two, Ended)) == Ended(EndReason.PEER_HUNG_UP, 0)
        await soon(lambda: server.counts()["calls"] == 0)
        assert odile.conversations == sefa.conversations == ()


async def test_texts_are_edited_deleted_and_reacted_to() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        sent = await one.send_text("the led door")
        heard = await next_of(two, TextReceived)
        await one.edit_text(sent.id, "the red door")
        assert (await next_of(two, TextEdited)).text == "the red door"
        await two.react(Quote(False, heard.id), "\u2764\ufe0f")
        assert (await next_of(one, Reacted)).to == Quote(True, sent.id)
        await one.delete_text(sent.id)
        assert (await next_of(two, TextDeleted)).id == heard.id
        with pytest.raises(LocalProtocolError):
            await two.react(Quote(False, heard.id), "+1")
        await one.hang_up()


async def test_someone_rung_more_often_than_there_are_pre_keys_still_answers_at_once() -> None:
    """One-time pre-keys run out; topping them up in a hurry would have the server hold up the socket."""
    async with people("odile", "sefa") as (_, (odile, sefa)):
        for _ in range(110):
            async with asyncio.timeout(4):
                one, two = await connect(odile, sefa)
                await one.hang_up()
                await next_of(two, Ended)


async def test_a_ring_names_its_caller_and_knows_contacts() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        calling = asyncio.create_task(odile.call("sefa"))
        ring = await next_ring(sefa)
        assert (ring.caller, ring.account, ring.contact, ring.is_verified) == (
            "odile",
            odile.account_id,
            None,
            False,
        )
        assert ring.safety_number.digits == (await ring_number(odile, sefa))
        async with await ring.accept() as conversation:
            await calling
            await sefa.mark_verified("odile")
        await soon(lambda: not odile.conversations)
        assert conversation.ended is EndReason.HUNG_UP
        calling = asyncio.create_task(odile.call("Sefa"))
        ring = await next_ring(sefa)
        assert ring.is_verified
        await ring.decline()
        with pytest.raises(DeclinedError):
            await calling


async def ring_number(odile: Client, sefa: Client) -> str:
    from whisp.core.safety_number import safety_number

    return safety_number(odile.account_id, sefa.account_id)


@pytest.mark.parametrize("name", ["nobody-here", "x", "Ünïcode", "deleted-1", "a" * 500])
async def test_every_refused_look_up_is_the_same_error(name: str) -> None:
    async with people("odile") as (_, (odile,)):
        for attempt in (odile.discover(name), odile.call(name)):
            with pytest.raises(NotFoundError, match=r"^User not found or offline\.$"):
                await attempt


async def test_someone_offline_is_not_found() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        assert await odile.discover("sefa")
        await sefa.logout()
        with pytest.raises(NotFoundError):
            await odile.call("sefa")
        await sefa.login()
        one, _two = await connect(odile, sefa)
        await one.hang_up()


@pytest.mark.parametrize(("busy", "error"), [(False, DeclinedError), (True, BusyError)])
async def test_declining_and_being_busy_are_told_apart(busy: bool, error: type[Exception]) -> None:
    async with people("odile", "sefa") as (_server, (odile, sefa)):
        calling = asyncio.create_task(odile.call("sefa"))
        ring = await next_ring(sefa)
        await ring.decline(busy=busy)
        with pytest.raises(error):
            await in_time(calling)
        assert ring.end is RingEnd.DECLINED
        with pytest.raises(RingOverError):
            await ring.accept()
        assert not sefa.contacts  # a stranger who was declined is not remembered


async def test_a_busy_client_can_decline_by_itself() -> None:
    async with people("odile", "sefa", "mila", auto_busy=True) as (_, (odile, sefa, mila)):
        one, _two = await connect(odile, sefa)
        with pytest.raises(BusyError):
            await in_time(mila.call("sefa"))
        await one.hang_up()


async def test_an_unanswered_ring_ends_on_both_sides() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        calling = asyncio.create_task(odile.call("sefa", timeout=0.3))
        ring = await next_ring(sefa)
        with pytest.raises(NoAnswerError):
            await in_time(calling)
        assert await in_time(ring.ended()) is RingEnd.CANCELLED
        with pytest.raises(RingOverError):
            await ring.accept()


async def test_a_caller_who_stops_cancels_the_ring() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        calling = asyncio.create_task(odile.call("sefa"))
        ring = await next_ring(sefa)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert await in_time(ring.ended()) is RingEnd.CANCELLED
        one, _two = await connect(odile, sefa)
        await one.hang_up()


async def test_both_ringing_each_other_makes_one_conversation() -> None:
    async with people("odile", "sefa") as (server, (odile, sefa)):
        for _ in range(5):
            one, two = await in_time(asyncio.gather(odile.call("sefa"), sefa.call("odile")))
            assert one.session_code == two.session_code
            await one.send_text("funny")
            assert (await next_of(two, TextReceived)).text == "funny"
            assert len(odile.conversations) == len(sefa.conversations) == 1
            await one.hang_up()
            await soon(lambda: is_idle(odile, sefa))
            await soon(lambda: server.counts()["calls"] == 0)


async def test_one_person_talks_to_two_at_once() -> None:
    async with people("odile", "sefa", "mila") as (_, (odile, sefa, mila)):
        (one, two), (three, four) = await connect(odile, sefa), await connect(mila, odile)
        await two.send_text("to odile from sefa")
        await three.send_text("to odile from mila")
        assert (await next_of(one, TextReceived)).text == "to odile from sefa"
        assert (await next_of(four, TextReceived)).text == "to odile from mila"
        assert len(odile.conversations) == 2
        await one.hang_up()
        await three.send_text("still here")
        assert (await next_of(four, TextReceived)).text == "still here"


async def test_nobody_can_ring_themselves() -> None:
    async with people("odile") as (_, (odile,)):
        with pytest.raises(NotFoundError):
            await odile.call("odile")


async def test_calling_while_offline_says_so() -> None:
    async with people("odile", "sefa") as (_, (odile, _sefa)):
        await odile.logout()
        with pytest.raises(TransportError, match="offline"):
            await odile.call("sefa")


async def test_closing_the_client_hangs_up() -> None:
    async with people("odile", "sefa") as (server, (_odile, sefa)):
        async with person(server, "mila") as mila:
            _one, two = await connect(mila, sefa)
        assert (await next_of(two, Ended)).reason is EndReason.PEER_HUNG_UP
        with pytest.raises(ConversationEndedError):
            await two.send_text("gone")


@pytest.mark.parametrize(
    "server",
    ["chat.example", "ftp://chat.example", "https://chat.example/path", "http://chat.example", "https://u@h"],
)
def test_only_a_safe_origin_is_a_server(server: str) -> None:
    async def make() -> Any:
        from whisp import MemoryVault

        return Client(server, MemoryVault())

    with pytest.raises(LocalProtocolError):
        asyncio.run(make())

"""Lines that break under a call: the socket comes back, the call goes on, and what was said arrives."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from tests.e2e.people import connect, in_time, next_of, people, soon, state_of

from whisp import (
    Client,
    ClientLocked,
    ConnectionState,
    ConversationEndedError,
    Delivered,
    Ended,
    EndReason,
    FileOffered,
    FileProgress,
    Line,
    LineChanged,
    LockedError,
    TextReceived,
)


@pytest.fixture(autouse=True)
def wait_before_reconnecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stay away for a quarter of a second, so that a held line can be seen."""
    monkeypatch.setattr("whisp.client.connection.random.random", lambda: 0.5)


def cut(client: Client) -> None:
    """Cut a client's socket, as a network does."""
    socket = client._connection.socket
    assert socket is not None
    socket.abort()


@pytest.mark.parametrize("who", ["caller", "callee", "both"])
async def test_a_call_survives_a_lost_socket(who: str) -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await one.send_text("before")
        await next_of(two, TextReceived)
        for client, is_cut in ((odile, who != "callee"), (sefa, who != "caller")):
            if is_cut:
                cut(client)
        await soon(lambda: Line.HELD in (one.line, two.line))
        await one.send_text("meanwhile, from odile")
        await two.send_text("meanwhile, from sefa")
        assert (await next_of(two, TextReceived)).text == "meanwhile, from odile"
        assert (await next_of(one, TextReceived)).text == "meanwhile, from sefa"
        await soon(lambda: one.line is two.line is Line.RELAYED)
        sent = await one.send_text("after")
        assert (await next_of(two, TextReceived)).text == "after"
        while (await next_of(one, Delivered)).id < sent.id:
            pass
        await one.hang_up()
        assert (await next_of(two, Ended)).lost == 0


async def test_a_file_goes_on_after_a_lost_socket(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    source = tmp_path / "source"
    source.write_bytes(os.urandom(40_000_000))
    async with people("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        outgoing = await one.send_file(source)
        incoming = (await next_of(two, FileOffered)).file
        await incoming.accept(tmp_path / "in")
        for client in (sefa, odile):
            await next_of(two, FileProgress)
            cut(client)
            await soon(lambda: Line.HELD in (one.line, two.line))
            await soon(lambda: one.line is two.line is Line.RELAYED)
        saved = await in_time(incoming.done(), 20)
        await in_time(outgoing.done(), 20)
        assert saved is not None
        assert hashlib.sha256(saved.read_bytes()).digest() == hashlib.sha256(source.read_bytes()).digest()


async def test_a_direct_line_outlives_the_server(tmp_path: Path) -> None:
    async with people("odile", "sefa", allow_direct=True) as (_server, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await soon(lambda: one.line is two.line is Line.DIRECT)
        for client in (odile, sefa):
            await client._connection.stop()
        await one.send_text("no server needed")
        assert (await next_of(two, TextReceived)).text == "no server needed"
        await one.hang_up()
        assert (await next_of(two, Ended)).reason is EndReason.PEER_HUNG_UP


async def test_a_refused_ring_while_the_line_is_down_ends_plainly() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        calling = asyncio.create_task(odile.call("sefa"))
        await soon(lambda: sefa._switchboard.is_busy)
        cut(odile)
        with pytest.raises(Exception, match="connection to the server was lost"):
            await in_time(calling)
        await soon(lambda: state_of(odile) is ConnectionState.ONLINE)


async def test_panic_wipes_everything_at_once_and_tells_the_peer() -> None:
    async with people("odile", "sefa") as (server, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await two.send_text("unread")
        await asyncio.sleep(0.05)
        account = odile._state.known_account
        odile.panic()
        assert await one.receive() == Ended(EndReason.LOCKED, 0)
        assert (await next_of(two, Ended)).reason in (EndReason.PEER_LOCKED, EndReason.LOST)
        for attempt in (odile.login(), odile.discover("sefa"), odile.call("sefa")):
            with pytest.raises(LockedError):
                await attempt
        with pytest.raises(ConversationEndedError):
            await one.send_text("x")
        assert account is not None
        assert "AccountKey(<redacted>)" in repr(account)
        assert account.key._key is None
        assert odile.contacts == ()
        events = [event async for event in odile.events()]
        assert events[-1] == ClientLocked()
        await soon(lambda: server.counts()["online"] == 1)


async def test_an_idle_client_locks_itself() -> None:
    async with people("odile", "sefa", lock_after=0.4) as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        await soon(lambda: odile.is_locked and sefa.is_locked, 8)
        assert one.ended is not None
        assert two.ended is not None


async def test_someone_who_talks_is_not_locked() -> None:
    async with people("odile", "sefa", lock_after=1.5) as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        for number in range(12):
            await one.send_text(str(number))
            await next_of(two, TextReceived)
            await asyncio.sleep(0.15)
        assert not odile.is_locked
        assert not sefa.is_locked


async def test_many_texts_keep_order_over_the_relay() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)

        async def say() -> None:
            for number in range(500):
                await one.send_text(f"{number}")

        saying = asyncio.create_task(say())
        assert [(await next_of(two, TextReceived)).text for _ in range(500)] == [str(n) for n in range(500)]
        await saying
        changes = [event for event in two._inbox._events if isinstance(event, LineChanged)]
        assert not changes

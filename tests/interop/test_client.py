"""The web client and the SDK call each other over a real server: texts, receipts, files, ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.people import in_time, next_of, next_ring, person
from tests.interop.node import NodeProgram

from whisp import (
    BusyError,
    Client,
    DeclinedError,
    Delivered,
    Ended,
    EndReason,
    FileOffered,
    Read,
    TextReceived,
)
from whisp.testing import running_server

SIZE = 3 * 1024 * 1024 + 5


def content() -> bytes:
    """Return what the web client's files hold."""
    return bytes(i * 31 % 251 for i in range(251)) * (SIZE // 251 + 1)


class WebClient:
    """The program of web/tests/client/peer.ts, driven without blocking the loop."""

    def __init__(self, program: NodeProgram) -> None:
        self._program = program

    async def do(self, command: str, /, **given: str) -> Any:
        """Carry out one command, and return what it gives."""
        answer = await in_time(asyncio.to_thread(self._program.ask, {"do": command, **given}), 20)
        assert "error" not in answer, answer
        return answer["value"]

    async def fails(self, command: str, /, **given: str) -> str:
        """Carry out a command that fails, and return the error's name."""
        answer = await in_time(asyncio.to_thread(self._program.ask, {"do": command, **given}), 20)
        error: str = answer["error"]
        return error


@asynccontextmanager
async def both() -> AsyncIterator[tuple[Client, WebClient]]:
    """Odile on the SDK and Sefa in a browser, online on one server."""
    async with running_server() as server, person(server, "odile") as odile:
        with NodeProgram("../client/peer.ts") as program:
            sefa = WebClient(program)
            await sefa.do("open", server=server.origin, name="sefa")
            yield odile, sefa


async def test_the_sdk_calls_the_web() -> None:
    async with both() as (odile, sefa):
        calling = asyncio.create_task(odile.call("sefa"))
        caller, code = await sefa.do("accept")
        conversation = await in_time(calling)
        assert (caller, code) == ("odile", conversation.session_code)
        sent = await conversation.send_text("hello \N{UMBRELLA}")
        got = await sefa.do("next", type="text-received")
        assert (got["id"], got["text"]) == (sent.id, "hello \N{UMBRELLA}")
        assert (await next_of(conversation, Delivered)).id == sent.id
        await sefa.do("read", id=str(sent.id))
        assert (await next_of(conversation, Read)).id == sent.id
        await sefa.do("text", text="and back")
        received = await next_of(conversation, TextReceived)
        assert received.text == "and back"
        await conversation.set_typing(True)
        assert (await sefa.do("next", type="typing"))["active"] is True
        await conversation.mark_read(received.id)
        assert (await sefa.do("next", type="read"))["id"] == received.id
        assert await sefa.do("safety-number", name="odile") == odile.safety_number("sefa").digits
        await conversation.hang_up()
        assert (await sefa.do("next", type="ended"))["reason"] == "peer_hung_up"


async def test_the_web_calls_the_sdk_and_files_go_both_ways(tmp_path: Path) -> None:
    async with both() as (odile, sefa):
        calling = asyncio.create_task(sefa.do("call", name="odile"))
        conversation = await (await next_ring(odile)).accept()
        assert await calling == conversation.session_code

        await sefa.do("offer", size=str(SIZE))
        offered = (await next_of(conversation, FileOffered)).file
        await offered.accept(tmp_path)
        saved = await in_time(offered.done(), 20)
        await sefa.do("sent")
        assert saved is not None
        assert saved.read_bytes() == content()[:SIZE]

        sending = await conversation.send_file(saved)
        await sefa.do("next", type="file-offered")
        assert await sefa.do("save") == sha256(content()[:SIZE]).hexdigest()
        await in_time(sending.done())

        assert not await conversation.request_direct()  # a browser has no TCP, and says so at once
        await sefa.do("text", text="still here")
        assert (await next_of(conversation, TextReceived)).text == "still here"
        await sefa.do("hang-up")
        ended = [event async for event in conversation if isinstance(event, Ended)]
        assert [event.reason for event in ended] == [EndReason.PEER_HUNG_UP]


async def test_a_long_talk_turns_every_ratchet() -> None:
    async with both() as (odile, sefa):
        calling = asyncio.create_task(odile.call("sefa"))
        await sefa.do("accept")
        conversation = await in_time(calling)
        for turn in range(80):
            await conversation.send_text(f"to web {turn}")
            assert (await sefa.do("next", type="text-received"))["text"] == f"to web {turn}"
            await sefa.do("text", text=f"to sdk {turn}")
            assert (await next_of(conversation, TextReceived)).text == f"to sdk {turn}"


@pytest.mark.parametrize(("busy", "error"), [("yes", BusyError), ("no", DeclinedError)])
async def test_the_web_declines(busy: str, error: type[Exception]) -> None:
    async with both() as (odile, sefa):
        calling = asyncio.create_task(odile.call("sefa"))
        await sefa.do("decline", busy=busy)
        with pytest.raises(error):
            await in_time(calling)


async def test_the_sdk_declines() -> None:
    async with both() as (odile, sefa):
        calling = asyncio.create_task(sefa.fails("call", name="odile"))
        await (await next_ring(odile)).decline(busy=True)
        assert await calling == "BusyError"
        assert await sefa.fails("call", name="nobody-there") == "NotFoundError"

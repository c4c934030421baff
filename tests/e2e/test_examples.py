"""The bots under `examples/`, as their readers start them: a process each, against a real server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.e2e.people import next_of, people

from whisp import TextReceived

_EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def _bot(script: str, *arguments: str) -> AsyncIterator[None]:
    """Run an example until it says that it is listening, and end it afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_EXAMPLES / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert b"is listening" in await process.stdout.readline()
        yield
        assert process.returncode is None, "the bot stopped"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_the_echo_bot_says_everything_back_to_one_caller_after_another() -> None:
    async with people("odile", "sefa") as (server, clients), _bot("echo_bot.py", server.origin, "echo"):
        for client in clients:
            async with await client.call("echo") as conversation:
                for text in ("hello", "is anyone there?", "‮ \x1b[2J"):
                    await conversation.send_text(text)
                    assert (await next_of(conversation, TextReceived)).text == text


async def test_the_echo_bot_talks_to_two_at_once() -> None:
    async with (
        people("odile", "sefa") as (server, (odile, sefa)),
        _bot("echo_bot.py", server.origin, "echo"),
        await odile.call("echo") as one,
        await sefa.call("echo") as two,
    ):
        await one.send_text("first")
        await two.send_text("second")
        assert (await next_of(two, TextReceived)).text == "second"
        assert (await next_of(one, TextReceived)).text == "first"


async def test_the_file_drop_bot_keeps_what_it_is_sent(tmp_path: Path) -> None:
    drop, source = tmp_path / "drop", tmp_path / "notes.pdf"
    drop.mkdir()
    source.write_bytes(os.urandom(300_000))
    async with (
        people("odile") as (server, (odile,)),
        _bot("file_drop_bot.py", server.origin, "drop", str(drop)),
        await odile.call("drop") as conversation,
    ):
        assert "Send files" in (await next_of(conversation, TextReceived)).text
        outgoing = await conversation.send_file(source)
        await outgoing.done()
        assert (await next_of(conversation, TextReceived)).text == "I have it."
    assert (drop / "notes.pdf").read_bytes() == source.read_bytes()

"""`whisp send NAME FILE…`: ring, send files, hang up."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from whisp.client import events
from whisp.client.errors import FileTransferError
from whisp.terminal import words
from whisp.terminal.bar import bar
from whisp.terminal.commands.session import Session
from whisp.terminal.exits import Exit, UsageError
from whisp.terminal.inert import inert_line
from whisp.terminal.output import Output

if TYPE_CHECKING:
    from whisp.client.conversation import Conversation

__all__ = ["run", "show_progress"]


async def run(session: Session, name: str, files: tuple[Path, ...], *, ring_seconds: float) -> Exit:
    """Offer every file in one call and wait until the other side has them.

    Raises:
        UsageError: a file cannot be read; nobody was rung.
        NotFoundError, CallError, IdentityError: it led to no conversation.
    """
    for file in files:
        if not file.is_file():
            raise UsageError(f"There is no file {file.name} to send.")
    output = session.output
    code = Exit.OK
    async with session.account() as client:
        output.tell(f"{words.ringing(inert_line(name))} {words.RING_SUB}")
        async with await client.call(name, timeout=ring_seconds) as conversation:
            for file in files:
                outgoing = await conversation.send_file(file)
                reading = asyncio.create_task(show_progress(conversation, output, outgoing.id, file.name))
                try:
                    await outgoing.done()
                except FileTransferError as error:
                    output.tell(inert_line(f"{file.name}: {error}"))
                    output.record("file_failed", name=file.name, reason=str(error.fault))
                    code = Exit.FAILURE
                else:
                    output.say(f"{inert_line(file.name)} is with {inert_line(name)}.")
                    output.record("file_sent", name=file.name, size=outgoing.size)
                finally:
                    reading.cancel()
    return code


async def show_progress(conversation: "Conversation", output: Output, file_id: bytes, name: str) -> None:
    """Draw one line of progress on a terminal's stderr; read events so that the conversation flows."""
    draws = sys.stderr.isatty() and not output.as_json
    shown = inert_line(name, limit=40)
    async for event in conversation:
        match event:
            case events.FileProgress() if event.file_id == file_id:
                if draws:
                    output.ask(f"\r{shown} {bar(event.done, event.size, 24, output.glyphs)}  ")
                    if event.done >= event.size:
                        output.ask("\n")
            case events.Ended():
                return
            case _:
                pass

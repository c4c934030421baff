"""`whisp receive --to DIR`: wait for a call that brings files, save them, until the caller hangs up."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from whisp.client import events
from whisp.client.errors import CallError, EndReason, FileTransferError, IdentityError
from whisp.client.files import IncomingFile
from whisp.terminal import words
from whisp.terminal.commands.line_chat import end_sentence, exit_for
from whisp.terminal.commands.listen import answers
from whisp.terminal.commands.session import Session
from whisp.terminal.exits import Exit, UsageError, explain
from whisp.terminal.inert import inert_line
from whisp.terminal.stdin import read_lines
from whisp.wire.username import canonical

if TYPE_CHECKING:
    from whisp.client.conversation import Conversation

__all__ = ["run"]


async def run(session: Session, folder: Path, *, sender: str | None) -> Exit:
    """Accept one call, from `sender` or from whom the person says, and save its files below `folder`.

    Raises:
        UsageError: `folder` is none, or nobody is there to ask.
    """
    if not await asyncio.to_thread(folder.is_dir):
        raise UsageError("The folder to save to does not exist.")
    if sender is None and not sys.stdin.isatty():
        raise UsageError("Say whose files to take with --from NAME, or run in a terminal.")
    wanted = None if sender is None else canonical(sender)
    output = session.output
    async with session.account() as client:
        output.tell(f"{client.username} waits for files. Press Ctrl+C to stop.")
        output.record("listening", name=client.username)
        lines = read_lines()
        async for ring in client.rings():
            output.tell(words.calling(inert_line(ring.caller)))
            output.record("ring", name=ring.caller, verified=ring.is_verified)
            accepts = ring.caller == wanted if wanted else await answers(ring, session, lines)
            if not accepts:
                await ring.decline()
                continue
            try:
                conversation = await ring.accept()
            except (CallError, IdentityError) as error:
                output.tell(explain(error)[1])
                continue
            async with conversation:
                return await _save_all(conversation, session, folder)
    return Exit.FAILURE


async def _save_all(conversation: "Conversation", session: Session, folder: Path) -> Exit:
    output = session.output
    name = inert_line(conversation.members[0].username)
    files: dict[bytes, IncomingFile] = {}
    code = Exit.OK
    async for event in conversation:
        match event:
            case events.FileOffered(file=file):
                files[file.id] = file
                output.tell(f"{inert_line(file.name)}, {words.size(file.size)}")
                output.record("file_offered", name=file.name, size=file.size)
                try:
                    await file.accept(folder)
                except FileTransferError as error:
                    output.tell(explain(error)[1])
                    code = Exit.FAILURE
            case events.FileCompleted(file_id=file_id, path=path) if file_id in files and path is not None:
                output.say(f"Saved {inert_line(str(path))}")
                output.record(
                    "file_saved", name=files[file_id].name, path=str(path), size=files[file_id].size
                )
            case events.FileCancelled(file_id=file_id, reason=reason) if file_id in files:
                output.tell(f"{inert_line(files[file_id].name)}: {FileTransferError(reason)}")
                output.record("file_failed", name=files[file_id].name, reason=str(reason))
                code = Exit.FAILURE
            case events.Ended(reason=reason):
                output.record("ended", reason=str(reason), lost=event.lost)
                if reason not in (EndReason.HUNG_UP, EndReason.PEER_HUNG_UP):
                    output.tell(end_sentence(reason, name) or words.GONE)
                return max(code, exit_for(reason))
            case _:
                pass
        await asyncio.sleep(0)
    return code

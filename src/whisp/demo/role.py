"""What each of the two people in the demonstration does, in a process of its own.

A role reads its cues from standard input and reports on standard output, one JSON object a line.
"""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, TypeVar

from whisp import (
    Client,
    Conversation,
    ConversationEndedError,
    ConversationEvent,
    Delivered,
    DirectRequested,
    Ended,
    FileOffered,
    Line,
    LineChanged,
    MemoryVault,
    NotFoundError,
    TextReceived,
    WhispError,
)

__all__ = ["CANARY", "FILE_BYTES", "MESSAGES", "main"]

MESSAGES: Final = 100
"""Texts each way."""

FILE_BYTES: Final = 64 * 1024 * 1024
CANARY: Final = "CNRY-whisp-demo"
"""Stands in every text and every file, so that a search for it on the server means something."""

_BLOCK: Final = 1024 * 1024
_Event = TypeVar("_Event", bound=ConversationEvent)


def report(**facts: Any) -> None:
    """Tell the director."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def cue() -> None:
    """Wait for the director."""
    await asyncio.to_thread(sys.stdin.readline)


async def caller(client: Client, peer: str, folder: Path) -> None:
    """Look up, ring, talk, send, hang up."""
    await cue()
    await client.discover(peer)
    try:
        await client.discover("nobody-at-all")
    except NotFoundError as error:
        report(step="lookup", text=str(error))
    started = time.perf_counter()
    conversation = await client.call(peer)
    report(step="call", seconds=time.perf_counter() - started)
    compare(client, conversation, peer)
    events = aiter(conversation)
    await exchange_texts(conversation, events, speaks_first=True)
    for line in (Line.RELAYED, Line.DIRECT):
        if line is Line.DIRECT:
            report(step="direct", came_about=await conversation.request_direct())
        await send(conversation, events, folder / f"from-{client.username}-{line}")
        await receive(conversation, events, folder)
    await conversation.hang_up()
    await prove_wiped(conversation)


async def callee(client: Client, peer: str, folder: Path) -> None:
    """Take the ring, talk, send back, be hung up on."""
    async for ring in client.rings():
        conversation = await ring.accept()
        compare(client, conversation, ring.caller)
        events = aiter(conversation)
        await exchange_texts(conversation, events, speaks_first=False)
        while await receive(conversation, events, folder):
            await send(conversation, events, folder / f"from-{client.username}-{conversation.line}")
        await prove_wiped(conversation)
        return


def compare(client: Client, conversation: Conversation, peer: str) -> None:
    """Report what both people would read to each other."""
    report(step="numbers", safety=client.safety_number(peer).digits, session=conversation.session_code)


async def exchange_texts(
    conversation: Conversation, events: AsyncIterator[ConversationEvent], *, speaks_first: bool
) -> None:
    """Say a hundred things and hear a hundred, one by one, in order."""
    started = time.perf_counter()
    for number in range(MESSAGES):
        if speaks_first:
            await conversation.send_text(f"{CANARY} {number}")
        heard = await next_of(events, TextReceived)
        if heard.text != f"{CANARY} {number}":
            raise RuntimeError(f"message {number} arrived as something else")
        if not speaks_first:
            await conversation.send_text(f"{CANARY} {number}")
    while (await next_of(events, Delivered)).id < MESSAGES:
        pass
    report(step="texts", seconds=time.perf_counter() - started)


async def send(conversation: Conversation, events: AsyncIterator[ConversationEvent], path: Path) -> None:
    """Send a fresh random file."""
    await asyncio.to_thread(write_random, path)
    started, line = time.perf_counter(), conversation.line
    outgoing = await conversation.send_file(path)
    await outgoing.done()
    seconds = time.perf_counter() - started
    report(step="sent", line=line, seconds=seconds, digest=await asyncio.to_thread(digest, path))


async def receive(conversation: Conversation, events: AsyncIterator[ConversationEvent], folder: Path) -> bool:
    """Save the next file; False when the other side hung up instead."""
    async for event in events:
        if isinstance(event, FileOffered):
            await event.file.accept(folder)
            saved = await event.file.done()
            assert saved is not None
            report(step="received", line=conversation.line, digest=await asyncio.to_thread(digest, saved))
            return True
        if isinstance(event, DirectRequested):
            await event.request.accept()
        if isinstance(event, Ended):
            break
    return False


async def prove_wiped(conversation: Conversation) -> None:
    """Show that nothing of the session can be used any more."""
    refused = 0
    for attempt in (conversation.send_text("x"), conversation.set_typing(True), conversation.mark_read(1)):
        try:
            await attempt
        except ConversationEndedError:
            refused += 1
    session = conversation._session  # the demonstration looks where applications cannot
    if refused != 3 or not session.is_ended or session._state is not None:
        raise RuntimeError("the session outlived its end")
    report(step="wiped", reason=str(conversation.ended))


async def next_of(events: AsyncIterator[ConversationEvent], kind: type[_Event]) -> _Event:
    """Return the next event of a kind; line changes and receipts may come between."""
    async for event in events:
        if isinstance(event, kind):
            return event
        if isinstance(event, Ended):
            raise RuntimeError(f"the conversation ended: {event.reason}")
        if not isinstance(event, Delivered | LineChanged):
            continue
    raise RuntimeError("the conversation ended")


def write_random(path: Path) -> None:
    """Write a file of random bytes that begins with the canary."""
    with path.open("wb") as file, Path("/dev/urandom").open("rb") as random:
        head = CANARY.encode()
        file.write(head + random.read(_BLOCK - len(head)))
        for _ in range(FILE_BYTES // _BLOCK - 1):
            file.write(random.read(_BLOCK))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def play(server: str, name: str, peer: str, part: str, folder: Path) -> None:
    """Register, go online, and play."""
    async with Client(server, MemoryVault()) as client:
        await client.register(name)
        await client.login()
        report(step="online")
        await (caller if part == "caller" else callee)(client, peer, folder)
    report(step="left")


def main() -> None:
    """Play the role named by the arguments: server, name, peer, part, folder."""
    server, name, peer, part, folder = sys.argv[1:]
    try:
        asyncio.run(play(server, name, peer, part, Path(folder)))
    except (WhispError, RuntimeError, OSError) as error:
        report(step="failed", text=f"{type(error).__name__}: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()

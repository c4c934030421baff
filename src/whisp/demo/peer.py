"""One person of the demo, in a process of its own: it reports each step as a line of JSON on stdout.

Started by `whisp.demo.show`; the script is one line of JSON on stdin, later lines say when to go on.
"""

import asyncio
import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator

import msgspec

from whisp.client.client import Client
from whisp.client.conversation import Conversation
from whisp.client.errors import ConversationEndedError
from whisp.client.events import Delivered, Ended, FileOffered, Line, LineChanged, TextReceived
from whisp.client.vault import MemoryVault
from whisp.demo.script import EARLY_END, FILE_BYTES, DemoError, Report, Script
from whisp.wire.errors import WhispError

__all__ = ["perform"]

_CHUNK = 1 << 20


async def perform(script: Script) -> None:
    """Play one side of the call from registration to the wiped end. Raises WhispError when a step fails."""
    async with Client(script.server, MemoryVault(), allow_direct=not script.rings) as client:
        with _step("registered"):
            await client.register(script.name)
            await client.login()
        await _wait_for_parent()
        with _step("found"):
            await client.discover(script.peer)
        with _step("connected") as report:
            conversation = await _connect(client, script)
            report.session_code = conversation.session_code
            report.safety_number = client.safety_number(script.peer).digits
        await _talk(conversation, script)
        for line in ("relayed", "direct"):
            if line == "direct":
                with _step("went_direct"):
                    await _go_direct(conversation, script)
            await _exchange_files(conversation, script, line)
        await _part(conversation, script)


async def _connect(client: Client, script: Script) -> Conversation:
    if script.rings:
        return await client.call(script.peer)
    async for ring in client.rings():
        return await ring.accept()
    raise DemoError(EARLY_END)


async def _talk(conversation: Conversation, script: Script) -> None:
    """Send all texts, and read until all of the peer's are here and all of ours are delivered."""
    with _step("talked") as report:
        last = 0
        for text in script.texts:
            last = (await conversation.send_text(text)).id
        received: list[str] = []
        delivered = 0
        while len(received) < len(script.texts) or delivered < last:
            match await conversation.receive():
                case TextReceived(text=text):
                    received.append(text)
                case Delivered(id=number):
                    delivered = number
                case Ended():
                    raise DemoError(EARLY_END)
                case _:
                    pass
        report.count = len(received)
        report.digest = hashlib.sha256("\n".join(received).encode()).hexdigest()


async def _go_direct(conversation: Conversation, script: Script) -> None:
    if script.rings:
        await conversation.request_direct()
    while conversation.line is not Line.DIRECT:
        match await conversation.receive():
            case LineChanged(line=Line.DIRECT):
                return
            case Ended():
                raise DemoError(EARLY_END)
            case _:
                pass


async def _exchange_files(conversation: Conversation, script: Script, line: str) -> None:
    """Send a random file and take the peer's, both at once, into a hash instead of a disk."""
    await _wait_for_parent()
    with _step("exchanged_files") as report:
        report.line = str(conversation.line)
        if report.line != line:
            raise DemoError(EARLY_END)
        source = _RandomFile(FILE_BYTES)
        outgoing = await conversation.send_file(source, name=f"{script.name}.bin", size=FILE_BYTES)
        arrived = hashlib.sha256()
        count = 0

        async def sink(data: bytes) -> None:
            nonlocal count
            arrived.update(data)
            count += len(data)

        sent = asyncio.create_task(outgoing.done())
        incoming: asyncio.Task[object] | None = None
        while incoming is None:
            match await conversation.receive():
                case FileOffered(file=file):
                    await file.accept(sink)
                    incoming = asyncio.create_task(file.done())
                case Ended():
                    raise DemoError(EARLY_END)
                case _:
                    pass
        reading = asyncio.create_task(_read_on(conversation))
        await asyncio.gather(sent, incoming)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        report.count = count
        report.sent_digest, report.digest = source.digest(), arrived.hexdigest()


async def _part(conversation: Conversation, script: Script) -> None:
    """Hang up on one side, notice it on the other, and show that the session refuses any use."""
    with _step("parted") as report:
        await _wait_for_parent()
        if script.rings:
            await conversation.hang_up()
        else:
            while not isinstance(await conversation.receive(), Ended):
                pass
        try:
            await conversation.send_text("is anyone there?")
        except ConversationEndedError as error:
            report.refusal = str(error)
        report.reason = str(conversation.ended)


async def _read_on(conversation: Conversation) -> None:
    while True:
        await conversation.receive()


async def _wait_for_parent() -> None:
    """Wait for the parent's word that the other side has come this far too."""
    if not await asyncio.to_thread(sys.stdin.readline):
        raise DemoError(EARLY_END)


class _RandomFile:
    """Random bytes to send, hashed as they are read. Made in a thread ahead of need, never held whole."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._hash = hashlib.sha256()

    async def read(self, count: int, /) -> bytes:
        data = os.urandom(min(count, self._left))
        self._left -= len(data)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


@contextlib.contextmanager
def _step(name: str) -> Iterator[Report]:
    report = Report(name)
    started = time.perf_counter()
    yield report
    report.seconds = time.perf_counter() - started
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    sys.stdout.flush()


def main() -> int:
    """Play the script given as the one line on stdin; a failure is a sentence on stderr and exit code 1."""
    script = msgspec.json.decode(sys.stdin.readline(), type=Script)
    try:
        asyncio.run(perform(script))
    except WhispError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the demonstration: a server and two people in processes of their own, a line for each step."""

import asyncio
import contextlib
import json
import sqlite3
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from whisp.demo.memory_search import count_in_memory
from whisp.demo.role import CANARY, FILE_BYTES, MESSAGES

__all__ = ["main"]

LIMIT_SECONDS: Final = 120.0
STOP_SECONDS: Final = 5.0
CALLER: Final = "odile"
CALLEE: Final = "sefa"


class _FailedError(Exception):
    """The demonstration did not show what it should; `str()` says what."""


class _Child:
    """A process that reports in lines of JSON and goes on when a line tells it to."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process

    async def read(self) -> Any:
        """Return the next report."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise _FailedError(f"{self.name} ended early")
        return json.loads(line)

    async def next(self, step: str) -> dict[str, Any]:
        """Return the next report, which must be of this step."""
        facts: dict[str, Any] = await self.read()
        if facts["step"] != step:
            raise _FailedError(f"{self.name}: {facts.get('text', facts['step'])}, instead of {step}")
        return facts

    async def cue(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()


class _Stage:
    """Prints one line a step, with the time since the start."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def say(self, who: str, what: str) -> None:
        """Print a step that has succeeded."""
        sys.stdout.write(f"{time.perf_counter() - self._started:6.2f} s  {who:<8}{what}\n")
        sys.stdout.flush()


def main() -> None:
    """Run the demonstration. Raises SystemExit(1) with a reason if anything is not as it should be."""
    try:
        asyncio.run(_perform(_Stage()))
    except _FailedError as error:
        sys.stderr.write(f"The demonstration failed. {error}.\n")
        raise SystemExit(1) from None
    except TimeoutError:
        sys.stderr.write(f"The demonstration failed. It did not end within {LIMIT_SECONDS:.0f} seconds.\n")
        raise SystemExit(1) from None


async def _perform(stage: _Stage) -> None:
    async with asyncio.timeout(LIMIT_SECONDS), AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whisp-demo-")))
        data = folder / "data"
        data.mkdir()
        async with _child("server", "whisp.demo.server", str(data)) as server:
            origin = await server.read()
            stage.say("server", f"listens at {origin}, in a process without any of the keys")
            people = []
            for name, peer, part in ((CALLER, CALLEE, "caller"), (CALLEE, CALLER, "callee")):
                inbox = folder / name
                inbox.mkdir()
                role = _child(name, "whisp.demo.role", origin, name, peer, part, str(inbox))
                people.append(await stack.enter_async_context(role))
            await _play(stage, *people)
            await _look_at_memory(stage, server)
        _look_at_disk(stage, data)
        stage.say("done", "everything above was checked, and every check held")


async def _play(stage: _Stage, caller: _Child, callee: _Child) -> None:
    for person in (caller, callee):
        await person.next("online")
        stage.say(person.name, "made keys, claimed the name, logged in by signature, published pre-keys")
    await caller.cue()
    refusal = await caller.next("lookup")
    stage.say(caller.name, f"found {callee.name}; of nobody-at-all the server says: {refusal['text']}")
    call = await caller.next("call")
    stage.say(caller.name, f"rang, {callee.name} accepted, keys agreed in {call['seconds'] * 1000:.0f} ms")
    numbers, theirs = await caller.next("numbers"), await callee.next("numbers")
    _require(numbers == theirs, "the two sides see different safety numbers")
    safety, session = numbers["safety"][:23], numbers["session"][:11]
    stage.say("both", f"see the safety number {safety} … and the session code {session} …")

    texts, _ = await caller.next("texts"), await callee.next("texts")
    rate = 2 * MESSAGES / texts["seconds"]
    stage.say(
        "both", f"said {MESSAGES} things each, in order, each confirmed: {rate:.0f} a second, one at a time"
    )
    for line in ("relayed", "direct"):
        if line == "direct":
            _require((await caller.next("direct"))["came_about"], "no direct line came about")
            stage.say("both", "allow a direct line, which shows each the other's address")
        for sender, receiver in ((caller, callee), (callee, caller)):
            await _check_file(stage, sender, receiver, line)
    ends = await caller.next("wiped"), await callee.next("wiped")
    stage.say(caller.name, f"hung up ({ends[0]['reason']}); {callee.name} sees {ends[1]['reason']}")
    stage.say("both", "refuse any use of the session; its keys are dropped")
    for person in (caller, callee):
        await person.next("left")


async def _check_file(stage: _Stage, sender: _Child, receiver: _Child, line: str) -> None:
    received = await receiver.next("received")
    sent = await sender.next("sent")
    _require(sent["line"] == line, f"the file went over a {sent['line']} line, not a {line} one")
    _require(sent["digest"] == received["digest"], "the file arrived as something else")
    speed = FILE_BYTES / 1e6 / sent["seconds"]
    stage.say(sender.name, f"sent 64 MiB over the {line} line at {speed:.0f} MB/s; the hashes are equal")


async def _look_at_memory(stage: _Stage, server: _Child) -> None:
    """Count what the server holds, and search its memory for what was said and sent."""
    left = await _count(server)
    deadline = time.perf_counter() + STOP_SECONDS
    while any(left.values()) and time.perf_counter() < deadline:
        await asyncio.sleep(0.05)  # sockets take a moment to close
        left = await _count(server)
    _require(not any(left.values()), f"the server still holds {left}")
    stage.say("server", "holds " + ", ".join(f"{count} {name}" for name, count in left.items()))
    needles = (CANARY.encode(), CANARY.encode("utf-16-le"), b64encode(CANARY.encode()))
    found = await asyncio.to_thread(count_in_memory, server.pid, needles, CALLER.encode())
    if found is None:
        stage.say("server", "keeps its memory from being searched on this system: left out")
        return
    _require(found.control > 0, "the search of memory does not even find what must be there")
    _require(found.needles == 0, "what was said is in the server's memory")
    stage.say("server", f"has nothing that was said or sent in its {found.mebibytes} MiB of memory")


async def _count(server: _Child) -> dict[str, int]:
    await server.cue()
    counts = await server.read()
    return {name: counts[name] for name in ("calls", "online", "connections", "newcomers")}


def _look_at_disk(stage: _Stage, data: Path) -> None:
    """Count what is stored, table by table, and search every byte for what was said and sent."""
    with contextlib.closing(sqlite3.connect(f"file:{data / 'whisp.db'}?mode=ro", uri=True)) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {
            name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - own tables
            for name in sorted(names)
        }
    stage.say("server", "stores " + ", ".join(f"{count} in {name}" for name, count in rows.items()))
    stored = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    _require(CALLER.encode() in stored, "the search cannot even find a name that must be there")
    _require(CANARY.encode() not in stored, "what was said is on the server's disk")
    stage.say("server", f"has nothing that was said or sent in its {len(stored) // 1024} KiB on disk")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _FailedError(otherwise)


@asynccontextmanager
async def _child(name: str, module: str, *arguments: str) -> AsyncIterator[_Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        yield _Child(name, process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

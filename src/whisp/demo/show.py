"""The demo itself: starts a private server and two people, checks every step, prints it with its time."""

import asyncio
import secrets
import sys
import time
from base64 import b64encode
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from whisp.demo.memory_search import count_in_memory
from whisp.demo.script import FILE_BYTES, Census, DemoError, Report, Script

__all__ = ["show"]

_TEXTS: Final = 200
_STEP_SECONDS: Final = 60.0
_FORGET_SECONDS: Final = 15.0
_Line = TypeVar("_Line")


class _Process:
    """A child process that speaks JSON lines on its pipes."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @classmethod
    async def start(cls, name: str, module: str) -> "_Process":
        pipe = asyncio.subprocess.PIPE
        return cls(
            name,
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", module, stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20
            ),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, line: bytes = b"") -> None:
        assert self._process.stdin
        self._process.stdin.write(line + b"\n")

    async def read(self, kind: type[_Line]) -> _Line:
        assert self._process.stdout
        assert self._process.stderr
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _STEP_SECONDS)
        except TimeoutError:
            raise DemoError(f"{self.name} did not finish a step in {_STEP_SECONDS:.0f} s.") from None
        if not line:
            said = (await self._process.stderr.read()).decode(errors="replace").strip()
            raise DemoError(f"{self.name} stopped: {said or 'without a word'}")
        return msgspec.json.decode(line, type=kind)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.communicate()


async def show() -> None:
    """Run the whole demo. Raises DemoError at the first step that does not go as it must."""
    started = time.perf_counter()
    _say("A private server, two people in processes of their own, one call.", None)
    server = await _Process.start("The server", "whisp.demo.server")
    people: list[_Process] = []
    try:
        origin = await server.read(str)
        _say(f"The server listens on {origin}.", time.perf_counter() - started)
        people = [await _Process.start(name, "whisp.demo.peer") for name in ("odile", "sefa")]
        mark = secrets.token_hex(12)
        texts = {name: [f"{mark} {name} {n}" for n in range(_TEXTS)] for name in ("odile", "sefa")}
        await _converse(people, origin, texts)
        for person in people:
            await person.stop()
        await _prove_wiped(server, mark)
    finally:
        for process in (*people, server):
            await process.stop()
    _say("Everything is gone.", time.perf_counter() - started)


async def _converse(people: list[_Process], origin: str, texts: dict[str, list[str]]) -> None:
    caller, callee = people
    for own, other in ((caller, callee), (callee, caller)):
        script = Script(origin, own.name, other.name, own is caller, texts[own.name])
        own.tell(msgspec.json.encode(script))

    async def both(step: str) -> tuple[Report, Report]:
        reports = [await person.read(Report) for person in people]
        for report in reports:
            if report.step != step:
                raise DemoError(f"Expected the step {step}, got {report.step}.")
        return reports[0], reports[1]

    def go_on() -> None:
        for person in people:
            person.tell()

    one, two = await both("registered")
    _say("Each made keys, claimed a name and went online: odile, sefa.", max(one.seconds, two.seconds))
    go_on()
    one, two = await both("found")
    _say("Each looked up the other's exact name: online.", max(one.seconds, two.seconds))
    one, two = await both("connected")
    _say("odile rang, sefa accepted; post-quantum handshake done.", one.seconds)
    _require(one.safety_number == two.safety_number != "", "The safety numbers differ.")
    _say(f"Safety number, alike on both sides: {one.safety_number}", None)
    _require(one.session_code == two.session_code != "", "The session codes differ.")
    _say(f"Code of this one session, alike too:  {one.session_code}", None)
    one, two = await both("talked")
    for report, sender in ((one, "sefa"), (two, "odile")):
        _require(
            report.digest == sha256("\n".join(texts[sender]).encode()).hexdigest(), "A text arrived changed."
        )
    _say(f"{_TEXTS} messages each way, in order, each confirmed.", max(one.seconds, two.seconds))
    for line in ("relayed", "direct"):
        if line == "direct":
            one, two = await both("went_direct")
            _say("Both allowed a direct line: TCP, proved by a key of this session.", one.seconds)
        go_on()
        one, two = await both("exchanged_files")
        _require(one.line == two.line == line, f"The files did not travel {line}.")
        _require(one.digest == two.sent_digest and two.digest == one.sent_digest, "A file arrived changed.")
        _require(one.count == two.count == FILE_BYTES, "A file arrived with another length.")
        seconds = max(one.seconds, two.seconds)
        rate = 2 * FILE_BYTES / seconds / 1e6
        carrier = "through the blind relay" if line == "relayed" else "over the direct line"
        _say(f"64 MiB of random bytes each way {carrier}, hashes alike: {rate:.0f} MB/s.", seconds)
    go_on()
    one, two = await both("parted")
    _require(bool(one.refusal and two.refusal), "A session could still be used after the end.")
    _say(f"odile hung up. Both sessions refuse any use: “{one.refusal}”", max(one.seconds, two.seconds))


async def _prove_wiped(server: _Process, mark: str) -> None:
    """Ask the server what it holds, and search its memory for the mark that every text began with."""
    started = time.perf_counter()
    census = await _settled_census(server)
    rows = ", ".join(f"{name} {count}" for name, count in sorted(census.rows.items()))
    _say(f"Rows in the server's tables (public keys only): {rows}.", None)
    volatile = ", ".join(f"{name} {count}" for name, count in sorted(census.volatile.items()))
    _say(f"Entries in its memory: {volatile}.", time.perf_counter() - started)
    _require(not any(census.volatile.values()), "The server still holds something of the call.")
    started = time.perf_counter()
    needles = (mark.encode(), mark.encode("utf-16-le"), b64encode(mark.encode()))
    found = await asyncio.to_thread(count_in_memory, server.pid, needles, b"whisp.server")
    if found is None:
        _say("This system does not let a parent read its child's memory; that search was left out.", None)
        return
    _require(found.control > 0, "The search of the server's memory did not find what must be there.")
    _require(found.needles == 0, f"{found.needles} traces of messages stand in the server's memory.")
    _say(
        f"Searched {found.mebibytes} MiB of the server's memory for {2 * _TEXTS} messages: none "
        f"(and found the control {found.control} times).",
        time.perf_counter() - started,
    )


async def _settled_census(server: _Process) -> Census:
    """Ask what the server holds until nothing of the call is left, or it has had time enough.

    Dead routes are kept for ten seconds, so that frames still under way are dropped quietly.
    """
    deadline = time.perf_counter() + _FORGET_SECONDS
    while True:
        server.tell(b"census")
        census = await server.read(Census)
        if not any(census.volatile.values()) or time.perf_counter() > deadline:
            return census
        await asyncio.sleep(0.25)


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise DemoError(sentence)


def _say(sentence: str, seconds: float | None) -> None:
    clock = f"{seconds:7.2f} s" if seconds is not None else " " * 9
    sys.stdout.write(f"{clock}  {sentence}\n")
    sys.stdout.flush()

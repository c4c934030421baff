"""The `whisp` command as people run it: processes of their own, against a real server in another."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from whisp.testing import running_server_process

__all__ = ["PASSPHRASE", "Person", "Run", "registered"]

PASSPHRASE = "a canary among passphrases"


@dataclass(frozen=True)
class Person:
    """An account on a device: its profile, and how to run `whisp` as it."""

    name: str
    folder: Path
    origin: str

    @property
    def environment(self) -> dict[str, str]:
        """What the command finds in its environment."""
        return {
            "WHISP_PROFILE": str(self.folder),
            "WHISP_SERVER": self.origin,
            "WHISP_PASSPHRASE_FILE": str(self.folder.parent / "passphrase"),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "PYTHONUTF8": "1",
        }

    async def start(self, *tokens: str) -> "Run":
        """Start one command line with pipes."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "whisp.terminal",
            *tokens,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Run(process)

    async def run(self, *tokens: str, given: str = "") -> "Run":
        """Run one command line to its end with `given` as its input."""
        started = await self.start(*tokens)
        await started.finish(given)
        return started


class Run:
    """One running command line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out = ""
        self.err = ""

    @property
    def code(self) -> int:
        """How it ended."""
        assert self.process.returncode is not None
        return self.process.returncode

    async def told(self, words: str) -> None:
        """Read stderr until a line holds `words`."""
        assert self.process.stderr is not None
        async with asyncio.timeout(30):
            while words not in self.err:
                line = await self.process.stderr.readline()
                assert line, f"it ended and said only: {self.err}"
                self.err += line.decode()

    async def finish(self, given: str = "") -> int:
        """Give the rest of its input, wait until it ends, and return its code."""
        async with asyncio.timeout(60):
            out, err = await self.process.communicate(given.encode())
        self.out += out.decode()
        self.err += err.decode()
        return self.code

    async def interrupt(self) -> int:
        """Press Ctrl+C, wait until it ends, and return its code."""
        self.process.send_signal(signal.SIGINT)
        return await self.finish()


@asynccontextmanager
async def registered(folder: Path, *names: str) -> AsyncIterator[list[Person]]:
    """Run a server, and register these people on it."""
    (folder / "passphrase").write_text(PASSPHRASE)
    (folder / "passphrase").chmod(0o600)
    async with running_server_process() as server:
        people = [Person(name, folder / name, server.origin) for name in names]
        for run in await asyncio.gather(*(person.run("register", person.name) for person in people)):
            assert run.code == 0, run.err
        yield people

"""A real server for your own tests: in this process, or in one of its own. Needs the server's packages.

async with running_server() as server:
    async with Client(server.origin, MemoryVault()) as client:
        await client.register("odile")
"""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from whisp.client.errors import ServerUnreachableError

if TYPE_CHECKING:
    from whisp.server.app import Application

__all__ = ["LocalServer", "ServerProcess", "running_server", "running_server_process"]

START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0
_GREETING: Final = re.compile(rb"(http://[^\s]+)")


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server in this process: nothing of it is on disk, and it ends with its context."""

    origin: str
    application: "Application"

    def counts(self) -> Mapping[str, int]:
        """Return how much of everything the server holds now."""
        return self.application.counts()


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server in a process of its own."""

    origin: str
    pid: int


@asynccontextmanager
async def running_server(*, rate_factor: float = 1000.0, **settings: Any) -> AsyncIterator[LocalServer]:
    """Run a real server in this loop, on a free loopback port, with everything in memory.

    `rate_factor` multiplies its rate limits: tests register more accounts in a minute than people do. Other
    settings are those of the hosting guide, in lower case and without WHISP_.
    """
    from whisp.server.config import Settings
    from whisp.server.serve import running

    chosen = {"port": 0, "data": None, **settings}
    async with running(Settings(rate_factor=rate_factor, **chosen)) as server:
        yield LocalServer(server.origin, server.application)


@asynccontextmanager
async def running_server_process(*, rate_factor: float = 1000.0) -> AsyncIterator[ServerProcess]:
    """Run a real server in a process of its own, on a free loopback port, with everything in memory.

    Raises:
        ServerUnreachableError: it did not start.
    """
    environment = {
        **os.environ,
        "WHISP_PORT": "0",
        "WHISP_DATA": "none",
        "WHISP_RATE_FACTOR": str(rate_factor),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "whisp.server",
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield ServerProcess(await _greeting(process), process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _greeting(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while line := await process.stdout.readline():
                found = _GREETING.search(line)
                if found is not None:
                    return found.group(1).decode()
    raise ServerUnreachableError("The server process did not start.")

"""A server in a process of its own, which a test may starve, kill and start again on the same port."""

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["ServerProcess", "serving"]

_ORDINARY = "from whisp.server.__main__ import main; raise SystemExit(main())"


class ServerProcess:
    """A server that was started; `port` is where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    @property
    def origin(self) -> str:
        """What clients dial."""
        return f"http://127.0.0.1:{self.port}"

    async def ended(self) -> int:
        """Wait until it is gone; return its exit code, or the negative number of the signal."""
        async with asyncio.timeout(15):
            await self.process.communicate()
        return self.process.returncode or 0

    def limit(self, what: int, soft: int) -> None:
        """Change what it may use of a resource."""
        _, hard = resource.prlimit(self.process.pid, what)
        resource.prlimit(self.process.pid, what, (soft, hard))

    def processor_seconds(self) -> float:
        """Return the processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self) -> int:
        """Return how many descriptors it holds."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@asynccontextmanager
async def serving(
    data: Path,
    port: int = 0,
    *,
    program: str = _ORDINARY,
    limits: Mapping[int, int] | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[ServerProcess]:
    """Run a server until the end of the block; `program` starts it, `limits` are its resource limits,
    `settings` more of its environment.

    The greeting may not come: a program may be made to die before. Then `port` is 0.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WHISP_")}
    environment |= {"WHISP_PORT": str(port), "WHISP_DATA": str(data), "WHISP_RATE_FACTOR": "1000"}
    environment |= settings or {}

    def starve() -> None:
        for what, limit in (limits or {}).items():
            resource.setrlimit(what, (limit, limit))

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=starve,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            greeting = await process.stdout.readline()
        yield ServerProcess(process, int(greeting.rpartition(b":")[2] or b"0"))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

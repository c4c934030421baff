"""Lines from standard input, without blocking the loop or keeping the process alive at its end."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Final

__all__ = ["read_lines"]

_MAX_LINE_BYTES: Final = 64 * 1024
"""A longer line is cut here; the protocol would refuse it as one message anyway."""

_MAX_WAITING: Final = 64
"""Lines read ahead; then the pipe waits."""


async def read_lines(descriptor: int = 0) -> AsyncIterator[str]:
    """Yield lines of `descriptor` without their line feed until it ends.

    Reads in a daemon thread by bare `os.read`: event loops cannot wait for regular files, and a buffered
    stdin would hold a lock that the interpreter needs to exit.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    room = threading.Semaphore(_MAX_WAITING)

    def put(line: str | None) -> None:
        room.acquire()
        loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        rest = b""
        try:
            while part := os.read(descriptor, 65536):
                *whole, rest = (rest + part).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    whole.append(rest)
                    rest = b""
                for line in whole:
                    put(line.decode("utf-8", "replace").removesuffix("\r"))
            if rest:
                put(rest.decode("utf-8", "replace"))
            put(None)
        except (OSError, RuntimeError):
            return  # the loop is gone, or the terminal is

    threading.Thread(target=read, name="whisp-stdin", daemon=True).start()
    while (line := await lines.get()) is not None:
        room.release()
        yield line

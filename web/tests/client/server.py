"""A real server for the web client's tests. Prints its origin; "restart" on stdin starts it anew, there."""

import asyncio
import contextlib
import sys

from whisp.server.config import Settings
from whisp.server.serve import running


async def read_line(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readline()).strip()


async def main() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    data = sys.argv[2] if len(sys.argv) > 2 else None
    while True:
        settings = Settings(port=port, data=data, rate_factor=1000.0)
        async with running(settings) as server:
            sys.stdout.write(f"{server.origin}\n")
            sys.stdout.flush()
            port = int(server.origin.rsplit(":", 1)[1])
            command = await read_line(reader)
        if command != b"restart":
            return


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())

"""A web site of somebody else, on an origin of its own: the page that a victim visits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["foreign_site"]


@asynccontextmanager
async def foreign_site(page: str) -> AsyncIterator[str]:
    """Serve one page of HTML at every path; yield its origin."""
    body = page.encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    site = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with site:
        yield f"http://localhost:{site.sockets[0].getsockname()[1]}"

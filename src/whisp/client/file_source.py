"""Where an outgoing file's bytes come from: a path, read ahead in a thread, or an async reader."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from whisp.client.errors import FileFault, FileTransferError

__all__ = ["AsyncReader", "FileSource", "PathSource", "ReaderSource"]

READ_AHEAD_BYTES: Final = 1024 * 1024
"""One trip to a thread for sixteen chunks costs less than reading each on the event loop."""


class AsyncReader(Protocol):
    """A source of bytes to send, such as an open stream."""

    async def read(self, count: int, /) -> bytes:
        """Return 1 to `count` bytes, or none at the end."""
        ...


class FileSource(Protocol):
    """Hands out a file from front to back, once."""

    async def read(self, count: int) -> bytes | memoryview:
        """Return exactly `count` bytes. Raises FileTransferError (UNREADABLE) when they do not come."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class PathSource:
    """A regular file, read ahead by a block."""

    def __init__(self, path: Path) -> None:
        """Open it. Blocks. Raises FileTransferError if it is not a readable regular file."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise FileTransferError(FileFault.UNREADABLE, f"It cannot be read: {error.strerror}.") from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise FileTransferError(FileFault.UNREADABLE, "Only regular files can be sent.")
        self.size = status.st_size
        self._descriptor: int | None = descriptor
        self._block = memoryview(b"")
        self._ahead: asyncio.Future[bytes] | None = None

    async def read(self, count: int) -> memoryview | bytes:
        """Return exactly `count` bytes, at most a chunk; the next block is fetched meanwhile."""
        if len(self._block) >= count:
            taken, self._block = self._block[:count], self._block[count:]
            return taken
        parts = bytearray()
        while len(parts) < count:
            if not self._block:
                self._block = memoryview(await self._next_block())
                if not self._block:
                    raise FileTransferError(FileFault.UNREADABLE)
            wanted = count - len(parts)
            parts += self._block[:wanted]
            self._block = self._block[wanted:]
        return bytes(parts)

    def close(self) -> None:
        """Close the file, after a read that is under way."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._ahead is not None and not self._ahead.done():
            self._ahead.add_done_callback(lambda _: os.close(descriptor))
        else:
            os.close(descriptor)
        self._block = memoryview(b"")

    async def _next_block(self) -> bytes:
        ahead = self._ahead or self._fetch()
        try:
            block = await asyncio.shield(ahead)
        except OSError:
            raise FileTransferError(FileFault.UNREADABLE) from None
        self._ahead = self._fetch() if block and self._descriptor is not None else None
        return block

    def _fetch(self) -> "asyncio.Future[bytes]":
        if self._descriptor is None:
            raise FileTransferError(FileFault.ENDED)
        loop = asyncio.get_running_loop()
        ahead = loop.run_in_executor(None, os.read, self._descriptor, READ_AHEAD_BYTES)
        self._ahead = ahead
        ahead.add_done_callback(lambda done: done.cancelled() or done.exception())
        return ahead


class ReaderSource:
    """Whatever an application reads asynchronously."""

    def __init__(self, reader: AsyncReader) -> None:
        self._reader = reader

    async def read(self, count: int) -> bytes:
        """Return exactly `count` bytes."""
        parts = bytearray()
        while len(parts) < count:
            try:
                part = await self._reader.read(count - len(parts))
            except OSError:
                raise FileTransferError(FileFault.UNREADABLE) from None
            if not part or len(parts) + len(part) > count:
                raise FileTransferError(FileFault.UNREADABLE)
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """The reader is its owner's to close."""

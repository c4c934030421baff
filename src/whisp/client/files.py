"""Files in a conversation, as the application holds them: one going out, one coming in."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeAlias

__all__ = ["AsyncReader", "IncomingFile", "OutgoingFile", "Sink"]


class AsyncReader(Protocol):
    """A source of bytes to send, such as an open stream."""

    async def read(self, count: int, /) -> bytes:
        """Return 1 to `count` bytes, or none at the end."""
        ...


Sink: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes of an incoming file, in order. Slow sinks slow the sender down."""


class OutgoingFile:
    """A file this side offered."""

    id: bytes
    """16 bytes, as in the events."""
    name: str
    size: int

    @property
    def progress(self) -> int:
        """Bytes sent so far."""
        raise NotImplementedError

    async def done(self) -> None:
        """Wait until the peer has the whole file. Raises FileTransferError if it will not."""
        raise NotImplementedError

    async def cancel(self) -> None:
        """Stop, and tell the peer, who deletes what it has."""
        raise NotImplementedError


class IncomingFile:
    """A file the peer offered. Nothing of it moves before `accept`, nothing is saved unasked."""

    id: bytes
    name: str
    """As the peer named it, for display only: made safe before it names a file on disk."""
    size: int
    media_type: str
    """As the peer claims it; never act on it."""

    @property
    def progress(self) -> int:
        """Bytes that have arrived and were saved."""
        raise NotImplementedError

    async def accept(self, save_to: Path | str | Sink) -> None:
        """Start the transfer into the folder `save_to`, or into a sink.

        In a folder the file gets a safe name, never overwrites (" (2)" is appended), has mode 0600, and
        stays a `.part` file until it is whole.

        Raises:
            FileTransferError: the folder cannot be written, or the transfer is over already.
        """
        raise NotImplementedError

    async def decline(self) -> None:
        """Refuse it."""
        raise NotImplementedError

    async def cancel(self) -> None:
        """Stop a transfer that was accepted; what had arrived is deleted."""
        raise NotImplementedError

    async def done(self) -> Path | None:
        """Wait for the whole file; return where it was saved, None for a sink. Raises FileTransferError."""
        raise NotImplementedError

"""Where an incoming file's bytes go: a folder, safely, or a sink of the application."""

import asyncio
import contextlib
import errno
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from whisp.client.errors import FileFault, FileTransferError
from whisp.client.file_name import numbered_names, safe_name

__all__ = ["FileTarget", "FolderTarget", "Sink", "SinkTarget"]

Sink: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes of an incoming file, in order. Slow sinks slow the sender down."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_HARD_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


class FileTarget(Protocol):
    """Takes a file from front to back. All faults are FileTransferErrors."""

    async def write(self, parts: Sequence[bytes]) -> None:
        """Take the next bytes."""
        ...

    async def finish(self) -> Path | None:
        """The file is whole: return where it is now."""
        ...

    def discard(self) -> None:
        """It will not be whole: delete what is there. Safe at any time."""
        ...


class FolderTarget:
    """A new file in a folder: a hidden `.part` until it is whole, mode 0600, never over anything.

    The folder is held open, so that renaming or swapping it meanwhile leads nowhere else.
    """

    def __init__(self, folder: Path, offered_name: str, size: int) -> None:
        """Create the `.part` file. Blocks. Raises FileTransferError."""
        self._folder = folder
        self._name = safe_name(offered_name)
        self._part = f".{self._name}.{secrets.token_hex(4)}.part"
        try:
            self._folder_descriptor: int | None = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _fault(error) from None
        try:
            free = os.fstatvfs(self._folder_descriptor)
            if free.f_bavail * free.f_frsize < size:
                raise FileTransferError(FileFault.DISK_FULL, "There is not enough room on the disk.")
            self._descriptor: int | None = os.open(
                self._part,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
                dir_fd=self._folder_descriptor,
            )
        except OSError as error:
            os.close(self._folder_descriptor)
            raise _fault(error) from None
        except FileTransferError:
            os.close(self._folder_descriptor)
            raise
        self._writing: asyncio.Future[None] | None = None

    async def write(self, parts: Sequence[bytes]) -> None:
        """Append `parts`, in a thread."""
        await self._in_thread(lambda: self._write_all(parts))

    async def finish(self) -> Path:
        """Give the file its name, or the next one that is free."""
        name = ""

        def publish() -> None:
            nonlocal name
            name = self._publish()

        await self._in_thread(publish)
        self._close()
        return self._folder / name

    def discard(self) -> None:
        """Delete the `.part` file, once a write that is under way has come back."""
        if self._writing is not None and not self._writing.done():
            self._writing.add_done_callback(lambda _: self._remove())
        else:
            self._remove()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        self._writing = asyncio.get_running_loop().run_in_executor(None, work)
        self._writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            await asyncio.shield(self._writing)
        except OSError as error:
            raise _fault(error) from None

    def _write_all(self, parts: Sequence[bytes]) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        left = sum(map(len, parts))
        written = os.writev(descriptor, parts) if left else 0
        if written < left:
            rest = memoryview(b"".join(parts))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]

    def _publish(self) -> str:
        folder = self._folder_descriptor
        for name in numbered_names(self._name):
            try:
                os.link(self._part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                continue
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                if not self._take_name(name):
                    continue
                os.rename(self._part, name, src_dir_fd=folder, dst_dir_fd=folder)
                return name
            os.unlink(self._part, dir_fd=folder)
            return name
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _take_name(self, name: str) -> bool:
        """Claim a name where hard links do not exist, by an empty file that the rename replaces."""
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o600, dir_fd=self._folder_descriptor))
        except FileExistsError:
            return False
        return True

    def _remove(self) -> None:
        if self._folder_descriptor is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._part, dir_fd=self._folder_descriptor)
        self._close()

    def _close(self) -> None:
        for descriptor in (self._descriptor, self._folder_descriptor):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._descriptor = self._folder_descriptor = None


class SinkTarget:
    """A coroutine function of the application. An OSError of its own counts as a failed disk."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def write(self, parts: Sequence[bytes]) -> None:
        """Hand on `parts`, one by one."""
        try:
            for part in parts:
                if part:
                    await self._sink(part)
        except OSError as error:
            raise _fault(error) from None

    async def finish(self) -> None:
        """Nothing is left to do."""

    def discard(self) -> None:
        """What the sink took is the application's to drop."""


def _fault(error: OSError) -> FileTransferError:
    if error.errno in _FULL:
        return FileTransferError(FileFault.DISK_FULL)
    return FileTransferError(FileFault.UNWRITABLE, f"The file could not be saved: {error.strerror}.")

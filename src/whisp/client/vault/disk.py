"""The few file operations a vault save is made of, one method each, so that tests can fail any of them."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

__all__ = ["Disk", "replace_atomically"]

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


class Disk:
    """The real file system."""

    def create(self, path: Path) -> int:
        """Open a new file for writing, mode 0600; never follows a link, never opens an existing file."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of `data`; return how much."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Wait until the file's bytes are on the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the file."""
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Put `old` in the place of `new` in one step."""
        os.replace(old, new)

    def link(self, old: Path, new: Path) -> None:
        """Give `old` a second name. Raises FileExistsError if the name is taken."""
        os.link(old, new)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """Wait until the folder's names are on the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_atomically(disk: Disk, path: Path, contents: bytes, *, must_be_new: bool = False) -> None:
    """Make `path` hold `contents`: after a crash at any moment it holds the old or the new, whole.

    Temp file in the same folder, fsync, rename, fsync of the folder.

    Raises:
        FileExistsError: `must_be_new`, and something is there.
        OSError: from the disk; the temp file is removed when that still works.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    descriptor = disk.create(temporary)
    try:
        try:
            left = memoryview(contents)
            while left:
                left = left[disk.write(descriptor, left) :]
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
        if must_be_new:
            _take_name(disk, temporary, path)
        else:
            disk.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(temporary)
        raise
    disk.sync_folder(path.parent)


def _take_name(disk: Disk, temporary: Path, path: Path) -> None:
    try:
        disk.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if path.exists() or path.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        disk.rename(temporary, path)
    else:
        disk.remove(temporary)

"""The server's own secrets: made on the first run, kept in files that only the server's user can read."""

import contextlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whisp.server.errors import StartError

__all__ = ["ServerKeys"]

_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class ServerKeys:
    """Two keys of 32 bytes. The key of challenges is not among them: it lives and dies with the process."""

    tokens: bytes
    """Signs session tokens. Deleting its file logs everyone out."""
    names: bytes
    """Hashes claimed usernames. Without its file, erased names could be claimed again."""

    def __repr__(self) -> str:
        return "ServerKeys(<redacted>)"

    @classmethod
    def in_memory(cls) -> "ServerKeys":
        """Return fresh keys that nothing keeps."""
        return cls(secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def load(cls, folder: Path) -> "ServerKeys":
        """Return the keys in `folder`, making those that are missing.

        Two servers that start at once end up with the same keys, and a crash leaves no half a key.

        Raises:
            StartError: the folder cannot be written, or a file in it is not a key.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(_load(folder / "token.key"), _load(folder / "names.key"))
        except OSError as error:
            raise StartError(f"The keys in {folder} cannot be used: {error.strerror}.") from None


def _load(file: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return _read(file)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".new-") as fresh:  # mode 0600
        fresh.write(secrets.token_bytes(_KEY_BYTES))
        fresh.flush()
        os.fsync(fresh.fileno())
        # A link, unlike a rename, never replaces a key that another process has made meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(fresh.name, file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return _read(file)


def _read(file: Path) -> bytes:
    key = file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise StartError(f"{file} is damaged: it should hold {_KEY_BYTES} bytes. Restore it from a backup.")
    file.chmod(0o600)
    return key

"""The id and the key of one file transfer; the key seals this file's chunks and nothing else."""

import os
from typing import Final, NewType, Self

from whisp.core.key_schedule import Secret
from whisp.wire.errors import LocalProtocolError

__all__ = ["FILE_ID_BYTES", "FILE_KEY_BYTES", "FileId", "FileKey", "new_file_id"]

FILE_ID_BYTES: Final = 16
FILE_KEY_BYTES: Final = 32

FileId = NewType("FileId", bytes)
"""16 random bytes naming a transfer on the line; public to the relay, so never derived from the file."""


def new_file_id() -> FileId:
    """Return a fresh random id."""
    return FileId(os.urandom(FILE_ID_BYTES))


class FileKey(Secret):
    """The 32 bytes a file's sender chooses, and tells the receiver in FILE_OFFER."""

    __slots__ = ()

    def __init__(self, value: bytes) -> None:
        if len(value) != FILE_KEY_BYTES:
            raise LocalProtocolError(f"a file key is {FILE_KEY_BYTES} bytes")
        super().__init__(value)

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh random key."""
        return cls(os.urandom(FILE_KEY_BYTES))

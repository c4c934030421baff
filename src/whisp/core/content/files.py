"""What is said about a file; its bytes travel beside, as `whisp.core.file_stream` seals them."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final

from whisp.core.content.fields import MAX_NUMBER, ContentType, decode_utf8, utf8_fault
from whisp.core.file_key import FILE_ID_BYTES, FILE_KEY_BYTES, FileId, FileKey
from whisp.wire.encoding import Reader, lp16, parse_enum, u8, u32, u64

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_MEDIA_TYPE_BYTES",
    "MAX_NAME_BYTES",
    "FileAck",
    "FileCancel",
    "FileCancelReason",
    "FileDone",
    "FileOffer",
    "FileRequest",
]

MAX_NAME_BYTES: Final = 255
"""A file name, as UTF-8: the longest that common file systems keep."""

MAX_MEDIA_TYPE_BYTES: Final = 127
"""A media type: the limit of each half in RFC 6838, ample for both."""

MAX_FILE_BYTES: Final = 2**48
"""The largest file: 2^32 chunks of 64 KiB, all that a u32 chunk index can name."""


class FileCancelReason(IntEnum):
    """Why a transfer stopped."""

    CANCELLED = 1
    """A person stopped it."""
    DECLINED = 2
    """The receiver does not want it."""
    FAILED = 3
    """The source could not be read, or the target not written."""
    REFUSED = 4
    """A chunk was not what the offer said; partial data is deleted."""


@dataclass(frozen=True, slots=True)
class FileOffer:
    """The sender has a file. Nothing moves until the receiver asks with FileRequest."""

    TYPE: ClassVar = ContentType.FILE_OFFER
    COUNTED: ClassVar = True
    file_id: FileId
    key: FileKey
    size: int
    """Bytes, 0 to 2^48."""
    name: str = field(repr=False)
    """A suggestion in the sender's words, 1 to 255 bytes of UTF-8; never a path to write to."""
    media_type: str = field(repr=False)
    """A claim, up to 127 bytes of ASCII, maybe empty; never a reason to run or render anything."""

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if len(self.file_id) != FILE_ID_BYTES or not 0 <= self.size <= MAX_FILE_BYTES:
            return "a file of impossible size or id"
        if len(self.media_type) > MAX_MEDIA_TYPE_BYTES or not (
            self.media_type.isascii() and self.media_type.isprintable()
        ):
            return "a media type that is none"
        return "a file without a name" if not self.name else utf8_fault(self.name, MAX_NAME_BYTES, "a name")

    def encode_body(self) -> bytes:
        """Return file id 16 ‖ key 32 ‖ size u64 ‖ lp16 name ‖ lp16 media type."""
        names = lp16(self.name.encode()) + lp16(self.media_type.encode("ascii"))
        return self.file_id + self.key.expose() + u64(self.size) + names

    @classmethod
    def read(cls, reader: Reader) -> "FileOffer":
        """Take the body."""
        file_id, key = FileId(reader.take(FILE_ID_BYTES)), FileKey(reader.take(FILE_KEY_BYTES))
        size, name = reader.u64(), decode_utf8(reader.lp16(MAX_NAME_BYTES))
        return cls(file_id, key, size, name, decode_utf8(reader.lp16(MAX_MEDIA_TYPE_BYTES)))


@dataclass(frozen=True, slots=True)
class _ChunkPosition:
    """What FileRequest and FileAck share: a transfer, and a chunk in it."""

    TYPE: ClassVar[ContentType]
    COUNTED: ClassVar[bool]
    file_id: FileId
    chunk: int

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        in_range = 0 <= self.chunk <= MAX_NUMBER
        return None if len(self.file_id) == FILE_ID_BYTES and in_range else "a position in no file"

    def encode_body(self) -> bytes:
        """Return file id 16 ‖ chunk u32."""
        return self.file_id + u32(self.chunk)


@dataclass(frozen=True, slots=True)
class FileRequest(_ChunkPosition):
    """Receiver to sender: send from this chunk on. Chunk 0 accepts the file; later ones resume it."""

    TYPE: ClassVar = ContentType.FILE_REQUEST
    COUNTED: ClassVar = True

    @classmethod
    def read(cls, reader: Reader) -> "FileRequest":
        """Take the body."""
        return cls(FileId(reader.take(FILE_ID_BYTES)), reader.u32())


@dataclass(frozen=True, slots=True)
class FileAck(_ChunkPosition):
    """Receiver to sender: all chunks before this one are verified; the window moves here."""

    TYPE: ClassVar = ContentType.FILE_ACK
    COUNTED: ClassVar = False

    @classmethod
    def read(cls, reader: Reader) -> "FileAck":
        """Take the body."""
        return cls(FileId(reader.take(FILE_ID_BYTES)), reader.u32())


@dataclass(frozen=True, slots=True)
class FileCancel:
    """Either side: the transfer is over, unfinished. Keys and partial data go."""

    TYPE: ClassVar = ContentType.FILE_CANCEL
    COUNTED: ClassVar = True
    file_id: FileId
    reason: FileCancelReason

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return None if len(self.file_id) == FILE_ID_BYTES else "a file id of the wrong length"

    def encode_body(self) -> bytes:
        """Return file id 16 ‖ reason u8."""
        return self.file_id + u8(self.reason)

    @classmethod
    def read(cls, reader: Reader) -> "FileCancel":
        """Take the body."""
        return cls(FileId(reader.take(FILE_ID_BYTES)), parse_enum(FileCancelReason, reader.u8()))


@dataclass(frozen=True, slots=True)
class FileDone:
    """Receiver to sender: the last chunk is verified. Both wipe the key."""

    TYPE: ClassVar = ContentType.FILE_DONE
    COUNTED: ClassVar = True
    file_id: FileId

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return None if len(self.file_id) == FILE_ID_BYTES else "a file id of the wrong length"

    def encode_body(self) -> bytes:
        """Return file id 16."""
        return self.file_id

    @classmethod
    def read(cls, reader: Reader) -> "FileDone":
        """Take the body."""
        return cls(FileId(reader.take(FILE_ID_BYTES)))

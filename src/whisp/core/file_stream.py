"""A file as sealed chunks beside the messages: in order, whole, and each chunk sealed once (spec/files.md).

STREAM: Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance" (CRYPTO 2015), section 7. Chunk numbers in the nonces fix the order, a flag fixes the end.
"""

from collections import deque
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from whisp.core.content import MAX_FILE_BYTES
from whisp.core.errors import DecryptionError, SessionEndedError
from whisp.core.file_key import FileId, FileKey
from whisp.core.key_schedule import expand, extract
from whisp.core.padding import padme
from whisp.wire.encoding import tag, u8, u32, u64
from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = [
    "ACK_CHUNKS",
    "CHUNK_BYTES",
    "CHUNK_FRAME_TYPE",
    "CHUNK_HEADER_BYTES",
    "CHUNK_TAG_BYTES",
    "MAX_CHUNK_FRAME_BYTES",
    "WINDOW_CHUNKS",
    "FileReceiver",
    "FileSender",
    "WindowFullError",
    "chunk_count",
    "peek_file_id",
]

CHUNK_FRAME_TYPE: Final = 0x11
"""First byte of a chunk's frame; ratchet messages are 0x10."""

CHUNK_BYTES: Final = 64 * 1024
"""Plaintext of every chunk but the last: headers cost nothing, and messages wait a moment between two."""

CHUNK_HEADER_BYTES: Final = 22
CHUNK_TAG_BYTES: Final = 16
MAX_CHUNK_FRAME_BYTES: Final = CHUNK_HEADER_BYTES + CHUNK_BYTES + CHUNK_TAG_BYTES

WINDOW_CHUNKS: Final = 64
"""Chunks a sender keeps unacknowledged: 4 MiB, which fills 40 MB/s at a tenth of a second of round trip."""

ACK_CHUNKS: Final = 16
"""A receiver acknowledges at least so often: four times a window, so that the sender never stands still."""

_ID_END: Final = 17
_INDEX_END: Final = 21
_PREFIX_BYTES: Final = 7


class WindowFullError(LocalProtocolError):
    """The window is full of chunks the receiver has not acknowledged; go on after the next FileAck."""

    def __init__(self) -> None:
        super().__init__("The other side has to acknowledge chunks first.")


def chunk_count(size: int) -> int:
    """Return how many chunks a file of `size` bytes takes with its padding: at least one."""
    return max(1, -(-padme(size) // CHUNK_BYTES))


def peek_file_id(frame: bytes) -> FileId:
    """Return which transfer a chunk's frame belongs to, unauthenticated. Raises MalformedError."""
    if len(frame) < CHUNK_HEADER_BYTES or frame[0] != CHUNK_FRAME_TYPE:
        raise MalformedError("not a chunk")
    return FileId(bytes(frame[1:_ID_END]))


class _Stream:
    """What both ends share: one cipher for the file, and the layout that its size fixes."""

    __slots__ = ("_associated", "_cipher", "_count", "_file_id", "_padded", "_prefix", "_size")

    def __init__(self, sid: bytes, file_id: FileId, key: FileKey, size: int) -> None:
        if not 0 <= size <= MAX_FILE_BYTES:
            raise LocalProtocolError(f"a file of {size} bytes; the limit is 2^48")
        block = expand(extract(sid, key.expose()), "file", file_id, 32 + _PREFIX_BYTES)
        self._cipher: AESGCM | None = AESGCM(block[:32])
        self._prefix = block[32:]
        self._file_id = file_id
        self._size = size
        self._padded = padme(size)
        self._count = chunk_count(size)
        self._associated = tag("chunk") + file_id + u64(self._padded)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<redacted>)"

    @property
    def size(self) -> int:
        """Bytes of the file, without padding."""
        return self._size

    @property
    def count(self) -> int:
        """How many chunks the transfer has, padding included."""
        return self._count

    def content_bytes(self, index: int) -> int:
        """Return how many bytes of the file chunk `index` holds: 0 for one that is all padding."""
        return min(max(self._size - index * CHUNK_BYTES, 0), CHUNK_BYTES)

    def _chunk_bytes(self, index: int) -> int:
        return min(self._padded - index * CHUNK_BYTES, CHUNK_BYTES)

    def _is_last(self, index: int) -> bool:
        return index == self._count - 1

    def wipe(self) -> None:
        """Drop the key and all that is kept; later use raises SessionEndedError."""
        self._cipher = None
        self._prefix = b""

    def _live(self) -> AESGCM:
        if self._cipher is None:
            raise SessionEndedError("this file transfer is over")
        return self._cipher


class FileSender(_Stream):
    """Seals one file, chunk by chunk. Each chunk is sealed exactly once and kept until acknowledged.

    Sealing a chunk again from a source that changed meanwhile would use one nonce for two plaintexts and give
    both away; so going back yields the kept frame, and going back further than the window is refused.
    """

    __slots__ = ("_acknowledged", "_next", "_window")

    def __init__(self, sid: bytes, file_id: FileId, key: FileKey, size: int) -> None:
        super().__init__(sid, file_id, key, size)
        self._next = 0
        self._acknowledged = 0
        # Acknowledged frames stay until newer ones push them out: freeing a burst at once makes the allocator
        # return pages and fault them in again, which costs more than the encryption.
        self._window: deque[bytes] = deque(maxlen=WINDOW_CHUNKS)

    @property
    def next_chunk(self) -> int:
        """The first chunk that was not sealed yet; `count` when all were."""
        return self._next

    @property
    def acknowledged(self) -> int:
        """All chunks before this one have been verified by the receiver."""
        return self._acknowledged

    @property
    def is_window_full(self) -> bool:
        """Whether the next new chunk has to wait for an acknowledgement."""
        return self._next - self._acknowledged >= WINDOW_CHUNKS

    @property
    def is_done(self) -> bool:
        """Whether the receiver has acknowledged the last chunk."""
        return self._acknowledged == self._count

    def chunk(self, index: int, plaintext: bytes | memoryview = b"") -> bytes:
        """Return the frame of chunk `index`; `plaintext` is `content_bytes(index)` bytes of the file.

        For an unacknowledged chunk it returns the frame that was made then and ignores `plaintext`.

        Raises:
            WindowFullError: wait for an acknowledgement.
            LocalProtocolError: neither unacknowledged nor the next one, or plaintext of another length.
            SessionEndedError: it was wiped.
        """
        cipher = self._live()
        if self._acknowledged <= index < self._next:
            return self._window[index - self._next]
        if index != self._next or index == self._count:
            raise LocalProtocolError(f"chunk {index} is not the next one")
        if len(plaintext) != self.content_bytes(index):
            raise LocalProtocolError(f"{len(plaintext)} bytes are not chunk {index}")
        if self.is_window_full:
            raise WindowFullError
        size = self._chunk_bytes(index)
        if len(plaintext) < size:
            plaintext = bytes(plaintext).ljust(size, b"\x00")
        place = u32(index) + u8(self._is_last(index))
        sealed = cipher.encrypt(self._prefix + place, plaintext, self._associated)
        frame = b"".join((b"\x11", self._file_id, place, sealed))
        self._window.append(frame)
        self._next = index + 1
        return frame

    def acknowledge(self, chunk: int) -> None:
        """The receiver has verified all chunks before `chunk`; an older acknowledgement changes nothing.

        Raises:
            MalformedError: that is beyond what was sent: the peer's fault.
        """
        self._live()
        if chunk > self._next:
            raise MalformedError("an acknowledgement of chunks that were not sent")
        self._acknowledged = max(self._acknowledged, chunk)

    def rewind(self, chunk: int) -> tuple[bytes, ...]:
        """Return the frames to transmit again when the receiver asks from `chunk` on; new chunks follow.

        Raises:
            MalformedError: before an acknowledged chunk, or beyond what was sent: the peer's fault.
        """
        if chunk < self._acknowledged:
            raise MalformedError("a request for chunks that were acknowledged")
        self.acknowledge(chunk)
        return tuple(self._window[index - self._next] for index in range(chunk, self._next))

    def wipe(self) -> None:
        """Drop the key and all kept frames; later use raises SessionEndedError."""
        super().wipe()
        self._window.clear()


class FileReceiver(_Stream):
    """Opens one file's chunks in order and refuses all others. After an error the transfer must end."""

    __slots__ = ("_next",)

    def __init__(self, sid: bytes, file_id: FileId, key: FileKey, size: int) -> None:
        super().__init__(sid, file_id, key, size)
        self._next = 0

    @property
    def next_chunk(self) -> int:
        """The chunk expected next: what FileAck and a resuming FileRequest name."""
        return self._next

    @property
    def is_done(self) -> bool:
        """Whether the last chunk has been verified: only then is the file whole."""
        return self._next == self._count

    @property
    def is_ack_due(self) -> bool:
        """Whether a FileAck should leave after the chunk just received."""
        return self._next % ACK_CHUNKS == 0 or self.is_done

    def is_repeat(self, frame: bytes | memoryview) -> bool:
        """Return whether a frame that `receive` refused claims the place of a chunk received before."""
        head, index = bytes(frame[:_ID_END]), int.from_bytes(frame[_ID_END:_INDEX_END], "big")
        return head == b"\x11" + self._file_id and index < self._next

    def receive(self, frame: bytes | memoryview) -> bytes:
        """Return the next `content_bytes` of the file; nothing changes unless the chunk is authentic.

        Raises:
            MalformedError: not the frame of the very next chunk: another file, place, flag or length, or a
                chunk after the last.
            DecryptionError: sealed otherwise, or altered; padding that is not zero.
            SessionEndedError: it was wiped.
        """
        cipher = self._live()
        index = self._next
        if index == self._count:
            raise MalformedError("a chunk after the last")
        place = u32(index) + u8(self._is_last(index))
        view = memoryview(frame)
        if view[:CHUNK_HEADER_BYTES] != b"\x11" + self._file_id + place:
            raise MalformedError("not the next chunk of this file")
        if len(view) != CHUNK_HEADER_BYTES + self._chunk_bytes(index) + CHUNK_TAG_BYTES:
            raise MalformedError("a chunk of the wrong length")
        try:
            plaintext = cipher.decrypt(self._prefix + place, view[CHUNK_HEADER_BYTES:], self._associated)
        except InvalidTag:
            raise DecryptionError("the chunk is not authentic") from None
        content = self.content_bytes(index)
        if content < len(plaintext):
            if plaintext.count(0, content) != len(plaintext) - content:
                raise MalformedError("padding that is not zero")
            plaintext = plaintext[:content]
        self._next = index + 1
        return plaintext

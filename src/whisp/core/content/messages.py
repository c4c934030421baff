"""What people say, and how far it got: texts, typing, receipts."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final

from whisp.core.content.fields import MAX_NUMBER, ContentType, decode_utf8, read_flag, utf8_fault
from whisp.wire.encoding import Reader, parse_enum, u8, u32
from whisp.wire.errors import MalformedError

__all__ = [
    "MAX_LOST_RUNS",
    "MAX_TEXT_BYTES",
    "Author",
    "MessageReference",
    "Receipt",
    "ReceiptKind",
    "Run",
    "Text",
    "Typing",
]

MAX_TEXT_BYTES: Final = 32 * 1024
"""One text, as UTF-8: ten pages, and half of what a ratchet message may hold."""

MAX_LOST_RUNS: Final = 16
"""Runs of lost numbers in one receipt; when there are more, the two oldest are joined into one."""


class Author(IntEnum):
    """Whose numbering a reference uses, seen from the sender of the reference."""

    SENDER = 1
    RECEIVER = 2


class ReceiptKind(IntEnum):
    """How far a content got."""

    DELIVERED = 1
    """Decrypted, and handed on in order."""
    READ = 2
    """Shown to the person; implies DELIVERED."""


@dataclass(frozen=True, slots=True)
class MessageReference:
    """A message said earlier in this session."""

    author: Author
    number: int


@dataclass(frozen=True, slots=True)
class Run:
    """The numbers `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Text:
    """A message, 1 byte to 32 KiB of UTF-8. Its number is its id."""

    TYPE: ClassVar = ContentType.TEXT
    COUNTED: ClassVar = True
    body: str = field(repr=False)
    reply_to: MessageReference | None = None

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if not self.body:
            return "an empty text"
        if self.reply_to is not None and not 0 < self.reply_to.number <= MAX_NUMBER:
            return "a reply to no message"
        return utf8_fault(self.body, MAX_TEXT_BYTES, "a text")

    def encode_body(self) -> bytes:
        """Return author u8 or 0 ‖ number u32 or 0 ‖ text."""
        reference = self.reply_to
        head = u8(reference.author) + u32(reference.number) if reference else bytes(5)
        return head + self.body.encode()

    @classmethod
    def read(cls, reader: Reader) -> "Text":
        """Take the body."""
        author, number = reader.u8(), reader.u32()
        if author == 0 and number:
            raise MalformedError("a reply without an author")
        reference = MessageReference(parse_enum(Author, author), number) if author else None
        return cls(decode_utf8(reader.rest()), reference)


@dataclass(frozen=True, slots=True)
class Typing:
    """The sender writes, or stopped. Shown for a few seconds at most; never repeated by the protocol."""

    TYPE: ClassVar = ContentType.TYPING
    COUNTED: ClassVar = False
    active: bool

    def fault(self) -> str | None:
        """Nothing can be wrong."""
        return None

    def encode_body(self) -> bytes:
        """Return u8 0 or 1."""
        return u8(self.active)

    @classmethod
    def read(cls, reader: Reader) -> "Typing":
        """Take the body."""
        return cls(read_flag(reader))


@dataclass(frozen=True, slots=True)
class Receipt:
    """Every counted content up to `up_to` got this far, but for the numbers in `lost`.

    Cumulative, so a lost receipt is repaired by the next. `lost` is ascending, apart, and below `up_to`.
    """

    TYPE: ClassVar = ContentType.RECEIPT
    COUNTED: ClassVar = False
    kind: ReceiptKind
    up_to: int
    lost: tuple[Run, ...] = ()

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if not 0 < self.up_to <= MAX_NUMBER or len(self.lost) > MAX_LOST_RUNS:
            return "a receipt for nothing, or with too many runs"
        end = -1
        for run in self.lost:
            if not end + 1 < run.first <= run.last:
                return "a receipt whose runs overlap"
            end = run.last
        return "a receipt whose runs go too far" if end > self.up_to else None

    def encode_body(self) -> bytes:
        """Return kind u8 ‖ up to u32 ‖ count u8 ‖ count × (first u32 ‖ last u32)."""
        runs = b"".join(u32(run.first) + u32(run.last) for run in self.lost)
        return u8(self.kind) + u32(self.up_to) + u8(len(self.lost)) + runs

    @classmethod
    def read(cls, reader: Reader) -> "Receipt":
        """Take the body."""
        kind, up_to, count = parse_enum(ReceiptKind, reader.u8()), reader.u32(), reader.u8()
        if count > MAX_LOST_RUNS:
            raise MalformedError("a receipt with too many runs")
        return cls(kind, up_to, tuple(Run(reader.u32(), reader.u32()) for _ in range(count)))

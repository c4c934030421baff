"""What happens to a text after it was said: its author edits or deletes it, and either side reacts to it."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final

from whisp.core.content.fields import MAX_NUMBER, ContentType, decode_utf8, utf8_fault
from whisp.core.content.messages import MAX_TEXT_BYTES, Author, MessageReference
from whisp.wire.encoding import Reader, parse_enum, u8, u32

__all__ = ["MAX_REACTION_BYTES", "Reaction", "TextDelete", "TextEdit"]

MAX_REACTION_BYTES: Final = 32
"""One reaction, as UTF-8: the longest joined emoji families fit."""

# Spelled out, not asked of a Unicode table: both ends refuse the same, whatever their tables' age.
_ACTING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
_UNSEEN: Final = re.compile(
    "[ \u00a0\u034f\u115f\u1160\u1680\u2000-\u200a\u200c\u200d\u202f\u205f\u2800"
    "\u3000\u3164\ufe00-\ufe0f\uffa0]*"
)


def _number_fault(number: int) -> str | None:
    return None if 0 < number <= MAX_NUMBER else "a change of no message"


@dataclass(frozen=True, slots=True)
class TextEdit:
    """The sender's own text `number` says `body` from now on; 1 byte to 32 KiB of UTF-8."""

    TYPE: ClassVar = ContentType.TEXT_EDIT
    COUNTED: ClassVar = True
    number: int
    body: str = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if not self.body:
            return "an empty text"
        return _number_fault(self.number) or utf8_fault(self.body, MAX_TEXT_BYTES, "a text")

    def encode_body(self) -> bytes:
        """Return number u32 ‖ text."""
        return u32(self.number) + self.body.encode()

    @classmethod
    def read(cls, reader: Reader) -> "TextEdit":
        """Take the body."""
        return cls(reader.u32(), decode_utf8(reader.rest()))


@dataclass(frozen=True, slots=True)
class TextDelete:
    """The sender's own text `number` is to be shown and kept no more, by either side."""

    TYPE: ClassVar = ContentType.TEXT_DELETE
    COUNTED: ClassVar = True
    number: int

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        return _number_fault(self.number)

    def encode_body(self) -> bytes:
        """Return number u32."""
        return u32(self.number)

    @classmethod
    def read(cls, reader: Reader) -> "TextDelete":
        """Take the body."""
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class Reaction:
    """The sender's reaction to a text: one visible symbol, in place of any before; "" takes it back."""

    TYPE: ClassVar = ContentType.REACTION
    COUNTED: ClassVar = True
    to: MessageReference
    symbol: str = field(repr=False)

    def fault(self) -> str | None:
        """Say what breaks the rules, None if nothing does."""
        if not 0 < self.to.number <= MAX_NUMBER:
            return "a reaction to no message"
        if _ACTING.search(self.symbol) is not None:
            return "a reaction that would act"
        if self.symbol and _UNSEEN.fullmatch(self.symbol) is not None:
            return "a reaction that shows nothing"
        return utf8_fault(self.symbol, MAX_REACTION_BYTES, "a reaction")

    def encode_body(self) -> bytes:
        """Return author u8 ‖ number u32 ‖ symbol."""
        return u8(self.to.author) + u32(self.to.number) + self.symbol.encode()

    @classmethod
    def read(cls, reader: Reader) -> "Reaction":
        """Take the body."""
        to = MessageReference(parse_enum(Author, reader.u8()), reader.u32())
        return cls(to, decode_utf8(reader.rest()))

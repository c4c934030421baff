"""Contents to bytes and back: one strict codec for all types."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from whisp.core.content.changes import Reaction, TextDelete, TextEdit
from whisp.core.content.fields import MAX_NUMBER
from whisp.core.content.files import FileAck, FileCancel, FileDone, FileOffer, FileRequest
from whisp.core.content.line import (
    Bye,
    DirectConsent,
    Heartbeat,
    LineAnswer,
    LineOffer,
    ListReport,
    ListUpdate,
    Resume,
)
from whisp.core.content.messages import Receipt, Text, Typing
from whisp.core.content.rtc import RtcAnswer, RtcCandidates, RtcClose, RtcOffer
from whisp.wire.encoding import Reader, u8, u32
from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = [
    "CONTENT_HEADER_BYTES",
    "Content",
    "Unknown",
    "decode_body",
    "decode_content",
    "decode_head",
    "encode_content",
]

CONTENT_HEADER_BYTES: Final = 5


@dataclass(frozen=True, slots=True)
class Unknown:
    """A content of a type younger than this version; its body is not kept, its number still counts."""

    kind: int


Content: TypeAlias = (
    Text
    | Typing
    | Receipt
    | TextEdit
    | TextDelete
    | Reaction
    | FileOffer
    | FileRequest
    | FileAck
    | FileCancel
    | FileDone
    | Heartbeat
    | Resume
    | Bye
    | ListUpdate
    | ListReport
    | DirectConsent
    | LineOffer
    | LineAnswer
    | RtcOffer
    | RtcAnswer
    | RtcCandidates
    | RtcClose
)

_CODECS: Final[dict[int, Any]] = {
    codec.TYPE: codec
    for codec in (
        Text,
        Typing,
        Receipt,
        TextEdit,
        TextDelete,
        Reaction,
        FileOffer,
        FileRequest,
        FileAck,
        FileCancel,
        FileDone,
        Heartbeat,
        Resume,
        Bye,
        ListUpdate,
        ListReport,
        DirectConsent,
        LineOffer,
        LineAnswer,
        RtcOffer,
        RtcAnswer,
        RtcCandidates,
        RtcClose,
    )
}


def encode_content(content: Content, number: int) -> bytes:
    """Return type ‖ number ‖ body; `number` is 1 or more for a counted content, else 0.

    Raises:
        LocalProtocolError: a value over its limit, or a number that does not fit the type.
    """
    fault = content.fault()
    if fault is not None:
        raise LocalProtocolError(fault)
    if (number > 0) is not content.COUNTED or number > MAX_NUMBER:
        raise LocalProtocolError(f"number {number} does not fit a {content.TYPE.name}")
    return u8(content.TYPE) + u32(number) + content.encode_body()


def decode_head(encoded: bytes) -> tuple[int, int]:
    """Return (type, number) without reading the body: a content that fails later still fills its place.

    Raises MalformedError.
    """
    reader = Reader(encoded)
    return reader.u8(), reader.u32()


def decode_body(encoded: bytes) -> Content | Unknown:
    """Parse a content whose head `decode_head` could read. Raises MalformedError."""
    reader = Reader(encoded)
    kind, number = reader.u8(), reader.u32()
    codec = _CODECS.get(kind)
    if codec is None:
        return Unknown(kind)
    if (number > 0) is not codec.COUNTED:
        raise MalformedError("a number that does not fit the type of its content")
    content: Content = codec.read(reader)
    reader.finish()
    fault = content.fault()
    if fault is not None:
        raise MalformedError(fault)
    return content


def decode_content(encoded: bytes) -> tuple[int, Content | Unknown]:
    """Return (number, content). Raises MalformedError."""
    return decode_head(encoded)[1], decode_body(encoded)

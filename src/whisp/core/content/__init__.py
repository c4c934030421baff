"""What people and their programs say to each other: the plaintext inside every ratchet message.

Content = type u8 ‖ number u32 ‖ body (spec/content.md). Counted contents carry 1, 2, 3 … and are delivered in
that order or declared lost; uncounted ones carry 0, may vanish, and harm nothing when they do. Strings are
data as the sender wrote them: whoever shows them makes them safe first. `repr` shows no content.
"""

from whisp.core.content.codec import (
    CONTENT_HEADER_BYTES,
    Content,
    Unknown,
    decode_body,
    decode_content,
    decode_head,
    encode_content,
)
from whisp.core.content.fields import MAX_NUMBER, ContentType
from whisp.core.content.files import (
    MAX_FILE_BYTES,
    MAX_MEDIA_TYPE_BYTES,
    MAX_NAME_BYTES,
    FileAck,
    FileCancel,
    FileCancelReason,
    FileDone,
    FileOffer,
    FileRequest,
)
from whisp.core.content.line import (
    LINE_TOKEN_BYTES,
    MAX_HOLES,
    MAX_LINE_ADDRESSES,
    Address,
    Bye,
    ByeReason,
    DirectConsent,
    Heartbeat,
    LineAnswer,
    LineOffer,
    ListReport,
    ListUpdate,
    Resume,
)
from whisp.core.content.messages import (
    MAX_LOST_RUNS,
    MAX_TEXT_BYTES,
    Author,
    MessageReference,
    Receipt,
    ReceiptKind,
    Run,
    Text,
    Typing,
)

__all__ = [
    "CONTENT_HEADER_BYTES",
    "LINE_TOKEN_BYTES",
    "MAX_FILE_BYTES",
    "MAX_HOLES",
    "MAX_LINE_ADDRESSES",
    "MAX_LOST_RUNS",
    "MAX_MEDIA_TYPE_BYTES",
    "MAX_NAME_BYTES",
    "MAX_NUMBER",
    "MAX_TEXT_BYTES",
    "Address",
    "Author",
    "Bye",
    "ByeReason",
    "Content",
    "ContentType",
    "DirectConsent",
    "FileAck",
    "FileCancel",
    "FileCancelReason",
    "FileDone",
    "FileOffer",
    "FileRequest",
    "Heartbeat",
    "LineAnswer",
    "LineOffer",
    "ListReport",
    "ListUpdate",
    "MessageReference",
    "Receipt",
    "ReceiptKind",
    "Resume",
    "Run",
    "Text",
    "Typing",
    "Unknown",
    "decode_body",
    "decode_content",
    "decode_head",
    "encode_content",
]

"""The frame around every ratchet message: what the recipient needs to find its keys (spec/ratchet.md, Frame).

Everything before the ciphertext travels in the clear and is authenticated as associated data.
"""

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from whisp.wire.errors import MalformedError
from whisp.wire.prekey import KEM_KEY_BYTES
from whisp.wire.signals import KEM_CIPHERTEXT_BYTES

__all__ = [
    "COUNTER_LIMIT",
    "FIXED_HEADER_BYTES",
    "MAX_ENVELOPE_BYTES",
    "MAX_MESSAGE_BYTES",
    "MESSAGE_TYPE",
    "SEAL_TAG_BYTES",
    "Attachment",
    "KemAnswer",
    "KemOffer",
    "MessageHeader",
    "decode_envelope",
    "encode_header",
]

MESSAGE_TYPE: Final = 0x10
"""First byte of a ratchet message; file chunks are 0x11."""

FIXED_HEADER_BYTES: Final = 50
SEAL_TAG_BYTES: Final = 16

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""One padded plaintext: long enough for any text, short enough that four fit a relayed payload."""

MAX_ENVELOPE_BYTES: Final = FIXED_HEADER_BYTES + KEM_KEY_BYTES + MAX_MESSAGE_BYTES + SEAL_TAG_BYTES

COUNTER_LIMIT: Final = 1 << 31
"""No counter or epoch reaches this, so every one fits a signed 32-bit integer; before that a session ends."""

_FIXED: Final = struct.Struct(">BBII32sII")
_OFFER_FLAG: Final = 0x01
_ANSWER_FLAG: Final = 0x02
_OFFER_END: Final = FIXED_HEADER_BYTES + KEM_KEY_BYTES
_ANSWER_END: Final = FIXED_HEADER_BYTES + KEM_CIPHERTEXT_BYTES
_NO_KEY: Final = bytes(32)
_MIN_ENVELOPE_BYTES: Final = FIXED_HEADER_BYTES + SEAL_TAG_BYTES
_MAX_SEALED_BYTES: Final = MAX_MESSAGE_BYTES + SEAL_TAG_BYTES

_pack = _FIXED.pack
_unpack_from = _FIXED.unpack_from
_new_tuple = tuple.__new__  # a named tuple's own constructor takes more than twice as long


@dataclass(frozen=True, slots=True)
class KemOffer:
    """The leader's fresh ML-KEM-768 encapsulation key for the epoch after the message's, 1184 bytes."""

    kem_key: bytes


@dataclass(frozen=True, slots=True)
class KemAnswer:
    """The follower's ML-KEM-768 ciphertext for the epoch after the message's, 1088 bytes."""

    kem_ciphertext: bytes


Attachment: TypeAlias = KemOffer | KemAnswer


class MessageHeader(NamedTuple):
    """Where a message stands in its two chains, and what it carries. Public, and authenticated as sent."""

    n: int
    """How many messages precede it in its classical chain."""
    previous_n: int
    """How many messages the sender's classical chain before this one had."""
    ratchet_key: bytes
    """The sender's X25519 ratchet key that names the classical chain, 32 bytes as sent."""
    epoch: int
    epoch_n: int
    """How many messages precede it in this direction of its post-quantum epoch."""
    attachment: Attachment | None = None

    def encode(self) -> bytes:
        """Return 50 bytes, or 1234 with an offer and 1138 with an answer attached."""
        return encode_header(*self)


def encode_header(
    n: int, previous_n: int, ratchet_key: bytes, epoch: int, epoch_n: int, attachment: Attachment | None
) -> bytes:
    """Return what `MessageHeader.encode` does, from its fields in their order: the sender needs no object."""
    if attachment is None:
        return _pack(MESSAGE_TYPE, 0, n, previous_n, ratchet_key, epoch, epoch_n)
    if isinstance(attachment, KemOffer):
        flag, attached = _OFFER_FLAG, attachment.kem_key
    else:
        flag, attached = _ANSWER_FLAG, attachment.kem_ciphertext
    return _pack(MESSAGE_TYPE, flag, n, previous_n, ratchet_key, epoch, epoch_n) + attached


def decode_envelope(frame: bytes) -> tuple[MessageHeader, bytes, bytes]:
    """Take a frame apart: the header, its bytes as received, and ciphertext ‖ tag.

    Proves nothing yet: the header is authentic only once the ciphertext opens under it.

    Raises:
        MalformedError: another type, unknown flags, a length no message has, a counter out of range, or a
            ratchet key of zeros.
    """
    size = len(frame)
    if not _MIN_ENVELOPE_BYTES <= size <= MAX_ENVELOPE_BYTES:
        raise MalformedError(f"a message of {size} bytes")
    kind, flags, n, previous_n, ratchet_key, epoch, epoch_n = _unpack_from(frame)
    if kind != MESSAGE_TYPE:
        raise MalformedError("not a ratchet message")
    if (n | previous_n | epoch | epoch_n) >= COUNTER_LIMIT:
        raise MalformedError("a counter out of range")
    if ratchet_key == _NO_KEY:
        raise MalformedError("a ratchet key of zeros")
    attachment: Attachment | None = None
    header_end = FIXED_HEADER_BYTES
    if flags:
        if flags == _OFFER_FLAG:
            header_end = _OFFER_END
            attachment = KemOffer(frame[FIXED_HEADER_BYTES:header_end])
        elif flags == _ANSWER_FLAG:
            header_end = _ANSWER_END
            attachment = KemAnswer(frame[FIXED_HEADER_BYTES:header_end])
        else:
            raise MalformedError("unknown flags in a message")
    if not SEAL_TAG_BYTES <= size - header_end <= _MAX_SEALED_BYTES:
        raise MalformedError(f"a message of {size} bytes")
    header = _new_tuple(MessageHeader, (n, previous_n, ratchet_key, epoch, epoch_n, attachment))
    return header, frame[:header_end], frame[header_end:]

"""Padding hides lengths: Padmé leaks O(log log L) bits of a length for at most 12 % more bytes.

Padmé is from Nikitin, Barman, Lueks, Underwood, Hubaux and Ford, "Reducing Metadata Leakage from Encrypted
Files and Communication with PURBs" (2019), section 4. Our use of it: spec/content.md, Padding.
"""

from typing import Final

from whisp.wire.errors import MalformedError

__all__ = ["HANDSHAKE_FLOOR", "MESSAGE_FLOOR", "pad", "padme", "unpad"]

MESSAGE_FLOOR: Final = 256
"""The least padded size of a message: most chat lines, receipts and heartbeats look alike."""

HANDSHAKE_FLOOR: Final = 512
"""The least padded size of a handshake plaintext: certificates and short device lists look alike."""

_MARK: Final = b"\x80"


def padme(length: int) -> int:
    """Return the least Padmé length that is not below `length` (0 or more).

    With E = ⌊log2 length⌋ and S = ⌊log2 E⌋ + 1, only the top S bits after the first vary: `length` is
    rounded up to a multiple of 2^(E-S).
    """
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def pad(content: bytes, floor: int) -> bytes:
    """Return content ‖ 0x80 ‖ 0x00*, max(floor, padme(len(content) + 1)) bytes long."""
    size = max(floor, padme(len(content) + 1))
    return (content + _MARK).ljust(size, b"\x00")


def unpad(padded: bytes) -> bytes:
    """Return what `pad` was given.

    How many zeros follow the mark is not checked: that is the sender's choice, and it is authenticated.

    Raises:
        MalformedError: no mark.
    """
    stripped = padded.rstrip(b"\x00")
    if not stripped.endswith(_MARK):
        raise MalformedError("padding without its mark")
    return stripped[:-1]

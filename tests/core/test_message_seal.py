"""One message's encryption: bound to both keys, the session, the direction and the header."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whisp.core.errors import DecryptionError
from whisp.core.message_seal import Direction, MessageSeal
from whisp.core.skipped_keys import MessageKey

SID = bytes(range(16))
CLASSICAL, POST_QUANTUM = MessageKey(b"c" * 32), MessageKey(b"q" * 32)
HEADER, PLAINTEXT = b"header", b"plaintext"


@pytest.mark.parametrize("direction", Direction)
def test_the_key_is_hkdf_as_published(direction: Direction) -> None:
    """The seal spells HKDF out for speed; here it is the library's."""
    info = b"Whisp/1 msg key\x00" + bytes([direction])
    block = HKDF(SHA256(), 44, bytes(32), info).derive(CLASSICAL + POST_QUANTUM)
    associated = b"Whisp/1 msg\x00" + SID + bytes([direction]) + HEADER
    sealed = MessageSeal(SID, direction).seal(CLASSICAL, POST_QUANTUM, HEADER, PLAINTEXT)
    assert sealed == AESGCM(block[:32]).encrypt(block[32:], PLAINTEXT, associated)
    assert MessageSeal(SID, direction).open(CLASSICAL, POST_QUANTUM, HEADER, sealed) == PLAINTEXT


def test_nothing_opens_under_another_key_header_session_or_direction() -> None:
    seal = MessageSeal(SID, Direction.FROM_INITIATOR)
    sealed = seal.seal(CLASSICAL, POST_QUANTUM, HEADER, PLAINTEXT)
    other = MessageKey(b"x" * 32)
    attempts = [
        (seal, other, POST_QUANTUM, HEADER),
        (seal, CLASSICAL, other, HEADER),
        (seal, POST_QUANTUM, CLASSICAL, HEADER),
        (seal, CLASSICAL, POST_QUANTUM, b"Header"),
        (MessageSeal(SID, Direction.FROM_RESPONDER), CLASSICAL, POST_QUANTUM, HEADER),
        (MessageSeal(SID[::-1], Direction.FROM_INITIATOR), CLASSICAL, POST_QUANTUM, HEADER),
    ]
    for opener, classical, post_quantum, header in attempts:
        with pytest.raises(DecryptionError):
            opener.open(classical, post_quantum, header, sealed)

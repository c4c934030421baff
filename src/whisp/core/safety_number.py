"""Two people compare these digits, or scan one QR code, and know that no one is in between."""

from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from whisp.core.errors import HandshakeError, HandshakeReason
from whisp.core.key_schedule import expand, is_equal
from whisp.wire.encoding import Reader, tag
from whisp.wire.errors import MalformedError
from whisp.wire.ids import AccountId

__all__ = ["safety_number", "safety_qr_encode", "safety_qr_verify", "session_code"]

_ROUNDS: Final = 100_000
"""2^17 rounds' worth of slowing down a search for two keys with one number, and about 50 ms for a person."""

_GROUPS: Final = 12
_SESSION_GROUPS: Final = 6
_GROUP_BYTES: Final = 5
_KEY_BYTES: Final = 32


def safety_number(one: AccountId, other: AccountId) -> str:
    """Return the 12 groups of five digits that both people see, whoever computes them.

    PBKDF2-HMAC-SHA-512 over the two account keys in byte order, 100,000 rounds: about 50 ms, so compute it
    off the event loop.

    Raises:
        MalformedError: an account key is not 32 bytes.
    """
    if len(one) != _KEY_BYTES or len(other) != _KEY_BYTES:
        raise MalformedError("an account key is 32 bytes")
    stretched = PBKDF2HMAC(hashes.SHA512(), _GROUPS * _GROUP_BYTES, tag("safety-number"), _ROUNDS).derive(
        min(one, other) + max(one, other)
    )
    return _digits(stretched)


def session_code(exporter: bytes) -> str:
    """Return the 6 groups of five digits of one session: with someone in between, the two sides differ.

    It holds even where the account keys were never compared, for this session only.
    """
    return _digits(expand(exporter, "session code", b"", _SESSION_GROUPS * _GROUP_BYTES))


def safety_qr_encode(local: AccountId, remote: AccountId) -> bytes:
    """Return what the QR code on our screen says: T("safety-qr") ‖ our key ‖ the key we hold for the peer."""
    return tag("safety-qr") + local + remote


def safety_qr_verify(scanned: bytes, local: AccountId, remote: AccountId) -> None:
    """Check a QR code scanned from the peer's screen, crosswise: its own key is `remote`, its peer is us.

    Raises:
        MalformedError: it is not such a QR code.
        HandshakeError: `wrong-account`: the two devices do not hold the same two keys.
    """
    reader = Reader(scanned)
    head = tag("safety-qr")
    if len(scanned) != len(head) + 2 * _KEY_BYTES or reader.take(len(head)) != head:
        raise MalformedError("not a safety number's QR code")
    if not is_equal(reader.rest(), remote + local):
        raise HandshakeError(HandshakeReason.WRONG_ACCOUNT, "the two devices hold different account keys")


def _digits(data: bytes) -> str:
    groups = (data[start : start + _GROUP_BYTES] for start in range(0, len(data), _GROUP_BYTES))
    return " ".join(f"{int.from_bytes(group, 'big') % 100_000:05}" for group in groups)

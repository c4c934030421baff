"""The few derivations everything else is built of, each bound to its own label (spec/overview.md)."""

from typing import Final, NoReturn, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from whisp.core.errors import DecryptionError, SessionEndedError
from whisp.wire.encoding import tag
from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = [
    "KEY_BYTES",
    "NONCE_BYTES",
    "SEAL_TAG_BYTES",
    "Secret",
    "agree",
    "authenticate",
    "expand",
    "extract",
    "hash_transcript",
    "is_equal",
    "open_sealed",
    "seal",
]

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SEAL_TAG_BYTES: Final = 16


class Secret:
    """Secret bytes that never show in `repr`, never pickle, and can be dropped.

    Subclass it to give each kind of secret a type of its own. `wipe` zeroes the one copy held here; copies
    that `expose` handed to a primitive are beyond reach in Python and live until they are collected.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value: bytearray | None = bytearray(value)

    def expose(self) -> bytes:
        """Return the bytes, for a primitive to use at once. Raises SessionEndedError after `wipe`."""
        if self._value is None:
            raise SessionEndedError(f"this {type(self).__name__} was wiped")
        return bytes(self._value)

    def wipe(self) -> None:
        """Zero and drop the bytes; once is enough, twice does no harm."""
        if self._value is not None:
            self._value[:] = bytes(len(self._value))
            self._value = None

    @property
    def is_wiped(self) -> bool:
        """Whether the bytes are gone."""
        return self._value is None

    def copy(self) -> Self:
        """Return a secret of the same type and bytes that is wiped on its own."""
        return type(self)(self.expose())

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Secret):
            return NotImplemented
        return constant_time.bytes_eq(self.expose(), other.expose())

    __hash__ = None  # type: ignore[assignment]  # a hash would leak through the tables that keep it

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError(f"a {type(self).__name__} is never stored")


def extract(salt: bytes, ikm: bytes) -> bytes:
    """Return Ext(salt, ikm), a 32-byte pseudorandom key: HKDF-SHA-256 extract (RFC 5869 section 2.2)."""
    return HKDF.extract(hashes.SHA256(), salt, ikm)


def expand(prk: bytes, label: str, context: bytes, length: int) -> bytes:
    """Return Exp(prk, label, context, length): HKDF-SHA-256 expand with info T(label) ‖ context."""
    return HKDFExpand(hashes.SHA256(), length, tag(label) + context).derive(prk)


def hash_transcript(label: str, message: bytes) -> bytes:
    """Return H(label, message) = SHA-256(T(label) ‖ message), 32 bytes."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(tag(label))
    digest.update(message)
    return digest.finalize()


def authenticate(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA-256(key, message), 32 bytes. Compare with `is_equal`."""
    mac = hmac.HMAC(key, hashes.SHA256())
    mac.update(message)
    return mac.finalize()


def is_equal(left: bytes, right: bytes) -> bool:
    """Compare two byte strings in constant time; only their lengths can show."""
    return constant_time.bytes_eq(left, right)


def seal(prk: bytes, label: str, transcript: bytes, plaintext: bytes) -> bytes:
    """Return Seal(prk, label, transcript, plaintext): AES-256-GCM ciphertext ‖ 16-byte tag.

    Key and nonce both derive from (prk, label, transcript), and the transcript is the associated data, so
    each such triple must seal exactly one plaintext.
    """
    key, nonce = _seal_key(prk, label, transcript)
    return AESGCM(key).encrypt(nonce, plaintext, transcript)


def open_sealed(prk: bytes, label: str, transcript: bytes, sealed: bytes) -> bytes:
    """Return the plaintext of what `seal` made with the same prk, label and transcript.

    Raises:
        DecryptionError: it was not sealed with these, or was altered since.
    """
    key, nonce = _seal_key(prk, label, transcript)
    try:
        return AESGCM(key).decrypt(nonce, sealed, transcript)
    except InvalidTag:
        raise DecryptionError(f"the sealed {label} does not open") from None


def agree(private_key: X25519PrivateKey, public_key: bytes) -> bytes:
    """Return DH(private_key, public_key), the 32-byte X25519 shared secret (RFC 7748).

    Raises:
        MalformedError: the public key is not 32 bytes, or is a small-order point whose result would be zero.
    """
    try:
        return private_key.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError:
        raise MalformedError("an X25519 public key that yields no secret") from None


def _seal_key(prk: bytes, label: str, transcript: bytes) -> tuple[bytes, bytes]:
    block = expand(prk, label, transcript, KEY_BYTES + NONCE_BYTES)
    return block[:KEY_BYTES], block[KEY_BYTES:]

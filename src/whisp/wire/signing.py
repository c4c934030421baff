"""Domain-separated Ed25519 signatures: Sig(k, s, m) signs T(s) ‖ m (RFC 8032)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from whisp.wire.encoding import tag
from whisp.wire.errors import ForgedError, MalformedError

__all__ = ["SIGNATURE_BYTES", "sign", "verify"]

SIGNATURE_BYTES = 64


def sign(private_key: Ed25519PrivateKey, label: str, message: bytes) -> bytes:
    """Return the 64-byte signature over T(label) ‖ message."""
    return private_key.sign(tag(label) + message)


def verify(public_key: bytes, label: str, message: bytes, signature: bytes) -> None:
    """Check a signature over T(label) ‖ message.

    Raises:
        MalformedError: `public_key` is not 32 bytes.
        ForgedError: the signature does not hold, or the key is no point of the curve.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, tag(label) + message)
    except InvalidSignature:
        raise ForgedError(f"the {label} signature does not hold") from None
    except ValueError:
        raise MalformedError("not an Ed25519 public key") from None

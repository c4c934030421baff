"""The steps both sides' checks share, each with its one reason (spec/handshake.md, Checks)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.errors import DecryptionError, HandshakeError, HandshakeReason
from whisp.core.handshake.payloads import FINGERPRINT_BYTES, MAX_TRANSPORT_BYTES
from whisp.core.handshake.schedule import bind_refusal_header
from whisp.core.key_schedule import agree, is_equal, open_sealed, seal
from whisp.core.padding import unpad
from whisp.wire.encoding import Reader
from whisp.wire.errors import LocalProtocolError, MalformedError
from whisp.wire.ids import AccountId, CallId, DeviceId
from whisp.wire.signals import Cancel, Decline, Signal, decode_signal

__all__ = [
    "MAX_INVALID_ANSWERS",
    "agree_or_refuse",
    "decode_as",
    "highest_common",
    "local_wins_glare",
    "open_padded",
    "open_reason",
    "parsing",
    "require_call",
    "require_device",
    "require_transport",
    "seal_reason",
    "verify_fingerprint",
]

MAX_INVALID_ANSWERS: Final = 3
"""A device that sent this many messages which do not hold is dropped by the caller."""

_Signal = TypeVar("_Signal", bound=Signal)
_Payload = TypeVar("_Payload")


@contextmanager
def parsing() -> Iterator[None]:
    """Give bytes that do not decode inside their reason, `malformed`."""
    try:
        yield
    except MalformedError as error:
        raise HandshakeError(HandshakeReason.MALFORMED, str(error)) from None


def decode_as(kind: type[_Signal], encoded: bytes) -> _Signal:
    """Decode a signal that must be of `kind`. Raises HandshakeError (`malformed`)."""
    with parsing():
        signal = decode_signal(encoded)
        if not isinstance(signal, kind):
            raise MalformedError(f"not a {kind.__name__} signal")
    return signal


def require_call(signal: Signal, version: int, suite: int, call_id: CallId) -> None:
    """Check that a signal is of this call, and of its version and suite.

    Raises:
        HandshakeError: `downgrade` or `wrong-call`.
    """
    if (signal.version, signal.suite) != (version, suite):
        raise HandshakeError(HandshakeReason.DOWNGRADE, "another version or suite than the call's")
    if signal.call_id != call_id:
        raise HandshakeError(HandshakeReason.WRONG_CALL, "a message of another call")


def require_device(named: DeviceId, expected: DeviceId) -> None:
    """Check that a signal names the device it must. Raises HandshakeError (`wrong-device`)."""
    if named != expected:
        raise HandshakeError(HandshakeReason.WRONG_DEVICE, "a message of another device")


def agree_or_refuse(private_key: X25519PrivateKey, public_key: bytes) -> bytes:
    """Return the X25519 secret, 32 bytes. Raises HandshakeError (`bad-key`) if it would be zero."""
    try:
        return agree(private_key, public_key)
    except MalformedError as error:
        raise HandshakeError(HandshakeReason.BAD_KEY, str(error)) from None


def open_padded(
    prk: bytes, label: str, transcript: bytes, sealed: bytes, decode: Callable[[bytes], _Payload]
) -> tuple[bytes, _Payload]:
    """Open a sealed, padded payload; return the padded plaintext (the transcript wants it) and the payload.

    Raises:
        HandshakeError: `not-authentic`, or `malformed` if the authentic plaintext does not decode.
    """
    padded = _open(prk, label, transcript, sealed)
    with parsing():
        return padded, decode(unpad(padded))


def seal_reason(p2: bytes, label: str, th3: bytes, header: bytes, reason: int) -> bytes:
    """Return the sealed reason of a DECLINE or CANCEL with these 36 header bytes."""
    return seal(p2, label, bind_refusal_header(th3, header), bytes((reason,)))


def open_reason(p2: bytes, label: str, th3: bytes, signal: Decline | Cancel) -> int:
    """Return the reason in an authentic DECLINE or CANCEL. Raises HandshakeError."""
    opened = _open(p2, label, bind_refusal_header(th3, signal.encode_header()), signal.sealed_reason)
    with parsing():
        reader = Reader(opened)
        reason = reader.u8()
        reader.finish()
    return reason


def highest_common(local: int, remote: int) -> int:
    """Return the highest number both bitmaps have (bit n-1 for number n), 0 if they have none in common."""
    return (local & remote).bit_length()


def verify_fingerprint(bound: bytes, presented: bytes) -> None:
    """Check in constant time that the transport's fingerprint is the one the transcript binds.

    Both are 32 bytes, zeros where there is no DTLS: a fingerprint on one side only does not match either.

    Raises:
        HandshakeError: `fingerprint`. End the call.
    """
    if not is_equal(bound, presented):
        raise HandshakeError(HandshakeReason.FINGERPRINT, "the transport's fingerprint is not the agreed one")


def local_wins_glare(
    local_account: AccountId, local_device: DeviceId, remote_account: AccountId, remote_device: DeviceId
) -> bool:
    """Say whose offer stands when two sides ring each other: that of the lower account key.

    Within one account the lower device id wins. The loser cancels its own offers (`CancelReason.GLARE`) and
    accepts the winner's at once; the winner ignores the loser's.
    """
    return (local_account, local_device) < (remote_account, remote_device)


def require_transport(transport: bytes, fingerprint: bytes) -> None:
    """Check what our own side wants to send. Raises LocalProtocolError."""
    if len(transport) > MAX_TRANSPORT_BYTES:
        raise LocalProtocolError(f"transport bytes are over their limit of {MAX_TRANSPORT_BYTES}")
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise LocalProtocolError(f"a fingerprint is {FINGERPRINT_BYTES} bytes")


def _open(prk: bytes, label: str, transcript: bytes, sealed: bytes) -> bytes:
    try:
        return open_sealed(prk, label, transcript, sealed)
    except DecryptionError as error:
        raise HandshakeError(HandshakeReason.NOT_AUTHENTIC, str(error)) from None

"""What must hold of certificates, lists and signatures before anything is stored (spec/signalling.md)."""

from collections.abc import Sequence
from hashlib import sha256

from whisp.server.errors import ConflictError, UnauthorizedError
from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DeviceList
from whisp.wire.encoding import lp16
from whisp.wire.errors import RemoteProtocolError, VerificationError
from whisp.wire.ids import AccountId, DeviceId, Username
from whisp.wire.signing import verify

__all__ = [
    "deletion_message",
    "login_message",
    "registration_message",
    "require_signature",
    "verified_devices",
    "verify_next_list",
]


def registration_message(
    origin: str,
    device: DeviceId,
    challenge: bytes,
    username: Username,
    certificate: bytes,
    device_list: bytes,
) -> bytes:
    """Return what DK_sign signs under "register"."""
    return (
        lp16(origin.encode("ascii"))
        + device
        + lp16(challenge)
        + lp16(username.encode("ascii"))
        + sha256(certificate).digest()
        + sha256(device_list).digest()
    )


def login_message(origin: str, device: DeviceId, challenge: bytes) -> bytes:
    """Return what DK_sign signs under "login"."""
    return lp16(origin.encode("ascii")) + device + lp16(challenge)


def deletion_message(origin: str, challenge: bytes, username: Username) -> bytes:
    """Return what AK signs under "account-delete"."""
    return lp16(origin.encode("ascii")) + lp16(challenge) + lp16(username.encode("ascii"))


def require_signature(key: bytes, label: str, message: bytes, signature: bytes) -> None:
    """Raise UnauthorizedError unless the signature holds. Why it does not is nobody's business."""
    try:
        verify(key, label, message, signature)
    except RemoteProtocolError:
        raise UnauthorizedError from None


def verified_devices(
    device_list: DeviceList, encoded_certificates: Sequence[bytes], account: AccountId, now: int
) -> dict[DeviceId, bytes]:
    """Return the active devices of a list with their certificates, after checking all of it at `now`.

    Raises:
        MalformedError, VerificationError: the list or a certificate is another account's, forged or out of
            its time, or the certificates are not exactly those the list names.
    """
    device_list.verify(now)
    devices: dict[DeviceId, bytes] = {}
    for encoded in encoded_certificates:
        certificate = Certificate.decode(encoded)
        certificate.verify(now)
        if certificate.account != account:
            raise VerificationError("a certificate of another account")
        devices[certificate.device] = encoded
    named = {entry.device: entry.certificate_digest for entry in device_list.active}
    shown = {device: sha256(encoded).digest() for device, encoded in devices.items()}
    if device_list.account != account or named != shown or len(devices) != len(encoded_certificates):
        raise VerificationError("the certificates are not those of the list")
    return devices


def verify_next_list(following: DeviceList, current: DeviceList) -> None:
    """Raise unless `following` can come right after `current`.

    Raises:
        ConflictError: it follows another list than the one stored; fetch that and sign anew.
        VerificationError: a device left without being revoked, one came back, or none is left.
    """
    if following.version != current.version + 1 or following.previous_digest != current.digest():
        raise ConflictError
    active = {entry.device for entry in following.active}
    gone = {entry.device for entry in following.revoked}
    if not active or not {entry.device for entry in current.active} <= active | gone:
        raise VerificationError("a device leaves the list only by revocation, and one must stay")
    if active & {entry.device for entry in current.revoked}:
        raise VerificationError("a revoked device came back")

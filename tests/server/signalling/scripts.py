"""Devices with real keys, and signals that are well formed and say nothing."""

import os
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from whisp.wire.certificate import CERTIFICATE_LABEL, Certificate, DeviceKind
from whisp.wire.device_list import DEVICE_LIST_LABEL, FIRST_PREVIOUS, ActiveDevice, DeviceList, RevokedDevice
from whisp.wire.frames import HangUp, LineState, LineStatus
from whisp.wire.ids import AccountId, CallId, DeviceId, PreKeyId, Username
from whisp.wire.prekey import KEM_KEY_BYTES, PRE_KEY_LABELS, PreKeyKind, PreKeyRecord
from whisp.wire.signals import KEM_CIPHERTEXT_BYTES, Answer, Cancel, Confirm, Decline, Offer
from whisp.wire.signing import sign

__all__ = ["Device", "answer", "cancel", "confirm", "decline", "hang_up", "line", "offer"]


@dataclass
class Device:
    """A device with real keys, as the accounts would know it."""

    username: Username
    account_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    signing_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    device: DeviceId = field(default_factory=lambda: DeviceId(os.urandom(16)))
    token: str = field(default_factory=lambda: os.urandom(16).hex())
    certificate: bytes = b""
    device_list: bytes = b""

    def __post_init__(self) -> None:
        now = int(time.time())
        unsigned = Certificate(
            self.account,
            self.device,
            self.signing_key.public_key().public_bytes_raw(),
            os.urandom(32),
            now,
            now + 86_400,
            DeviceKind.NATIVE,
            bytes(64),
        )
        signature = sign(self.account_key, CERTIFICATE_LABEL, unsigned.to_be_signed())
        self.certificate = unsigned.to_be_signed() + signature
        self.device_list = self.list_of(self)

    @property
    def account(self) -> AccountId:
        """The account's public key."""
        return AccountId(self.account_key.public_key().public_bytes_raw())

    def list_of(self, *active: "Device", revoked: tuple["Device", ...] = (), version: int = 1) -> bytes:
        """Return a device list of this account."""
        now = int(time.time())
        unsigned = DeviceList(
            self.account,
            version,
            FIRST_PREVIOUS if version == 1 else os.urandom(32),
            now,
            now + 86_400,
            tuple(
                ActiveDevice(each.device, Certificate.decode(each.certificate).digest()) for each in active
            ),
            tuple(RevokedDevice(each.device, now, 1) for each in revoked),
            bytes(64),
        )
        signature = sign(self.account_key, DEVICE_LIST_LABEL, unsigned.to_be_signed())
        return unsigned.to_be_signed() + signature

    def record(self, kind: PreKeyKind = PreKeyKind.ONE_TIME, expires_in: int = 3600, age: int = 0) -> bytes:
        """Return a signed pre-key record. Its keys are noise: the server cannot tell."""
        created = int(time.time()) - age
        unsigned = PreKeyRecord(
            kind,
            self.device,
            PreKeyId(os.urandom(8)),
            created,
            created + expires_in,
            1,
            1,
            os.urandom(32),
            os.urandom(KEM_KEY_BYTES),
            bytes(64),
        )
        signature = sign(self.signing_key, PRE_KEY_LABELS[kind], unsigned.to_be_signed())
        return unsigned.to_be_signed() + signature

    def records(self, one_time: int = 2) -> tuple[bytes, ...]:
        """Return one signed and some one-time records."""
        return (self.record(PreKeyKind.SIGNED), *(self.record() for _ in range(one_time)))


def offer(call_id: CallId, callee: DeviceId) -> bytes:
    """Return an OFFER that is well formed and says nothing."""
    noise = bytes(32), bytes(KEM_KEY_BYTES), bytes(KEM_CIPHERTEXT_BYTES)
    return Offer(1, 1, call_id, callee, PreKeyId(b"12345678"), None, *noise, b"id", b"offer").encode()


def answer(call_id: CallId, device: DeviceId) -> bytes:
    """Return an ANSWER that is well formed and says nothing."""
    return Answer(1, 1, call_id, device, bytes(32), bytes(KEM_CIPHERTEXT_BYTES), b"answer").encode()


def decline(call_id: CallId, device: DeviceId) -> bytes:
    """Return a DECLINE."""
    return Decline(1, 1, call_id, device, b"no").encode()


def cancel(call_id: CallId, device: DeviceId) -> bytes:
    """Return a CANCEL."""
    return Cancel(1, 1, call_id, device, b"never mind").encode()


def confirm(call_id: CallId) -> bytes:
    """Return a CONFIRM."""
    return Confirm(1, 1, call_id, bytes(32), b"the first message").encode()


def line(call_id: CallId, device: Device, state: LineState) -> LineStatus:
    """Return the LINE frame that tells of a device."""
    return LineStatus(call_id, device.device, state)


def hang_up(call_id: CallId) -> bytes:
    """Return a HANG_UP frame."""
    return HangUp(call_id).encode()

"""Certificates, device lists and pre-key records: rules of their layouts, signatures and times."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from whisp.wire.certificate import CERTIFICATE_LABEL, Certificate, DeviceKind
from whisp.wire.device_list import (
    DEVICE_LIST_LABEL,
    MAX_DEVICE_LIST_BYTES,
    ActiveDevice,
    DeviceList,
    RevokedDevice,
)
from whisp.wire.errors import ExpiredError, ForgedError, MalformedError, NotYetValidError, VerificationError
from whisp.wire.ids import AccountId, DeviceId, PreKeyId
from whisp.wire.limits import MAX_BUNDLE_BYTES
from whisp.wire.prekey import PRE_KEY_LABELS, PreKeyBundle, PreKeyKind, PreKeyRecord
from whisp.wire.signing import sign, verify

NOW, HOUR, DAY = 1_800_000_000, 3600, 86_400
KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
DEVICE = DeviceId(b"d" * 16)


def certificate(**changes: Any) -> Certificate:
    unsigned = Certificate(
        AccountId(PUBLIC), DEVICE, b"s" * 32, b"a" * 32, NOW, NOW + DAY, DeviceKind.WEB, bytes(64)
    )
    unsigned = replace(unsigned, **changes)
    return replace(unsigned, signature=sign(KEY, CERTIFICATE_LABEL, unsigned.to_be_signed()))


def device_list(**changes: Any) -> DeviceList:
    active = (ActiveDevice(DEVICE, b"h" * 32),)
    unsigned = DeviceList(AccountId(PUBLIC), 1, bytes(32), NOW, NOW + 7 * DAY, active, (), bytes(64))
    unsigned = replace(unsigned, **changes)
    return replace(unsigned, signature=sign(KEY, DEVICE_LIST_LABEL, unsigned.to_be_signed()))


def record(kind: PreKeyKind = PreKeyKind.SIGNED, **changes: Any) -> PreKeyRecord:
    unsigned = PreKeyRecord(
        kind, DEVICE, PreKeyId(b"i" * 8), NOW, NOW + HOUR, 1, 1, b"x" * 32, b"k" * 1184, bytes(64)
    )
    unsigned = replace(unsigned, **changes)
    return replace(unsigned, signature=sign(KEY, PRE_KEY_LABELS[kind], unsigned.to_be_signed()))


def check(value: Certificate | DeviceList | PreKeyRecord, now: int) -> None:
    value.verify(PUBLIC, now) if isinstance(value, PreKeyRecord) else value.verify(now)


MAKERS: list[tuple[Callable[..., Any], str, int]] = [
    (certificate, "created", 365 * DAY),
    (device_list, "issued", 7 * DAY),
    (record, "created", HOUR),
]


@pytest.mark.parametrize(("make", "begin", "longest"), MAKERS)
def test_s38_times_hold_to_the_second(make: Callable[..., Any], begin: str, longest: int) -> None:
    value = make(**{begin: NOW, "expires": NOW + longest})
    for now in (NOW - 300, NOW, NOW + longest + 300):
        check(value, now)
    with pytest.raises(NotYetValidError, match="check the clock"):
        check(value, NOW - 301)
    with pytest.raises(ExpiredError):
        check(value, NOW + longest + 301)


@pytest.mark.parametrize(("make", "begin", "longest"), MAKERS)
def test_no_time_or_too_much_of_it_is_refused(make: Callable[..., Any], begin: str, longest: int) -> None:
    for expires in (NOW + longest + 1, NOW, NOW - 1):
        with pytest.raises(VerificationError, match="validity period"):
            check(make(**{begin: NOW, "expires": expires}), NOW)


@pytest.mark.parametrize("value", [certificate(), device_list(), record(), record(PreKeyKind.ONE_TIME)])
def test_a_signature_covers_every_byte_before_it(value: Any) -> None:
    encoded = value.encode()
    for position in range(len(encoded)):
        changed = bytearray(encoded)
        changed[position] ^= 0x01
        with pytest.raises((MalformedError, ForgedError)):
            check(type(value).decode(bytes(changed)), NOW)


def test_labels_keep_signatures_apart() -> None:
    message = b"m"
    signature = sign(KEY, "login", message)
    verify(PUBLIC, "login", message, signature)
    other = Ed25519PrivateKey.from_private_bytes(b"\2" * 32).public_key().public_bytes_raw()
    for key, label, signed in (
        (PUBLIC, "register", message),
        (PUBLIC, "login", b"n"),
        (other, "login", message),
    ):
        with pytest.raises(ForgedError):
            verify(key, label, signed, signature)
    with pytest.raises(MalformedError):
        verify(b"\1" * 31, "login", message, signature)
    one_time = record(PreKeyKind.ONE_TIME)
    with pytest.raises(ForgedError):
        replace(one_time, kind=PreKeyKind.SIGNED).verify(PUBLIC, NOW)


class TestDeviceList:
    def test_the_largest_fits_its_limit_and_the_largest_bundle_its_own(self) -> None:
        active = tuple(ActiveDevice(DeviceId(bytes((n,)) * 16), bytes(32)) for n in range(16))
        revoked = tuple(RevokedDevice(DeviceId(bytes((n,)) * 16), NOW, 1) for n in range(16, 80))
        largest = device_list(active=active, revoked=revoked)
        assert len(largest.encode()) == MAX_DEVICE_LIST_BYTES
        assert DeviceList.decode(largest.encode()) == largest
        bundle = PreKeyBundle(certificate(), largest, record(), record(PreKeyKind.ONE_TIME))
        assert len(bundle.encode()) <= MAX_BUNDLE_BYTES
        assert PreKeyBundle.decode(bundle.encode()) == bundle

    @pytest.mark.parametrize(
        "changes",
        [
            {"version": 0},
            {"version": 2},
            {"previous_digest": b"\1" * 32},
            {"active": (ActiveDevice(DEVICE, bytes(32)),) * 2},
            {"revoked": (RevokedDevice(DEVICE, NOW, 1),)},
            {"active": tuple(ActiveDevice(DeviceId(bytes((n,)) * 16), bytes(32)) for n in range(17))},
            {"revoked": tuple(RevokedDevice(DeviceId(bytes((n,)) * 16), NOW, 1) for n in range(65))},
        ],
        ids=["version 0", "2 after none", "1 after one", "twice active", "both", "17 active", "65 revoked"],
    )
    def test_s11_what_no_honest_account_signs_is_malformed(self, changes: dict[str, Any]) -> None:
        with pytest.raises(MalformedError):
            DeviceList.decode(device_list(**changes).encode())

    def test_only_active_devices_have_a_certificate(self) -> None:
        gone = DeviceId(b"g" * 16)
        listed = device_list(revoked=(RevokedDevice(gone, NOW, 1),))
        assert listed.certificate_digest(DEVICE) == b"h" * 32
        assert listed.certificate_digest(gone) is None


class TestFormats:
    @pytest.mark.parametrize("value", [certificate(), device_list(), record()])
    def test_s11_an_unknown_format_is_malformed(self, value: Any) -> None:
        for unknown in (0, 2, 255):
            with pytest.raises(MalformedError):
                type(value).decode(bytes((unknown,)) + value.encode()[1:])

    @pytest.mark.parametrize("kind", [0, 5])
    def test_s11_an_unknown_kind_of_device_is_malformed(self, kind: int) -> None:
        encoded = certificate().encode()
        with pytest.raises(MalformedError):
            Certificate.decode(encoded[:129] + bytes((kind,)) + encoded[130:])

    def test_s11_a_bundles_records_are_in_their_places(self) -> None:
        signed, once = record(), record(PreKeyKind.ONE_TIME)
        for first, second in ((once, once), (signed, signed), (once, None)):
            with pytest.raises(MalformedError):
                PreKeyBundle.decode(PreKeyBundle(certificate(), device_list(), first, second).encode())
        encoded = PreKeyBundle(certificate(), device_list(), signed, None).encode()
        with pytest.raises(MalformedError):
            PreKeyBundle.decode(encoded[:-1] + b"\2")

"""People with accounts, devices and pre-keys, and a call between two of them, for tests of the handshake."""

from collections.abc import Callable
from dataclasses import dataclass, field
from os import urandom
from typing import Any

import pytest

from whisp.core.errors import HandshakeError, HandshakeReason
from whisp.core.handshake import (
    NO_FINGERPRINT,
    CallFlags,
    IncomingCall,
    OfferedCall,
    place_offer,
    receive_offer,
)
from whisp.core.identity import (
    AccountKey,
    DeviceKeys,
    LocalDevice,
    PinnedAccount,
    issue_certificate,
    issue_device_list,
)
from whisp.core.prekeys import PreKeyStore
from whisp.wire.certificate import DeviceKind
from whisp.wire.device_list import DeviceList
from whisp.wire.ids import AccountId, CallId
from whisp.wire.prekey import PreKeyBundle, PreKeyRecord

NOW = 1_800_000_000

SMALL_ORDER_POINTS = tuple(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""Every u-coordinate of small order, the two that are not reduced included: X25519 gives zero for each."""


@dataclass
class Device:
    """One device of a person, with its pre-keys published at its birth."""

    local: LocalDevice
    prekeys: PreKeyStore
    records: list[PreKeyRecord]

    def bundle(self, *, one_time: bool = True) -> PreKeyBundle:
        """Return what an honest server gives out, as it arrives; each one-time record once."""
        once = self.records.pop(1) if one_time else None
        bundle = PreKeyBundle(self.local.certificate, self.local.device_list, self.records[0], once)
        return PreKeyBundle.decode(bundle.encode())


@dataclass
class Person:
    """An account with one device or more."""

    account_key: AccountKey
    device_list: DeviceList
    devices: list[Device] = field(default_factory=list)

    @classmethod
    def create(cls, now: int = NOW, devices: int = 1, *, versions: int = 1) -> "Person":
        """Return a fresh person whose devices all are in version 1 of the list."""
        account_key = AccountKey.generate()
        keys = [DeviceKeys.generate() for _ in range(devices)]
        certificates = [issue_certificate(account_key, key.public, DeviceKind.NATIVE, now) for key in keys]
        person = cls(account_key, issue_device_list(account_key, certificates, now, None))
        for key, certificate in zip(keys, certificates, strict=True):
            store = PreKeyStore(key, versions=versions)
            local = LocalDevice(certificate, person.device_list, key, versions=versions)
            person.devices.append(Device(local, store, list(store.publish(now))))
        return person

    @property
    def account(self) -> AccountId:
        return self.account_key.public

    @property
    def device(self) -> Device:
        """The first device."""
        return self.devices[0]

    @property
    def local(self) -> LocalDevice:
        return self.device.local

    def renew_list(self, now: int = NOW) -> DeviceList:
        """Move every device to the next version of the list."""
        certificates = [device.local.certificate for device in self.devices]
        self.device_list = issue_device_list(self.account_key, certificates, now, self.device_list)
        for device in self.devices:
            device.local = LocalDevice(device.local.certificate, self.device_list, device.local.keys)
        return self.device_list


def strangers(_: AccountId) -> PinnedAccount | None:
    """Look up what is remembered by someone who knows nobody."""
    return None


def place(
    caller: Person, bundle: PreKeyBundle, *, now: int = NOW, pinned: PinnedAccount | None = None
) -> OfferedCall:
    """Ring with values that do not matter to the test."""
    call_id = CallId(urandom(16))
    return place_offer(
        caller.local, bundle, pinned, call_id, b"caller's way", NO_FINGERPRINT, CallFlags.DIRECT, now
    )


def ring(
    caller: Person, callee: Person, *, one_time: bool = True, now: int = NOW
) -> tuple[OfferedCall, IncomingCall]:
    """Return both ends of a call that rings."""
    offered = place(caller, callee.device.bundle(one_time=one_time), now=now)
    incoming = receive_offer(callee.local, callee.device.prekeys, offered.offer, strangers, now)
    return offered, incoming


def refused(
    reason: HandshakeReason | tuple[HandshakeReason, ...] | None,
    check: Callable[..., object],
    *args: Any,
    **named: Any,
) -> HandshakeError:
    """Call `check`, which must refuse: for this reason, for one of these, or (None) for any."""
    with pytest.raises(HandshakeError) as caught:
        check(*args, **named)
    wanted = (reason,) if isinstance(reason, HandshakeReason) else reason
    assert wanted is None or caught.value.reason in wanted, caught.value.reason
    return caught.value


def flip(data: bytes, position: int) -> bytes:
    """Return `data` with one bit of one byte changed."""
    return data[:position] + bytes((data[position] ^ 0x01,)) + data[position + 1 :]


def store_state(store: PreKeyStore) -> object:
    """Return all a store knows, in a form that compares."""
    return (
        {
            i: (id(e.pair), e.pair.agreement, frozenset(e.offers), frozenset(e.calls))
            for i, e in store._signed.items()
        },
        {name: (id(pair), pair.agreement, pair.kem) for name, pair in store._one_time.items()},
        dict(store._used),
        store._current,
    )

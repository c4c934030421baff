"""Presence in memory: what is online, for how long, and every one-time record once."""

import time
from dataclasses import replace

import pytest
from tests.server.signalling.scripts import Device

from whisp.server.presence import MemoryPresence, OnlineDevice
from whisp.wire.errors import MalformedError, VerificationError
from whisp.wire.ids import DeviceId, Username
from whisp.wire.limits import LOW_PRE_KEYS
from whisp.wire.prekey import PreKeyBundle, PreKeyKind, PreKeyRecord

NOW = int(time.time())


def online(device: Device) -> OnlineDevice:
    return OnlineDevice(
        device.device, device.account, device.username, device.certificate, device.device_list
    )


@pytest.fixture
def presence() -> MemoryPresence:
    return MemoryPresence()


@pytest.fixture
def sefa() -> Device:
    return Device(Username("sefa"))


async def test_a_device_is_online_from_its_pre_keys_to_its_withdrawal(
    presence: MemoryPresence, sefa: Device
) -> None:
    assert not await presence.is_online("sefa", NOW)
    presence.publish(online(sefa), sefa.records(), NOW)
    assert await presence.is_online("SeFa", NOW)
    assert await presence.devices("sefa", NOW) == (sefa.device,)
    presence.withdraw(sefa.device)
    presence.withdraw(sefa.device)
    assert not await presence.is_online("sefa", NOW)
    assert len(presence) == 0


@pytest.mark.parametrize(
    "name", ["nobody", "", "x", "a" * 65, "sefa ", "séfa", "-sefa", "\x00", "sefa\n", "🦊"]
)
async def test_s16_every_name_that_is_not_online_gives_the_same(
    presence: MemoryPresence, sefa: Device, name: str
) -> None:
    presence.publish(online(sefa), sefa.records(), NOW)
    assert not await presence.is_online(name, NOW)
    assert await presence.devices(name, NOW) == ()
    assert await presence.bundles(name, NOW) == ()


async def test_a_bundle_says_all_a_caller_needs(presence: MemoryPresence, sefa: Device) -> None:
    records = sefa.records(1)
    presence.publish(online(sefa), records, NOW)
    (encoded,) = await presence.bundles("sefa", NOW)
    bundle = PreKeyBundle.decode(encoded)
    assert bundle.certificate.encode() == sefa.certificate
    assert bundle.device_list.encode() == sefa.device_list
    assert bundle.signed.encode() == records[0]
    assert bundle.one_time is not None
    assert bundle.one_time.encode() == records[1]
    (encoded,) = await presence.bundles("sefa", NOW)
    again = PreKeyBundle.decode(encoded)
    assert again == replace(bundle, one_time=None)


async def test_every_one_time_record_is_given_once_and_the_device_is_asked_for_more(
    presence: MemoryPresence, sefa: Device
) -> None:
    asked: list[tuple[DeviceId, int]] = []
    presence.on_low = lambda device, left: asked.append((device, left))
    records = sefa.records(8)
    presence.publish(online(sefa), records, NOW)
    given = [PreKeyBundle.decode((await presence.bundles("sefa", NOW))[0]).one_time for _ in range(10)]
    assert {record.encode() for record in given if record} == set(records[1:])
    assert given[8:] == [None, None]
    assert asked == [(sefa.device, left) for left in range(LOW_PRE_KEYS, -1, -1)]


async def test_publishing_again_replaces_all_pre_keys(presence: MemoryPresence, sefa: Device) -> None:
    presence.publish(online(sefa), sefa.records(3), NOW)
    second = sefa.records(1)
    presence.publish(online(sefa), second, NOW)
    assert len(presence) == 1
    bundle = PreKeyBundle.decode((await presence.bundles("sefa", NOW))[0])
    assert bundle.signed.encode() == second[0]
    assert bundle.one_time is not None
    assert bundle.one_time.encode() == second[1]
    assert PreKeyBundle.decode((await presence.bundles("sefa", NOW))[0]).one_time is None


async def test_all_devices_of_a_name_are_found_in_the_order_they_came(
    presence: MemoryPresence, sefa: Device
) -> None:
    other = Device(sefa.username, sefa.account_key)
    presence.publish(online(sefa), sefa.records(), NOW)
    presence.publish(online(other), other.records(), NOW)
    presence.publish(online(sefa), sefa.records(), NOW)
    assert await presence.devices("sefa", NOW) == (sefa.device, other.device)
    assert len(await presence.bundles("sefa", NOW)) == 2
    presence.withdraw(sefa.device)
    assert await presence.devices("sefa", NOW) == (other.device,)


async def test_a_device_whose_signed_pre_key_expired_is_offline(
    presence: MemoryPresence, sefa: Device
) -> None:
    signed = sefa.record(PreKeyKind.SIGNED, expires_in=60)
    expires = PreKeyRecord.decode(signed).expires
    presence.publish(online(sefa), (signed,), NOW)
    assert await presence.is_online("sefa", expires - 1)
    assert not await presence.is_online("sefa", expires)
    assert await presence.bundles("sefa", expires) == ()


async def test_expired_and_forged_one_time_records_are_not_given(
    presence: MemoryPresence, sefa: Device
) -> None:
    good = sefa.record()
    forged = bytearray(sefa.record())
    forged[-1] ^= 1
    stranger = Device(sefa.username)
    stranger.device = sefa.device
    unreadable = b"\x02" + sefa.record()[1:]
    expired = sefa.record(expires_in=20, age=19)
    later = PreKeyRecord.decode(expired).expires
    records = (
        sefa.record(PreKeyKind.SIGNED),
        good,
        bytes(forged),
        expired,
        stranger.record(),
        unreadable,
    )
    presence.publish(online(sefa), records, NOW)
    bundle = PreKeyBundle.decode((await presence.bundles("sefa", later))[0])
    assert bundle.one_time is not None
    assert bundle.one_time.encode() == good
    assert PreKeyBundle.decode((await presence.bundles("sefa", later))[0]).one_time is None


def test_what_may_not_be_published(presence: MemoryPresence, sefa: Device) -> None:
    signed, one_time = sefa.records(1)
    stranger = Device(Username("nils"))
    malformed: list[tuple[bytes, ...]] = [
        (),
        (one_time,),
        (signed, signed),
        (stranger.record(PreKeyKind.SIGNED),),
        (signed, stranger.record()),
        (signed[:-1],),
        (signed, one_time[:-1]),
        (signed, b""),
        (signed, *[one_time] * 21),
        (b"\x02" + signed[1:],),
    ]
    for records in malformed:
        with pytest.raises(MalformedError):
            presence.publish(online(sefa), records, NOW)
    forged = signed[:-1] + bytes((signed[-1] ^ 1,))
    too_old = sefa.record(PreKeyKind.SIGNED, expires_in=60, age=1000)
    too_long = sefa.record(PreKeyKind.SIGNED, expires_in=3601)
    for record in (forged, too_old, too_long):
        with pytest.raises(VerificationError):
            presence.publish(online(sefa), (record,), NOW)
    assert len(presence) == 0


async def test_a_refused_publication_leaves_the_former_one(presence: MemoryPresence, sefa: Device) -> None:
    presence.publish(online(sefa), sefa.records(1), NOW)
    with pytest.raises(MalformedError):
        presence.publish(online(sefa), (), NOW)
    assert await presence.is_online("sefa", NOW)


async def test_a_newer_device_list_is_served_at_once(presence: MemoryPresence, sefa: Device) -> None:
    presence.publish(online(sefa), sefa.records(), NOW)
    newer = sefa.list_of(sefa, version=2)
    presence.replace_device_list(newer, {sefa.device: sefa.certificate, DeviceId(bytes(16)): b"unknown"})
    bundle = PreKeyBundle.decode((await presence.bundles("sefa", NOW))[0])
    assert bundle.device_list.version == 2
    assert len(presence) == 1

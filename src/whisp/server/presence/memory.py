"""Presence in this process's memory: for one process, and for tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from whisp.server.presence.store import OnlineDevice
from whisp.wire.certificate import Certificate
from whisp.wire.encoding import lp16, u8
from whisp.wire.errors import MalformedError, RemoteProtocolError
from whisp.wire.ids import DeviceId, Username
from whisp.wire.limits import LOW_PRE_KEYS, MAX_ONE_TIME_PRE_KEYS
from whisp.wire.prekey import PRE_KEY_BYTES, PreKeyKind, PreKeyRecord
from whisp.wire.username import folded

__all__ = ["MemoryPresence"]

_KIND_OFFSET: Final = 1
_DEVICE_OFFSET: Final = 2


class MemoryPresence:
    """A `Presence` that lives and dies with this object.

    The signed record is verified when it is published. One-time records are only looked at then, for their
    kind and device, and verified when they are handed out: most never are, and twenty signatures at every
    reconnect would be the dearest thing a client can ask for. Either way no caller gets one that is forged.
    """

    def __init__(self) -> None:
        self.on_low: Callable[[DeviceId, int], None] = lambda device, left: None
        self._by_device: dict[DeviceId, _Entry] = {}
        self._by_name: dict[Username, list[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._by_device)

    def publish(self, online: OnlineDevice, records: Sequence[bytes], now: float) -> None:
        """Put a device online, or replace all its pre-keys. Raises as `Presence.publish` says."""
        entry = _Entry(online, records, now)
        same_name = self._by_name.setdefault(online.username, [])
        former = self._by_device.get(online.device)
        self._by_device[online.device] = entry
        if former is None:
            same_name.append(entry)
        else:
            same_name[same_name.index(former)] = entry

    def withdraw(self, device: DeviceId) -> None:
        """Take a device offline and forget its pre-keys."""
        entry = self._by_device.pop(device, None)
        if entry is None:
            return
        same_name = self._by_name[entry.online.username]
        same_name.remove(entry)
        if not same_name:
            del self._by_name[entry.online.username]

    def replace_device_list(self, device_list: bytes, certificates: Mapping[DeviceId, bytes]) -> None:
        """Serve a newer device list for these devices, with the certificates it names."""
        for device, certificate in certificates.items():
            entry = self._by_device.get(device)
            if entry is not None:
                entry.online = replace(entry.online, device_list=device_list, certificate=certificate)

    async def is_online(self, name: str, now: float) -> bool:
        """Say whether any device of `name` can be rung."""
        return any(True for _ in self._live(name, now))

    async def devices(self, name: str, now: float) -> tuple[DeviceId, ...]:
        """Return the devices of `name` that can be rung, oldest first."""
        return tuple(entry.online.device for entry in self._live(name, now))

    async def bundles(self, name: str, now: float) -> tuple[bytes, ...]:
        """Return an encoded PreKeyBundle for each of them; every one-time record is given once."""
        return tuple(self._bundle(entry, now) for entry in self._live(name, now))

    def _live(self, name: str, now: float) -> list["_Entry"]:
        # No check that the name is legal: an illegal one is nobody's too, and must take no longer to be so.
        entries = self._by_name.get(Username(folded(name)), ())
        return [entry for entry in entries if now < entry.expires]

    def _bundle(self, entry: "_Entry", now: float) -> bytes:
        one_time = entry.take_one_time(now)
        if one_time and entry.one_time_left <= LOW_PRE_KEYS:
            self.on_low(entry.online.device, entry.one_time_left)
        online = entry.online
        return b"".join(
            (online.certificate, lp16(online.device_list), entry.signed, u8(len(one_time) > 0), one_time)
        )


class _Entry:
    """One device's line in the table. Records are kept as the bytes they came in: 1326 each, no more."""

    __slots__ = ("_one_time", "expires", "online", "signed")

    def __init__(self, online: OnlineDevice, records: Sequence[bytes], now: float) -> None:
        if not 1 <= len(records) <= 1 + MAX_ONE_TIME_PRE_KEYS:
            raise MalformedError("none or too many pre-keys")
        signed = PreKeyRecord.decode(records[0])
        if signed.kind is not PreKeyKind.SIGNED or signed.device != online.device:
            raise MalformedError("the first pre-key is not a signed record of this device")
        for record in islice(records, 1, None):
            _require_one_time(record, online.device)
        signed.verify(Certificate.decode(online.certificate).signing_key, int(now))
        self.online = online
        self.signed = records[0]
        self.expires = signed.expires
        self._one_time = bytearray().join(records[1:])

    @property
    def one_time_left(self) -> int:
        """How many one-time records have not been given out."""
        return len(self._one_time) // PRE_KEY_BYTES

    def take_one_time(self, now: float) -> bytes:
        """Take one valid one-time record, or nothing. What is forged or expired is thrown away."""
        while self._one_time:
            encoded = bytes(self._one_time[-PRE_KEY_BYTES:])
            del self._one_time[-PRE_KEY_BYTES:]
            try:
                record = PreKeyRecord.decode(encoded)
                record.verify(Certificate.decode(self.online.certificate).signing_key, int(now))
            except RemoteProtocolError:
                continue
            if now < record.expires:
                return encoded
        return b""


def _require_one_time(record: bytes, device: DeviceId) -> None:
    """Look at the fields that need no decoding. Raises MalformedError."""
    if (
        len(record) != PRE_KEY_BYTES
        or record[_KIND_OFFSET] != PreKeyKind.ONE_TIME
        or record[_DEVICE_OFFSET : _DEVICE_OFFSET + 16] != device
    ):
        raise MalformedError("a pre-key that is not a one-time record of this device")

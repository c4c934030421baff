"""Who is online, as the rest of the server may ask: the only thing look-ups consult, and never the database.

Everything here is volatile: it goes when the device's socket or the process does. Reads are coroutines so
that a store shared by several processes can stand behind the same interface; writes return at once, and such
a store would pass them on behind the caller's back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["OnlineDevice", "Presence"]


@dataclass(frozen=True, slots=True)
class OnlineDevice:
    """What the server serves of a device while it is online. All of it is public and signed by its owner."""

    device: DeviceId
    account: AccountId
    username: Username
    certificate: bytes
    """As encoded by `whisp.wire.certificate.Certificate`."""
    device_list: bytes
    """As encoded by `whisp.wire.device_list.DeviceList`."""


class Presence(Protocol):
    """The volatile table of online devices, by canonical username and by device id.

    A name that is offline, unknown, erased or illegal gives the same answer by the same steps. A device is
    online from its first valid PRE_KEYS until its socket goes or its signed pre-key expires.
    """

    on_low: Callable[[DeviceId, int], None]
    """Called when a device has few one-time records left, with their number."""

    def publish(self, online: OnlineDevice, records: Sequence[bytes], now: float) -> None:
        """Put a device online, or replace all its pre-keys: one signed record, then one-time records.

        Raises:
            MalformedError: not a signed record followed by one-time records, all of this device.
            VerificationError: the signed record is forged or expired.
        """

    def withdraw(self, device: DeviceId) -> None:
        """Take a device offline and forget its pre-keys. Unknown devices are none."""

    def replace_device_list(self, device_list: bytes, certificates: Mapping[DeviceId, bytes]) -> None:
        """Serve a newer device list for these devices, with the certificates it names."""

    async def is_online(self, name: str, now: float) -> bool:
        """Say whether any device of `name`, in any letter case, can be rung."""

    async def devices(self, name: str, now: float) -> tuple[DeviceId, ...]:
        """Return the devices of `name` that can be rung, oldest first."""

    async def bundles(self, name: str, now: float) -> tuple[bytes, ...]:
        """Return an encoded PreKeyBundle for each of them; every one-time record is given once."""

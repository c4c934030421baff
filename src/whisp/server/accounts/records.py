"""What the rest of the server learns of an account."""

from dataclasses import dataclass

from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["DeviceRecord", "Principal"]


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """What is stored of a device that is allowed in. All of it is public."""

    account: AccountId
    username: Username
    certificate: bytes
    device_list: bytes


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a valid token speaks for."""

    device: DeviceId
    account: AccountId
    username: Username
    token_id: bytes
    expires_at: int
    """When the token dies by itself, in Unix seconds of the server's `SteadyClock`."""

"""What the live half must be told of a device, by whoever knows: the gate and the accounts."""

from typing import Protocol

from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["Bearer", "DeviceDirectory", "DeviceRecord", "Principal", "TokenVerifier"]


class Principal(Protocol):
    """Who a valid token speaks for."""

    @property
    def device(self) -> DeviceId:
        """The device the token was issued to."""

    @property
    def username(self) -> Username:
        """The name of its account."""


class Bearer(Protocol):
    """Whom a token names. Whether that device still exists, and by what name, only the directory knows."""

    @property
    def device(self) -> DeviceId:
        """The device the token was issued to."""


class TokenVerifier(Protocol):
    """Checks the token in HELLO."""

    def verify(self, token: str, now: float) -> Bearer:
        """Return who the token speaks for. Raises a WhispError when it is not valid at `now`."""


class DeviceRecord(Protocol):
    """What is stored of a device that is allowed in."""

    @property
    def account(self) -> AccountId:
        """The account it belongs to."""

    @property
    def username(self) -> Username:
        """That account's name."""

    @property
    def certificate(self) -> bytes:
        """The device's certificate, encoded."""

    @property
    def device_list(self) -> bytes:
        """The account's newest device list, encoded."""


class DeviceDirectory(Protocol):
    """Knows every device that is allowed in. Asked once per connection, at HELLO."""

    async def record(self, device: DeviceId) -> DeviceRecord | None:
        """Return what is stored of a device; None when it is revoked, erased or was never there."""

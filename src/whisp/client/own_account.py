"""The own account on this device: its keys, its certificate and its signed device list."""

from dataclasses import dataclass, replace

from whisp.client.errors import DamagedVaultError, RefusedIdentityError, RevokedError
from whisp.client.vault.contents import StoredAccount
from whisp.core.errors import HandshakeError
from whisp.core.identity import (
    AccountKey,
    DeviceKeys,
    LocalDevice,
    PinnedAccount,
    issue_certificate,
    issue_device_list,
)
from whisp.wire.certificate import Certificate, DeviceKind
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import WhispError
from whisp.wire.ids import Username

__all__ = ["OwnAccount"]


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """Who this device is. Its secrets stay inside the key objects, which show nothing."""

    origin: str
    username: Username
    key: AccountKey
    local: LocalDevice
    is_confirmed: bool

    @classmethod
    def create(cls, origin: str, username: Username, kind: DeviceKind, now: float) -> "OwnAccount":
        """Make fresh keys, a certificate and version 1 of the device list."""
        key, device_keys = AccountKey.generate(), DeviceKeys.generate()
        certificate = issue_certificate(key, device_keys.public, kind, now)
        device_list = issue_device_list(key, (certificate,), now, None)
        return cls(origin, username, key, LocalDevice(certificate, device_list, device_keys), False)

    @classmethod
    def restore(cls, stored: StoredAccount) -> "OwnAccount":
        """Return what `store` wrote. Raises DamagedVaultError."""
        try:
            local = LocalDevice(
                Certificate.decode(stored.certificate),
                DeviceList.decode(stored.device_list),
                DeviceKeys.restore(stored.device_keys),
            )
            key = AccountKey.from_seed(stored.seed)
        except (WhispError, ValueError):
            raise DamagedVaultError from None
        return cls(stored.origin, Username(stored.username), key, local, stored.is_confirmed)

    def store(self) -> StoredAccount:
        """Return the account as the vault keeps it."""
        return StoredAccount(
            self.origin,
            self.username,
            self.key.seed(),
            self.local.keys.export(),
            self.local.certificate.encode(),
            self.local.device_list.encode(),
            self.is_confirmed,
        )

    def confirmed(self) -> "OwnAccount":
        """Return the account, known to the server."""
        return replace(self, is_confirmed=True)

    def with_list(self, device_list: DeviceList) -> "OwnAccount":
        """Return the account with another list of its own. Raises RevokedError if it lacks this device."""
        local = self.local
        if device_list.certificate_digest(local.device) != local.certificate.digest():
            raise RevokedError
        return replace(self, local=replace(local, device_list=device_list))

    def renewed(self, certificates: tuple[Certificate, ...], now: float) -> "OwnAccount":
        """Return the account with the next list version, of the same devices, valid for seven days."""
        current = self.local.device_list
        return self.with_list(issue_device_list(self.key, certificates, now, current))

    def judge(self, shown: DeviceList, now: float) -> "OwnAccount":
        """Compare the list the server shows for this account with ours; return the account to go on with.

        Ours if both are the same or the server's is older; the server's if another device of this account
        signed it as a successor.

        Raises:
            RefusedIdentityError: this account did not sign it, or it contradicts ours.
            RevokedError: it is ours, and this device is not in it.
        """
        own = self.local.device_list
        if shown.account == self.key.public and shown.version < own.version:
            return self
        memory = PinnedAccount(self.key.public, own.version, own.digest())
        try:
            accepted = memory.accept(shown, now)
        except HandshakeError as error:
            raise RefusedIdentityError(str(error)) from None
        return self if accepted is memory else self.with_list(shown)

    def wipe(self) -> None:
        """Drop every private key; best effort, as the language allows."""
        self.key.wipe()
        self.local.keys.wipe()

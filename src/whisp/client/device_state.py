"""What this device holds: its account, contacts and pre-keys, in memory and, sealed, in the vault."""

import asyncio

from whisp.client.contact_book import ContactBook
from whisp.client.errors import LockedError, NotFoundError, NotRegisteredError
from whisp.client.own_account import OwnAccount
from whisp.client.people import Contact
from whisp.client.vault.contents import VaultContents
from whisp.client.vault.vault import Vault
from whisp.core.prekeys import PreKeyStore
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import Username

__all__ = ["DeviceState"]


class DeviceState:
    """The secrets of one client, in one place, so that one call wipes them all.

    Pre-keys live in memory only: nobody rings a device that is off, and what is not written is not found.

    Args:
        origin: the server that the account must live on.
    """

    def __init__(self, vault: Vault, origin: str) -> None:
        self.book = ContactBook()
        self._vault = vault
        self._origin = origin
        self._account: OwnAccount | None = None
        self._prekeys: PreKeyStore | None = None
        self._is_loaded = False
        self._is_wiped = False
        self._saving = asyncio.Lock()

    def __repr__(self) -> str:
        return "DeviceState(<redacted>)"

    @property
    def is_wiped(self) -> bool:
        """Say whether `wipe` ran: everything but repeating it raises LockedError."""
        return self._is_wiped

    @property
    def known_account(self) -> OwnAccount | None:
        """The own account if there is one, be it confirmed by the server or not."""
        return self._account

    @property
    def account(self) -> OwnAccount:
        """The own account. Raises LockedError, NotRegisteredError."""
        if self._is_wiped:
            raise LockedError
        if self._account is None:
            raise NotRegisteredError
        return self._account

    @property
    def prekeys(self) -> PreKeyStore:
        """The private halves of what is advertised. Raises LockedError."""
        if self._prekeys is None:
            raise LockedError
        return self._prekeys

    def contact(self, name: Username) -> Contact:
        """Return the contact of that name. Raises NotFoundError."""
        found = self.book.find(name)
        if found is None:
            raise NotFoundError("There is no such contact.")
        return found

    async def load(self) -> None:
        """Read the vault, once. An account that never reached another server is dropped.

        Raises:
            LocalProtocolError: the account lives on another server.
            LockedError, VaultError: wiped meanwhile, or the vault cannot be read.
        """
        if self._is_loaded or self._is_wiped:
            return
        contents = VaultContents.decode(await asyncio.to_thread(self._vault.load))
        if self._is_wiped:
            raise LockedError
        self.book = ContactBook(contents.contacts)
        if contents.account is not None:
            account = OwnAccount.restore(contents.account)
            if account.origin == self._origin:
                self.adopt(account)
            elif account.is_confirmed:
                raise LocalProtocolError(f"The account in this vault lives on {account.origin}.")
        self._is_loaded = True

    async def save(self) -> None:
        """Seal account and contacts in the vault, whole or not at all. Raises LockedError, VaultError."""
        async with self._saving:
            if self._is_wiped:  # or what is left in memory, nothing, would overwrite the vault
                raise LockedError
            account = self._account.store() if self._account is not None else None
            contents = VaultContents(account=account, contacts=self.book.store())
            await asyncio.to_thread(self._vault.save, contents.encode())

    def adopt(self, account: OwnAccount) -> None:
        """Go on with this account; other device keys begin with an empty store of pre-keys."""
        keys = self._account.local.keys if self._account is not None else None
        if self._prekeys is None or account.local.keys is not keys:
            self._prekeys = PreKeyStore(account.local.keys)
        self._account = account

    def erase(self) -> None:
        """Forget the account and everyone; `save` makes it last."""
        self._drop_keys()
        self.book.clear()

    def wipe_prekeys(self) -> None:
        """Make every advertised pre-key useless."""
        if self._prekeys is not None:
            self._prekeys.wipe()

    def wipe(self) -> None:
        """Wipe every key in memory. The vault stays sealed where it is, and its key is forgotten."""
        self._is_wiped = True
        self._drop_keys()
        self.book.clear()
        self._vault.forget()

    def _drop_keys(self) -> None:
        self.wipe_prekeys()
        self._prekeys = None
        if self._account is not None:
            self._account.wipe()
            self._account = None

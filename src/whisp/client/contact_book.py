"""Pinned contacts: which account key stands behind a name, and the newest device list seen of it.

A name is pinned at first contact. What is remembered survives restarts, or a server could bring a removed
device back.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from whisp.client.people import Contact
from whisp.client.vault.contents import StoredContact
from whisp.core.identity import PinnedAccount
from whisp.wire.ids import AccountId, Username

__all__ = ["ContactBook"]


@dataclass(frozen=True, slots=True)
class _Entry:
    contact: Contact
    pinned: PinnedAccount


class ContactBook:
    """The contacts of one account, by canonical name."""

    def __init__(self, stored: Iterable[StoredContact] = ()) -> None:
        self._entries: dict[Username, _Entry] = {}
        for kept in stored:
            name, account = Username(kept.username), AccountId(kept.account)
            changed_to = AccountId(kept.changed_to) if kept.changed_to is not None else None
            contact = Contact(name, account, kept.verified, kept.added, changed_to)
            pinned = PinnedAccount(account, kept.list_version, kept.list_digest)
            self._entries[name] = _Entry(contact, pinned)

    def __repr__(self) -> str:
        return "ContactBook(<redacted>)"

    def store(self) -> list[StoredContact]:
        """Return the contacts as the vault keeps them."""
        return [
            StoredContact(
                name,
                entry.contact.account,
                entry.contact.verified,
                entry.contact.added,
                entry.pinned.version,
                entry.pinned.digest,
                entry.contact.changed_to,
            )
            for name, entry in self._entries.items()
        ]

    def __iter__(self) -> Iterator[Contact]:
        return (self._entries[name].contact for name in sorted(self._entries))

    def find(self, name: Username) -> Contact | None:
        """Return the contact of that name."""
        entry = self._entries.get(name)
        return entry.contact if entry else None

    def find_account(self, account: AccountId) -> Contact | None:
        """Return the contact with that account key."""
        return next(
            (entry.contact for entry in self._entries.values() if entry.pinned.account == account), None
        )

    def pinned(self, name: Username) -> PinnedAccount | None:
        """Return what is remembered of the account behind a name."""
        entry = self._entries.get(name)
        return entry.pinned if entry else None

    def pinned_account(self, account: AccountId) -> PinnedAccount | None:
        """Return what is remembered of an account."""
        contact = self.find_account(account)
        return self._entries[contact.username].pinned if contact else None

    def remember(self, name: Username, seen: PinnedAccount, now: float) -> bool:
        """Pin a first contact, or note a newer device list of a known one; say whether anything changed.

        The account must be the pinned one: `note_change` is for others.
        """
        entry = self._entries.get(name)
        if entry is None:
            self._entries[name] = _Entry(Contact(name, seen.account, False, int(now)), seen)
            return True
        assert entry.pinned.account == seen.account
        if seen.version <= entry.pinned.version:
            return False
        self._entries[name] = replace(entry, pinned=seen)
        return True

    def note_change(self, name: Username, presented: AccountId) -> bool:
        """Note that a name came with another key: the verified mark goes. Say whether that is news."""
        entry = self._entries[name]
        changed = replace(entry.contact, verified=False, changed_to=presented)
        self._entries[name] = replace(entry, contact=changed)
        return changed != entry.contact

    def accept_change(self, name: Username, now: float) -> bool:
        """Pin the changed key of a name, unverified; False if none changed."""
        entry = self._entries.get(name)
        if entry is None or entry.contact.changed_to is None:
            return False
        account = entry.contact.changed_to
        self._entries[name] = _Entry(
            Contact(name, account, False, int(now)), PinnedAccount(account, 0, bytes(32))
        )
        return True

    def mark(self, name: Username, verified: bool) -> bool:
        """Set or remove the verified mark; False without such a contact."""
        entry = self._entries.get(name)
        if entry is None:
            return False
        self._entries[name] = replace(entry, contact=replace(entry.contact, verified=verified))
        return True

    def forget(self, name: Username) -> bool:
        """Remove a contact; False without such a one."""
        return self._entries.pop(name, None) is not None

    def clear(self) -> None:
        """Forget everyone."""
        self._entries.clear()

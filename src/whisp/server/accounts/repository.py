"""The SQL of accounts. Each method is one statement or a few, on the transaction it was given."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from whisp.server.accounts.records import DeviceRecord
from whisp.server.errors import ConflictError, UsernameTakenError
from whisp.server.storage.tables import accounts, claimed_names, devices, revoked_tokens
from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["AccountRepository", "StoredAccount"]


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """A living account's row, and its devices' certificates."""

    id: int
    username: Username
    account: AccountId
    device_list: bytes
    certificates: Mapping[DeviceId, bytes]


class AccountRepository:
    """Accounts, their devices, claimed names and logged-out tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def device(self, device: DeviceId) -> DeviceRecord | None:
        """Return what is stored of a device."""
        row = (
            self._connection.execute(
                select(
                    accounts.c.account_key,
                    accounts.c.username,
                    devices.c.certificate,
                    accounts.c.device_list,
                )
                .join(accounts, accounts.c.id == devices.c.account_id)
                .where(devices.c.id == device)
            )
        ).one_or_none()
        return None if row is None else DeviceRecord(AccountId(row[0]), Username(row[1]), row[2], row[3])

    def account(self, account: AccountId) -> StoredAccount | None:
        """Return the living account of an account key."""
        row = (
            self._connection.execute(
                select(accounts.c.id, accounts.c.username, accounts.c.device_list).where(
                    accounts.c.account_key == account
                )
            )
        ).one_or_none()
        if row is None:
            return None
        certificates = self._connection.execute(
            select(devices.c.id, devices.c.certificate)
            .where(devices.c.account_id == row[0])
            .order_by(devices.c.id)
        )
        return StoredAccount(
            row[0],
            Username(row[1]),
            account,
            row[2],
            {DeviceId(device): certificate for device, certificate in certificates},
        )

    def is_claimed(self, digest: bytes) -> bool:
        """Say whether a name is spoken for, by somebody who is there or who was."""
        found = self._connection.execute(
            select(claimed_names.c.digest).where(claimed_names.c.digest == digest)
        )
        return found.first() is not None

    def claim(self, digest: bytes) -> None:
        """Claim a name for ever. Raises UsernameTakenError; of two at once, one gets it."""
        try:
            self._connection.execute(insert(claimed_names).values(digest=digest))
        except IntegrityError:
            raise UsernameTakenError from None

    def add_account(self, username: Username, account: AccountId, device_list: bytes) -> int:
        """Add an account and return its row id. Raises ConflictError if the key has one already."""
        try:
            added = self._connection.execute(
                insert(accounts)
                .values(username=username, account_key=account, device_list=device_list)
                .returning(accounts.c.id)
            )
        except IntegrityError:
            raise ConflictError from None
        return int(added.scalar_one())

    def put_devices(self, row_id: int, certificates: Mapping[DeviceId, bytes]) -> None:
        """Make `certificates` all the devices of an account. Raises ConflictError if one is another's."""
        self._connection.execute(delete(devices).where(devices.c.account_id == row_id))
        try:
            self._connection.execute(
                insert(devices),
                [
                    {"id": device, "account_id": row_id, "certificate": certificate}
                    for device, certificate in certificates.items()
                ],
            )
        except IntegrityError:
            raise ConflictError from None

    def replace_device_list(self, row_id: int, device_list: bytes) -> None:
        """Store the newest list."""
        self._connection.execute(
            update(accounts).where(accounts.c.id == row_id).values(device_list=device_list)
        )

    def erase(self, row_id: int, alias: Username) -> None:
        """Take name, key, list and devices out of an account; `alias` stands where its name was."""
        self._connection.execute(delete(devices).where(devices.c.account_id == row_id))
        self._connection.execute(
            update(accounts)
            .where(accounts.c.id == row_id)
            .values(username=alias, account_key=None, device_list=None)
        )

    def revoke_token(self, token_id: bytes, expires_at: int) -> None:
        """Remember a logged-out token until it would have died by itself."""
        if self._is_revoked(token_id):
            return
        self._connection.execute(insert(revoked_tokens).values(id=token_id, expires_at=expires_at))

    def revoked_tokens(self) -> Iterable[tuple[bytes, int]]:
        """Return every remembered token, with its time."""
        rows = self._connection.execute(select(revoked_tokens.c.id, revoked_tokens.c.expires_at))
        return [(row[0], row[1]) for row in rows]

    def has_dead_tokens(self, now: float) -> bool:
        """Say whether `forget_tokens` has anything to do."""
        dead = select(revoked_tokens.c.id).where(revoked_tokens.c.expires_at <= int(now)).limit(1)
        return self._connection.execute(dead).first() is not None

    def forget_tokens(self, now: float) -> None:
        """Forget the tokens that are dead by `now` anyway."""
        self._connection.execute(delete(revoked_tokens).where(revoked_tokens.c.expires_at <= int(now)))

    def _is_revoked(self, token_id: bytes) -> bool:
        found = self._connection.execute(select(revoked_tokens.c.id).where(revoked_tokens.c.id == token_id))
        return found.first() is not None

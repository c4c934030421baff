"""Accounts: one public method for each thing a person can do with theirs, each one transaction.

What must follow from a change (dead tokens, closed sockets) follows after its commit, with no await between,
so that nobody can see the one without the other.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from sqlalchemy import Connection

from whisp.server.accounts import proofs
from whisp.server.accounts.challenges import Challenges
from whisp.server.accounts.records import DeviceRecord, Principal
from whisp.server.accounts.repository import AccountRepository, StoredAccount
from whisp.server.errors import (
    BadUsernameError,
    ConflictError,
    UnauthorizedError,
    UsernameTakenError,
)
from whisp.server.storage.database import Database
from whisp.wire import api
from whisp.wire.certificate import Certificate
from whisp.wire.codes import CloseCode
from whisp.wire.device_list import DeviceList
from whisp.wire.encoding import tag
from whisp.wire.errors import MalformedError
from whisp.wire.ids import AccountId, DeviceId, Username
from whisp.wire.username import canonical, is_reserved

__all__ = ["Accounts", "LiveHalf", "TokenIssuer"]

_NOBODYS_KEY: Final = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
"""A public key whose private half is in RFC 8032's test vectors; what it signs is refused all the same."""

_ALIAS_BYTES: Final = 12


class TokenIssuer(Protocol):
    """Makes tokens and ends them."""

    def issue(self, device: DeviceId, origin: str) -> api.SessionToken:
        """Return a fresh token of a device for one origin."""

    def revoke(self, token_id: bytes, expires_at: int) -> None:
        """Refuse a token from now on."""

    def forget(self, device: DeviceId) -> None:
        """Believe no token of this device without asking storage again."""


class LiveHalf(Protocol):
    """What happens to sockets when an account changes."""

    def disconnect(self, device: DeviceId, code: CloseCode) -> None:
        """Close a device's socket."""

    def update_device_list(
        self, account: AccountId, device_list: bytes, certificates: Iterable[bytes]
    ) -> None:
        """Serve a newer list, and close the sockets of those who are no longer in it."""


class Accounts:
    """The accounts of a server. `names_key` hashes claimed names, `wall_clock` judges what others signed."""

    def __init__(
        self,
        database: Database,
        tokens: TokenIssuer,
        challenges: Challenges,
        live: LiveHalf,
        names_key: bytes,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._challenges = challenges
        self._live = live
        self._names_key = names_key
        self._wall_clock = wall_clock
        self._changes = 0

    async def record(self, device: DeviceId) -> DeviceRecord | None:
        """Return what is stored of a device; None when it is revoked, erased or was never there."""
        while True:
            changes = self._changes
            found = await self._database.read(lambda reading: AccountRepository(reading).device(device))
            if changes == self._changes:  # else it may have been read just before a revocation
                return found

    async def is_available(self, name: str) -> bool:
        """Say whether a name can be claimed. Taken, reserved, erased and impossible names: no."""
        try:
            username, is_possible = canonical(name), True
        except MalformedError:
            username, is_possible = Username(""), False
        digest = self._digest(username)
        is_claimed = await self._database.read(lambda reading: AccountRepository(reading).is_claimed(digest))
        return is_possible and not is_claimed and not is_reserved(username)

    def challenge(self, device: DeviceId) -> api.Challenge:
        """Return a challenge. Any device may ask, whether it exists or not."""
        challenge, expires_at = self._challenges.issue(device)
        return api.Challenge(challenge, expires_at)

    async def register(self, request: api.RegisterRequest, origin: str) -> api.SessionToken:
        """Claim a name for an account key and log its device in.

        Asking again for what one has already is a log-in: the answer to the first may have been lost.

        Raises:
            BadUsernameError, UsernameTakenError: as they say.
            UnauthorizedError: the challenge or its signature does not hold.
            MalformedError, VerificationError: certificate or list does not hold.
            ConflictError: the account key or the device id is in use here.
        """
        try:
            username = canonical(request.username)
        except MalformedError:
            raise BadUsernameError from None
        certificate = Certificate.decode(request.certificate)
        device_list = DeviceList.decode(request.device_list)
        message = proofs.registration_message(
            origin,
            certificate.device,
            request.challenge,
            username,
            request.certificate,
            request.device_list,
        )
        self._challenges.check(certificate.device, request.challenge)
        proofs.require_signature(certificate.signing_key, "register", message, request.signature)
        devices = proofs.verified_devices(
            device_list, [request.certificate], certificate.account, int(self._wall_clock())
        )
        self._challenges.spend(certificate.device, request.challenge)

        def claim(writing: Connection) -> None:
            accounts = AccountRepository(writing)
            existing = accounts.account(certificate.account)
            if existing is None:
                if is_reserved(username):
                    raise UsernameTakenError
                accounts.claim(self._digest(username))
                row = accounts.add_account(username, certificate.account, request.device_list)
                accounts.put_devices(row, devices)
            elif not _is_same(existing, username, request):
                raise ConflictError

        await self._database.write(claim)
        return self._tokens.issue(certificate.device, origin)

    async def login(self, request: api.LoginRequest, origin: str) -> api.SessionToken:
        """Log a device in.

        Raises:
            UnauthorizedError: the challenge or its signature does not hold, or there is no such device.
        """
        device = DeviceId(request.device_id)
        self._challenges.check(device, request.challenge)
        record = await self.record(device)
        key = Certificate.decode(record.certificate).signing_key if record else _NOBODYS_KEY
        message = proofs.login_message(origin, device, request.challenge)
        proofs.require_signature(key, "login", message, request.signature)
        if record is None:
            raise UnauthorizedError
        self._challenges.spend(device, request.challenge)
        return self._tokens.issue(device, origin)

    def renew(self, caller: Principal, origin: str) -> api.SessionToken:
        """Return a fresh token; the old one lives out its time."""
        return self._tokens.issue(caller.device, origin)

    async def log_out(self, caller: Principal) -> None:
        """End the token it was asked with, and close its device's socket."""
        await self._database.write(
            lambda writing: AccountRepository(writing).revoke_token(caller.token_id, caller.expires_at)
        )
        self._tokens.revoke(caller.token_id, caller.expires_at)
        self._live.disconnect(caller.device, CloseCode.UNAUTHORIZED)

    async def own(self, caller: Principal) -> api.Account:
        """Return all that is stored of the caller's account. Raises UnauthorizedError if it just went."""
        stored = await self._database.read(lambda reading: _living(AccountRepository(reading), caller))
        return api.Account(stored.username, stored.device_list, list(stored.certificates.values()))

    async def update_device_list(self, caller: Principal, request: api.DeviceListUpdate) -> None:
        """Store the next device list. Removed devices lose their tokens and sockets at once.

        Raises:
            MalformedError, VerificationError: list or certificates do not hold.
            ConflictError: another list came first; sending the newest one again is no conflict.
            UnauthorizedError: the caller's account or device is gone.
        """
        following = DeviceList.decode(request.device_list)
        devices = proofs.verified_devices(
            following, request.certificates, caller.account, int(self._wall_clock())
        )

        def store(writing: Connection) -> StoredAccount:
            accounts = AccountRepository(writing)
            stored = _living(accounts, caller)
            if stored.device_list != request.device_list:
                proofs.verify_next_list(following, DeviceList.decode(stored.device_list))
                accounts.put_devices(stored.id, devices)
                accounts.replace_device_list(stored.id, request.device_list)
            return stored

        stored = await self._database.write(store)
        self._changes += 1
        for device in stored.certificates.keys() - devices.keys():
            self._tokens.forget(device)
            self._live.disconnect(device, CloseCode.REVOKED)
        self._live.update_device_list(caller.account, request.device_list, request.certificates)

    async def erase(self, caller: Principal, request: api.DeleteAccountRequest, origin: str) -> None:
        """Erase the caller's account: keys, list and devices go, its name stays taken for ever.

        Raises:
            UnauthorizedError: the challenge or AK's signature does not hold, or the account is gone already.
        """
        self._challenges.check(caller.device, request.challenge)
        message = proofs.deletion_message(origin, request.challenge, caller.username)
        proofs.require_signature(caller.account, "account-delete", message, request.signature)
        self._challenges.spend(caller.device, request.challenge)
        alias = Username(f"deleted-{secrets.token_hex(_ALIAS_BYTES)}")

        def erase(writing: Connection) -> Iterable[DeviceId]:
            accounts = AccountRepository(writing)
            stored = _living(accounts, caller)
            accounts.erase(stored.id, alias)
            return stored.certificates

        devices = await self._database.write(erase)
        self._changes += 1
        for device in devices:
            self._tokens.forget(device)
            self._live.disconnect(device, CloseCode.REVOKED)
        await self._database.empty_log()

    async def remember_revoked_tokens(self, now: float) -> None:
        """Tell the token issuer which tokens were logged out before this start, and forget dead ones."""

        def sort_out(writing: Connection) -> Iterable[tuple[bytes, int]]:
            accounts = AccountRepository(writing)
            accounts.forget_tokens(now)
            return accounts.revoked_tokens()

        for token_id, expires_at in await self._database.write(sort_out):
            self._tokens.revoke(token_id, expires_at)

    async def forget_dead_tokens(self, now: float) -> None:
        """Erase logged-out tokens that would be dead by `now`. Mostly there are none: that only reads."""
        if await self._database.read(lambda reading: AccountRepository(reading).has_dead_tokens(now)):
            await self._database.write(lambda writing: AccountRepository(writing).forget_tokens(now))

    def _digest(self, username: Username) -> bytes:
        return hmac.digest(self._names_key, tag("claimed-name") + username.encode("ascii"), "sha256")


def _is_same(existing: StoredAccount, username: Username, request: api.RegisterRequest) -> bool:
    return (
        existing.username == username
        and existing.device_list == request.device_list
        and request.certificate in existing.certificates.values()
    )


def _living(accounts: AccountRepository, caller: Principal) -> StoredAccount:
    stored = accounts.account(caller.account)
    if stored is None or caller.device not in stored.certificates:
        raise UnauthorizedError
    return stored

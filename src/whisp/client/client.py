"""The SDK's front door: an account on this device, its contacts, and the calls it makes and takes."""

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from whisp.client.conversation import Conversation
from whisp.client.events import ClientEvent, ConnectionState
from whisp.client.people import Contact, SafetyNumber
from whisp.client.ring import Ring
from whisp.client.vault import Vault
from whisp.wire.api import Account
from whisp.wire.certificate import DeviceKind
from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["Client"]


class Client:
    """One account on one device, talking to one server. Use it as an async context manager.

    Entering opens nothing; `register` makes an account, `login` goes online and stays so through network
    changes, leaving hangs up every conversation and closes.

    Args:
        server: the server's origin, such as ``https://chat.example``. Plain ``http`` is allowed to loopback.
        vault: where keys and contacts live.
        allow_direct: answer and offer direct lines without asking; the peer then learns this address.
        receipts: tell senders when a message was read.
        auto_busy: decline rings as busy while a conversation lives.
        lock_after: seconds without any call of this API or incoming message after which the client locks.
        kind: what peers are told this device is.
        unsafe_plain_http: allow ``http`` to hosts other than loopback. The token then travels in clear.
    """

    def __init__(
        self,
        server: str,
        vault: Vault,
        *,
        allow_direct: bool = False,
        receipts: bool = True,
        auto_busy: bool = False,
        lock_after: float | None = None,
        kind: DeviceKind = DeviceKind.NATIVE,
        unsafe_plain_http: bool = False,
    ) -> None:
        raise NotImplementedError

    @property
    def server(self) -> str:
        """The server's origin."""
        raise NotImplementedError

    @property
    def is_registered(self) -> bool:
        """Say whether the vault holds an account."""
        raise NotImplementedError

    @property
    def username(self) -> Username:
        """The own name. Raises NotRegisteredError."""
        raise NotImplementedError

    @property
    def account_id(self) -> AccountId:
        """The own account key. Raises NotRegisteredError."""
        raise NotImplementedError

    @property
    def device_id(self) -> DeviceId:
        """This device. Raises NotRegisteredError."""
        raise NotImplementedError

    @property
    def state(self) -> ConnectionState:
        """The socket to the server."""
        raise NotImplementedError

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """Those that live now."""
        raise NotImplementedError

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Everyone pinned in the vault, by name."""
        raise NotImplementedError

    async def is_available(self, username: str) -> bool:
        """Ask whether a username can be claimed.

        Raises:
            InvalidUsernameError: no account may have it.
        """
        raise NotImplementedError

    async def register(self, username: str) -> None:
        """Make account and device keys, claim the name, and save both in the vault.

        Raises:
            UsernameTakenError, InvalidUsernameError, AlreadyRegisteredError, RateLimitedError,
            ServerUnreachableError, VersionMismatchError, VaultError.
        """
        raise NotImplementedError

    async def login(self) -> None:
        """Go online: log in, connect, publish pre-keys; then stay online through network changes.

        Raises:
            NotRegisteredError, UnauthorizedError, RevokedError, ServerUnreachableError, VersionMismatchError.
        """
        raise NotImplementedError

    async def logout(self) -> None:
        """Hang up, go offline, and let the server forget the token. `login` goes online again."""
        raise NotImplementedError

    async def discover(self, username: str) -> bool:
        """Look up an exact name; True when it is online.

        Raises:
            NotFoundError: unknown, offline or not reachable for you, all alike.
        """
        raise NotImplementedError

    async def call(self, username: str, *, timeout: float = 45.0) -> Conversation:  # noqa: ASYNC109 - a product bound, told to the callee
        """Ring all online devices of `username`; return the conversation with the first that accepts.

        Cancel the task to stop ringing.

        Raises:
            NotFoundError: unknown, offline or not reachable for you, all alike.
            DeclinedError, BusyError, NoAnswerError: what came back, or nothing in `timeout` seconds.
            KeyChangedError, RefusedIdentityError: keys that do not hold; nothing was sent.
        """
        raise NotImplementedError

    def rings(self) -> AsyncIterator[Ring]:
        """Iterate over incoming rings as they come. One loop at a time; it ends when the client closes."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[ClientEvent]:
        """Iterate over what happens outside conversations. Of more than 256 unread the oldest fall out."""
        raise NotImplementedError

    def contact(self, username: str) -> Contact | None:
        """Return the pinned contact of that name."""
        raise NotImplementedError

    def safety_number(self, username: str) -> SafetyNumber:
        """Return the number to compare with a contact. Raises NotFoundError without one."""
        raise NotImplementedError

    def verify_safety_qr(self, username: str, scanned: bytes) -> None:
        """Check a scanned QR code crosswise. Raises RefusedIdentityError if it is not this contact's."""
        raise NotImplementedError

    async def mark_verified(self, username: str, verified: bool = True) -> None:
        """Note in the vault that the safety numbers were compared and match."""
        raise NotImplementedError

    async def accept_new_key(self, username: str) -> None:
        """Go on with the changed key of a contact, unverified. Raises NotFoundError if none changed."""
        raise NotImplementedError

    async def forget(self, username: str) -> None:
        """Remove a contact from the vault; the next contact is a first contact."""
        raise NotImplementedError

    async def account_data(self) -> Account:
        """Return everything the server stores of this account."""
        raise NotImplementedError

    async def delete_account(self) -> None:
        """Erase the account on the server and in the vault, and go offline. The name never returns."""
        raise NotImplementedError

    def panic(self) -> None:
        """Wipe every key and buffer from memory and drop the socket, now, without waiting for anything.

        The vault file stays sealed on disk; open it anew to go on.
        """
        raise NotImplementedError

    async def lock(self) -> None:
        """End conversations with a word to the peer, then wipe as `panic` does."""
        raise NotImplementedError

    async def close(self) -> None:
        """Hang up, go offline, stop every task."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

"""The SDK's front door: an account on this device, its contacts, and the calls it makes and takes."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import Final, Self

from whisp.client.clock import Clock
from whisp.client.connection import Connection
from whisp.client.contact_book import ContactBook
from whisp.client.conversation import Conversation
from whisp.client.device_state import DeviceState
from whisp.client.errors import (
    AlreadyRegisteredError,
    ClientError,
    EndReason,
    LockedError,
    NoAnswerError,
    NotFoundError,
    NotRegisteredError,
    RefusedIdentityError,
    RevokedError,
    TransportError,
    UnauthorizedError,
    UsernameTakenError,
)
from whisp.client.events import (
    ClientEvent,
    ClientLocked,
    ConnectionChanged,
    ConnectionState,
    ServerWarned,
    ServerWarning,
)
from whisp.client.feed import Feed
from whisp.client.http import Http
from whisp.client.list_keeper import ListKeeper
from whisp.client.names import name_to_claim, name_to_look_up
from whisp.client.origin import Origin
from whisp.client.own_account import OwnAccount
from whisp.client.people import Contact, Member, SafetyNumber
from whisp.client.ring import Ring
from whisp.client.rtc_line import lines_closed
from whisp.client.server_api import ServerApi
from whisp.client.server_socket import ServerSocket, SocketClosedError
from whisp.client.switchboard import Switchboard
from whisp.client.vault.vault import Vault
from whisp.core.errors import HandshakeError, StaleDeviceListError
from whisp.core.handshake import CancelReason
from whisp.core.identity import LocalDevice
from whisp.core.prekeys import PreKeyStore
from whisp.core.safety_number import safety_qr_verify
from whisp.core.session import HeldList
from whisp.wire.api import Account, TurnCredentials
from whisp.wire.certificate import DeviceKind
from whisp.wire.codes import CloseCode
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import MalformedError
from whisp.wire.ids import AccountId, DeviceId, Username
from whisp.wire.limits import RING_SECONDS
from whisp.wire.username import is_reserved

__all__ = ["Client"]

HOUSEKEEPING_SECONDS: Final = 20.0
UNREAD_EVENTS: Final = 256
UNREAD_RINGS: Final = 8


class Client:
    """One account on one device, talking to one server. Use it as an async context manager.

    Entering reads the vault; `register` makes an account, `login` goes online and stays so through network
    changes, leaving hangs up every conversation and closes.

    Args:
        server: the server's origin, such as ``https://chat.example``. Plain ``http`` is allowed to loopback.
        vault: where keys and contacts live.
        allow_direct: answer and offer direct lines without asking; the peer then learns this address.
        receipts: tell senders when a message was read.
        auto_busy: decline rings as busy while a conversation lives.
        lock_after: seconds without any call of this API or incoming text after which the client locks.
        kind: what peers are told this device is.
        tls: how to check the server's certificate; the system's authorities otherwise.
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
        tls: ssl.SSLContext | None = None,
        unsafe_plain_http: bool = False,
    ) -> None:
        self._origin = Origin.parse(server, unsafe_plain_http=unsafe_plain_http)
        self._state = DeviceState(vault, self.server)
        self.allow_direct = allow_direct
        self.receipts = receipts
        self.auto_busy = auto_busy
        self.clock = Clock()
        self._lock_after = lock_after
        self._kind = kind
        self._tls = tls
        self._touched_at = self.clock.now()
        self._api = ServerApi(str(self._origin), Http(self._origin, tls))
        self._list_keeper = ListKeeper(self._api, self.clock, lambda: self._state.account, self._adopt_list)
        self._events: Feed[ClientEvent] = Feed(UNREAD_EVENTS)
        self._rings: Feed[Ring] = Feed(UNREAD_RINGS)
        self._switchboard = Switchboard(self)
        self._connection = Connection(
            self._dial,
            on_online=self._switchboard.online,
            on_offline=self._switchboard.offline,
            on_change=self._connection_changed,
            is_busy=lambda: self._switchboard.is_busy,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._housekeeping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Client({self.state})"

    # Who and where

    @property
    def server(self) -> str:
        """The server's origin."""
        return str(self._origin)

    @property
    def is_registered(self) -> bool:
        """Say whether the vault holds an account. True only after the client was entered."""
        account = self._state.known_account
        return account is not None and account.is_confirmed

    @property
    def username(self) -> Username:
        """The own name. Raises NotRegisteredError."""
        return self._state.account.username

    @property
    def account_id(self) -> AccountId:
        """The own account key. Raises NotRegisteredError."""
        return self._state.account.key.public

    @property
    def device_id(self) -> DeviceId:
        """This device. Raises NotRegisteredError."""
        return self._state.account.local.device

    @property
    def state(self) -> ConnectionState:
        """The socket to the server."""
        return self._connection.state

    @property
    def is_locked(self) -> bool:
        """Say whether it was locked or panicked: make a new client with a vault opened anew."""
        return self._state.is_wiped

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """Those that live now."""
        return self._switchboard.conversations

    # The account

    async def is_available(self, username: str) -> bool:
        """Ask whether a username can be claimed.

        Raises:
            InvalidUsernameError: no account may have it.
        """
        await self._enter_api()
        name = name_to_claim(username)
        return not is_reserved(name) and await self._api.is_available(name)

    async def register(self, username: str) -> None:
        """Make account and device keys, claim the name, and save both in the vault.

        The keys are saved before the server hears of them: if anything fails in between, calling this again
        with the same name takes it up where it stopped.

        Raises:
            UsernameTakenError, InvalidUsernameError, AlreadyRegisteredError, ClockError, RateLimitedError,
            ServerUnreachableError, VersionMismatchError, VaultError.
        """
        await self._enter_api()
        if self.is_registered:
            raise AlreadyRegisteredError
        name = name_to_claim(username)
        if is_reserved(name):
            raise UsernameTakenError
        account = self._state.known_account
        if account is None or account.username != name:
            await self._api.check_version()
            self._api.require_clock()  # what a wrong clock dates, the server refuses for good
            account = OwnAccount.create(self.server, name, self._kind, self.clock.now())
            self._adopt(account)
            await self._state.save()
        try:
            await self._api.register(account)
        except UsernameTakenError:
            if not await self._owns_name(account):
                raise
        self._adopt(account.confirmed())
        await self._state.save()

    async def login(self) -> None:
        """Go online: log in, connect, publish pre-keys; then stay online through network changes.

        When it returns, the server delivers rings.

        Raises:
            NotRegisteredError, UnauthorizedError, RevokedError, RefusedIdentityError, RateLimitedError,
            ServerUnreachableError, VersionMismatchError.
        """
        await self._enter_api()
        if not self.is_registered:
            raise NotRegisteredError
        if self._connection.state is ConnectionState.ONLINE:
            return
        await self._connection.start()
        if self._housekeeping is None:
            self._housekeeping = asyncio.create_task(self._keep_house(), name="whisp housekeeping")

    async def logout(self) -> None:
        """Hang up, go offline, and let the server forget the token. `login` goes online again."""
        await self._go_offline()
        with contextlib.suppress(ClientError):
            await self._api.logout()

    async def account_data(self) -> Account:
        """Return everything the server stores of this account."""
        await self._enter_account()
        return await self._api.account()

    async def delete_account(self) -> None:
        """Erase the account on the server and in the vault, and go offline. The name never returns."""
        account = await self._enter_account()
        await self._go_offline()
        await self._api.delete_account(account)
        self._api.speak_for(None)
        self._state.erase()
        await self._state.save()

    # Calls

    async def discover(self, username: str) -> bool:
        """Look up an exact name; True when it is online.

        Raises:
            NotFoundError: unknown, offline or not reachable for you, all alike.
        """
        await self._enter_account()
        return await self._api.discover(name_to_look_up(username))

    async def call(
        self,
        username: str,
        *,
        timeout: float = float(RING_SECONDS),  # noqa: ASYNC109 - how long it rings, a rule of the product
    ) -> Conversation:
        """Ring all online devices of `username`; return the conversation with the first that accepts.

        If that name rings here already, it is accepted instead. Cancel the task to stop ringing.

        Raises:
            NotFoundError: unknown, offline or not reachable for you, all alike.
            DeclinedError, BusyError, NoAnswerError: what came back, or nothing in `timeout` seconds.
            KeyChangedError, RefusedIdentityError: keys that do not hold; nothing was sent.
            TransportError: not online, or the line to the server went.
        """
        local = (await self._enter_account()).local
        if self._connection.socket is None:
            raise TransportError("You are offline.")
        name = name_to_look_up(username)
        ring = self._switchboard.ring_from(name)
        if ring is None:
            bundles = await self._api.bundles(name)
            ring = self._switchboard.ring_from(name)
        if ring is not None:  # they rang first: calling back is accepting
            return await ring.accept()
        call, offers = self._switchboard.place_call(name, bundles)
        if not offers:
            raise NotFoundError
        reason = CancelReason.STOPPED
        try:
            await self._api.request_session(local.device, name, offers)
            call.posted()
            async with asyncio.timeout(timeout):
                await asyncio.shield(call.outcome)
            conversation = self._switchboard.conversation_of(call)
        except TimeoutError:
            reason = CancelReason.NO_ANSWER
            raise NoAnswerError from None
        finally:
            call.cancel(reason)
            self._switchboard.drop_call(call)
        if conversation is None:
            raise TransportError
        return conversation

    async def rings(self) -> AsyncIterator[Ring]:
        """Iterate over incoming rings as they come. One loop at a time; it ends when the client closes."""
        async for ring in self._rings.read():
            if ring.end is None:
                yield ring

    async def events(self) -> AsyncIterator[ClientEvent]:
        """Iterate over what happens outside conversations. Of more than 256 unread the oldest fall out."""
        async for event in self._events.read():
            yield event

    # Contacts

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Everyone pinned in the vault, by name."""
        return tuple(self.book)

    def contact(self, username: str) -> Contact | None:
        """Return the pinned contact of that name."""
        return self.book.find(name_to_look_up(username))

    def safety_number(self, username: str) -> SafetyNumber:
        """Return the number to compare with a contact. The first time takes about 50 ms.

        Raises:
            NotFoundError: no such contact.
        """
        return SafetyNumber.between(self.account_id, self._contact(username).account)

    def verify_safety_qr(self, username: str, scanned: bytes) -> None:
        """Check a scanned QR code crosswise. Raises RefusedIdentityError if it is not this contact's."""
        contact = self._contact(username)
        try:
            safety_qr_verify(scanned, self.account_id, contact.account)
        except (HandshakeError, MalformedError) as error:
            raise RefusedIdentityError(str(error)) from None

    async def mark_verified(self, username: str, verified: bool = True) -> None:
        """Note in the vault that the safety numbers were compared and match. Raises NotFoundError."""
        if not self.book.mark(self._contact(username).username, verified):
            raise NotFoundError
        await self._state.save()

    async def accept_new_key(self, username: str) -> None:
        """Go on with the changed key of a contact, unverified. Raises NotFoundError if none changed."""
        if not self.book.accept_change(self._contact(username).username, self.clock.now()):
            raise NotFoundError("That contact's key has not changed.")
        await self._state.save()

    async def forget(self, username: str) -> None:
        """Remove a contact from the vault; the next contact is a first contact. Raises NotFoundError."""
        self.book.forget(self._contact(username).username)
        await self._state.save()

    # Ends

    def panic(self) -> None:
        """Wipe every key and buffer from memory and drop the socket, now, without waiting for anything.

        The vault file stays sealed on disk; open it anew to go on.
        """
        self._state.wipe()
        self._switchboard.wipe()
        self._connection.abort()
        self._api.abort()
        self._stop_tasks()
        self._events.put(ClientLocked())
        self._events.close()
        self._rings.close()

    async def lock(self) -> None:
        """End conversations with a word to the peer, then wipe as `panic` does."""
        for conversation in self.conversations:
            conversation.wipe()
        await self._connection.stop()
        self.panic()

    async def close(self) -> None:
        """Hang up, go offline, stop every task. The vault stays open for another client."""
        await self._go_offline()
        tasks = self._stop_tasks()
        if tasks:
            await asyncio.wait(tasks)
        await lines_closed()
        self._api.abort()
        self._state.wipe_prekeys()
        self._events.close()
        self._rings.close()

    async def __aenter__(self) -> Self:
        await self._load()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # For the rooms of the SDK

    @property
    def may_use_loopback(self) -> bool:
        """Whether peers can be on this very machine: the server is."""
        return self._origin.is_loopback

    @property
    def local(self) -> LocalDevice:
        """The own device, with its newest list."""
        return self._state.account.local

    @property
    def book(self) -> ContactBook:
        """The contacts; applications use `contacts`."""
        return self._state.book

    @property
    def prekeys(self) -> PreKeyStore:
        """The private halves of what is advertised."""
        return self._state.prekeys

    def tell(self, event: ClientEvent) -> None:
        """Tell the application."""
        self._events.put(event)

    def touched(self) -> None:
        """A person did something, here or there."""
        self._touched_at = self.clock.now()

    def pre_keys_taken(self) -> None:
        """The server has this device's pre-keys: it delivers rings."""
        self._connection.confirm()

    def ring_came(self, ring: Ring) -> None:
        """Tell the application of a ring."""
        self._rings.put(ring)

    def save_soon(self) -> None:
        """The contact book changed."""
        self._spawn(self._state.save())

    def conversation_over(self, conversation: Conversation) -> None:
        """A conversation ended: leave its call."""
        self._switchboard.conversation_over(conversation)

    async def turn_credentials(self, conversation: Conversation) -> TurnCredentials | None:
        """Ask the server for TURN credentials for a conversation's call; None when it has none to give."""
        call_id = self._switchboard.call_of(conversation)
        if call_id is not None:
            with contextlib.suppress(ClientError):
                return await self._api.turn_credentials(call_id)
        return None

    def peer_list_shown(self, peer: Member, shown: DeviceList) -> HeldList:
        """Check a device list the peer sent inside the session, and remember it. Raises HandshakeError."""
        pinned = self.book.pinned(peer.username)
        if pinned is None or pinned.account != peer.account:
            raise StaleDeviceListError("the peer is no longer a contact")
        accepted = pinned.accept(shown, self.clock.now())
        if self.book.remember(peer.username, accepted, self.clock.now()):
            self.save_soon()
        return HeldList(accepted.version, accepted.digest)

    def own_list_reported(self, conversation: Conversation, version: int, digest: bytes) -> None:
        """Compare what the peer was shown as this account's list with the real one."""
        own = self.local.device_list
        if version < own.version:
            conversation.show_list(own)
        elif version > own.version:
            self.own_list_is_behind()
        elif digest != own.digest():
            self._warn(ServerWarning.FORKED_DEVICE_LIST)
            conversation.leave_for(EndReason.FORKED)

    def own_list_is_behind(self) -> None:
        """Someone has seen a newer list of this account: fetch it."""
        self._spawn(self._compare_own_list())

    # Inside

    async def _dial(self) -> ServerSocket:
        token = await self._api.token()
        try:
            return await ServerSocket.open(self._origin, token, self._tls)
        except SocketClosedError as closed:
            if closed.code != CloseCode.UNAUTHORIZED:
                raise
            self._api.forget_token()
            return await ServerSocket.open(self._origin, await self._api.token(), self._tls)

    def _connection_changed(self, change: ConnectionChanged) -> None:
        self._events.put(change)
        if change.state is ConnectionState.ONLINE:
            self._spawn(self._compare_own_list())

    async def _keep_house(self) -> None:
        """Renew what ages, and lock when nobody is there."""
        while True:
            await asyncio.sleep(min(HOUSEKEEPING_SECONDS, self._lock_after or HOUSEKEEPING_SECONDS))
            now = self.clock.now()
            if self._lock_after is not None and now - self._touched_at >= self._lock_after:
                self._spawn(self.lock())
                return
            self.prekeys.expire(now)
            if self.prekeys.is_renewal_due(now):
                self._switchboard.publish()
            if self._list_keeper.is_renewal_due:
                with contextlib.suppress(ClientError):
                    await self._list_keeper.renew()

    async def _compare_own_list(self) -> None:
        """Look at the list the server shows for this account; a list we did not sign is its lie."""
        try:
            await self._list_keeper.compare()
        except RevokedError as error:
            self._events.put(ConnectionChanged(ConnectionState.OFFLINE, str(error)))
            await self._connection.stop()
        except RefusedIdentityError:
            self._warn(ServerWarning.UNSIGNED_DEVICE_LIST)
        except ClientError:
            return  # not reachable: the next connection compares again

    async def _adopt_list(self, account: OwnAccount) -> None:
        self._adopt(account)
        await self._state.save()
        for conversation in self.conversations:
            conversation.show_list(account.local.device_list)

    async def _owns_name(self, account: OwnAccount) -> bool:
        """Say whether a registration that was cut off had reached the server."""
        self._api.speak_for(account)
        try:
            await self._api.token()
        except UnauthorizedError:
            return False
        return True

    async def _go_offline(self) -> None:
        for conversation in self.conversations:
            await conversation.hang_up()
        await self._connection.stop()

    async def _enter_api(self) -> None:
        if self.is_locked:
            raise LockedError
        self.touched()
        await self._load()

    async def _enter_account(self) -> OwnAccount:
        await self._enter_api()
        return self._state.account

    async def _load(self) -> None:
        await self._state.load()
        self._api.speak_for(self._state.known_account)

    def _adopt(self, account: OwnAccount) -> None:
        self._state.adopt(account)
        self._api.speak_for(account)

    def _contact(self, username: str) -> Contact:
        return self._state.contact(name_to_look_up(username))

    def _warn(self, warning: ServerWarning) -> None:
        sentence = "The server shows other people a device list that this account did not sign."
        self._events.put(ServerWarned(warning, self.username, sentence))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop_tasks(self) -> list[asyncio.Task[None]]:
        current = asyncio.current_task()
        tasks = [*self._tasks, *([self._housekeeping] if self._housekeeping else [])]
        self._housekeeping = None
        stopped = [task for task in tasks if task is not current]
        for task in stopped:
            task.cancel()
        return stopped

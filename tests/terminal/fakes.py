"""An SDK client without a network: the same classes, played by hand. What the app asked for is in `log`."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from whisp.client import events
from whisp.client.client import Client
from whisp.client.conversation import Conversation, DirectRequest
from whisp.client.errors import (
    ConversationEndedError,
    EndReason,
    FileFault,
    LockedError,
    NotFoundError,
    RingEnd,
    UsernameTakenError,
    WrongPassphraseError,
)
from whisp.client.events import (
    ClientEvent,
    ConnectionState,
    ConversationEvent,
    Line,
    Quote,
    SentMessage,
)
from whisp.client.files import AsyncReader, IncomingFile, OutgoingFile, Sink
from whisp.client.people import Contact, Member, SafetyNumber
from whisp.client.ring import Ring
from whisp.terminal.passphrase import Passphrase
from whisp.terminal.profile import Profile
from whisp.wire.api import Account
from whisp.wire.errors import LocalProtocolError, MalformedError
from whisp.wire.ids import AccountId, DeviceId, Username
from whisp.wire.username import canonical

__all__ = [
    "DIGITS",
    "START",
    "Clock",
    "FakeClient",
    "FakeConversation",
    "FakeIncomingFile",
    "FakeOpener",
    "FakeOutgoingFile",
    "FakeRing",
    "contact",
]

START = 1_795_269_600.0
"""2026-11-21 14:00:00 UTC."""

DIGITS = "48213 90566 17740 02958 63127 85409 31196 70483 25571 94038 11862 50347"


class Clock:
    """A clock that moves only when told."""

    def __init__(self, at: float = START) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds


def contact(name: str, *, verified: bool = False, changed: bool = False) -> Contact:
    """Return a contact met on 3 November."""
    return Contact(
        Username(name),
        AccountId(name.encode().ljust(32, b"\0")),
        verified,
        int(START) - 18 * 86_400,
        AccountId(b"\1" * 32) if changed else None,
    )


def member(name: str) -> Member:
    """Return one device of an account of that name."""
    return Member(Username(name), AccountId(name.encode().ljust(32, b"\0")), DeviceId(b"\2" * 16))


class FakeIncomingFile(IncomingFile):
    """An offered file; tests move it with the conversation's `emit`."""

    def __init__(self, log: list[str], name: str, size: int, number: int = 1) -> None:
        self.id = bytes([number]) * 16
        self.name = name
        self.size = size
        self.media_type = ""
        self._log = log

    async def accept(self, save_to: Path | str | Sink) -> None:
        self._log.append(f"accept {self.name} to {save_to}")

    async def decline(self) -> None:
        self._log.append(f"decline {self.name}")

    async def cancel(self) -> None:
        self._log.append(f"cancel {self.name}")


class FakeOutgoingFile(OutgoingFile):
    """A file on its way out."""

    def __init__(self, log: list[str], name: str, size: int) -> None:
        self.id = b"\x07" * 16
        self.name = name
        self.size = size
        self._log = log
        self.arrived = asyncio.Event()

    async def done(self) -> None:
        await self.arrived.wait()

    async def cancel(self) -> None:
        self._log.append(f"cancel {self.name}")


class FakeRequest(DirectRequest):
    """A question for a direct line."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    async def accept(self) -> None:
        self._log.append("accept direct")

    async def refuse(self) -> None:
        self._log.append("refuse direct")


class FakeConversation(Conversation):
    """A conversation whose peer is the test."""

    def __init__(self, log: list[str], peer: str = "odile", own: str = "mira", at: float = START) -> None:
        self._log = log
        self._members = (member(peer),)
        self._own = member(own)
        self._line = Line.RELAYED
        self._started_at = at
        self._ended: EndReason | None = None
        self._events: asyncio.Queue[ConversationEvent] = asyncio.Queue()
        self._number = 0
        self.sends_wait = False
        self.file: FakeOutgoingFile | None = None

    @property
    def members(self) -> tuple[Member, ...]:
        return self._members

    @property
    def own(self) -> Member:
        return self._own

    @property
    def line(self) -> Line:
        return self._line

    @property
    def session_code(self) -> str:
        return "11111 22222 33333 44444 55555 66666"

    @property
    def started_at(self) -> float:
        return self._started_at

    @property
    def ended(self) -> EndReason | None:
        return self._ended

    def __aiter__(self) -> AsyncIterator[ConversationEvent]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[ConversationEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, events.Ended):
                return

    def emit(self, event: ConversationEvent) -> None:
        """Let something happen."""
        if isinstance(event, events.LineChanged):
            self._line = event.line
        if isinstance(event, events.Ended):
            self._ended = event.reason
        self._events.put_nowait(event)

    def say(self, text: str, *, at: float = START, number: int = 1) -> None:
        """Let the peer say something."""
        self.emit(events.TextReceived(number, self._members[0], text, at))

    def ask_direct(self) -> None:
        """Let the peer ask for a direct line."""
        self.emit(events.DirectRequested(FakeRequest(self._log)))

    async def send_text(self, text: str, *, reply_to: Quote | None = None) -> SentMessage:
        if self._ended is not None:
            raise ConversationEndedError(self._ended)
        if text == "too long":
            raise LocalProtocolError("That is longer than a message can be.")
        self._number += 1
        self._log.append(f"send {text}")
        return SentMessage(self._number, text, START)

    async def edit_text(self, message_id: int, text: str) -> None:
        if text == "too long":
            raise LocalProtocolError("That is longer than a message can be.")
        self._log.append(f"edit {message_id} {text}")

    async def delete_text(self, message_id: int) -> None:
        self._log.append(f"delete {message_id}")

    async def set_typing(self, active: bool) -> None:
        self._log.append(f"typing {active}")

    async def mark_read(self, message_id: int) -> None:
        self._log.append(f"read {message_id}")

    async def send_file(
        self,
        source: Path | str | AsyncReader,
        *,
        name: str | None = None,
        size: int | None = None,
        media_type: str = "",
    ) -> OutgoingFile:
        assert isinstance(source, Path)
        self._log.append(f"offer {source.name}")
        self.file = FakeOutgoingFile(self._log, source.name, source.stat().st_size)
        return self.file

    async def request_direct(self) -> bool:
        self._log.append("ask direct")
        return False

    async def hang_up(self) -> None:
        if self._ended is None:
            self._log.append("hang up")
            self.emit(events.Ended(EndReason.HUNG_UP, 0))


class FakeRing(Ring):
    """A ring from the test."""

    def __init__(self, log: list[str], caller: str, known: Contact | None = None, at: float = START) -> None:
        self.caller = Username(caller)
        self.started_at = at
        self.expires_at = at + 45
        self.contact = known
        self._log = log
        self._outcome: asyncio.Future[RingEnd] = asyncio.get_running_loop().create_future()
        self.conversation = FakeConversation(log, caller, at=at)

    @property
    def account(self) -> AccountId:
        return AccountId(b"\3" * 32)

    @property
    def device(self) -> DeviceId:
        return DeviceId(b"\4" * 16)

    @property
    def safety_number(self) -> SafetyNumber:
        return SafetyNumber(DIGITS, b"qr")

    @property
    def end(self) -> RingEnd | None:
        return self._outcome.result() if self._outcome.done() else None

    def stop(self, end: RingEnd) -> None:
        """End the ring."""
        if not self._outcome.done():
            self._outcome.set_result(end)

    async def ended(self) -> RingEnd:
        return await asyncio.shield(self._outcome)

    async def accept(self) -> Conversation:
        self._log.append(f"accept {self.caller}")
        self.stop(RingEnd.ACCEPTED)
        return self.conversation

    async def decline(self, *, busy: bool = False) -> None:
        self._log.append(f"decline {self.caller}")
        self.stop(RingEnd.DECLINED)


def _canonical(name: str) -> Username:
    """Do as the real one does: a name that cannot be is not found."""
    try:
        return canonical(name)
    except MalformedError:
        raise NotFoundError from None


class FakeClient(Client):
    """An account whose network is the test. `outcome` is what ringing anyone leads to."""

    def __init__(
        self, log: list[str], *contacts: Contact, name: str = "mira", registered: bool = True
    ) -> None:
        self.log = log
        self._contacts = {known.username: known for known in contacts}
        self._own_name = name
        self._registered = registered
        self._incoming: asyncio.Queue[Ring] = asyncio.Queue()
        self._news: asyncio.Queue[ClientEvent] = asyncio.Queue()
        self.outcome: FakeConversation | Exception | None = None
        self.login_error: Exception | None = None
        self.is_wiped = False

    @property
    def is_registered(self) -> bool:
        return self._registered

    @property
    def username(self) -> Username:
        return Username(self._own_name)

    @property
    def account_id(self) -> AccountId:
        return AccountId(b"\5" * 32)

    @property
    def state(self) -> ConnectionState:
        return ConnectionState.ONLINE

    @property
    def contacts(self) -> tuple[Contact, ...]:
        return tuple(sorted(self._contacts.values(), key=lambda known: known.username))

    def contact(self, username: str) -> Contact | None:
        return self._contacts.get(_canonical(username))

    async def __aenter__(self) -> Self:
        return self

    async def register(self, username: str) -> None:
        if username == "taken":
            raise UsernameTakenError
        self.log.append(f"register {username}")
        self._own_name = username
        self._registered = True

    async def login(self) -> None:
        self.log.append("login")
        if self.login_error is not None:
            raise self.login_error

    async def discover(self, username: str) -> bool:
        if username == "nobody":
            raise NotFoundError
        return True

    async def call(self, username: str, *, timeout: float = 45.0) -> Conversation:
        self.log.append(f"call {username}")
        try:
            while self.outcome is None:
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.log.append("stop ringing")
            raise
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def rings(self) -> AsyncIterator[Ring]:
        return self._iterate_rings()

    async def _iterate_rings(self) -> AsyncIterator[Ring]:
        while True:
            yield await self._incoming.get()

    def events(self) -> AsyncIterator[ClientEvent]:
        return self._iterate_events()

    async def _iterate_events(self) -> AsyncIterator[ClientEvent]:
        while True:
            yield await self._news.get()

    def ring_from(self, caller: str) -> FakeRing:
        """Let someone ring."""
        ring = FakeRing(self.log, caller, self._contacts.get(Username(caller)))
        self._incoming.put_nowait(ring)
        return ring

    def tell(self, event: ClientEvent) -> None:
        """Let something happen outside conversations."""
        self._news.put_nowait(event)

    def safety_number(self, username: str) -> SafetyNumber:
        if self.is_wiped:
            raise LockedError
        if Username(username) not in self._contacts:
            raise NotFoundError
        return SafetyNumber(DIGITS, b"\1" * 66)

    async def mark_verified(self, username: str, verified: bool = True) -> None:
        self.log.append(f"verified {username} {verified}")
        self._contacts[Username(username)] = replace(self._contacts[Username(username)], verified=verified)

    async def accept_new_key(self, username: str) -> None:
        self.log.append(f"new key {username}")
        self._contacts[Username(username)] = contact(username)

    async def forget(self, username: str) -> None:
        self.log.append(f"forget {username}")
        if self._contacts.pop(Username(username), None) is None:
            raise NotFoundError

    async def account_data(self) -> Account:
        raise NotImplementedError

    async def delete_account(self) -> None:
        self.log.append("delete")

    def panic(self) -> None:
        self.log.append("panic")
        self.is_wiped = True

    async def lock(self) -> None:
        self.log.append("lock")
        self.is_wiped = True

    async def close(self) -> None:
        self.log.append("close")


@dataclass
class FakeOpener:
    """Opens a fake account; only the passphrase "open sesame" fits."""

    client: FakeClient
    log: list[str] = field(default_factory=list)

    async def __call__(
        self, profile: Profile, server: str, passphrase: Passphrase | None, is_new: bool
    ) -> Client:
        self.log.append("create" if is_new else "open")
        if passphrase is not None and passphrase.reveal() != "open sesame":
            raise WrongPassphraseError
        if is_new:
            profile.make()
            profile.vault.write_bytes(b"sealed")
        self.client.is_wiped = False
        return self.client


def cancelled(file_id: bytes, fault: FileFault) -> events.FileCancelled:
    """Return the news that a file will not arrive."""
    return events.FileCancelled(file_id, fault)

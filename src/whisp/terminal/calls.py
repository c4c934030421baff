"""The controller: it alone talks to the SDK, and tells the app by messages what happened."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from textual.message import Message

from whisp.client import events
from whisp.client.client import Client
from whisp.client.conversation import Conversation, DirectRequest
from whisp.client.errors import (
    ClientError,
    ConversationEndedError,
    EndReason,
    FileTransferError,
    LockedError,
    NotFoundError,
    NotRegisteredError,
    RingEnd,
)
from whisp.client.events import ConnectionState, Line
from whisp.client.files import IncomingFile, OutgoingFile
from whisp.client.people import Contact, SafetyNumber
from whisp.client.ring import Ring
from whisp.terminal import happenings as news
from whisp.terminal.exits import explain
from whisp.terminal.opening import Opener, make_account
from whisp.terminal.passphrase import Passphrase
from whisp.terminal.profile import Profile
from whisp.wire.errors import WhispError

__all__ = ["Calls"]

_Files: TypeAlias = "dict[bytes, IncomingFile | OutgoingFile]"


class Calls:
    """One account, at most one conversation. Its methods return at once; results come as messages.

    `post` delivers a message to the app; `now` is Unix seconds. Every task it starts ends with the account.
    """

    def __init__(
        self,
        profile: Profile,
        server: str,
        opener: Opener,
        post: Callable[[Message], object],
        now: Callable[[], float],
    ) -> None:
        self.profile = profile
        self.server = server
        self._opener = opener
        self._post = post
        self._now = now
        self._client: Client | None = None
        self._conversation: Conversation | None = None
        self._files: _Files = {}
        self._requests: list[DirectRequest] = []
        self._ringing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # Opening and closing

    def open(self, passphrase: Passphrase | None) -> None:
        """Open the vault and go online. Answers with Opened or OpenFailed."""
        self._start(self._open(passphrase))

    def register(self, username: str, passphrase: Passphrase | None) -> None:
        """Make a vault and an account in it, and go online. Answers with Opened or OpenFailed."""
        self._start(self._register(username, passphrase))

    def panic(self) -> None:
        """Wipe everything, now. Nothing is waited for."""
        client, self._client = self._client, None
        if client is not None:
            client.panic()
        self._drop()

    def lock(self) -> None:
        """End the call with a word to the other side, then wipe. Answers with Locked."""
        self._start(self._lock())

    async def say_goodbye(self) -> None:
        """End the call with a word to the other side, and wipe."""
        client, self._client = self._client, None
        if client is not None:
            await client.lock()

    async def close(self) -> None:
        """Hang up, go offline, stop every task."""
        client, self._client = self._client, None
        self._drop()
        if client is not None:
            await client.close()

    # What is known without asking anyone

    @property
    def is_open(self) -> bool:
        """Say whether an account is open."""
        return self._client is not None

    @property
    def conversation(self) -> Conversation | None:
        """The one that lives."""
        return self._conversation

    @property
    def username(self) -> str:
        """The own name, empty while locked."""
        return self._client.username if self._client is not None else ""

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Everyone pinned on this device."""
        return self._client.contacts if self._client is not None else ()

    def contact(self, name: str) -> Contact | None:
        """Return the contact of that name; none has a name that cannot be."""
        try:
            return self._client.contact(name) if self._client is not None else None
        except NotFoundError:
            return None

    def safety_number(self, name: str) -> SafetyNumber:
        """Return the number to compare. Raises NotFoundError, LockedError."""
        return self._opened().safety_number(name)

    def vouch(self, name: str, matches: bool) -> None:
        """Note whether the safety numbers matched."""
        self._start(self._opened().mark_verified(name, matches))

    def new_safety_number(self, name: str) -> SafetyNumber:
        """Return the number of the changed key of a contact. Raises NotFoundError if none changed."""
        client = self._opened()
        contact = client.contact(name)
        if contact is None or contact.changed_to is None:
            raise NotFoundError
        return SafetyNumber.between(client.account_id, contact.changed_to)

    def accept_new_key(self, name: str) -> None:
        """Keep the changed key of a contact, which was just compared and matches."""
        self._start(self._accept_new_key(name))

    def forget(self, name: str) -> None:
        """Remove a contact."""
        self._start(self._opened().forget(name))

    # Rings

    def ring(self, name: str) -> None:
        """Ring someone. Answers with CallBegan or CallFailed."""
        if self._conversation is None and self._ringing is None:
            self._ringing = self._start(self._ring(name))

    def stop_ringing(self) -> None:
        """Stop ringing. Nothing answers."""
        if self._ringing is not None:
            self._ringing.cancel()
            self._ringing = None

    def accept(self, ring: Ring) -> None:
        """Answer a ring. Answers with CallBegan or CallFailed."""
        self._start(self._accept(ring))

    def decline(self, ring: Ring) -> None:
        """Refuse a ring."""
        self._start(ring.decline())

    # The conversation

    def send_text(self, place: int, text: str) -> None:
        """Send a text. Answers with Sent or SendFailed, naming `place`."""
        self._start(self._send_text(place, text))

    def edit_text(self, place: int, number: int, text: str) -> None:
        """Edit an own text. Answers only if that fails, with SendFailed, naming `place`."""
        if self._conversation is not None:
            self._start(self._change(place, self._conversation.edit_text(number, text)))

    def delete_text(self, place: int, number: int) -> None:
        """Delete an own text on both sides. Answers only if that fails, with SendFailed."""
        if self._conversation is not None:
            self._start(self._change(place, self._conversation.delete_text(number)))

    def set_typing(self, active: bool) -> None:
        """Tell the other side that someone types here."""
        if self._conversation is not None:
            self._start(self._quietly(self._conversation.set_typing(active)))

    def mark_read(self, number: int) -> None:
        """Tell the other side what was seen."""
        if self._conversation is not None:
            self._start(self._quietly(self._conversation.mark_read(number)))

    def offer_file(self, path: Path) -> None:
        """Offer a file. Answers with FileNews."""
        self._start(self._offer_file(path))

    def save_file(self, file_id: bytes, folder: Path) -> None:
        """Take an offered file into `folder`. Answers with FileNews if that fails."""
        file = self._files.get(file_id)
        if isinstance(file, IncomingFile):
            self._start(self._with_file(file, file.accept(folder)))

    def decline_file(self, file_id: bytes) -> None:
        """Refuse an offered file."""
        file = self._files.get(file_id)
        if isinstance(file, IncomingFile):
            self._start(self._with_file(file, file.decline()))

    def cancel_file(self, file_id: bytes) -> None:
        """Stop a file, in or out."""
        file = self._files.get(file_id)
        if file is not None:
            self._start(self._with_file(file, file.cancel()))

    def answer_direct(self, accept: bool) -> None:
        """Answer the oldest question for a direct line."""
        if self._requests:
            request = self._requests.pop(0)
            self._start(self._quietly(request.accept() if accept else request.refuse()))

    def ask_direct(self) -> None:
        """Ask for a direct line; `LineChanged` follows if it comes about."""
        if self._conversation is not None:
            self._start(self._quietly(self._conversation.request_direct()))

    def hang_up(self) -> None:
        """End the conversation. Answers with CallEnded."""
        if self._conversation is not None:
            self._start(self._quietly(self._conversation.hang_up()))

    # The work behind them

    async def _open(self, passphrase: Passphrase | None) -> None:
        try:
            client = await self._opener(self.profile, self.server, passphrase, False)
            await client.__aenter__()
            if not client.is_registered:
                client.panic()
                raise NotRegisteredError
        except (WhispError, OSError) as error:
            self._post(news.OpenFailed(error))
            return
        await self._go_online(client, is_new=False)

    async def _register(self, username: str, passphrase: Passphrase | None) -> None:
        try:
            client = await make_account(self._opener, self.profile, self.server, passphrase, username)
        except (WhispError, OSError) as error:
            self._post(news.OpenFailed(error))
            return
        await self._go_online(client, is_new=True)

    async def _go_online(self, client: Client, *, is_new: bool) -> None:
        self._client = client
        self._start(self._watch_rings(client))
        self._start(self._watch_client(client))
        self._post(news.Opened(client.username, is_new))
        try:
            await client.login()
        except (WhispError, OSError) as error:
            self._post(news.ConnectionNews(is_online=False, sentence=explain(error)[1]))
        else:
            self._post(news.ConnectionNews(is_online=True, sentence=""))

    async def _accept_new_key(self, name: str) -> None:
        client = self._opened()
        await client.accept_new_key(name)
        await client.mark_verified(name)

    async def _lock(self) -> None:
        await self.say_goodbye()
        self._post(news.Locked())
        self._drop()

    async def _watch_rings(self, client: Client) -> None:
        async for ring in client.rings():
            self._post(news.RingArrived(ring))
            self._start(self._watch_ring(ring))

    async def _watch_ring(self, ring: Ring) -> None:
        end = await ring.ended()
        if end is not RingEnd.ACCEPTED:
            self._post(news.RingOver(ring, end))

    async def _watch_client(self, client: Client) -> None:
        async for event in client.events():
            match event:
                case events.ConnectionChanged(state=state, reason=reason):
                    online = state is ConnectionState.ONLINE
                    self._post(news.ConnectionNews(is_online=online, sentence="" if online else reason or ""))
                case events.ServerWarned(sentence=sentence):
                    online = client.state is ConnectionState.ONLINE
                    self._post(news.ConnectionNews(is_online=online, sentence=sentence))
                case events.ClientLocked():
                    self._post(news.Locked())
                case events.KeyChanged():
                    pass  # the ring that met the key says so itself

    async def _ring(self, name: str) -> None:
        try:
            conversation = await self._opened().call(name)
        except (WhispError, OSError) as error:
            self._post(news.CallFailed(name, error))
            return
        finally:
            self._ringing = None
        self._begin(conversation)

    async def _accept(self, ring: Ring) -> None:
        try:
            conversation = await ring.accept()
        except (WhispError, OSError) as error:
            self._post(news.CallFailed(ring.caller, error))
            return
        self._begin(conversation)

    def _begin(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._post(news.CallBegan(conversation.members[0].username))
        self._start(self._watch(conversation))

    async def _watch(self, conversation: Conversation) -> None:
        name, started_at = conversation.members[0].username, conversation.started_at
        reason, lost = EndReason.LOST, 0
        async for event in _until_end(conversation):
            match event:
                case events.Ended():
                    reason, lost = event.reason, event.lost
                case events.FileOffered(file=file):
                    self._files[file.id] = file
                case events.DirectRequested(request=request):
                    self._requests.append(request)
                case _:
                    pass
            self._post(news.CallNews(event))
        self._conversation = None
        self._files.clear()
        self._requests.clear()
        seconds = max(0.0, self._now() - started_at)
        self._post(news.CallEnded(news.Summary(name, reason, seconds, lost)))

    async def _send_text(self, place: int, text: str) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        try:
            sent = await conversation.send_text(text)
        except WhispError as error:
            self._post(news.SendFailed(place, error))
            return
        self._post(news.Sent(place, sent, is_waiting=conversation.line is Line.HELD))

    async def _change(self, place: int, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except WhispError as error:
            self._post(news.SendFailed(place, error))

    async def _offer_file(self, path: Path) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        try:
            file = await conversation.send_file(path)
        except (WhispError, OSError) as error:
            self._post(news.FileNews(b"", path.name, 0, error))
            return
        self._files[file.id] = file
        self._post(news.FileNews(file.id, file.name, file.size))

    async def _with_file(self, file: IncomingFile | OutgoingFile, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (FileTransferError, ConversationEndedError, OSError) as error:
            self._post(news.FileNews(file.id, file.name, file.size, error))

    async def _quietly(self, work: Coroutine[Any, Any, object]) -> None:
        """Do what no longer matters once the conversation is over."""
        try:
            await work
        except ClientError:
            return  # Ended says why, or said it already

    def _opened(self) -> Client:
        if self._client is None:
            raise LockedError
        return self._client

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ClientError):
            self._post(news.CallFailed("", error))
        elif isinstance(error, Exception):
            self._post(news.FaultFound(error))

    def _drop(self) -> None:
        self._conversation = None
        self._files.clear()
        self._requests.clear()
        self._ringing = None
        for task in tuple(self._tasks):
            task.cancel()


async def _until_end(conversation: Conversation) -> AsyncIterator[events.ConversationEvent]:
    async for event in conversation:
        yield event
        if isinstance(event, events.Ended):
            return

"""A live conversation: texts, receipts, typing and files between its members, until someone hangs up."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Self

from whisp.client.errors import EndReason
from whisp.client.events import ConversationEvent, Line, SentMessage
from whisp.client.files import AsyncReader, OutgoingFile
from whisp.client.people import Member

__all__ = ["Conversation", "DirectRequest"]


class DirectRequest:
    """The peer's question whether both sides may learn each other's address."""

    async def accept(self) -> None:
        """Allow a direct line for this conversation; `LineChanged(DIRECT)` follows if it comes about."""
        raise NotImplementedError

    async def refuse(self) -> None:
        """Stay on the relay. This side's address was never shown."""
        raise NotImplementedError


class Conversation:
    """A conversation as its application holds it. `Client.call` and `Ring.accept` make one.

    Use it as an async context manager (leaving hangs up) and as an async iterator of events. Events wait in
    a bounded queue: an application that stops reading them stops its peer, it never fills memory.
    Every method raises ConversationEndedError once it is over.
    """

    @property
    def members(self) -> tuple[Member, ...]:
        """The other members."""
        raise NotImplementedError

    @property
    def own(self) -> Member:
        """This device as a member."""
        raise NotImplementedError

    @property
    def line(self) -> Line:
        """How frames travel now."""
        raise NotImplementedError

    @property
    def session_code(self) -> str:
        """Six groups of five digits, alike on both sides of this very session and no other."""
        raise NotImplementedError

    @property
    def started_at(self) -> float:
        """Unix seconds."""
        raise NotImplementedError

    @property
    def ended(self) -> EndReason | None:
        """Why it is over, None while it lives."""
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[ConversationEvent]:
        """Iterate over events; the last is `Ended`."""
        raise NotImplementedError

    async def receive(self) -> ConversationEvent:
        """Return the next event. Raises ConversationEndedError after `Ended` was returned."""
        raise NotImplementedError

    async def send_text(self, text: str, *, reply_to: int | None = None) -> SentMessage:
        """Send a text. Returns when it is encrypted and queued; `Delivered` tells when it arrived.

        Raises:
            LocalProtocolError: empty, or longer than a message can be.
        """
        raise NotImplementedError

    async def set_typing(self, active: bool) -> None:
        """Tell the others that someone types here, or stopped. Repeats are not sent."""
        raise NotImplementedError

    async def mark_read(self, message_id: int) -> None:
        """Tell the sender that the person saw its message and all before it. No-op with receipts off."""
        raise NotImplementedError

    async def send_file(
        self,
        source: Path | str | AsyncReader,
        *,
        name: str | None = None,
        size: int | None = None,
        media_type: str = "",
    ) -> OutgoingFile:
        """Offer a file. `name` and `size` are required for a reader and taken from the path otherwise.

        Raises:
            FileTransferError: the path cannot be read.
        """
        raise NotImplementedError

    async def request_direct(self) -> bool:
        """Ask for a direct line and wait for it; say whether it came about.

        Asking shows the peer this device's addresses. The relay stays as the way back.
        """
        raise NotImplementedError

    async def hang_up(self) -> None:
        """Say goodbye, wipe the keys, end. Waits at most half a second for the goodbye to leave."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

"""A conversation in line mode: lines in are messages out, messages in are lines out."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from whisp.client import events
from whisp.client.errors import ConversationEndedError, EndReason, FileTransferError
from whisp.client.files import IncomingFile
from whisp.terminal import words
from whisp.terminal.exits import Exit
from whisp.terminal.inert import inert_line
from whisp.terminal.output import Output
from whisp.wire.errors import LocalProtocolError

if TYPE_CHECKING:
    from whisp.client.conversation import Conversation

__all__ = ["LineChat", "end_sentence", "exit_for"]

_LAST_WORDS_SECONDS: Final = 10.0
"""How long the end of input waits for the last lines to be delivered before it hangs up."""

_ORDERLY: Final = frozenset(
    {EndReason.HUNG_UP, EndReason.PEER_HUNG_UP, EndReason.PEER_LOCKED, EndReason.LOCKED}
)


def exit_for(reason: EndReason) -> Exit:
    """Return the exit code for the end of a conversation."""
    if reason in _ORDERLY:
        return Exit.OK
    broken = (EndReason.TAMPERED, EndReason.FORKED, EndReason.REVOKED)
    return Exit.KEY_CHANGED if reason in broken else Exit.FAILURE


def end_sentence(reason: EndReason, name: str) -> str | None:
    """Return what to add to "Everything is gone.", None when there is nothing to add."""
    match reason:
        case EndReason.HUNG_UP | EndReason.LOCKED:
            return None
        case EndReason.PEER_HUNG_UP:
            return f"{name} hung up, and says it has wiped too."
        case EndReason.PEER_LOCKED:
            return f"{name} locked the device, and says it has wiped too."
        case EndReason.LOST:
            return words.unheard(name)
        case EndReason.REVOKED:
            return f"{words.STOPPED} A device in it was removed from its account."
        case EndReason.TAMPERED:
            return f"{words.STOPPED} Someone who was not {name} was on the line."
        case EndReason.FORKED:
            return f"{words.STOPPED} The server shows the two of you different lists of devices."
        case EndReason.PROTOCOL | EndReason.STALLED:
            return f"{words.STOPPED} {name}’s device did not keep to the protocol."


class LineChat:
    """Runs one conversation over lines until someone hangs up or, unless it stays, the input ends."""

    def __init__(self, conversation: "Conversation", output: Output, *, stay: bool = False) -> None:
        self._conversation = conversation
        self._output = output
        self._stay = stay
        self._name = inert_line(conversation.members[0].username)
        self._on_their_way: set[int] = set()
        self._all_arrived = asyncio.Event()
        self._all_arrived.set()

    async def run(self, lines: AsyncIterator[str]) -> Exit:
        """Talk until it is over; return the exit code for how it ended."""
        self._output.tell(words.line_sentence(self._conversation.line, self._name))
        self._output.tell(words.BANNER)
        self._output.record("live", name=self._name, line=str(self._conversation.line))
        writing = asyncio.create_task(self._write(lines))
        try:
            return await self._read()
        finally:
            writing.cancel()
            await self._conversation.hang_up()

    async def _write(self, lines: AsyncIterator[str]) -> None:
        try:
            async for line in lines:
                if not line:
                    continue
                try:
                    sent = await self._conversation.send_text(line)
                except LocalProtocolError as error:
                    self._output.tell(inert_line(str(error)))
                    continue
                self._on_their_way.add(sent.id)
                self._all_arrived.clear()
                self._output.record("sent", id=sent.id, text=sent.text, at=sent.at)
            if self._stay:
                return
            try:
                await asyncio.wait_for(self._all_arrived.wait(), _LAST_WORDS_SECONDS)
            except TimeoutError:
                self._output.tell("The last lines were not confirmed before hanging up.")
            await self._conversation.hang_up()
        except ConversationEndedError:
            return  # the reading side tells why

    async def _read(self) -> Exit:
        async for event in self._conversation:
            match event:
                case events.TextReceived():
                    self._output.message(event.sender.username, event.text)
                    self._output.record(
                        "text", id=event.id, sender=event.sender.username, text=event.text, at=event.at
                    )
                    await self._mark_read(event.id)
                case events.TextEdited():
                    self._output.tell(f"{self._name} edited a message. It now says:")
                    self._output.message(event.sender.username, event.text)
                    self._output.record(
                        "edited", id=event.id, sender=event.sender.username, text=event.text, at=event.at
                    )
                case events.TextDeleted():
                    self._output.tell(f"{self._name} deleted a message.")
                    self._output.record("deleted", id=event.id, sender=event.sender.username)
                case events.Reacted(to=to, symbol=symbol):
                    done = f"reacted {inert_line(symbol)}" if symbol else "took a reaction back"
                    self._output.tell(f"{self._name} {done}.")
                    self._output.record("reaction", id=to.id, own=to.is_own, symbol=symbol)
                case events.Delivered(id=last, first=first):
                    self._output.record("delivered", id=last, first=first)
                    self._settle(first, last)
                case events.Undelivered(id=last, first=first):
                    lost = words.count(last - first + 1, "line")
                    self._output.tell(f"{lost} did not arrive. Say it again.")
                    self._output.record("undelivered", id=last, first=first)
                    self._settle(first, last)
                case events.Read(id=last, first=first):
                    self._output.record("read", id=last, first=first)
                case events.Typing():
                    self._output.record("typing", active=event.active)
                case events.Gap():
                    self._output.tell(words.lost_messages(event.count))
                    self._output.record("gap", count=event.count)
                case events.LineChanged():
                    self._output.tell(words.line_sentence(event.line, self._name))
                    self._output.record("line", line=str(event.line), held_until=event.held_until)
                case events.FileOffered(file=file):
                    await self._refuse(file)
                case events.DirectRequested(request=request):
                    await request.refuse()
                case events.Ended():
                    return self._ended(event)
                case _:
                    pass
        return Exit.OK

    def _settle(self, first: int, last: int) -> None:
        self._on_their_way.difference_update(range(first, last + 1))
        if not self._on_their_way:
            self._all_arrived.set()

    async def _mark_read(self, number: int) -> None:
        try:
            await self._conversation.mark_read(number)
        except ConversationEndedError:
            return  # Ended is next in line

    async def _refuse(self, file: IncomingFile) -> None:
        name = inert_line(file.name)
        self._output.tell(f"{self._name} offers {name}, {words.size(file.size)}. whisp receive takes files.")
        self._output.record("file_declined", name=file.name, size=file.size)
        try:
            await file.decline()
        except (FileTransferError, ConversationEndedError):
            return  # withdrawn meanwhile

    def _ended(self, event: events.Ended) -> Exit:
        if event.lost:
            self._output.tell(words.lost_messages(event.lost))
        self._output.record("ended", reason=str(event.reason), lost=event.lost)
        if (sentence := end_sentence(event.reason, self._name)) is not None:
            self._output.tell(sentence)
        return exit_for(event.reason)

"""A live conversation: texts, receipts, typing and files between its members, until someone hangs up.

One driver runs the core's session: frames in, events out, and the clock. A frame is handled where it
arrives, on the event loop, without a task in between.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Self

from whisp.client.changes import Changes
from whisp.client.clock import Alarm
from whisp.client.conversation_events import told_of
from whisp.client.conversation_host import BYES, REASONS, ConversationHost, take_peer_list
from whisp.client.errors import ConversationEndedError, EndReason, FileFault, FileTransferError
from whisp.client.events import (
    ConversationEvent,
    Ended,
    Line,
    LineChanged,
    Quote,
    SentMessage,
    Typing,
)
from whisp.client.file_source import AsyncReader
from whisp.client.files import OutgoingFile
from whisp.client.inbox import Inbox
from whisp.client.lines import DirectRequest, Lines
from whisp.client.people import Member
from whisp.client.rtc_certificate import RtcTerms
from whisp.client.said_texts import SaidTexts, reference_of
from whisp.client.transfers import Transfers
from whisp.client.transport.transport import FrameHandler, Transport
from whisp.core import content as said
from whisp.core import events as core
from whisp.core.errors import SessionEndedError
from whisp.core.file_key import FileId
from whisp.core.file_stream import CHUNK_FRAME_TYPE, FileReceiver, FileSender
from whisp.core.safety_number import session_code
from whisp.core.session import Session
from whisp.wire import api
from whisp.wire.device_list import DeviceList

__all__ = ["Conversation", "DirectRequest"]


class Conversation:
    """A conversation as its application holds it. `Client.call` and `Ring.accept` make one.

    Use it as an async context manager (leaving hangs up) and as an async iterator of events. Events wait in
    a bounded queue: an application that stops reading them stops its peer, it never fills memory.
    Every method raises ConversationEndedError once it is over.
    """

    def __init__(
        self,
        session: Session,
        own: Member,
        peer: Member,
        host: ConversationHost,
        rtc: RtcTerms | None = None,
    ) -> None:
        """Applications do not make conversations: `Client.call` and `Ring.accept` do."""
        self._session = session
        self._own = own
        self._peer = peer
        self._host = host
        self._clock = host.clock
        self._started_at = self._clock.now()
        self._session_code = session_code(session.exporter.expose())
        self._inbox = Inbox(self._hold)
        self._texts = SaidTexts(peer)
        self._transfers = Transfers(self, self._open_outgoing)
        self._lines = Lines(self, session.exporter.expose(), allowed=host.allow_direct, rtc=rtc)
        self._relay: Transport | None = None
        self._is_peer_up = True
        self._line = Line.RELAYED
        self._typing = False
        self._end: EndReason | None = None
        self._peer_left: core.PeerLeft | None = None
        self._alarm = Alarm(self._tick_if_due)
        self._changes = Changes()
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"Conversation({self._end or self._line})"

    # What it is

    @property
    def members(self) -> tuple[Member, ...]:
        """The other members."""
        return (self._peer,)

    @property
    def own(self) -> Member:
        """This device as a member."""
        return self._own

    @property
    def line(self) -> Line:
        """How frames travel now."""
        return self._line

    @property
    def session_code(self) -> str:
        """Six groups of five digits, alike on both sides of this very session and no other."""
        return self._session_code

    @property
    def started_at(self) -> float:
        """Unix seconds."""
        return self._started_at

    @property
    def ended(self) -> EndReason | None:
        """Why it is over, None while it lives."""
        return self._end

    # What happens

    async def receive(self) -> ConversationEvent:
        """Return the next event; after the last, `Ended`, return it again."""
        return await self._inbox.get()

    async def __aiter__(self) -> AsyncIterator[ConversationEvent]:
        """Iterate over events; the last is `Ended`."""
        while True:
            event = await self._inbox.get()
            yield event
            if isinstance(event, Ended):
                return

    # What to do

    async def send_text(self, text: str, *, reply_to: Quote | None = None) -> SentMessage:
        """Send a text. Returns when it is encrypted and queued; `Delivered` tells when it arrived.

        While the line is held some texts wait for it; then this call waits too.

        Raises:
            LocalProtocolError: empty, or over 32 KiB.
        """
        self._host.touched()
        number = await self._send(said.Text(text, reference_of(reply_to) if reply_to is not None else None))
        self._texts.sent(number)
        self._typing = False
        await self.drain()
        return SentMessage(number, text, self._clock.now(), reply_to)

    async def edit_text(self, message_id: int, text: str) -> None:
        """Replace an own text, on both sides. Waits as `send_text` does.

        Raises:
            LocalProtocolError: not an own text, or a deleted one; empty, or over 32 KiB.
        """
        self._require_live()
        self._texts.require_own(message_id)
        await self._say(said.TextEdit(message_id, text))

    async def delete_text(self, message_id: int) -> None:
        """Delete an own text for both sides, for good. Waits as `send_text` does.

        Raises:
            LocalProtocolError: not an own text, or deleted already.
        """
        self._require_live()
        self._texts.delete_own(message_id)
        await self._say(said.TextDelete(message_id))

    async def react(self, to: Quote, symbol: str) -> None:
        """React to a text of either side, in place of the own reaction before; "" takes it back.

        Raises:
            LocalProtocolError: no such text, or a deleted one; over 32 bytes, or not one visible symbol.
        """
        self._require_live()
        await self._say(said.Reaction(self._texts.reference(to), symbol))

    async def set_typing(self, active: bool) -> None:
        """Tell the others that someone types here, or stopped. Repeats are not sent."""
        self._require_live()
        self._host.touched()
        if active is not self._typing:
            self._typing = active
            if self._session.can_send:
                await self._send(said.Typing(active))

    async def mark_read(self, message_id: int) -> None:
        """Tell the sender that the person saw its message and all before it; nothing with receipts off.

        Raises:
            LocalProtocolError: no such message has come.
        """
        self._require_live()
        self._host.touched()
        if self._host.receipts:
            self._session.mark_read(message_id, self._clock.now())
            self._rearm()

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
            LocalProtocolError: a name or size out of range, or 32 transfers are open.
        """
        self._require_live()
        self._host.touched()
        offer, file = await self._transfers.offer(source, name, size, media_type)
        try:
            await self._send(offer)
        except BaseException:
            file.fail(FileFault.ENDED, tell_peer=False)
            raise
        return file

    async def request_direct(self) -> bool:
        """Ask for a direct line and wait for it; say whether it came about.

        It shows each side the other's address, so the peer is asked, unless its client allows it always.
        """
        self._require_live()
        self._host.touched()
        return await self._lines.request()

    async def hang_up(self) -> None:
        """Say goodbye, wipe the keys, end. Waits at most half a second for the goodbye to leave."""
        if self._end is not None:
            return
        self._leave(said.ByeReason.HUNG_UP, core.EndReason.HUNG_UP)
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    # For the client: lines come and go

    def attach(self, relay: Transport, *, is_first: bool) -> FrameHandler:
        """Use a relay route from now on; return what takes the frames that arrive on it."""
        self._relay = relay
        self._is_peer_up = True
        if len(self._inbox) and self._inbox.is_full:
            relay.pause_reading()
        if is_first:
            self._rearm()
        elif self._lines.transport is None:
            self._resume()
        self._lines.attached()
        return self._receiver(relay)

    def detach(self) -> None:
        """The relay is gone for now."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        if self._lines.transport is None:
            self._hold_line()

    def peer_changed(self, is_up: bool) -> None:
        """The server says that the peer's socket is gone, or back."""
        self._is_peer_up = is_up
        if self._lines.transport is not None:
            return
        if is_up and self._relay is not None:
            self._resume()
        elif not is_up:
            self._hold_line()

    def line_opened(self, transport: Transport) -> FrameHandler:
        """A line beside the relay stands: send there from now on; return what takes its frames."""
        self._transfers.line_lost()
        self._resume()
        if self._inbox.is_full:
            transport.pause_reading()
        return self._receiver(transport)

    def line_closed(self) -> None:
        """That line is gone: back to the relay, losing and doubling nothing."""
        if self._end is not None:
            return
        if self._relay is not None and self._is_peer_up:
            self._session.line_down(self._clock.now())
            self._transfers.line_lost()
            self._resume()
        else:
            self._hold_line()

    def line_is_tampered_with(self) -> None:
        """End: somebody else is at the other end of that line."""
        if self._end is None:
            self._leave(said.ByeReason.PROTOCOL, core.EndReason.TAMPERED)

    async def turn_credentials(self) -> api.TurnCredentials | None:
        """Ask the server for TURN credentials for this call; None when it has none to give."""
        return await self._host.turn_credentials(self)

    def consent_to_direct(self) -> None:
        """Allow a direct line without being asked: the client's option, and the caller allows it too."""
        self._lines.consent()

    def wipe(self) -> None:
        """End at once: keys, buffers and unread events go; only a goodbye that lay ready is sent."""
        if self._end is not None:
            self._inbox.clear()
            return
        transport = self._transport
        bye = self._session.panic()
        if bye is not None and transport is not None:
            transport.send(bye)
        self._inbox.clear()
        self._finish(EndReason.LOCKED)

    def leave_for(self, reason: EndReason) -> None:
        """End because of what was found out about a device list."""
        if self._end is None:
            bye = said.ByeReason.REVOKED if reason is EndReason.REVOKED else said.ByeReason.PROTOCOL
            end = core.EndReason.REVOKED if reason is EndReason.REVOKED else core.EndReason.FORKED
            self._leave(bye, end)

    def show_list(self, device_list: DeviceList) -> None:
        """Send this account's newer device list to the peer."""
        self.send_soon(said.ListUpdate(device_list.encode()))

    # For transfers and lines

    @property
    def may_use_loopback(self) -> bool:
        """Whether both peers may be on this very machine: the server is."""
        return self._host.may_use_loopback

    @property
    def is_line_up(self) -> bool:
        """Whether frames can travel."""
        return self._end is None and self._transport is not None

    async def send_content(self, content: said.Content) -> None:
        """Send a content, when there is room. Raises ConversationEndedError."""
        await self._send(content)

    def send_soon(self, content: said.Content) -> None:
        """Send a content now if there is room, else in the background; nothing happens after the end."""
        if self._end is not None:
            return
        if not content.COUNTED or self._session.can_send:
            self._send_now(content)
        else:
            self._spawn(self._send_quietly(content))

    def send_chunk(self, frame: bytes) -> bool:
        """Queue a chunk; say whether to `drain` before the next."""
        transport = self._transport
        if transport is None:
            return False
        transport.send(frame)
        return transport.is_full

    async def drain(self) -> None:
        """Wait while too much is queued."""
        transport = self._transport
        if transport is not None:
            await transport.drain()

    def open_incoming(self, offer: said.FileOffer) -> FileReceiver:
        """Return the opening end of an offered file. Raises FileTransferError after the end."""
        if self._end is not None:
            raise FileTransferError(FileFault.ENDED)
        return self._session.open_incoming(offer)

    def close_file(self, file_id: FileId) -> None:
        """A transfer is over: wipe its key."""
        self._transfers.forget(file_id)
        if self._end is None and not self._session.is_ended:
            self._session.close_file(file_id)

    def tell(self, event: ConversationEvent) -> None:
        """Tell the application."""
        if self._end is None or isinstance(event, Ended):
            self._inbox.put(event)

    # The driver

    @property
    def _transport(self) -> Transport | None:
        return self._lines.transport or (self._relay if self._is_peer_up else None)

    def _receiver(self, transport: Transport) -> FrameHandler:
        def receive(frame: bytes | memoryview) -> None:
            if self._end is not None or not frame:
                return
            if frame[0] == CHUNK_FRAME_TYPE:
                if transport is self._transport:  # chunks keep order on one way only
                    self._transfers.receive_chunk(frame)
                return
            self._handle(self._session.receive(bytes(frame), self._clock.now()))
            self._tick_if_due()

        return receive

    def _handle(self, events: list[core.Event] | tuple[core.Event, ...]) -> None:
        for event in events:
            match event:
                case core.ContentReceived():
                    self._take(event.number, event.content)
                case core.Delivered() | core.Read() | core.Undelivered() | core.Gap() | core.ContentRefused():
                    self.tell(told_of(event))
                case core.ResendFrames():
                    for frame in event.frames:
                        self._push(frame)
                case core.ListReported():
                    self._host.own_list_reported(self, event.version, event.digest)
                case core.PeerLeft():
                    self._peer_left = event
                case core.Ended():
                    self._finish(self._reason(event.reason))
                case core.UnknownContent():
                    pass  # the peer is of a younger minor version; its number was counted
        if events:
            self._changes.tell()

    def _take(self, number: int, content: said.Content) -> None:
        if self._end is not None:
            return
        match content:
            case said.Text() | said.TextEdit() | said.TextDelete() | said.Reaction():
                self._host.touched()
                event = self._texts.heard(number, content, self._clock.now())
                if event is not None:
                    self.tell(event)
            case said.Typing():
                self.tell(Typing(self._peer, content.active))
            case said.FileOffer() | said.FileRequest() | said.FileAck() | said.FileCancel() | said.FileDone():
                self._transfers.receive(content)
            case (
                said.DirectConsent()
                | said.LineOffer()
                | said.LineAnswer()
                | said.RtcOffer()
                | said.RtcAnswer()
                | said.RtcCandidates()
                | said.RtcClose()
            ):
                self._lines.receive(content)
            case said.ListUpdate():
                self._take_list(content)
            case _:
                pass  # the session keeps the others to itself

    def _take_list(self, update: said.ListUpdate) -> None:
        taken = take_peer_list(self._host, self._peer, update)
        if isinstance(taken, EndReason):
            self.leave_for(taken)
        else:
            self._session.hold_list(taken)

    async def _say(self, content: said.Content) -> None:
        self._host.touched()
        await self._send(content)
        await self.drain()

    async def _send(self, content: said.Content) -> int:
        while True:
            self._require_live()
            if not content.COUNTED or self._session.can_send:
                return self._send_now(content)
            await self._changes.next()

    async def _send_quietly(self, content: said.Content) -> None:
        try:
            await self._send(content)
        except ConversationEndedError:
            return

    def _send_now(self, content: said.Content) -> int:
        try:
            sent = self._session.send(content, self._clock.now())
        except SessionEndedError:
            self._finish(self._reason(self._session.end_reason))
            raise ConversationEndedError(self._end or EndReason.LOST) from None
        if sent.frame is not None:
            self._push(sent.frame)
        self._rearm()
        return sent.number

    def _push(self, frame: bytes) -> None:
        transport = self._transport
        if transport is not None:
            transport.send(frame)

    def _resume(self) -> None:
        """There is a line again: say what came last, and go on."""
        if self._end is not None or self._transport is None:
            return
        for frame in self._session.line_up(self._clock.now()):
            self._push(frame)
        self._change_line(self._lines.line)
        self._transfers.line_back()
        self._changes.tell()
        self._rearm()

    def _hold_line(self) -> None:
        if self._end is not None or self._line is Line.HELD:
            return
        self._session.line_down(self._clock.now())
        self._transfers.line_lost()
        self._change_line(Line.HELD)
        self._rearm()

    def _change_line(self, line: Line) -> None:
        if line is not self._line:
            self._line = line
            self.tell(LineChanged(line, self._session.held_until if line is Line.HELD else None))

    def _hold(self, is_full: bool) -> None:
        """Slow the peer down while the application is behind."""
        for transport in (self._lines.transport, self._relay):
            if transport is None:
                continue
            if is_full:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _tick_if_due(self) -> None:
        if self._end is not None:
            return
        now = self._clock.now()
        if self._session.next_deadline(now) <= now:
            due = self._session.tick(now)
            for frame in due.frames:
                self._push(frame)
            self._handle(due.events)
        self._rearm()

    def _rearm(self) -> None:
        if self._end is None:
            now = self._clock.now()
            self._alarm.set(self._session.next_deadline(now), now)

    def _leave(self, bye_reason: said.ByeReason, end: core.EndReason) -> None:
        transport = self._transport
        bye = self._session.hang_up(self._clock.now(), bye_reason, end)
        if bye is not None and transport is not None:
            transport.send(bye)
        self._finish(REASONS[end])

    def _finish(self, reason: EndReason) -> None:
        """End, once: wipe, tell the application, let the lines go."""
        if self._end is not None:
            return
        self._end = reason
        self._line = Line.GONE
        self._alarm.cancel()
        self._session.wipe()
        self._transfers.end(abandon=reason is EndReason.LOCKED)
        self._lines.close()
        for task in self._tasks:
            task.cancel()
        lost = self._peer_left.lost if self._peer_left is not None else 0
        self._inbox.put(Ended(reason, lost))
        self._changes.tell()
        self._host.conversation_over(self)
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def _reason(self, reason: core.EndReason | None) -> EndReason:
        if self._peer_left is not None:
            return BYES.get(self._peer_left.reason, EndReason.PEER_HUNG_UP)
        return REASONS[reason or core.EndReason.LOST]

    def _open_outgoing(self, offer: said.FileOffer) -> FileSender:
        self._require_live()
        return self._session.open_outgoing(offer)

    def _require_live(self) -> None:
        if self._end is not None:
            raise ConversationEndedError(self._end)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

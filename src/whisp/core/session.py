"""A session: everything two devices say to each other from pick-up to hang-up (spec/session.md).

Bytes and times in, frames and events out. It numbers and orders contents, finds and repairs loss, confirms
what arrived, keeps the line alive, and leaves nothing behind when it ends.
"""

from dataclasses import dataclass, field
from typing import Final

from whisp.core.content import (
    Bye,
    ByeReason,
    Content,
    FileOffer,
    Heartbeat,
    ListReport,
    Receipt,
    Resume,
    Unknown,
    decode_body,
    decode_head,
    encode_content,
)
from whisp.core.errors import MessageKeyGoneError, RatchetEnd, RatchetEndedError, SessionEndedError
from whisp.core.events import (
    ContentReceived,
    ContentRefused,
    Ended,
    EndReason,
    Event,
    ListReported,
    Member,
    PeerLeft,
    ResendFrames,
    UnknownContent,
)
from whisp.core.file_key import FileId
from whisp.core.file_stream import FileReceiver, FileSender
from whisp.core.inbox import Delivery, Inbox
from whisp.core.key_schedule import Secret
from whisp.core.message_ratchet import MessageRatchet
from whisp.core.outbox import Outbox
from whisp.core.padding import MESSAGE_FLOOR, pad, unpad
from whisp.core.receipts import ConfirmedReceipts, OwedReceipts
from whisp.wire.errors import LocalProtocolError, MalformedError, RemoteProtocolError
from whisp.wire.limits import HOLD_SECONDS

__all__ = [
    "BYE_SECONDS",
    "HEARTBEAT_SECONDS",
    "LIST_REPORT_SECONDS",
    "MAX_BROKEN_CONTENTS",
    "MAX_OPEN_FILES",
    "Due",
    "HeldList",
    "MessageRatchet",
    "Sent",
    "Session",
]

HEARTBEAT_SECONDS: Final = 15.0
"""The longest silence: four life signs before the peer holds the line for lost."""

LIST_REPORT_SECONDS: Final = 600.0
"""How often each side says which device list of the other it was shown."""

BYE_SECONDS: Final = 0.5
"""How old the goodbye that lies ready may grow while messages are sent."""

MAX_BROKEN_CONTENTS: Final = 100
"""Authentic messages that break the protocol before the session ends. An honest peer sends none."""

MAX_OPEN_FILES: Final = 32
"""Transfers open at once, either way; each outgoing one may keep a window of 4 MiB."""

_OWN_CONTENTS: Final = (Receipt, Heartbeat, Resume, Bye, ListReport)

_END_REASONS: Final = {
    RatchetEnd.PROTOCOL: EndReason.PROTOCOL,
    RatchetEnd.PQ_STALLED: EndReason.PQ_STALLED,
    RatchetEnd.TAMPERED: EndReason.TAMPERED,
    RatchetEnd.EXHAUSTED: EndReason.EXHAUSTED,
}


@dataclass(frozen=True, slots=True)
class HeldList:
    """The device list of the peer that this side was shown: its version and SHA-256."""

    version: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """A content on its way. `number` is its id, 0 for an uncounted one.

    Transmit `frame` now. It is None while the line is down: a counted content then waits and is asked for
    when the line is back, an uncounted one is dropped.
    """

    frame: bytes | None = field(repr=False)
    number: int


@dataclass(frozen=True, slots=True)
class Due:
    """What time has brought: frames to transmit, in order, and events."""

    frames: tuple[bytes, ...] = field(repr=False)
    events: tuple[Event, ...]


@dataclass(slots=True, repr=False)
class _Live:
    """All that exists only while the session lives. Ending it drops this one reference."""

    sid: bytes
    ratchet: MessageRatchet
    exporter: Secret
    inbox: Inbox
    confirmed: ConfirmedReceipts
    held_list: HeldList | None
    heard_at: float
    sent_at: float
    report_at: float
    line_is_up: bool = True
    outbox: Outbox = field(default_factory=Outbox)
    owed: OwedReceipts = field(default_factory=OwedReceipts)
    bye: bytes | None = None
    bye_at: float = float("-inf")
    outgoing: dict[FileId, FileSender] = field(default_factory=dict)
    incoming: dict[FileId, FileReceiver] = field(default_factory=dict)

    def wipe(self) -> None:
        self.ratchet.wipe()
        self.exporter.wipe()
        for stream in (*self.outgoing.values(), *self.incoming.values()):
            stream.wipe()


class Session:
    """One device's end of a conversation. Sans-I/O: the caller moves frames and tells the time.

    `sid` is the handshake's session id, 16 bytes; `exporter` is the handshake's exporter, which this session
    owns from now on; `held_list` is what the peer's device list was when it was checked. Every `now` is in
    seconds; one that runs backwards counts as standing still.

    Once it has ended every method but `wipe` and `panic` raises SessionEndedError, and `end_reason` says why.
    """

    def __init__(
        self,
        ratchet: MessageRatchet,
        *,
        sid: bytes,
        exporter: Secret,
        local: Member,
        remote: Member,
        now: float,
        held_list: HeldList | None = None,
    ) -> None:
        self.local = local
        self.members = (local, remote)
        """All members, this device first. A tuple and not "the peer", so that groups can join."""
        self.refused_frames = 0
        """Frames that did not authenticate. They changed nothing."""
        self.repeated_frames = 0
        """Frames that were read before or came too late. They changed nothing."""
        self.broken_contents = 0
        """Authentic messages that broke the protocol."""
        self._remote = remote
        self._now = now
        self._end_reason: EndReason | None = None
        self._state: _Live | None = _Live(
            sid,
            ratchet,
            exporter,
            Inbox(remote),
            ConfirmedReceipts(remote),
            held_list,
            heard_at=now,
            sent_at=now,
            report_at=now + LIST_REPORT_SECONDS,
        )

    def __repr__(self) -> str:
        return f"Session({self._end_reason or 'live'})"

    @property
    def is_ended(self) -> bool:
        """Whether it is over and wiped."""
        return self._state is None

    @property
    def end_reason(self) -> EndReason | None:
        """Why it is over, None while it lives."""
        return self._end_reason

    @property
    def can_send(self) -> bool:
        """Whether `send` takes a counted content now. If not, it will after the next `Delivered`."""
        live = self._live()
        return live.ratchet.can_send and not live.outbox.is_full

    @property
    def is_line_up(self) -> bool:
        """Whether frames can travel."""
        return self._live().line_is_up

    @property
    def held_until(self) -> float:
        """When the session ends unless the peer is heard before: 60 s after its last authentic message."""
        return self._live().heard_at + HOLD_SECONDS

    @property
    def exporter(self) -> Secret:
        """The secret that codes and media keys of this session derive from. It dies with the session."""
        return self._live().exporter

    def opening(self, now: float) -> bytes:
        """Return a frame that says no more than that we are here: the first message, inside CONFIRM."""
        return self._guarded(Heartbeat(self._live().outbox.last_number), self._at(now))

    def send(self, content: Content, now: float) -> Sent:
        """Encrypt a content for the peer.

        Raises:
            OutboxFullError: too much is unconfirmed; see `can_send`.
            LocalProtocolError: a value over its limit, a content only the session itself may send, or the
                peer's first message is still to come.
            SessionEndedError: it has ended, perhaps by this very call: the ratchet is exhausted.
        """
        live, now = self._live(), self._at(now)
        if isinstance(content, _OWN_CONTENTS):
            raise LocalProtocolError(f"a {content.TYPE.name} is for the session to send")
        if not content.COUNTED:
            frame = self._guarded(content, now) if live.line_is_up else None
            return Sent(frame, 0)
        number = live.outbox.next_number()
        frame = self._guarded(content, now, number)
        return Sent(frame if live.line_is_up else None, number)

    def receive(self, frame: bytes, now: float) -> list[Event]:
        """Take a ratchet frame (type 0x10) from the line; return what it brought, in the sender's order.

        A frame that is forged, altered, repeated or too late changes nothing but a count and brings nothing.
        """
        live, now = self._live(), self._at(now)
        try:
            padded = live.ratchet.decrypt(frame, now)
        except MessageKeyGoneError:
            self.repeated_frames += 1
            return []
        except RatchetEndedError as ended:
            return self._finish(_END_REASONS[ended.reason])
        except RemoteProtocolError:
            self.refused_frames += 1
            return []
        live.heard_at = now
        try:
            encoded = unpad(padded)
            kind, number = decode_head(encoded)
        except MalformedError:
            return self._broken(live)
        try:
            content = decode_body(encoded)
        except MalformedError:
            refused = self._broken(live)
            if refused or not number:
                return refused
            return self._deliver(live, number, ContentRefused(self._remote, number), len(encoded), now)
        if isinstance(content, Unknown):
            unknown = UnknownContent(self._remote, number, kind)
            return self._deliver(live, number, unknown, 0, now) if number else [unknown]
        if number:
            received = ContentReceived(self._remote, number, content)
            return self._deliver(live, number, received, len(encoded), now)
        return self._uncounted(live, content, now)

    def tick(self, now: float) -> Due:
        """Do what is due; call it at `next_deadline` and, to answer fast, after each `receive`."""
        live, now = self._live(), self._at(now)
        if now >= live.heard_at + HOLD_SECONDS:
            return Due((), tuple(self._finish(EndReason.LOST)))
        live.ratchet.expire(now)
        if not live.line_is_up:
            return Due((), ())
        events: list[Event] = []
        events += self._told(live, live.inbox.expire(now), now)
        frames: list[bytes] = []
        if live.ratchet.can_send:
            try:
                frames += [self._transmit(live, content, now) for content in self._owed(live, now)]
            except RatchetEndedError as ended:
                events += self._finish(_END_REASONS[ended.reason])
        return Due(tuple(frames), tuple(events))

    def next_deadline(self, now: float) -> float:
        """Return when to call `tick` next; a time that is not after `now` means at once."""
        live = self._live()
        times = [live.heard_at + HOLD_SECONDS]
        if live.line_is_up:
            times.append(live.inbox.next_deadline() or times[0])
            if live.ratchet.can_send:
                times.append(live.sent_at + HEARTBEAT_SECONDS)
                if live.held_list is not None:
                    times.append(live.report_at)
                others = (live.owed.due_at, live.outbox.probe_at, live.ratchet.next_deadline(self._at(now)))
                times += [time for time in others if time is not None]
        return min(times)

    def line_down(self, now: float) -> None:
        """The path is gone. What is sent waits, holes keep their time, and `held_until` runs."""
        self._at(now)
        self._live().line_is_up = False

    def line_up(self, now: float) -> tuple[bytes, ...]:
        """There is a path again, or a new one. Return what to transmit on it first: RESUME and HEARTBEAT."""
        live, now = self._live(), self._at(now)
        live.line_is_up = True
        resume = live.inbox.ask_on_new_path(now)
        live.owed.repeat(now)
        if not live.ratchet.can_send:
            return ()
        return (self._guarded(resume, now), self._guarded(Heartbeat(live.outbox.last_number), now))

    def mark_read(self, number: int, now: float) -> None:
        """The person saw the peer's content `number` and all before it; a later `tick` tells the peer.

        Raises:
            LocalProtocolError: that content has not been delivered.
        """
        live, now = self._live(), self._at(now)
        if not 0 < number <= live.inbox.delivered:
            raise LocalProtocolError(f"content {number} cannot have been read")
        live.owed.read(number, now)

    def hold_list(self, held_list: HeldList) -> None:
        """Remember which device list of the peer was accepted last; the next report names it."""
        self._live().held_list = held_list

    def open_outgoing(self, offer: FileOffer) -> FileSender:
        """Return the sealing end of a file this side offered. It is wiped with the session.

        Raises:
            LocalProtocolError: 32 transfers are open this way, or one of this id.
        """
        live = self._live()
        _require_room(live.outgoing, offer)
        stream = FileSender(live.sid, offer.file_id, offer.key, offer.size)
        live.outgoing[offer.file_id] = stream
        return stream

    def open_incoming(self, offer: FileOffer) -> FileReceiver:
        """Return the opening end of a file the peer offered. It is wiped with the session.

        Raises:
            LocalProtocolError: 32 transfers are open this way, or one of this id.
        """
        live = self._live()
        _require_room(live.incoming, offer)
        stream = FileReceiver(live.sid, offer.file_id, offer.key, offer.size)
        live.incoming[offer.file_id] = stream
        return stream

    def close_file(self, file_id: FileId) -> None:
        """Wipe a transfer's key and window. Unknown ids do no harm."""
        live = self._live()
        for stream in (live.outgoing.pop(file_id, None), live.incoming.pop(file_id, None)):
            if stream is not None:
                stream.wipe()

    def hang_up(
        self, now: float, reason: ByeReason = ByeReason.HUNG_UP, end: EndReason = EndReason.HUNG_UP
    ) -> bytes | None:
        """End and wipe; return BYE to transmit if it can be, None while the line is down."""
        live, now = self._live(), self._at(now)
        bye = None
        if live.line_is_up and live.ratchet.can_send:
            bye = self._guarded(Bye(reason, live.outbox.last_number), now)
        self._finish(end)
        return bye

    def panic(self) -> bytes | None:
        """Wipe first, encrypt nothing; return the goodbye that lay ready, None if there is none.

        It may say a few contents less were sent than were. Safe at any time, also after the end.
        """
        state = self._state
        self.wipe()
        return state.bye if state is not None and state.line_is_up else None

    def wipe(self) -> None:
        """End and drop everything: keys, buffers, transfers. Safe at any time, also after the end."""
        if self._state is not None:
            self._finish(EndReason.WIPED)

    def _live(self) -> _Live:
        if self._state is None:
            raise SessionEndedError(f"the session has ended: {self._end_reason}")
        return self._state

    def _at(self, now: float) -> float:
        self._now = max(self._now, now)
        return self._now

    def _finish(self, reason: EndReason) -> list[Event]:
        live = self._live()
        self._state, self._end_reason = None, reason
        live.wipe()
        return [Ended(reason)]

    def _guarded(self, content: Content, now: float, number: int = 0) -> bytes:
        live = self._live()
        try:
            return self._transmit(live, content, now, number)
        except RatchetEndedError as ended:
            self._finish(_END_REASONS[ended.reason])
            raise SessionEndedError(f"the session has ended: {self._end_reason}") from None

    def _transmit(self, live: _Live, content: Content, now: float, number: int = 0) -> bytes:
        """Encrypt one frame that is going to be transmitted, and note all that follows from it."""
        frame = live.ratchet.encrypt(pad(encode_content(content, number), MESSAGE_FLOOR), now)
        if number:
            live.outbox.keep(frame, now)
        if isinstance(content, Heartbeat):
            live.outbox.probed(now, HEARTBEAT_SECONDS)
        live.sent_at = now
        # Right behind a frame that carried what the ratchet owed: a goodbye that never leaves takes nothing
        # of that with it.
        if now >= live.bye_at + BYE_SECONDS and not isinstance(content, Bye):
            bye = Bye(ByeReason.LOCKED, live.outbox.last_number)
            live.bye = live.ratchet.encrypt(pad(encode_content(bye, 0), MESSAGE_FLOOR), now)
            live.bye_at = now
        return frame

    def _owed(self, live: _Live, now: float) -> list[Content]:
        owed: list[Content] = []
        resume = live.inbox.ask(now)
        if resume is not None:
            owed.append(resume)
        if live.owed.due_at is not None and now >= live.owed.due_at:
            owed += live.owed.take(live.inbox.delivered, live.inbox.lost)
        if live.held_list is not None and now >= live.report_at:
            live.report_at = now + LIST_REPORT_SECONDS
            owed.append(ListReport(live.held_list.version, live.held_list.digest))
        is_silent = now >= live.sent_at + HEARTBEAT_SECONDS or live.ratchet.owes_message(now)
        is_probe = live.outbox.probe_at is not None and now >= live.outbox.probe_at
        if is_probe or (is_silent and not owed):
            owed.append(Heartbeat(live.outbox.last_number))
        return owed

    def _deliver(self, live: _Live, number: int, delivery: Delivery, size: int, now: float) -> list[Event]:
        return self._told(live, live.inbox.receive(number, delivery, size, now), now)

    def _told(self, live: _Live, deliveries: list[Delivery], now: float) -> list[Event]:
        if deliveries:
            live.owed.deliver(live.inbox.delivered, now)
        return [*deliveries]

    def _uncounted(self, live: _Live, content: Content, now: float) -> list[Event]:
        last_number = live.outbox.last_number
        match content:
            case Heartbeat():
                live.inbox.learn(content.last_number, now)
                if live.inbox.delivered:
                    live.owed.repeat(now)
                return []
            case Receipt():
                if content.up_to > last_number:
                    return self._broken(live)
                live.outbox.confirm(content.up_to, now)
                return live.confirmed.receive(content)
            case Resume():
                if content.highest > last_number:
                    return self._broken(live)
                frames = live.outbox.answer(content, now) if live.line_is_up else ()
                return [ResendFrames(frames)] if frames else []
            case Bye():
                deliveries, lost = live.inbox.finish(content.last_number)
                left = PeerLeft(self._remote, content.reason, lost)
                return [*deliveries, left, *self._finish(EndReason.PEER_LEFT)]
            case ListReport():
                return [ListReported(self._remote, content.version, content.digest)]
            case _:
                return [ContentReceived(self._remote, 0, content)]

    def _broken(self, live: _Live) -> list[Event]:
        self.broken_contents += 1
        if self.broken_contents >= MAX_BROKEN_CONTENTS:
            return self._finish(EndReason.PROTOCOL)
        return []


def _require_room(streams: dict[FileId, FileSender] | dict[FileId, FileReceiver], offer: FileOffer) -> None:
    if offer.file_id in streams or len(streams) >= MAX_OPEN_FILES:
        raise LocalProtocolError("too many transfers are open, or this one is open already")

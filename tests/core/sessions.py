"""Two sessions with real ratchets, and a line between them that a test can break."""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.content import Content
from whisp.core.events import ContentReceived, Event, Member, ResendFrames
from whisp.core.key_schedule import Secret
from whisp.core.padding import MESSAGE_FLOOR, pad
from whisp.core.ratchet import Ratchet
from whisp.core.session import HeldList, Session
from whisp.wire.device_list import ActiveDevice, DeviceList
from whisp.wire.ids import AccountId, DeviceId

__all__ = [
    "ALICE",
    "A_LIST",
    "BOB",
    "START",
    "Line",
    "Side",
    "ratchet_of",
    "say_raw",
    "session_pair",
    "texts",
]

START = 1_000_000.0
ALICE = Member(AccountId(b"A" * 32), DeviceId(b"a" * 16))
BOB = Member(AccountId(b"B" * 32), DeviceId(b"b" * 16))
A_LIST = DeviceList(
    AccountId(b"a" * 32),
    1,
    bytes(32),
    100,
    200,
    (ActiveDevice(DeviceId(b"d" * 16), b"c" * 32),),
    (),
    b"s" * 64,
).encode()


def session_pair(now: float = START, held_list: HeldList | None = None) -> tuple[Session, Session]:
    """Return (initiator, responder) as a handshake leaves them: CONFIRM's first message is read."""
    sid, root, pq_root, pq_a, pq_b = (os.urandom(n) for n in (16, 32, 32, 32, 32))
    private_key = X25519PrivateKey.generate()
    public_key = private_key.public_key().public_bytes_raw()
    initiator = Session(
        Ratchet.initiator(sid, root, public_key, pq_root, pq_a, pq_b, now),
        sid=sid,
        exporter=Secret(b"e" * 32),
        local=ALICE,
        remote=BOB,
        now=now,
        held_list=held_list,
    )
    responder = Session(
        Ratchet.responder(sid, root, private_key, pq_root, pq_a, pq_b, now),
        sid=sid,
        exporter=Secret(b"e" * 32),
        local=BOB,
        remote=ALICE,
        now=now,
        held_list=held_list,
    )
    assert responder.receive(initiator.opening(now), now) == []
    return initiator, responder


@dataclass
class Side:
    """One session, what it reported, and the frames on their way to it."""

    session: Session
    events: list[Event] = field(default_factory=list)
    arriving: deque[bytes] = field(default_factory=deque)

    @property
    def received(self) -> list[ContentReceived]:
        """Contents in the order they were delivered."""
        return [event for event in self.events if isinstance(event, ContentReceived)]


class Line:
    """Two sides and a clock. Frames wait in `arriving` until `settle` or a test moves them."""

    def __init__(self, held_list: HeldList | None = None) -> None:
        initiator, responder = session_pair(held_list=held_list)
        self.now = START
        self.alice = Side(initiator)
        self.bob = Side(responder)
        self.loses: Callable[[bytes], bool] = lambda frame: False
        """Which frames never arrive."""

    def other(self, side: Side) -> Side:
        """Return the far end."""
        return self.bob if side is self.alice else self.alice

    def say(self, side: Side, content: Content) -> int:
        """Send a content, put its frame on the line, and return its number."""
        sent = side.session.send(content, self.now)
        if sent.frame is not None:
            self.other(side).arriving.append(sent.frame)
        return sent.number

    def read_one(self, side: Side, frame: bytes) -> list[Event]:
        """Let a side receive one frame, and put what it resends on the line."""
        events = side.session.receive(frame, self.now)
        side.events += events
        for event in events:
            if isinstance(event, ResendFrames):
                self.other(side).arriving.extend(event.frames)
        return events

    def tick(self, side: Side) -> None:
        """Let a side do what is due."""
        if not side.session.is_ended:
            due = side.session.tick(self.now)
            side.events += due.events
            self.other(side).arriving.extend(due.frames)

    def deliver(self) -> None:
        """Move frames until none is under way."""
        while self.alice.arriving or self.bob.arriving:
            for side in (self.alice, self.bob):
                while side.arriving:
                    frame = side.arriving.popleft()
                    if not side.session.is_ended and not self.loses(frame):
                        self.read_one(side, frame)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, doing everything when it is due, frames arriving at once."""
        end = self.now + seconds
        for _ in range(10_000):
            self.deliver()
            live = [side for side in (self.alice, self.bob) if not side.session.is_ended]
            due = min((side.session.next_deadline(self.now) for side in live), default=inf)
            if due > end:
                break
            self.now = max(self.now, due)
            for side in live:
                if side.session.next_deadline(self.now) <= self.now:
                    self.tick(side)
        else:
            raise AssertionError("a deadline that never passes")
        self.now = end
        self.deliver()

    def drop(self) -> int:
        """Lose everything under way; return how many frames that was."""
        lost = len(self.alice.arriving) + len(self.bob.arriving)
        self.alice.arriving.clear()
        self.bob.arriving.clear()
        return lost


def texts(side: Side) -> list[str]:
    """Return the bodies of the texts a side was given, in order."""
    return [getattr(event.content, "body", "") for event in side.received]


def ratchet_of(session: Session) -> Ratchet:
    """Reach the ratchet behind a session, to say what a session itself never would."""
    state = session._state
    assert state is not None
    assert isinstance(state.ratchet, Ratchet)
    return state.ratchet


def say_raw(line: Line, encoded: bytes) -> list[object]:
    """Let Alice's ratchet carry these content bytes to Bob, whatever they are."""
    frame = ratchet_of(line.alice.session).encrypt(pad(encoded, MESSAGE_FLOOR), line.now)
    return [*line.read_one(line.bob, frame)]

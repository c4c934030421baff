"""Two ratchets over a link that loses, repeats, delays and reorders, at any times: what must always hold.

S-05, S-08, S-11: what is delivered is what was sent, and once; a frame that does not open changes nothing;
a message in time is read; and while traffic flows, epochs follow one another.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.ratchets import pair

from whisp.core.errors import DecryptionError, MessageKeyGoneError
from whisp.core.ratchet import Ratchet
from whisp.wire.envelope import decode_envelope
from whisp.wire.errors import MalformedError

EMPTY = b""


@dataclass(frozen=True)
class Weather:
    """How the link treats frames. All but times are probabilities."""

    loss: float
    repetition: float
    straggling: float
    """Held for up to 200 s rather than up to `delay`."""
    forgery: float
    delay: float
    """Seconds; twice the usual pause between two messages reorders most of them."""


@dataclass(order=True)
class Flight:
    """A frame on its way."""

    due: float
    order: int
    frame: bytes = field(compare=False)
    text: bytes = field(compare=False)
    sent_at: float = field(compare=False)


class Side:
    """One end: its ratchet, what is on its way to it, and what has reached it."""

    def __init__(self, name: str, ratchet: Ratchet) -> None:
        self.name = name
        self.ratchet = ratchet
        self.inbound: list[Flight] = []
        self.read: set[int] = set()
        """Orders of the frames read, to tell a repetition from a message lost to us."""
        self.chains: list[bytes] = []
        """The peer's ratchet keys in the order they were first read under."""


class World:
    """Both sides, the weather, the time, and the checks."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self.random = Random(seed)
        self.weather = weather
        self.now = 1000.0
        initiator, responder = pair(self.now)
        self.a, self.b = Side("a", initiator), Side("b", responder)
        self.order = count()
        self.sent = self.delivered = self.late = 0

    def run(self, messages: int) -> None:
        """Send about so many messages in bursts and pauses, then let the air clear."""
        first = self.a.ratchet.encrypt(b"in CONFIRM", self.now)
        self.b.ratchet.decrypt(first, self.now)
        self.b.chains.append(decode_envelope(first)[0].ratchet_key)
        while self.sent < messages:
            self.now += self.random.expovariate(1 / 0.4)
            if self.random.random() < 0.01:
                self.now += self.random.uniform(0, 60)  # nobody says anything
            speaker = self.random.choice((self.a, self.b))
            for _ in range(self.random.choice((1, 1, 1, 2, 8))):
                self.send(speaker, b"%s %d" % (speaker.name.encode(), self.sent))
            self.settle()
        assert abs(self.a.ratchet.epoch - self.b.ratchet.epoch) <= 1
        self.clear()

    def clear(self) -> None:
        """In good weather a minute is enough for the next epoch, from wherever the bad left them."""
        self.weather = Weather(0, 0, 0, 0, 0)
        before = min(side.ratchet.epoch for side in (self.a, self.b))
        for _ in range(66):
            self.now += 1.0
            self.send(self.a, b"a clear")
            self.send(self.b, b"b clear")
            self.settle()
        assert min(side.ratchet.epoch for side in (self.a, self.b)) > before

    def send(self, sender: Side, text: bytes) -> None:
        self.sent += 1
        receiver = self.b if sender is self.a else self.a
        frame = sender.ratchet.encrypt(text, self.now)
        if self.random.random() < self.weather.loss:
            return
        order = next(self.order)
        for _ in range(2 if self.random.random() < self.weather.repetition else 1):
            longest = 200 if self.random.random() < self.weather.straggling else self.weather.delay
            due = self.now + self.random.uniform(0, longest)
            heapq.heappush(receiver.inbound, Flight(due, order, frame, text, self.now))

    def settle(self) -> None:
        """Deliver what is due, and let both sides do what they owe."""
        for _ in range(2):
            for side in (self.a, self.b):
                while side.inbound and side.inbound[0].due <= self.now:
                    self.deliver(side, heapq.heappop(side.inbound))
                deadline = side.ratchet.next_deadline(self.now)
                if deadline is not None and deadline <= self.now:
                    side.ratchet.expire(self.now)
                if side.ratchet.owes_message(self.now):
                    self.send(side, EMPTY)
                    assert not side.ratchet.owes_message(self.now), "what is owed is paid with one message"

    def deliver(self, side: Side, flight: Flight) -> None:
        if side.ratchet.failures < 90 and self.random.random() < self.weather.forgery:
            self.forge(side, flight.frame)
        header, _, _ = decode_envelope(flight.frame)
        before = side.ratchet.snapshot_for_testing() if self.random.random() < 0.1 else None
        try:
            text = side.ratchet.decrypt(flight.frame, self.now)
        except MessageKeyGoneError:
            assert before in (None, side.ratchet.snapshot_for_testing())
            if flight.order not in side.read:
                self.late += 1
                assert self.is_late(side, flight), "a message in time was not read"
            return
        assert flight.order not in side.read, "read twice"
        assert text == flight.text
        side.read.add(flight.order)
        if header.ratchet_key not in side.chains[-6:]:
            side.chains.append(header.ratchet_key)
        self.delivered += 1

    def forge(self, side: Side, frame: bytes) -> None:
        """Try a changed frame: it must fail and change nothing."""
        position = self.random.randrange(len(frame))
        forged = bytearray(frame)
        forged[position] ^= self.random.randint(1, 255)
        mangled = bytes(forged) if self.random.random() < 0.8 else frame[:position]
        before = side.ratchet.snapshot_for_testing()
        with pytest.raises((DecryptionError, MalformedError)):
            side.ratchet.decrypt(mangled, self.now)
        assert side.ratchet.snapshot_for_testing() == before

    def is_late(self, side: Side, flight: Flight) -> bool:
        """Say whether a bound allows this message to be lost: its age, four turns, or one epoch."""
        header, _, _ = decode_envelope(flight.frame)
        turns_since = len(side.chains) - 1 - side.chains.index(header.ratchet_key)
        return self.now - flight.sent_at >= 100 or turns_since > 4 or header.epoch < side.ratchet.epoch - 1


WEATHERS = st.builds(
    Weather,
    loss=st.sampled_from([0, 0.05, 0.2, 0.5]),
    repetition=st.sampled_from([0, 0.05, 0.3]),
    straggling=st.sampled_from([0, 0.02, 0.2]),
    forgery=st.sampled_from([0, 0.02]),
    delay=st.sampled_from([0, 0.3, 2, 10]),
)


@given(seed=st.integers(0, 2**32), weather=WEATHERS, messages=st.integers(1, 500))
def test_s08_in_any_weather_what_is_read_is_what_was_sent(seed: int, weather: Weather, messages: int) -> None:
    World(seed, weather).run(messages)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_s08_two_hundred_thousand_messages_in_changing_weather() -> None:
    random, sent, delivered, late = Random(20), 0, 0, 0
    while sent < 200_000:
        pick: Callable[[list[float]], float] = random.choice
        weather = Weather(
            loss=pick([0, 0.05, 0.2, 0.5]),
            repetition=pick([0, 0.05, 0.3]),
            straggling=pick([0, 0.02, 0.2]),
            forgery=pick([0, 0.02]),
            delay=pick([0, 0.3, 2, 10]),
        )
        world = World(random.randrange(2**32), weather)
        world.run(random.choice([50, 500, 5000]))
        sent, delivered, late = sent + world.sent, delivered + world.delivered, late + world.late
    assert delivered > sent / 2
    assert late > 0, "the bounds were never reached"

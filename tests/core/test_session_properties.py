"""Whatever a line does to frames: each content comes once, in the sender's order, or in a declared gap."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.sessions import Line, Side

from whisp.core.content import Text, Typing
from whisp.core.events import ContentReceived, Delivered, Ended, EndReason, Event, Gap, Read, Undelivered

RATES = [0.05, 0.2, 0.5]


class Witness:
    """Watches both sides and compares all they report with what was really said and read."""

    def __init__(self) -> None:
        self.line = Line()
        self.said: dict[int, list[str]] = {0: [], 1: []}
        self.seen: dict[int, int] = {0: 0, 1: 0}
        """How many of a side's events were checked."""
        self.place: dict[int, int] = {0: 0, 1: 0}
        """The number up to which a side was served."""
        self.got: dict[int, set[int]] = {0: set(), 1: set()}
        self.marked: dict[int, int] = {0: 0, 1: 0}
        self.confirmed: dict[tuple[int, type], int] = {}

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.line.alice, self.line.bob

    def say(self, who: int) -> None:
        session = self.sides[who].session
        if not session.is_ended and session.can_send:
            body = f"{who}:{len(self.said[who]) + 1}"
            number = self.line.say(self.sides[who], Text(body))
            self.said[who].append(body)
            assert number == len(self.said[who])

    def mark_read(self, who: int) -> None:
        session = self.sides[who].session
        if not session.is_ended and self.place[who]:
            session.mark_read(self.place[who], self.line.now)
            self.marked[who] = self.place[who]

    def check(self) -> None:
        """Compare what was reported since the last check: first what arrived, then what was confirmed."""
        fresh = [(who, event) for who in (0, 1) for event in self.sides[who].events[self.seen[who] :]]
        for who, event in fresh:
            assert not isinstance(event, Ended) or event.reason is EndReason.LOST
            self._check_delivery(who, event)
        for who, event in fresh:
            self._check_receipt(who, event)
            self.seen[who] += 1

    def _check_delivery(self, who: int, event: Event) -> None:
        if isinstance(event, ContentReceived) and event.number:
            assert event.number == self.place[who] + 1, "in order, each once"
            assert isinstance(event.content, Text)
            assert event.content.body == self.said[1 - who][event.number - 1]
            self.place[who] = event.number
            self.got[who].add(event.number)
        elif isinstance(event, Gap):
            assert event.first == self.place[who] + 1
            assert event.count > 0
            self.place[who] += event.count

    def _check_receipt(self, who: int, event: Event) -> None:
        if isinstance(event, Delivered | Read):
            first, last = event.first, event.up_to
            assert set(range(first, last + 1)) <= self.got[1 - who], "never ahead of decryption"
            if isinstance(event, Read):
                assert last <= self.marked[1 - who]
        elif isinstance(event, Undelivered):
            first, last = event.first, event.last
        else:
            return
        kind = Read if isinstance(event, Read) else Delivered
        before = self.confirmed.get((who, kind), 0)
        assert first > before if kind is Read else first == before + 1
        assert last >= first
        self.confirmed[who, kind] = last

    def finish(self) -> int:
        """Let the line heal; then everything must have been delivered or declared lost. Return the gaps."""
        for side in self.sides:
            if not side.session.is_ended:
                self.line.other(side).arriving.extend(side.session.line_up(self.line.now))
        self.line.pass_time(40)
        self.check()
        for who in (0, 1):
            if not any(side.session.is_ended for side in self.sides):
                assert self.place[who] == len(self.said[1 - who]), "nothing is missing silently"
                assert self.confirmed.get((1 - who, Delivered), 0) == self.place[who]
        return sum(isinstance(event, Gap) for side in self.sides for event in side.events)


KINDS = (
    "say say say typing read deliver deliver deliver swap drop repeat tick wait long-wait path down up noise"
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(KINDS.split()),
        st.integers(0, 1),
        st.integers(0, 50),
    ),
    max_size=120,
)


def run(actions: list[tuple[str, int, int]]) -> int:
    witness = Witness()
    line = witness.line
    past: list[list[bytes]] = [[], []]
    for action, who, pick in actions:
        side = witness.sides[who]
        if side.session.is_ended:
            continue
        waiting = side.arriving
        match action:
            case "say":
                witness.say(who)
            case "typing":
                line.say(side, Typing(pick % 2 == 0))
            case "read":
                witness.mark_read(who)
            case "deliver" if waiting:
                past[who].append(waiting[0])
                line.read_one(side, waiting.popleft())
            case "swap" if waiting:
                waiting.rotate(pick)
            case "drop" if waiting:
                waiting.popleft()
            case "repeat" if past[who]:
                line.read_one(side, past[who][pick % len(past[who])])
            case "tick":
                line.tick(side)
            case "wait":
                line.now += pick / 50
            case "long-wait":
                line.now += pick / 5
            case "path":
                waiting.clear()
                line.other(side).arriving.extend(side.session.line_up(line.now))
            case "down":
                side.session.line_down(line.now)
            case "up":
                line.other(side).arriving.extend(side.session.line_up(line.now))
            case "noise":
                line.read_one(side, bytes((0x10,)) + bytes(pick * 10))
        witness.check()
    return witness.finish()


@given(ACTIONS)
def test_s08_any_schedule_delivers_in_order_with_declared_gaps(actions: list[tuple[str, int, int]]) -> None:
    run(actions)


@pytest.mark.nightly
@settings(max_examples=5000, deadline=None)
@given(ACTIONS)
def test_s08_many_schedules_deliver_in_order_with_declared_gaps(actions: list[tuple[str, int, int]]) -> None:
    run(actions)


def talk(rate: float, seed: int, messages: int) -> tuple[int, int]:
    """Let two people talk over a line that drops, delays, doubles and swaps; return (gaps, contents)."""
    rng = Random(seed)
    witness = Witness()
    line = witness.line
    held: list[tuple[float, int, bytes]] = []
    for _ in range(messages):
        witness.say(rng.randrange(2))
        end = line.now + rng.choice([0.01, 0.1, 0.5])
        while line.now < end:
            line.now += 0.01
            for who, side in enumerate(witness.sides):
                line.tick(side)
                while side.arriving:
                    frame = side.arriving.popleft()
                    if rng.random() < rate:
                        continue
                    copies = 2 if rng.random() < rate else 1
                    late = rng.random() / 2 if rng.random() < rate else 0.0
                    held += [(line.now + 0.02 + late, who, frame)] * copies
            due = [item for item in held if item[0] <= line.now]
            held = [item for item in held if item[0] > line.now]
            for _, who, frame in due:
                line.read_one(witness.sides[who], frame)
                witness.check()
    assert not line.alice.session.is_ended
    assert not line.bob.session.is_ended
    return witness.finish(), sum(map(len, witness.said.values()))


@pytest.mark.parametrize("rate", RATES)
def test_s08_a_bad_line_loses_little_and_nothing_silently(rate: float) -> None:
    gaps, contents = talk(rate, seed=1, messages=120)
    assert contents > 60
    assert gaps <= contents * rate, "asking again repairs most"


@pytest.mark.nightly
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", range(30))
def test_s08_many_bad_lines_lose_nothing_silently(rate: float, seed: int) -> None:
    talk(rate, seed, messages=400)

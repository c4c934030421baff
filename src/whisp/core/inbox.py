"""Puts what one member sends into that member's order; what stays missing shows as a gap.

A hole is asked for at once and again and again; after five seconds it is given up (spec/session.md, Order).
"""

from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from whisp.core.content import MAX_HOLES, MAX_LOST_RUNS, Resume, Run
from whisp.core.events import ContentReceived, ContentRefused, Gap, Member, UnknownContent

__all__ = [
    "ASK_AGAIN_AT_MOST_SECONDS",
    "ASK_AGAIN_SECONDS",
    "GAP_SECONDS",
    "MAX_HELD",
    "MAX_HELD_BYTES",
    "REORDER_SECONDS",
    "Delivery",
    "Inbox",
]

MAX_HELD: Final = 256
"""Contents that wait behind a hole. An honest peer stops at 96; when full, the first hole is given up."""

MAX_HELD_BYTES: Final = 1024 * 1024
"""Bytes of contents that wait behind a hole; when full, the first hole is given up."""

GAP_SECONDS: Final = 5.0
"""How long a hole holds up what came after it: several tries, and no longer than a person waits."""

ASK_AGAIN_SECONDS: Final = 0.25
"""How long the first request for a hole gets to be answered; each later one twice as long, up to a second.

Early tries matter: in a lively talk the ratchet drops the keys of overtaken messages after four turns.
"""

ASK_AGAIN_AT_MOST_SECONDS: Final = 1.0

REORDER_SECONDS: Final = 0.02
"""How long a hole may close by itself before it is asked for: two paths overtake each other that much."""

Delivery = ContentReceived | UnknownContent | ContentRefused | Gap
"""What comes out of an inbox: every number exactly once, in ascending order, alone or in a Gap."""


@dataclass(frozen=True, slots=True)
class _Hole:
    """Missing numbers in a row, since when, and when to ask for them next."""

    run: Run
    since: float
    ask_at: float
    patience: float = ASK_AGAIN_SECONDS


class Inbox:
    """The counted contents of one member, delivered in order, each number once."""

    __slots__ = ("_held", "_held_bytes", "_holes", "_known", "_lost", "_next", "_sender")

    def __init__(self, sender: Member) -> None:
        self._sender = sender
        self._next = 1
        self._known = 0
        """The highest number the peer is known to have sent."""
        self._held: dict[int, tuple[Delivery, int]] = {}
        self._held_bytes = 0
        self._holes: list[_Hole] = []
        """Ascending and apart. If there is one, the first begins at `_next`."""
        self._lost: list[Run] = []

    @property
    def delivered(self) -> int:
        """Every number up to this one was delivered or given up."""
        return self._next - 1

    @property
    def lost(self) -> tuple[Run, ...]:
        """The numbers among them that were given up; with very many runs the oldest two count as one."""
        return tuple(self._lost)

    @property
    def missing(self) -> int:
        """How many contents are known of that have not come."""
        return sum(len(hole.run) for hole in self._holes)

    @property
    def held(self) -> int:
        """How many contents wait behind a hole."""
        return len(self._held)

    def receive(self, number: int, content: Delivery, size: int, now: float) -> list[Delivery]:
        """Take the content that carries `number`; return what can be delivered now.

        A number that came before, or was given up, is dropped.
        """
        if number < self._next or number in self._held:
            return []
        self.learn(number, now)
        self._fill(number)
        self._held[number] = (content, size)
        self._held_bytes += size
        delivered = self._release()
        while self._held and (len(self._held) > MAX_HELD or self._held_bytes > MAX_HELD_BYTES):
            delivered += self._give_up()
        return delivered

    def learn(self, last_number: int, now: float) -> None:
        """Learn that the peer has sent all numbers up to this one."""
        if last_number <= self._known:
            return
        tail = self._holes[-1] if self._holes else None
        if tail is not None and len(self._holes) > MAX_HELD and tail.run.last == self._known:
            # Only a peer that counts up without sending gets here: its holes become one.
            self._holes[-1] = replace(tail, run=Run(tail.run.first, last_number))
        else:
            run = Run(self._known + 1, last_number)
            self._holes.append(_Hole(run, now, now + REORDER_SECONDS))
        self._known = last_number

    def expire(self, now: float) -> list[Delivery]:
        """Give up holes whose time is over; return the gaps and what they held up."""
        delivered: list[Delivery] = []
        while self._holes and now >= self._holes[0].since + GAP_SECONDS:
            delivered += self._give_up()
        return delivered

    def finish(self, last_number: int) -> tuple[list[Delivery], int]:
        """The peer has left after `last_number`: return what is held, with its gaps, and the lost tail."""
        delivered: list[Delivery] = []
        while self._held:
            delivered += self._give_up()
        return delivered, max(last_number, self._known) - self.delivered

    def ask(self, now: float) -> Resume | None:
        """Return a request for holes that are due to be asked for; None if none is."""
        if not any(now >= hole.ask_at for hole in self._holes):
            return None
        return self._resume(False, self._known, now)

    def ask_on_new_path(self, now: float) -> Resume:
        """Return the request that opens a new path; every hole gets its full time again."""
        received = max(self._held, default=self.delivered)
        self._holes = [replace(hole, since=now, patience=ASK_AGAIN_SECONDS) for hole in self._holes]
        return self._resume(True, received, now)

    def next_deadline(self) -> float | None:
        """Return when `ask` or `expire` next has something to do; None without holes."""
        if not self._holes:
            return None
        return min(self._holes[0].since + GAP_SECONDS, *(hole.ask_at for hole in self._holes))

    def _resume(self, is_new_path: bool, highest: int, now: float) -> Resume:
        named: list[int] = []
        for index, hole in enumerate(self._holes):
            room = MAX_HOLES - len(named)
            if room == 0 or (hole.run.first > highest):
                break
            last = min(hole.run.last, highest)
            named += islice(range(hole.run.first, last + 1), room)
            patience = min(2 * hole.patience, ASK_AGAIN_AT_MOST_SECONDS)
            self._holes[index] = replace(hole, ask_at=now + hole.patience, patience=patience)
        return Resume(is_new_path, highest, tuple(named))

    def _fill(self, number: int) -> None:
        for index, hole in enumerate(self._holes):
            run = hole.run
            if run.first <= number <= run.last:
                rest = (Run(run.first, number - 1), Run(number + 1, run.last))
                self._holes[index : index + 1] = [replace(hole, run=part) for part in rest if len(part)]
                return

    def _release(self) -> list[Delivery]:
        released: list[Delivery] = []
        while self._next in self._held:
            content, size = self._held.pop(self._next)
            self._held_bytes -= size
            self._next += 1
            released.append(content)
        return released

    def _give_up(self) -> list[Delivery]:
        run = self._holes.pop(0).run
        self._next = run.last + 1
        if self._lost and self._lost[-1].last + 1 == run.first:
            run_lost = Run(self._lost.pop().first, run.last)
        else:
            run_lost = run
        self._lost.append(run_lost)
        if len(self._lost) > MAX_LOST_RUNS:
            self._lost[:2] = [Run(self._lost[0].first, self._lost[1].last)]
        return [Gap(self._sender, run.first, len(run)), *self._release()]

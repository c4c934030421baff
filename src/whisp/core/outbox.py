"""What this side has said and the peer has not confirmed: numbered, kept as the very bytes that were sent.

Ratchet keys are used once, so asking again brings the identical frame, never a second encryption
(spec/session.md, Resending).
"""

from dataclasses import dataclass, field
from typing import Final

from whisp.core.content import MAX_NUMBER, Resume
from whisp.wire.errors import LocalProtocolError

__all__ = [
    "MAX_UNCONFIRMED",
    "MAX_UNCONFIRMED_BYTES",
    "NEW_PATH_SECONDS",
    "PROBE_SECONDS",
    "RESEND_SECONDS",
    "Outbox",
    "OutboxFullError",
]

MAX_UNCONFIRMED: Final = 96
"""Counted contents that may wait for confirmation at once.

The ratchet bridges 256 missing messages of one chain. Receipts, life signs and typing share the chain, so
this leaves them more than half; beyond it nothing could be repaired.
"""

MAX_UNCONFIRMED_BYTES: Final = 1024 * 1024
"""Frames kept for resending: thirty of the longest texts. Checked before a send, so one more may go over."""

RESEND_SECONDS: Final = 0.2
"""No frame is resent sooner after it was last sent: bounds what a greedy peer can pull."""

NEW_PATH_SECONDS: Final = 1.0
"""How often a peer may announce a new path and pull everything regardless of RESEND_SECONDS."""

PROBE_SECONDS: Final = 2.0
"""How long a confirmation may be late before a heartbeat asks for it; doubles with each that stays alone."""


class OutboxFullError(LocalProtocolError):
    """Too much waits for confirmation. Send again after the next Delivered."""

    def __init__(self) -> None:
        super().__init__("Too many messages wait for the other side to confirm them.")


@dataclass(slots=True)
class _Sent:
    frame: bytes = field(repr=False)
    sent_at: float


class Outbox:
    """Numbers the counted contents, and keeps each one's frame until the peer confirms it."""

    __slots__ = ("_bytes", "_new_path_at", "_probe_at", "_probe_wait", "_sent", "last_number")

    def __init__(self) -> None:
        self.last_number = 0
        """The number of the last counted content, 0 before the first."""
        self._sent: dict[int, _Sent] = {}
        self._bytes = 0
        self._new_path_at = float("-inf")
        self._probe_at: float | None = None
        self._probe_wait = PROBE_SECONDS

    @property
    def is_full(self) -> bool:
        """Whether `next_number` would raise OutboxFullError."""
        return len(self._sent) >= MAX_UNCONFIRMED or self._bytes >= MAX_UNCONFIRMED_BYTES

    @property
    def unconfirmed(self) -> int:
        """How many contents wait for confirmation."""
        return len(self._sent)

    @property
    def probe_at(self) -> float | None:
        """When to ask for an overdue confirmation, None while none is due."""
        return self._probe_at

    def next_number(self) -> int:
        """Return the number the next counted content will carry; `keep` uses it up.

        Raises:
            OutboxFullError: the peer has to confirm some first.
            LocalProtocolError: 2^32 - 1 contents were sent.
        """
        if self.is_full:
            raise OutboxFullError
        if self.last_number >= MAX_NUMBER:
            raise LocalProtocolError("this session has no content numbers left")
        return self.last_number + 1

    def keep(self, frame: bytes, now: float) -> None:
        """Keep the frame of the content that carries `next_number`."""
        self.last_number += 1
        self._sent[self.last_number] = _Sent(frame, now)
        self._bytes += len(frame)
        if self._probe_at is None:
            self._probe_at = now + self._probe_wait

    def confirm(self, up_to: int, now: float) -> None:
        """Forget all frames up to this number: the peer has them, or said it gave up on them."""
        for number in list(self._sent):  # in ascending order
            if number > up_to:
                break
            self._bytes -= len(self._sent.pop(number).frame)
        self._probe_wait = PROBE_SECONDS
        self._probe_at = now + PROBE_SECONDS if self._sent else None

    def probed(self, now: float, at_most: float) -> None:
        """Note that a heartbeat went out: the next is due after twice the wait, `at_most` seconds."""
        if self._probe_at is not None:
            self._probe_wait = min(2 * self._probe_wait, at_most)
            self._probe_at = now + self._probe_wait

    def answer(self, resume: Resume, now: float) -> tuple[bytes, ...]:
        """Return the frames a RESUME asks for, as they were sent, oldest first.

        Those confirmed, or resent a moment ago, are left out.
        """
        is_new_path = resume.is_new_path and now >= self._new_path_at + NEW_PATH_SECONDS
        if is_new_path:
            self._new_path_at = now
        numbers = [number for number in resume.holes if number in self._sent]
        if resume.is_new_path:
            numbers += [number for number in self._sent if number > resume.highest]
        due = [n for n in numbers if is_new_path or now >= self._sent[n].sent_at + RESEND_SECONDS]
        for number in due:
            self._sent[number].sent_at = now
        return tuple(self._sent[number].frame for number in due)

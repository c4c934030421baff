"""The ratchet: a key for every message, from a classical and a post-quantum half (spec/ratchet.md).

Reading goes in this order, so that a frame that is not authentic changes nothing but a count:

    decode ─▶ find both keys ─▶ open ─▶ commit both halves ─▶ act on what the header carried
"""

from math import inf
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.double_ratchet import DoubleRatchet, RootKey
from whisp.core.errors import (
    DecryptionError,
    MessageKeyGoneError,
    RatchetEnd,
    RatchetEndedError,
    SessionEndedError,
)
from whisp.core.kem_ratchet import KemRatchet, PqRootKey
from whisp.core.message_chain import ChainKey
from whisp.core.message_seal import Direction, MessageSeal
from whisp.core.secret_state import SecretState
from whisp.wire.envelope import MAX_MESSAGE_BYTES, decode_envelope, encode_header
from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = ["MAX_FAILURES", "Ratchet"]

MAX_FAILURES: Final = 100
"""Frames that may fail to open in one session: more than any honest line damages, far too few to guess."""

MAX_UNANSWERED: Final = 64
"""Messages read in a row before an answer is owed, so that a listener's keys heal too."""

PQ_STEP_SECONDS: Final = 1.0
"""How long a step of the post-quantum exchange waits for a message to ride on."""

SWEEP_SECONDS: Final = 1.0
"""Encrypting and decrypting drop aged keys at most this often, to keep the common message cheap."""

TURN_SECONDS: Final = 20.0
"""How long a turn of the classical half waits: twice in a minute heals even people who only listen."""


class Ratchet(SecretState):
    """Encrypts and decrypts one session's messages; made from the handshake's secrets, never stored.

    Every `now` is in seconds, of a clock that never runs backwards. Once it has ended, of itself or by
    `wipe`, every use raises SessionEndedError.
    """

    __slots__ = (
        "_classical",
        "_end_reason",
        "_failures",
        "_inbound",
        "_outbound",
        "_post_quantum",
        "_sweep_at",
        "_unanswered",
    )

    def __init__(
        self, sid: bytes, direction: Direction, classical: DoubleRatchet, post_quantum: KemRatchet
    ) -> None:
        opposite = (
            Direction.FROM_RESPONDER if direction is Direction.FROM_INITIATOR else Direction.FROM_INITIATOR
        )
        self._outbound = MessageSeal(sid, direction)
        self._inbound = MessageSeal(sid, opposite)
        self._classical: DoubleRatchet | None = classical
        self._post_quantum: KemRatchet | None = post_quantum
        self._unanswered = 0
        self._sweep_at = -inf
        self._failures = 0
        self._end_reason: RatchetEnd | None = None

    @classmethod
    def initiator(
        cls,
        sid: bytes,
        root_key: bytes,
        remote_ratchet_key: bytes,
        pq_root: bytes,
        pq_chain_a: bytes,
        pq_chain_b: bytes,
        now: float,
    ) -> "Ratchet":
        """Return the caller's ratchet, which sends first.

        `sid` is 16 bytes; `remote_ratchet_key` is EK_b, 32 bytes; all others are 32 secret bytes, of which
        `pq_chain_a` is for what the initiator sends and `pq_chain_b` for what the responder sends.
        """
        direction = Direction.FROM_INITIATOR
        classical = DoubleRatchet.initiator(RootKey(root_key), remote_ratchet_key, now)
        post_quantum = KemRatchet(
            direction, PqRootKey(pq_root), ChainKey(pq_chain_a), ChainKey(pq_chain_b), now
        )
        return cls(sid, direction, classical, post_quantum)

    @classmethod
    def responder(
        cls,
        sid: bytes,
        root_key: bytes,
        ratchet_key: X25519PrivateKey,
        pq_root: bytes,
        pq_chain_a: bytes,
        pq_chain_b: bytes,
        now: float,
    ) -> "Ratchet":
        """Return the callee's ratchet, which can send once it has read a message.

        As `initiator`, but `ratchet_key` is the EK_b pair: this ratchet is its only owner from now on.
        """
        direction = Direction.FROM_RESPONDER
        classical = DoubleRatchet.responder(RootKey(root_key), ratchet_key)
        post_quantum = KemRatchet(
            direction, PqRootKey(pq_root), ChainKey(pq_chain_a), ChainKey(pq_chain_b), now
        )
        return cls(sid, direction, classical, post_quantum)

    @property
    def is_ended(self) -> bool:
        """Whether it has ended or was wiped."""
        return self._classical is None

    @property
    def end_reason(self) -> RatchetEnd | None:
        """Why it ended itself; None while it lives, and after a mere `wipe`."""
        return self._end_reason

    @property
    def failures(self) -> int:
        """How many frames did not open so far."""
        return self._failures

    @property
    def epoch(self) -> int:
        """The post-quantum epoch we send in, from 0. Raises SessionEndedError after the end."""
        return self._live()[1].epoch

    @property
    def can_send(self) -> bool:
        """Whether `encrypt` may be called: a responder first has to read a message."""
        return self._classical is not None and self._classical.can_send

    def encrypt(self, padded_plaintext: bytes, now: float) -> bytes:
        """Return the frame of the next message: 66 bytes longer than the plaintext, with an exchange 1250.

        Raises:
            LocalProtocolError: more than 64 KiB, or a responder that has not been spoken to.
            RatchetEndedError: a counter or the epochs are exhausted.
            SessionEndedError: it has ended.
        """
        classical, post_quantum = self._live()
        if len(padded_plaintext) > MAX_MESSAGE_BYTES:
            raise LocalProtocolError(f"a message of {len(padded_plaintext)} bytes is over its limit")
        try:
            n, previous_n, ratchet_key, classical_key = classical.send()
            epoch, epoch_n, attachment, post_quantum_key = post_quantum.send(now)
        except RatchetEndedError as ended:
            self._end(ended.reason)
            raise
        if now >= self._sweep_at:
            self.expire(now)
        self._unanswered = 0
        header = encode_header(n, previous_n, ratchet_key, epoch, epoch_n, attachment)
        return header + self._outbound.seal(classical_key, post_quantum_key, header, padded_plaintext)

    def decrypt(self, frame: bytes, now: float) -> bytes:
        """Return the padded plaintext of a frame. Unless it proves authentic, no key or counter changes.

        Raises:
            MalformedError: not a message's layout. Counted as a failure.
            DecryptionError: not authentic, or out of reach. Counted as a failure.
            MessageKeyGoneError: a duplicate or a straggler. Not counted.
            RatchetEndedError: this frame ended the ratchet; see its `reason`.
            SessionEndedError: it had ended before.
        """
        classical, post_quantum = self._live()
        try:
            (n, previous_n, ratchet_key, epoch, epoch_n, attachment), header, sealed = decode_envelope(frame)
            post_quantum_found = post_quantum.find(epoch, epoch_n, now)
            classical_found = classical.find(ratchet_key, n, previous_n, now)
            plaintext = self._inbound.open(
                classical_found.message_key, post_quantum_found.message_key, header, sealed
            )
        except MessageKeyGoneError:
            raise
        except (MalformedError, DecryptionError):
            self._count_failure()
            raise
        classical.commit(classical_found, now)
        self._unanswered += 1
        try:
            post_quantum.commit(post_quantum_found, epoch, attachment, now)
        except RatchetEndedError as ended:
            self._end(ended.reason)
            raise
        if now >= self._sweep_at:
            self.expire(now)
        return plaintext

    def owes_message(self, now: float) -> bool:
        """Say whether an EMPTY message has to be sent now, because nothing else was there to carry a step."""
        return now >= self._owed_at(*self._live())

    def next_deadline(self, now: float) -> float | None:
        """Return when to look at `owes_message` and call `expire` again; None while neither has a reason.

        A time that is not after `now` means at once.
        """
        classical, post_quantum = self._live()
        expiries = (classical.next_expiry(), post_quantum.next_expiry())
        first = min((self._owed_at(classical, post_quantum), *(at for at in expiries if at is not None)))
        return None if first == inf else max(first, now)

    def expire(self, now: float) -> None:
        """Drop the keys of lost messages and past epochs that have reached their age."""
        classical, post_quantum = self._live()
        classical.expire(now)
        post_quantum.expire(now)
        self._sweep_at = now + SWEEP_SECONDS

    def wipe(self) -> None:
        """Drop all keys. Once is enough, twice does no harm."""
        self._classical = self._post_quantum = None

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state but the count of failures, as values equal exactly when the state is the same.

        These are the bare secrets: compare them, and never print or keep them.
        """
        classical, post_quantum = self._live()
        return (classical.snapshot_for_testing(), post_quantum.snapshot_for_testing(), self._unanswered)

    def _live(self) -> tuple[DoubleRatchet, KemRatchet]:
        classical, post_quantum = self._classical, self._post_quantum
        if classical is None or post_quantum is None:
            raise SessionEndedError("the ratchet has ended")
        return classical, post_quantum

    def _owed_at(self, classical: DoubleRatchet, post_quantum: KemRatchet) -> float:
        if not classical.can_send:
            return inf
        if self._unanswered >= MAX_UNANSWERED:
            return -inf
        turn, step = classical.turn_owed_since, post_quantum.step_owed_since
        return min(
            inf if turn is None else turn + TURN_SECONDS,
            inf if step is None else step + PQ_STEP_SECONDS,
        )

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._end(RatchetEnd.TAMPERED)
            raise RatchetEndedError(RatchetEnd.TAMPERED) from None

    def _end(self, reason: RatchetEnd) -> None:
        self._end_reason = reason
        self.wipe()

"""The post-quantum half: epochs renewed by ML-KEM-768 exchanges (spec/ratchet.md, Post-quantum half).

The sides take turns to lead, so they can never renew at once, and every second epoch rests on each side's
own fresh key pair. After Apple's PQ3 and Signal's Triple Ratchet, with whole keys instead of fragments.
"""

from hashlib import sha256
from math import inf
from typing import Final, NamedTuple, NewType, TypeAlias

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whisp.core.errors import DecryptionError, MessageKeyGoneError, RatchetEnd, RatchetEndedError
from whisp.core.kem_phases import (
    Answered,
    FollowerAtRest,
    LeaderAtRest,
    Offered,
    Phase,
    Switched,
)
from whisp.core.key_schedule import KEY_BYTES
from whisp.core.message_chain import Ahead, ChainKey, Kept, ReceivingChain, SendingChain
from whisp.core.message_seal import Direction
from whisp.core.secret_state import SecretState
from whisp.core.skipped_keys import MessageKey, SkippedKeys
from whisp.wire.encoding import tag, u32
from whisp.wire.envelope import COUNTER_LIMIT, Attachment, KemOffer

__all__ = ["EpochKeys", "Found", "KemRatchet", "PqRootKey", "derive_epoch"]

PREVIOUS_EPOCH_SECONDS: Final = 120.0
"""How long stragglers of the epoch before are read once the peer was heard in the new one."""

STALL_SECONDS: Final = 300.0
STALL_MESSAGES: Final = 4096
"""Without a new epoch for this long, or so many messages, while messages do arrive, someone is holding back
the large frames that carry the exchange. Honest sides need about 61 s."""

MAX_COUNTED_GAP_SECONDS: Final = 60.0
"""Silence between two arrivals counts up to this towards a stall: a session ends after as much anyway."""

PqRootKey = NewType("PqRootKey", bytes)
"""What the next epoch derives from, together with its exchange, 32 bytes."""

Found: TypeAlias = Ahead[int] | Kept[int]

_SHA256: Final = SHA256()
_EPOCH_INFO: Final = tag("pq root")


class EpochKeys(NamedTuple):
    """What one exchange yields. Lives until it is dealt out to chains."""

    root_key: PqRootKey
    from_initiator: ChainKey
    from_responder: ChainKey

    def __repr__(self) -> str:
        return "EpochKeys(<redacted>)"


def derive_epoch(
    root_key: PqRootKey, epoch: int, shared_secret: bytes, offer_digest: bytes, answer_digest: bytes
) -> EpochKeys:
    """Return the keys of `epoch` from the root before it and the exchange that led to it.

    The digests are SHA-256 of the encapsulation key and of the ciphertext: ML-KEM does not promise that its
    secret determines them.
    """
    info = _EPOCH_INFO + u32(epoch) + offer_digest + answer_digest
    block = HKDF(_SHA256, 3 * KEY_BYTES, root_key, info).derive(shared_secret)
    return EpochKeys(PqRootKey(block[:32]), ChainKey(block[32:64]), ChainKey(block[64:]))


class Exchange(NamedTuple):
    """What made an epoch, by digest: a repeat of it is ignored, anything else for that epoch is an attack."""

    offer_digest: bytes
    answer_digest: bytes


class KemRatchet(SecretState):
    """The epoch we send in, a receiving chain for each epoch still read, and where the next exchange stands.

    Times are seconds of a clock that never runs backwards.
    """

    __slots__ = (
        "_direction",
        "_exchanges",
        "_heard_at",
        "_heard_count",
        "_heard_epoch",
        "_heard_seconds",
        "_phase",
        "_previous_ends_at",
        "_receivers",
        "_root_key",
        "_sender",
        "_skipped",
        "epoch",
    )

    def __init__(
        self,
        direction: Direction,
        root_key: PqRootKey,
        from_initiator: ChainKey,
        from_responder: ChainKey,
        now: float,
    ) -> None:
        self._direction = direction
        keys = EpochKeys(root_key, from_initiator, from_responder)
        self.epoch = 0
        """The epoch we send in. The peer's is this one, or one more or less while they change."""
        self._root_key = root_key
        self._sender = SendingChain(self._own_chain_key(keys))
        self._receivers = {0: ReceivingChain(0, self._remote_chain_key(keys))}
        self._skipped: SkippedKeys[int] = SkippedKeys()
        self._exchanges: dict[int, Exchange] = {}
        self._phase: Phase = self._rest(now)
        self._previous_ends_at = inf
        self._heard_epoch = 0
        self._heard_at = now
        self._heard_seconds = 0.0
        self._heard_count = 0

    @property
    def step_owed_since(self) -> float | None:
        """Since when the exchange waits for a message of ours; None while it waits for something else."""
        return self._phase.owed_since(self._sender.n)

    def send(self, now: float) -> tuple[int, int, Attachment | None, MessageKey]:
        """Return the next message's epoch, number in it, what it must carry, and message key.

        How the message key was made is forgotten.

        Raises:
            RatchetEndedError: the chain or the epochs are exhausted.
        """
        phase = self._phase
        attachment: Attachment | None = None
        if isinstance(phase, LeaderAtRest):
            if phase.is_due(now):
                if self.epoch + 1 >= COUNTER_LIMIT:
                    raise RatchetEndedError(RatchetEnd.EXHAUSTED)
                offered = self._phase = Offered(MLKEM768PrivateKey.generate(), now)
                attachment = offered.attach(now)
            else:
                phase.note_traffic(self._sender.n + 1 + self._receivers[self.epoch].n, now)
        elif isinstance(phase, (Offered, Answered)):
            attachment = phase.attach(now)
        elif isinstance(phase, Switched):
            phase.spoke()
        chain = self._sender
        return self.epoch, chain.n, attachment, chain.advance()

    def find(self, epoch: int, n: int, now: float) -> Found:
        """Return the key of the message that a header places. Changes nothing.

        Raises:
            MessageKeyGoneError: read before, or of an epoch no longer read.
            DecryptionError: too many missing before it, or an epoch that is not there yet.
        """
        receiver = self._receivers.get(epoch)
        if receiver is None:
            if epoch < self.epoch:
                raise MessageKeyGoneError
            raise DecryptionError("a message of an epoch to come")
        if epoch < self.epoch and now >= self._previous_ends_at:
            raise MessageKeyGoneError
        return receiver.find(n, self._skipped, now)

    def commit(self, found: Found, epoch: int, attachment: Attachment | None, now: float) -> None:
        """Take the step that `find` prepared, then what the message carries: it proved authentic.

        Raises:
            RatchetEndedError: what it carries breaks the order of the exchange, or epochs have stalled.
        """
        found.commit(self._skipped, now)
        if epoch > self._heard_epoch:
            self._hear_epoch(epoch, now)
        if attachment is not None:
            if isinstance(attachment, KemOffer):
                self._receive_offer(epoch + 1, attachment.kem_key, now)
            else:
                self._receive_answer(epoch + 1, attachment.kem_ciphertext, now)
        phase = self._phase
        if isinstance(phase, LeaderAtRest):
            phase.note_traffic(self._sender.n + self._receivers[self.epoch].n, now)
        self._require_progress(now)

    def expire(self, now: float) -> None:
        """Drop skipped keys and the previous epoch's chain when they have reached their age."""
        self._skipped.expire(now)
        if now >= self._previous_ends_at:
            self._drop_epoch(self.epoch - 1)

    def next_expiry(self) -> float | None:
        """Return when `expire` next has something to drop; None while nothing is kept."""
        skipped = self._skipped.next_expiry()
        first = min(self._previous_ends_at, inf if skipped is None else skipped)
        return None if first == inf else first

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return (
            self.epoch,
            self._root_key,
            self._sender.snapshot_for_testing(),
            tuple(chain.snapshot_for_testing() for chain in self._receivers.values()),
            self._skipped.snapshot_for_testing(),
            tuple(self._exchanges.items()),
            self._phase.snapshot_for_testing(),
            self._previous_ends_at,
            (self._heard_epoch, self._heard_at, self._heard_seconds, self._heard_count),
        )

    def _own_chain_key(self, keys: EpochKeys) -> ChainKey:
        return keys.from_initiator if self._direction is Direction.FROM_INITIATOR else keys.from_responder

    def _remote_chain_key(self, keys: EpochKeys) -> ChainKey:
        return keys.from_responder if self._direction is Direction.FROM_INITIATOR else keys.from_initiator

    def _leads(self, epoch: int) -> bool:
        """Say whether the exchange for `epoch` is ours to start: odd ones are the initiator's."""
        return (epoch % 2 == 1) == (self._direction is Direction.FROM_INITIATOR)

    def _rest(self, now: float) -> LeaderAtRest | FollowerAtRest:
        return LeaderAtRest(self.epoch, now) if self._leads(self.epoch + 1) else FollowerAtRest()

    def _hear_epoch(self, epoch: int, now: float) -> None:
        """Move on: this is the first authentic message of the epoch that the last exchange made."""
        self._heard_epoch = epoch
        phase = self._phase
        if isinstance(phase, Answered):
            self._enter_epoch(phase.sender)
        self._phase = self._rest(now)
        self._previous_ends_at = now + PREVIOUS_EPOCH_SECONDS

    def _receive_offer(self, epoch: int, kem_key: bytes, now: float) -> None:
        if self._leads(epoch):
            raise RatchetEndedError(RatchetEnd.PROTOCOL)
        offer_digest = sha256(kem_key).digest()
        known = self._exchanges.get(epoch)
        if known is not None:
            if known.offer_digest != offer_digest:
                raise RatchetEndedError(RatchetEnd.PROTOCOL)
            return
        if epoch != self.epoch + 1 or epoch >= COUNTER_LIMIT or not isinstance(self._phase, FollowerAtRest):
            raise RatchetEndedError(RatchetEnd.PROTOCOL)
        try:
            shared_secret, ciphertext = MLKEM768PublicKey.from_public_bytes(kem_key).encapsulate()
        except ValueError:
            raise RatchetEndedError(RatchetEnd.PROTOCOL) from None
        exchange = Exchange(offer_digest, sha256(ciphertext).digest())
        sender = self._derive_epoch(epoch, shared_secret, exchange)
        self._phase = Answered(ciphertext, sender, now)

    def _receive_answer(self, epoch: int, ciphertext: bytes, now: float) -> None:
        if not self._leads(epoch):
            raise RatchetEndedError(RatchetEnd.PROTOCOL)
        answer_digest = sha256(ciphertext).digest()
        phase = self._phase
        known = self._exchanges.get(epoch)
        if known is not None:
            if known.answer_digest != answer_digest:
                raise RatchetEndedError(RatchetEnd.PROTOCOL)
            if isinstance(phase, Switched):
                phase.remind(now)
            return
        if epoch != self.epoch + 1 or not isinstance(phase, Offered):
            raise RatchetEndedError(RatchetEnd.PROTOCOL)
        exchange = Exchange(sha256(phase.offer.kem_key).digest(), answer_digest)
        sender = self._derive_epoch(epoch, phase.private_key.decapsulate(ciphertext), exchange)
        self._enter_epoch(sender)
        self._phase = Switched(now)

    def _derive_epoch(self, epoch: int, shared_secret: bytes, exchange: Exchange) -> SendingChain:
        """Replace the root, open the epoch for receiving, and return the chain to send in it by."""
        keys = derive_epoch(self._root_key, epoch, shared_secret, *exchange)
        self._root_key = keys.root_key
        self._exchanges[epoch] = exchange
        self._receivers[epoch] = ReceivingChain(epoch, self._remote_chain_key(keys))
        return SendingChain(self._own_chain_key(keys))

    def _enter_epoch(self, sender: SendingChain) -> None:
        """Send in the next epoch from now on; of the epochs before, only the last is still read."""
        self.epoch += 1
        self._sender = sender
        self._drop_epoch(self.epoch - 2)
        self._exchanges.pop(self.epoch - 1, None)
        self._previous_ends_at = inf
        self._heard_seconds = 0.0
        self._heard_count = 0

    def _drop_epoch(self, epoch: int) -> None:
        self._receivers.pop(epoch, None)
        self._skipped.drop_chain(epoch)
        if epoch == self.epoch - 1:
            self._previous_ends_at = inf

    def _require_progress(self, now: float) -> None:
        self._heard_count += 1
        gap = now - self._heard_at
        if gap:
            self._heard_at = now
            self._heard_seconds += min(gap, MAX_COUNTED_GAP_SECONDS)
        if self._heard_count >= STALL_MESSAGES or self._heard_seconds >= STALL_SECONDS:
            raise RatchetEndedError(RatchetEnd.PQ_STALLED)

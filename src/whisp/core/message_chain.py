"""Chains of message keys: each step yields one key and forgets the way back (spec/ratchet.md, Chains).

The classical and the post-quantum half both run on these; they differ in what starts a new chain.
Receiving is split in two: find the key and change nothing; once the message has proved authentic, commit.
"""

from collections.abc import Hashable
from typing import Final, Generic, NewType, TypeVar

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from whisp.core.errors import DecryptionError, MessageKeyGoneError, RatchetEnd, RatchetEndedError
from whisp.core.secret_state import SecretState
from whisp.core.skipped_keys import MessageKey, SkippedKeys
from whisp.wire.envelope import COUNTER_LIMIT

__all__ = ["MAX_SKIP", "Ahead", "ChainKey", "Kept", "ReceivingChain", "SendingChain", "advance"]

MAX_SKIP: Final = 256
"""How many messages of one chain may be missing at once: bounds the work an unauthentic frame can cause."""

ChainKey = NewType("ChainKey", bytes)
"""What all later message keys of one chain derive from, 32 bytes."""

_ChainId = TypeVar("_ChainId", bound=Hashable)
_SHA256: Final = SHA256()


def advance(chain_key: ChainKey) -> tuple[MessageKey, ChainKey]:
    """Return KDF_CK(ck): mk = HMAC-SHA-256(ck, 0x01) and the next ck = HMAC-SHA-256(ck, 0x02)."""
    for_message = HMAC(chain_key, _SHA256)
    for_chain = for_message.copy()  # the key is scheduled once for both
    for_message.update(b"\x01")
    for_chain.update(b"\x02")
    # Calling the two types would cost a tenth of the whole step.
    return for_message.finalize(), for_chain.finalize()  # type: ignore[return-value]


class SendingChain(SecretState):
    """The chain of what we send: one key per message, in order."""

    __slots__ = ("_key", "n")

    def __init__(self, key: ChainKey) -> None:
        self._key = key
        self.n = 0
        """The number of the next message, which is how many were sent."""

    def advance(self) -> MessageKey:
        """Return the next message's key and forget how it was made.

        Raises:
            RatchetEndedError: the chain has given 2^31 keys.
        """
        if self.n >= COUNTER_LIMIT:
            raise RatchetEndedError(RatchetEnd.EXHAUSTED)
        message_key, self._key = advance(self._key)
        self.n += 1
        return message_key

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return (self._key, self.n)


class ReceivingChain(SecretState, Generic[_ChainId]):
    """The chain of what the peer sends, up to the highest message that proved authentic."""

    __slots__ = ("_key", "id", "n")

    def __init__(self, id_: _ChainId, key: ChainKey) -> None:
        self.id = id_
        self._key = key
        self.n = 0
        """The number of the next message in order; all below were read, skipped or lost."""

    def find(self, n: int, skipped: SkippedKeys[_ChainId], now: float) -> "Ahead[_ChainId] | Kept[_ChainId]":
        """Return the key of message `n`, ahead in the chain or kept from a skip. Changes nothing.

        Raises:
            MessageKeyGoneError: the message was read before, or its key is gone.
            DecryptionError: more than 256 messages would be skipped.
        """
        if n == self.n:  # as nearly all are
            message_key, next_key = advance(self._key)
            return Ahead(self, message_key, next_key, n + 1, ())
        if n < self.n:
            return Kept(self.id, n, skipped, now)
        return self.reach(n)

    def reach(self, n: int) -> "Ahead[_ChainId]":
        """Return the key of message `n`, which is not behind in the chain. Changes nothing.

        Raises:
            DecryptionError: more than 256 messages would be skipped.
        """
        passed, key = self.pass_over(n)
        message_key, next_key = advance(key)
        return Ahead(self, message_key, next_key, n + 1, passed)

    def pass_over(self, n: int) -> tuple[tuple[MessageKey, ...], ChainKey]:
        """Return the keys of all messages before `n` not reached yet, and the chain key at `n`.

        Raises:
            DecryptionError: these are more than 256.
        """
        if n - self.n > MAX_SKIP:
            raise DecryptionError(f"{n - self.n} messages missing in one chain")
        key = self._key
        passed = []
        for _ in range(self.n, n):
            message_key, key = advance(key)
            passed.append(message_key)
        return tuple(passed), key

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return (self.id, self._key, self.n)


class Ahead(SecretState, Generic[_ChainId]):
    """The key of a message not reached before, with what moving the chain past it takes."""

    __slots__ = ("_next_key", "_next_n", "_passed", "chain", "message_key")

    def __init__(
        self,
        chain: ReceivingChain[_ChainId],
        message_key: MessageKey,
        next_key: ChainKey,
        next_n: int,
        passed: tuple[MessageKey, ...],
    ) -> None:
        self.chain = chain
        self.message_key = message_key
        self._next_key = next_key
        self._next_n = next_n
        self._passed = passed

    def commit(self, skipped: SkippedKeys[_ChainId], now: float) -> None:
        """Move the chain past the message and keep the keys of those it overtook."""
        chain = self.chain
        if self._passed:
            skipped.keep(chain.id, chain.n, self._passed, now)
        chain._key = self._next_key
        chain.n = self._next_n


class Kept(SecretState, Generic[_ChainId]):
    """The key of a message that others overtook. Raises MessageKeyGoneError when made without one."""

    __slots__ = ("_id", "_n", "message_key")

    def __init__(self, id_: _ChainId, n: int, skipped: SkippedKeys[_ChainId], now: float) -> None:
        message_key = skipped.find(id_, n, now)
        if message_key is None:
            raise MessageKeyGoneError
        self.message_key = message_key
        self._id = id_
        self._n = n

    def commit(self, skipped: SkippedKeys[_ChainId], now: float) -> None:  # as Ahead's
        """Forget the key: the message has been read."""
        skipped.take(self._id, self._n)

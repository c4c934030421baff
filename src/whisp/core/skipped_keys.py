"""Keys of messages that were overtaken or lost, kept for a short while (spec/ratchet.md, Skipped keys).

Forward secrecy rests on deletion, so the store is bounded three ways: how many, how old, and (by whoever owns
the chains) how many chains back.
"""

from collections.abc import Hashable, Sequence
from typing import Final, Generic, NewType, TypeVar

from whisp.core.secret_state import SecretState

__all__ = ["MAX_SKIPPED_KEYS", "SKIPPED_KEY_SECONDS", "MessageKey", "SkippedKeys"]

MAX_SKIPPED_KEYS: Final = 1024
"""Four full gaps: enough for any network that still carries a conversation, 100 KB at most."""

SKIPPED_KEY_SECONDS: Final = 120.0
"""Twice the time a session survives silence: what has not come by then was lost."""

MessageKey = NewType("MessageKey", bytes)
"""One chain's half of the secret of one message, 32 bytes."""

_ChainId = TypeVar("_ChainId", bound=Hashable)


class SkippedKeys(SecretState, Generic[_ChainId]):
    """Message keys by (chain, number), oldest first; a key leaves when used, aged, crowded out or dropped."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: dict[tuple[_ChainId, int], tuple[MessageKey, float]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, chain: _ChainId, n: int, now: float) -> MessageKey | None:
        """Return the key without taking it; None if it is not here or older than 120 s."""
        kept = self._keys.get((chain, n))
        if kept is None or now >= kept[1] + SKIPPED_KEY_SECONDS:
            return None
        return kept[0]

    def take(self, chain: _ChainId, n: int) -> None:
        """Drop a key that has opened its message: no message opens twice."""
        del self._keys[chain, n]

    def keep(self, chain: _ChainId, first_n: int, message_keys: Sequence[MessageKey], now: float) -> None:
        """Keep the keys of messages `first_n`, `first_n` + 1, …; beyond 1024 the oldest go."""
        keys = self._keys
        for n, message_key in enumerate(message_keys, first_n):
            keys[chain, n] = (message_key, now)
        for index in list(keys)[: max(0, len(keys) - MAX_SKIPPED_KEYS)]:
            del keys[index]

    def drop_chain(self, chain: _ChainId) -> None:
        """Drop all keys of one chain."""
        for index in [index for index in self._keys if index[0] == chain]:
            del self._keys[index]

    def expire(self, now: float) -> None:
        """Drop all keys that have reached 120 s."""
        keys = self._keys
        while keys:
            oldest = next(iter(keys))
            if now < keys[oldest][1] + SKIPPED_KEY_SECONDS:
                return
            del keys[oldest]

    def next_expiry(self) -> float | None:
        """Return when the oldest key expires; None while there is none."""
        for _, kept_at in self._keys.values():
            return kept_at + SKIPPED_KEY_SECONDS
        return None

    def wipe(self) -> None:
        """Drop everything."""
        self._keys.clear()

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return tuple(self._keys.items())

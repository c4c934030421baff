"""Where the exchange for the next epoch stands: a type for each place, no flags (spec/ratchet.md, Phases).

    leader     LeaderAtRest ──due──▶ Offered ──answer──▶ Switched ──heard──▶ FollowerAtRest of the next
    follower   FollowerAtRest ──offer──▶ Answered ──heard──▶ LeaderAtRest of the next

Each phase knows what it attaches to a message and since when it waits for one.
"""

from math import inf
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from whisp.core.message_chain import SendingChain
from whisp.core.secret_state import SecretState
from whisp.wire.envelope import KemAnswer, KemOffer

__all__ = [
    "Answered",
    "FollowerAtRest",
    "LeaderAtRest",
    "Offered",
    "Phase",
    "Switched",
]

EPOCH_SECONDS: Final = 60.0
EPOCH_MESSAGES: Final = 64
"""An epoch is renewed after a minute or 64 messages of both sides: 36 bytes a message at most, amortised."""

ATTACH_SECONDS: Final = 1.0
"""An unconfirmed half is sent again this often: loss costs a second, and silence 1.2 KB/s."""

URGENT_SECONDS: Final = 30.0
"""After this it rides on every message, so that holding back large frames is holding back everything."""


class LeaderAtRest(SecretState):
    """Both sides are in the epoch, and renewing it is ours."""

    __slots__ = ("_due_at", "_epoch", "_since")

    def __init__(self, epoch: int, now: float) -> None:
        self._epoch = epoch
        self._since = now
        self._due_at = inf

    def note_traffic(self, messages: int, now: float) -> None:
        """Take note that the epoch has carried so many messages of both sides."""
        if messages >= EPOCH_MESSAGES:
            self._due_at = min(self._due_at, now)
        elif self._due_at == inf and messages:
            self._due_at = max(self._since + EPOCH_SECONDS, now)

    def is_due(self, now: float) -> bool:
        """Say whether the next message must open an exchange."""
        return now >= self._due_at

    def owed_since(self, sent: int) -> float | None:
        """Return since when, or from when on, a message is owed: to open, or to be seen in a new epoch."""
        if sent == 0 and self._epoch > 0:
            return self._since
        return None if self._due_at == inf else self._due_at

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return ("leader at rest", self._epoch, self._since, self._due_at)


class FollowerAtRest(SecretState):
    """Both sides are in the epoch, and renewing it is the peer's."""

    __slots__ = ()

    def owed_since(self, sent: int) -> None:
        """Nothing is owed: the peer moves next."""

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return ("follower at rest",)


class _Attaching(SecretState):
    """What Offered and Answered share: a half of the exchange that rides on messages until confirmed."""

    __slots__ = ("_attached_at", "_since")

    def __init__(self, now: float) -> None:
        self._since = now
        self._attached_at: float | None = None

    def _must_attach(self, now: float) -> bool:
        last = self._attached_at
        if last is not None and now < last + ATTACH_SECONDS and now < self._since + URGENT_SECONDS:
            return False
        self._attached_at = now
        return True

    def owed_since(self, sent: int) -> float:
        """Return since when the half waits for its first message, or when it was last sent."""
        return self._since if self._attached_at is None else self._attached_at


class Offered(_Attaching):
    """The leader holds a fresh key pair and waits for the ciphertext."""

    __slots__ = ("offer", "private_key")

    def __init__(self, private_key: MLKEM768PrivateKey, now: float) -> None:
        super().__init__(now)
        self.private_key = private_key
        self.offer = KemOffer(private_key.public_key().public_bytes_raw())

    def attach(self, now: float) -> KemOffer | None:
        """Return the encapsulation key if the next message must carry it, and take note of the time."""
        return self.offer if self._must_attach(now) else None

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return ("offered", self.private_key.private_bytes_raw(), self._since, self._attached_at)


class Answered(_Attaching):
    """The follower has derived the next epoch, reads it, and sends in the old one until it hears the new."""

    __slots__ = ("answer", "sender")

    def __init__(self, ciphertext: bytes, sender: SendingChain, now: float) -> None:
        super().__init__(now)
        self.answer = KemAnswer(ciphertext)
        self.sender = sender
        """What to send by in the next epoch."""

    def attach(self, now: float) -> KemAnswer | None:
        """Return the ciphertext if the next message must carry it, and take note of the time."""
        return self.answer if self._must_attach(now) else None

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return (
            "answered",
            self.answer.kem_ciphertext,
            self.sender.snapshot_for_testing(),
            self._since,
            self._attached_at,
        )


class Switched(SecretState):
    """The leader sends in the new epoch and waits to hear the peer in it."""

    __slots__ = ("_unseen_since",)

    def __init__(self, now: float) -> None:
        self._unseen_since: float | None = now

    def spoke(self) -> None:
        """Take note that a message in the new epoch is on its way."""
        self._unseen_since = None

    def remind(self, now: float) -> None:
        """Take note that the peer still sends its ciphertext: it has seen nothing of the new epoch."""
        if self._unseen_since is None:
            self._unseen_since = now

    def owed_since(self, sent: int) -> float | None:
        """Return since when the peer has to see the new epoch; None if a message is on its way."""
        return self._unseen_since

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return ("switched", self._unseen_since)


Phase: TypeAlias = LeaderAtRest | FollowerAtRest | Offered | Answered | Switched

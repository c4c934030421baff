"""The classical half: a Double Ratchet over X25519 (spec/ratchet.md, Classical half).

After Perrin and Marlinspike, "The Double Ratchet Algorithm", with one change that peers cannot see: the new
key pair is made when the first reply is sent, not when the peer's key arrives. Between the two, a thief of
the state finds no private key at all.
"""

from typing import Final, NewType, TypeAlias

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from whisp.core.errors import DecryptionError
from whisp.core.key_schedule import KEY_BYTES, agree
from whisp.core.message_chain import Ahead, ChainKey, Kept, ReceivingChain, SendingChain
from whisp.core.secret_state import SecretState
from whisp.core.skipped_keys import MessageKey, SkippedKeys
from whisp.wire.encoding import tag
from whisp.wire.errors import LocalProtocolError, MalformedError

__all__ = ["DoubleRatchet", "Found", "RootKey", "Turn", "derive_root"]

MAX_CHAIN_AGE: Final = 4
"""How many later chains of the peer its skipped keys outlive: a straggler is seldom two replies late."""

MAX_RETIRED_KEYS: Final = 256
"""How many past ratchet keys of the peer are known by sight: as many as messages can be sent again. Their
messages are duplicates or too late; without this each would look like a forgery and cost a key agreement."""

RootKey = NewType("RootKey", bytes)
"""What the next chains of both directions derive from, 32 bytes."""

_SHA256: Final = SHA256()
_ROOT_INFO: Final = tag("ec root")


def derive_root(root_key: RootKey, shared_secret: bytes) -> tuple[RootKey, ChainKey]:
    """Return KDF_RK(rk, dh): the next root key and a new chain's key, HKDF-SHA-256 with the root as salt."""
    block = HKDF(_SHA256, 2 * KEY_BYTES, root_key, _ROOT_INFO).derive(shared_secret)
    return RootKey(block[:KEY_BYTES]), ChainKey(block[KEY_BYTES:])


class Listening(SecretState):
    """The responder before the initiator's first message: it holds EK_b and cannot send."""

    __slots__ = ("private_key",)

    def __init__(self, private_key: X25519PrivateKey) -> None:
        self.private_key = private_key

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return ("listening", self.private_key.private_bytes_raw())


class OwingTurn(SecretState):
    """The peer's newest key is unanswered: the next message sent starts a new chain under a new key."""

    __slots__ = ("previous_n", "since")

    def __init__(self, previous_n: int, since: float) -> None:
        self.previous_n = previous_n
        self.since = since

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return ("owing", self.previous_n, self.since)


class Turned(SecretState):
    """We have sent under a key of our own, which the peer's next key will be agreed with."""

    __slots__ = ("chain", "previous_n", "private_key", "ratchet_key")

    def __init__(self, private_key: X25519PrivateKey, chain: SendingChain, previous_n: int) -> None:
        self.private_key = private_key
        self.ratchet_key = private_key.public_key().public_bytes_raw()
        self.chain = chain
        self.previous_n = previous_n

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return (
            "turned",
            self.private_key.private_bytes_raw(),
            self.chain.snapshot_for_testing(),
            self.previous_n,
        )


class Turn(SecretState):
    """The key of the first message read under a new key of the peer, with what the turn changes."""

    __slots__ = ("ahead", "closing", "root_key")

    def __init__(self, root_key: RootKey, closing: tuple[MessageKey, ...], ahead: Ahead[bytes]) -> None:
        self.root_key = root_key
        self.closing = closing
        """Keys of messages of the chain before that have not come yet."""
        self.ahead = ahead

    @property
    def message_key(self) -> MessageKey:
        """The classical half of the message's secret."""
        return self.ahead.message_key


Found: TypeAlias = Ahead[bytes] | Kept[bytes] | Turn


class DoubleRatchet(SecretState):
    """Root key, one chain each way, and the keys of overtaken messages. Names a chain by its ratchet key."""

    __slots__ = ("_own", "_receiver", "_remote_key", "_retired", "_root_key", "_skipped")

    def __init__(self, root_key: RootKey, own: Listening | OwingTurn, remote_key: bytes | None) -> None:
        self._root_key = root_key
        self._own: Listening | OwingTurn | Turned = own
        self._remote_key = remote_key
        self._receiver: ReceivingChain[bytes] | None = None
        self._skipped: SkippedKeys[bytes] = SkippedKeys()
        self._retired: dict[bytes, None] = {}

    @classmethod
    def initiator(cls, root_key: RootKey, remote_key: bytes, now: float) -> "DoubleRatchet":
        """Return the ratchet of the side that sends first; `remote_key` is the responder's EK_b, 32 bytes."""
        return cls(root_key, OwingTurn(0, now), remote_key)

    @classmethod
    def responder(cls, root_key: RootKey, private_key: X25519PrivateKey) -> "DoubleRatchet":
        """Return the ratchet of the side that holds the EK_b pair and listens first."""
        return cls(root_key, Listening(private_key), None)

    @property
    def can_send(self) -> bool:
        """Whether there is a key of the peer to send to: always, but for a responder not yet spoken to."""
        return self._remote_key is not None

    @property
    def turn_owed_since(self) -> float | None:
        """Since when a key of the peer is unanswered; None if the last turn was ours."""
        own = self._own
        return own.since if isinstance(own, OwingTurn) and self._receiver is not None else None

    def send(self) -> tuple[int, int, bytes, MessageKey]:
        """Return the next message's N, PN, ratchet key and message key; turns first if a turn is owed.

        How the message key was made is forgotten.

        Raises:
            LocalProtocolError: the responder has not been spoken to yet.
            MalformedError: the peer's ratchet key is a small-order point (only its first can be).
            RatchetEndedError: the chain has given 2^31 keys.
        """
        own = self._own
        if not isinstance(own, Turned):
            own = self._turn_own()
        chain = own.chain
        return chain.n, own.previous_n, own.ratchet_key, chain.advance()

    def find(self, ratchet_key: bytes, n: int, previous_n: int, now: float) -> Found:
        """Return the key of the message that a header places. Changes nothing.

        Raises:
            MessageKeyGoneError: read before or too late.
            DecryptionError: too many missing before it, or a ratchet key that cannot be the peer's next.
        """
        receiver = self._receiver
        if receiver is not None and ratchet_key == receiver.id:
            return receiver.find(n, self._skipped, now)
        if ratchet_key in self._retired:
            return Kept(ratchet_key, n, self._skipped, now)
        return self._find_turn(ratchet_key, n, previous_n)

    def commit(self, found: Found, now: float) -> None:
        """Take the step that `find` prepared: its message proved authentic."""
        if isinstance(found, Turn):
            self._commit_turn(found, now)
        else:
            found.commit(self._skipped, now)

    def expire(self, now: float) -> None:
        """Drop skipped keys that have reached their age."""
        self._skipped.expire(now)

    def next_expiry(self) -> float | None:
        """Return when `expire` next has something to drop; None while nothing is kept."""
        return self._skipped.next_expiry()

    def snapshot_for_testing(self) -> tuple[object, ...]:
        """Return all state as values that compare equal exactly when the state is the same."""
        return (
            self._root_key,
            self._own.snapshot_for_testing(),
            self._remote_key,
            self._receiver and self._receiver.snapshot_for_testing(),
            self._skipped.snapshot_for_testing(),
            tuple(self._retired),
        )

    def _turn_own(self) -> Turned:
        own, remote_key = self._own, self._remote_key
        if remote_key is None or not isinstance(own, OwingTurn):
            raise LocalProtocolError("the responder sends only after the initiator's first message")
        private_key = X25519PrivateKey.generate()
        self._root_key, chain_key = derive_root(self._root_key, agree(private_key, remote_key))
        turned = Turned(private_key, SendingChain(chain_key), own.previous_n)
        self._own = turned
        return turned

    def _find_turn(self, ratchet_key: bytes, n: int, previous_n: int) -> Turn:
        own = self._own
        if isinstance(own, OwingTurn):
            # The peer turns only after it has read our newest key, and we have shown none since its last.
            raise DecryptionError("a ratchet key out of turn")
        closing: tuple[MessageKey, ...] = ()
        if self._receiver is not None and previous_n > self._receiver.n:
            closing, _ = self._receiver.pass_over(previous_n)
        try:
            shared_secret = agree(own.private_key, ratchet_key)
        except MalformedError:
            raise DecryptionError("a ratchet key that yields no secret") from None
        root_key, chain_key = derive_root(self._root_key, shared_secret)
        return Turn(root_key, closing, ReceivingChain(ratchet_key, chain_key).reach(n))

    def _commit_turn(self, turn: Turn, now: float) -> None:
        own, before = self._own, self._receiver
        if before is not None:
            if turn.closing:
                self._skipped.keep(before.id, before.n, turn.closing, now)
            self._retire(before.id)
        turn.ahead.commit(self._skipped, now)
        self._root_key = turn.root_key
        self._receiver = turn.ahead.chain
        self._remote_key = turn.ahead.chain.id
        self._own = OwingTurn(own.chain.n if isinstance(own, Turned) else 0, now)

    def _retire(self, ratchet_key: bytes) -> None:
        retired = self._retired
        retired[ratchet_key] = None
        if len(retired) > MAX_CHAIN_AGE:
            self._skipped.drop_chain(list(retired)[-1 - MAX_CHAIN_AGE])
        if len(retired) > MAX_RETIRED_KEYS:
            del retired[next(iter(retired))]

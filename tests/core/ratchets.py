"""Pairs of ratchets for tests, what they say to each other, and a thief who copies one."""

import os
from collections.abc import Iterator
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.ratchet import Ratchet
from whisp.core.secret_state import SecretState

__all__ = ["pair", "secrets_in", "steal", "talk", "tell"]

_State = TypeVar("_State")


def pair(now: float = 0) -> tuple[Ratchet, Ratchet]:
    """Return the ratchets of an initiator and a responder whose handshake has just ended."""
    sid, (root, pq_root, pq_a, pq_b) = os.urandom(16), (os.urandom(32) for _ in range(4))
    key = X25519PrivateKey.generate()
    remote = key.public_key().public_bytes_raw()
    return (
        Ratchet.initiator(sid, root, remote, pq_root, pq_a, pq_b, now),
        Ratchet.responder(sid, root, key, pq_root, pq_a, pq_b, now),
    )


def steal(state: _State) -> _State:
    """Return a copy of all `state` holds, which lives on by itself. Key objects never change: shared."""
    if isinstance(state, SecretState):
        stolen: Any = object.__new__(type(state))
        for kind in type(state).__mro__:
            for name in getattr(kind, "__slots__", ()):
                setattr(stolen, name, steal(getattr(state, name)))
        return stolen  # type: ignore[no-any-return]
    if isinstance(state, dict):
        return {key: steal(value) for key, value in state.items()}  # type: ignore[return-value]
    return state


def tell(sender: Ratchet, receiver: Ratchet, text: bytes, now: float = 0) -> bytes:
    """Send one message that arrives and is read; return its frame."""
    frame = sender.encrypt(text, now)
    assert receiver.decrypt(frame, now) == text
    return frame


def talk(a: Ratchet, b: Ratchet, start: float, end: float, every: float = 5) -> None:
    """Let both sides say something now and then, and send what is owed."""
    now = start
    while now < end:
        for sender, receiver in ((a, b), (b, a)):
            if sender.can_send:
                tell(sender, receiver, b"hello", now)
        for _ in range(3):
            for sender, receiver in ((a, b), (b, a)):
                if sender.owes_message(now):
                    tell(sender, receiver, b"", now)
        now += every


def secrets_in(state: object) -> Iterator[bytes]:
    """Yield every byte string in a snapshot."""
    if isinstance(state, bytes):
        yield state
    elif isinstance(state, tuple):
        for part in state:
            yield from secrets_in(part)

"""The seam between a session and what encrypts its messages."""

from typing import Protocol

__all__ = ["MessageRatchet"]


class MessageRatchet(Protocol):
    """What a session needs of a ratchet; `whisp.core.ratchet.Ratchet` is the one. All times are seconds."""

    @property
    def can_send(self) -> bool:
        """Whether `encrypt` may be called: a responder first has to read a message."""
        ...

    def encrypt(self, padded_plaintext: bytes, now: float) -> bytes:
        """Return the next message's frame. Raises RatchetEndedError when it cannot go on."""
        ...

    def decrypt(self, frame: bytes, now: float) -> bytes:
        """Return a frame's padded plaintext.

        Raises MalformedError and DecryptionError (both changing nothing but a count), MessageKeyGoneError
        for a repeated or late frame, and RatchetEndedError when it cannot go on.
        """
        ...

    def owes_message(self, now: float) -> bool:
        """Say whether a message has to be sent only to carry a step of the ratchet."""
        ...

    def next_deadline(self, now: float) -> float | None:
        """Return when to call `owes_message` and `expire` again, None for never."""
        ...

    def expire(self, now: float) -> None:
        """Drop keys that have reached their age."""
        ...

    def wipe(self) -> None:
        """Drop all keys."""
        ...

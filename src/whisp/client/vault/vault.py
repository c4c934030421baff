"""What the client needs of a vault: load and save one blob, and forget."""

from typing import Protocol

__all__ = ["Vault"]


class Vault(Protocol):
    """Keeps one secret blob between runs. Both calls may block; the client makes them off its loop."""

    def load(self) -> bytes | None:
        """Return what was saved last, None if nothing ever was. Raises VaultError."""
        ...

    def save(self, contents: bytes) -> None:
        """Replace what is kept: afterwards, and after a crash at any moment, old or new loads whole.

        Raises VaultError; the old contents are then still there.
        """
        ...

    def forget(self) -> None:
        """Drop keys and contents from memory; `load` and `save` raise LockedError from then on."""
        ...

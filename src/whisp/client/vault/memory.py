"""A vault for burner accounts and tests: it lives and dies with the process."""

from whisp.client.errors import LockedError

__all__ = ["MemoryVault"]


class MemoryVault:
    """Keeps everything in memory only."""

    def __init__(self) -> None:
        self._contents: bytes | None = None
        self._is_forgotten = False

    def __repr__(self) -> str:
        return "MemoryVault(<redacted>)"

    def load(self) -> bytes | None:
        """Return what was saved last, None if nothing was. Raises LockedError after `forget`."""
        if self._is_forgotten:
            raise LockedError
        return self._contents

    def save(self, contents: bytes) -> None:
        """Replace what is kept. Raises LockedError after `forget`."""
        if self._is_forgotten:
            raise LockedError
        self._contents = contents

    def forget(self) -> None:
        """Drop the contents for good."""
        self._contents = None
        self._is_forgotten = True

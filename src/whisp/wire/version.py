"""Protocol versions: equal majors talk, whatever their minors; unequal majors say so and stop."""

from dataclasses import dataclass
from typing import Final

__all__ = ["CURRENT", "PAIRWISE_VERSION", "SUITE", "SUITE_BITMAP", "VERSION_BITMAP", "Version"]


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version of the client-server protocol."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    def is_compatible(self, other: "Version") -> bool:
        """Say whether two sides can talk; both then keep to the lower minor."""
        return self.major == other.major


CURRENT: Final = Version(1, 0)

PAIRWISE_VERSION: Final = 1
"""The version byte of the pairwise protocol (spec/handshake.md)."""

VERSION_BITMAP: Final = 1 << (PAIRWISE_VERSION - 1)
SUITE: Final = 1
"""Suite 1: X25519, ML-KEM-768, HKDF-SHA-256, AES-256-GCM."""
SUITE_BITMAP: Final = 1 << (SUITE - 1)

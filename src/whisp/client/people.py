"""Who one talks to: members of a conversation, pinned contacts, and the number two people compare."""

from dataclasses import dataclass, field
from functools import lru_cache

from whisp.core.safety_number import safety_number, safety_qr_encode
from whisp.wire.ids import AccountId, DeviceId, Username

__all__ = ["Contact", "Member", "SafetyNumber"]


@dataclass(frozen=True, slots=True)
class Member:
    """One device of one account in a conversation."""

    username: Username
    account: AccountId = field(repr=False)
    device: DeviceId = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """An account pinned in the vault at first contact, under the name it then had."""

    username: Username
    account: AccountId = field(repr=False)
    verified: bool
    """Someone compared safety numbers and said they match."""
    added: int
    """Unix seconds."""
    changed_to: AccountId | None = field(default=None, repr=False)
    """A different key the server has shown for this name; None while there is no quarrel."""


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """Sixty digits both sides see alike, and the bytes of their QR form."""

    digits: str
    """Twelve groups of five digits, joined by spaces."""
    qr: bytes
    """What this side shows; the other side scans it."""

    @classmethod
    def between(cls, own: AccountId, other: AccountId) -> "SafetyNumber":
        """Return the number of two accounts. The first time takes about 50 ms."""
        return cls(_digits(own, other), safety_qr_encode(own, other))


@lru_cache(maxsize=256)
def _digits(own: AccountId, other: AccountId) -> str:
    return safety_number(own, other)

"""The one canonical form of a username, computed here and nowhere else (spec/signalling.md, Usernames)."""

import re
from typing import Final

from whisp.wire.errors import MalformedError
from whisp.wire.ids import Username

__all__ = ["RESERVED", "canonical", "folded", "is_reserved"]

_LEGAL = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,30})[a-z0-9]", re.ASCII)

RESERVED: Final = frozenset(
    {
        "abuse",
        "admin",
        "administrator",
        "daemon",
        "everyone",
        "help",
        "here",
        "host",
        "hostmaster",
        "info",
        "mail",
        "moderator",
        "noreply",
        "official",
        "operator",
        "owner",
        "postmaster",
        "root",
        "security",
        "server",
        "service",
        "staff",
        "support",
        "system",
        "webmaster",
        "whisp",
        "you",
    }
)
"""Names no one may claim, because others would take them for the host's own."""


def folded(name: str) -> str:
    """Return `name` with its ASCII letters lowered, legal or not: a look-up takes as long for either."""
    return name.lower() if name.isascii() else name  # U+212A, the Kelvin sign, would lower to a "k"


def canonical(name: str) -> Username:
    """Return the canonical form of `name`: ASCII letters lowered, nothing else changed.

    3 to 32 of a to z, 0 to 9 and hyphen, a hyphen neither first nor last. No Unicode is folded or
    dropped: a look-alike is refused, so no two spellings can meet in one name (UTS #39).

    Raises:
        MalformedError: the name has another character or length.
    """
    lowered = folded(name)
    if _LEGAL.fullmatch(lowered) is None:
        raise MalformedError("Use 3 to 32 of a to z, 0 to 9 and hyphen.")
    return Username(lowered)


def is_reserved(name: Username) -> bool:
    """Say whether `name` can never be claimed: a host's word, an erased account's name, or punycode."""
    return name in RESERVED or name.startswith(("deleted-", "xn--"))

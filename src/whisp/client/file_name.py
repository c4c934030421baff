"""A foreign file name made safe for this disk (S-35 in SECURITY.md: a peer chooses every byte of it)."""

import unicodedata
from collections.abc import Iterator
from typing import Final

__all__ = ["numbered_names", "safe_name"]

MAX_SAFE_BYTES: Final = 200
"""Leaves room for " (9999)" and ".part" within the 255 bytes of common file systems."""

MAX_SUFFIX_BYTES: Final = 20
_REPLACED: Final = {ord(character): "_" for character in '/\\:*?"<>|'}
_RESERVED: Final = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"]
)
"""Device names on Windows, with any extension: a file saved here may be copied there."""


def safe_name(offered: str) -> str:
    """Return a name without path, control, format or reserved parts; never empty, never hidden.

    Bidirectional overrides go, as they show an extension that is not there. Everything else the sender wrote
    stays, so that a person recognises the file.
    """
    composed = unicodedata.normalize("NFC", offered)
    visible = "".join(c if c == " " or unicodedata.category(c)[0] not in "CZ" else "" for c in composed)
    name = visible.translate(_REPLACED).lstrip(" .-").rstrip(" .")
    if not name.strip("_"):
        return "file"
    stem, dot, suffix = name.rpartition(".")
    if not dot or not stem or len(suffix.encode()) > MAX_SUFFIX_BYTES:
        stem, dot, suffix = name, "", ""
    stem = _shortened(stem, MAX_SAFE_BYTES - len((dot + suffix).encode())).rstrip(" .")
    if stem.split(".")[0].rstrip(" ").casefold() in _RESERVED:
        stem = "_" + stem
    return stem + dot + suffix


def numbered_names(name: str) -> Iterator[str]:
    """Yield `name`, then "name (2)", "name (3)", … with the number before the extension."""
    yield name
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    for number in range(2, 10_000):
        yield f"{stem} ({number}){dot}{suffix}"


def _shortened(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")

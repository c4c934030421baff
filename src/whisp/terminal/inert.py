"""Foreign text made harmless: what others wrote is shown, and nothing in it can act on a terminal.

Every text that came from outside (messages, names, file names, reasons, the server's sentences) passes
through `inert` exactly once, on its way to the screen. Toolkit markup is off wherever the result is shown.
"""

import re
import unicodedata
from typing import Final

__all__ = ["MAX_LINE_CHARACTERS", "MAX_MARKS", "MAX_MESSAGE_CHARACTERS", "inert", "inert_line"]

MAX_MARKS: Final = 8
"""Marks shown on one base: no living script stacks more, and floods of them cover the lines above."""

MAX_LINE_CHARACTERS: Final = 200
"""A name, a file name or a reason: longer ones keep their two ends."""

MAX_MESSAGE_CHARACTERS: Final = 16_384
"""One message on the screen. More would make every redraw of it slow, which a peer must not decide."""

_BIDI = {
    0x061C: "ALM",
    0x200E: "LRM",
    0x200F: "RLM",
    0x202A: "LRE",
    0x202B: "RLE",
    0x202C: "PDF",
    0x202D: "LRO",
    0x202E: "RLO",
    0x2066: "LRI",
    0x2067: "RLI",
    0x2068: "FSI",
    0x2069: "PDI",
}
_JOINERS = "\u200c\u200d"  # Persian and emoji need them; they count as marks, so they cannot flood either
_PLAIN = re.compile(r"[\x20-\x7e\n]*", re.ASCII)


def inert(text: str, *, limit: int = MAX_MESSAGE_CHARACTERS) -> str:
    """Return `text` with everything that could act on a terminal shown as a visible symbol.

    The result has no control character but line feeds, no escape, no C1 byte, no bidirectional control, no
    invisible format character except the two joiners, no lone surrogate, at most `MAX_MARKS` combining
    marks on one base, and at most about `limit` characters of the original. Applying it twice changes
    nothing more.

    Source: S-31 in SECURITY.md; Unicode 16 chapter 23.2 (Bidi_Control) and the general categories.
    """
    left = len(text) - limit
    if left > 0:
        text = text[:limit]
    text = text.replace("\r\n", "\n")
    if _PLAIN.fullmatch(text) is None:
        text = _shown(text)
    return f"{text}\n… {left} more characters are not shown." if left > 0 else text


def inert_line(text: str, *, limit: int = MAX_LINE_CHARACTERS) -> str:
    """Return `text` as one inert line: breaks are shown too, and a long one keeps its two ends.

    A file name keeps its end because that is where the type stands.
    """
    if len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return inert(text, limit=limit).replace("\n", "␊")


def _shown(text: str) -> str:
    shown: list[str] = []
    marks = 0
    surplus = 0
    for character in text:
        code = ord(character)
        category = unicodedata.category(character)
        if category in ("Mn", "Me") or character in _JOINERS:
            marks += 1
            if marks <= MAX_MARKS:
                shown.append(character)
            else:
                surplus += 1
            continue
        if surplus:
            shown.append(f"‹{surplus} marks›")
            surplus = 0
        marks = 0
        shown.append(_symbol(character, code, category))
    if surplus:
        shown.append(f"‹{surplus} marks›")
    return "".join(shown)


def _symbol(character: str, code: int, category: str) -> str:
    match category:
        case "Cc" if character == "\n":
            return character
        case "Cc" if character == "\t":
            return "    "
        case "Cc" if code < 0x20:
            return chr(0x2400 + code)
        case "Cc" if code == 0x7F:
            return "␡"
        case "Cc":
            return f"‹{code:02X}›"
        case "Cf":
            return f"‹{_BIDI.get(code, f'{code:04X}')}›"
        case "Zl" | "Zp":
            return "␤"
        case "Cs":
            return "\N{REPLACEMENT CHARACTER}"
        case "Zs":
            return " "
        case _:
            return character

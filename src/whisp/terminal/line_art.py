"""The line between two people, drawn as it is: ringing, relayed, direct, dropped, or not there."""

from whisp.client.events import Line
from whisp.terminal.glyphs import Glyphs

__all__ = ["RINGING_DOTS", "draw", "draw_ringing"]

RINGING_DOTS = 10
"""Dots between the two ends while it rings."""


def draw(line: Line, glyphs: Glyphs, wire: int = 2) -> str:
    """Return the line in its state; `wire` is its length on each side of the middle."""
    match line:
        case Line.RELAYED:
            middle = glyphs.wire * wire + glyphs.relay + glyphs.wire * wire
        case Line.DIRECT:
            middle = glyphs.wire * (2 * wire + 1)
        case Line.HELD:
            middle = " ".join(glyphs.broken * (wire + 2))
        case Line.GONE:
            middle = " " * (2 * wire + 4)
    return f"{glyphs.dot}{middle}{glyphs.dot}"


def draw_ringing(glyphs: Glyphs) -> str:
    """Return the line while nobody has answered: dots that lead to an open end."""
    return f"{glyphs.dot}{glyphs.ringing * RINGING_DOTS}{glyphs.out}"

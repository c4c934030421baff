"""QR codes drawn in half blocks, two rows of squares in one row of text."""

from typing import Final

__all__ = ["QUIET", "half_blocks"]

QUIET: Final = 4
"""Light squares around the code; ISO/IEC 18004 asks for four, and scanners want them."""

_UPPER_LOWER: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def half_blocks(content: bytes) -> tuple[str, ...]:
    """Return the rows of a QR code for `content`, drawn in the *dark* squares.

    The rows are all of one width and must be shown dark on light in every theme, or scanners fail.
    The lowest error correction keeps it small: a screen is not a crumpled label.
    """
    import segno

    code = segno.make_qr(content, error="l", boost_error=False, mode="byte")
    rows = [[bool(square) for square in row] for row in code.matrix_iter(border=QUIET)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return tuple(
        "".join(_UPPER_LOWER[upper, lower] for upper, lower in zip(rows[index], rows[index + 1], strict=True))
        for index in range(0, len(rows), 2)
    )

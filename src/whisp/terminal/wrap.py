"""Lines of text no wider than the screen, measured in cells."""

from rich.cells import cell_len, chop_cells

__all__ = ["forget_widths", "wrap"]


def wrap(text: str, width: int) -> list[str]:
    """Return `text` broken into lines of at most `width` cells, at spaces where there are some.

    Every character but the spaces broken at is kept. A character wider than `width` gets its own line.
    """
    width = max(1, width)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        used = 0
        for word in _words(paragraph):
            length = cell_len(word)
            if used + cell_len(word.rstrip(" ")) <= width:
                line += word
                used += length
                continue
            if line.strip(" "):
                lines.append(line.rstrip(" "))
                line, used = "", 0
            if length <= width:
                line, used = word, length
                continue
            *whole, line = chop_cells(word, width) or [word]
            lines.extend(piece.rstrip(" ") for piece in whole)
            used = cell_len(line)
        lines.append(line.rstrip(" "))
    return lines


def forget_widths() -> None:
    """Empty the toolkit's memory of measured texts, which holds pieces of what was said."""
    from rich import cells

    cells.cached_cell_len.cache_clear()


def _words(paragraph: str) -> list[str]:
    """Split into words, each with the spaces behind it."""
    words: list[str] = []
    start = 0
    for index in range(1, len(paragraph)):
        if paragraph[index] != " " and paragraph[index - 1] == " ":
            words.append(paragraph[start:index])
            start = index
    if paragraph[start:]:
        words.append(paragraph[start:])
    return words

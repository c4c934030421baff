"""Progress as a line: `━━━━━━╺──── 62 %`."""

from whisp.terminal.glyphs import Glyphs

__all__ = ["bar", "percent"]


def percent(done: int, size: int) -> int:
    """Return whole percents of `size`; 100 only when all is there, also of an empty file."""
    return 100 if done >= size else max(0, done * 100 // size)


def bar(done: int, size: int, width: int, glyphs: Glyphs) -> str:
    """Return a bar of `width` cells and the percents behind it."""
    part = percent(done, size)
    filled = width * part // 100
    if filled >= width:
        drawn = glyphs.bar_done * width
    else:
        drawn = glyphs.bar_done * filled + glyphs.bar_head + glyphs.bar_left * (width - filled - 1)
    return f"{drawn} {part} %"

"""The quiet row of keys at the foot of a screen."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from whisp.terminal.widgets.say import app_of

__all__ = ["Keys"]


class Keys(Static):
    """Key and word pairs, the first the most important; those that do not fit are left out."""

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__("", markup=False)
        self._keys = tuple(keys)

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show other keys."""
        if self._keys != tuple(keys):
            self._keys = tuple(keys)
            self.refresh()

    def render(self) -> Content:
        """Return the row, as much of it as fits."""
        say = app_of(self).glyphs.say
        room = self.content_size.width
        parts: list[Content] = []
        used = 0
        for key, word in self._keys:
            length = cell_len(key) + 1 + cell_len(word) + (3 if parts else 0)
            if used + length > room:
                break
            if parts:
                parts.append(Content("   "))
            parts.append(Content.assemble((say(key), "bold"), " ", say(word)))
            used += length
        return Content("").join(parts)

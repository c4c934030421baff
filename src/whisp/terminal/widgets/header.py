"""One line at the top of a call: who, and for how long."""

from textual.content import Content
from textual.widgets import Static

from whisp.terminal import words
from whisp.terminal.widgets.say import app_of

__all__ = ["CallHeader", "Wordmark"]


class Wordmark(Static):
    """The product's name, at the start of every screen that is not a call."""

    def __init__(self, aside: str = "", *, is_alive: bool = True) -> None:
        super().__init__("", markup=False)
        self._aside = aside
        self._colour = "$accent" if is_alive else "$ink-soft"

    def say(self, aside: str) -> None:
        """Put other words behind the name."""
        if aside != self._aside:
            self._aside = aside
            self.refresh()

    def render(self) -> Content:
        """Return the mark, the name and what stands behind them."""
        say = app_of(self).glyphs.say
        mark = "(..) " if app_of(self).glyphs.is_ascii else "(··) "
        parts: list[str | tuple[str, str]] = [(mark, self._colour), ("Whisp", "bold")]
        if self._aside:
            parts.append((say(f"   {self._aside}"), "$ink-faint"))
        return Content.assemble(*parts)


class CallHeader(Static):
    """`odile ✓ · Live 12:40`."""

    def __init__(self, name: str, *, is_verified: bool) -> None:
        super().__init__("", markup=False)
        self._shown_name = name
        self._is_verified = is_verified
        self._seconds = 0.0
        self._state = "Live"

    def show(self, *, seconds: float, state: str, is_verified: bool) -> None:
        """Draw another second or state."""
        now = (int(seconds), state, is_verified)
        if now != (int(self._seconds), self._state, self._is_verified):
            self._seconds, self._state, self._is_verified = seconds, state, is_verified
            self.refresh()

    def render(self) -> Content:
        """Return name, mark, state and time."""
        glyphs = app_of(self).glyphs
        mark = f" {glyphs.verified}" if self._is_verified else ""
        return Content.assemble(
            (self._shown_name, "bold"),
            (mark, "$accent"),
            (f" {glyphs.separator} ", "$ink-faint"),
            (self._state, "$accent" if self._state == "Live" else "$text-warning"),
            " ",
            words.clock(self._seconds),
        )

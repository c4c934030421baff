"""The line as a picture, with its sentence: never one that is not there."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from whisp.client.events import Line
from whisp.terminal.line_art import RINGING_DOTS, draw, draw_ringing
from whisp.terminal.widgets.say import app_of

__all__ = ["LinePicture", "RingingLine"]


class LinePicture(Static):
    """One row: the line in its state and what that means. Set `wire` for a longer line without words."""

    def __init__(self, line: Line, sentence: str = "", *, wire: int = 2, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__("", id=id, markup=False)
        self._wire = wire
        self._line = line
        self._sentence = sentence

    def show(self, line: Line, sentence: str) -> None:
        """Draw another state."""
        if (line, sentence) != (self._line, self._sentence):
            self._line, self._sentence = line, sentence
            self.refresh(layout=True)

    def render(self) -> Content:
        """Return picture and sentence."""
        glyphs = app_of(self).glyphs
        colour = {Line.HELD: "$text-warning", Line.GONE: "$ink-faint"}.get(self._line, "$accent")
        picture = (draw(self._line, glyphs, self._wire), colour)
        if not self._sentence:
            return Content.assemble(picture)
        return Content.assemble(picture, " ", glyphs.say(self._sentence))


class RingingLine(Static):
    """Dots between two ends; one of them, brighter, travels towards the other person."""

    step: reactive[int] = reactive(0)

    def __init__(self) -> None:
        super().__init__("", markup=False)

    def render(self) -> Content:
        """Return the dots, the travelling one bold."""
        drawn = draw_ringing(app_of(self).glyphs)
        bright = 1 + self.step % RINGING_DOTS
        return Content.assemble(
            (drawn[0], "$accent"),
            (drawn[1:bright], "$ink-faint"),
            (drawn[bright], "$accent bold"),
            (drawn[bright + 1 :], "$ink-faint"),
        )

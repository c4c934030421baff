"""A button of one line: a pill, as far as a terminal has them."""

from textual.content import Content
from textual.widgets import Button

from whisp.terminal.widgets.say import app_of

__all__ = ["Action"]


class Action(Button):
    """Something a person can do here. `kind` is main, line, end or danger; `key` its letter, if any."""

    def __init__(self, label: str, kind: str = "line", *, key: str = "", id: str) -> None:  # noqa: A002 - Textual's name
        self._words = f"{label}  {key}" if key else label
        super().__init__(Content(self._words), id=id, classes=kind, compact=True)

    def on_mount(self) -> None:
        """Show the label as this screen can."""
        self.label = Content(app_of(self).glyphs.say(self._words))

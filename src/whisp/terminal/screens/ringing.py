"""A ring going out: dots on the line, and nothing sent."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Button

from whisp.terminal import words
from whisp.terminal.inert import inert_line
from whisp.terminal.screens.layers import Page, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.line_picture import RingingLine
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["RingingScreen"]


class RingingScreen(Page):
    """Waits for an answer; Ctrl+X or the button stops it."""

    def __init__(self, name: str, known: str) -> None:
        super().__init__()
        self.name_rung = name
        self._known = known
        self._started = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the moment."""
        yield Wordmark()
        with Vertical(classes="moment"):
            yield RingingLine()
            yield Title(words.ringing(inert_line(self.name_rung)), classes="voice")
            yield Say(words.RING_SUB, classes="soft")
            yield Say("0:00", id="seconds", classes="faint")
            yield Say(self._known, classes="faint")
            yield Action("Stop ringing", "end", key="Ctrl+X", id="stop")
        yield Keys((("Ctrl+X", "stop ringing"), ("Esc Esc", "panic"), ("F1", "help")))

    def on_mount(self) -> None:
        """Begin to count."""
        self._started = app_of(self).now()
        self.query_one(Title).focus()

    def tick(self) -> None:
        """Move the dot and the seconds."""
        passed = app_of(self).now() - self._started
        self.query_one(RingingLine).step = int(passed)
        self.query_one("#seconds", Say).say(words.clock(passed))

    @on(Button.Pressed, "#stop")
    def stop(self) -> None:
        """Stop ringing and go back."""
        app_of(self).stop_ringing()

"""After a call. No colour but on what starts again; it says what is true, and then its limit."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button

from whisp.client.errors import EndReason
from whisp.client.events import Line
from whisp.terminal import words
from whisp.terminal.happenings import Summary
from whisp.terminal.inert import inert_line
from whisp.terminal.screens.layers import Page, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.line_picture import LinePicture
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["GoneScreen"]

_THEIR_DEVICE = {
    EndReason.HUNG_UP: "Was told to wipe",
    EndReason.PEER_HUNG_UP: "Says it has wiped too",
    EndReason.PEER_LOCKED: "Locked, and says it has wiped too",
    EndReason.LOCKED: "Was told to wipe",
}


class GoneScreen(Page):
    """What was wiped, by whose word."""

    def __init__(self, summary: Summary, messages: int, saved: int) -> None:
        super().__init__()
        self.summary = summary
        self._messages = messages
        self._saved = saved

    def compose(self) -> ComposeResult:
        """Lay out the moment."""
        summary = self.summary
        name = inert_line(summary.name)
        yield Wordmark(is_alive=False)
        with VerticalScroll(classes="moment drained", can_focus=False):
            yield LinePicture(Line.GONE, wire=8)
            yield Title(words.GONE, classes="voice")
            yield Say(f"You and {name} were live for {words.during(summary.seconds)}.")
            yield Say(words.GONE_REST)
            if summary.reason is EndReason.LOST:
                yield Say(words.unheard(name), classes="notice")
            with Vertical(classes="card"):
                yield _Fact("This device", f"Keys and {words.count(self._messages, 'message')} wiped")
                yield _Fact(f"{name}’s device", _THEIR_DEVICE.get(summary.reason, "Did not answer"))
                yield _Fact("The server", "Never had any of it")
                saved = words.count(self._saved, "file") if self._saved else "Nothing"
                yield _Fact("Saved by you", saved)
            with Horizontal(classes="actions"):
                yield Action("Call again", "line", id="again")
                yield Action("Done", "end", id="done")
            yield Say(words.CANNOT_KNOW, classes="faint")
        yield Keys((("Enter", "choose"), ("Tab", "other"), ("Ctrl+Q", "leave")))

    def on_mount(self) -> None:
        """Offer to be done."""
        self.query_one("#done").focus()

    def close_layer(self) -> bool:
        """Go back to the contacts."""
        app_of(self).go_home()
        return True

    @on(Button.Pressed, "#done")
    def done(self) -> None:
        """Go back to the contacts."""
        app_of(self).go_home()

    @on(Button.Pressed, "#again")
    def again(self) -> None:
        """Ring the same person."""
        app_of(self).go_home()
        app_of(self).ring(self.summary.name)


class _Fact(Horizontal):
    """What, and how it is with it."""

    def __init__(self, what: str, how: str) -> None:
        super().__init__()
        self._what = what
        self._how = how

    def compose(self) -> ComposeResult:
        """Lay out the two at the two ends."""
        yield Say(self._what)
        yield Say(self._how, classes="how")

"""Small questions over the chat: a path, whether to go direct; and the table of keys."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input

from whisp.terminal import words
from whisp.terminal.inert import inert_line
from whisp.terminal.screens.layers import SETTLE_SECONDS, Layer, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.composer import Field
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["DirectScreen", "HelpScreen", "PathScreen"]


class PathScreen(Layer):
    """Asks for a path and hands it on when it fits."""

    def __init__(
        self,
        title: str,
        hint: str,
        *,
        value: str,
        fits: Callable[[Path], str | None],
        take: Callable[[Path], None],
    ) -> None:
        """Ask `title`; `fits` returns what is wrong with a path, None if nothing; `take` gets the path."""
        super().__init__()
        self._words = title
        self._hint = hint
        self._value = value
        self._fits = fits
        self._take = take

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="card prompt"):
            yield Title(self._words, classes="title")
            yield Field(value=self._value, id="path")
            yield Say(self._hint, id="hint", classes="faint")

    def on_mount(self) -> None:
        """Begin in the field."""
        field = self.query_one("#path", Field)
        field.focus()
        field.cursor_position = len(field.value)

    @on(Input.Submitted, "#path")
    def submit(self, event: Input.Submitted) -> None:
        """Check the path and hand it on."""
        event.stop()
        typed = event.value.strip().strip("'\"")
        if not typed:
            return
        try:
            path = Path(typed).expanduser()
        except RuntimeError:  # ~someone who is not there
            path = Path(typed)
        wrong = self._fits(path)
        if wrong is not None:
            hint = self.query_one("#hint", Say)
            hint.set_classes("danger")
            hint.say(wrong)
            return
        self.dismiss()
        self._take(path)


class DirectScreen(Layer):
    """The peer asks for a direct line. A letter answers only once the keyboard has rested."""

    LETTERS: ClassVar[dict[str, bool]] = {"a": True, "d": False}

    def __init__(self, name: str) -> None:
        super().__init__()
        self._words = words.asks_direct(inert_line(name))
        self._last_key = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="card prompt"):
            yield Title(self._words, classes="title")
            yield Say("On the relay, neither of you sees the other’s address.", classes="soft")
            with Horizontal(classes="actions"):
                yield Action("Stay on the relay", "main", key="D", id="refuse")
                yield Action("Go direct", "line", key="A", id="allow")

    def on_mount(self) -> None:
        """No button has the focus."""
        self._last_key = app_of(self).monotonic()
        self.query_one(Title).focus()

    def close_layer(self) -> bool:
        """Escape stays on the relay."""
        self._answer(False)
        return True

    def on_key(self, event: events.Key) -> None:
        """Answer by letter."""
        now = app_of(self).monotonic()
        rested = now - self._last_key >= SETTLE_SECONDS
        self._last_key = now
        if event.key.lower() in self.LETTERS:
            event.stop()
            if rested:
                self._answer(self.LETTERS[event.key.lower()])

    @on(Button.Pressed, "#allow")
    def allow(self) -> None:
        """Go direct."""
        self._answer(True)

    @on(Button.Pressed, "#refuse")
    def refuse(self) -> None:
        """Stay on the relay."""
        self._answer(False)

    def _answer(self, accept: bool) -> None:
        self.dismiss()
        app_of(self).calls.answer_direct(accept)


_KEYS = (
    ("Enter", "send"),
    ("Esc Esc", "panic: wipe everything on this device, now"),
    ("Esc", "close the top layer; never hangs up"),
    ("Ctrl+K", "call someone"),
    ("Ctrl+F", "find in this chat"),
    ("Ctrl+O", "attach a file"),
    ("Ctrl+S", "save the newest file on offer"),
    ("Ctrl+G", "safety number"),
    ("Ctrl+L", "ask for a direct line"),
    ("Ctrl+X", "hang up, which wipes this chat on both sides"),
    ("↑", "edit your last message"),
    ("Alt+↑ Alt+↓", "walk; then Del deletes for both, S D C act on files"),
    ("A / D", "accept or decline a call, once you stop typing"),
    ("Ctrl+Q", "leave Whisp"),
)


class HelpScreen(Layer):
    """The keys, and what they do."""

    def compose(self) -> ComposeResult:
        """Lay out the table."""
        say = app_of(self).glyphs.say
        with VerticalScroll(classes="card", id="help", can_focus=False):
            yield Title("Keys", classes="voice")
            width = max(len(say(key)) for key, _ in _KEYS) + 2
            yield Say("\n".join(f"{say(key):<{width}}{what}" for key, what in _KEYS), id="keys-table")
            yield Say(words.CANNOT_KNOW, classes="faint")

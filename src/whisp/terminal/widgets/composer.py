"""Fields a person types into: nothing they hold is suggested, copied out or able to act."""

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from whisp.terminal.inert import inert_line
from whisp.terminal.widgets.say import app_of

__all__ = ["Composer", "Field"]

_MAX_TYPED = 16_000


class Field(Input):
    """A one-line field. What is pasted is made inert first: a clipboard can hold what others wrote."""

    def __init__(
        self,
        placeholder: str = "",
        *,
        value: str = "",
        is_secret: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        super().__init__(
            value,
            placeholder,
            password=is_secret,
            select_on_focus=False,
            compact=True,
            max_length=_MAX_TYPED,
            id=id,
        )

    def on_mount(self) -> None:
        """Show the placeholder as this screen can."""
        self.placeholder = app_of(self).glyphs.say(str(self.placeholder))

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        text = " ".join(event.text.splitlines()) if not self.password else event.text.rstrip("\r\n")
        self.insert_text_at_cursor(text if self.password else inert_line(text, limit=_MAX_TYPED))

    def action_copy(self) -> None:
        """Do nothing: no clipboard, where other programs read it."""

    def action_cut(self) -> None:
        """Do nothing, as `action_copy`."""


class Composer(Field):
    """Where messages are written. Enter sends."""

    BINDINGS = [Binding("alt+up", "walk", show=False)]  # noqa: RUF012 - Textual's way

    class Sent(Message):
        """A message is to go out."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Walk(Message):
        """The person wants to walk through the messages."""

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send what was written, and empty the field."""
        event.stop()
        if event.value.strip():
            self.clear()
            self.post_message(self.Sent(event.value))

    def action_walk(self) -> None:
        """Leave the field for the messages above it."""
        self.post_message(self.Walk())

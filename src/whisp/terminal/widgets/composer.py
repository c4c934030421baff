"""Fields a person types into: nothing they hold is suggested, copied out or able to act."""

from collections.abc import Callable

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from whisp.terminal.inert import inert_line
from whisp.terminal.widgets.say import app_of

__all__ = ["Composer", "Field"]

_MAX_TYPED = 16_000


class Field(Input):
    """A one-line field. What is pasted is made inert first: a clipboard can hold what others wrote.

    Keys act in the order they were pressed, also when many come at once over a slow line: the toolkit lets
    letters overtake Enter and Backspace, which would mix two messages, or put a passphrase behind a name.
    """

    def __init__(
        self,
        placeholder: str = "",
        *,
        value: str = "",
        is_secret: bool = False,
        then: str | None = None,
        fits: Callable[[], bool] = lambda: True,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        """Make a field. Enter goes on to the widget `then` if the value `fits`, else it submits."""
        super().__init__(
            value,
            placeholder,
            password=is_secret,
            select_on_focus=False,
            compact=True,
            max_length=_MAX_TYPED,
            id=id,
        )

        self.cursor_blink = False  # nothing moves by itself but ringing and typing
        self._then = then
        self._fits = fits

    def on_mount(self) -> None:
        """Show the placeholder as this screen can."""
        self.placeholder = app_of(self).glyphs.say(str(self.placeholder))

    async def action_submit(self) -> None:
        """Go on to the next field at once, or submit."""
        if self._then is None:
            await super().action_submit()
        elif self._fits():
            self.screen.set_focus(self.screen.query_one(self._then))

    async def _on_key(self, event: events.Key) -> None:
        focused = self.screen.focused
        if focused is not None and focused is not self:
            event.stop()
            event.prevent_default()
            focused.post_message(events.Key(event.key, event.character))
            return
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if binding.action.startswith(("scroll", "page")):
                continue  # a line does not scroll up and down; these keys belong to the screen
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)
            return

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

    BINDINGS = [  # noqa: RUF012 - Textual's way
        Binding("alt+up", "walk", show=False),
        Binding("up", "edit_last", show=False),
    ]

    class Sent(Message):
        """A message is to go out."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Walk(Message):
        """The person wants to walk through the messages."""

    class EditLast(Message):
        """The person wants the last own message back, to edit it."""

    async def action_submit(self) -> None:
        """Send what was written, and empty the field, before the next key is looked at."""
        written = self.value
        if written.strip():
            self.clear()
            self.post_message(self.Sent(written))

    def action_edit_last(self) -> None:
        """Edit the last own message, unless something is written."""
        if not self.value:
            self.post_message(self.EditLast())

    def action_walk(self) -> None:
        """Leave the field for the messages above it."""
        self.post_message(self.Walk())

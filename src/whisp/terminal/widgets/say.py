"""Words on the screen, never markup."""

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from whisp.terminal.app import WhispApp

__all__ = ["Say", "app_of"]


def app_of(widget: "Static | object") -> "WhispApp":
    """Return the running app under its own type."""
    from whisp.terminal.app import WhispApp

    app = getattr(widget, "app", None)
    assert isinstance(app, WhispApp)
    return app


class Say(Static):
    """A sentence. Toolkit markup is off, and glyphs fall back to ASCII where they must."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__("", id=id, classes=classes, markup=False)
        self.text = text

    def on_mount(self) -> None:
        """Show the first words."""
        self.say(self.text)

    def say(self, text: str) -> None:
        """Show other words."""
        self.text = text
        if self.is_attached:
            self.update(Content(app_of(self).glyphs.say(text)))

"""A ring coming in. The focus is on the title, so that a typed key cannot answer."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from whisp.client.ring import Ring
from whisp.terminal import words
from whisp.terminal.inert import inert_line
from whisp.terminal.screens.layers import Alert, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.line_picture import RingingLine
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["IncomingScreen"]


class IncomingScreen(Alert):
    """Accept, decline, or let it ring."""

    LETTERS: ClassVar[dict[str, str]] = {"a": "accept", "d": "decline"}

    def __init__(self, ring: Ring) -> None:
        super().__init__()
        self.ring = ring
        self._caller = inert_line(ring.caller)

    def compose(self) -> ComposeResult:
        """Lay out the moment."""
        yield Wordmark()
        with Vertical(classes="moment"):
            yield RingingLine()
            yield Title(words.calling(self._caller), classes="voice")
            yield Say(self._known(), classes="soft")
            with Horizontal(classes="actions"):
                yield Action("Decline", "end", key="D", id="decline")
                yield Action("Accept", "main", key="A", id="accept")
            yield Say(self._left(), id="left", classes="faint")
        yield Keys((("A", "accept"), ("D", "decline"), ("Tab", "buttons"), ("Esc Esc", "panic")))

    def tick(self) -> None:
        """Count down."""
        self.query_one(RingingLine).step = int(app_of(self).now() - self.ring.started_at)
        self.query_one("#left", Say).say(self._left())

    @on(Button.Pressed, "#accept")
    def action_accept(self) -> None:
        """Answer."""
        app_of(self).answer(self.ring)

    @on(Button.Pressed, "#decline")
    def action_decline(self) -> None:
        """Refuse."""
        app_of(self).decline(self.ring)

    def _known(self) -> str:
        contact = self.ring.contact
        if contact is None:
            return f"You have not talked to {self._caller} before."
        since = words.on_day(contact.added, app_of(self).now())
        if contact.verified:
            return f"Verified · in your contacts since {since}"
        return words.first_contact(self._caller)

    def _left(self) -> str:
        seconds = max(0, round(self.ring.expires_at - app_of(self).now()))
        return f"Rings for {words.count(seconds, 'more second')}"

"""What screens share: layers that Escape closes, and alerts that a typed letter cannot answer by accident."""

from typing import ClassVar, Final

from textual import events
from textual.screen import ModalScreen, Screen

from whisp.terminal.widgets.say import Say, app_of

__all__ = ["SETTLE_SECONDS", "Alert", "Layer", "Page", "Title"]

SETTLE_SECONDS: Final = 0.8
"""How long the keyboard must rest before a single letter answers an alert."""


class Title(Say, can_focus=True):
    """The product's own words at the head of a moment. It takes the focus, so that no button has it."""


class Page(Screen[None]):
    """A whole screen."""

    AUTO_FOCUS: ClassVar[str | None] = None

    def close_layer(self) -> bool:
        """Close what lies on top within this screen; say whether there was something."""
        return False

    def tick(self) -> None:
        """A second has passed."""


class Layer(ModalScreen[None]):
    """A screen over another; Escape closes it."""

    AUTO_FOCUS: ClassVar[str | None] = None

    def close_layer(self) -> bool:
        """Close this layer."""
        self.dismiss()
        return True

    def tick(self) -> None:
        """A second has passed."""


class Alert(Page):
    """A screen that comes unasked. Its letters answer only after the keyboard rested, never mid-sentence."""

    LETTERS: ClassVar[dict[str, str]] = {}
    """Letter to the method that answers, without `action_`."""

    def __init__(self) -> None:
        super().__init__()
        self._last_key = 0.0

    def on_mount(self) -> None:
        """Put the focus on the title, not on a button."""
        self._last_key = app_of(self).monotonic()
        self.query_one(Title).focus()

    def on_key(self, event: events.Key) -> None:
        """Answer by letter, if the keyboard had rested."""
        now = app_of(self).monotonic()
        rested = now - self._last_key >= SETTLE_SECONDS
        self._last_key = now
        wanted = self.LETTERS.get(event.key.lower())
        if wanted is not None:
            event.stop()
            if rested:
                getattr(self, f"action_{wanted}")()

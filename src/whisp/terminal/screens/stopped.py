"""This call was stopped: a changed key, or another promise someone broke."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button

from whisp.terminal import words
from whisp.terminal.inert import inert_line
from whisp.terminal.screens.layers import Alert, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["KeyChangedScreen", "StoppedScreen"]


class StoppedScreen(Alert):
    """Says why in one sentence; everything was wiped."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self._sentence = sentence

    def compose(self) -> ComposeResult:
        """Lay out the moment."""
        yield Wordmark()
        with VerticalScroll(classes="moment", can_focus=False):
            yield Title(words.STOPPED, classes="voice broken")
            yield Say(self._sentence)
            yield Say("What was said is wiped from this device.", classes="soft")
            yield Action("Done", "end", id="leave")
        yield Keys((("Tab", "button"), ("Enter", "done")))

    def close_layer(self) -> bool:
        """Go back to the contacts."""
        app_of(self).go_home()
        return True

    @on(Button.Pressed, "#leave")
    def leave(self) -> None:
        """Go back to the contacts."""
        app_of(self).go_home()


class KeyChangedScreen(Alert):
    """The key behind a known name is another one. Nothing was sent."""

    LETTERS: ClassVar[dict[str, str]] = {}

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__()
        self.name_changed = name
        self._sentence = sentence

    def compose(self) -> ComposeResult:
        """Lay out the moment: what happened, the two reasons there can be, and what to do."""
        name = inert_line(self.name_changed)
        yield Wordmark()
        with VerticalScroll(classes="moment", can_focus=False):
            yield Title(words.STOPPED, classes="voice broken")
            yield Say(self._sentence)
            yield Say("Most often", classes="label")
            yield Say(
                f"{name} lost a device, or began again with a new account under the same name.",
                classes="soft",
            )
            yield Say("But it could also be", classes="label")
            yield Say(
                f"someone between you, pretending to be {name}. Whisp cannot tell which. "
                f"You can, by asking {name} some other way.",
                classes="soft",
            )
            with Horizontal(classes="actions"):
                yield Action("Leave it", "line", id="leave")
                yield Action("Compare safety numbers", "main", id="compare")
            yield Action(f"Remove {name} from my contacts", "danger", id="remove")
        yield Keys((("Tab", "buttons"), ("Enter", "choose"), ("Esc", "leave it")))

    def close_layer(self) -> bool:
        """Leave it as it is."""
        app_of(self).go_home()
        return True

    @on(Button.Pressed, "#leave")
    def leave(self) -> None:
        """Leave it as it is."""
        app_of(self).go_home()

    @on(Button.Pressed, "#compare")
    def compare(self) -> None:
        """Show the number of the new key."""
        app_of(self).compare_new_key(self.name_changed)

    @on(Button.Pressed, "#remove")
    def forget(self) -> None:
        """Forget this contact."""
        app_of(self).forget(self.name_changed)

"""The first start: a name, and a passphrase that seals the keys on this device."""

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Button, Input

from whisp.terminal import words
from whisp.terminal.passphrase import MIN_CHARACTERS, Passphrase
from whisp.terminal.screens.layers import Page
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.composer import Field
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.say import Say, app_of
from whisp.wire.errors import MalformedError
from whisp.wire.username import canonical, is_reserved

__all__ = ["OnboardingScreen"]

_PROMISE = (
    "You and one other person, live. Write and send files. When either of you hangs up, "
    "it is gone from both sides."
)


class OnboardingScreen(Page):
    """Asks for what an account needs, and nothing else: no mail, no telephone, no address book."""

    def compose(self) -> ComposeResult:
        """Lay out promise and fields."""
        yield Wordmark(app_of(self).calls.server)
        with VerticalScroll(classes="moment", can_focus=False):
            yield Say(words.TAG_LINE, classes="voice")
            yield Say(_PROMISE, classes="soft")
            yield Say("Choose a name. It is public, and it need not be yours.", classes="label")
            yield Field("mira", id="name", then="#passphrase", fits=lambda: self._chosen_name() is not None)
            yield Say("Passphrase. It seals your keys on this device.", classes="label")
            yield Field(is_secret=True, id="passphrase", then="#again")
            yield Say("Once more", classes="label")
            yield Field(is_secret=True, id="again")
            yield Say("", id="wrong", classes="danger")
            yield Action("Make my keys", "main", id="make")
            yield Action("Use this system’s keyring instead of a passphrase", "line", id="keyring")
        yield Keys((("Tab", "next"), ("Enter", "make my keys"), ("Ctrl+Q", "leave")))

    def on_mount(self) -> None:
        """Begin with the name."""
        self.query_one("#name").focus()

    @on(Input.Submitted, "#again")
    @on(Button.Pressed, "#make")
    def make(self) -> None:
        """Check the fields and make the account."""
        name = self._chosen_name()
        if name is None:
            return
        first, second = self.query_one("#passphrase", Field), self.query_one("#again", Field)
        if len(first.value) < MIN_CHARACTERS:
            self.refuse(f"Use at least {MIN_CHARACTERS} characters.")
            first.focus()
            return
        if first.value != second.value:
            self.refuse("The two are not the same.")
            second.focus()
            return
        self._wait()
        app_of(self).calls.register(name, Passphrase(first.value))

    @on(Button.Pressed, "#keyring")
    def make_with_keyring(self) -> None:
        """Make the account with the system's keyring."""
        name = self._chosen_name()
        if name is not None:
            self._wait()
            app_of(self).calls.register(name, None)

    def refuse(self, sentence: str) -> None:
        """Say what is wrong."""
        for action in self.query(Action):
            action.disabled = False
        self.query_one("#wrong", Say).say(sentence)

    def _wait(self) -> None:
        for action in self.query(Action):
            action.disabled = True
        self.query_one("#wrong", Say).say("")

    def _chosen_name(self) -> str | None:
        field = self.query_one("#name", Field)
        try:
            name = canonical(field.value.strip())
        except MalformedError:
            self.refuse(words.NAME_RULE)
            field.focus()
            return None
        if is_reserved(name):
            self.refuse(words.NAME_TAKEN)
            field.focus()
            return None
        self.query_one("#wrong", Say).say("")
        return name

"""Locked: at the start of every run, after panic, and after a while without a key."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Button, Input

from whisp.terminal import words
from whisp.terminal.passphrase import Passphrase
from whisp.terminal.screens.layers import Page, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.composer import Field
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["UnlockScreen"]


class UnlockScreen(Page):
    """Asks for the passphrase, or only for a word of consent when the keyring holds the key."""

    def __init__(self, *, asks: bool, after_lock: bool) -> None:
        super().__init__()
        self._asks = asks
        self._after_lock = after_lock

    def compose(self) -> ComposeResult:
        """Lay out the moment."""
        yield Wordmark(is_alive=not self._after_lock)
        with Vertical(classes="moment"):
            yield Title(words.LOCKED if self._after_lock else words.TAG_LINE, classes="voice")
            if self._after_lock:
                yield Say(words.LOCKED_REST)
            if self._asks:
                yield Say("Passphrase", classes="label")
                yield Field(is_secret=True, id="passphrase")
            yield Say("", id="wrong", classes="danger")
            yield Action("Unlock", "main", id="unlock")
        yield Keys((("Enter", "unlock"), ("Ctrl+Q", "leave")))

    def on_mount(self) -> None:
        """Put the cursor where it is needed."""
        self.query_one("#passphrase" if self._asks else "#unlock").focus()

    @on(Input.Submitted, "#passphrase")
    @on(Button.Pressed, "#unlock")
    def unlock(self) -> None:
        """Try to open the account."""
        passphrase = None
        if self._asks:
            field = self.query_one("#passphrase", Field)
            if not field.value:
                return
            passphrase = Passphrase(field.value)
            field.clear()
        self.query_one("#wrong", Say).say("")
        self.query_one("#unlock", Action).disabled = True
        app_of(self).calls.open(passphrase)

    def refuse(self, sentence: str) -> None:
        """Say why it did not open."""
        self.query_one("#unlock", Action).disabled = False
        self.query_one("#wrong", Say).say(sentence)
        self.on_mount()

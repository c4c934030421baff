"""Is it really them? Twelve groups of digits that both sides see alike, and their QR form."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from whisp.client.people import SafetyNumber
from whisp.terminal.inert import inert_line
from whisp.terminal.qr import half_blocks
from whisp.terminal.screens.layers import Layer, Title
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["SafetyScreen"]


class SafetyScreen(Layer):
    """Shows the number, and takes the person's word on whether it matches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "qr", show=False),
        Binding("ctrl+g", "app.close_top", show=False),
    ]

    def __init__(
        self, name: str, number: SafetyNumber, *, is_verified: bool, is_new_key: bool = False
    ) -> None:
        super().__init__()
        self._name_compared = name
        self._shown_name = inert_line(name)
        self._number = number
        self._is_verified = is_verified
        self._is_new_key = is_new_key

    def compose(self) -> ComposeResult:
        """Lay out digits, QR code and the question."""
        groups = self._number.digits.split(" ")
        with VerticalScroll(id="safety", classes="card", can_focus=False):
            yield Title(f"Is it really {self._shown_name}?", classes="voice")
            yield Say(
                f"Compare with {self._shown_name} in person, or read it aloud over a line you trust. "
                "If every digit is the same, no one sits between you.",
                classes="soft",
            )
            yield Say("\n\n".join("    ".join(groups[row : row + 4]) for row in (0, 4, 8)), id="digits")
            yield Static("", id="qr", markup=False)
            yield Say(self._state(), id="state", classes="faint")
            with Horizontal(classes="actions"):
                yield Action("They differ", "danger", id="differ")
                yield Action("Every digit matches", "main", id="match")
            yield Say("Q shows the QR code. Your answer stays on this device.", id="hint", classes="faint")

    def on_mount(self) -> None:
        """No button has the focus: the answer should be meant."""
        self.query_one("#qr").display = False
        self.query_one(Title).focus()

    def action_qr(self) -> None:
        """Show the digits or the QR code; a small screen has no room for both."""
        code = self.query_one("#qr", Static)
        if app_of(self).glyphs.is_ascii:
            self.query_one("#hint", Say).say("This screen cannot draw a QR code. The digits say the same.")
            return
        code.display = not code.display
        self.query_one("#digits").display = not code.display
        if code.display:
            code.update(Content("\n".join(half_blocks(self._number.qr))))
        self.query_one("#hint", Say).say(
            "Q shows the digits, which say the same." if code.display else "Q shows the QR code."
        )

    @on(Button.Pressed, "#match")
    def match(self) -> None:
        """Note that they match."""
        calls = app_of(self).calls
        if self._is_new_key:
            calls.accept_new_key(self._name_compared)
        else:
            calls.vouch(self._name_compared, matches=True)
        self.dismiss()

    @on(Button.Pressed, "#differ")
    def differ(self) -> None:
        """Note that they differ, and say what that means."""
        if not self._is_new_key:
            app_of(self).calls.vouch(self._name_compared, matches=False)
        state = self.query_one("#state", Say)
        state.set_classes("danger")
        state.say(f"Then someone may sit between you. Hang up, and reach {self._shown_name} some other way.")

    def _state(self) -> str:
        if self._is_new_key:
            return "This is the new key. It is kept only if every digit matches."
        if self._is_verified:
            return "You have compared it before. It changes only if one of you gets a new key."
        return "Both of you see the same sixty digits. They change only if one of you gets a new key."

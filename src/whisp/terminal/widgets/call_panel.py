"""This call, at a glance: shown at the end of the screen where there is room."""

from textual.app import ComposeResult
from textual.containers import Vertical

from whisp.client.events import Line
from whisp.terminal.widgets.action import Action
from whisp.terminal.widgets.line_picture import LinePicture
from whisp.terminal.widgets.say import Say

__all__ = ["CallPanel"]

_ADDRESS = {
    Line.RELAYED: "Hidden from each other",
    Line.DIRECT: "Known to each other",
    Line.HELD: "Hidden while it is down",
    Line.GONE: "",
}
_LIMIT = {
    Line.RELAYED: "The relay sees both addresses and sealed bytes, and writes nothing down.",
    Line.DIRECT: "No relay is between you. Your addresses are known to each other until you hang up.",
    Line.HELD: "What you write now waits, in memory, until the line is back.",
    Line.GONE: "",
}


class CallPanel(Vertical):
    """The line between the two, what each can see, and hanging up."""

    def __init__(self, own: str, name: str, session_code: str, line: Line, *, is_verified: bool) -> None:
        super().__init__()
        self._own, self._shown_name, self._code = own, name, session_code
        self._first_line = line
        self._is_verified = is_verified

    def compose(self) -> ComposeResult:
        """Lay out title, picture, facts, limit and the one action."""
        groups = self._code.split(" ")
        yield Say("This call", classes="title")
        yield LinePicture(self._first_line, wire=11, id="panel-line")
        yield Say(
            f"{self._own:<13}{self._shown_name:>13}" if len(self._shown_name) < 13 else self._shown_name,
            classes="faint",
        )
        yield Say("Address", classes="label")
        yield Say(_ADDRESS[self._first_line], id="panel-address")
        yield Say("Safety number", classes="label")
        yield Say(self._safety(), id="panel-safety")
        yield Say("Code of this call", classes="label")
        yield Say(" ".join(groups[:3]) + "\n" + " ".join(groups[3:]), id="panel-code")
        yield Say(_LIMIT[self._first_line], id="panel-limit", classes="faint")
        yield Vertical(classes="spring")
        yield Action("Hang up", "end", key="Ctrl+X", id="hang-up")
        yield Say("Wipes this chat on both sides.", classes="faint")

    def show(self, line: Line, *, is_verified: bool) -> None:
        """Tell another state of the line."""
        self._is_verified = is_verified
        self.query_one("#panel-line", LinePicture).show(line, "")
        self.query_one("#panel-address", Say).say(_ADDRESS[line])
        self.query_one("#panel-limit", Say).say(_LIMIT[line])
        self.query_one("#panel-safety", Say).say(self._safety())

    def _safety(self) -> str:
        return "Compared" if self._is_verified else "Not compared yet"

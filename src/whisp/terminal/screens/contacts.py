"""Whom would you like to call? The contacts, and ringing anyone by exact name."""

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList

from whisp.terminal.inert import inert_line
from whisp.terminal.screens.layers import Page
from whisp.terminal.widgets.composer import Field
from whisp.terminal.widgets.header import Wordmark
from whisp.terminal.widgets.keys import Keys
from whisp.terminal.widgets.people_list import PeopleList, Person, Presence
from whisp.terminal.widgets.say import Say, app_of

__all__ = ["ContactsScreen"]

_EMPTY: Final = "No one yet. Whoever you talk to is kept here, on this device only."
_EXPLAINED: Final = (
    "You need their exact name. If it is wrong, or they are offline, you will hear the same answer."
)

_KEYS: Final = (
    ("Enter", "ring"),
    ("↓", "choose"),
    ("Esc Esc", "panic"),
    ("F1", "help"),
    ("Ctrl+Q", "leave"),
    ("Ctrl+G", "safety number"),
)


class ContactsScreen(Page):
    """The base of the app: it lies under every call."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "down", show=False),
        Binding("ctrl+g", "safety", show=False, priority=True),
    ]

    def compose(self) -> ComposeResult:
        """Lay out field, answer and list."""
        yield Wordmark()
        with Vertical(id="home"):
            yield Say("Who would you like to call?", classes="voice")
            yield Field("Find, or call by exact name", id="find")
            yield Say(_EXPLAINED, id="answer", classes="faint")
            yield Say("", id="explained", classes="faint")
            yield PeopleList(id="people")
            yield Say(_EMPTY, id="empty", classes="faint")
        yield Keys(_KEYS)

    def on_mount(self) -> None:
        """Begin with the field."""
        self.query_one("#find").focus()
        self.redraw()

    def on_screen_resume(self) -> None:
        """Come back from a call: someone may be new."""
        self.redraw()
        self.query_one("#find").focus()

    def redraw(self) -> None:
        """Draw whoever matches what is typed."""
        app = app_of(self)
        typed = self.query_one("#find", Field).value.strip().lower()
        people = [
            Person(c.username, c.verified, c.changed_to is not None, app.presence(c.username))
            for c in app.calls.contacts
            if typed in c.username
        ]
        order = list(Presence)
        people.sort(key=lambda person: (order.index(person.presence), person.name))
        listed = self.query_one("#people", PeopleList)
        listed.show(people)
        listed.display = bool(people)
        self.query_one("#empty", Say).display = not app.calls.contacts
        status = app.connection or f"{app.calls.username} can be rung now"
        self.query_one(Wordmark).say(status if app.calls.is_open else "")

    def tell(self, sentence: str, explained: str = "", *, is_danger: bool = False) -> None:
        """Say how the last ring went."""
        answer = self.query_one("#answer", Say)
        answer.say(sentence)
        answer.set_classes("danger" if is_danger else "answer")
        self.query_one("#explained", Say).say(explained)

    def tick(self) -> None:
        """Badges fade with time."""
        self.redraw()

    def close_layer(self) -> bool:
        """Empty the field, if something is typed."""
        field = self.query_one("#find", Field)
        if not field.value:
            return False
        field.clear()
        field.focus()
        return True

    @on(Input.Changed, "#find")
    def find(self, event: Input.Changed) -> None:
        """Narrow the list, and say what Enter would do."""
        event.stop()
        self.redraw()
        typed = event.value.strip()
        answer = self.query_one("#answer", Say)
        answer.set_classes("faint")
        answer.say(f"Enter rings {inert_line(typed, limit=40)}." if typed else _EXPLAINED)
        self.query_one("#explained", Say).say("")

    @on(Input.Submitted, "#find")
    def ring_typed(self, event: Input.Submitted) -> None:
        """Ring the exact name typed."""
        event.stop()
        if event.value.strip():
            app_of(self).ring(event.value.strip())

    @on(OptionList.OptionSelected, "#people")
    def ring_chosen(self, event: OptionList.OptionSelected) -> None:
        """Ring the person chosen."""
        event.stop()
        if event.option_id is not None:
            app_of(self).ring(event.option_id)

    def action_down(self) -> None:
        """Go from the field to the list."""
        listed = self.query_one("#people", PeopleList)
        if listed.display:
            listed.focus()
            if listed.highlighted is None:
                listed.highlighted = 0

    def action_safety(self) -> None:
        """Show the safety number shared with whoever is chosen or typed."""
        listed = self.query_one("#people", PeopleList)
        typed = self.query_one("#find", Field).value.strip().lower()
        name = listed.chosen or typed
        if not name or app_of(self).calls.contact(name) is None:
            self.tell("Choose someone from the list first. Ctrl+G then shows the number you share.")
            return
        app_of(self).show_safety(name)

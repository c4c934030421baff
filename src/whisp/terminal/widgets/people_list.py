"""The contacts, by whether they were found online."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from whisp.terminal.glyphs import Glyphs
from whisp.terminal.inert import inert_line
from whisp.terminal.widgets.say import app_of

__all__ = ["PeopleList", "Person", "Presence"]


class Presence(Enum):
    """What this run has learned about someone.

    Nobody is looked up unasked: that would show the server the list.
    """

    ONLINE = "Online"
    RECENTLY = "Recently active"
    OUT = "Not found, or offline"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One row."""

    name: str
    is_verified: bool
    has_new_key: bool
    presence: Presence


class PeopleList(OptionList, can_focus=True):
    """Rows of people. Enter rings the highlighted one."""

    def show(self, people: Sequence[Person]) -> None:
        """Draw these people, keeping the highlight on the same one where it can."""
        chosen = self.chosen
        glyphs = app_of(self).glyphs
        self.clear_options()
        self.add_options([Option(_row(person, glyphs), id=person.name) for person in people])
        names = [person.name for person in people]
        self.highlighted = names.index(chosen) if chosen in names else None

    @property
    def chosen(self) -> str | None:
        """The name highlighted."""
        if self.highlighted is None or self.highlighted >= self.option_count:
            return None
        return self.get_option_at_index(self.highlighted).id


def _row(person: Person, glyphs: Glyphs) -> Content:
    badge = {
        Presence.ONLINE: (glyphs.online, "$accent"),
        Presence.RECENTLY: (glyphs.recently, "$accent"),
    }.get(person.presence, (glyphs.out, "$ink-faint"))
    words, colour = glyphs.say(person.presence.value), "$ink-soft"
    if person.has_new_key:
        badge, words, colour = (glyphs.new_key, "$text-error"), "New key. Compare first.", "$text-error"
    name = inert_line(person.name, limit=32)
    mark = f" {glyphs.verified}" if person.is_verified else ""
    pad = " " * max(2, 30 - len(name) - len(mark))
    return Content.assemble(badge, "  ", (name, "bold"), (mark, "$accent"), pad, (words, colour))

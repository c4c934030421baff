"""The messages of a call, drawn line by line: however many there are, only the visible ones cost anything."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message as Posted
from textual.scroll_view import ScrollView
from textual.strip import Strip

from whisp.terminal.transcript import Entry, FileRow, FileState, Message, Transcript, is_changeable
from whisp.terminal.widgets.say import app_of
from whisp.terminal.widgets.transcript_layout import Row, lay_out

__all__ = ["TranscriptView"]

_ROLES = (
    "ground",
    "own",
    "own-faint",
    "own-alive",
    "own-danger",
    "their",
    "faint",
    "alive",
    "caution",
    "danger",
    "action",
    "chosen",
    "match",
)


class TranscriptView(ScrollView, can_focus=True):
    """Shows a transcript and stays at its end unless the person scrolled away. Foreign text is inert here."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"transcript--{role}" for role in _ROLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,alt+up", "walk(-1)", show=False),
        Binding("down,alt+down", "walk(1)", show=False),
        Binding("s,enter", "act('save')", show=False),
        Binding("d", "act('decline')", show=False),
        Binding("c", "act('cancel')", show=False),
        Binding("delete", "delete", show=False),
    ]

    class Acted(Posted):
        """The person wants something done with a file."""

        def __init__(self, file_id: bytes, action: str) -> None:
            super().__init__()
            self.file_id = file_id
            self.action = action

    class Deleted(Posted):
        """The person wants an own message deleted, on both sides."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    class Left(Posted):
        """The person walked past the newest message, back to the composer."""

    def __init__(self, transcript: Transcript, name: str) -> None:
        super().__init__()
        self._transcript = transcript
        self._shown_name = name
        self._rows: list[tuple[int, Row]] = []
        self._drawn: dict[int, tuple[object, list[Row]]] = {}
        self._laid_out: tuple[int, int] = (-1, -1)
        self._chosen: int | None = None
        self._matches: frozenset[int] = frozenset()

    @property
    def chosen(self) -> int | None:
        """The entry the person stands on while walking."""
        return self._chosen

    def redraw(self) -> None:
        """Lay out again if the transcript or the width changed."""
        width = self.scrollable_content_region.width or self.size.width
        state = (self._transcript.version, width)
        if width <= 0 or state == self._laid_out:
            return
        self._laid_out = state
        self._rows = self._lay_out(width)
        self.virtual_size = Size(width, len(self._rows))
        self.refresh(layout=True)

    def forget(self) -> None:
        """Let go of everything drawn."""
        self._rows = []
        self._drawn = {}
        self._laid_out = (-1, -1)
        self._chosen = None
        self.virtual_size = Size(0, 0)
        self.refresh()

    def mark(self, matches: frozenset[int], show: int | None) -> None:
        """Show which entries were found, and bring one of them into sight."""
        self._matches = matches
        if show is not None:
            self._bring(show)
        self.refresh()

    def on_mount(self) -> None:
        """Stay at the end while there is news, until the person scrolls away."""
        self.anchor()

    def on_resize(self) -> None:
        """Lay out for the new width."""
        self.redraw()

    def action_walk(self, step: int) -> None:
        """Walk to the entry before or after; past the end is back to the composer."""
        last = len(self._transcript) - 1
        start = last + 1 if self._chosen is None else self._chosen
        wanted = start + step
        if wanted > last:
            self.leave()
            return
        self._chosen = max(0, wanted)
        self._bring(self._chosen)
        self.refresh()

    def leave(self) -> None:
        """Stop walking."""
        self._chosen = None
        self.refresh()
        self.post_message(self.Left())

    def action_act(self, action: str) -> None:
        """Do something with the chosen file."""
        if self._chosen is None:
            return
        entry = self._transcript[self._chosen]
        if isinstance(entry, FileRow) and action in _possible(entry):
            self.post_message(self.Acted(entry.file_id, action))

    def action_delete(self) -> None:
        """Delete the chosen message, if it is an own one; a file is cancelled."""
        if self._chosen is None:
            return
        if is_changeable(self._transcript[self._chosen]):
            self.post_message(self.Deleted(self._chosen))
        else:
            self.action_act("cancel")

    def on_click(self, event: events.Click) -> None:
        """Act on the word clicked, or stand on the entry."""
        place = event.get_content_offset(self)
        if place is None:
            return
        index = self.scroll_offset.y + place.y
        if not 0 <= index < len(self._rows):
            return
        number, row = self._rows[index]
        if number < 0:
            return
        self._chosen = number
        for span in row.spans:
            if span.start <= place.x < span.end:
                self.action_act(span.action)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return row `y` of what is in sight."""
        width = self.size.width
        index = self.scroll_offset.y + y
        ground = self._style("ground")
        if not 0 <= index < len(self._rows):
            return Strip.blank(width, ground)
        number, row = self._rows[index]
        segments = [Segment(text, self._style(role)) for text, role in row.pieces if text]
        if number == self._chosen:
            mark = Segment(app_of(self).glyphs.prompt, self._style("chosen"))
            segments = [mark, *_without_first_cell(segments)]
        elif number in self._matches:
            segments = [
                Segment(s.text, self._style("match") if s.text.strip() else s.style) for s in segments
            ]
        return Strip(segments).adjust_cell_length(width, ground)

    def _style(self, role: str) -> Style:
        return self.get_component_rich_style(f"transcript--{role}")

    def _lay_out(self, width: int) -> list[tuple[int, Row]]:
        glyphs = app_of(self).glyphs
        rows: list[tuple[int, Row]] = []
        before: Entry | None = None
        for number, entry in enumerate(self._transcript):
            if before is not None and _speaker(before) != _speaker(entry):
                rows.append((-1, Row(())))
            face = (width, _face(entry))
            known = self._drawn.get(number)
            if known is None or known[0] != face:
                known = self._drawn[number] = (face, lay_out(entry, self._shown_name, width, glyphs))
            rows += [(number, row) for row in known[1]]
            before = entry
        return rows

    def _bring(self, number: int) -> None:
        first = next((index for index, (entry, _) in enumerate(self._rows) if entry == number), None)
        if first is not None:
            self.scroll_to(y=max(0, first - self.size.height // 2), animate=False, immediate=True)


def _speaker(entry: Entry) -> str:
    match entry:
        case Message(is_own=is_own) | FileRow(is_own=is_own):
            return "own" if is_own else "their"
        case _:
            return "product"


def _face(entry: Entry) -> object:
    """Return what of an entry can change."""
    match entry:
        case Message(mark=mark):
            return mark, entry.text, entry.is_edited, entry.is_deleted, entry.reaction
        case FileRow(state=state, moved=moved, note=note):
            return state, moved, note
        case _:
            return None


def _possible(row: FileRow) -> tuple[str, ...]:
    match row.state:
        case FileState.OFFERED:
            return ("cancel",) if row.is_own else ("save", "decline")
        case FileState.MOVING:
            return ("cancel",)
        case _:
            return ()


def _without_first_cell(segments: list[Segment]) -> list[Segment]:
    if not segments or not segments[0].text.startswith(" "):
        return segments
    return [Segment(segments[0].text[1:], segments[0].style), *segments[1:]]

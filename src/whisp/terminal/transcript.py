"""What a conversation looks like to a person: a view model held in memory, and wiped with the call."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TypeAlias

__all__ = [
    "Entry",
    "FileRow",
    "FileState",
    "Mark",
    "Message",
    "Notice",
    "Tone",
    "Transcript",
    "is_changeable",
]


class Mark(Enum):
    """How far an own message has come."""

    ON_ITS_WAY = auto()
    SENT = auto()
    DELIVERED = auto()
    READ = auto()
    NOT_SENT = auto()


class Tone(StrEnum):
    """What kind of thing a notice says."""

    PLAIN = "plain"
    ALIVE = "alive"
    CAUTION = "caution"
    """A limit, told honestly."""
    DANGER = "danger"
    """Loss, or a broken promise."""


class FileState(StrEnum):
    """Where a file is on its way."""

    OFFERED = "offered"
    """Waiting for a yes, ours or theirs."""
    MOVING = "moving"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(slots=True)
class Message:
    """One text. `number` is the sender's; None until our own is encrypted."""

    is_own: bool
    text: str = field(repr=False)
    at: float
    number: int | None = None
    mark: Mark = Mark.ON_ITS_WAY
    is_edited: bool = False
    is_deleted: bool = False
    reaction: str = field(default="", repr=False)
    """The peer's, empty for none."""


@dataclass(slots=True)
class FileRow:
    """One file, going out or coming in. `note` is the sentence of how it ended."""

    is_own: bool
    file_id: bytes
    name: str = field(repr=False)
    size: int
    at: float
    state: FileState = FileState.OFFERED
    moved: int = 0
    note: str = ""


@dataclass(slots=True)
class Notice:
    """A sentence of the product's own in the log: the banner, a gap, a limit."""

    text: str
    tone: Tone = Tone.PLAIN


Entry: TypeAlias = Message | FileRow | Notice


def is_changeable(entry: Entry) -> bool:
    """Say whether an entry is an own text that the peer can be told a change of."""
    return (
        isinstance(entry, Message)
        and entry.is_own
        and entry.number is not None
        and not entry.is_deleted
        and entry.mark is not Mark.NOT_SENT
    )


class Transcript:
    """Everything on the screen of one call, oldest first. Changes bump `version`."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self.version = 0

    def __repr__(self) -> str:
        return f"Transcript({len(self._entries)} entries, <redacted>)"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    @property
    def messages(self) -> int:
        """How many texts were said, by both."""
        return sum(isinstance(entry, Message) for entry in self._entries)

    @property
    def saved(self) -> int:
        """How many incoming files were saved."""
        return sum(
            isinstance(entry, FileRow) and not entry.is_own and entry.state is FileState.DONE
            for entry in self._entries
        )

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self._entries.append(entry)
        self.version += 1

    def touch(self) -> None:
        """Note that an entry was changed in place."""
        self.version += 1

    def advance(self, first: int, last: int, mark: Mark) -> None:
        """Mark own messages numbered `first` to `last`; a mark never goes back."""
        for entry in reversed(self._entries):
            if not isinstance(entry, Message) or not entry.is_own or entry.number is None:
                continue
            if entry.number < first:
                break  # numbers rise, so all older ones are below
            if entry.number <= last and entry.mark.value < mark.value:
                entry.mark = mark
        self.version += 1

    def sent(self) -> None:
        """Mark all that waited for the line as sent."""
        for entry in self._entries:
            if isinstance(entry, Message) and entry.mark is Mark.ON_ITS_WAY and entry.number is not None:
                entry.mark = Mark.SENT
        self.version += 1

    def text(self, number: int, *, is_own: bool) -> Message | None:
        """Return the text of that number which was not deleted."""
        for entry in reversed(self._entries):
            if isinstance(entry, Message) and entry.is_own is is_own and entry.number == number:
                return None if entry.is_deleted else entry
        return None

    def last_own(self) -> int | None:
        """Return the place of the newest own text that can be edited."""
        for place in range(len(self._entries) - 1, -1, -1):
            if is_changeable(self._entries[place]):
                return place
        return None

    def edit(self, entry: Message | None, text: str) -> None:
        """Put other words in place of a text; nothing happens to what is not there."""
        if entry is not None:
            entry.text, entry.is_edited = text, True
            self.version += 1

    def delete(self, entry: Message | None) -> None:
        """Let go of a text; its place says so."""
        if entry is not None:
            entry.text, entry.reaction, entry.is_deleted = "", "", True
            self.version += 1

    def react(self, entry: Message | None, symbol: str) -> None:
        """Show the peer's reaction, in place of the one before; "" takes it back."""
        if entry is not None:
            entry.reaction = symbol
            self.version += 1

    def file(self, file_id: bytes) -> FileRow | None:
        """Return the row of a file."""
        return next((e for e in self._entries if isinstance(e, FileRow) and e.file_id == file_id), None)

    def last_offer(self) -> FileRow | None:
        """Return the newest incoming file that waits for a yes."""
        return next(
            (
                entry
                for entry in reversed(self._entries)
                if isinstance(entry, FileRow) and not entry.is_own and entry.state is FileState.OFFERED
            ),
            None,
        )

    def last_received(self) -> int | None:
        """Return the number of the newest message of the peer."""
        return next(
            (e.number for e in reversed(self._entries) if isinstance(e, Message) and not e.is_own), None
        )

    def find(self, query: str) -> list[int]:
        """Return the indices of entries that contain `query`, letter case aside, oldest first."""
        wanted = query.casefold()
        if not wanted:
            return []
        return [
            index
            for index, entry in enumerate(self._entries)
            if (isinstance(entry, Message) and wanted in entry.text.casefold())
            or (isinstance(entry, FileRow) and wanted in entry.name.casefold())
        ]

    def wipe(self) -> None:
        """Drop everything that was said. Python cannot zero strings; it can only let go of them."""
        for entry in self._entries:
            if isinstance(entry, Message):
                entry.text = entry.reaction = ""
            elif isinstance(entry, FileRow):
                entry.name = ""
        self._entries.clear()
        self.version += 1

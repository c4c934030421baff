"""How a transcript falls into rows of the screen: pure layout, so that it can be tested as text."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from rich.cells import cell_len

from whisp.terminal import words
from whisp.terminal.bar import bar
from whisp.terminal.glyphs import Glyphs
from whisp.terminal.inert import inert, inert_line
from whisp.terminal.transcript import Entry, FileRow, FileState, Mark, Message, Notice, Tone
from whisp.terminal.wrap import wrap

__all__ = ["GUTTER", "FileAction", "Piece", "Row", "Span", "lay_out"]

GUTTER: Final = 2
_MEASURE: Final = 68
"""The longest line of a message, in cells."""

Piece: TypeAlias = tuple[str, str]
"""Text and its role; roles are the component classes of the view."""

FileAction: TypeAlias = str
"""save, decline or cancel."""


@dataclass(frozen=True, slots=True)
class Span:
    """Cells of a row that a click acts on."""

    start: int
    end: int
    action: FileAction


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the screen."""

    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...] = ()


def lay_out(entry: Entry, name: str, width: int, glyphs: Glyphs) -> list[Row]:
    """Return the rows of one entry on a screen `width` cells wide. `name` is the peer's, inert."""
    match entry:
        case Message():
            return [*_message(entry, width, glyphs), *_reaction(entry, name, width, glyphs)]
        case FileRow():
            return _file(entry, name, width, glyphs)
        case Notice():
            return _notice(entry, width, glyphs)


def _block(width: int) -> int:
    return max(8, min(_MEASURE, (width - 2 * GUTTER) * 4 // 5))


def _message(message: Message, width: int, glyphs: Glyphs) -> list[Row]:
    room = _block(width) - (2 if message.is_own else 0)
    lines = wrap("deleted" if message.is_deleted else glyphs.say(inert(message.text)), room)
    meta = _meta(message, glyphs)
    meta_length = sum(cell_len(text) for text, _ in meta)
    fits = cell_len(lines[-1]) + 2 + meta_length <= room
    if not message.is_own:
        rows = [Row(((" " * GUTTER, "ground"), (line, "their"))) for line in lines]
        gap: Piece = ("  ", "ground")
        if fits:
            return [*rows[:-1], Row((*rows[-1].pieces, gap, *meta))]
        return [*rows, Row(((" " * GUTTER, "ground"), *meta))]
    inner = max([cell_len(line) for line in lines[:-1]] or [0])
    last = cell_len(lines[-1]) + (2 + meta_length if fits else 0)
    inner = max(inner, last, meta_length)
    indent = (" " * max(0, width - GUTTER - inner - 2), "ground")
    rows = [
        Row((indent, (f" {line}{' ' * (inner - cell_len(line))} ", "own")))
        for line in (lines[:-1] if fits else lines)
    ]
    last_line = lines[-1] if fits else ""
    filler = " " * (inner - cell_len(last_line) - meta_length)
    rows.append(Row((indent, (f" {last_line}{filler}", "own"), *meta, (" ", "own"))))
    return rows


def _reaction(message: Message, name: str, width: int, glyphs: Glyphs) -> list[Row]:
    if not message.reaction:
        return []
    said = glyphs.say(inert_line(f"{message.reaction} {name}", limit=_block(width)))
    left = width - GUTTER - cell_len(said) if message.is_own else GUTTER
    return [Row(((" " * max(0, left), "ground"), (said, "faint")))]


def _meta(message: Message, glyphs: Glyphs) -> list[Piece]:
    at = f"{'edited ' if message.is_edited and not message.is_deleted else ''}{words.at_time(message.at)}"
    if not message.is_own:
        return [(at, "faint")]
    match message.mark:
        case Mark.ON_ITS_WAY:
            return [(f"{at} {glyphs.on_its_way}", "own-faint")]
        case Mark.SENT:
            return [(f"{at} {glyphs.sent}", "own-faint")]
        case Mark.DELIVERED:
            return [(f"{at} {glyphs.delivered}", "own-faint")]
        case Mark.READ:
            return [(f"{at} ", "own-faint"), (f"{glyphs.delivered} read", "own-alive")]
        case Mark.NOT_SENT:
            return [(f"{at} not sent", "own-danger")]


def _file(row: FileRow, name: str, width: int, glyphs: Glyphs) -> list[Row]:
    block = _block(width)
    role, faint = ("own", "own-faint") if row.is_own else ("their", "faint")
    title = f"{glyphs.file} {glyphs.say(inert_line(row.name, limit=max(16, block - 16)))}"
    first: list[Piece] = [(title, role), (f"  {words.size(row.size)}", faint)]
    second, actions = _file_state(row, name, block, glyphs)
    spans: list[Span] = []
    start = sum(cell_len(text) for text, _ in second)
    for key, label, action in actions:
        text = f"{key} {label}"
        second += [("   ", faint), (text, "action")]
        spans.append(Span(start + 3, start + 3 + cell_len(text), action))
        start += 3 + cell_len(text)
    lengths = [sum(cell_len(text) for text, _ in pieces) for pieces in (first, second)]
    inner = max(lengths)
    if not row.is_own:
        margin: Piece = (" " * GUTTER, "ground")
        moved = tuple(Span(s.start + GUTTER, s.end + GUTTER, s.action) for s in spans)
        return [Row((margin, *first)), Row((margin, *second), moved)]
    left = max(0, width - GUTTER - inner - 2)
    indent: Piece = (" " * left, "ground")
    moved = tuple(Span(s.start + left + 1, s.end + left + 1, s.action) for s in spans)
    own: Piece = (" ", "own")
    ends = [(" " * (inner - length + 1), "own") for length in lengths]
    return [Row((indent, own, *first, ends[0])), Row((indent, own, *second, ends[1]), moved)]


def _file_state(
    row: FileRow, name: str, block: int, glyphs: Glyphs
) -> tuple[list[Piece], list[tuple[str, str, FileAction]]]:
    faint = "own-faint" if row.is_own else "faint"
    match row.state:
        case FileState.OFFERED if row.is_own:
            return [(glyphs.say(f"Waiting for {name}"), faint)], [("C", "cancel", "cancel")]
        case FileState.OFFERED:
            return [("Nothing moves until you say so", faint)], [
                ("S", "save", "save"),
                ("D", "decline", "decline"),
            ]
        case FileState.MOVING:
            drawn = bar(row.moved, row.size, max(8, min(24, block - 20)), glyphs)
            return [(drawn, "own-alive" if row.is_own else "alive")], [("C", "cancel", "cancel")]
        case FileState.DONE:
            return [(f"{glyphs.done} {glyphs.say(inert_line(row.note, limit=block - 2))}", faint)], []
        case FileState.STOPPED:
            return [
                (glyphs.say(inert_line(row.note, limit=block)), "own-danger" if row.is_own else "danger")
            ], []


def _notice(notice: Notice, width: int, glyphs: Glyphs) -> list[Row]:
    role = {Tone.PLAIN: "faint", Tone.ALIVE: "alive", Tone.CAUTION: "caution", Tone.DANGER: "danger"}[
        notice.tone
    ]
    lines = wrap(glyphs.say(notice.text), min(_MEASURE + 20, width - 2 * GUTTER))
    return [Row(((" " * GUTTER, "ground"), (line, role))) for line in lines]

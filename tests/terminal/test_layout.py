"""How messages and files fall into rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.terminal.fakes import START

from whisp.terminal.glyphs import ASCII, UNICODE
from whisp.terminal.inert import inert_line
from whisp.terminal.transcript import Entry, FileRow, FileState, Mark, Message, Notice, Tone
from whisp.terminal.widgets.transcript_layout import lay_out


def drawn(entry: Entry, width: int = 40) -> list[str]:
    return ["".join(text for text, _ in row.pieces) for row in lay_out(entry, "odile", width, UNICODE)]


def roles(entry: Entry, width: int = 40) -> set[str]:
    return {role for row in lay_out(entry, "odile", width, UNICODE) for _, role in row.pieces}


def test_theirs_at_the_start_ours_at_the_end() -> None:
    assert drawn(Message(False, "Hello.", START, 1)) == ["  Hello.  14:00"]
    assert drawn(Message(True, "Hello.", START, 1, Mark.DELIVERED)) == [
        "                     Hello.  14:00 ✓✓ "
    ]


@pytest.mark.parametrize(
    ("mark", "shown"),
    [
        (Mark.ON_ITS_WAY, "14:00 · "),
        (Mark.SENT, "14:00 ✓ "),
        (Mark.DELIVERED, "14:00 ✓✓ "),
        (Mark.READ, "14:00 ✓✓ read "),
        (Mark.NOT_SENT, "14:00 not sent "),
    ],
)
def test_marks(mark: Mark, shown: str) -> None:
    message = Message(True, "Hello.", START, 1, mark)
    assert drawn(message)[0].endswith(shown)
    assert ("own-alive" in roles(message)) is (mark is Mark.READ)


def test_the_time_goes_below_where_there_is_no_room() -> None:
    assert drawn(Message(False, "x" * 28, START, 1)) == ["  " + "x" * 28, "  14:00"]


def test_a_file_from_offer_to_end() -> None:
    row = FileRow(False, b"1", "notes.pdf", 18_400_000, START)
    assert drawn(row, 60) == [
        "  ↧ notes.pdf  18.4 MB",
        "  Nothing moves until you say so   S save   D decline",
    ]
    row.state, row.moved = FileState.MOVING, 11_408_000
    assert drawn(row, 60)[1] == "  ━━━━━━━━━━━━━━╺───────── 62 %   C cancel"
    row.state, row.note = FileState.DONE, "Saved as /tmp/notes.pdf"
    assert drawn(row, 60)[1] == "  ✓ Saved as /tmp/notes.pdf"
    row.state, row.note = FileState.STOPPED, "The file was declined."
    assert drawn(row, 60)[1] == "  The file was declined."


def test_clicks_find_their_words() -> None:
    row = FileRow(False, b"1", "notes.pdf", 18_400_000, START)
    laid_out = lay_out(row, "odile", 60, UNICODE)[1]
    text = "".join(piece for piece, _ in laid_out.pieces)
    assert [(text[s.start : s.end], s.action) for s in laid_out.spans] == [
        ("S save", "save"),
        ("D decline", "decline"),
    ]
    own = FileRow(True, b"1", "notes.pdf", 18_400_000, START)
    laid_out = lay_out(own, "odile", 60, UNICODE)[1]
    text = "".join(piece for piece, _ in laid_out.pieces)
    assert [text[s.start : s.end] for s in laid_out.spans] == ["C cancel"]


def test_notices_wear_their_tone() -> None:
    assert roles(Notice("1 message was lost here.", Tone.DANGER)) == {"ground", "danger"}


@given(
    st.text(max_size=120),
    st.integers(24, 140),
    st.sampled_from(list(Mark)),
    st.booleans(),
    st.sampled_from([UNICODE, ASCII]),
)
def test_s31_no_row_is_wider_than_the_screen(
    text: str, width: int, mark: Mark, own: bool, glyphs: object
) -> None:
    family = ASCII if glyphs is ASCII else UNICODE
    entries: list[Entry] = [
        Message(own, text, START, 1, mark),
        Notice(inert_line(text)),
    ]
    for entry in entries:
        for row in lay_out(entry, "odile", width, family):
            assert sum(cell_len(piece) for piece, _ in row.pieces) <= width
            assert not any(ord(character) < 32 for piece, _ in row.pieces for character in piece)

"""Foreign text: nothing of it may act on a terminal, whatever it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.terminal.inert import MAX_LINE_CHARACTERS, MAX_MARKS, inert, inert_line

NASTY = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cf", "Mn", "Me", "Zl", "Zp", "Cs"]),
        st.sampled_from("\x1b\x07\r\b\x9b\x9d\u202e\u2066\u200d\u200b\u0301[]"),
    ),
    max_size=300,
)


def harmless(text: str) -> None:
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        assert category not in ("Zl", "Zp", "Cs"), ascii(character)
        assert category != "Cc" or character == "\n", ascii(character)
        assert category != "Cf" or character in "\u200c\u200d", ascii(character)
        marks = marks + 1 if category in ("Mn", "Me") or character in "\u200c\u200d" else 0
        assert marks <= MAX_MARKS
    text.encode("utf-8")


@given(NASTY)
def test_s31_no_text_stays_able_to_act(text: str) -> None:
    harmless(inert(text))
    harmless(inert_line(text))
    assert "\n" not in inert_line(text)


@given(NASTY)
def test_a_second_time_changes_nothing(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(st.text(st.characters(categories=["Lu", "Ll", "Nd", "Po", "Zs"], max_codepoint=0x2FF), max_size=100))
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert inert(text) == text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("\x1b[2J", "␛[2J"),
        ("\u009b31m", "‹9B›31m"),
        ("\u009d0;title\u009c", "‹9D›0;title‹9C›"),
        ("back\bspace\r", "back␈space␍"),
        ("a\u202egnp.exe", "a‹RLO›gnp.exe"),
        ("zero\u200bwidth\ufeff", "zero‹200B›width‹FEFF›"),
        ("del\x7f", "del␡"),
        ("one\u2028two", "one␤two"),
        ("one\r\ntwo\n", "one\ntwo\n"),
        ("tab\tbed", "tab    bed"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("\U000e0041tag", "‹E0041›tag"),
        ("[/][@click=app.quit]x[/]", "[/][@click=app.quit]x[/]"),
        ("caf\u0065\u0301 👩\u200d🚀 می\u200cخواهم", "caf\u0065\u0301 👩\u200d🚀 می\u200cخواهم"),
    ],
)
def test_s31_what_could_act_is_shown(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_s31_a_flood_of_marks_is_counted_not_shown() -> None:
    assert inert("z" + "\u0301" * 10_000 + "!") == "z" + "\u0301" * MAX_MARKS + "‹9992 marks›!"
    assert inert("e\u0301" * 50) == "e\u0301" * 50


def test_s31_a_flood_of_text_is_cut_and_says_so() -> None:
    shown = inert("x" * 1_048_576)
    assert len(shown) < 17_000
    assert shown.endswith("\n… 1032192 more characters are not shown.")


def test_a_long_name_keeps_both_ends() -> None:
    name = inert_line("a" * 5000 + ".tar.gz")
    assert len(name) <= MAX_LINE_CHARACTERS
    assert name.startswith("aaa")
    assert name.endswith(".tar.gz")
    assert "…" in name


def test_a_line_break_in_a_name_is_shown() -> None:
    assert inert_line("invoice\npaid.pdf") == "invoice␊paid.pdf"

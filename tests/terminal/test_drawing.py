"""Glyphs, the line, bars and QR codes as text."""

import pytest
import segno

from whisp.client.events import Line
from whisp.terminal.bar import bar, percent
from whisp.terminal.glyphs import ASCII, UNICODE, choose
from whisp.terminal.line_art import draw, draw_ringing
from whisp.terminal.qr import QUIET, half_blocks
from whisp.terminal.theme import DARK, LIGHT
from whisp.terminal.theme import choose as choose_theme


def test_the_line_is_the_picture_of_the_truth() -> None:
    assert draw_ringing(UNICODE) == "●··········○"
    assert draw(Line.RELAYED, UNICODE) == "●──○──●"
    assert draw(Line.DIRECT, UNICODE) == "●─────●"
    assert draw(Line.HELD, UNICODE) == "●- - - -●"
    assert draw(Line.GONE, UNICODE) == "●        ●"


def test_the_line_in_ascii() -> None:
    drawn = [draw_ringing(ASCII), *(draw(line, ASCII) for line in Line)]
    assert drawn == ["*..........o", "*--o--*", "*-----*", "*- - - -*", "*        *"]


def test_progress() -> None:
    assert bar(62, 100, 11, UNICODE) == "━━━━━━╺──── 62 %"
    assert bar(0, 100, 4, UNICODE) == "╺─── 0 %"
    assert bar(100, 100, 4, UNICODE) == "━━━━ 100 %"
    assert bar(62, 100, 11, ASCII) == "######>---- 62 %"


@pytest.mark.parametrize(("done", "size", "shown"), [(0, 0, 100), (999, 1000, 99), (0, 9, 0), (5, 2**63, 0)])
def test_only_the_whole_is_a_hundred_percent(done: int, size: int, shown: int) -> None:
    assert percent(done, size) == shown


def test_every_glyph_and_word_has_an_ascii_form() -> None:
    for name in ASCII.__slots__:
        value = getattr(ASCII, name)
        assert not isinstance(value, str) or value.isascii(), name
    assert (
        ASCII.say("odile’s “key” … ✓✓ · ␛[2J ‹9B› ␡ Alt+↑") == 'odile\'s "key" ... vv - ^[[2J <9B> ^? Alt+Up'
    )
    assert UNICODE.say("odile’s …") == "odile’s …"


@pytest.mark.parametrize(
    ("environment", "encoding", "is_ascii"),
    [
        ({}, "utf-8", False),
        ({}, "UTF8", False),
        ({}, "ascii", True),
        ({}, "iso8859-1", True),
        ({"WHISP_ASCII": "1"}, "utf-8", True),
        ({"WHISP_ASCII": "0"}, "utf-8", False),
        ({"TERM": "linux"}, "utf-8", True),
    ],
)
def test_ascii_is_chosen_where_it_must_be(environment: dict[str, str], encoding: str, is_ascii: bool) -> None:
    assert choose(environment, encoding).is_ascii is is_ascii


def test_a_qr_code_in_half_blocks_is_the_same_code() -> None:
    content = bytes(range(66))
    rows = half_blocks(content)
    dark = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    squares: list[list[int]] = []
    for row in rows:
        upper, lower = zip(*(dark[block] for block in row), strict=True)
        squares += [list(upper), list(lower)]
    code = segno.make_qr(content, error="l", boost_error=False, mode="byte")
    expected = [[int(bool(square)) for square in row] for row in code.matrix_iter(border=QUIET)]
    assert squares[: len(expected)] == expected
    assert len(squares) - len(expected) in (0, 1)


def test_the_theme_is_chosen_by_wish_then_by_the_terminal() -> None:
    assert choose_theme({"WHISP_THEME": "light"}) is LIGHT
    assert choose_theme({"WHISP_THEME": "dark", "COLORFGBG": "0;15"}) is DARK
    assert choose_theme({"COLORFGBG": "0;15"}) is LIGHT
    assert choose_theme({"COLORFGBG": "15;0"}) is DARK
    assert choose_theme({}) is DARK


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_contrast_keeps_its_promise(theme: object) -> None:
    chosen = DARK if theme is DARK else LIGHT
    v = chosen.variables
    assert chosen.background is not None
    assert chosen.surface is not None
    assert chosen.foreground is not None
    assert chosen.panel is not None
    grounds = [chosen.background, chosen.surface, chosen.panel, v["bubble-out"]]
    for ground in grounds:
        assert _contrast(chosen.foreground, ground) >= 7
        for ink in (v["ink-soft"], v["ink-faint"], chosen.primary):
            assert _contrast(ink, ground) >= 4.5, (ink, ground)
    assert _contrast(v["on-accent"], chosen.primary) >= 4.5
    assert _contrast(v["on-ink-button"], v["ink-button"]) >= 7
    assert chosen.error is not None
    assert chosen.warning is not None
    assert _contrast(chosen.error, chosen.background) >= 4.5
    assert _contrast(chosen.warning, chosen.background) >= 4.5

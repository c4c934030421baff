"""Lines never wider than the screen, and nothing lost."""

from hypothesis import given
from hypothesis import strategies as st
from rich import cells
from rich.cells import cell_len

from whisp.terminal.inert import inert
from whisp.terminal.wrap import forget_widths, wrap


@given(st.text(max_size=200), st.integers(2, 60))
def test_no_line_is_too_wide_and_only_spaces_go(text: str, width: int) -> None:
    shown = inert(text)
    lines = wrap(shown, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "").replace("\n", "")


def test_breaks_at_spaces() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("one\n\ntwo", 8) == ["one", "", "two"]
    assert wrap("abcdefghij", 4) == ["abcd", "efgh", "ij"]
    assert wrap("日本語です", 4) == ["日本", "語で", "す"]
    assert wrap("", 4) == [""]


def test_s29_measured_texts_are_forgotten() -> None:
    wrap("what was said", 5)
    assert cells.cached_cell_len.cache_info().currsize > 0
    forget_widths()
    assert cells.cached_cell_len.cache_info().currsize == 0

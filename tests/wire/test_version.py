"""Equal majors talk, unequal ones do not."""

from hypothesis import given
from hypothesis import strategies as st

from whisp.wire.version import (
    CURRENT,
    PAIRWISE_VERSION,
    SUITE,
    SUITE_BITMAP,
    VERSION_BITMAP,
    Version,
)

numbers = st.integers(0, 255)


@given(numbers, numbers, numbers, numbers)
def test_compatibility_is_equality_of_majors(a: int, b: int, c: int, d: int) -> None:
    one, other = Version(a, b), Version(c, d)
    assert one.is_compatible(other) is other.is_compatible(one) is (a == c)


def test_versions_read_as_people_write_them() -> None:
    assert str(CURRENT) == "1.0"
    assert Version(1, 9) < Version(1, 10) < Version(2, 0)


def test_bitmaps_name_what_is_spoken() -> None:
    assert VERSION_BITMAP.bit_length() == PAIRWISE_VERSION
    assert SUITE_BITMAP.bit_length() == SUITE

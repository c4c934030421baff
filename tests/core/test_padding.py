"""Padding hides lengths and gives the content back."""

from math import floor, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.core.padding import HANDSHAKE_FLOOR, MESSAGE_FLOOR, pad, padme, unpad
from whisp.wire.errors import MalformedError


@pytest.mark.parametrize(
    ("length", "padded"),
    [(0, 0), (1, 1), (2, 2), (8, 8), (9, 10), (257, 272), (1000, 1024), (65_536, 65_536), (65_537, 67_584)],
)
def test_padme_of_known_lengths(length: int, padded: int) -> None:
    assert padme(length) == padded


@given(st.integers(2, 2**40))
def test_padme_rounds_up_as_the_paper_says(length: int) -> None:
    exponent = floor(log2(length))
    step = 2 ** (exponent - floor(log2(exponent)) - 1) if exponent > 1 else 1
    assert padme(length) % step == 0
    assert 0 <= padme(length) - length < step
    assert padme(padme(length)) == padme(length)
    assert padme(length) <= length * 1.12


@given(st.binary(max_size=3000), st.sampled_from([0, MESSAGE_FLOOR, HANDSHAKE_FLOOR]))
def test_unpad_gives_the_content_back(content: bytes, floor_bytes: int) -> None:
    padded = pad(content, floor_bytes)
    assert unpad(padded) == content
    assert len(padded) == max(floor_bytes, padme(len(content) + 1))


def test_contents_up_to_255_bytes_look_alike() -> None:
    assert {len(pad(bytes(length), MESSAGE_FLOOR)) for length in range(256)} == {256}
    assert len(pad(bytes(256), MESSAGE_FLOOR)) == 272


@pytest.mark.parametrize(
    "padded", [b"", b"\x00", bytes(256), b"text", b"\x80\x01\x00", b"\x80" + bytes(9) + b"\x7f"]
)
def test_s11_padding_without_its_mark_is_malformed(padded: bytes) -> None:
    with pytest.raises(MalformedError, match="mark"):
        unpad(padded)

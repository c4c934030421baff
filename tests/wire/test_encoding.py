"""Layouts: what is written reads back, what ends early or late is malformed, and no tag opens another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.wire.certificate import DeviceKind
from whisp.wire.encoding import MAX_INTEGER, Reader, lp8, lp16, lp32, parse_enum, tag, u8, u16, u32, u64
from whisp.wire.errors import LocalProtocolError, MalformedError

LABELS = ["hs0", "hs1", "hs", "hs id", "hs identity", "device-cert", "device-list", ""]


@given(
    st.integers(0, 2**8 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, MAX_INTEGER),
)
def test_integers_are_big_endian_and_read_back(a: int, b: int, c: int, d: int) -> None:
    encoded = u8(a) + u16(b) + u32(c) + u64(d)
    assert encoded == b"".join(n.to_bytes(size, "big") for n, size in ((a, 1), (b, 2), (c, 4), (d, 8)))
    reader = Reader(encoded)
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (a, b, c, d)
    assert reader.offset == 15
    reader.finish()


@given(st.integers(MAX_INTEGER + 1, 2**64 - 1))
def test_s11_an_integer_that_not_every_language_can_hold_is_malformed(value: int) -> None:
    with pytest.raises(MalformedError, match="2\\^53"):
        Reader(u64(value)).u64()


@given(st.binary(max_size=255))
def test_short_strings_read_back(text: bytes) -> None:
    reader = Reader(lp8(text) + b"rest")
    assert (reader.lp8(), reader.rest()) == (text, b"rest")
    assert lp8(text)[0] == len(text)


def test_a_short_string_has_a_limit_on_both_sides() -> None:
    with pytest.raises(LocalProtocolError):
        lp8(bytes(256))
    with pytest.raises(MalformedError, match="limit"):
        Reader(lp8(bytes(5))).lp8(limit=4)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_prefixed_strings_read_back(one: bytes, other: bytes) -> None:
    reader = Reader(lp16(one) + lp32(other) + b"rest")
    assert (reader.lp16(), reader.lp32(300), reader.rest()) == (one, other, b"rest")
    reader.finish()


def test_a_length_that_does_not_fit_is_our_own_fault() -> None:
    assert len(lp16(bytes(65_535))) == 65_537
    with pytest.raises(LocalProtocolError):
        lp16(bytes(65_536))


@pytest.mark.parametrize("encoded", [b"", b"\0", b"\0\5abcd", b"\xff\xff"])
def test_s11_a_string_that_ends_early_is_malformed(encoded: bytes) -> None:
    with pytest.raises(MalformedError):
        Reader(encoded).lp16()


def test_s11_a_string_over_its_limit_is_refused_before_it_is_taken() -> None:
    reader = Reader(b"\xff\xff\xff\xff" + bytes(10))
    with pytest.raises(MalformedError, match="over its limit of 9"):
        reader.lp32(9)
    assert reader.offset == 4
    assert Reader(lp16(bytes(9))).lp16(9) == bytes(9)
    with pytest.raises(MalformedError):
        Reader(lp16(bytes(10))).lp16(9)


def test_s11_trailing_bytes_are_malformed() -> None:
    reader = Reader(b"ab")
    reader.take(1)
    with pytest.raises(MalformedError, match="1 trailing"):
        reader.finish()


def test_an_enum_reads_its_members_only() -> None:
    assert Reader(b"\2").enum(DeviceKind) is DeviceKind.WEB
    for value in (0, 5, 255):
        with pytest.raises(MalformedError):
            parse_enum(DeviceKind, value)


def test_no_tag_is_the_beginning_of_another() -> None:
    tags = [tag(label) for label in LABELS]
    assert tags[0] == b"Whisp/1 hs0\x00"
    for one in tags:
        assert sum(other.startswith(one) for other in tags) == 1

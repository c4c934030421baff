"""The frame around ratchet messages: what decodes is what was encoded, and nothing else decodes."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.wire import envelope
from whisp.wire.envelope import (
    COUNTER_LIMIT,
    MAX_ENVELOPE_BYTES,
    MAX_MESSAGE_BYTES,
    KemAnswer,
    KemOffer,
    MessageHeader,
    decode_envelope,
)
from whisp.wire.errors import MalformedError
from whisp.wire.prekey import KEM_KEY_BYTES
from whisp.wire.signals import KEM_CIPHERTEXT_BYTES

KEY = bytes(range(1, 33))
TAG = bytes(16)
counters = st.integers(0, COUNTER_LIMIT - 1)
ratchet_keys = st.binary(min_size=32, max_size=32).filter(any)
attachments = st.one_of(
    st.none(),
    st.builds(KemOffer, st.just(bytes(range(256)) * 4 + bytes(160))),
    st.builds(KemAnswer, st.just(bytes(range(256)) * 4 + bytes(64))),
)
headers = st.builds(MessageHeader, counters, counters, ratchet_keys, counters, counters, attachments)


@given(headers, st.binary(min_size=16, max_size=400))
def test_a_frame_comes_apart_into_what_it_was_made_of(header: MessageHeader, sealed: bytes) -> None:
    assert decode_envelope(header.encode() + sealed) == (header, header.encode(), sealed)


def test_the_layout_is_the_published_one() -> None:
    encoded = MessageHeader(0x01020304, 0x05060708, KEY, 0x090A0B0C, 0x0D0E0F10).encode()
    assert encoded.hex() == "1000" + "01020304" + "05060708" + KEY.hex() + "090a0b0c" + "0d0e0f10"
    assert len(MessageHeader(0, 0, KEY, 0, 0, KemOffer(bytes(KEM_KEY_BYTES))).encode()) == 50 + 1184
    assert len(MessageHeader(0, 0, KEY, 0, 0, KemAnswer(bytes(KEM_CIPHERTEXT_BYTES))).encode()) == 50 + 1088


def test_a_message_costs_66_bytes() -> None:
    assert len(MessageHeader(0, 0, KEY, 0, 0).encode()) + envelope.SEAL_TAG_BYTES == 66


@given(st.binary(max_size=1400))
def test_s11_any_bytes_decode_or_are_malformed(frame: bytes) -> None:
    try:
        header, encoded_header, sealed = decode_envelope(frame)
    except MalformedError:
        return
    assert header.encode() + sealed == frame
    assert encoded_header + sealed == frame


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (b"", "0 bytes"),
        (MessageHeader(0, 0, KEY, 0, 0).encode() + TAG[1:], "65 bytes"),
        (b"\x11" + MessageHeader(0, 0, KEY, 0, 0).encode()[1:] + TAG, "not a ratchet message"),
        (MessageHeader(0, 0, bytes(32), 0, 0).encode() + TAG, "zeros"),
        (MessageHeader(0, 0, KEY, 0, 0, KemOffer(bytes(1184))).encode() + TAG[1:], "1249 bytes"),
        (MessageHeader(0, 0, KEY, 0, 0, KemAnswer(bytes(1088))).encode() + TAG[1:], "1153 bytes"),
        (MessageHeader(0, 0, KEY, 0, 0).encode() + bytes(MAX_MESSAGE_BYTES + 17), "65603 bytes"),
        (bytes([0x10]) + os.urandom(MAX_ENVELOPE_BYTES), "66787 bytes"),
    ],
)
def test_s11_lengths_and_types_no_message_has_are_refused(frame: bytes, sentence: str) -> None:
    with pytest.raises(MalformedError, match=sentence):
        decode_envelope(frame)


@pytest.mark.parametrize("flags", [3, 4, 5, 0x80, 0xFF])
def test_s11_unknown_flags_and_both_attachments_at_once_are_refused(flags: int) -> None:
    frame = bytearray(MessageHeader(0, 0, KEY, 0, 0, KemOffer(bytes(1184))).encode() + bytes(2000))
    frame[1] = flags
    with pytest.raises(MalformedError, match="flags"):
        decode_envelope(bytes(frame))


@pytest.mark.parametrize("position", range(4))
def test_s11_a_counter_is_refused_at_its_limit_and_taken_just_below(position: int) -> None:
    def header(value: int) -> MessageHeader:
        n, previous_n, epoch, epoch_n = (value if place == position else 0 for place in range(4))
        return MessageHeader(n, previous_n, KEY, epoch, epoch_n)

    assert decode_envelope(header(COUNTER_LIMIT - 1).encode() + TAG)[0] == header(COUNTER_LIMIT - 1)
    with pytest.raises(MalformedError, match="counter"):
        decode_envelope(header(COUNTER_LIMIT).encode() + TAG)


def test_s11_the_largest_message_is_taken_with_and_without_an_attachment() -> None:
    sealed = bytes(MAX_MESSAGE_BYTES + 16)
    for attachment in (None, KemOffer(bytes(1184)), KemAnswer(bytes(1088))):
        header = MessageHeader(0, 0, KEY, 0, 0, attachment)
        assert decode_envelope(header.encode() + sealed)[2] == sealed
        with pytest.raises(MalformedError):
            decode_envelope(header.encode() + sealed + b"\x00")

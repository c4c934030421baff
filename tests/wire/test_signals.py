"""The five handshake messages, as the server sees them."""

import pytest

from whisp.wire.errors import MalformedError
from whisp.wire.ids import CallId, DeviceId, PreKeyId
from whisp.wire.limits import MAX_SIGNAL_BYTES
from whisp.wire.signals import (
    NO_PRE_KEY,
    Answer,
    Cancel,
    Confirm,
    Decline,
    Offer,
    decode_signal,
    peek_call_id,
    peek_type,
)

CALL, DEVICE = CallId(b"c" * 16), DeviceId(b"d" * 16)


def offer(one_time: PreKeyId | None = None, sealed: bytes = b"so") -> Offer:
    return Offer(
        1, 1, CALL, DEVICE, PreKeyId(b"s" * 8), one_time, b"e" * 32, b"k" * 1184, b"t" * 1088, b"si", sealed
    )


def test_an_offer_lies_as_its_table_says() -> None:
    encoded = offer(PreKeyId(b"o" * 8)).encode()
    assert encoded[:4] == b"\x01\x01\x01\x01"
    assert [encoded[4:20], encoded[20:36], encoded[36:44], encoded[44:52]] == [
        CALL,
        DEVICE,
        b"s" * 8,
        b"o" * 8,
    ]
    assert [encoded[52:84], encoded[84:1268], encoded[1268:2356]] == [b"e" * 32, b"k" * 1184, b"t" * 1088]
    assert encoded[2356:] == b"\0\2si\0\2so"
    assert offer().encode_header() == offer().encode()[: Offer.HEADER_BYTES]
    assert offer().encode()[3:4] + offer().encode()[44:52] == bytes(9)


def test_an_answer_lies_as_its_table_says() -> None:
    answer = Answer(1, 1, CALL, DEVICE, b"e" * 32, b"t" * 1088, b"sa")
    encoded = answer.encode()
    assert encoded[:4] == b"\x02\x01\x01\x00"
    assert [encoded[4:20], encoded[20:36], encoded[36:68]] == [CALL, DEVICE, b"e" * 32]
    assert [encoded[68:1156], encoded[1156:]] == [b"t" * 1088, b"\0\2sa"]
    assert answer.encode_header() == encoded[: Answer.HEADER_BYTES]


def test_refusals_and_confirm_lie_as_their_tables_say() -> None:
    assert Decline(1, 1, CALL, DEVICE, b"r").encode() == b"\x03\x01\x01\x00" + CALL + DEVICE + b"\0\1r"
    assert Cancel(1, 1, CALL, DEVICE, b"r").encode() == b"\x04\x01\x01\x00" + CALL + DEVICE + b"\0\1r"
    assert Confirm(1, 1, CALL, b"m" * 32, b"f").encode() == b"\x05\x01\x01\x00" + CALL + b"m" * 32 + b"f"


@pytest.mark.parametrize("flags", range(256))
def test_s11_flags_and_pre_keys_must_agree(flags: int) -> None:
    for one_time, right in ((None, 0), (PreKeyId(b"o" * 8), 1)):
        encoded = offer(one_time).encode()
        changed = encoded[:3] + bytes((flags,)) + encoded[4:]
        if flags == right:
            assert decode_signal(changed) == offer(one_time)
        else:
            with pytest.raises(MalformedError):
                decode_signal(changed)


def test_s11_a_one_time_id_of_zeros_means_none() -> None:
    encoded = offer(PreKeyId(b"o" * 8)).encode()
    with pytest.raises(MalformedError):
        decode_signal(encoded[:44] + NO_PRE_KEY + encoded[52:])


@pytest.mark.parametrize("kind", [2, 3, 4, 5])
def test_s11_other_signals_have_no_flags(kind: int) -> None:
    signals = {
        2: Answer(1, 1, CALL, DEVICE, b"e" * 32, b"t" * 1088, b"sa").encode(),
        3: Decline(1, 1, CALL, DEVICE, b"r").encode(),
        4: Cancel(1, 1, CALL, DEVICE, b"r").encode(),
        5: Confirm(1, 1, CALL, b"m" * 32, b"f").encode(),
    }
    encoded = signals[kind]
    decode_signal(encoded)
    for flags in (1, 2, 128):
        with pytest.raises(MalformedError):
            decode_signal(encoded[:3] + bytes((flags,)) + encoded[4:])


def test_s11_a_confirm_carries_a_message() -> None:
    with pytest.raises(MalformedError):
        decode_signal(Confirm(1, 1, CALL, b"m" * 32, b"").encode())


def test_s11_a_signal_has_a_largest_size() -> None:
    largest = offer(sealed=bytes(MAX_SIGNAL_BYTES - len(offer(sealed=b"").encode())))
    assert len(largest.encode()) == MAX_SIGNAL_BYTES
    decode_signal(largest.encode())
    with pytest.raises(MalformedError):
        decode_signal(largest.encode() + b"\0")
    with pytest.raises(MalformedError):
        decode_signal(offer(sealed=largest.sealed_offer + b"\0").encode())


@pytest.mark.parametrize("kind", [0, 6, 16, 255])
def test_s11_unknown_kinds_are_malformed(kind: int) -> None:
    for attempt in (decode_signal, peek_type):
        with pytest.raises(MalformedError):
            attempt(bytes((kind,)) + bytes(60))


def test_s11_too_little_to_peek_at_is_malformed() -> None:
    with pytest.raises(MalformedError):
        peek_type(b"")
    with pytest.raises(MalformedError):
        peek_call_id(bytes(19))
    assert peek_call_id(bytes(4) + CALL) == CALL

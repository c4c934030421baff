"""S-11 over every decoder: what was encoded decodes to itself, and anything else is malformed.

Each layout has exactly one encoding: whatever decodes, encodes to the very bytes it came from.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wire import strategies as wire

from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import MalformedError
from whisp.wire.frames import decode_client_frame, decode_server_frame
from whisp.wire.prekey import PreKeyBundle, PreKeyKind, PreKeyRecord
from whisp.wire.signals import decode_signal, peek_call_id, peek_type

DECODERS: dict[str, tuple[Callable[[bytes], Any], st.SearchStrategy[Any]]] = {
    "certificate": (Certificate.decode, wire.certificates),
    "device list": (DeviceList.decode, wire.device_lists()),
    "signed record": (PreKeyRecord.decode, wire.records(PreKeyKind.SIGNED)),
    "one-time record": (PreKeyRecord.decode, wire.records(PreKeyKind.ONE_TIME)),
    "bundle": (PreKeyBundle.decode, wire.bundles),
    "signal": (decode_signal, wire.signals),
    "client frame": (decode_client_frame, wire.client_frames),
    "server frame": (decode_server_frame, wire.server_frames),
}
each_decoder = pytest.mark.parametrize("name", DECODERS)
bounded = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
hunt = settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))

FIXED = {"certificate": 194, "signed record": 1326, "one-time record": 1326}


def check_junk(name: str, junk: bytes) -> None:
    decode, _ = DECODERS[name]
    try:
        value = decode(junk)
    except MalformedError:
        return
    assert value.encode() == junk, "two encodings of one value"


def check_damage(name: str, data: st.DataObject) -> None:
    """Cut, extend and change a valid encoding."""
    encoded: bytes = data.draw(DECODERS[name][1]).encode()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    position = data.draw(st.integers(0, len(encoded) - 1))
    changed = bytearray(encoded)
    changed[position] = data.draw(st.integers(0, 255))
    for junk in (encoded[:cut], encoded + b"\0", bytes(changed), encoded[cut:]):
        check_junk(name, junk)


@each_decoder
@bounded
@given(data=st.data())
def test_s11_what_was_encoded_decodes_to_itself(name: str, data: st.DataObject) -> None:
    decode, values = DECODERS[name]
    value = data.draw(values)
    encoded = value.encode()
    assert decode(encoded) == value
    assert len(encoded) == FIXED.get(name, len(encoded))


@each_decoder
@bounded
@given(junk=st.binary(max_size=1500))
def test_s11_random_bytes_are_malformed(name: str, junk: bytes) -> None:
    check_junk(name, junk)


@each_decoder
@bounded
@given(data=st.data())
def test_s11_damaged_values_are_malformed_or_other_values(name: str, data: st.DataObject) -> None:
    check_damage(name, data)


@each_decoder
@pytest.mark.nightly
@hunt
@given(data=st.data())
def test_s11_damaged_values_hunted(name: str, data: st.DataObject) -> None:
    check_damage(name, data)


@each_decoder
@bounded
@given(data=st.data())
def test_s11_a_byte_short_and_a_byte_long(name: str, data: st.DataObject) -> None:
    """Layouts without an open end refuse both; those with one refuse what leaves nothing of it."""
    decode, values = DECODERS[name]
    encoded: bytes = data.draw(values).encode()
    open_ended = (name == "signal" and encoded[0] == 0x05) or (
        name.endswith("frame") and encoded[0] in (0x20, 0x21, 0x22)
    )
    if not open_ended:
        for spoilt in (encoded[:-1], encoded + b"\0"):
            with pytest.raises(MalformedError):
                decode(spoilt)


@given(wire.signals)
def test_peeking_agrees_with_decoding(signal: Any) -> None:
    encoded = signal.encode()
    assert peek_type(encoded) is signal.TYPE
    assert peek_call_id(encoded) == signal.call_id


@given(st.binary(max_size=30))
def test_s11_peeking_at_junk_is_malformed_or_right(junk: bytes) -> None:
    for peek, view in ((peek_type, junk[:1]), (peek_call_id, junk[4:20])):
        try:
            seen = peek(junk)
        except MalformedError:
            continue
        assert seen == view or bytes((seen,)) == view  # type: ignore[arg-type]  # one of the two is an int

"""WebSocket frames: which side may send which, and the edges of every limit."""

import pytest
from hypothesis import given
from tests.wire import strategies as wire

from whisp.wire.errors import MalformedError
from whisp.wire.frames import (
    RELAY_HEADER_BYTES,
    ClientFrame,
    FrameType,
    HangUp,
    Hello,
    PreKeys,
    Relay,
    Ring,
    Route,
    ServerFrame,
    Signalled,
    Welcome,
    decode_client_frame,
    decode_server_frame,
)
from whisp.wire.ids import CallId, DeviceId, RouteId, Username
from whisp.wire.limits import MAX_FRAME_BYTES, MAX_RELAY_PAYLOAD_BYTES, MAX_SIGNAL_BYTES
from whisp.wire.prekey import PRE_KEY_BYTES
from whisp.wire.version import CURRENT, Version

DEVICE, CALL, ROUTE = DeviceId(b"d" * 16), CallId(b"c" * 16), RouteId(b"r" * 16)
ONE_SIDED = {
    "client": [FrameType.HELLO, FrameType.PRE_KEYS, FrameType.HANG_UP],
    "server": [FrameType.WELCOME, FrameType.PRE_KEYS_LEFT, FrameType.RING, FrameType.ROUTE, FrameType.LINE],
}


def test_the_bytes_are_as_the_specification_tables_say() -> None:
    assert Hello(Version(1, 0), "tok").encode() == b"\x01\x01\x00\x00\x03tok"
    assert Welcome(CURRENT).encode() == b"\x02\x01\x00"
    assert Signalled(DEVICE, b"s").encode() == b"\x21" + b"d" * 16 + b"s"
    assert Ring(DEVICE, Username("odile"), b"o").encode() == b"\x22" + b"d" * 16 + b"\x00\x05odile" + b"o"
    assert Route(CALL, DEVICE, ROUTE).encode() == b"\x23" + b"c" * 16 + b"d" * 16 + b"r" * 16
    assert HangUp(CALL).encode() == b"\x25" + b"c" * 16
    assert Relay(ROUTE, b"x").encode() == b"\x20" + b"r" * 16 + b"x"
    assert len(Relay(ROUTE, b"").encode()) == RELAY_HEADER_BYTES


@given(wire.client_frames)
def test_a_server_does_not_send_what_only_clients_send(frame: ClientFrame) -> None:
    if frame.TYPE in ONE_SIDED["client"]:
        with pytest.raises(MalformedError):
            decode_server_frame(frame.encode())
    else:
        assert decode_server_frame(frame.encode()) == frame


@given(wire.server_frames)
def test_a_client_does_not_send_what_only_servers_send(frame: ServerFrame) -> None:
    if frame.TYPE in ONE_SIDED["server"]:
        with pytest.raises(MalformedError):
            decode_client_frame(frame.encode())
    else:
        assert decode_client_frame(frame.encode()) == frame


@pytest.mark.parametrize("kind", [kind for kind in range(256) if kind not in set(FrameType)])
def test_s11_unknown_types_are_malformed(kind: int) -> None:
    for decode in (decode_client_frame, decode_server_frame):
        with pytest.raises(MalformedError):
            decode(bytes((kind,)) + bytes(40))


def test_s11_limits_hold_to_the_byte() -> None:
    largest = Relay(ROUTE, bytes(MAX_RELAY_PAYLOAD_BYTES)).encode()
    assert len(largest) == MAX_FRAME_BYTES
    decode_client_frame(largest)
    decode_client_frame(Signalled(DEVICE, bytes(MAX_SIGNAL_BYTES)).encode())
    decode_client_frame(Hello(CURRENT, "t" * 1024).encode())
    decode_client_frame(PreKeys((bytes(PRE_KEY_BYTES),) * 21).encode())
    for spoilt in (
        largest + b"\0",
        Relay(ROUTE, b"").encode(),
        Signalled(DEVICE, bytes(MAX_SIGNAL_BYTES + 1)).encode(),
        Signalled(DEVICE, b"").encode(),
        Hello(CURRENT, "t" * 1025).encode(),
        PreKeys(()).encode(),
        PreKeys((bytes(PRE_KEY_BYTES),) * 22).encode(),
        PreKeys((bytes(PRE_KEY_BYTES - 1),)).encode(),
        b"",
    ):
        with pytest.raises(MalformedError):
            decode_client_frame(spoilt)


def test_a_token_is_ascii_and_never_shown() -> None:
    hello = Hello(CURRENT, "CNRY-token")
    assert "CNRY" not in repr(hello)
    with pytest.raises(MalformedError):
        decode_client_frame(b"\x01\x01\x00\x00\x02\xc3\xa9")


@pytest.mark.parametrize(
    "name", [b"Odile", b"od", b"-odile", "odilé".encode(), b"o" * 33, b"\xff\xff\xff", b""]
)
def test_s21_a_ring_names_a_canonical_username_only(name: bytes) -> None:
    spoilt = b"\x22" + b"d" * 16 + len(name).to_bytes(2, "big") + name + b"offer"
    with pytest.raises(MalformedError):
        decode_server_frame(spoilt)

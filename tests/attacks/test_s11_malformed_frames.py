"""S-11: whatever bytes come, a close code goes out, nothing is logged of them, and others go on."""

import contextlib
import logging
import os
import struct

import pytest
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.server.signalling.live import Live, both_drivers, serve
from tests.server.signalling.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG
from tests.server.signalling.scripts import Device, answer, offer

from whisp.server.limits import MAX_FRAGMENTS
from whisp.server.signalling.calls import Calls
from whisp.server.signalling.peer import Identified, Identifying, RefusedError, Unidentified
from whisp.wire.codes import CloseCode
from whisp.wire.errors import MalformedError
from whisp.wire.frames import FrameType, HangUp, Hello, PreKeys, Relay, Ring, Signalled, Welcome
from whisp.wire.ids import CallId, DeviceId, RouteId, Username
from whisp.wire.limits import MAX_FRAME_BYTES, MAX_ONE_TIME_PRE_KEYS, MAX_SIGNAL_BYTES, MAX_TOKEN_BYTES
from whisp.wire.prekey import PRE_KEY_BYTES
from whisp.wire.version import CURRENT

CALL, DEVICE, ROUTE = CallId(bytes(16)), DeviceId(bytes(16)), RouteId(bytes(16))
SOMEONE = Device(Username("sefa"))
WEBSOCKET_CODES = {1002, 1007, 1009}
"""What a WebSocket library says of bytes that are no WebSocket, too big, or no UTF-8."""


def identified() -> Identified:
    return Identified("", DEVICE, SOMEONE.account, SOMEONE.username, b"", b"")


MALFORMED = {
    "empty": b"",
    "hello again": Hello(CURRENT, "x").encode(),
    "welcome": Welcome(CURRENT).encode(),
    "ring": Ring(DEVICE, SOMEONE.username, offer(CALL, DEVICE)).encode(),
    "pre-keys: no count": b"\x03",
    "pre-keys: none": b"\x03\x00",
    "pre-keys: short": PreKeys(SOMEONE.records(1)).encode()[:-1],
    "pre-keys: long": PreKeys(SOMEONE.records(1)).encode() + b"x",
    "pre-keys: too many": bytes((3, 2 + MAX_ONE_TIME_PRE_KEYS))
    + bytes(PRE_KEY_BYTES) * (2 + MAX_ONE_TIME_PRE_KEYS),
    "pre-keys: 255 stated": b"\x03\xff" + bytes(PRE_KEY_BYTES),
    "pre-keys: noise": b"\x03\x01" + os.urandom(PRE_KEY_BYTES),
    "relay: nothing": b"\x20",
    "relay: short route": b"\x20" + bytes(15),
    "relay: no payload": b"\x20" + bytes(16),
    "signal: nothing": b"\x21",
    "signal: short device": b"\x21" + bytes(15),
    "signal: no signal": b"\x21" + bytes(16),
    "signal: no call id": b"\x21" + DEVICE + b"\x02\x01\x01\x00" + bytes(15),
    "signal: unknown": b"\x21" + DEVICE + b"\x06\x01\x01\x00" + bytes(16),
    "signal: offer": Signalled(DEVICE, offer(CALL, DEVICE)).encode(),
    "signal: too big": b"\x21" + DEVICE + answer(CALL, DEVICE) + bytes(MAX_SIGNAL_BYTES),
    "hang up: short": HangUp(CALL).encode()[:-1],
    "hang up: long": HangUp(CALL).encode() + b"x",
    **{
        f"type {kind:#04x}": bytes((kind,)) + bytes(40)
        for kind in (0x00, 0x05, 0x10, 0x11, 0x1F, 0x23, 0x24, 0x26, 0x7F, 0x80, 0xA0, 0xFF)
    },
}


@pytest.mark.parametrize("frame", MALFORMED.values(), ids=MALFORMED.keys())
def test_s11_malformed_frames_close_with_4000(frame: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            client, bystander = await live.online("odile"), await live.online("nils")
            await client.send(frame)
            assert (await client.closed()).code == CloseCode.PROTOCOL
            await bystander.settle()
            await client.disconnect()
            await live.quiet(1)

    with caplog.at_level(logging.DEBUG):
        uvloop.run(scenario())
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@both_drivers
async def test_s11_both_drivers_close_alike(live: Live) -> None:
    for n, frame in enumerate(MALFORMED.values()):
        client = await live.online(f"one-{n}")
        await client.send(frame)
        assert (await client.closed()).code == CloseCode.PROTOCOL


MALFORMED_HELLOS = {
    "empty": b"",
    "one byte": b"\x01",
    "no token": b"\x01\x01\x00",
    "token stated longer": b"\x01\x01\x00\xff\xff" + b"x" * 100,
    "token stated shorter": b"\x01\x01\x00\x00\x01" + b"xx",
    "not ascii": b"\x01\x01\x00\x00\x02\xff\xfe",
    "too long": b"\x01\x01\x00" + struct.pack(">H", MAX_TOKEN_BYTES + 1) + b"x" * (MAX_TOKEN_BYTES + 1),
    "pre-keys first": b"\x03\x01",
    "relay first": Relay(ROUTE, b"x").encode(),
}


@pytest.mark.parametrize("frame", MALFORMED_HELLOS.values(), ids=MALFORMED_HELLOS.keys())
def test_s11_malformed_hellos_close(frame: bytes) -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            client = await live.dial()
            await client.send(frame)
            expected = CloseCode.TOO_BIG if len(frame) > 1029 else CloseCode.PROTOCOL
            assert (await client.closed()).code == expected

    uvloop.run(scenario())


@both_drivers
async def test_s11_bytes_that_are_no_websocket_close(live: Live) -> None:
    tricks: list[dict[str, object]] = [
        {"payload": b"x", "masked": False},
        {"payload": b"x", "kind": PING, "fin": False},
        {"payload": bytes(126), "kind": PING},
        {"payload": bytes(126), "kind": PONG},
        {"payload": bytes(126), "kind": CLOSE},
        {"payload": b"x", "kind": CLOSE},
        {"payload": b"\x03\xe8\xff", "kind": CLOSE},
        {"payload": b"x", "kind": 3},
        {"payload": b"x", "kind": 11},
        {"payload": b"x", "kind": CONTINUATION},
        {"payload": b"\x25" + bytes(16), "rsv": 4},
        {"payload": b"\x25" + bytes(16), "rsv": 2},
        {"payload": b"\x25" + bytes(16), "rsv": 1},
        {"payload": b"", "length": 2**63 + 5},
        {"payload": b"", "length": 2**63 - 1},
        {"payload": b"", "length": 2**32 - 1},
        {"payload": b"", "length": MAX_FRAME_BYTES + 1},
    ]
    for n, trick in enumerate(tricks):
        client = await live.online(f"trick-{n}")
        client.write_piece(**trick)  # type: ignore[arg-type]
        code = (await client.closed()).code
        assert code in WEBSOCKET_CODES | {CloseCode.PROTOCOL, CloseCode.TOO_BIG}, trick


@both_drivers
async def test_s11_a_relay_frame_with_reserved_bits_closes(live: Live) -> None:
    odile, sefa = await live.online("odile"), await live.online("sefa")
    call = await live.call(odile, sefa)
    odile.write_piece(Relay(call.caller_route, b"compressed?").encode(), rsv=4)
    assert (await odile.closed()).code in WEBSOCKET_CODES | {CloseCode.PROTOCOL}
    assert (await sefa.frame()).call_id == call.call_id  # LINE down, and not the payload
    await sefa.settle()


@both_drivers
async def test_s11_two_messages_at_once_close(live: Live) -> None:
    client = await live.online("odile")
    client.write_piece(b"\x25", fin=False)
    client.write_piece(b"\x25" + bytes(16))
    assert (await client.closed()).code in WEBSOCKET_CODES | {CloseCode.PROTOCOL}


@both_drivers
async def test_s11_fragments_without_end_close(live: Live) -> None:
    client = await live.online("odile")
    client.write_piece(b"\x25", BINARY, fin=False)
    for _ in range(MAX_FRAGMENTS + 2):
        client.write_piece(b"", CONTINUATION, fin=False)
    assert (await client.closed()).code == CloseCode.FLOOD
    client = await live.online("nils")
    client.write_piece(bytes(200_000), BINARY, fin=False)
    client.write_piece(bytes(200_000), CONTINUATION, fin=False)
    assert (await client.closed()).code == CloseCode.TOO_BIG


@given(st.binary(max_size=200))
@example(b"")
def test_s11_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    for start in (b"", *(bytes((kind,)) for kind in FrameType)):
        calls = Calls()
        with contextlib.suppress(MalformedError):
            identified().receive(start + data, calls, 0)
        assert len(calls) == 0


@given(st.binary(max_size=100))
def test_s11_any_first_frame_is_a_hello_or_refused(data: bytes) -> None:
    for start in (b"", b"\x01", b"\x01\x01\x00"):
        with contextlib.suppress(MalformedError, RefusedError):
            assert Unidentified("").receive(start + data).token.isascii()
        with pytest.raises(MalformedError):
            Identifying("").receive(start + data)


@pytest.mark.nightly
@settings(max_examples=200_000, deadline=None)
@given(st.binary(max_size=3000))
def test_s11_any_bytes_are_a_frame_or_refused_longer(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        identified().receive(data, Calls(), 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8))
def test_s11_any_bytes_on_the_socket_leave_a_working_server(chunks: list[bytes]) -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            client = await live.online("odile")
            for chunk in chunks:
                client.writer.write(chunk)
            await client.disconnect()
            await live.quiet()
            bystander = await live.online("nils")
            await bystander.settle()

    uvloop.run(scenario())

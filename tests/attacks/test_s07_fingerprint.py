"""S-07: someone sits between the two ends of the transport itself."""

import asyncio
import contextlib
import hashlib
import os

import pytest
from tests.client.pair import make_device

from whisp.client.transport.direct import DirectTransport
from whisp.core.errors import HandshakeError, HandshakeReason
from whisp.core.handshake import CallFlags, place_offer, receive_offer
from whisp.core.prekeys import PreKeyStore
from whisp.wire.ids import CallId
from whisp.wire.prekey import PreKeyBundle

OURS, THEIRS, LIARS = (hashlib.sha256(name).digest() for name in (b"caller", b"callee", b"liar"))


def test_s07_the_fingerprint_a_transport_verified_is_the_one_in_the_transcript() -> None:
    (_, caller), (_, callee) = make_device(), make_device()
    now = caller.certificate.created
    prekeys = PreKeyStore(callee.keys)
    signed, one_time, *_ = prekeys.publish(now)
    bundle = PreKeyBundle(callee.certificate, callee.device_list, signed, one_time)
    offered = place_offer(caller, bundle, None, CallId(os.urandom(16)), b"sdp", OURS, CallFlags.NONE, now)
    incoming = receive_offer(callee, prekeys, offered.offer, lambda _: None, now)
    answer, answered = incoming.accept(b"sdp", THEIRS, now)
    confirmed = offered.receive_answer(answer, now)
    confirmed.verify_fingerprint(THEIRS)
    answered.verify_fingerprint(OURS)
    for state in (confirmed, answered):
        for presented in (LIARS, bytes(32), LIARS[:31] + b"\x00"):
            with pytest.raises(HandshakeError) as caught:
                state.verify_fingerprint(presented)
            assert caught.value.reason is HandshakeReason.FINGERPRINT


@pytest.mark.parametrize("keys", ["listener-is-liar", "dialler-is-liar", "both-honest"])
async def test_s07_a_direct_line_carries_nothing_before_both_ends_proved_the_session(keys: str) -> None:
    key, token = os.urandom(32), os.urandom(16)
    ready: list[DirectTransport] = []
    got: list[bytes] = []

    def end(secret: bytes, *, is_dialler: bool) -> DirectTransport:
        transport = DirectTransport(
            secret, token, is_dialler=is_dialler, on_ready=ready.append, on_lost=lambda _: None
        )
        transport.deliver_to(lambda frame: got.append(bytes(frame)))
        return transport

    listener_key = os.urandom(32) if keys == "listener-is-liar" else key
    dialler_key = os.urandom(32) if keys == "dialler-is-liar" else key
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: end(listener_key, is_dialler=False), "127.0.0.1", 0)
    transport, dialler = await loop.create_connection(
        lambda: end(dialler_key, is_dialler=True), *server.sockets[0].getsockname()
    )
    dialler.send(b"\x10 too early")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            while len(ready) < 2:
                await asyncio.sleep(0.01)
    if keys == "both-honest":
        assert len(ready) == 2
    else:
        assert dialler not in ready
        assert got == []
        assert transport.is_closing() or keys == "dialler-is-liar"
    for each in ready:
        each.abort()
    transport.abort()
    server.close()
    await asyncio.sleep(0.02)

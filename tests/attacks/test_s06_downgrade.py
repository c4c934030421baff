"""S-06: the server weakens what both sides would choose."""

import asyncio
from dataclasses import replace

import pytest
from tests.attacks.scene import ANSWER, RELAY, RING, SIGNAL, honest_bundle, scene, serve_bundles
from tests.client.test_conversation import next_of as next_of_any
from tests.e2e.people import connect, in_time, is_idle, next_ring
from tests.liar import Link

from whisp import DirectRequested, Line, NoAnswerError, RefusedIdentityError, RingEnd, RingOverError
from whisp.wire.prekey import PreKeyBundle, PreKeyRecord


def lower(record: PreKeyRecord, field: str, value: int) -> PreKeyRecord:
    """Return a record that claims other versions or suites."""
    return replace(record, versions=value) if field == "versions" else replace(record, suites=value)


@pytest.mark.parametrize("field", ["versions", "suites"])
@pytest.mark.parametrize("value", [0, 2, 3, 0x8000])
async def test_s06_changed_versions_and_suites_are_refused(field: str, value: int) -> None:
    async with scene("odile", "sefa") as (liar, (odile, _sefa)):
        bundle = PreKeyBundle.decode(await honest_bundle(odile, "sefa"))
        assert bundle.one_time is not None
        for lowered in (
            replace(bundle, signed=lower(bundle.signed, field, value)),
            replace(bundle, one_time=lower(bundle.one_time, field, value)),
        ):
            serve_bundles(liar, lowered.encode())
            with pytest.raises(RefusedIdentityError):
                await odile.call("sefa")
        assert not liar.asked("/v1/requestSession")


@pytest.mark.parametrize("kem", ["zeros", "stripped"])
async def test_s06_a_bundle_without_its_kem_key_is_refused(kem: str) -> None:
    async with scene("odile", "sefa") as (liar, (odile, _sefa)):
        bundle = PreKeyBundle.decode(await honest_bundle(odile, "sefa"))
        key = bytes(1184) if kem == "zeros" else b""
        serve_bundles(liar, replace(bundle, signed=replace(bundle.signed, kem_key=key)).encode())
        with pytest.raises(RefusedIdentityError):
            await odile.call("sefa")
        assert not liar.asked("/v1/requestSession")


@pytest.mark.parametrize(("offset", "value"), [(1, 0), (1, 2), (2, 0), (2, 2), (2, 255), (3, 0)])
async def test_s06_an_offer_with_another_version_suite_or_flag_does_not_ring(offset: int, value: int) -> None:
    def lie(link: Link, frame: bytes) -> list[bytes]:
        if frame[0] != RING:
            return [frame]
        head = 19 + int.from_bytes(frame[17:19], "big")
        return [frame[: head + offset] + bytes((value,)) + frame[head + offset + 1 :]]

    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        liar.to_client = lie
        with pytest.raises(NoAnswerError):
            await odile.call("sefa", timeout=0.25)
        assert not sefa._rings._items


@pytest.mark.parametrize("offset", [1, 2, 3, 20, 40, 700, 1170, -1])
async def test_s06_an_altered_answer_makes_no_session(offset: int) -> None:
    def lie(link: Link, frame: bytes) -> list[bytes]:
        if frame[0] != SIGNAL or frame[17] != ANSWER:
            return [frame]
        altered = bytearray(frame)
        altered[17 + offset if offset > 0 else offset] ^= 1
        return [bytes(altered)]

    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        liar.to_client = lie
        calling = asyncio.create_task(odile.call("sefa", timeout=0.4))
        ring = await next_ring(sefa)
        accepting = asyncio.create_task(ring.accept())
        with pytest.raises(NoAnswerError):
            await in_time(calling)
        with pytest.raises(RingOverError):
            await in_time(accepting)
        assert ring.end is RingEnd.CANCELLED
        assert not liar.frames(RELAY)
        assert is_idle(odile, sefa)


async def test_s06_the_wish_to_stay_on_the_relay_cannot_be_taken_away() -> None:
    # The flag "direct is allowed" travels sealed: no byte of an OFFER that still rings can turn it on.
    async with scene("odile", "sefa") as (_, (odile, sefa)):
        calling = asyncio.create_task(odile.call("sefa"))
        ring = await next_ring(sefa)
        assert not ring.wants_direct
        async with await ring.accept() as two:
            one = await calling
            assert one.line is two.line is Line.RELAYED


async def test_s06_falling_back_to_the_relay_keeps_the_keys_and_hides_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, two = await connect(odile, sefa)
        code = one.session_code
        monkeypatch.setattr("whisp.client.tcp_line.TcpLine._may_dial", lambda *_: False)
        monkeypatch.setattr("whisp.client.tcp_line.ATTEMPT_SECONDS", 0.3)
        asking = asyncio.create_task(one.request_direct())
        await (await next_of_any(two, DirectRequested)).request.accept()
        assert not await in_time(asking)
        assert one.line is two.line is Line.RELAYED
        assert one.session_code == two.session_code == code
        everything = b"".join(frame for _, _, frame in liar.seen)
        assert b"\x7f\x00\x00\x01" not in everything  # addresses travel inside the ratchet only
        await one.hang_up()

"""S-01: the server answers a bundle request with keys that are not the callee's."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.attacks.scene import RELAY, RING, honest_bundle, scene, serve_bundles, vault_of, warnings_of
from tests.client.pair import make_device
from tests.e2e.people import connect, in_time, is_idle, soon
from tests.liar import Link

from whisp import KeyChangedError, NoAnswerError, NotFoundError, RefusedIdentityError
from whisp.core.prekeys import PreKeyStore
from whisp.wire.device_list import MAX_DEVICE_LIST_BYTES
from whisp.wire.prekey import PRE_KEY_BYTES, PreKeyBundle


def foreign_bundle() -> bytes:
    """A whole, valid bundle of an account of the liar's own."""
    _, device = make_device()
    signed, one_time, *_ = PreKeyStore(device.keys).publish(device.certificate.created)
    return PreKeyBundle(device.certificate, device.device_list, signed, one_time).encode()


def _flip(offset_from_end: int) -> Callable[[bytes], bytes]:
    def alter(bundle: bytes) -> bytes:
        altered = bytearray(bundle)
        altered[-offset_from_end] ^= 1
        return bytes(altered)

    return alter


def _swap_record(kind: str) -> Callable[[bytes], bytes]:
    def alter(bundle: bytes) -> bytes:
        mine, theirs = PreKeyBundle.decode(foreign_bundle()), PreKeyBundle.decode(bundle)
        signed = mine.signed if kind == "signed" else theirs.signed
        one_time = mine.one_time if kind == "one-time" else theirs.one_time
        return PreKeyBundle(theirs.certificate, theirs.device_list, signed, one_time).encode()

    return alter


def _swap_signature(bundle: bytes) -> bytes:
    mine, theirs = PreKeyBundle.decode(foreign_bundle()), PreKeyBundle.decode(bundle)
    forged = replace(theirs.signed, signature=mine.signed.signature)
    return PreKeyBundle(theirs.certificate, theirs.device_list, forged, theirs.one_time).encode()


_ONE_TIME_KEM_BYTE = 64 + 600  # inside the KEM key, before the signature
_SIGNED_KEM_BYTE = PRE_KEY_BYTES + 1 + 64 + 600


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(_swap_record("signed"), id="b-signed-pre-key"),
        pytest.param(_swap_record("one-time"), id="b-one-time-pre-key"),
        pytest.param(_flip(_SIGNED_KEM_BYTE), id="d-kem-key-of-the-signed-record"),
        pytest.param(_flip(_ONE_TIME_KEM_BYTE), id="d-kem-key-of-the-one-time-record"),
        pytest.param(_swap_signature, id="c-signature-of-another-key"),
        pytest.param(_flip(1), id="c-signature-altered"),
    ],
)
async def test_s01_a_bundle_with_a_wrong_key_is_refused_before_anything_is_sent(
    alter: Callable[[bytes], bytes],
) -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        before = vault_of(odile)
        serve_bundles(liar, alter(await honest_bundle(odile, "sefa")))
        with pytest.raises(RefusedIdentityError, match="identity check failed"):
            await odile.call("sefa")
        assert not liar.asked("/v1/requestSession")
        assert not liar.frames(RELAY)
        assert vault_of(odile) == before
        assert len(await warnings_of(odile)) == 1
        assert is_idle(odile, sefa)
        asked = len(liar.asked("/v1/bundles"))
        await asyncio.sleep(0.1)
        assert len(liar.asked("/v1/bundles")) == asked  # nothing is retried silently
        liar.be_honest()
        one, _two = await connect(odile, sefa)
        await one.hang_up()


async def test_s01_a_bundle_of_the_liars_own_keys_is_a_changed_key_to_a_contact() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        offers = len(liar.asked("/v1/requestSession"))
        serve_bundles(liar, foreign_bundle())
        with pytest.raises(KeyChangedError):
            await odile.call("sefa")
        assert len(liar.asked("/v1/requestSession")) == offers


async def test_s01_at_first_contact_the_liars_keys_never_reach_the_real_person() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        serve_bundles(liar, foreign_bundle())
        with pytest.raises((NotFoundError, NoAnswerError)):
            await odile.call("sefa", timeout=0.3)
        assert not sefa._switchboard.is_busy
        assert odile.contacts == ()  # only a finished handshake pins


@pytest.mark.parametrize("place", ["ephemeral", "kem-key", "kem-ciphertext", "identity", "offer"])
async def test_s01_an_altered_offer_does_not_even_ring(place: str) -> None:
    offsets = {"ephemeral": 60, "kem-key": 700, "kem-ciphertext": 1800, "identity": 2400, "offer": -20}

    def lie(link: Link, frame: bytes) -> list[bytes]:
        if frame[0] != RING:
            return [frame]
        head = 1 + 16 + 2 + int.from_bytes(frame[17:19], "big")
        altered = bytearray(frame)
        offset = offsets[place]
        altered[head + offset if offset > 0 else offset] ^= 1
        return [bytes(altered)]

    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        liar.to_client = lie
        with pytest.raises(NoAnswerError):
            await odile.call("sefa", timeout=0.3)
        assert not sefa._rings._items
        assert is_idle(odile, sefa)
        assert not liar.frames(RELAY)


@pytest.mark.parametrize("garbage", [b"", b"\x00", os.urandom(500), os.urandom(MAX_DEVICE_LIST_BYTES + 4000)])
async def test_s01_garbage_is_refused_too(garbage: bytes) -> None:
    async with scene("odile") as (liar, (odile,)):
        serve_bundles(liar, garbage)
        with pytest.raises(RefusedIdentityError):
            await in_time(odile.call("sefa"))
        await soon(lambda: not liar.asked("/v1/requestSession"))

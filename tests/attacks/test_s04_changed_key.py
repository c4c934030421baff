"""S-04: the server replaces the account key behind a name that someone knows and has verified."""

import asyncio
from pathlib import Path

import pytest
from tests.attacks.scene import (
    RELAY,
    RING,
    events_of,
    honest_bundle,
    scene,
    serve_bundles,
)
from tests.attacks.test_s01_swapped_bundle import foreign_bundle
from tests.e2e.people import connect, next_ring
from tests.liar import Link

from whisp import Client, KeyChanged, KeyChangedError, MemoryVault, NoAnswerError, NotFoundError
from whisp.wire.encoding import lp16
from whisp.wire.prekey import PreKeyBundle


async def test_s04_a_verified_contact_with_another_key_is_refused_until_the_user_decides() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        await odile.mark_verified("sefa")
        rung, relayed = len(liar.asked("/v1/requestSession")), len(liar.frames(RELAY))
        impostor = foreign_bundle()
        serve_bundles(liar, impostor)
        for _ in range(3):
            with pytest.raises(KeyChangedError, match="key of sefa has changed"):
                await odile.call("sefa")
        contact = odile.contact("sefa")
        assert contact is not None
        assert not contact.verified
        assert contact.account == sefa.account_id  # still the one that is known
        assert contact.changed_to == PreKeyBundle.decode(impostor).certificate.account
        assert KeyChanged(sefa.username) in events_of(odile)
        assert len(liar.asked("/v1/requestSession")) == rung
        assert len(liar.frames(RELAY)) == relayed
        await odile.accept_new_key("sefa")
        contact = odile.contact("sefa")
        assert contact is not None
        assert (contact.account, contact.verified, contact.changed_to) == (
            PreKeyBundle.decode(impostor).certificate.account,
            False,
            None,
        )
        with pytest.raises((NotFoundError, NoAnswerError)):  # it goes on now, and rings nobody
            await odile.call("sefa", timeout=0.2)


async def test_s04_a_ring_under_a_known_name_with_another_key_is_not_shown() -> None:
    async with scene("odile", "sefa", "mallory") as (liar, (odile, sefa, mallory)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        await odile.mark_verified("sefa")

        def rename(link: Link, frame: bytes) -> list[bytes]:
            if frame[0] != RING:
                return [frame]
            length = int.from_bytes(frame[17:19], "big")
            return [frame[:17] + lp16(b"sefa") + frame[19 + length :]]

        liar.to_client = rename
        signals = len(liar.seen)
        with pytest.raises(NoAnswerError):
            await mallory.call("odile", timeout=0.3)
        assert KeyChanged(sefa.username) in events_of(odile)
        assert not odile._rings._items
        assert not odile.contacts[0].verified
        answered = [d for way, d, f in liar.seen[signals:] if way == "to_server" and d == odile.device_id]
        assert not answered  # not a word to the impostor


async def test_s04_a_known_account_under_another_name_is_not_shown() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()

        def rename(link: Link, frame: bytes) -> list[bytes]:
            if frame[0] != RING:
                return [frame]
            length = int.from_bytes(frame[17:19], "big")
            return [frame[:17] + lp16(b"stranger") + frame[19 + length :]]

        liar.to_client = rename
        with pytest.raises(NoAnswerError):
            await sefa.call("odile", timeout=0.3)
        assert not odile._rings._items
        assert len(odile.contacts) == 1


async def test_s04_the_removed_mark_survives_a_restart() -> None:
    async with scene("sefa") as (liar, (sefa,)):
        vault = MemoryVault()
        async with Client(liar.origin, vault) as odile:
            await odile.register("odile")
            await odile.login()
            one, _two = await connect(odile, sefa)
            await one.hang_up()
            await odile.mark_verified("sefa")
            serve_bundles(liar, foreign_bundle())
            with pytest.raises(KeyChangedError):
                await odile.call("sefa")
            await asyncio.sleep(0.05)
        async with Client(liar.origin, vault) as odile:
            contact = odile.contact("sefa")
            assert contact is not None
            assert not contact.verified
            assert contact.changed_to is not None


async def test_s04_the_old_key_is_still_welcome(tmp_path: Path) -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        honest = await honest_bundle(odile, "sefa")
        serve_bundles(liar, foreign_bundle())
        with pytest.raises(KeyChangedError):
            await odile.call("sefa")
        liar.be_honest()
        calling = asyncio.create_task(sefa.call("odile"))
        ring = await next_ring(odile)
        assert ring.account == PreKeyBundle.decode(honest).certificate.account
        async with await ring.accept():
            await calling

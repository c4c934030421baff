"""S-03: the server shows a device list from before a revocation."""

from pathlib import Path

import pytest
from tests.attacks.scene import honest_bundle, scene, serve_bundles, warnings_of
from tests.e2e.people import connect, next_of
from tests.liar import lying_server

from whisp import Client, Ended, EndReason, FileVault, RefusedIdentityError, ServerWarning
from whisp.client.vault.sealing import PassphraseCost
from whisp.core.identity import DeviceKeys, issue_certificate, issue_device_list
from whisp.wire.certificate import DeviceKind
from whisp.wire.ids import DeviceId

CHEAP = PassphraseCost(8, 1, 1)


async def test_s03_an_older_list_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    async with lying_server() as liar:
        vault = FileVault.create(tmp_path / "vault", "correct horse", cost=CHEAP)
        async with scene_on(liar.origin, "sefa") as sefa:
            async with Client(liar.origin, vault) as odile:
                await odile.register("odile")
                await odile.login()
                one, _two = await connect(odile, sefa)
                await one.hang_up()
                old = await honest_bundle(odile, "sefa")
                await sefa._list_keeper.renew()
                one, _two = await connect(odile, sefa)
                await one.hang_up()
                pinned = odile.book.pinned(sefa.username)
                assert pinned is not None
                assert pinned.version == 2
                serve_bundles(liar, old)
                with pytest.raises(RefusedIdentityError, match="device list"):
                    await odile.call("sefa")
            vault.forget()
            reopened = FileVault.open(tmp_path / "vault", "correct horse")
            async with Client(liar.origin, reopened) as odile:
                await odile.login()
                remembered = odile.book.pinned(sefa.username)
                assert remembered == pinned
                with pytest.raises(RefusedIdentityError, match="device list"):
                    await odile.call("sefa")
                (warning,) = await warnings_of(odile)
                assert warning.warning is ServerWarning.STALE_DEVICE_LIST
                liar.be_honest()
                one, _two = await connect(odile, sefa)
                await one.hang_up()
            reopened.forget()


def scene_on(origin: str, name: str) -> "_Person":
    return _Person(origin, name)


class _Person:
    def __init__(self, origin: str, name: str) -> None:
        from whisp import MemoryVault

        self._client, self._name = Client(origin, MemoryVault()), name

    async def __aenter__(self) -> Client:
        await self._client.__aenter__()
        await self._client.register(self._name)
        await self._client.login()
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def test_s03_a_callee_shows_the_newer_list_that_the_server_hid() -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        old = await honest_bundle(odile, "sefa")
        await sefa._list_keeper.renew()
        serve_bundles(liar, old)  # odile never saw version 2
        one, _two = await connect(odile, sefa)
        pinned = odile.book.pinned(sefa.username)
        assert pinned is not None
        assert pinned.version == 2  # the callee's answer carried it
        (warning,) = await warnings_of(odile)
        assert warning.warning is ServerWarning.STALE_DEVICE_LIST
        await one.hang_up()


async def test_s03_a_session_with_a_revoked_device_ends_on_sight_of_the_list() -> None:
    async with scene("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        account = sefa._state.known_account
        assert account is not None
        other = DeviceKeys.generate()
        now = sefa.clock.now()
        certificate = issue_certificate(account.key, other.public, DeviceKind.NATIVE, now)
        revoking = issue_device_list(
            account.key,
            (certificate,),
            now,
            account.local.device_list,
            revoke=((DeviceId(account.local.device), 1),),
        )
        two.show_list(revoking)  # as sefa's other device would, by whatever way it comes
        assert (await next_of(one, Ended)).reason is EndReason.REVOKED
        assert (await next_of(two, Ended)).reason is EndReason.REVOKED
        pinned = odile.book.pinned(sefa.username)
        assert pinned is not None
        assert pinned.version == revoking.version


async def test_s03_two_lists_of_one_version_end_the_session_as_forked() -> None:
    async with scene("odile", "sefa") as (_, (odile, sefa)):
        one, two = await connect(odile, sefa)
        two._host.own_list_reported(two, 1, bytes(32))  # odile was shown another version 1
        assert (await next_of(two, Ended)).reason is EndReason.FORKED
        (warning,) = await warnings_of(sefa)
        assert warning.warning is ServerWarning.FORKED_DEVICE_LIST
        await next_of(one, Ended)
        assert odile.conversations == ()

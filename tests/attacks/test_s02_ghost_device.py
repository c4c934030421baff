"""S-02: the server adds a device to someone's list."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from tests.attacks.scene import honest_bundle, scene, serve_bundles, vault_of, warnings_of
from tests.client.pair import make_device
from tests.e2e.people import connect, is_idle, soon

from whisp import RefusedIdentityError, ServerWarning
from whisp.core.identity import DeviceKeys, issue_certificate
from whisp.core.prekeys import PreKeyStore
from whisp.wire.certificate import DeviceKind
from whisp.wire.device_list import ActiveDevice, DeviceList
from whisp.wire.prekey import PreKeyBundle


def ghost_bundles(kind: str, honest: bytes) -> list[bytes]:
    """The honest bundle, and one of a device that its owner never made."""
    genuine = PreKeyBundle.decode(honest)
    liar_key, liar = make_device()
    keys = DeviceKeys.generate()
    certificate = {
        "unsigned": replace(
            genuine.certificate,
            device=keys.device,
            signing_key=keys.public.signing_key,
            agreement_key=keys.public.agreement_key,
        ),
        "certified-by-another": replace(
            issue_certificate(liar_key, keys.public, DeviceKind.NATIVE, genuine.certificate.created),
            account=genuine.certificate.account,
        ),
        "moved-from-another-account": liar.certificate,
    }[kind]
    ghost = ActiveDevice(certificate.device, certificate.digest())
    listed = replace(genuine.device_list, active=(*genuine.device_list.active, ghost))
    records = PreKeyStore(liar.keys if kind.startswith("moved") else keys).publish(certificate.created)
    both = replace(genuine, device_list=listed)
    return [both.encode(), PreKeyBundle(certificate, listed, records[0], records[1]).encode()]


@pytest.mark.parametrize("kind", ["unsigned", "certified-by-another", "moved-from-another-account"])
@pytest.mark.parametrize("known", [False, True])
async def test_s02_a_list_with_a_ghost_is_refused_whole(kind: str, known: bool) -> None:
    async with scene("odile", "sefa") as (liar, (odile, sefa)):
        if known:
            one, _two = await connect(odile, sefa)
            await one.hang_up()
        rung, before = len(liar.asked("/v1/requestSession")), vault_of(odile)
        bundles = ghost_bundles(kind, await honest_bundle(odile, "sefa"))
        serve_bundles(liar, *bundles)
        with pytest.raises(RefusedIdentityError):
            await odile.call("sefa")
        assert len(liar.asked("/v1/requestSession")) == rung  # neither the ghost nor sefa got an offer
        (warning,) = await warnings_of(odile)
        assert warning.warning is ServerWarning.UNSIGNED_DEVICE_LIST
        assert warning.about == "sefa"
        assert vault_of(odile) == before
        assert is_idle(odile, sefa)


@pytest.mark.parametrize("kind", ["unsigned", "certified-by-another", "moved-from-another-account"])
async def test_s02_a_ghost_beside_the_honest_list_is_refused(kind: str) -> None:
    async with scene("odile", "sefa") as (liar, (odile, _sefa)):
        honest = await honest_bundle(odile, "sefa")
        ghost = PreKeyBundle.decode(ghost_bundles(kind, honest)[1])
        hidden = replace(ghost, device_list=PreKeyBundle.decode(honest).device_list)
        serve_bundles(liar, honest, hidden.encode())
        with pytest.raises(RefusedIdentityError):
            await odile.call("sefa")
        assert not liar.asked("/v1/requestSession")


@pytest.mark.parametrize("forgery", ["added-device", "other-account", "next-version"])
async def test_s02_a_client_warns_of_a_list_of_its_own_that_it_did_not_sign(forgery: str) -> None:
    async with scene("sefa") as (liar, (sefa,)):
        own = sefa.local.device_list
        _, other = make_device()
        ghost = ActiveDevice(other.device, other.certificate.digest())
        shown = {
            "added-device": replace(own, active=(*own.active, ghost)),
            "other-account": other.device_list,
            "next-version": replace(
                own, version=2, previous_digest=own.digest(), active=(*own.active, ghost)
            ),
        }[forgery]

        def lie(path: str, request: dict[str, Any], answer: Any) -> Any:
            if path == "/v1/account":
                return {**answer, "deviceList": base64.b64encode(shown.encode()).decode()}
            return answer

        await soon(lambda: not sefa._tasks)
        liar.answer = lie
        await sefa.logout()
        await sefa.login()
        (warning,) = await warnings_of(sefa)
        assert warning.warning is ServerWarning.UNSIGNED_DEVICE_LIST
        assert sefa.local.device_list is own
        assert DeviceList.decode(own.encode()) == own


async def test_s02_an_honest_server_raises_no_warning() -> None:
    async with scene("sefa") as (_, (sefa,)):
        await sefa.logout()
        await sefa.login()
        assert not await warnings_of(sefa)

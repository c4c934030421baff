"""The classical half of the handshake against the x3dh package, an independent implementation of X3DH.

x3dh knows DH1 to DH4 and nothing of KEM, transcript or seals. Its passive side is given the callee's private
keys and what an OFFER shows; it must reach the same four shared secrets, each key meeting the right one.
"""

from typing import Any

import pytest
from tests.core.people import NOW, Person, place, strangers
from x3dh import BaseState, Header
from x3dh.crypto_provider import HashFunction
from x3dh.models import BaseStateModel, IdentityKeyPairModel, SignedPreKeyPairModel
from x3dh.types import IdentityKeyFormat, SecretType

from whisp.core.handshake import callee, caller, receive_offer
from whisp.core.handshake.checks import agree_or_refuse
from whisp.core.key_schedule import expand, extract
from whisp.wire.encoding import tag
from whisp.wire.signals import Offer, decode_signal


class Oracle(BaseState):
    """X3DH with keys as they are, no encoding around them."""

    @staticmethod
    def _encode_public_key(key_format: IdentityKeyFormat, pub: bytes) -> bytes:
        return pub


@pytest.mark.parametrize("one_time", [True, False])
async def test_x3dh_reaches_the_same_secrets(monkeypatch: pytest.MonkeyPatch, one_time: bool) -> None:
    odile, sefa = Person.create(), Person.create()
    secrets: dict[str, list[bytes]] = {"caller": [], "callee": []}

    def recording(side: str) -> Any:
        def agree(*keys: Any) -> bytes:
            secrets[side].append(agree_or_refuse(*keys))
            return secrets[side][-1]

        return agree

    monkeypatch.setattr(caller, "agree_or_refuse", recording("caller"))
    monkeypatch.setattr(callee, "agree_or_refuse", recording("callee"))
    bundle, store = sefa.device.bundle(one_time=one_time), sefa.device.prekeys
    signed = store.signed(bundle.signed.id, NOW).live()[0].private_bytes_raw()
    once = store.one_time(bundle.one_time.id, NOW).live()[0].private_bytes_raw() if bundle.one_time else None
    offer = decode_signal(place(odile, bundle).offer)
    assert isinstance(offer, Offer)
    receive_offer(sefa.local, store, offer.encode(), strangers, NOW)

    identity = sefa.local.keys.agreement.private_bytes_raw()
    model = BaseStateModel(
        identity_key=IdentityKeyPairModel(secret=identity, secret_type=SecretType.PRIV),
        signed_pre_key=SignedPreKeyPairModel(priv=signed, sig=bytes(64), timestamp=NOW),
        old_signed_pre_key=None,
        pre_keys=frozenset([once] if once else []),
    )
    info = tag("x3dh oracle")
    oracle = Oracle.from_model(model, IdentityKeyFormat.CURVE_25519, HashFunction.SHA_256, info)
    header = Header(
        odile.local.certificate.agreement_key,
        offer.ephemeral_key,
        bundle.signed.agreement_key,
        bundle.one_time.agreement_key if bundle.one_time else None,
    )
    reached, _, _ = await oracle.get_shared_secret_passive(header, require_pre_key=one_time)

    for side in ("caller", "callee"):
        *ephemeral, dh1 = secrets[side]
        assert len(ephemeral) == (3 if one_time else 2)
        concatenated = b"\xff" * 32 + dh1 + b"".join(ephemeral)
        assert expand(extract(bytes(32), concatenated), "x3dh oracle", b"", 32) == reached, side

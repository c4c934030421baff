"""TURN credentials: coturn's arithmetic, a username that says nothing, and settings that fit together."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from pydantic import SecretStr

from whisp.server.errors import StartError
from whisp.server.turn.credentials import LIFETIME_SECONDS, TurnRelays
from whisp.wire.ids import CallId, DeviceId

CALL, OTHER_CALL = CallId(b"c" * 16), CallId(b"d" * 16)
DEVICE, OTHER_DEVICE = DeviceId(b"1" * 16), DeviceId(b"2" * 16)
SECRET = "canary-of-the-relay"
NOW = 1_800_000_000.9


class Talking:
    """A table of one accepted call."""

    def is_talking(self, device: DeviceId, call_id: CallId) -> bool:
        """Say whether it is that call."""
        return call_id == CALL and device in (DEVICE, OTHER_DEVICE)


class TalkingAlways:
    """A table in which everybody talks."""

    def is_talking(self, device: DeviceId, call_id: CallId) -> bool:
        """Say yes."""
        return True


def relays(**changes: Any) -> TurnRelays:
    """Return relays of a small host."""
    values: dict[str, Any] = {
        "urls": ["turn:turn.example:3478", "turns:turn.example:5349?transport=tcp"],
        "stun_urls": ["stun:turn.example:3478"],
        "secret": SecretStr(SECRET),
        "clock": lambda: NOW,
    }
    return TurnRelays(**(values | changes))


def test_the_credential_is_what_coturn_computes() -> None:
    given = relays().credentials(DEVICE, CALL, Talking())
    assert given.result == "ok"
    assert given.urls == ["turn:turn.example:3478", "turns:turn.example:5349?transport=tcp"]
    assert given.stun_urls == ["stun:turn.example:3478"]
    assert given.expires_at == 1_800_000_000 + LIFETIME_SECONDS
    assert isinstance(given.username, str)
    mac = hmac.new(SECRET.encode(), given.username.encode(), hashlib.sha1)
    assert given.credential == base64.b64encode(mac.digest()).decode()


def test_s33_the_username_is_an_expiry_and_an_id_that_says_nothing() -> None:
    mine, everybody = relays(), TalkingAlways()

    def name(device: DeviceId, call: CallId, of: TurnRelays = mine) -> str:
        given = of.credentials(device, call, everybody)
        assert isinstance(given.username, str)
        return given.username

    expires, _, opaque = name(DEVICE, CALL).partition(":")
    assert expires == str(1_800_000_000 + LIFETIME_SECONDS)
    assert len(bytes.fromhex(opaque)) == 16
    assert name(DEVICE, CALL) == name(DEVICE, CALL), "a quota counts by it"
    assert len({name(d, c) for d in (DEVICE, OTHER_DEVICE) for c in (CALL, OTHER_CALL)}) == 4
    assert name(DEVICE, CALL, relays()) != name(DEVICE, CALL), "the key of ids is a server's own"
    for known in (DEVICE, CALL):
        assert known.hex() not in opaque
        assert opaque != hashlib.sha256(known).hexdigest()[:32]


def test_whoever_is_in_no_accepted_call_gets_none() -> None:
    refused = relays().credentials(DeviceId(b"3" * 16), CALL, Talking())
    assert (refused.result, refused.username, refused.credential) == ("not_found", *[refused.urls] * 2)
    assert refused == relays().credentials(DEVICE, OTHER_CALL, Talking())


def test_a_host_without_turn_gives_none_to_anybody() -> None:
    given = relays(urls=[], secret=None).credentials(DEVICE, CALL, TalkingAlways())
    assert given.result == "not_found"


@pytest.mark.parametrize(
    "urls",
    [
        ["turn:turn.example"],
        ["turn:192.0.2.1:3478?transport=udp", "turns:turn.example:443?transport=tcp"],
        ["turn:[2001:db8::1]:3478"],
    ],
)
def test_addresses_of_relays_that_can_be_used(urls: list[str]) -> None:
    assert relays(urls=urls).credentials(DEVICE, CALL, Talking()).urls == urls


@pytest.mark.parametrize(
    "changes",
    [
        {"urls": ["stun:turn.example:3478"]},
        {"urls": ["turn:turn.example:3478?transport=sctp"]},
        {"urls": ["turn:user@turn.example"]},
        {"urls": ["turn:turn.example\r\nx"]},
        {"urls": ["https://turn.example"]},
        {"urls": ["turn:"]},
        {"stun_urls": ["turn:turn.example:3478"]},
        {"stun_urls": ["stun:turn.example:3478?transport=udp"]},
        {"urls": []},
        {"secret": None},
        {"secret": SecretStr("short")},
    ],
)
def test_settings_that_do_not_fit_together_are_refused_without_the_secret(changes: dict[str, Any]) -> None:
    with pytest.raises(StartError) as refused:
        relays(**changes)
    assert SECRET not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_repr_shows_no_secret() -> None:
    given = relays().credentials(DEVICE, CALL, Talking())
    for hidden in (given.username, given.credential):
        assert isinstance(hidden, str)
        assert hidden not in repr(given)
    assert SECRET not in repr(relays()) + repr(vars(relays()))

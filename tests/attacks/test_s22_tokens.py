"""S-22: tokens of one algorithm with every claim, challenges for one device and one server, both once."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.server.house import House, Person, house, next_list
from tests.server.signalling.raw_client import ClosedError, RawClient
from tests.server.signalling.scripts import Device

from whisp.server.gate.tokens import Tokens
from whisp.wire import api
from whisp.wire.codes import CloseCode
from whisp.wire.frames import Hello
from whisp.wire.ids import Username
from whisp.wire.version import CURRENT


def b64(data: bytes | dict[str, Any]) -> str:
    """Return a segment of a token."""
    raw = json.dumps(data, separators=(",", ":")).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(key: bytes, claims: Any, header: dict[str, Any] | None = None) -> str:
    """Return a token signed with the server's own key, whatever its header and claims."""
    body = b64(header or {"alg": "HS256", "typ": "JWT"}) + "." + b64(claims)
    return body + "." + b64(hmac.digest(key, body.encode(), "sha256"))


def key_of(rooms: House) -> bytes:
    """Return the server's token key."""
    key: bytes = rooms.application.tokens._key
    return key


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def is_let_in(rooms: House, token: str) -> bool:
    """Try a token at the gate and in a HELLO; both must agree."""
    reply = await (await rooms.dial()).ask("GET", "/v1/account", headers={"Authorization": f"Bearer {token}"})
    assert reply.status in (200, 401)
    if reply.status == 401:
        assert reply.body == b'{"error":"unauthorized","message":"Log in again."}'
    client = await RawClient.dial(rooms.port)
    await client.send(Hello(CURRENT, token).encode())
    try:
        await client.frame()
        code = 0
    except ClosedError as closed:
        code = closed.code
    await client.disconnect()
    assert code in (0, CloseCode.UNAUTHORIZED, CloseCode.REVOKED)
    assert (code == 0) == (reply.status == 200)
    return code == 0


Forgery = Callable[[dict[str, Any], bytes], str]
KEY = Ed25519PrivateKey.generate()

FORGERIES: dict[str, Forgery] = {
    "alg none": lambda claims, key: b64({"alg": "none", "typ": "JWT"}) + "." + b64(claims) + ".",
    "alg None": lambda claims, key: b64({"alg": "None", "typ": "JWT"}) + "." + b64(claims) + ".",
    "alg none, signed": lambda claims, key: signed(key, claims, {"alg": "none"}),
    "no signature": lambda claims, key: signed(key, claims).rpartition(".")[0] + ".",
    "another algorithm, right key": lambda claims, key: jwt.encode(claims, key * 2, "HS512"),
    "EdDSA": lambda claims, key: jwt.encode(claims, KEY, "EdDSA"),
    "EdDSA's public key as a secret": lambda claims, key: signed(KEY.public_key().public_bytes_raw(), claims),
    "no alg": lambda claims, key: signed(key, claims, {"typ": "JWT"}),
    "unknown crit": lambda claims, key: signed(key, claims, {"alg": "HS256", "typ": "JWT", "crit": ["x"]}),
    "known crit": lambda claims, key: signed(key, claims, {"alg": "HS256", "crit": ["b64"], "b64": False}),
    "kid with a path": lambda claims, key: signed(key, claims, {"alg": "HS256", "kid": "../../dev/null"}),
    "embedded key": lambda claims, key: signed(
        b"a" * 32, claims, {"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"a" * 32)}}
    ),
    "jku": lambda claims, key: signed(key, claims, {"alg": "HS256", "jku": "http://127.0.0.1/k"}),
    "another server's key": lambda claims, key: signed(b"k" * 32, claims),
    "an empty key": lambda claims, key: signed(b"", claims),
    "no exp": lambda claims, key: signed(key, without(claims, "exp")),
    "no iat": lambda claims, key: signed(key, without(claims, "iat")),
    "no jti": lambda claims, key: signed(key, without(claims, "jti")),
    "no sub": lambda claims, key: signed(key, without(claims, "sub")),
    "no aud": lambda claims, key: signed(key, without(claims, "aud")),
    "no iss": lambda claims, key: signed(key, without(claims, "iss")),
    "exp as text": lambda claims, key: signed(key, {**claims, "exp": str(claims["exp"])}),
    "exp as a fraction": lambda claims, key: signed(key, {**claims, "exp": claims["exp"] + 0.5}),
    "exp as true": lambda claims, key: signed(key, {**claims, "exp": True}),
    "exp as null": lambda claims, key: signed(key, {**claims, "exp": None}),
    "exp past": lambda claims, key: signed(key, {**claims, "exp": int(time.time()) - 1}),
    "iat in the future": lambda claims, key: signed(key, {**claims, "iat": int(time.time()) + 60}),
    "iat as text": lambda claims, key: signed(key, {**claims, "iat": "0"}),
    "another audience": lambda claims, key: signed(key, {**claims, "aud": "https://evil.example"}),
    "many audiences": lambda claims, key: signed(key, {**claims, "aud": [claims["aud"]]}),
    "another issuer": lambda claims, key: signed(key, {**claims, "iss": "evil"}),
    "a claim more": lambda claims, key: signed(key, {**claims, "admin": True}),
    "sub of nobody": lambda claims, key: signed(key, {**claims, "sub": "00" * 16}),
    "sub too short": lambda claims, key: signed(key, {**claims, "sub": "00"}),
    "sub as a number": lambda claims, key: signed(key, {**claims, "sub": 1}),
    "sub as SQL": lambda claims, key: signed(key, {**claims, "sub": "' OR 1=1 --".ljust(32)}),
    "jti of no form": lambda claims, key: signed(key, {**claims, "jti": "x" * 32}),
    "claims that are a list": lambda claims, key: signed(key, b"[]"),
    "claims that are no JSON": lambda claims, key: signed(key, b"{"),
    "claims beyond depth": lambda claims, key: signed(key, b"[" * 300 + b"]" * 300),
    "two dots more": lambda claims, key: signed(key, claims) + "..",
    "a space": lambda claims, key: " " + signed(key, claims),
    "nothing": lambda claims, key: "",
    "too long": lambda claims, key: signed(key, {**claims, "iss": "w" * 2000}),
}


def without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    """Return claims without one."""
    return {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize("what", FORGERIES)
async def test_s22_no_other_token_is_let_in(what: str) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        key, claims = key_of(rooms), claims_of(odile.token)
        forged = FORGERIES[what](claims, key)
        if len(forged) <= 1024:
            assert not await is_let_in(rooms, forged)
        else:
            reply = await odile.http.ask("GET", "/v1/account", token=forged)
            assert reply.status == 401


async def test_s22_the_forger_of_these_tests_can_make_a_good_one() -> None:
    """Were this not so, the refusals above would prove nothing."""
    async with house() as rooms:
        odile = await rooms.person("odile")
        good = signed(key_of(rooms), claims_of(odile.token))
        assert good == odile.token
        other = signed(key_of(rooms), {**claims_of(odile.token), "jti": "ab" * 16})
        assert await is_let_in(rooms, other)


async def test_s22_a_token_is_for_the_origins_of_its_server() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        foreign = Tokens(key_of(rooms), {"https://staging.example"}, 900, time.time, lambda device: None)  # type: ignore[arg-type,return-value] # never asked
        token = foreign.issue(odile.device.device, "https://staging.example").token
        assert not await is_let_in(rooms, token)


async def test_s22_a_revoked_devices_token_is_dead_at_once() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        tablet = Device(Username("odile"), odile.device.account_key)
        grown = next_list(odile, odile.device.device_list, [odile.device, tablet])
        await odile.ask("PUT", "/v1/deviceList", grown)
        token = await odile.log_in(tablet)
        assert await is_let_in(rooms, token)
        socket = await odile.online(tablet, token)
        shrunk = next_list(odile, grown.device_list, [odile.device], [tablet])
        await odile.ask("PUT", "/v1/deviceList", shrunk)
        assert (await socket.closed(1.0)).code == CloseCode.REVOKED
        assert not await is_let_in(rooms, token)
        assert await is_let_in(rooms, odile.token)


async def test_s22_a_deleted_accounts_token_is_dead_at_once() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        other = await odile.log_in()
        socket = await odile.online()
        await odile.erase()
        assert (await socket.closed(1.0)).code == CloseCode.REVOKED
        assert not await is_let_in(rooms, odile.token)
        assert not await is_let_in(rooms, other)


async def test_s22_a_logged_out_token_is_dead_at_once() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        other = await odile.log_in()
        await odile.ask("POST", "/v1/logout")
        assert not await is_let_in(rooms, odile.token)
        assert await is_let_in(rooms, other)


async def spend(person: Person, request: api.LoginRequest) -> int:
    return (await person.http.ask("POST", "/v1/login", request)).status


async def test_s22_a_challenge_is_answered_once_also_by_many_at_a_time() -> None:
    async with house(rate_factor=10) as rooms:
        odile = await rooms.person("odile")
        request = await odile.log_in_request()
        lines = [await rooms.dial() for _ in range(20)]
        replies = await asyncio.gather(*(line.ask("POST", "/v1/login", request) for line in lines))
        assert sorted(reply.status for reply in replies) == [200] + [401] * 19
        assert await spend(odile, request) == 401


async def test_s22_a_challenge_is_bound_to_device_server_and_purpose() -> None:
    async with house() as rooms, house() as elsewhere:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        theirs = await sefa.challenge()
        assert await spend(odile, await odile.log_in_request(challenge=theirs)) == 401
        # The right challenge, signed for another server that passed it on.
        assert (
            await spend(odile, await odile.log_in_request(origin=f"http://127.0.0.1:{elsewhere.port}")) == 401
        )
        assert await spend(odile, await odile.log_in_request(origin=f"http://localhost:{rooms.port}")) == 401
        # Another server's challenge, signed for this one.
        twin = Person(await elsewhere.dial(), odile.device)
        foreign = await twin.challenge()
        assert await spend(odile, await odile.log_in_request(challenge=foreign)) == 401
        # A registration's signature is no log-in.
        registration = await odile.registration()
        mixed = api.LoginRequest(odile.device.device, registration.challenge, registration.signature)
        assert await spend(odile, mixed) == 401


async def test_s22_two_open_challenges_are_two_log_ins_from_anywhere() -> None:
    """Networks change while people log in: the address is no part of a challenge."""
    async with house() as rooms:
        odile = await rooms.person("odile")
        first, second = await odile.log_in_request(), await odile.log_in_request()
        other = await rooms.dial("127.0.0.5")
        assert (await other.ask("POST", "/v1/login", second)).status == 200
        assert await spend(odile, first) == 200


async def test_s22_a_challenge_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        request = await odile.log_in_request()
        pass_time(monkeypatch, 61)
        assert await spend(odile, request) == 401


async def test_s22_setting_the_clock_back_revives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(token_seconds=10) as rooms:
        odile = await rooms.person("odile")
        request = await odile.log_in_request()
        assert await spend(odile, request) == 200
        for wall in (0, -86_400, 86_400):
            pass_time(monkeypatch, 61, wall)
            assert (await odile.ask("GET", "/v1/account")).status == 401
            assert await spend(odile, request) == 401


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float, wall: float = 0) -> None:
    """Let the server's deadlines come nearer; `wall` is how far somebody moves the system's clock."""
    monotonic, system = time.monotonic() + seconds, time.time() + seconds + wall
    faked = SimpleNamespace(monotonic=lambda: monotonic, time=lambda: system)
    monkeypatch.setattr("whisp.server.clock.time", faked)

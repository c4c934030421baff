"""S-15: whatever is sent as JSON gets the one 400 or is read in the one way, and is never repeated."""

import base64
import os
from typing import Any

import msgspec
import pytest
from tests.server.house import House, Person, Reply, house

from whisp.server.app import OPERATIONS
from whisp.server.operations import Operation
from whisp.wire import api

CANARY = "CNRY-5d81f0"

WITH_BODY = [operation for operation in OPERATIONS if operation.request is not None]


def plausible(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a body of the right types and sizes that names nobody."""
    bodies: dict[Any, dict[str, Any]] = {
        api.UsernameRequest: {"username": "odile"},
        api.ChallengeRequest: {"deviceId": 16},
        api.RegisterRequest: {
            "username": "odile",
            "certificate": 194,
            "deviceList": 100,
            "challenge": 56,
            "signature": 64,
        },
        api.LoginRequest: {"deviceId": 16, "challenge": 56, "signature": 64},
        api.DeleteAccountRequest: {"challenge": 56, "signature": 64},
        api.DeviceListUpdate: {"deviceList": 100, "certificates": []},
        api.DiscoverRequest: {"username": "odile"},
        api.PreKeyBundlesRequest: {"username": "odile"},
        api.SessionRequest: {"fromDeviceId": 16, "toUsername": "odile", "offer": ["QQ=="]},
        api.TurnCredentialsRequest: {"callId": 16},
    }
    return {
        name: base64.b64encode(os.urandom(value)).decode() if isinstance(value, int) else value
        for name, value in bodies[kind].items()
    }


def broken(body: dict[str, Any]) -> dict[str, bytes]:
    """Return bodies that no reader should take."""
    whole = msgspec.json.encode(body)
    name = next(iter(body))
    marked = {**body, "x": CANARY}
    deep = b"[" * 3000 + b"]" * 3000
    tricks: dict[str, bytes] = {
        "nothing": b"",
        "a space": b" ",
        "half": whole[: len(whole) // 2],
        "trailing data": whole + b"x",
        "two values": whole + whole,
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode().encode("utf-16"),
        "NaN": whole[:-1] + b',"x":NaN}',
        "Infinity": whole[:-1] + b',"x":-Infinity}',
        "a comment": whole[:-1] + b"/* */}",
        "a trailing comma": whole[:-1] + b",}",
        "single quotes": whole.replace(b'"', b"'"),
        "a list": b"[" + whole + b"]",
        "a string": msgspec.json.encode(CANARY),
        "null": b"null",
        "a number": b"1e999",
        "a huge number": b"9" * 5000,
        "depth": deep,
        "depth in objects": b'{"a":' * 3000 + b"1" + b"}" * 3000,
        "a missing member": msgspec.json.encode({key: value for key, value in marked.items() if key != name}),
        "a lone surrogate": whole.replace(b'":"', b'":"\\ud800', 1),
        "a raw NUL": whole.replace(b'":"', b'":"\x00', 1),
        "bytes that are not UTF-8": whole.replace(b'":"', b'":"\xff\xfe', 1),
    }
    for member in body:
        wrong: tuple[Any, ...] = (None, True, 1, -1.5, [], {}, [[]], {"a": CANARY})
        for value in (*wrong, 10**400, CANARY * 10_000 if member == "offer" else CANARY * 300):
            if value == body[member]:
                continue
            tricks[f"{member} as {str(value)[:12]}"] = msgspec.json.encode(
                {**marked, member: msgspec.Raw(str(value).encode()) if value == 10**400 else value}
            )
    return tricks


async def ask(person: Person, operation: Operation, body: bytes) -> Reply:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return await person.http.ask(operation.method, operation.path, body, token=person.token, headers=headers)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.path)
async def test_s15_every_trick_gets_the_one_answer(operation: Operation) -> None:
    assert operation.request is not None
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        shapes = {}
        for what, body in broken(plausible(operation.request)).items():
            reply = await ask(odile, operation, body)
            assert reply.status == 400, (what, reply.status)
            assert CANARY.encode() not in reply.body
            shapes[reply.shape] = what
        assert len(shapes) == 1, shapes


async def _outcome(rooms: House, person: Person, operation: Operation, body: bytes) -> tuple[int, str | None]:
    reply = await ask(person, operation, body)
    assert reply.status < 500
    assert CANARY.encode() not in reply.body
    return reply.status, reply.error


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.path)
async def test_s15_what_is_more_than_asked_for_is_ignored_everywhere(operation: Operation) -> None:
    assert operation.request is not None
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        body = plausible(operation.request)
        whole = msgspec.json.encode(body)
        expected = await _outcome(rooms, odile, operation, whole)
        first, other = next(iter(body)), plausible(operation.request)
        for variation in (
            whole[:-1] + b',"unknown":"' + CANARY.encode() + b'"}',
            whole[:-1] + b',"unknown":{"a":[1,2.5e3,null,{"b":""}]}}',
            whole[:-1] + b',"unknown":"\\u0000"}',
            b"{" + msgspec.json.encode({first: other[first]})[1:-1] + b"," + whole[1:],  # the last counts
            b" \n\t" + whole + b" \n",
        ):
            assert await _outcome(rooms, odile, operation, variation) == expected


NAMES = [
    "odi\\u0000le",
    "odile\\u0000",
    "\\ud83d\\ude00",
    "\\u006fdile",
    "o" * 64,
    "",
    " ",
    "..",
    "%00",
    "'--",
]


async def test_s15_odd_names_are_names_that_nobody_has() -> None:
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        nobody = await odile.discover("nobody")
        for name in NAMES:
            body = b'{"username":"' + name.encode() + b'"}'
            reply = await ask(odile, _operation("/v1/discover"), body)
            assert reply.shape == nobody.shape
            check = await ask(odile, _operation("/v1/usernames/check"), body)
            assert check.status == 200


@pytest.mark.parametrize("offer", ["QQ==", "", "QQ", "QQ=", "Q Q=", "-_-_", "QQ==\\n", "QQ==QQ=="])
async def test_s15_base64_is_read_in_one_way(offer: str) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        device = base64.b64encode(odile.device.device).decode()
        body = f'{{"fromDeviceId":"{device}","toUsername":"sefa","offer":["{offer}"]}}'
        assert (await odile.ask("POST", "/v1/requestSession", body)).error == "bad_request"


def _operation(path: str) -> Operation:
    return next(operation for operation in OPERATIONS if operation.path == path)

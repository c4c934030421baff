"""`/v1/turnCredentials` at the whole server: for the two ends of an accepted call, and for nobody else."""

import os
from typing import Any

import pytest
from tests.server.house import House, Person, another_device, house, next_list
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import answer, confirm, hang_up, offer

from whisp.wire import api
from whisp.wire.frames import LineStatus, Signalled
from whisp.wire.ids import CallId

SECRET = "canary-of-the-relay"
TURN: dict[str, Any] = {"turn_urls": ("turn:127.0.0.1:3478",), "turn_secret": SECRET}

NOT_FOUND = b'{"result":"not_found"}'


async def ask(person: Person, call_id: bytes, token: str | None = None) -> bytes:
    """Ask for credentials; return the body of a 200."""
    reply = await person.http.ask(
        "POST", "/v1/turnCredentials", api.TurnCredentialsRequest(call_id), token=token or person.token
    )
    assert reply.status == 200
    assert reply["cache-control"] == "no-store"
    return reply.body


async def ring(caller: Person, near: RawClient, far: RawClient) -> CallId:
    """Ring, and let the callee answer; nobody has confirmed."""
    call_id = CallId(os.urandom(16))
    own, other = near.device.device, far.device.device
    request = api.SessionRequest(own, far.device.username, [offer(call_id, other)])
    await caller.ask("POST", "/v1/requestSession", request)
    await far.frame()
    await far.send(Signalled(own, answer(call_id, other)).encode())
    await near.frame()
    return call_id


async def accept(call_id: CallId, near: RawClient, far: RawClient) -> None:
    """Confirm, and take the routes."""
    await near.send(Signalled(far.device.device, confirm(call_id)).encode())
    for client in (far, far, near):
        await client.frame()


async def pair(rooms: House) -> tuple[Person, Person, RawClient, RawClient]:
    """Return two people who are online."""
    odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
    return odile, sefa, await odile.online(), await sefa.online()


async def test_both_ends_of_an_accepted_call_get_credentials_and_only_while_it_lives() -> None:
    async with house(**TURN) as rooms:
        odile, sefa, near, far = await pair(rooms)
        mallory = await rooms.person("mallory")
        call_id = await ring(odile, near, far)
        assert {await ask(who, call_id) for who in (odile, sefa, mallory)} == {NOT_FOUND}, "a ring is no call"
        await accept(call_id, near, far)
        given = [api.parse(await ask(who, call_id), api.TurnCredentials) for who in (odile, sefa)]
        assert [each.result for each in given] == ["ok", "ok"]
        assert given[0].username != given[1].username
        assert await ask(mallory, call_id) == NOT_FOUND
        assert await ask(odile, os.urandom(16)) == NOT_FOUND
        await far.send(hang_up(call_id))
        assert isinstance(await near.frame(), LineStatus)
        assert {await ask(who, call_id) for who in (odile, sefa)} == {NOT_FOUND}


async def test_a_call_that_is_held_still_has_credentials() -> None:
    async with house(**TURN) as rooms:
        odile, sefa, near, far = await pair(rooms)
        call_id = await ring(odile, near, far)
        await accept(call_id, near, far)
        await far.disconnect()
        assert isinstance(await near.frame(), LineStatus)
        assert {api.parse(await ask(who, call_id), api.TurnCredentials).result for who in (odile, sefa)} == {
            "ok"
        }


async def test_a_device_that_rang_along_and_was_not_chosen_gets_none() -> None:
    async with house(**TURN) as rooms:
        odile, sefa, near, far = await pair(rooms)
        tablet = another_device(sefa)
        update = next_list(sefa, sefa.device.device_list, (sefa.device, tablet))
        assert (await sefa.ask("PUT", "/v1/deviceList", update)).as_(api.Done)
        token = await sefa.log_in(tablet)
        third = await sefa.online(tablet, token)
        call_id = CallId(os.urandom(16))
        offers = [offer(call_id, each.device.device) for each in (far, third)]
        await odile.ask("POST", "/v1/requestSession", api.SessionRequest(near.device.device, "sefa", offers))
        await far.frame()
        await third.frame()
        await far.send(Signalled(near.device.device, answer(call_id, far.device.device)).encode())
        await near.frame()
        await accept(call_id, near, far)
        assert await ask(sefa, call_id, token) == NOT_FOUND
        assert api.parse(await ask(sefa, call_id), api.TurnCredentials).result == "ok"


async def test_s22_a_revoked_device_gets_no_more_credentials() -> None:
    async with house(**TURN) as rooms:
        odile, sefa, near, far = await pair(rooms)
        call_id = await ring(odile, near, far)
        await accept(call_id, near, far)
        tablet = another_device(sefa)
        update = next_list(sefa, sefa.device.device_list, (tablet,), (sefa.device,))
        assert (await sefa.ask("PUT", "/v1/deviceList", update)).as_(api.Done)
        assert isinstance(await near.frame(), LineStatus)
        assert await ask(odile, call_id) == NOT_FOUND
        refused = await sefa.ask("POST", "/v1/turnCredentials", api.TurnCredentialsRequest(call_id))
        assert refused.error == "unauthorized"


async def test_without_turn_every_answer_is_the_same() -> None:
    async with house() as rooms:
        odile, _, near, far = await pair(rooms)
        call_id = await ring(odile, near, far)
        await accept(call_id, near, far)
        assert await ask(odile, call_id) == NOT_FOUND


async def test_asking_is_limited_and_needs_a_token() -> None:
    async with house(**TURN) as rooms:
        odile = await rooms.person("odile")
        request = api.TurnCredentialsRequest(bytes(16))
        assert (await odile.http.ask("POST", "/v1/turnCredentials", request)).error == "unauthorized"
        statuses = [(await odile.ask("POST", "/v1/turnCredentials", request)).status for _ in range(25)]
        assert statuses == [200] * 20 + [429] * 5


async def test_credentials_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with house(**TURN) as rooms:
        odile, _, near, far = await pair(rooms)
        call_id = await ring(odile, near, far)
        await accept(call_id, near, far)
        given = api.parse(await ask(odile, call_id), api.TurnCredentials)
    assert isinstance(given.username, str)
    assert isinstance(given.credential, str)
    for hidden in (SECRET, given.username, given.username.partition(":")[2], given.credential):
        assert hidden not in caplog.text

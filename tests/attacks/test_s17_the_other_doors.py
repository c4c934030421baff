"""S-17: what discover does not tell, no other door tells either."""

import os

from tests.attacks.test_s16_discovery_oracle import NOBODY, unreachable
from tests.server.house import Person, Reply, house
from tests.server.signalling.scripts import Device, offer

from whisp.wire import api
from whisp.wire.ids import CallId, DeviceId, Username


async def ring(person: Person, name: str, device: DeviceId) -> Reply:
    """Ring a name with an OFFER that is well formed."""
    request = api.SessionRequest(person.device.device, name, [offer(CallId(os.urandom(16)), device)])
    return await person.ask("POST", "/v1/requestSession", request)


async def test_s17_bundles_and_rings_answer_every_unreachable_name_alike() -> None:
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        names = await unreachable(rooms)
        known = await rooms.person("known-device")
        expected_bundles = (await odile.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest(NOBODY))).shape
        expected_ring = (await ring(odile, NOBODY, DeviceId(os.urandom(16)))).shape
        assert (expected_bundles[2], expected_ring[2]) == (b'{"result":"not_found"}',) * 2
        for what, name in names.items():
            bundles = await odile.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest(name))
            assert bundles.shape == expected_bundles, what
            for device in (DeviceId(os.urandom(16)), known.device.device, odile.device.device):
                assert (await ring(odile, name, device)).shape == expected_ring, what


async def test_s17_ringing_a_device_that_is_not_the_names_is_no_answer_either() -> None:
    async with house(rate_factor=1000) as rooms:
        odile, sefa, nils = [await rooms.person(name) for name in ("odile", "sefa", "nils")]
        await sefa.online()
        await nils.online()
        expected = (await ring(odile, NOBODY, sefa.device.device)).shape
        for name, device in (
            ("sefa", nils.device.device),
            ("nils", sefa.device.device),
            ("sefa", DeviceId(bytes(16))),
        ):
            assert (await ring(odile, name, device)).shape == expected
        assert (await ring(odile, "sefa", sefa.device.device)).body == b'{"result":"delivered"}'


async def test_s17_a_malformed_offer_is_told_before_the_name_is_looked_at() -> None:
    async with house(rate_factor=1000) as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        await sefa.online()
        good = offer(CallId(os.urandom(16)), sefa.device.device)
        for offers in ([b"x"], [good, good], [good, b""], [good[:-1]], [b"\x02" + good[1:]]):
            shapes = set()
            for name in ("sefa", NOBODY, "no body"):
                request = api.SessionRequest(odile.device.device, name, offers)
                shapes.add((await odile.ask("POST", "/v1/requestSession", request)).shape)
            assert [shape[0] for shape in shapes] == [400]


async def test_s17_the_availability_check_says_one_thing_of_all_names_that_cannot_be_claimed() -> None:
    async with house(rate_factor=1000) as rooms:
        await unreachable(rooms)
        online = await rooms.person("online")
        await online.online()
        http = await rooms.dial()
        shapes = {
            (await http.ask("POST", "/v1/usernames/check", api.UsernameRequest(name))).shape
            for name in ("offline", "online", "ONLINE", "erased", "revoked", "admin", "deleted-x", "no body")
        }
        assert [shape[2] for shape in shapes] == [b'{"available":false}']


async def test_s17_registering_says_one_thing_of_all_names_that_are_spoken_for() -> None:
    async with house(rate_factor=1000) as rooms:
        await unreachable(rooms)
        shapes = set()
        for name in ("offline", "erased", "revoked", "admin", "deleted-123"):
            thief = await rooms.stranger(name)
            shapes.add((await thief.http.ask("POST", "/v1/accounts", await thief.registration())).shape)
        assert [shape[0] for shape in shapes] == [409]


async def test_s17_challenges_and_log_ins_do_not_tell_whether_a_device_exists() -> None:
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        erased = await rooms.person("erased")
        await erased.erase()
        stranger = Device(Username("stranger"))
        answers = []
        for device in (odile.device, erased.device, stranger):
            challenge = await odile.http.ask("POST", "/v1/challenge", api.ChallengeRequest(device.device))
            assert challenge.status == 200
            assert len(challenge.as_(api.Challenge).challenge) == 56
            forged = api.LoginRequest(device.device, challenge.as_(api.Challenge).challenge, os.urandom(64))
            answers.append((await odile.http.ask("POST", "/v1/login", forged)).shape)
        assert len(set(answers)) == 1


async def test_s17_turn_credentials_do_not_tell_whether_a_call_exists() -> None:
    turn = {"turn_urls": ("turn:127.0.0.1:3478",), "turn_secret": "shared-by-the-test"}
    async with house(rate_factor=1000, **turn) as rooms:
        odile, sefa, nils = [await rooms.person(name) for name in ("odile", "sefa", "nils")]
        await sefa.online()
        ringing = CallId(os.urandom(16))
        rung = api.SessionRequest(odile.device.device, "sefa", [offer(ringing, sefa.device.device)])
        assert (await odile.ask("POST", "/v1/requestSession", rung)).body == b'{"result":"delivered"}'
        shapes = {
            (await person.ask("POST", "/v1/turnCredentials", api.TurnCredentialsRequest(call))).shape
            for person in (odile, sefa, nils)
            for call in (ringing, CallId(os.urandom(16)), CallId(bytes(16)))
        }
        assert [shape[2] for shape in shapes] == [b'{"result":"not_found"}']


async def test_s17_there_are_no_further_doors() -> None:
    """A new call that takes a name belongs into this file; so does the count."""
    async with house() as rooms:
        document = (await (await rooms.dial()).ask("GET", "/openapi.json")).body
        assert document.count(b'"operationId"') == 17

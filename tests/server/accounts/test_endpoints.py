"""Accounts over HTTP: the ways in, the ways out, and every way that is barred."""

import asyncio

import msgspec
import pytest
from tests.server.house import Http, Person, another_device, house, next_list
from tests.server.signalling.scripts import Device

from whisp.wire import api
from whisp.wire.codes import CloseCode
from whisp.wire.device_list import DeviceList
from whisp.wire.ids import DeviceId, Username
from whisp.wire.signing import sign


async def _is_available(http: Http, name: str) -> bool:
    reply = await http.ask("POST", "/v1/usernames/check", api.UsernameRequest(name))
    return reply.as_(api.Availability).available


async def test_a_name_is_claimed_and_its_account_shows_what_is_stored() -> None:
    async with house() as rooms:
        odile = await rooms.stranger("odile")
        assert await _is_available(odile.http, "Odile")
        await odile.register()
        assert not await _is_available(odile.http, "Odile")
        own = (await odile.ask("GET", "/v1/account")).as_(api.Account)
        assert own == api.Account("odile", odile.device.device_list, [odile.device.certificate])


async def test_registering_again_for_what_one_has_is_a_log_in() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        again = await odile.http.ask("POST", "/v1/accounts", await odile.registration())
        assert again.as_(api.SessionToken).token != odile.token


async def test_registering_under_a_second_name_is_a_conflict() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        other = await odile.http.ask("POST", "/v1/accounts", await odile.registration("odile-too"))
        assert (other.status, other.error) == (409, "conflict")
        assert await _is_available(odile.http, "odile-too")


async def test_a_device_id_in_use_is_a_conflict_and_leaves_the_name_free() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        thief = Person(await rooms.dial(), Device(Username("thief"), device=odile.device.device))
        reply = await thief.http.ask("POST", "/v1/accounts", await thief.registration())
        assert (reply.status, reply.error) == (409, "conflict")
        assert await _is_available(thief.http, "thief")


@pytest.mark.parametrize("name", ["admin", "deleted-0123456789ab", "xn--nxasmq6b"])
async def test_reserved_names_are_taken(name: str) -> None:
    async with house() as rooms:
        odile = await rooms.stranger(name)
        reply = await odile.http.ask("POST", "/v1/accounts", await odile.registration())
        assert (reply.status, reply.error) == (409, "username_taken")


async def test_an_impossible_name_is_told_apart_only_when_it_is_claimed() -> None:
    async with house() as rooms:
        odile = await rooms.stranger("no spaces")
        reply = await odile.http.ask("POST", "/v1/accounts", await odile.registration())
        assert (reply.status, reply.error) == (400, "bad_username")
        assert not await _is_available(odile.http, "no spaces")


async def test_of_many_who_claim_a_name_at_once_one_gets_it() -> None:
    async with house(rate_factor=10) as rooms:
        people = [await rooms.stranger("odile") for _ in range(12)]
        requests = [await person.registration() for person in people]
        replies = await asyncio.gather(
            *(
                person.http.ask("POST", "/v1/accounts", request)
                for person, request in zip(people, requests, strict=True)
            )
        )
        assert sorted(reply.status for reply in replies) == [201] + [409] * 11
        assert {reply.error for reply in replies} == {None, "username_taken"}


async def test_a_registration_must_hold_in_every_part() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.stranger("odile"), await rooms.stranger("sefa")
        good = await odile.registration()
        other_list = Device(Username("odile"), odile.device.account_key).device_list
        bad = {
            "username": ("odile-too", 401),
            "certificate": (sefa.device.certificate, 401),
            "device_list": (sefa.device.device_list, 401),
            "challenge": (await sefa.challenge(), 401),
            "signature": (bytes(64), 401),
        }
        for name, (value, status) in bad.items():
            request = msgspec.structs.replace(good, **{name: value})
            assert (await odile.http.ask("POST", "/v1/accounts", request)).status == status, name
        # Signed by the right device, and still a list that does not name it.
        odile.device.device_list = other_list
        reply = await odile.http.ask("POST", "/v1/accounts", await odile.registration())
        assert (reply.status, reply.error) == (400, "bad_request")


async def test_a_log_in_needs_the_devices_key_and_a_known_device() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.stranger("sefa")
        request = await odile.log_in_request()
        forged = api.LoginRequest(request.device_id, request.challenge, bytes(64))
        unknown = await sefa.log_in_request()
        answers = [await odile.http.ask("POST", "/v1/login", each) for each in (forged, unknown)]
        assert {(reply.status, reply.error) for reply in answers} == {(401, "unauthorized")}
        assert answers[0].shape == answers[1].shape
        assert (await odile.http.ask("POST", "/v1/login", request)).status == 200  # still unspent


async def test_a_renewed_token_works_beside_the_old_one() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        fresh = (await odile.ask("POST", "/v1/token/renew")).as_(api.SessionToken).token
        for token in (odile.token, fresh):
            assert (await odile.http.ask("GET", "/v1/account", token=token)).status == 200


async def test_logging_out_ends_the_token_and_the_socket_and_nothing_else() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        other = await odile.log_in()
        socket = await odile.online()
        assert (await odile.ask("POST", "/v1/logout")).status == 200
        assert (await socket.closed()).code == CloseCode.UNAUTHORIZED
        assert (await odile.ask("GET", "/v1/account")).error == "unauthorized"
        assert (await odile.http.ask("GET", "/v1/account", token=other)).status == 200


async def test_the_device_list_grows_and_a_new_device_logs_in() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        tablet = another_device(odile)
        assert (await odile.http.ask("POST", "/v1/login", await odile.log_in_request(tablet))).status == 401
        update = next_list(odile, odile.device.device_list, [odile.device, tablet])
        for _ in range(2):  # the answer to the first may get lost
            assert (await odile.ask("PUT", "/v1/deviceList", update)).status == 200
        token = await odile.log_in(tablet)
        own = (await odile.http.ask("GET", "/v1/account", token=token)).as_(api.Account)
        assert own.device_list == update.device_list
        assert sorted(own.certificates) == sorted([odile.device.certificate, tablet.certificate])


async def test_a_revoked_device_loses_token_and_socket_at_once() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        tablet = another_device(odile)
        grown = next_list(odile, odile.device.device_list, [odile.device, tablet])
        await odile.ask("PUT", "/v1/deviceList", grown)
        token = await odile.log_in(tablet)
        http = await rooms.dial()
        assert (await http.ask("GET", "/v1/account", token=token)).status == 200
        socket = await odile.online(tablet, token)
        shrunk = next_list(odile, grown.device_list, [odile.device], [tablet])
        assert (await odile.ask("PUT", "/v1/deviceList", shrunk)).status == 200
        assert (await socket.closed(1.0)).code == CloseCode.REVOKED
        assert (await http.ask("GET", "/v1/account", token=token)).error == "unauthorized"
        assert (await http.ask("POST", "/v1/login", await odile.log_in_request(tablet))).status == 401
        back = next_list(odile, shrunk.device_list, [odile.device, tablet], revoked=())
        assert (await odile.ask("PUT", "/v1/deviceList", back)).status == 400


async def test_bundles_show_the_new_list_from_the_moment_it_is_stored() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        await sefa.online()
        update = next_list(sefa, sefa.device.device_list, [sefa.device])
        await sefa.ask("PUT", "/v1/deviceList", update)
        reply = await odile.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest("sefa"))
        bundles = reply.as_(api.PreKeyBundles).bundles
        assert bundles
        assert [update.device_list in bundle for bundle in bundles] == [True]


async def test_a_list_that_does_not_follow_is_refused_and_changes_nothing() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        second = next_list(odile, odile.device.device_list, [odile.device])
        assert (await odile.ask("PUT", "/v1/deviceList", second)).status == 200
        current = second.device_list
        tablet = another_device(odile)
        only = [odile.device]
        version = DeviceList.decode(current).version
        refused = {
            "too far on": (next_list(odile, current, only, version=version + 2), 409),
            "not on": (next_list(odile, current, only, version=version), 409),
            "another branch": (next_list(odile, current, only, previous_digest=bytes([1] * 32)), 409),
            "forged": (next_list(odile, current, only, key=sefa.device.account_key), 400),
            "another account's": (next_list(sefa, sefa.device.device_list, [sefa.device]), 400),
            "a device dropped without a tombstone": (next_list(odile, current, [tablet]), 400),
            "nobody left": (next_list(odile, current, [], [odile.device]), 400),
            "expired": (next_list(odile, current, only, issued=1, expires=2), 400),
            "certificates missing": (
                api.DeviceListUpdate(next_list(odile, current, [odile.device, tablet]).device_list, []),
                400,
            ),
            "a certificate too many": (
                api.DeviceListUpdate(
                    next_list(odile, current, only).device_list,
                    [odile.device.certificate, tablet.certificate],
                ),
                400,
            ),
        }
        for what, (update, status) in refused.items():
            assert (await odile.ask("PUT", "/v1/deviceList", update)).status == status, what
        assert (await odile.ask("GET", "/v1/account")).as_(api.Account).device_list == current


async def test_an_erased_account_is_gone_and_its_name_stays_taken() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        socket = await odile.online()
        assert (await sefa.discover("odile")).as_(api.DiscoverOutcome).online
        await odile.erase()
        assert (await socket.closed(1.0)).code == CloseCode.REVOKED
        assert (await sefa.discover("odile")).as_(api.DiscoverOutcome).result == "not_found"
        assert (await odile.ask("GET", "/v1/account")).error == "unauthorized"
        assert (await odile.http.ask("POST", "/v1/login", await odile.log_in_request())).status == 401
        heir = await rooms.stranger("odile")
        reply = await heir.http.ask("POST", "/v1/accounts", await heir.registration())
        assert (reply.status, reply.error) == (409, "username_taken")


async def test_the_same_key_may_begin_anew_under_another_name() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        await odile.erase()
        reply = await odile.http.ask("POST", "/v1/accounts", await odile.registration("odile-anew"))
        assert reply.status == 201


async def test_erasing_needs_the_account_key() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        for key in (odile.device.signing_key, sefa.device.account_key):
            reply = await odile.ask("DELETE", "/v1/account", await odile.deletion(key))
            assert (reply.status, reply.error) == (401, "unauthorized")
        mismatched = await sefa.deletion()  # a challenge of another device
        assert (await odile.ask("DELETE", "/v1/account", mismatched)).status == 401
        assert (await odile.ask("GET", "/v1/account")).status == 200


async def test_a_session_request_must_come_from_the_tokens_own_device() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        foreign = [sefa.device.device, DeviceId(bytes(16))]
        replies = [
            await odile.ask("POST", "/v1/requestSession", api.SessionRequest(device, "sefa", [b"x"]))
            for device in foreign
        ]
        assert {(reply.status, reply.error) for reply in replies} == {(403, "forbidden")}
        assert replies[0].shape == replies[1].shape


async def test_a_challenge_is_for_one_device_and_signing_it_for_another_purpose_is_nothing() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        challenge = await odile.challenge()
        request = await odile.log_in_request(challenge=challenge)
        mixed = api.LoginRequest(
            request.device_id, challenge, sign(odile.device.signing_key, "register", challenge)
        )
        assert (await odile.http.ask("POST", "/v1/login", mixed)).status == 401


async def test_a_second_connection_needs_nothing_of_the_first() -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        other: Http = await rooms.dial()
        assert (await other.ask("GET", "/v1/account", token=odile.token)).status == 200

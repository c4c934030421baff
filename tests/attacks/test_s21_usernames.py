"""S-21: one canonical form at every door; what merely looks like a name is none."""

import pytest
from tests.server.house import House, Person, house

from whisp.wire import api

LOOK_ALIKES = {
    "dotted capital I": "ad\u0130",
    "Kelvin sign": "nil\u212a",
    "capital sharp s": "stra\u1e9ee",
    "sharp s": "stra\u00dfe",
    "composed": "ren\u00e9e",
    "decomposed": "rene\u0301e",
    "full width": "\uff4f\uff44\uff49\uff4c\uff45",
    "superscript": "odile\u00b2",
    "Cyrillic": "\u043edile",
    "Greek": "\u03bfdile",
    "zero width": "od\u200bile",
    "joiner": "od\u200dile",
    "right to left": "\u202eelido",
    "soft hyphen": "od\u00adile",
    "ligature": "\ufb01nn",
    "Arabic digits": "odile\u0661",
    "leading dot": ".odile",
    "trailing dot": "odile.",
    "leading space": " odile",
    "trailing space": "odile ",
    "new line": "odile\n",
    "NUL": "odile\u0000",
    "leading hyphen": "-odile",
    "trailing hyphen": "odile-",
    "underscore": "od_ile",
    "too short": "od",
    "too long": "o" * 33,
    "empty": "",
    "path": "../odile",
    "markup": "<b>odile</b>",
    "percent": "%6fdile",
}


async def is_available(rooms: House, name: str) -> bool:
    reply = await (await rooms.dial()).ask("POST", "/v1/usernames/check", api.UsernameRequest(name))
    return reply.as_(api.Availability).available


async def test_s21_no_look_alike_passes_any_door() -> None:
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        await odile.online()
        nobody = (await odile.discover("nobody")).shape
        for what, name in LOOK_ALIKES.items():
            assert not await is_available(rooms, name), what
            assert (await odile.discover(name)).shape == nobody, what
            impostor = await rooms.stranger("stand-in")
            request = await impostor.registration()
            reply = await impostor.http.ask(
                "POST",
                "/v1/accounts",
                api.RegisterRequest(
                    name, request.certificate, request.device_list, request.challenge, request.signature
                ),
            )
            assert (reply.status, reply.error) == (400, "bad_username"), what


@pytest.mark.parametrize("spelled", ["ODILE", "Odile", "oDiLe"])
async def test_s21_letter_case_is_the_same_name_at_every_door(spelled: str) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        await odile.online()
        sefa = await rooms.person("sefa")
        assert not await is_available(rooms, spelled)
        thief = await rooms.stranger(spelled.lower())
        reply = await thief.http.ask("POST", "/v1/accounts", await thief.registration(spelled))
        assert (reply.status, reply.error) == (409, "username_taken")
        assert (await sefa.discover(spelled)).as_(api.DiscoverOutcome).online
        bundles = await sefa.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest(spelled))
        assert bundles.as_(api.PreKeyBundles).result == "ok"


async def test_s21_a_name_is_stored_as_it_is_compared() -> None:
    async with house() as rooms:
        odile = await rooms.stranger("odile")
        reply = await odile.http.ask("POST", "/v1/accounts", await odile.registration("ODILE"))
        assert reply.status == 201
        odile.token = reply.as_(api.SessionToken).token
        assert (await odile.ask("GET", "/v1/account")).as_(api.Account).username == "odile"


async def refused(person: Person) -> str | None:
    return (await person.http.ask("POST", "/v1/accounts", await person.registration())).error


async def test_s21_reserved_and_erased_names_cannot_be_claimed() -> None:
    async with house(rate_factor=100) as rooms:
        erased = await rooms.person("erased")
        await erased.erase()
        for name in ("admin", "support", "whisp", "deleted-0123456789", "xn--odile-abc", "erased"):
            assert not await is_available(rooms, name)
            assert await refused(await rooms.stranger(name)) == "username_taken"

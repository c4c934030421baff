"""S-18: limits hold against forged addresses, many addresses and bursts, and say nothing of the target."""

import asyncio
from typing import Any

import pytest
from tests.server.house import House, Person, Reply, another_device, house, next_list

from whisp.server import rates
from whisp.server.app import OPERATIONS
from whisp.wire import api

ZEROS = "AAAAAAAAAAAAAAAAAAAAAA=="

FACTOR = 0.05
"""The limits of these tests: a twentieth of the real ones."""

LOOK_UPS = 6
LOOK_UPS_PER_ADDRESS = 60


def test_s18_every_call_that_costs_or_tells_something_has_a_limit() -> None:
    free = {operation.path for operation in OPERATIONS if operation.allowance is None}
    assert free == {"/v1/server", "/openapi.json", "/healthz", "/readyz"}
    assert round(rates.LOOK_UPS.per_address.burst * FACTOR) == LOOK_UPS_PER_ADDRESS
    device = rates.LOOK_UPS.per_device
    assert device is not None
    assert round(device.burst * FACTOR) == LOOK_UPS


async def passed(replies: list[Reply]) -> int:
    """Say how many were answered; check how the others were refused."""
    for reply in replies:
        if reply.status != 200:
            assert (reply.status, reply.error) == (429, "too_many_requests")
            assert 1 <= int(reply["retry-after"] or 0) < 120
    return sum(reply.status == 200 for reply in replies)


async def test_s18_a_device_gets_exactly_what_it_is_allowed() -> None:
    async with house(rate_factor=FACTOR) as rooms:
        odile = await rooms.person("odile")
        assert await passed([await odile.discover("sefa") for _ in range(30)]) == LOOK_UPS


async def test_s18_a_burst_over_many_connections_gets_no_more() -> None:
    async with house(rate_factor=FACTOR) as rooms:
        odile = await rooms.person("odile")
        lines = [await rooms.dial() for _ in range(50)]
        body = {"username": "sefa"}
        replies = await asyncio.gather(
            *(line.ask("POST", "/v1/discover", body, token=odile.token) for line in lines)
        )
        assert await passed(list(replies)) == LOOK_UPS


async def test_s18_the_answer_at_the_limit_does_not_depend_on_the_name() -> None:
    async with house(rate_factor=FACTOR) as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        await sefa.online()
        for _ in range(LOOK_UPS):
            await odile.discover("x")
        shapes = {(await odile.discover(name)).shape for name in ("sefa", "nobody", "no body", "")}
        assert [shape[0] for shape in shapes] == [429]
        malformed = await odile.ask("POST", "/v1/discover", b"{")
        assert malformed.shape in shapes


FORGED: list[dict[str, str]] = [
    {"X-Forwarded-For": "198.51.100.%d"},
    {"X-Forwarded-For": "198.51.100.%d, 203.0.113.%d"},
    {"X-Real-IP": "198.51.100.%d"},
    {"Forwarded": "for=198.51.100.%d"},
    {"CF-Connecting-IP": "198.51.100.%d"},
    {"True-Client-IP": "198.51.100.%d"},
    {"X-Forwarded-For": "::ffff:198.51.100.%d"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": ""},
]


def fill(headers: dict[str, str], number: int) -> dict[str, str]:
    """Return another forgery for each number."""
    return {name: value.replace("%d", str(number % 250)) for name, value in headers.items()}


@pytest.mark.parametrize("headers", FORGED, ids=str)
async def test_s18_a_client_cannot_choose_its_address(headers: dict[str, str]) -> None:
    async with house(rate_factor=FACTOR) as rooms:
        http = await rooms.dial()
        replies = [
            await http.ask(
                "POST", "/v1/usernames/check", {"username": "odile"}, headers=fill(headers, number)
            )
            for number in range(20)
        ]
        assert await passed(replies) == 3  # a twentieth of 60


@pytest.mark.parametrize("headers", FORGED[2:6], ids=str)
async def test_s18_behind_a_proxy_only_its_own_header_counts(headers: dict[str, str]) -> None:
    async with house(rate_factor=FACTOR, trusted_proxies="127.0.0.0/8") as rooms:
        http = await rooms.dial()
        replies = [
            await http.ask(
                "POST",
                "/v1/usernames/check",
                {"username": "odile"},
                headers={**fill(headers, number), "X-Forwarded-For": f"192.0.2.{number}, 198.51.100.1"},
            )
            for number in range(20)
        ]
        assert await passed(replies) == 3


async def test_s18_behind_a_proxy_clients_do_not_share() -> None:
    async with house(rate_factor=FACTOR, trusted_proxies="127.0.0.1") as rooms:
        http = await rooms.dial()
        replies = [
            await http.ask(
                "POST",
                "/v1/usernames/check",
                {"username": "odile"},
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
            )
            for number in range(20)
        ]
        assert await passed(replies) == 20


@pytest.mark.parametrize(("prefix", "allowed"), [("2001:db8:0:1::%x", 3), ("2001:db8:0:%x::1", 3 * 8)])
async def test_s18_an_ipv6_network_is_one_client(prefix: str, allowed: int) -> None:
    async with house(rate_factor=FACTOR, trusted_proxies="127.0.0.1") as rooms:
        http = await rooms.dial()
        replies = [
            await http.ask(
                "POST",
                "/v1/usernames/check",
                {"username": "odile"},
                headers={"X-Forwarded-For": prefix % number},
            )
            for number in range(100)
        ]
        assert await passed(replies) == allowed


async def household(rooms: House) -> list[Person]:
    """Return twelve devices of one account."""
    odile = await rooms.person("odile")
    devices = [odile.device, *(another_device(odile) for _ in range(11))]
    update = next_list(odile, odile.device.device_list, devices)
    assert (await odile.ask("PUT", "/v1/deviceList", update)).status == 200
    people = [odile]
    for device in devices[1:]:
        person = Person(await rooms.dial(), device)
        person.token = rooms.application.tokens.issue(device.device, person.origin).token
        people.append(person)
    return people


async def test_s18_twelve_devices_get_no_more_than_their_address() -> None:
    async with house(rate_factor=FACTOR) as rooms:
        people = await household(rooms)
        replies = [await person.discover("x") for _ in range(LOOK_UPS) for person in people]
        assert await passed(replies) == LOOK_UPS_PER_ADDRESS


@pytest.mark.parametrize(
    ("path", "body", "burst"),
    [
        ("/v1/discover", {"username": "x"}, 120),
        ("/v1/bundles", {"username": "x"}, 30),
        ("/v1/requestSession", {"fromDeviceId": ZEROS, "toUsername": "x", "offer": ["AA=="]}, 20),
        ("/v1/token/renew", None, 60),
    ],
)  # fmt: skip
async def test_s18_the_real_limits_of_a_device(path: str, body: Any, burst: int) -> None:
    async with house() as rooms:
        odile = await rooms.person("odile")
        statuses = [(await odile.ask("POST", path, body)).status for _ in range(burst + 20)]
        refused = statuses.count(429)
        assert statuses[:burst].count(429) == 0
        assert 15 <= refused <= 20  # a turn or two come back meanwhile


@pytest.mark.parametrize(
    ("path", "body", "burst"),
    [
        ("/v1/usernames/check", {"username": "x"}, 60),
        ("/v1/challenge", {"deviceId": ZEROS}, 120),
        ("/v1/login", {}, 120),
        ("/v1/accounts", {}, 60),
    ],
)
async def test_s18_the_real_limits_of_an_address(path: str, body: Any, burst: int) -> None:
    async with house() as rooms:
        http = await rooms.dial()
        statuses = [(await http.ask("POST", path, body)).status for _ in range(burst + 20)]
        assert statuses[:burst].count(429) == 0
        assert 12 <= statuses.count(429) <= 20
        other = await rooms.dial("127.0.0.2")
        assert (await other.ask("POST", path, body)).status != 429


async def test_s18_failed_log_ins_of_others_lock_nobody_out() -> None:
    async with house(rate_factor=FACTOR) as rooms:
        odile = await rooms.person("odile")
        attacker = await rooms.dial("127.0.0.3")
        for _ in range(50):
            await attacker.ask("POST", "/v1/challenge", api.ChallengeRequest(odile.device.device))
            await attacker.ask(
                "POST", "/v1/login", api.LoginRequest(odile.device.device, bytes(56), bytes(64))
            )
        assert await odile.log_in()

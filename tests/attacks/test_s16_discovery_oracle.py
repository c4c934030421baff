"""S-16: in default mode nobody can tell a name that is offline from one that is not there."""

import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import pytest
from tests.server.house import House, Person, house, next_list

from whisp.wire import api
from whisp.wire.codes import CloseCode

NOBODY = "nobody"
SAMPLES, TOLERANCE = 250, 0.12
"""With 250 of each, chance alone moves the AUC by 0.026; the nightly run takes 2,000 and the bar of 0.05."""


def auc(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how well one threshold tells two samples apart: 0.5 not at all, 0 or 1 perfectly."""
    ordered = sorted(second)
    below = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in first)
    return below / (2 * len(first) * len(second))


def test_s16_the_classifier_sees_a_difference_where_there_is_one() -> None:
    noise = random.Random(16)
    fast = [noise.gauss(100, 5) for _ in range(SAMPLES)]
    slow = [noise.gauss(105, 5) for _ in range(SAMPLES)]
    assert auc(fast, slow) < 0.5 - TOLERANCE < 0.5 + TOLERANCE < auc(slow, fast)
    assert abs(auc(fast, [noise.gauss(100, 5) for _ in range(SAMPLES)]) - 0.5) < TOLERANCE


async def unreachable(rooms: House) -> dict[str, str]:
    """Return names that nobody can be reached by, each for another reason."""
    await rooms.person("offline")
    left = await rooms.person("was-online")
    await (await left.online()).disconnect()
    erased = await rooms.person("erased")
    await erased.online()
    await erased.erase()
    revoked = await rooms.person("revoked")
    socket = await revoked.online()
    spare = next_list(revoked, revoked.device.device_list, [revoked.device])
    await revoked.ask("PUT", "/v1/deviceList", spare)
    rooms.application.hub.disconnect(revoked.device.device, CloseCode.REVOKED)
    assert (await socket.closed()).code == CloseCode.REVOKED
    silent = await rooms.person("no-pre-keys")
    await silent.online()
    rooms.application.presence.withdraw(silent.device.device)
    return {
        "offline": "offline",
        "was online": "was-online",
        "erased": "erased",
        "revoked": "revoked",
        "without pre-keys": "no-pre-keys",
        "reserved": "admin",
        "nobody's": NOBODY,
        "nobody's, in capitals": "NOBODY",
        "illegal": "no body",
        "not ASCII": "nöbody",
        "empty": "",
        "as long as can be": "n" * 64,
    }


async def test_s16_every_refusal_is_the_same_bytes() -> None:
    async with house(rate_factor=1000) as rooms:
        odile = await rooms.person("odile")
        names = await unreachable(rooms)
        expected = (await odile.discover(NOBODY)).shape
        assert expected[2] == b'{"result":"not_found"}'
        for what, name in names.items():
            for fvc in ({}, {"fvc": "123456"}, {"fvc": None}):
                reply = await odile.ask("POST", "/v1/discover", {"username": name, **fvc})
                assert reply.shape == expected, what


async def test_s16_only_who_is_online_is_found() -> None:
    async with house() as rooms:
        odile, sefa = await rooms.person("odile"), await rooms.person("sefa")
        socket = await sefa.online()
        for name in ("sefa", "SEFA", "Sefa"):
            reply = await odile.discover(name)
            assert reply.as_(api.DiscoverOutcome) == api.DiscoverOutcome("ok", True)
        await socket.disconnect()
        while rooms.application.counts()["connections"]:
            await odile.discover("sefa")
        assert (await odile.discover("sefa")).body == b'{"result":"not_found"}'


async def test_s16_without_a_token_every_name_is_refused_alike() -> None:
    async with house() as rooms:
        sefa = await rooms.person("sefa")
        await sefa.online()
        http = await rooms.dial()
        shapes = {
            (await http.ask("POST", "/v1/discover", {"username": name})).shape
            for name in ("sefa", NOBODY, "")
        }
        assert len(shapes) == 1


async def timings(person: Person, names: Sequence[str], samples: int) -> dict[str, list[float]]:
    """Time look-ups of `names` in random order over one kept connection, to the last byte."""
    order = list(names) * samples
    random.Random(16).shuffle(order)
    requests = {
        name: person.http.head(
            "POST", "/v1/discover", (b'{"username":"%s"}' % name.encode()).ljust(30), token=person.token
        )
        for name in names
    }
    taken: dict[str, list[float]] = {name: [] for name in names}
    for name in order:
        started = time.perf_counter()
        person.http.writer.write(requests[name])
        await person.http.reader.readuntil(b'{"result":"not_found"}')
        taken[name].append(time.perf_counter() - started)
    return taken


async def compare(samples: int, tolerance: float) -> None:
    """Measure every kind of name against a name that nobody has."""
    async with house(rate_factor=1e6) as rooms:
        odile = await rooms.person("odile")
        names = [name for name in (await unreachable(rooms)).values() if len(name) <= 10 and name.isascii()]
        await timings(odile, names, 20)  # warm
        taken = await timings(odile, names, samples)
    told_apart = {
        name: round(auc(taken[name], taken[NOBODY]), 3)
        for name in names
        if abs(auc(taken[name], taken[NOBODY]) - 0.5) > tolerance
    }
    assert told_apart == {}


async def test_s16_timing_tells_nothing() -> None:
    await compare(SAMPLES, TOLERANCE)


@pytest.mark.nightly
async def test_s16_timing_tells_nothing_to_the_patient() -> None:
    await compare(2000, 0.05)

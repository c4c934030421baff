"""S-38: clocks that are wrong, and clocks that jump. Five minutes are forgiven; more is told."""

import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from tests.e2e.people import connect, in_time, is_idle, next_of, people, person, soon
from tests.server.house import house

from whisp import Client, ClockError, ConnectionState, MemoryVault, TextReceived
from whisp.client.clock import Clock
from whisp.core.identity import AccountKey, DeviceKeys, issue_certificate, issue_device_list, renewal_due
from whisp.core.prekeys import PreKeyStore
from whisp.server.clock import SteadyClock
from whisp.testing import LocalServer, running_server
from whisp.wire.certificate import Certificate, DeviceKind
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import ExpiredError, NotYetValidError

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400
WELL_AFTER_2038 = 2_500_000_000


def shifted(**by: float) -> SimpleNamespace:
    """Return a stand-in for the module `time` whose wall clock, or time since boot, is that far off."""
    wall, boot = by.get("wall", 0.0), by.get("boot", 0.0)
    return SimpleNamespace(
        time=lambda: time.time() + wall,
        monotonic=lambda: time.monotonic() + boot,
        clock_gettime=lambda which: time.clock_gettime(which) + boot,
        CLOCK_MONOTONIC=time.CLOCK_MONOTONIC,
    )


@contextmanager
def wall_clock_off(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    """Clients made meanwhile live on a machine whose clock is `seconds` ahead."""
    with monkeypatch.context() as patch:
        patch.setattr("whisp.client.clock.time", shifted(wall=seconds))
        yield


def client_whose_clock_is_off(
    monkeypatch: pytest.MonkeyPatch, seconds: float, origin: str, vault: MemoryVault | None = None
) -> Client:
    """Return a client on a machine whose clock is `seconds` ahead."""
    with wall_clock_off(monkeypatch, seconds):
        return Client(origin, vault or MemoryVault())


def set_wall_clock(server: LocalServer, now: float) -> None:
    """Let it be `now` on the server's wall."""
    ahead = now - time.monotonic()
    server.application.accounts._wall_clock = lambda: time.monotonic() + ahead
    server.application.hub._wall_clock = lambda: time.monotonic() + ahead


# Two machines


@pytest.mark.parametrize("minutes", [3, -3])
async def test_s38_three_minutes_apart_everything_works(
    minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        people("sefa") as (server, (sefa,)),
        client_whose_clock_is_off(monkeypatch, minutes * MINUTE, server.origin) as odile,
    ):
        await odile.register("odile")
        await odile.login()
        assert await sefa.discover("odile")
        for caller, callee in ((odile, sefa), (sefa, odile)):
            one, two = await connect(caller, callee)
            await two.send_text("what time is it?")
            assert (await next_of(one, TextReceived)).text == "what time is it?"
            await one.hang_up()
            await soon(lambda: is_idle(odile, sefa))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (6 * MINUTE, "6 minutes ahead of"),
        (-6 * MINUTE, "6 minutes behind"),
        (HOUR, "60 minutes ahead of"),
        (-HOUR, "60 minutes behind"),
        (DAY, "24 hours ahead of"),
        (-DAY, "24 hours behind"),
        (2 * YEAR, "730 days ahead of"),
        (-2 * YEAR, "730 days behind"),
    ],
)
async def test_s38_a_clock_that_is_too_far_off_is_named_at_once(
    seconds: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At registration, and at a log-in: the device was fine when its account was made."""
    sentence = f"This device's clock is {said} the server's. Check the clock, then start Whisp again."
    async with running_server() as server:
        vault = MemoryVault()
        async with person(server, "odile", vault):
            pass
        new = MemoryVault()
        async with client_whose_clock_is_off(monkeypatch, seconds, server.origin, new) as stranger:
            with pytest.raises(ClockError) as refused:
                await stranger.register("sefa")
        assert str(refused.value) == sentence
        assert refused.value.seconds == pytest.approx(seconds, abs=3)
        with wall_clock_off(monkeypatch, seconds):
            odile = Client(server.origin, vault)
        async with odile:
            with pytest.raises(ClockError) as refused:
                await odile.login()
            assert str(refused.value) == sentence
            assert odile.state is ConnectionState.OFFLINE
        assert server.counts()["online"] == 0
        async with person(server, "odile", vault), person(server, "sefa", new) as sefa:  # now it is right
            assert await sefa.discover("odile")


async def test_s38_a_server_without_a_date_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    from whisp.client.http import Http
    from whisp.client.origin import Origin

    http = Http(Origin.parse("http://127.0.0.1:1", unsafe_plain_http=False))
    for date in (None, "", "yesterday", "Mon, 99 Foo 2026 25:00:00 GMT"):
        http._compare_clocks(date)
    assert http.clock_error is None


# A jump during a session


@pytest.mark.parametrize("jump", [DAY, -DAY, 2 * YEAR, -2 * YEAR])
async def test_s38_a_jump_of_the_wall_clock_neither_ends_nor_revives_a_session(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with people("odile", "sefa") as (server, (odile, sefa)):
        one, two = await connect(odile, sefa)
        over, over_too = await connect(odile, sefa)
        await over.hang_up()
        await soon(lambda: over_too.ended is not None)
        before = odile.clock.now()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        set_wall_clock(server, real() + jump)
        assert 0 <= odile.clock.now() - before < 5
        for number in range(3):
            await one.send_text(f"o{number}")
            await two.send_text(f"s{number}")
            assert (await next_of(two, TextReceived)).text == f"o{number}"
            assert (await next_of(one, TextReceived)).text == f"s{number}"
            for conversation in (one, two):
                conversation._tick_if_due()
        assert one.ended is two.ended is None
        assert over.ended is not None
        assert over_too.ended is not None
        assert len(odile.conversations) == len(sefa.conversations) == 1
        await one.hang_up()
        await soon(lambda: two.ended is not None)
        await soon(lambda: server.counts()["calls"] == 0)


async def test_s38_an_hour_asleep_ends_a_held_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's clock counts suspends: what was to be over meanwhile is over at once."""
    async with people("odile", "sefa") as (_, (odile, sefa)):
        one, _two = await connect(odile, sefa)
        await sefa._connection.stop()
        await odile._connection.stop()
        monkeypatch.setattr("whisp.client.clock.time", shifted(boot=HOUR))
        one._tick_if_due()
        assert one.ended is not None
        monkeypatch.undo()
        assert one.ended is not None


@pytest.mark.parametrize("make", [Clock, SteadyClock])
def test_s38_deadlines_inside_a_process_use_monotonic_time(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = make()
    read = clock if make is SteadyClock else clock.now
    module = "whisp.server.clock.time" if make is SteadyClock else "whisp.client.clock.time"
    start = read()
    assert start == pytest.approx(time.time(), abs=2)
    for wall in (2 * YEAR, -2 * YEAR, 0):
        monkeypatch.setattr(module, shifted(wall=wall))
        assert 0 <= read() - start < 5
    monkeypatch.setattr(module, shifted(wall=-YEAR, boot=90))
    assert 90 <= read() - start < 95


# What ages on the server


@pytest.mark.parametrize("jump", [2 * YEAR, -2 * YEAR])
async def test_s38_challenges_and_tokens_outlive_a_jump_of_the_servers_clock_and_no_longer(
    jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(token_seconds=60) as rooms:
        odile = await rooms.person("odile")
        request = await odile.log_in_request()
        monkeypatch.setattr("whisp.server.clock.time", shifted(wall=jump))
        assert (await odile.ask("GET", "/v1/account")).status == 200
        assert (await odile.http.ask("POST", "/v1/login", request)).status == 200
        late = await odile.log_in_request()
        monkeypatch.setattr("whisp.server.clock.time", shifted(wall=jump, boot=61))
        assert (await odile.ask("GET", "/v1/account")).status == 401
        assert (await odile.http.ask("POST", "/v1/login", late)).status == 401
        monkeypatch.setattr("whisp.server.clock.time", shifted(wall=-jump, boot=61))
        assert (await odile.ask("GET", "/v1/account")).status == 401


@pytest.mark.parametrize(
    ("off", "status"),
    [(3 * MINUTE, 201), (-3 * MINUTE, 201), (HOUR, 201), (-HOUR, 400), (2 * DAY, 400), (-2 * YEAR, 400)],
)
async def test_s38_what_a_client_signed_is_held_against_the_servers_wall_clock(
    off: float, status: int
) -> None:
    """A server that is ahead sees what is old, one that is behind what is of the future."""
    async with house() as rooms:
        rooms.application.accounts._wall_clock = lambda: time.time() + off
        odile = await rooms.stranger("odile")
        reply = await odile.http.ask("POST", "/v1/accounts", await odile.registration())
        assert (reply.status, reply.error) == (status, None if status == 201 else "bad_request")
        rooms.application.accounts._wall_clock = time.time
        assert (await odile.register()).token  # nothing was claimed, or it is the same again


# Long after 2038


@pytest.mark.parametrize("now", [2**31 - 10, 2**31 + 10, WELL_AFTER_2038, 2**32 + 10])
def test_s38_certificates_lists_and_pre_keys_work_after_2038(now: int) -> None:
    key, keys = AccountKey.generate(), DeviceKeys.generate()
    certificate = Certificate.decode(issue_certificate(key, keys.public, DeviceKind.NATIVE, now).encode())
    certificate.verify(now)
    with pytest.raises(NotYetValidError, match="check the clock"):
        certificate.verify(now - 301)
    with pytest.raises(ExpiredError):
        certificate.verify(certificate.expires + 301)
    device_list = DeviceList.decode(issue_device_list(key, (certificate,), now, None).encode())
    device_list.verify(now + 6 * DAY)
    assert renewal_due(device_list, now + 6 * DAY)
    store = PreKeyStore(keys)
    for record in store.publish(now):
        record.verify(keys.public.signing_key, now + MINUTE)


async def test_s38_a_whole_call_in_2049(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    ahead = WELL_AFTER_2038 - real()
    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server())
        set_wall_clock(server, WELL_AFTER_2038)
        odile, sefa = [await stack.enter_async_context(person(server, name)) for name in ("odile", "sefa")]
        assert odile.clock.now() > WELL_AFTER_2038 - 1
        one, two = await in_time(connect(odile, sefa))
        await one.send_text("still here")
        assert (await next_of(two, TextReceived)).text == "still here"
        await one.hang_up()

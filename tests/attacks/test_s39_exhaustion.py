"""S-39: what a server does when something runs out, by abuse or by bad luck, and that all of it comes back.

Through every run a control pair rings: whoever needs nothing of what is missing must not notice.
"""

import asyncio
import contextlib
import os
import resource
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.server_process import ServerProcess, serving
from tests.server.house import Http, Person, Reply, another_device, house, next_list
from tests.server.signalling.scripts import Device, decline, offer

from whisp.server.limits import MAX_PRE_KEY_BURST, MAX_RINGS_PER_CALLEE, MAX_RINGS_PER_CALLER, PRE_KEY_SECONDS
from whisp.wire import api
from whisp.wire.device_list import DeviceList
from whisp.wire.frames import PreKeys, Ring, Signalled
from whisp.wire.ids import CallId, Username
from whisp.wire.limits import MAX_ONE_TIME_PRE_KEYS, MAX_SIGNAL_BYTES
from whisp.wire.signals import Offer, decode_signal

LONGEST_RING = 2.0
"""Seconds from the request to the caller's answer, on a busy machine."""


@contextlib.asynccontextmanager
async def control_pair(port: int) -> AsyncIterator[list[float]]:
    """Let two people ring each other all the time; gives how long each ring took, in seconds."""
    odile, sefa = [
        await Person(await Http.dial(port), Device(Username(name))).register()
        for name in ("control-1", "control-2")
    ]
    near, far = await odile.online(), await sefa.online()
    times: list[float] = []

    async def ring_on() -> None:
        while True:
            start = time.monotonic()
            await ring_once(odile, sefa)
            times.append(time.monotonic() - start)
            await asyncio.sleep(0.02)

    async def ring_once(caller: Person, callee: Person) -> None:
        call_id = CallId(os.urandom(16))
        sealed = offer(call_id, callee.device.device)
        request = api.SessionRequest(caller.device.device, callee.name, [sealed])
        rung = (await caller.ask("POST", "/v1/requestSession", request)).as_(api.SessionOutcome)
        assert rung.result == "delivered"
        assert await far.frame() == Ring(caller.device.device, caller.name, sealed)
        refusal = decline(call_id, callee.device.device)
        await far.send(Signalled(caller.device.device, refusal).encode())
        assert await near.frame() == Signalled(callee.device.device, refusal)

    ringing = asyncio.create_task(ring_on())
    try:
        yield times
        count = len(times)
        async with asyncio.timeout(5):
            while len(times) < count + 3 and not ringing.done():  # and it still does
                await asyncio.sleep(0.01)
        assert not ringing.done(), ringing
    finally:
        ringing.cancel()
        await asyncio.gather(ringing, return_exceptions=True)
        for socket in (near, far):
            await socket.disconnect()
        for http in (odile.http, sefa.http):
            await http.close()
    assert max(times) < LONGEST_RING


async def until_it_works(port: int, path: str, seconds: float = 10.0) -> float:
    """Ask until the answer is 200; return how long that took. Fails after ten seconds."""
    start = time.monotonic()
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                http = await Http.dial(port)
                try:
                    if (await http.ask("GET", path)).status == 200:
                        return time.monotonic() - start
                finally:
                    await http.close()
            await asyncio.sleep(0.05)


async def once(port: int, path: str) -> Reply:
    """Ask over a connection of its own."""
    http = await Http.dial(port)
    try:
        return await http.ask("GET", path)
    finally:
        await http.close()


# Abuse


async def test_s39_a_flood_of_pre_keys_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(rate_factor=1000) as rooms, control_pair(rooms.port):
        mallory, sefa = await rooms.person("mallory"), await rooms.person("sefa")
        socket = await mallory.online()
        presence, taken = rooms.application.presence, 0
        publish = presence.publish

        def count(*arguments: Any) -> None:
            nonlocal taken
            taken += 1
            publish(*arguments)

        monkeypatch.setattr(presence, "publish", count)
        flood = PreKeys(mallory.device.records(MAX_ONE_TIME_PRE_KEYS)).encode()
        with contextlib.suppress(ConnectionError, TimeoutError):
            for _ in range(400):
                socket.write_piece(flood)
                async with asyncio.timeout(0.2):
                    await socket.writer.drain()
        assert MAX_PRE_KEY_BURST - 1 <= taken <= 2 * MAX_PRE_KEY_BURST
        await socket.disconnect()
        # Held up, it is not read, nor seen to have left; but it is not read again and again for ever.
        hub, ahead = rooms.application.hub, 0.0
        monkeypatch.setattr(hub, "_clock", lambda: time.monotonic() + ahead)
        while rooms.application.counts()["online"] != 2:
            ahead += PRE_KEY_SECONDS
            hub.expire()
            await asyncio.sleep(0.05)
            assert ahead <= 10 * PRE_KEY_SECONDS, "a ghost is online"
        assert taken <= 3 * MAX_PRE_KEY_BURST
        assert (await sefa.discover("mallory")).as_(api.DiscoverOutcome).result == "not_found"


async def test_s39_an_account_has_sixteen_devices_and_no_more() -> None:
    async with house(rate_factor=1000) as rooms, control_pair(rooms.port):
        odile, caller = await rooms.person("odile"), await rooms.person("caller")
        devices = [odile.device, *(another_device(odile) for _ in range(16))]
        fits = next_list(odile, odile.device.device_list, devices[:-1])
        assert (await odile.ask("PUT", "/v1/deviceList", fits)).status == 200
        for many in (17, 200, 1000):
            crowd = [*devices, *[devices[-1]] * (many - len(devices))]
            with contextlib.suppress(ValueError, OverflowError):  # what cannot even be written
                reply = await odile.ask("PUT", "/v1/deviceList", next_list(odile, fits.device_list, crowd))
                assert (reply.status, reply.error) in ((400, "bad_request"), (413, "too_large"))
        own = (await odile.ask("GET", "/v1/account")).as_(api.Account)
        assert own.device_list == fits.device_list
        assert len(own.certificates) == len(DeviceList.decode(own.device_list).active) == 16
        sockets = [await odile.online(device, await odile.log_in(device)) for device in devices[:-1]]
        bundles = (await caller.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest("odile"))).as_(
            api.PreKeyBundles
        )
        assert len(bundles.bundles or ()) == 16
        for socket in sockets:
            await socket.disconnect()


def largest_offer(device: Device) -> bytes:
    """Return an OFFER of exactly the size that one may have."""
    shape = decode_signal(offer(CallId(os.urandom(16)), device.device))
    assert isinstance(shape, Offer)
    room = MAX_SIGNAL_BYTES - len(shape.encode()) + len(shape.sealed_offer)
    sealed = replace(shape, sealed_offer=bytes(room)).encode()
    assert len(sealed) == MAX_SIGNAL_BYTES
    return sealed


async def test_s39_offers_at_the_size_limit_to_one_user_are_few_and_leave_nothing() -> None:
    async with house(rate_factor=1000) as rooms, control_pair(rooms.port):
        sefa = await rooms.person("sefa")
        await sefa.online()  # and reads nothing
        delivered = 0
        crowd = [await rooms.person(f"mallory-{number}") for number in range(6)]
        for mallory in crowd:
            await mallory.online()
            for _ in range(MAX_RINGS_PER_CALLER + 2):
                sealed = largest_offer(sefa.device)
                request = api.SessionRequest(mallory.device.device, "sefa", [sealed])
                outcome = await mallory.ask("POST", "/v1/requestSession", request)
                delivered += outcome.as_(api.SessionOutcome).result == "delivered"
        assert delivered == MAX_RINGS_PER_CALLEE
        assert len(rooms.application.hub._calls.of(sefa.device.device)) == MAX_RINGS_PER_CALLEE
        for mallory in crowd:
            await mallory.erase()
        assert rooms.application.hub._calls.of(sefa.device.device) == ()


# What runs out under a process


def data_of(folder: Path) -> set[str]:
    """Return the names of the accounts in a database that is whole."""
    with contextlib.closing(sqlite3.connect(folder / "whisp.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name for (name,) in database.execute("SELECT username FROM accounts")}


async def test_s39_no_file_descriptors_left(tmp_path: Path) -> None:
    limit = 64
    async with serving(tmp_path, limits={resource.RLIMIT_NOFILE: limit}) as server:
        async with control_pair(server.port) as times:
            hoard = await hoard_connections(server, limit)
            try:
                used, rung = server.processor_seconds(), len(times)
                for _ in range(5):
                    await asyncio.sleep(0.2)
                assert len(times) > rung  # who is there rings on
                busy = server.processor_seconds() - used
                assert busy < 0.6, f"{busy} of a second: the accept loop spins"
            finally:
                for _, writer in hoard:
                    writer.close()
            assert await until_it_works(server.port, "/readyz") < 10
            sefa = await Person(await Http.dial(server.port), Device(Username("sefa"))).register()
            socket = await sefa.online()
            assert (await sefa.discover("control-1")).as_(api.DiscoverOutcome).online is True
            await socket.disconnect()
            await sefa.http.close()
        assert server.process.returncode is None


async def hoard_connections(
    server: ServerProcess, limit: int
) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open connections until the server has no descriptor left for another."""
    hoard = []
    for _ in range(2 * limit):
        with contextlib.suppress(OSError):
            hoard.append(await asyncio.open_connection("127.0.0.1", server.port))
    async with asyncio.timeout(5):
        while server.open_files() < limit - 2:
            await asyncio.sleep(0.01)
    return hoard


async def test_s39_disk_full(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, control_pair(server.port) as times:
        sefa = Person(await Http.dial(server.port), Device(Username("sefa")))
        odile = await Person(await Http.dial(server.port), Device(Username("odile"))).register()
        assert (await once(server.port, "/readyz")).status == 200
        server.limit(resource.RLIMIT_FSIZE, 4096)
        rung = len(times)
        for _ in range(3):
            refused = await sefa.http.ask("POST", "/v1/accounts", await sefa.registration())
            assert (refused.status, refused.error) == (503, "unavailable")
            ready = await once(server.port, "/readyz")
            assert (ready.status, ready.error) == (503, "unavailable")
            assert (await once(server.port, "/healthz")).status == 200
        assert await odile.log_in()  # what only reads goes on
        assert (await odile.ask("GET", "/v1/account")).status == 200
        async with asyncio.timeout(5):
            while len(times) < rung + 3:
                await asyncio.sleep(0.01)
        server.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        assert await until_it_works(server.port, "/readyz") < 10
        assert (await sefa.register()).token
        await sefa.http.close()
        await odile.http.close()
        assert data_of(tmp_path) == {"control-1", "control-2", "odile", "sefa"}


async def test_s39_a_database_that_another_process_has_locked(tmp_path: Path) -> None:
    """Who writes waits for it, who rings does not notice. Beyond five seconds: tests/server/test_app.py."""
    async with serving(tmp_path) as server, control_pair(server.port) as times:
        sefa = Person(await Http.dial(server.port), Device(Username("sefa")))
        request = await sefa.registration()
        with contextlib.closing(sqlite3.connect(tmp_path / "whisp.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            registering = asyncio.create_task(sefa.http.ask("POST", "/v1/accounts", request))
            rung = len(times)
            async with asyncio.timeout(5):
                while len(times) < rung + 5:
                    await asyncio.sleep(0.01)
            assert not registering.done()
            assert (await once(server.port, "/healthz")).status == 200
            assert (await once(server.port, "/readyz")).status == 200
            other.execute("ROLLBACK")
        assert (await registering).status == 201
        await sefa.http.close()

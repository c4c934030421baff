"""S-37: kill the server, as the power would, in the middle of what it stores. It comes back by itself.

Vaults under the same treatment: test_s37_vault_crash.py, and test_vault.py for damaged bytes.
"""

import asyncio
import contextlib
import random
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from tests.attacks.server_process import ServerProcess, serving
from tests.server.house import Http, Person, Reply, another_device, next_list
from tests.server.signalling.scripts import Device

from whisp import Client, MemoryVault, ServerUnreachableError
from whisp.server.storage.tables import metadata
from whisp.wire import api
from whisp.wire.ids import Username

DYING = """
import os, signal
from importlib import import_module

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def dying(owner, name, at, after):
    real, calls = getattr(owner, name), 0
    def work(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == at and not after:
            die()
        result = real(*arguments, **named)
        if calls == at:
            die()
        return result
    setattr(owner, name, work)

module, _, kind = {owner!r}.partition(":")
dying(getattr(import_module(module), kind) if kind else import_module(module), {name!r}, {at}, {after})
from whisp.server.__main__ import main
raise SystemExit(main())
"""
"""Runs a server that kills itself with SIGKILL at the n-th call of one of its functions."""

REPOSITORY = "whisp.server.accounts.repository:AccountRepository"
SERVICE = "whisp.server.accounts.service:Accounts"
CONNECTION = "sqlalchemy.engine:Connection"
STEPS = "alembic.operations:Operations"


def dying(owner: str, name: str, at: int = 1, *, after: bool = False) -> str:
    """Return a program that runs a server and dies before, or after, the n-th call of a function."""
    return DYING.format(owner=owner, name=name, at=at, after=after)


def accounts_in(data: Path) -> dict[str, tuple[bytes | None, set[bytes]]]:
    """Return every account with its list and devices, as a program finds them in the files a crash left."""
    with contextlib.closing(sqlite3.connect(data / "whisp.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = database.execute("SELECT id, username, device_list FROM accounts").fetchall()
        devices = database.execute("SELECT account_id, id FROM devices").fetchall()
        (claimed,) = database.execute("SELECT count(*) FROM claimed_names").fetchone()
    assert claimed == len(rows)
    assert {owner for owner, _ in devices} <= {row[0] for row in rows}
    return {name: (kept, {id_ for owner, id_ in devices if owner == row}) for row, name, kept in rows}


async def answer_of(asking: asyncio.Task[Reply]) -> Reply | None:
    """Return an answer, None if the server died over it."""
    try:
        return await asking
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def dies(server: ServerProcess) -> None:
    """Wait until the server has killed itself."""
    assert await server.ended() == -signal.SIGKILL


REGISTRATION = [
    (dying(REPOSITORY, "claim", after=True), False),
    (dying(REPOSITORY, "add_account", after=True), False),
    (dying(REPOSITORY, "put_devices", after=True), False),
    (dying("whisp.server.gate.tokens:Tokens", "issue"), True),  # committed, and the answer is lost
]


@pytest.mark.parametrize(("program", "is_there"), REGISTRATION, ids=["claim", "account", "devices", "commit"])
async def test_s37_an_account_is_there_whole_or_not_at_all_and_the_client_tries_again(
    program: str, is_there: bool, tmp_path: Path
) -> None:
    vault = MemoryVault()
    async with serving(tmp_path, program=program) as server:
        async with Client(server.origin, vault) as odile:
            with pytest.raises(ServerUnreachableError):
                await odile.register("odile")
            assert not odile.is_registered
        await dies(server)
    found = accounts_in(tmp_path)
    assert list(found) == (["odile"] if is_there else [])
    assert all(len(devices) == 1 for _, devices in found.values())
    async with serving(tmp_path, server.port) as again, Client(again.origin, vault) as odile:
        await odile.register("odile")
        await odile.login()
        assert await odile.discover("odile")
        stored, devices = accounts_in(tmp_path)["odile"]
        assert devices == {odile.device_id}
        assert stored == (await odile.account_data()).device_list


LIST_UPDATE = [
    (dying(REPOSITORY, "put_devices", 2, after=True), 0),
    (dying(REPOSITORY, "replace_device_list", after=True), 0),
    (dying("whisp.server.signalling.hub:Hub", "update_device_list"), 1),
]


@pytest.mark.parametrize(("program", "newest"), LIST_UPDATE, ids=["devices", "list", "commit"])
async def test_s37_the_old_list_or_the_new_one_with_its_devices(
    program: str, newest: int, tmp_path: Path
) -> None:
    async with serving(tmp_path, program=program) as server:
        odile = await Person(await Http.dial(server.port), Device(Username("odile"))).register()
        tablet = another_device(odile)
        update = next_list(odile, odile.device.device_list, [odile.device, tablet])
        asking = asyncio.create_task(odile.http.ask("PUT", "/v1/deviceList", update, token=odile.token))
        assert await answer_of(asking) is None
        await dies(server)
        await odile.http.close()
    versions = [
        (odile.device.device_list, {odile.device.device}),
        (update.device_list, {odile.device.device, tablet.device}),
    ]
    assert accounts_in(tmp_path) == {"odile": versions[newest]}
    async with serving(tmp_path, server.port) as again:
        odile.http = await Http.dial(again.port)
        await odile.log_in()
        reply = await odile.http.ask("PUT", "/v1/deviceList", update, token=odile.token)
        assert reply.as_(api.Done)
        assert await odile.log_in(tablet)
        await odile.http.close()
    assert accounts_in(tmp_path) == {"odile": versions[1]}


@pytest.mark.parametrize(
    ("program", "is_there"),
    [
        (dying(REPOSITORY, "erase", after=True), True),
        (dying("whisp.server.gate.tokens:Tokens", "forget"), False),
    ],
    ids=["rows", "commit"],
)
async def test_s37_an_erased_account_is_gone_or_as_it_was(
    program: str, is_there: bool, tmp_path: Path
) -> None:
    async with serving(tmp_path, program=program) as server:
        odile = await Person(await Http.dial(server.port), Device(Username("odile"))).register()
        asking = asyncio.create_task(
            odile.http.ask("DELETE", "/v1/account", await odile.deletion(), token=odile.token)
        )
        assert await answer_of(asking) is None
        await dies(server)
        await odile.http.close()
    found = accounts_in(tmp_path)
    if is_there:
        assert found == {"odile": (odile.device.device_list, {odile.device.device})}
    else:
        assert [kept for name, kept in found.items() if name != "odile"] == [(None, set())]
    async with serving(tmp_path, server.port) as again:
        odile.http = await Http.dial(again.port)
        if is_there:
            await odile.log_in()
            await odile.erase()
        refused = await odile.http.ask("POST", "/v1/accounts", await odile.registration())
        assert refused.error == "username_taken"
        await odile.http.close()
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert odile.device.certificate not in everything


@pytest.mark.parametrize(
    "program",
    [
        *(dying(STEPS, "create_table", at, after=True) for at in (1, 2, 4)),
        dying(STEPS, "create_index", after=True),
        dying("whisp.server.storage.database", "migrate", after=True),  # all is done but the commit
        *(dying("os", name, at) for name, at in (("fsync", 1), ("link", 1), ("link", 2))),  # the keys
    ],
    ids=["table-1", "table-2", "table-4", "index", "commit", "key-sync", "key-1", "key-2"],
)
async def test_s37_a_first_start_that_was_cut_off_is_begun_again(program: str, tmp_path: Path) -> None:
    async with serving(tmp_path, program=program) as server:
        await dies(server)
        assert server.port == 0  # it never greeted
    if (tmp_path / "whisp.db").exists():
        with contextlib.closing(sqlite3.connect(tmp_path / "whisp.db")) as database:
            assert database.execute("SELECT name FROM sqlite_master").fetchall() == []
    async with serving(tmp_path) as again:
        odile = await Person(await Http.dial(again.port), Device(Username("odile"))).register()
        await odile.http.close()
    assert list(accounts_in(tmp_path)) == ["odile"]
    with contextlib.closing(sqlite3.connect(tmp_path / "whisp.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {*metadata.tables, "alembic_version"}


async def test_s37_killed_at_any_moment_of_many_registrations(tmp_path: Path) -> None:
    dice = random.Random(37)
    port, outcomes = 0, Counter[bool]()
    people: list[Device] = []
    for number in range(3):
        answered: list[str] = []
        crowd = [Device(Username(f"person-{number}-{index}")) for index in range(60)]
        async with serving(tmp_path, port) as server:
            port = server.port
            lines = [Person(await Http.dial(port), device) for device in crowd[:6]]

            async def register(first: int, line: Http, crowd: list[Device], answered: list[str]) -> None:
                for device in crowd[first::6]:
                    person = Person(line, device)
                    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                        await person.register()
                        answered.append(device.username)

            registering = [
                asyncio.create_task(register(index, line.http, crowd, answered))
                for index, line in enumerate(lines)
            ]
            while len(answered) < 3:
                await asyncio.sleep(0.002)
            await asyncio.sleep(dice.random() / 20)
            server.process.kill()
            await asyncio.gather(*registering)
            await dies(server)
            for line in lines:
                await line.http.close()
        people += crowd
        found = accounts_in(tmp_path)
        assert set(answered) <= found.keys()  # what was answered was kept
        assert all(len(devices) == 1 for _, devices in found.values())
        outcomes.update(device.username in found for device in crowd)
        async with serving(tmp_path, port) as again:
            http = await Http.dial(again.port)
            for device in crowd:
                await Person(http, device).register()
            await http.close()
    assert accounts_in(tmp_path).keys() == {device.username for device in people}
    assert min(outcomes[True], outcomes[False]) > 0  # it was killed in the middle

"""Accounts on a real server: names, restarts, contacts, deletion, data."""

import asyncio
from pathlib import Path

import pytest
from tests.e2e.people import connect, next_ring, people, person, soon, state_of

from whisp import (
    AlreadyRegisteredError,
    Client,
    ConnectionState,
    FileVault,
    InvalidUsernameError,
    LocalProtocolError,
    MemoryVault,
    NotFoundError,
    NotRegisteredError,
    ReplacedError,
    ServerUnreachableError,
    UnauthorizedError,
    UsernameTakenError,
)
from whisp.client.events import ConnectionChanged
from whisp.client.vault.sealing import PassphraseCost
from whisp.testing import running_server, running_server_process
from whisp.wire.device_list import DeviceList

CHEAP = PassphraseCost(8, 1, 1)


async def test_a_name_is_claimed_once() -> None:
    async with people("odile") as (server, (odile,)):
        async with Client(server.origin, MemoryVault()) as other:
            assert not await other.is_available("Odile")
            assert await other.is_available("sefa")
            assert not await other.is_available("admin")
            for taken in ("odile", "ODILE", "admin"):
                with pytest.raises(UsernameTakenError):
                    await other.register(taken)
            with pytest.raises(InvalidUsernameError):
                await other.register("no such name")
            await other.register("sefa")
            with pytest.raises(AlreadyRegisteredError):
                await other.register("mila")
        assert odile.username == "odile"


async def test_an_account_survives_a_restart_of_its_client(tmp_path: Path) -> None:
    async with people("sefa") as (server, (sefa,)):
        vault = await asyncio.to_thread(FileVault.create, tmp_path / "vault", "correct horse", cost=CHEAP)
        async with person(server, "odile", vault) as odile:
            one, _ = await connect(odile, sefa)
            await odile.mark_verified("sefa")
            await one.hang_up()
            account, device = odile.account_id, odile.device_id
        vault.forget()
        vault = FileVault.open(tmp_path / "vault", "correct horse")
        async with person(server, "odile", vault) as odile:
            assert (odile.account_id, odile.device_id, odile.username) == (account, device, "odile")
            assert [(contact.username, contact.verified) for contact in odile.contacts] == [("sefa", True)]
            one, _ = await connect(odile, sefa)
            await one.hang_up()
        vault.forget()


async def test_a_vault_belongs_to_one_server() -> None:
    vault = MemoryVault()
    async with people("odile") as (server, _), person(server, "sefa", vault):
        pass
    async with running_server() as other:
        with pytest.raises(LocalProtocolError, match="lives on"):
            async with Client(other.origin, vault):
                pass


async def test_what_needs_an_account_says_so() -> None:
    async with running_server() as server, Client(server.origin, MemoryVault()) as client:
        for attempt in (
            client.login(),
            client.discover("odile"),
            client.call("odile"),
            client.account_data(),
        ):
            with pytest.raises(NotRegisteredError):
                await attempt


async def test_a_registration_that_was_cut_off_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = MemoryVault()
    async with people("sefa") as (server, _):
        async with Client(server.origin, vault) as client:
            with monkeypatch.context() as patch:
                # The server has taken the name, but its answer and the client's next save are lost.
                original = client._api.register

                async def lose_answer(account: object) -> None:
                    await original(account)  # type: ignore[arg-type]
                    raise ServerUnreachableError

                patch.setattr(client._api, "register", lose_answer)
                with pytest.raises(ServerUnreachableError):
                    await client.register("odile")
        async with Client(server.origin, vault) as client:
            assert not client.is_registered
            await client.register("odile")
            await client.login()
            assert client.state is ConnectionState.ONLINE


async def test_what_the_server_stores_is_shown(tmp_path: Path) -> None:
    async with people("odile") as (_, (odile,)):
        data = await odile.account_data()
        assert data.username == "odile"
        assert DeviceList.decode(data.device_list).account == odile.account_id
        assert data.certificates == [odile.local.certificate.encode()]


async def test_a_deleted_account_is_gone_for_good() -> None:
    vault = MemoryVault()
    async with people("odile") as (server, (odile,)):
        async with person(server, "sefa", vault) as sefa:
            one, _ = await connect(sefa, odile)
            await sefa.delete_account()
            assert one.ended is not None
            assert sefa.contacts == ()
            with pytest.raises(UsernameTakenError):
                await sefa.register("sefa")
            await sefa.register("sefa-again")
        with pytest.raises(NotFoundError):
            await odile.discover("sefa")


async def test_contacts_are_pinned_forgotten_and_marked() -> None:
    async with people("odile", "sefa") as (_, (odile, sefa)):
        with pytest.raises(NotFoundError):
            odile.safety_number("sefa")
        one, _two = await connect(odile, sefa)
        await one.hang_up()
        contact = odile.contact("SEFA")
        assert contact is not None
        assert (contact.account, contact.verified) == (sefa.account_id, False)
        await odile.mark_verified("sefa")
        assert [person.verified for person in odile.contacts] == [True]
        await odile.mark_verified("sefa", False)
        assert [person.verified for person in odile.contacts] == [False]
        with pytest.raises(NotFoundError):
            await odile.accept_new_key("sefa")
        await odile.forget("sefa")
        assert odile.contacts == ()


async def test_a_newer_connection_of_the_same_device_wins_and_the_older_stays_down() -> None:
    vault = MemoryVault()
    async with people("sefa") as (server, _), person(server, "odile", vault) as first:  # noqa: SIM117
        async with person(server, "odile", vault) as second:
            await soon(lambda: state_of(first) is ConnectionState.OFFLINE)
            await asyncio.sleep(0.15)
            assert state_of(second) is ConnectionState.ONLINE
            changes = [event for event in first._events._items if isinstance(event, ConnectionChanged)]
            assert changes[-1].reason == str(ReplacedError())
            await first.login()
            await soon(lambda: state_of(second) is ConnectionState.OFFLINE)


async def test_a_device_the_server_does_not_know_is_told_so() -> None:
    vault = MemoryVault()
    async with running_server() as server:
        async with person(server, "odile", vault):
            pass
        contents = vault.load()
    async with running_server() as empty:
        other = MemoryVault()
        assert contents is not None
        other.save(contents.replace(server.origin.encode(), empty.origin.encode()))
        async with Client(empty.origin, other) as client:
            with pytest.raises(UnauthorizedError):
                await client.login()
            assert client.state is ConnectionState.OFFLINE


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with Client("http://127.0.0.1:9", MemoryVault()) as client:
        with pytest.raises(ServerUnreachableError):
            await client.register("odile")


async def test_a_server_process_serves_too() -> None:
    async with running_server_process() as server, Client(server.origin, MemoryVault()) as odile:
        await odile.register("odile")
        await odile.login()
        assert await odile.discover("odile")


async def test_rings_end_when_the_client_closes() -> None:
    async with people("odile") as (server, _):
        async with person(server, "sefa") as sefa:
            waiting = asyncio.create_task(next_ring(sefa))
            await asyncio.sleep(0.01)
        with pytest.raises(AssertionError, match="closed"):
            await waiting

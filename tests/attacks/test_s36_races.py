"""S-36: two things at the same moment. After every round tables, memory and both sides must agree.

Races of signals alone (accept against cancel, glare) are in tests/server/signalling/test_races.py, those of
sockets in test_hub.py beside it.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop
from sqlalchemy import Connection, select
from tests.e2e.people import in_time, is_idle, next_of, next_ring, people, person, soon, state_of
from tests.server.house import House, Person, another_device, house, next_list
from tests.server.signalling.live import serve
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import Device, answer, cancel, confirm, hang_up, line

from whisp import (
    Client,
    ClientError,
    ConnectionState,
    Conversation,
    Ended,
    EndReason,
    Line,
    MemoryVault,
    NoAnswerError,
    NotFoundError,
    ReplacedError,
    Ring,
    RingEnd,
    RingOverError,
    TextReceived,
)
from whisp.server.limits import RING_RECORD_SECONDS
from whisp.server.storage.tables import accounts, claimed_names, devices
from whisp.testing import LocalServer, running_server
from whisp.wire import api
from whisp.wire.frames import LineState, PreKeys, Relay, Route, ServerFrame, Signalled
from whisp.wire.ids import CallId, Username
from whisp.wire.prekey import PreKeyBundle

_Result = TypeVar("_Result")

SEED = 360_636


async def after(delay: float, work: Awaitable[_Result]) -> _Result:
    """Do something a little later."""
    await asyncio.sleep(delay)
    return await work


async def stored(rooms: House) -> dict[str, tuple[bytes | None, set[bytes]]]:
    """Return every account with its key and its devices; fail on a row that belongs to none."""

    def look(connection: Connection) -> dict[str, tuple[bytes | None, set[bytes]]]:
        rows = connection.execute(select(accounts.c.id, accounts.c.username, accounts.c.account_key)).all()
        owned: dict[int, set[bytes]] = {row[0]: set() for row in rows}
        for device, owner in connection.execute(select(devices.c.id, devices.c.account_id)):
            owned[owner].add(device)
        assert len(connection.execute(select(claimed_names.c.digest)).all()) == len(rows)
        return {row[1]: (row[2], owned[row[0]]) for row in rows}

    return await rooms.application._database.read(look)


# Accounts


async def test_s36_two_registrations_of_one_name(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    wins: Counter[int] = Counter()
    async with house(data=tmp_path, rate_factor=1000) as rooms:
        lines = [await rooms.dial() for _ in range(2)]
        for number in range(100):
            name = Username(f"name-{number}")
            rivals = [Person(http, Device(name)) for http in lines]
            requests = [await rival.registration() for rival in rivals]
            replies = await asyncio.gather(
                *(
                    after(dice.random() / 1000, rival.http.ask("POST", "/v1/accounts", request))
                    for rival, request in zip(rivals, requests, strict=True)
                )
            )
            statuses = [reply.status for reply in replies]
            assert sorted(statuses) == [201, 409]
            winner, loser = statuses.index(201), statuses.index(409)
            assert replies[loser].error == "username_taken"
            wins[winner] += 1
            assert (await stored(rooms))[name] == (
                rivals[winner].device.account,
                {rivals[winner].device.device},
            )
            assert await rivals[winner].log_in()
            refused = await rivals[loser].http.ask("POST", "/v1/login", await rivals[loser].log_in_request())
            assert refused.status == 401
        assert len(await stored(rooms)) == 100
    assert min(wins[0], wins[1]) >= 10  # else it was no race


async def test_s36_one_registration_sent_twice_and_one_key_under_two_names(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    async with house(data=tmp_path, rate_factor=1000) as rooms:
        lines = [await rooms.dial() for _ in range(2)]
        for number in range(30):
            twice = Person(lines[0], Device(Username(f"twice-{number}")))
            requests = [await twice.registration() for _ in lines]
            replies = await asyncio.gather(
                *(
                    after(dice.random() / 1000, http.ask("POST", "/v1/accounts", request))
                    for http, request in zip(lines, requests, strict=True)
                )
            )
            assert [reply.status for reply in replies] == [201, 201]
            both = Person(lines[0], Device(Username(f"one-{number}")))
            requests = [await both.registration(), await both.registration(f"two-{number}")]
            replies = await asyncio.gather(
                *(
                    after(dice.random() / 1000, http.ask("POST", "/v1/accounts", request))
                    for http, request in zip(lines, requests, strict=True)
                )
            )
            assert sorted((reply.status, reply.error) for reply in replies) == [
                (201, None),
                (409, "conflict"),
            ]
            found = await stored(rooms)
            assert len(found) == 2 * (number + 1)
            assert found[twice.name] == (twice.device.account, {twice.device.device})
            assert len({f"one-{number}", f"two-{number}"} & found.keys()) == 1


async def test_s36_two_next_device_lists_and_a_deletion(tmp_path: Path) -> None:
    """Two devices of an account sign the next list at once; in every other round it is erased meanwhile."""
    dice = random.Random(SEED)
    outcomes: Counter[tuple[int, ...]] = Counter()
    known: set[str] = set()
    async with house(data=tmp_path, rate_factor=1000) as rooms:
        lines = [await rooms.dial() for _ in range(3)]
        for number in range(40):
            odile = await Person(lines[0], Device(Username(f"odile-{number}"))).register()
            current, extra = odile.device.device_list, [another_device(odile) for _ in range(2)]
            updates = [next_list(odile, current, [odile.device, device]) for device in extra]
            work = [
                after(dice.random() / 300, http.ask("PUT", "/v1/deviceList", update, token=odile.token))
                for http, update in zip(lines, updates, strict=False)
            ]
            if number % 2:
                deletion = await odile.deletion()
                work.append(
                    after(
                        dice.random() / 300,
                        lines[2].ask("DELETE", "/v1/account", deletion, token=odile.token),
                    )
                )
            replies = await asyncio.gather(*work)
            statuses = [reply.status for reply in replies]
            found = await stored(rooms)
            if number % 2:
                assert statuses[2] == 200
                assert statuses[:2].count(200) <= 1
                assert set(statuses) <= {200, 401, 409}
                assert odile.name not in found
                assert [kept for name, kept in found.items() if name not in known] == [(None, set())]
            else:
                assert sorted(statuses) == [200, 409]
                chosen = extra[statuses.index(200)]
                assert found[odile.name][1] == {odile.device.device, chosen.device}
                own = (await odile.ask("GET", "/v1/account")).as_(api.Account)
                assert own.device_list == updates[statuses.index(200)].device_list
            known |= found.keys()
            outcomes[tuple(statuses)] += 1
    assert len(outcomes) >= 4  # both lists won, and the deletion came early and late


async def test_s36_no_one_time_pre_key_is_given_to_two_callers() -> None:
    dice = random.Random(SEED)
    async with house(rate_factor=1000) as rooms:
        sefa = await rooms.person("sefa")
        callers = [await rooms.person(f"caller-{number}") for number in range(2)]
        socket = await sefa.online()

        async def ask(caller: Person) -> list[bytes]:
            given = []
            for _ in range(13):
                await asyncio.sleep(dice.random() / 500)
                reply = await caller.ask("POST", "/v1/bundles", api.PreKeyBundlesRequest("sefa"))
                (bundle,) = reply.as_(api.PreKeyBundles).bundles or []
                one_time = PreKeyBundle.decode(bundle).one_time
                given += [one_time.encode()] if one_time else []
            return given

        for _ in range(3):
            records = sefa.device.records(20)
            await socket.send(PreKeys(records).encode())
            await asyncio.sleep(0.02)
            one, two = await asyncio.gather(*map(ask, callers))
            assert min(len(one), len(two)) >= 4
            assert sorted(one + two) == sorted(records[1:])


# Rings


async def try_to_accept(ring: Ring, delay: float) -> Conversation | RingEnd:
    """Accept after a while; return the conversation, or how the ring ended."""
    await asyncio.sleep(delay)
    try:
        return await ring.accept()
    except RingOverError as error:
        return error.reason


async def try_to_call(caller: Client, name: str, patience: float) -> Conversation | None:
    """Ring for a while; return the conversation, if it came to one."""
    try:
        return await caller.call(name, timeout=patience)
    except NoAnswerError:
        return None


async def talk(one: Conversation, two: Conversation) -> None:
    """Check that both are ends of one conversation that works, and end it."""
    assert one.session_code == two.session_code
    await one.send_text("you")
    assert (await next_of(two, TextReceived)).text == "you"
    await one.hang_up()
    assert (await next_of(two, Ended)).reason is EndReason.PEER_HUNG_UP


async def nothing_left(server: LocalServer, *clients: Client) -> None:
    """Check that neither side nor the server remembers a ring or a call."""
    await soon(lambda: is_idle(*clients), 2)
    await soon(lambda: server.counts()["calls"] == 0, 2)
    for client in clients:
        board = client._switchboard
        assert not board._rings
        assert not board._outgoing
        assert not board._waiting_for_route


async def test_s36_accept_against_the_callers_patience_and_against_hanging_up() -> None:
    dice = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    async with people("odile", "sefa") as (server, (odile, sefa)):
        for number in range(120):
            stops = number % 2 == 1
            patience = 0.002 + dice.random() * 0.02
            calling = asyncio.create_task(try_to_call(odile, "sefa", 45 if stops else patience))
            ring = await next_ring(sefa)
            accepting = asyncio.create_task(try_to_accept(ring, dice.random() * 0.012))
            if stops:
                await asyncio.sleep(patience - 0.002)
                calling.cancel()
            (near,), far = (
                await in_time(asyncio.gather(calling, return_exceptions=True), 2),
                await in_time(accepting, 2),
            )
            if isinstance(near, Conversation):
                assert isinstance(far, Conversation)
                await talk(near, far)
                outcomes["talked"] += 1
            elif isinstance(far, Conversation):
                # The caller left after it had proved itself: a conversation that its peer ends at once.
                assert (await next_of(far, Ended)).reason in (EndReason.PEER_HUNG_UP, EndReason.LOST)
                outcomes["left"] += 1
            else:
                assert far is RingEnd.CANCELLED
                outcomes["given up"] += 1
            await nothing_left(server, odile, sefa)
    assert outcomes["talked"] >= 10
    assert outcomes["given up"] >= 10


async def test_s36_both_ring_each_other_at_almost_the_same_time() -> None:
    dice = random.Random(SEED)
    async with people("odile", "sefa") as (server, (odile, sefa)):
        for _ in range(60):
            one, two = await in_time(
                asyncio.gather(
                    after(dice.random() / 60, odile.call("sefa")),
                    after(dice.random() / 60, sefa.call("odile")),
                )
            )
            assert len(odile.conversations) == len(sefa.conversations) == 1
            assert server.counts()["calls"] == 1
            await talk(one, two)
            await nothing_left(server, odile, sefa)


@pytest.mark.parametrize("who", ["the caller", "the callee"])
async def test_s36_an_account_is_deleted_while_it_rings(who: str) -> None:
    dice = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    async with people("odile") as (server, (stays,)):
        for number in range(25):
            async with person(server, f"goes-{number}") as goes:
                caller, callee = (goes, stays) if who == "the caller" else (stays, goes)
                calling = asyncio.create_task(caller.call(callee.username))
                ring = await next_ring(callee)
                accepting = asyncio.create_task(try_to_accept(ring, dice.random() * 0.012))
                await asyncio.sleep(dice.random() * 0.012)
                await in_time(goes.delete_account(), 3)
                (near,) = await in_time(asyncio.gather(calling, return_exceptions=True), 3)
                far = await in_time(accepting, 3)
                assert isinstance(near, Conversation | ClientError), near
                for client, side in ((caller, near), (callee, far)):
                    if isinstance(side, Conversation):
                        await soon(lambda side=side: side.ended or side.line is Line.HELD, 2)
                        if not side.ended:  # no goodbye came: it is held for a minute, like any lost line
                            client.clock._offset += 61
                            side._tick_if_due()
                            client.clock._offset -= 61
                        assert side.ended in (EndReason.PEER_HUNG_UP, EndReason.HUNG_UP, EndReason.LOST)
                outcomes[type(near).__name__] += 1
                assert not goes.is_registered
                await nothing_left(server, caller, callee)
                assert server.counts()["online"] == server.counts()["connections"] == 1
            with pytest.raises(NotFoundError):
                await stays.discover(f"goes-{number}")
    assert len(outcomes) >= 2  # it was deleted before and after the call came about


async def test_s36_two_log_ins_of_one_device() -> None:
    dice = random.Random(SEED)
    async with running_server() as server:
        vault = MemoryVault()
        async with person(server, "odile", vault) as odile:
            await odile.logout()
        async with person(server, "sefa") as sefa:
            for _ in range(25):
                twins = [Client(server.origin, copy_of(vault)) for _ in range(2)]
                try:
                    await asyncio.gather(*(after(dice.random() / 200, log_in(twin)) for twin in twins))
                    await soon(lambda twins=twins: len(online(*twins)) == 1, 3)
                    (winner,) = online(*twins)
                    (loser,) = (twin for twin in twins if twin is not winner)
                    assert state_of(loser) is ConnectionState.OFFLINE
                    assert server.counts()["online"] == server.counts()["connections"] == 2
                    calling = asyncio.create_task(sefa.call("odile"))
                    await talk(await in_time((await next_ring(winner)).accept()), await in_time(calling))
                    await nothing_left(server, sefa, *twins)
                finally:
                    for twin in twins:
                        await twin.close()


async def log_in(twin: Client) -> None:
    """Log in; whoever is replaced before it can be rung hears so."""
    with contextlib.suppress(ReplacedError):
        await twin.login()


def copy_of(vault: MemoryVault) -> MemoryVault:
    """Return another vault with the same contents."""
    copy = MemoryVault()
    copy.save(vault.load() or b"")
    return copy


def online(*clients: Client) -> list[Client]:
    """Return those who are online."""
    return [client for client in clients if client.state is ConnectionState.ONLINE]


# Signals


async def drain(client: RawClient) -> list[ServerFrame]:
    """Return the frames that have come, until a moment passes without one."""
    frames = []
    with contextlib.suppress(TimeoutError):
        while True:
            frames.append(await client.frame(0.01))
    return frames


def test_s36_of_two_devices_that_accept_one_gets_the_route_and_the_other_is_told() -> None:
    async def scenario() -> None:
        dice = random.Random(SEED)
        wins: Counter[int] = Counter()
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            both = [sefa, await live.log_in(live.add("sefa", like=sefa.device))]
            own = odile.device.device
            for _ in range(60):
                call_id = await live.ring(odile, *both)
                answers = [Signalled(own, answer(call_id, client.device.device)).encode() for client in both]
                await asyncio.gather(
                    *(
                        after(dice.random() / 500, client.send(frame))
                        for client, frame in zip(both, answers, strict=True)
                    )
                )
                first = await odile.frame()
                assert isinstance(first, Signalled)
                chosen = [client.device.device for client in both].index(first.device)
                winner, loser = both[chosen], both[1 - chosen]
                wins[chosen] += 1
                cancelled = cancel(call_id, own)
                frames = [
                    Signalled(loser.device.device, cancelled).encode(),
                    Signalled(winner.device.device, confirm(call_id)).encode(),
                ]
                for frame in dice.sample(frames, 2):
                    await odile.send(frame)
                assert isinstance(route := await winner.frame(), Route)
                assert await winner.frame() == Signalled(own, confirm(call_id))
                assert await loser.frame() == Signalled(own, cancelled)
                assert live.hub._calls.of(loser.device.device) == ()
                seen = [await odile.frame(), await odile.frame()]  # the late ANSWER may still arrive
                (near,) = (frame for frame in seen if isinstance(frame, Route))
                await odile.relay(near.route, b"hello")
                assert await winner.frame() == Relay(route.route, b"hello")
                await winner.send(hang_up(call_id))
                assert await odile.frame() == line(call_id, winner.device, LineState.ENDED)
                assert live.hub.counts()["calls"] == 0
            for client in (odile, *both):
                await client.settle()
        assert min(wins[0], wins[1]) >= 5

    uvloop.run(scenario())


def test_s36_accept_against_the_servers_time_out() -> None:
    async def scenario() -> None:
        dice = random.Random(SEED)
        outcomes: Counter[str] = Counter()
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            near, far = odile.device.device, sefa.device.device

            async def choose(call_id: CallId) -> None:
                with contextlib.suppress(TimeoutError):
                    await odile.frame(0.03)
                    await asyncio.sleep(dice.random() / 500)
                    await odile.send(Signalled(far, confirm(call_id)).encode())

            async def time_out() -> None:
                live.advance(RING_RECORD_SECONDS)

            for _ in range(80):
                call_id = await live.ring(odile, sefa)
                await asyncio.gather(
                    after(dice.random() / 500, sefa.send(Signalled(near, answer(call_id, far)).encode())),
                    after(dice.random() / 200, time_out()),
                    choose(call_id),
                )
                at_caller, at_callee = await asyncio.gather(drain(odile), drain(sefa))
                routes = [frame for frame in (*at_caller, *at_callee) if isinstance(frame, Route)]
                if routes:
                    assert [type(frame) for frame in at_caller] == [Route]
                    assert [type(frame) for frame in at_callee] == [Route, Signalled]
                    await sefa.send(hang_up(call_id))
                    assert await odile.frame() == line(call_id, sefa.device, LineState.ENDED)
                else:
                    assert at_caller == at_callee == []
                outcomes["talked" if routes else "timed out"] += 1
                assert live.hub._calls.of(near) == live.hub._calls.of(far) == ()
                assert live.hub.counts()["calls"] == 0
        assert min(outcomes["talked"], outcomes["timed out"]) >= 10

    uvloop.run(scenario())

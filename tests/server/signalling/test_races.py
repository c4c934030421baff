"""S-36: events that cross on the wire. Two hundred rounds each; after every round nothing is left over."""

import asyncio
import random
from collections import Counter

import uvloop
from tests.server.signalling.live import Live, serve
from tests.server.signalling.raw_client import RawClient
from tests.server.signalling.scripts import answer, cancel, confirm, decline, hang_up, line

from whisp.wire.frames import LineState, LineStatus, Relay, Route, Signalled
from whisp.wire.ids import CallId, RouteId
from whisp.wire.signals import SignalType, peek_type

ROUNDS = 200
SEED = 20_360


class Caller:
    """The caller's side of one ring: confirms the first ANSWER, unless it gave up before."""

    def __init__(self, client: RawClient, call_id: CallId, callees: list[RawClient]) -> None:
        self.client = client
        self.call_id = call_id
        self.callees = callees
        self.chosen: bytes | None = None
        self.has_given_up = False
        self.route: RouteId | None = None
        self.declined = 0
        self.ended = 0

    async def send(self, to: bytes, signal: bytes) -> None:
        await self.client.send(b"\x21" + to + signal)

    async def give_up(self) -> None:
        """Cancel everywhere, if nobody was chosen yet."""
        if self.chosen is None:
            self.has_given_up = True
            for callee in self.callees:
                await self.send(callee.device.device, cancel(self.call_id, self.client.device.device))

    async def listen(self) -> None:
        while True:
            match await self.client.frame():
                case Signalled(device, signal):
                    kind = peek_type(signal)
                    if kind is SignalType.ANSWER and self.chosen is None and not self.has_given_up:
                        self.chosen = device
                        await self.send(device, confirm(self.call_id))
                        for callee in self.callees:
                            if callee.device.device != device:
                                own = self.client.device.device
                                await self.send(callee.device.device, cancel(self.call_id, own))
                    elif kind is SignalType.DECLINE:
                        self.declined += 1
                case Route() as route:
                    self.route = route.route
                case LineStatus(state=LineState.ENDED):
                    self.ended += 1


class Callee:
    """A rung device: answers or declines in its time, unless it was cancelled before."""

    def __init__(self, client: RawClient, call_id: CallId, caller: RawClient) -> None:
        self.client = client
        self.call_id = call_id
        self.caller = caller
        self.is_cancelled = False
        self.is_confirmed = False
        self.route: RouteId | None = None

    async def respond(self, delay: float, accepts: bool) -> None:
        await asyncio.sleep(delay)
        if not self.is_cancelled:
            make = answer if accepts else decline
            own = self.client.device.device
            await self.client.send(b"\x21" + self.caller.device.device + make(self.call_id, own))

    async def listen(self) -> None:
        while True:
            match await self.client.frame():
                case Signalled(_, signal) if peek_type(signal) is SignalType.CANCEL:
                    self.is_cancelled = True
                case Signalled(_, signal) if peek_type(signal) is SignalType.CONFIRM:
                    self.is_confirmed = True
                case Route() as route:
                    self.route = route.route


async def play(live: Live, odile: RawClient, devices: list[RawClient], dice: random.Random) -> str:
    """Play one round; return how it ended."""
    call_id = await live.ring(odile, *devices)
    caller = Caller(odile, call_id, devices)
    callees = [Callee(client, call_id, odile) for client in devices]
    listening = [asyncio.ensure_future(caller.listen())]
    listening += [asyncio.ensure_future(callee.listen()) for callee in callees]
    actions = [callee.respond(dice.random() / 500, dice.random() < 0.8) for callee in callees]
    if dice.random() < 0.7:
        actions.append(later(dice.random() / 500, caller))
    await asyncio.gather(*actions)
    for _ in range(3):  # enough for every answer to an answer
        for side in (odile, *devices):
            side.write_piece(b"", 9)
        await asyncio.sleep(0.002)
    await live.until(lambda: caller.chosen is None or caller.route is not None or caller.ended > 0)
    await asyncio.sleep(0.002)
    for task in listening:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)

    confirmed = [callee for callee in callees if callee.is_confirmed]
    with_route = [callee for callee in callees if callee.route is not None]
    assert confirmed == with_route
    assert len(confirmed) == (caller.route is not None) <= 1
    if caller.route is None:
        outcome = "given up" if caller.has_given_up else "declined"
        assert caller.chosen is None
    else:
        outcome = "talked"
        (winner,) = confirmed
        assert winner.client.device.device == caller.chosen
        assert not caller.has_given_up
        assert winner.route is not None
        await odile.relay(caller.route, b"hello")
        assert await winner.client.frame() == Relay(winner.route, b"hello")
        await winner.client.send(hang_up(call_id))
        assert await odile.frame() == line(call_id, winner.client.device, LineState.ENDED)
    for loser in callees:
        if loser not in confirmed and live.hub._calls.of(loser.client.device.device):
            await loser.client.send(hang_up(call_id))
            await loser.client.settle()
    await asyncio.sleep(0)
    for side in (odile, *devices):
        assert live.hub._calls.of(side.device.device) == ()
    return outcome


async def later(delay: float, caller: Caller) -> None:
    await asyncio.sleep(delay)
    await caller.give_up()


def test_s36_accept_against_cancel_and_two_devices_accepting() -> None:
    async def scenario() -> None:
        dice = random.Random(SEED)
        outcomes: Counter[str] = Counter()
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            tablet = await live.log_in(live.add("sefa", like=sefa.device))
            for _ in range(ROUNDS):
                outcomes[await play(live, odile, [sefa, tablet], dice)] += 1
            for client in (odile, sefa, tablet):
                await client.settle()  # sixteen strays would have closed it
            assert live.hub.counts()["calls"] == 0
        assert outcomes["talked"] > ROUNDS // 10
        assert outcomes["given up"] > ROUNDS // 10

    uvloop.run(scenario())


def test_s36_a_pre_key_asked_for_by_two_callers_is_given_to_one() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            sefa = live.add("sefa")
            client = await live.log_in(sefa, one_time=20)
            given: list[bytes] = []
            for _ in range(10):
                pairs = await asyncio.gather(*(live.presence.bundles("sefa", live.now) for _ in range(2)))
                given += [bundle[-1326:] for (bundle,) in pairs]
            assert len(set(given)) == 20
            await client.disconnect()

    uvloop.run(scenario())


def test_s36_both_ring_each_other() -> None:
    async def scenario() -> None:
        async with serve("picows") as live:
            odile, sefa = await live.online("odile"), await live.online("sefa")
            for _ in range(20):
                one = await live.ring(odile, sefa)
                two = await live.ring(sefa, odile)
                await sefa.send(b"\x21" + odile.device.device + cancel(two, sefa.device.device))
                assert isinstance(await odile.frame(), Signalled)
                await sefa.send(b"\x21" + odile.device.device + answer(one, sefa.device.device))
                assert isinstance(await odile.frame(), Signalled)
                await odile.send(b"\x21" + sefa.device.device + confirm(one))
                assert isinstance(await odile.frame(), Route)
                assert isinstance(await sefa.frame(), Route)
                assert isinstance(await sefa.frame(), Signalled)
                assert live.hub.counts()["calls"] == 1
                await odile.send(hang_up(one))
                assert isinstance(await sefa.frame(), LineStatus)
            assert live.hub.counts()["calls"] == 0

    uvloop.run(scenario())

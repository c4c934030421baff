"""Calls: who may say what to whom, and what both sides are told. No socket, no clock."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.server.signalling.scripts import answer, cancel, confirm, decline, offer

from whisp.server.limits import (
    MAX_CALLS_PER_DEVICE,
    MAX_RINGS_PER_CALLEE,
    MAX_RINGS_PER_CALLER,
    MAX_SIGNALS_PER_DEVICE,
    RING_RECORD_SECONDS,
    TOMBSTONE_SECONDS,
)
from whisp.server.signalling.calls import Accepted, Calls
from whisp.server.signalling.effects import CloseRoute, CountStray, Effects, OpenRoute, Send
from whisp.wire.errors import MalformedError
from whisp.wire.frames import LineState, LineStatus, Route, Signalled, decode_server_frame
from whisp.wire.ids import CallId, DeviceId, RouteId
from whisp.wire.limits import HOLD_SECONDS

ODILE, SEFA, TABLET, NILS = (DeviceId(bytes((n,)) * 16) for n in range(1, 5))
CALL, OTHER_CALL = CallId(b"c" * 16), CallId(b"d" * 16)
STRAY: Effects = (CountStray(),)


@pytest.fixture
def calls() -> Calls:
    return present(Calls())


def present(calls: Calls) -> Calls:
    for device in (ODILE, SEFA, TABLET, NILS):
        assert calls.arrive(device, 0) == ()
    return calls


def passed_on(sender: DeviceId, recipient: DeviceId, signal: bytes) -> Effects:
    return (Send(recipient, Signalled(sender, signal).encode()),)


def told(device: DeviceId, about: DeviceId, state: LineState, call_id: CallId = CALL) -> Send:
    return Send(device, LineStatus(call_id, about, state).encode())


def ring(calls: Calls, *callees: DeviceId, now: float = 0, call_id: CallId = CALL) -> None:
    assert calls.ring(ODILE, call_id, callees, now) == frozenset(callees)


def accept(calls: Calls, callee: DeviceId = SEFA, now: float = 0) -> tuple[RouteId, RouteId]:
    """Let a rung device answer and the caller confirm; return the caller's and the callee's route."""
    assert calls.signal(callee, ODILE, answer(CALL, callee), now) == passed_on(
        callee, ODILE, answer(CALL, callee)
    )
    near, far, callee_route, confirmed, caller_route = calls.signal(ODILE, callee, confirm(CALL), now)
    assert isinstance(near, OpenRoute)
    assert far == OpenRoute(ODILE, near.toward_route, callee, near.route)
    assert near == OpenRoute(callee, far.toward_route, ODILE, far.route)
    assert callee_route == Send(callee, Route(CALL, ODILE, near.route).encode())
    assert (confirmed,) == passed_on(ODILE, callee, confirm(CALL))
    assert caller_route == Send(ODILE, Route(CALL, callee, far.route).encode())
    return far.route, near.route


def test_a_call_from_ring_to_hang_up(calls: Calls) -> None:
    ring(calls, SEFA)
    caller_route, callee_route = accept(calls)
    assert caller_route != callee_route
    assert set(calls.hang_up(SEFA, CALL, 1)) == {
        CloseRoute(ODILE, caller_route),
        CloseRoute(SEFA, callee_route),
        told(ODILE, SEFA, LineState.ENDED),
    }
    assert len(calls) == 0
    assert calls.of(ODILE) == calls.of(SEFA) == ()


def test_decline_and_cancel_reach_the_other_side_and_end_the_ring(calls: Calls) -> None:
    for sender, recipient, signal in (
        (SEFA, ODILE, decline(CALL, SEFA)),
        (ODILE, SEFA, cancel(OTHER_CALL, ODILE)),
    ):
        ring(calls, SEFA, call_id=CallId(signal[4:20]))
        assert calls.signal(sender, recipient, signal, 0) == passed_on(sender, recipient, signal)
        assert len(calls) == 0
        assert calls.signal(sender, recipient, signal, 0) == ()  # the same again: under way when it ended


def test_the_first_device_to_be_confirmed_has_the_call_and_the_rest_can_be_cancelled(calls: Calls) -> None:
    ring(calls, SEFA, TABLET)
    calls.signal(TABLET, ODILE, answer(CALL, TABLET), 0)
    accept(calls, SEFA)
    assert calls.signal(TABLET, ODILE, answer(CALL, TABLET), 0) == ()
    assert calls.signal(ODILE, TABLET, confirm(CALL), 0) == STRAY
    assert calls.signal(ODILE, TABLET, cancel(CALL, ODILE), 0) == passed_on(
        ODILE, TABLET, cancel(CALL, ODILE)
    )
    assert calls.of(TABLET) == ()
    assert calls.signal(ODILE, TABLET, cancel(CALL, ODILE), 0) == ()
    assert len(calls) == 1


def test_a_device_that_was_not_chosen_is_forgotten_when_the_ring_ends(calls: Calls) -> None:
    ring(calls, SEFA, TABLET)
    accept(calls)
    assert calls.expire(RING_RECORD_SECONDS) == ()
    assert calls.of(TABLET) == ()
    assert isinstance(calls.of(ODILE)[0], Accepted)


def test_s10_confirm_without_an_answer_opens_nothing(calls: Calls) -> None:
    ring(calls, SEFA)
    assert calls.signal(ODILE, SEFA, confirm(CALL), 0) == STRAY
    calls.signal(SEFA, ODILE, answer(CALL, SEFA), 0)
    assert calls.signal(SEFA, ODILE, confirm(CALL), 0) == STRAY  # nor does the callee's own


@pytest.mark.parametrize("make", [answer, decline, cancel, lambda call, device: confirm(call)])
@pytest.mark.parametrize(
    ("sender", "recipient"),
    [(NILS, SEFA), (NILS, ODILE), (SEFA, NILS), (SEFA, TABLET), (ODILE, NILS), (SEFA, SEFA), (ODILE, ODILE)],
)
def test_s10_signals_pass_only_between_caller_and_rung_device(
    calls: Calls, make: Callable[[CallId, DeviceId], bytes], sender: DeviceId, recipient: DeviceId
) -> None:
    ring(calls, SEFA)
    assert calls.signal(sender, recipient, make(CALL, sender), 0) == STRAY
    accept(calls)
    assert calls.signal(sender, recipient, make(CALL, sender), 0) == STRAY


def test_signals_of_the_wrong_side_are_stray(calls: Calls) -> None:
    ring(calls, SEFA)
    assert calls.signal(ODILE, SEFA, answer(CALL, ODILE), 0) == STRAY
    assert calls.signal(ODILE, SEFA, decline(CALL, ODILE), 0) == STRAY
    assert calls.signal(SEFA, ODILE, cancel(CALL, SEFA), 0) == STRAY


def test_s05_a_second_confirm_and_an_old_answer_change_nothing(calls: Calls) -> None:
    ring(calls, SEFA)
    accept(calls)
    assert calls.signal(ODILE, SEFA, confirm(CALL), 0) == STRAY
    assert calls.signal(SEFA, ODILE, answer(CALL, SEFA), 0) == STRAY
    calls.hang_up(SEFA, CALL, 0)
    assert calls.ring(ODILE, CALL, [SEFA], 1) == frozenset()  # the id is spent
    ring(calls, SEFA, now=1, call_id=OTHER_CALL)
    assert calls.signal(SEFA, ODILE, answer(CALL, SEFA), 1) == ()  # of the old call
    assert calls.signal(ODILE, SEFA, confirm(OTHER_CALL), 1) == STRAY
    assert calls.hang_up(ODILE, CALL, 1) == ()  # a hang-up of the old call leaves the new one
    assert len(calls.of(SEFA)) == 1


def test_an_offer_is_no_signal(calls: Calls) -> None:
    ring(calls, SEFA)
    with pytest.raises(MalformedError):
        calls.signal(ODILE, SEFA, offer(CALL, SEFA), 0)
    for cut in (b"", b"\x02", answer(CALL, SEFA)[:19], b"\x09" + answer(CALL, SEFA)[1:]):
        with pytest.raises(MalformedError):
            calls.signal(SEFA, ODILE, cut, 0)


def test_a_device_speaks_a_bounded_number_of_times(calls: Calls) -> None:
    ring(calls, SEFA)
    for _ in range(MAX_SIGNALS_PER_DEVICE):
        assert calls.signal(SEFA, ODILE, answer(CALL, SEFA), 0) != STRAY
    assert calls.signal(SEFA, ODILE, answer(CALL, SEFA), 0) == STRAY


def test_who_cannot_be_rung(calls: Calls) -> None:
    calls.leave(TABLET, 0)
    assert calls.ring(ODILE, CALL, [ODILE, TABLET], 0) == frozenset()
    assert calls.ring(ODILE, CALL, [], 0) == frozenset()
    assert len(calls) == 0
    assert calls.ring(ODILE, CALL, [ODILE, SEFA, TABLET], 0) == {SEFA}
    assert calls.ring(ODILE, CALL, [NILS], 0) == frozenset()  # one ring per call id
    assert calls.ring(NILS, CALL, [SEFA], 0) == frozenset()  # SEFA knows that id from another


def test_rings_are_bounded_at_both_sides(calls: Calls) -> None:
    for n in range(MAX_RINGS_PER_CALLER):
        ring(calls, SEFA, call_id=CallId(bytes((n,)) * 16))
    assert calls.ring(ODILE, OTHER_CALL, [SEFA], 0) == frozenset()
    crowd = [DeviceId(bytes((100 + n,)) * 16) for n in range(MAX_RINGS_PER_CALLEE)]
    rung = [calls.ring(device, CallId(OTHER_CALL[:15] + device[:1]), [SEFA], 0) for device in crowd]
    assert rung.count(frozenset({SEFA})) == MAX_RINGS_PER_CALLEE - MAX_RINGS_PER_CALLER
    calls.signal(SEFA, ODILE, decline(CallId(bytes(16)), SEFA), 0)  # makes room at both
    assert calls.ring(ODILE, CALL, [SEFA], 0) == {SEFA}


def test_calls_of_a_device_are_bounded(calls: Calls) -> None:
    for n in range(MAX_CALLS_PER_DEVICE):
        call_id = CallId(bytes((n,)) * 16)
        ring(calls, SEFA, call_id=call_id)
        calls.signal(SEFA, ODILE, answer(call_id, SEFA), 0)
        calls.signal(ODILE, SEFA, confirm(call_id), 0)
    assert calls.ring(ODILE, CALL, [NILS], 0) == frozenset()
    assert calls.ring(NILS, CALL, [SEFA], 0) == frozenset()
    assert calls.ring(NILS, CALL, [TABLET], 0) == {TABLET}


def test_an_unanswered_ring_is_forgotten(calls: Calls) -> None:
    ring(calls, SEFA)
    assert calls.expire(RING_RECORD_SECONDS - 1) == ()
    assert len(calls) == 1
    assert calls.expire(RING_RECORD_SECONDS) == ()
    assert len(calls) == 0
    assert calls.signal(SEFA, ODILE, answer(CALL, SEFA), RING_RECORD_SECONDS) == ()
    calls.expire(RING_RECORD_SECONDS + TOMBSTONE_SECONDS)
    assert calls.signal(SEFA, ODILE, answer(CALL, SEFA), 71) == STRAY


def test_a_short_absence_holds_the_call(calls: Calls) -> None:
    ring(calls, SEFA)
    caller_route, callee_route = accept(calls)
    assert calls.leave(SEFA, 10) == (told(ODILE, SEFA, LineState.DOWN),)
    assert calls.expire(10 + HOLD_SECONDS - 1) == ()
    assert calls.arrive(SEFA, 69) == (
        Send(SEFA, Route(CALL, ODILE, callee_route).encode()),
        told(ODILE, SEFA, LineState.UP),
    )
    assert calls.expire(10 + HOLD_SECONDS) == ()
    assert calls.leave(ODILE, 80) == (told(SEFA, ODILE, LineState.DOWN),)
    assert calls.leave(SEFA, 90) == (told(ODILE, SEFA, LineState.DOWN),)
    assert calls.arrive(SEFA, 100) == (
        Send(SEFA, Route(CALL, ODILE, callee_route).encode()),
        told(SEFA, ODILE, LineState.DOWN),
        told(ODILE, SEFA, LineState.UP),
    )
    assert set(calls.expire(80 + HOLD_SECONDS)) == {
        CloseRoute(ODILE, caller_route),
        CloseRoute(SEFA, callee_route),
        told(SEFA, ODILE, LineState.ENDED),
    }
    assert len(calls) == 0


def test_a_callee_that_is_away_at_confirm_ends_the_call(calls: Calls) -> None:
    ring(calls, SEFA)
    calls.signal(SEFA, ODILE, answer(CALL, SEFA), 0)
    assert calls.leave(SEFA, 0) == ()
    assert calls.signal(ODILE, SEFA, confirm(CALL), 1) == (told(ODILE, SEFA, LineState.ENDED),)
    assert len(calls) == 0


def test_hanging_up_while_it_rings(calls: Calls) -> None:
    ring(calls, SEFA, TABLET)
    assert calls.hang_up(SEFA, CALL, 0) == (told(ODILE, SEFA, LineState.ENDED),)
    assert calls.hang_up(SEFA, CALL, 0) == ()
    assert calls.hang_up(ODILE, CALL, 0) == (told(TABLET, ODILE, LineState.ENDED),)
    assert len(calls) == 0
    assert calls.hang_up(NILS, CALL, 0) == STRAY


def test_a_removed_device_leaves_nothing(calls: Calls) -> None:
    ring(calls, SEFA)
    accept(calls)
    ring(calls, SEFA, TABLET, call_id=OTHER_CALL)
    effects = calls.remove(ODILE, 0)
    assert told(SEFA, ODILE, LineState.ENDED) in effects
    assert told(SEFA, ODILE, LineState.ENDED, OTHER_CALL) in effects
    assert told(TABLET, ODILE, LineState.ENDED, OTHER_CALL) in effects
    assert len(calls) == 0


DEVICES = (ODILE, SEFA, TABLET, NILS)


class CallsMachine(RuleBasedStateMachine):
    """Any order of events leaves both sides of every call agreeing, and frames only for those in it."""

    call_ids: Bundle[CallId] = Bundle("call_ids")

    def __init__(self) -> None:
        super().__init__()
        self.calls = present(Calls())
        self.now = 0.0
        self.routes: dict[tuple[DeviceId, RouteId], DeviceId] = {}

    def take(self, effects: Effects, sender: DeviceId | None = None) -> None:
        for effect in effects:
            match effect:
                case OpenRoute(device, route, toward, _):
                    assert device != toward
                    self.routes[device, route] = toward
                case CloseRoute(device, route):
                    del self.routes[device, route]
                case Send(device, frame):
                    decoded = decode_server_frame(frame)
                    assert not isinstance(decoded, Signalled) or decoded.device == sender
                    assert getattr(decoded, "device", None) != device

    @rule(target=call_ids, n=st.integers(0, 255))
    def new_call_id(self, n: int) -> CallId:
        return CallId(bytes((n,)) * 16)

    @rule(call_id=call_ids, caller=st.sampled_from(DEVICES), callees=st.sets(st.sampled_from(DEVICES)))
    def ring(self, call_id: CallId, caller: DeviceId, callees: set[DeviceId]) -> None:
        assert self.calls.ring(caller, call_id, callees, self.now) <= callees - {caller}

    @rule(
        call_id=call_ids,
        sender=st.sampled_from(DEVICES),
        recipient=st.sampled_from(DEVICES),
        make=st.sampled_from([answer, decline, cancel, lambda call, device: confirm(call)]),
    )
    def signal(
        self,
        call_id: CallId,
        sender: DeviceId,
        recipient: DeviceId,
        make: Callable[[CallId, DeviceId], bytes],
    ) -> None:
        self.take(self.calls.signal(sender, recipient, make(call_id, sender), self.now), sender)

    @rule(call_id=call_ids, caller=st.sampled_from(DEVICES), callee=st.sampled_from(DEVICES))
    def talk(self, call_id: CallId, caller: DeviceId, callee: DeviceId) -> None:
        self.calls.ring(caller, call_id, [callee], self.now)
        self.signal(call_id, callee, caller, answer)
        self.signal(call_id, caller, callee, lambda call, device: confirm(call))

    @rule(call_id=call_ids, device=st.sampled_from(DEVICES))
    def hang_up(self, call_id: CallId, device: DeviceId) -> None:
        self.take(self.calls.hang_up(device, call_id, self.now))

    @rule(device=st.sampled_from(DEVICES), back=st.booleans())
    def flap(self, device: DeviceId, back: bool) -> None:
        self.take(self.calls.leave(device, self.now))
        if back:
            self.take(self.calls.arrive(device, self.now))

    @rule(device=st.sampled_from(DEVICES))
    def remove(self, device: DeviceId) -> None:
        self.take(self.calls.remove(device, self.now))
        assert self.calls.of(device) == ()

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.take(self.calls.expire(self.now))

    @invariant()
    def both_sides_agree(self) -> None:
        open_routes = {}
        for device in DEVICES:
            calls = self.calls.of(device)
            assert len({call.call_id for call in calls}) == len(calls) <= MAX_CALLS_PER_DEVICE
            for call in calls:
                if isinstance(call, Accepted):
                    assert device in {*call.ends, *call.elsewhere}
                    assert all(call in self.calls.of(end) for end in (*call.ends, *call.elsewhere))
                    if device in call.ends:
                        open_routes[device, call.ends[device].route] = call.other(device)
                else:
                    assert call.rung
                    assert device in {call.caller, *call.rung}
                    assert all(call in self.calls.of(end) for end in (call.caller, *call.rung))
        assert open_routes == self.routes

    def teardown(self) -> None:
        """After long enough nothing is left."""
        for device in DEVICES:
            self.take(self.calls.leave(device, self.now))
        self.now += HOLD_SECONDS + RING_RECORD_SECONDS
        self.take(self.calls.expire(self.now))
        assert len(self.calls) == 0
        assert not self.routes


TestCallsMachine = CallsMachine.TestCase
TestCallsMachine.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


@pytest.mark.nightly
def test_calls_machine_longer() -> None:
    run_state_machine_as_test(
        CallsMachine, settings=settings(max_examples=2000, stateful_step_count=100, deadline=None)
    )

"""The calls the server knows of: who rings whom, who may signal whom, and which routes are open.

Sans-I/O: every method takes what happened and `now` (monotonic seconds), and returns what is to be done.
The server cannot tell a true ANSWER from a made-up one; it only keeps strangers out and both sides bounded.
"""

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from whisp.server.limits import (
    MAX_CALLS_PER_DEVICE,
    MAX_RINGS_PER_CALLEE,
    MAX_RINGS_PER_CALLER,
    MAX_SIGNALS_PER_DEVICE,
    MAX_TOMBSTONES,
    RING_RECORD_SECONDS,
    TOMBSTONE_SECONDS,
)
from whisp.server.signalling.effects import CloseRoute, CountStray, Effect, Effects, OpenRoute, Send
from whisp.wire.errors import MalformedError
from whisp.wire.frames import LineState, LineStatus, Route, Signalled
from whisp.wire.ids import CallId, DeviceId, RouteId
from whisp.wire.limits import HOLD_SECONDS
from whisp.wire.signals import SignalType, peek_call_id, peek_type

__all__ = ["Accepted", "Calls", "Ringing"]


@dataclass(slots=True)
class _Callee:
    """A rung device: how often it spoke, and whether it said yes."""

    signals: int = 0
    has_answered: bool = False


@dataclass(slots=True, eq=False)
class Ringing:
    """A call that nobody has accepted yet."""

    call_id: CallId
    caller: DeviceId
    rung: dict[DeviceId, _Callee]


@dataclass(slots=True)
class _End:
    """One device's end of an accepted call."""

    route: RouteId
    away_since: float | None = None


@dataclass(slots=True, eq=False)
class Accepted:
    """A call between two devices, each with its route."""

    call_id: CallId
    caller: DeviceId
    callee: DeviceId
    ends: dict[DeviceId, _End]
    elsewhere: set[DeviceId] = field(default_factory=set)
    """Rung devices that were not chosen. They have left; only the caller's CANCEL still reaches them."""

    def other(self, device: DeviceId) -> DeviceId:
        """Return the device at the other end."""
        return self.callee if device == self.caller else self.caller


class Calls:
    """Every call of this process, by the devices in it. To any other device its id means nothing."""

    def __init__(self) -> None:
        self._by_device: dict[DeviceId, dict[CallId, Ringing | Accepted]] = {}
        self._present: set[DeviceId] = set()
        self._rings: deque[tuple[float, CallId, DeviceId]] = deque()
        self._holds: deque[tuple[float, CallId, DeviceId]] = deque()
        self._ended: dict[tuple[DeviceId, CallId], float] = {}

    def __len__(self) -> int:
        """How many calls there are, counted at their callers."""
        return sum(
            call.caller == device for device, calls in self._by_device.items() for call in calls.values()
        )

    def of(self, device: DeviceId) -> tuple[Ringing | Accepted, ...]:
        """Return the calls a device is in, or was rung for."""
        return tuple(self._by_device.get(device, {}).values())

    def is_talking(self, device: DeviceId, call_id: CallId) -> bool:
        """Say whether the call was accepted and `device` is one of its two ends."""
        call = self._find(device, call_id)
        return isinstance(call, Accepted) and device in call.ends

    def ring(
        self, caller: DeviceId, call_id: CallId, callees: Iterable[DeviceId], now: float
    ) -> frozenset[DeviceId]:
        """Register a call from `caller` and return which of `callees` to ring, possibly none of them."""
        own = self.of(caller)
        placed = sum(isinstance(call, Ringing) and call.caller == caller for call in own)
        if len(own) >= MAX_CALLS_PER_DEVICE or placed >= MAX_RINGS_PER_CALLER:
            return frozenset()
        if self._knows(caller, call_id):
            return frozenset()
        rung = {
            device: _Callee()
            for device in callees
            if device != caller and not self._knows(device, call_id) and self._can_be_rung(device)
        }
        if rung:
            call = Ringing(call_id, caller, rung)
            for device in (caller, *rung):
                self._by_device.setdefault(device, {})[call_id] = call
            self._rings.append((now + RING_RECORD_SECONDS, call_id, caller))
        return frozenset(rung)

    def signal(self, sender: DeviceId, recipient: DeviceId, signal: bytes, now: float) -> Effects:
        """Pass on a handshake message, if both are in its call and it is the sender's turn.

        Raises:
            MalformedError: not an ANSWER, DECLINE, CANCEL or CONFIRM.
        """
        kind, call_id = peek_type(signal), peek_call_id(signal)
        if kind is SignalType.OFFER:
            raise MalformedError("an OFFER belongs in a request")
        match self._find(sender, call_id):
            case None:
                return self._stray(sender, call_id)
            case Ringing() as call if sender == call.caller:
                return self._signal_from_caller(call, recipient, kind, signal, now)
            case Ringing() as call:
                return self._signal_from_callee(call, sender, recipient, kind, signal, now)
            case Accepted() as call:
                return self._signal_after_accept(call, sender, recipient, kind, signal, now)

    def hang_up(self, device: DeviceId, call_id: CallId, now: float) -> Effects:
        """Take a device out of a call, and tell the other side."""
        call = self._find(device, call_id)
        if call is None:
            return self._stray(device, call_id)
        return tuple(self._leave_call(call, device, now))

    def arrive(self, device: DeviceId, now: float) -> Effects:
        """The device has a socket: give it its routes again, and tell the other ends."""
        self._present.add(device)
        effects: list[Effect] = []
        for call in self.of(device):
            if isinstance(call, Accepted) and device in call.ends:
                other = call.other(device)
                call.ends[device].away_since = None
                effects.append(_route(call, device))
                if call.ends[other].away_since is not None:
                    effects.append(_line(call, device, other, LineState.DOWN))
                effects.append(_line(call, other, device, LineState.UP))
        return tuple(effects)

    def leave(self, device: DeviceId, now: float) -> Effects:
        """The device's socket is gone: hold its accepted calls, and tell the other ends."""
        self._present.discard(device)
        effects: list[Effect] = []
        for call in self.of(device):
            if isinstance(call, Accepted) and device in call.ends:
                call.ends[device].away_since = now
                self._holds.append((now + HOLD_SECONDS, call.call_id, device))
                effects.append(_line(call, call.other(device), device, LineState.DOWN))
        return tuple(effects)

    def remove(self, device: DeviceId, now: float) -> Effects:
        """The device is not allowed here any more: end all its calls."""
        self._present.discard(device)
        return tuple(effect for call in self.of(device) for effect in self._leave_call(call, device, now))

    def expire(self, now: float) -> Effects:
        """End what has waited long enough: rings, holds, and the memory of what ended."""
        effects: list[Effect] = []
        while self._rings and self._rings[0][0] <= now:
            _, call_id, caller = self._rings.popleft()
            effects += self._end_ring(caller, call_id, now)
        while self._holds and self._holds[0][0] <= now:
            deadline, call_id, device = self._holds.popleft()
            call = self._find(device, call_id)
            if isinstance(call, Accepted) and device in call.ends:
                away_since = call.ends[device].away_since
                if away_since is not None and away_since + HOLD_SECONDS <= deadline:
                    effects += self._leave_call(call, device, now)
        while self._ended:
            key, deadline = next(iter(self._ended.items()))
            if deadline > now and len(self._ended) <= MAX_TOMBSTONES:
                break
            del self._ended[key]
        return tuple(effects)

    def _signal_from_caller(
        self, call: Ringing, callee: DeviceId, kind: SignalType, signal: bytes, now: float
    ) -> Effects:
        state = call.rung.get(callee)
        if state is None:
            return self._stray(callee, call.call_id)
        if kind is SignalType.CANCEL:
            self._drop_callee(call, callee, now)
            return (_pass_on(call.caller, callee, signal),)
        if kind is SignalType.CONFIRM and state.has_answered:
            return self._accept(call, callee, signal, now)
        return (CountStray(),)

    def _signal_from_callee(
        self,
        call: Ringing,
        sender: DeviceId,
        recipient: DeviceId,
        kind: SignalType,
        signal: bytes,
        now: float,
    ) -> Effects:
        state = call.rung[sender]
        state.signals += 1
        if recipient != call.caller or state.signals > MAX_SIGNALS_PER_DEVICE:
            return (CountStray(),)
        if kind is SignalType.ANSWER:
            state.has_answered = True
        elif kind is SignalType.DECLINE:
            self._drop_callee(call, sender, now)
        else:
            return (CountStray(),)
        return (_pass_on(sender, recipient, signal),)

    def _signal_after_accept(
        self,
        call: Accepted,
        sender: DeviceId,
        recipient: DeviceId,
        kind: SignalType,
        signal: bytes,
        now: float,
    ) -> Effects:
        if sender in call.elsewhere:
            return ()  # its ANSWER crossed the caller's choice of another device
        if sender == call.caller and recipient in call.elsewhere and kind is SignalType.CANCEL:
            self._drop_elsewhere(call, recipient, now)
            return (_pass_on(sender, recipient, signal),)
        return self._stray(recipient, call.call_id)

    def _accept(self, call: Ringing, callee: DeviceId, confirm: bytes, now: float) -> Effects:
        if callee not in self._present:
            # CONFIRM would be lost, and nothing is kept for later: the caller had better ring again.
            self._drop_callee(call, callee, now)
            return (_line(call, call.caller, callee, LineState.ENDED),)
        caller, call_id = call.caller, call.call_id
        accepted = Accepted(
            call_id,
            caller,
            callee,
            {caller: _End(RouteId(os.urandom(16))), callee: _End(RouteId(os.urandom(16)))},
            call.rung.keys() - {callee},
        )
        for device in (caller, *call.rung):
            self._by_device[device][call_id] = accepted
        near, far = accepted.ends[callee].route, accepted.ends[caller].route
        return (
            OpenRoute(callee, near, caller, far),
            OpenRoute(caller, far, callee, near),
            _route(accepted, callee),
            _pass_on(caller, callee, confirm),
            _route(accepted, caller),
        )

    def _leave_call(self, call: Ringing | Accepted, device: DeviceId, now: float) -> Iterable[Effect]:
        if isinstance(call, Ringing):
            if device == call.caller:
                told = tuple(call.rung)
                self._forget(call.call_id, (device, *told), now)
                return [_line(call, callee, device, LineState.ENDED) for callee in told]
            self._drop_callee(call, device, now)
            return [_line(call, call.caller, device, LineState.ENDED)]
        if device in call.elsewhere:
            self._drop_elsewhere(call, device, now)
            return []
        self._forget(call.call_id, (*call.ends, *call.elsewhere), now)
        return [
            *(CloseRoute(end, state.route) for end, state in call.ends.items()),
            _line(call, call.other(device), device, LineState.ENDED),
        ]

    def _end_ring(self, caller: DeviceId, call_id: CallId, now: float) -> Iterable[Effect]:
        """Nobody may answer any more; an accepted call goes on, without those who were not chosen."""
        call = self._find(caller, call_id)
        if isinstance(call, Ringing) and call.caller == caller:
            self._forget(call_id, (caller, *call.rung), now)
        elif isinstance(call, Accepted) and call.caller == caller:
            for device in tuple(call.elsewhere):
                self._drop_elsewhere(call, device, now)
        return ()

    def _drop_callee(self, call: Ringing, callee: DeviceId, now: float) -> None:
        del call.rung[callee]
        gone = (callee,) if call.rung else (callee, call.caller)
        self._forget(call.call_id, gone, now)

    def _drop_elsewhere(self, call: Accepted, device: DeviceId, now: float) -> None:
        call.elsewhere.discard(device)
        self._forget(call.call_id, (device,), now)

    def _forget(self, call_id: CallId, devices: Iterable[DeviceId], now: float) -> None:
        for device in devices:
            calls = self._by_device[device]
            del calls[call_id]
            if not calls:
                del self._by_device[device]
            self._ended[device, call_id] = now + TOMBSTONE_SECONDS

    def _find(self, device: DeviceId, call_id: CallId) -> Ringing | Accepted | None:
        calls = self._by_device.get(device)
        return calls.get(call_id) if calls else None

    def _knows(self, device: DeviceId, call_id: CallId) -> bool:
        return self._find(device, call_id) is not None or (device, call_id) in self._ended

    def _can_be_rung(self, device: DeviceId) -> bool:
        calls = self.of(device)
        ringing = sum(isinstance(call, Ringing) and device in call.rung for call in calls)
        return (
            device in self._present and len(calls) < MAX_CALLS_PER_DEVICE and ringing < MAX_RINGS_PER_CALLEE
        )

    def _stray(self, device: DeviceId, call_id: CallId) -> Effects:
        """Count a frame, unless the call ended for `device` while the frame may have been under way."""
        return () if (device, call_id) in self._ended else (CountStray(),)


def _pass_on(sender: DeviceId, recipient: DeviceId, signal: bytes) -> Send:
    return Send(recipient, Signalled(sender, signal).encode())


def _route(call: Accepted, device: DeviceId) -> Send:
    return Send(device, Route(call.call_id, call.other(device), call.ends[device].route).encode())


def _line(call: Ringing | Accepted, told: DeviceId, about: DeviceId, state: LineState) -> Send:
    return Send(told, LineStatus(call.call_id, about, state).encode())

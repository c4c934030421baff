"""A ring this device started: one handshake for each device of the callee, and one that answers."""

import asyncio
from collections.abc import Callable
from typing import Final

from whisp.client.errors import BusyError, CallError, DeclinedError, NoAnswerError, RefusedIdentityError
from whisp.client.rtc_certificate import RtcCertificate
from whisp.core.errors import HandshakeError
from whisp.core.handshake import (
    MAX_INVALID_ANSWERS,
    CancelReason,
    ConfirmedCall,
    DeclineReason,
    OfferedCall,
)
from whisp.wire.errors import MalformedError
from whisp.wire.ids import AccountId, CallId, DeviceId, Username
from whisp.wire.signals import SignalType, peek_type

__all__ = ["OutgoingCall"]

ROUTE_SECONDS: Final = 10.0
"""From CONFIRM to the server's route: a round trip, with room."""


class OutgoingCall:
    """The devices that ring, and the outcome.

    Args:
        send: sends a signal to a device.
        confirm: called once, with the answering device and its confirmed call.
    """

    def __init__(
        self,
        username: Username,
        call_id: CallId,
        offers: dict[DeviceId, OfferedCall],
        send: Callable[[DeviceId, bytes], None],
        confirm: Callable[["OutgoingCall", DeviceId, ConfirmedCall], None],
    ) -> None:
        self.username = username
        self.call_id = call_id
        self._offers = offers
        self._account = next((offered.peer.account for offered in offers.values()), None)
        self._send = send
        self._confirm = confirm
        self._was_busy = False
        self._was_declined = False
        self._refusal: HandshakeError | None = None
        self.certificate: RtcCertificate | None = None
        """That of this call's WebRTC line, if a device that rings speaks it."""
        self.crossed_with: CallId | None = None
        """The peer's own call to here, if both rang each other and that one won."""
        self._is_posted = False
        self.is_taken = False
        """The application has the conversation."""
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the call is over or its conversation stands."""

    @property
    def is_ringing(self) -> bool:
        """Whether nobody has answered, and somebody still can."""
        return bool(self._offers) and self.crossed_with is None and not self.outcome.done()

    @property
    def is_over(self) -> bool:
        """Whether it came to an end: a conversation, or none."""
        return self.outcome.done()

    @property
    def account(self) -> AccountId | None:
        """The account that is rung, None if the server had no device to ring."""
        return self._account

    @property
    def devices(self) -> tuple[DeviceId, ...]:
        """The devices that still ring."""
        return tuple(self._offers)

    def posted(self) -> None:
        """The server has the OFFERs."""
        self._is_posted = True
        if self.crossed_with is not None:
            self.cancel(CancelReason.GLARE)

    def yield_to(self, call_id: CallId) -> None:
        """Both rang each other and the other call won: take the OFFERs back."""
        self.crossed_with = call_id
        if self._is_posted:
            self.cancel(CancelReason.GLARE)

    def receive(self, device: DeviceId, signal: bytes, now: float) -> None:
        """Take a signal from a device. One that does not hold changes nothing; three drop the device."""
        offered = self._offers.get(device)
        if offered is None or not self.is_ringing:
            return
        try:
            kind = peek_type(signal)
            if kind is SignalType.ANSWER:
                confirmed = offered.receive_answer(signal, now)
            elif kind is SignalType.DECLINE:
                reason = offered.receive_decline(signal)
                self._was_busy |= reason is DeclineReason.BUSY
                self._was_declined = True
                self._drop(device)
                return
            else:
                return
        except MalformedError:
            return
        except HandshakeError as error:
            if offered.refusals >= MAX_INVALID_ANSWERS:
                self._refusal = error
                offered.wipe()
                self._drop(device)
            return
        del self._offers[device]
        self.cancel(CancelReason.ELSEWHERE)
        self._confirm(self, device, confirmed)

    def leave(self, device: DeviceId) -> None:
        """A device can no longer answer: the server took it out of the call."""
        offered = self._offers.get(device)
        if offered is not None and self.is_ringing:
            offered.wipe()
            self._drop(device)

    def cancel(self, reason: CancelReason) -> None:
        """Tell every device that still rings to stop."""
        offers, self._offers = self._offers, {}
        for device, offered in offers.items():
            self._send(device, offered.cancel(reason))

    def succeed(self) -> None:
        """The conversation stands."""
        if not self.outcome.done():
            self.outcome.set_result(None)

    def fail(self, error: Exception) -> None:
        """It is over without a conversation."""
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()

    def wipe(self) -> None:
        """Drop every secret at once, and tell nobody."""
        for offered in self._offers.values():
            offered.wipe()
        self._offers.clear()
        self.fail(NoAnswerError())

    def _drop(self, device: DeviceId) -> None:
        del self._offers[device]
        if self._offers:
            return
        error: CallError | RefusedIdentityError
        if self._refusal is not None:
            error = RefusedIdentityError(str(self._refusal))
        elif self._was_busy:
            error = BusyError()
        elif self._was_declined:
            error = DeclinedError()
        else:
            error = NoAnswerError()
        self.fail(error)

"""An incoming ring: someone identified wants to talk; nothing has left this device yet."""

import asyncio
from typing import Protocol

from whisp.client.clock import Clock
from whisp.client.conversation import Conversation
from whisp.client.errors import RingEnd, RingOverError
from whisp.client.people import Contact, SafetyNumber
from whisp.client.rtc_certificate import RtcCertificate, RtcTerms, rtc_offer
from whisp.core.errors import HandshakeError
from whisp.core.handshake import (
    CONFIRM_WAIT_SECONDS,
    AnsweredCall,
    CallFlags,
    CancelReason,
    DeclineReason,
    IncomingCall,
    SessionSecrets,
)
from whisp.core.identity import PeerIdentity
from whisp.wire.certificate import DeviceKind
from whisp.wire.errors import MalformedError
from whisp.wire.ids import AccountId, CallId, DeviceId, Username
from whisp.wire.limits import RING_SECONDS
from whisp.wire.signals import SignalType, peek_type

__all__ = ["Ring", "RingHost"]


class RingHost(Protocol):
    """What a ring needs of its client."""

    clock: Clock

    @property
    def account_id(self) -> AccountId:
        """The own account."""
        ...

    def send_signal(self, device: DeviceId, signal: bytes) -> None:
        """Send a signal to a device of the call."""
        ...

    def rtc_certificate_for(self, peer: DeviceKind) -> RtcCertificate | None:
        """Make a certificate for a call with a device of this kind; None if it speaks no WebRTC."""
        ...

    def converse(self, ring: "Ring", secrets: SessionSecrets, first_message: bytes) -> Conversation:
        """Make the conversation of a confirmed call."""
        ...

    def ring_over(self, ring: "Ring") -> None:
        """It no longer rings."""
        ...


class Ring:
    """An incoming ring whose caller proved to hold its account's keys.

    No address and no sign of presence goes to the caller before `accept`.
    """

    def __init__(self, host: RingHost, call: IncomingCall, caller: Username, contact: Contact | None) -> None:
        """Applications get rings from `Client.rings`."""
        self._host = host
        self._ringing: IncomingCall | None = call
        self._answered: AnsweredCall | None = None
        self._conversation: asyncio.Future[Conversation] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._end: RingEnd | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.call_id: CallId = call.call_id
        self.peer: PeerIdentity = call.peer
        self.wants_direct = bool(call.call_flags & CallFlags.DIRECT)
        """The caller allows a direct line, which shows each side the other's address."""
        self.caller = caller
        """The caller's name, as the server knows it and as the contact book does not contradict."""
        self.contact = contact
        """The pinned contact of this name, None at first contact."""
        self.rtc: RtcTerms | None = None
        """What both sides agreed on for WebRTC, known once it is answered."""
        self.started_at = host.clock.now()
        self.expires_at = self.started_at + RING_SECONDS
        """When it stops ringing by itself, Unix seconds."""
        self._arm(RING_SECONDS, RingEnd.TIMED_OUT)

    def __repr__(self) -> str:
        return f"Ring({self._end or 'ringing'})"

    @property
    def account(self) -> AccountId:
        """The caller's account key."""
        return self.peer.account

    @property
    def device(self) -> DeviceId:
        """The caller's device."""
        return self.peer.device

    @property
    def is_verified(self) -> bool:
        """Say whether the caller is a contact whose safety number was compared."""
        return self.contact is not None and self.contact.verified

    @property
    def safety_number(self) -> SafetyNumber:
        """The number to compare with this caller. The first time takes about 50 ms."""
        return SafetyNumber.between(self._host.account_id, self.account)

    @property
    def is_ringing(self) -> bool:
        """Say whether it waits for an answer."""
        return self._ringing is not None and self._end is None

    @property
    def end(self) -> RingEnd | None:
        """How it ended, None while it rings."""
        return self._end

    async def ended(self) -> RingEnd:
        """Wait until it no longer rings, and say why."""
        await self._over.wait()
        assert self._end is not None
        return self._end

    async def accept(self) -> Conversation:
        """Answer, and return the conversation once the caller has proved to be live.

        Raises:
            RingOverError: it was over already, or the caller did not confirm within ten seconds.
        """
        self.answer()
        return await asyncio.shield(self._conversation)

    async def decline(self, *, busy: bool = False) -> None:
        """Refuse; `busy` says "in another call" instead of no. Does nothing if it is over already."""
        call, self._ringing = self._ringing, None
        if call is not None and call.is_live:
            reason = DeclineReason.BUSY if busy else DeclineReason.DECLINED
            self._host.send_signal(self.device, call.decline(reason))
            self._finish(RingEnd.DECLINED)

    # For the client

    def answer(self) -> None:
        """Send ANSWER. Raises RingOverError."""
        call, self._ringing = self._ringing, None
        if call is None or self._end is not None:
            raise RingOverError(self._end or RingEnd.ACCEPTED)
        try:
            certificate = self._host.rtc_certificate_for(self.peer.certificate.kind)
            self.rtc = RtcTerms.of(certificate, call.transport, call.fingerprint)
            transport, fingerprint = rtc_offer(None if self.rtc is None else self.rtc.certificate)
            answer, self._answered = call.accept(transport, fingerprint, self._host.clock.now())
        except HandshakeError:
            self._finish(RingEnd.FAILED)
            raise RingOverError(RingEnd.FAILED) from None
        self._arm(CONFIRM_WAIT_SECONDS, RingEnd.FAILED)
        self._host.send_signal(self.device, answer)

    def receive(self, signal: bytes) -> None:
        """Take a signal from the caller. One that does not hold changes nothing."""
        if self._end is not None:
            return
        try:
            kind = peek_type(signal)
            if kind is SignalType.CANCEL:
                state = self._answered or self._ringing
                if state is not None:
                    reason = state.receive_cancel(signal)
                    is_elsewhere = reason is CancelReason.ELSEWHERE
                    self._finish(RingEnd.ELSEWHERE if is_elsewhere else RingEnd.CANCELLED)
            elif kind is SignalType.CONFIRM and self._answered is not None:
                secrets, first_message = self._answered.receive_confirm(signal)
                self._answered = None
                conversation = self._host.converse(self, secrets, first_message)
                if not self._conversation.done():
                    self._conversation.set_result(conversation)
                self._finish(RingEnd.ACCEPTED)
        except (HandshakeError, MalformedError):
            return

    def fail(self, end: RingEnd) -> None:
        """End it from this side, without a word to the caller."""
        self._finish(end)

    def _arm(self, seconds: float, end: RingEnd) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._finish, end)

    def _finish(self, end: RingEnd) -> None:
        if self._end is not None:
            return
        self._end = end
        if self._timer is not None:
            self._timer.cancel()
        for state in (self._ringing, self._answered):
            if state is not None:
                state.wipe()
        self._ringing = self._answered = None
        if not self._conversation.done():
            self._conversation.set_exception(RingOverError(end))
            self._conversation.exception()
        self._over.set()
        self._host.ring_over(self)

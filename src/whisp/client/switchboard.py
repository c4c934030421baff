"""Takes every frame from the server to whom it concerns: rings, calls, routes, conversations."""

import asyncio
import os
from collections.abc import Coroutine
from math import inf
from typing import Final, Protocol

from whisp.client.clock import Clock
from whisp.client.contact_book import ContactBook
from whisp.client.conversation import Conversation
from whisp.client.conversation_host import ConversationHost
from whisp.client.errors import KeyChangedError, NoAnswerError, RefusedIdentityError, RingEnd, TransportError
from whisp.client.events import ClientEvent, KeyChanged, ServerWarning
from whisp.client.outgoing_call import ROUTE_SECONDS, OutgoingCall
from whisp.client.people import Member
from whisp.client.ring import Ring
from whisp.client.rtc_certificate import RtcCertificate, RtcTerms, may_use_rtc, rtc_offer
from whisp.client.server_lies import warn_of, warning_for
from whisp.client.server_socket import ServerSocket
from whisp.client.session_opening import open_session
from whisp.client.transport.relay import RelayTransport
from whisp.client.transport.transport import FrameHandler
from whisp.core.errors import (
    AccountKeyChangedError,
    ForkedDeviceListError,
    HandshakeError,
    StaleDeviceListError,
)
from whisp.core.handshake import (
    CallFlags,
    ConfirmedCall,
    ListView,
    OfferedCall,
    SessionSecrets,
    local_wins_glare,
    place_offer,
    receive_offer,
)
from whisp.core.identity import LocalDevice, PeerIdentity
from whisp.core.prekeys import PreKeyStore
from whisp.core.session import Session
from whisp.wire.certificate import DeviceKind
from whisp.wire.errors import MalformedError
from whisp.wire.frames import (
    HangUp,
    LineState,
    LineStatus,
    PreKeys,
    PreKeysLeft,
    Route,
    Signalled,
    decode_server_frame,
)
from whisp.wire.frames import (
    Ring as RingFrame,
)
from whisp.wire.ids import AccountId, CallId, DeviceId, RouteId, Username
from whisp.wire.limits import LOW_PRE_KEYS
from whisp.wire.prekey import PreKeyBundle
from whisp.wire.signals import peek_call_id

__all__ = ["Switchboard", "SwitchboardHost"]

MAX_RINGS: Final = 8
"""Rings at once; more are not even told to the application."""


class SwitchboardHost(ConversationHost, Protocol):
    """What the switchboard needs of its client."""

    auto_busy: bool

    @property
    def book(self) -> ContactBook:
        """The contacts, and what is remembered of their accounts."""
        ...

    @property
    def local(self) -> LocalDevice:
        """The own device, with its newest list."""
        ...

    @property
    def prekeys(self) -> PreKeyStore:
        """The private halves of what is advertised."""
        ...

    @property
    def username(self) -> Username:
        """The own name."""
        ...

    def tell(self, event: ClientEvent) -> None:
        """Tell the application."""
        ...

    def save_soon(self) -> None:
        """The contact book changed."""
        ...

    def ring_came(self, ring: Ring) -> None:
        """Tell the application of a ring."""
        ...

    def pre_keys_taken(self) -> None:
        """The server has this device's pre-keys: it delivers rings."""
        ...

    def own_list_is_behind(self) -> None:
        """Someone has seen a newer list of this account: fetch it."""
        ...


REFILL_SECONDS: Final = 6.0
"""The least time between two top-ups of pre-keys. The server takes one every five seconds."""


class Switchboard:
    """Who rings, who is rung, and which route belongs to which conversation."""

    def __init__(self, host: SwitchboardHost) -> None:
        self._host = host
        self.clock: Clock = host.clock
        self._socket: ServerSocket | None = None
        self._outgoing: dict[CallId, OutgoingCall] = {}
        self._rings: dict[CallId, Ring] = {}
        self._conversations: dict[CallId, Conversation] = {}
        self._waiting_for_route: dict[CallId, OutgoingCall] = {}
        self._pending_routes: dict[CallId, RouteId] = {}
        self._routes: dict[bytes, FrameHandler] = {}
        self._route_of: dict[CallId, RouteId] = {}
        self._holding: set[object] = set()
        self._published_at = -inf
        self._refill: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """Those that live now."""
        return tuple(self._conversations.values())

    @property
    def is_busy(self) -> bool:
        """Whether anything waits for the line."""
        return bool(self._conversations or self._outgoing or self._rings)

    @property
    def account_id(self) -> AccountId:
        """The own account."""
        return self._host.local.account

    # The line

    def online(self, socket: ServerSocket) -> None:
        """A socket is open: advertise pre-keys, and take the routes of held calls that came with WELCOME."""
        self._socket = socket
        self.publish()
        socket.deliver_to(self.receive)

    def offline(self) -> None:
        """The socket is gone: rings end, calls are held."""
        self._socket = None
        if self._refill is not None:
            self._refill.cancel()
            self._refill = None
        self._holding.clear()
        self._routes.clear()
        self._route_of.clear()
        self._pending_routes.clear()
        for ring in tuple(self._rings.values()):
            ring.fail(RingEnd.FAILED)
        for call in (*self._outgoing.values(), *self._waiting_for_route.values()):
            call.fail(TransportError("The connection to the server was lost."))
        for call_id in tuple(self._waiting_for_route):
            self._conversations[call_id].wipe()  # nobody was given it
        for conversation in self.conversations:
            conversation.detach()

    def publish(self) -> None:
        """Advertise fresh pre-keys."""
        if self._socket is not None:
            self._published_at = asyncio.get_running_loop().time()
            records = self._host.prekeys.publish(self.clock.now())
            self._send(PreKeys(tuple(record.encode() for record in records)).encode())

    def receive(self, frame: bytes) -> None:
        """Take one frame from the server. One that is not of the protocol is dropped."""
        if frame[:1] == b"\x20":
            handler = self._routes.get(frame[1:17])
            if handler is not None:
                handler(memoryview(frame)[17:])
            return
        try:
            decoded = decode_server_frame(frame)
        except MalformedError:
            return
        match decoded:
            case Signalled():
                self._receive_signal(decoded)
            case RingFrame():
                self._receive_ring(decoded)
            case Route():
                self._receive_route(decoded)
            case LineStatus():
                self._receive_line(decoded)
            case PreKeysLeft(left):
                self._host.pre_keys_taken()
                if left <= LOW_PRE_KEYS:
                    self._publish_soon()
            case _:
                pass

    def _publish_soon(self) -> None:
        """Advertise fresh pre-keys, but not so often that the server holds up this socket for it.

        Meanwhile callers do without a one-time record: whoever fetches bundles in a hurry wins no more.
        """

        def publish() -> None:
            self._refill = None
            self.publish()

        loop = asyncio.get_running_loop()
        if self._refill is None:
            self._refill = loop.call_at(max(loop.time(), self._published_at + REFILL_SECONDS), publish)

    # Calling

    def place_call(self, username: Username, bundles: list[bytes]) -> tuple[OutgoingCall, list[bytes]]:
        """Check every bundle and make the offers for one ring; return the call and the OFFERs to post.

        One bundle that does not hold refuses all: the server showed something false.

        Raises:
            KeyChangedError: another account than the pinned one; noted, and told.
            RefusedIdentityError: keys, lists or signatures that do not hold.
        """
        host, now = self._host, self.clock.now()
        pinned = host.book.pinned(username)
        call_id = CallId(os.urandom(16))
        certificate: RtcCertificate | None = None
        flags = CallFlags.DIRECT if host.allow_direct else CallFlags.NONE
        offers: dict[DeviceId, OfferedCall] = {}
        memory = pinned
        try:
            for encoded in bundles:
                bundle = PreKeyBundle.decode(encoded)
                if bundle.certificate.device == host.local.device:
                    continue
                if certificate is None:
                    certificate = self.rtc_certificate_for(bundle.certificate.kind)
                speaks = self._speaks_rtc_with(bundle.certificate.kind)
                transport, fingerprint = rtc_offer(certificate if speaks else None)
                offered = place_offer(host.local, bundle, memory, call_id, transport, fingerprint, flags, now)
                memory = offered.peer.pinned
                offers[offered.peer.device] = offered
        except AccountKeyChangedError as error:
            _wipe(offers)
            if pinned is None:
                raise self._refused(username, error) from None
            self._note_change(username, error.presented)
            raise KeyChangedError(username) from None
        except HandshakeError as error:
            _wipe(offers)
            raise self._refused(username, error) from None
        except MalformedError as error:
            _wipe(offers)
            self._warn(ServerWarning.BAD_PRE_KEYS, username)
            raise RefusedIdentityError(str(error)) from None
        if pinned is not None and memory is not None and host.book.remember(username, memory, now):
            host.save_soon()
        call = OutgoingCall(username, call_id, offers, self._send_signal, self._confirm)
        call.certificate = certificate
        if offers:
            self._outgoing[call_id] = call
        return call, [offered.offer for offered in offers.values()]

    def ring_from(self, username: Username) -> Ring | None:
        """Return a ring of that name that can be accepted now."""
        return next(
            (ring for ring in self._rings.values() if ring.caller == username and ring.is_ringing), None
        )

    def drop_call(self, call: OutgoingCall) -> None:
        """A call is over, one way or the other.

        If the caller gave up while it came about, the peer has a conversation: say goodbye. Goodbye needs a
        route. Where it is still to come, whoever brings it sees that the call is over.
        """
        self._outgoing.pop(call.call_id, None)
        call.fail(NoAnswerError())
        conversation = self._conversations.get(call.crossed_with or call.call_id)
        if not call.is_taken and conversation is not None and call.call_id not in self._waiting_for_route:
            self._spawn(conversation.hang_up())

    def conversation_of(self, call: OutgoingCall) -> Conversation | None:
        """Hand over the conversation a call led to."""
        call.is_taken = True
        return self._conversations.get(call.crossed_with or call.call_id)

    def _confirm(self, call: OutgoingCall, device: DeviceId, confirmed: ConfirmedCall) -> None:
        host, now = self._host, self.clock.now()
        if confirmed.list_view is ListView.FORKED:
            confirmed.wipe()
            self._warn(ServerWarning.FORKED_DEVICE_LIST, host.username)
            call.fail(RefusedIdentityError("the other side was shown another device list of this account"))
            return
        if confirmed.list_view is ListView.PEER_AHEAD:
            host.own_list_is_behind()
        if confirmed.server_was_stale:
            self._warn(ServerWarning.STALE_DEVICE_LIST, call.username)
        speaks = self._speaks_rtc_with(confirmed.peer.certificate.kind)
        certificate = call.certificate if speaks else None
        rtc = RtcTerms.of(certificate, confirmed.transport, confirmed.fingerprint)
        session, conversation = self._converse(call.username, confirmed.peer, confirmed.secrets, rtc)
        self._send_signal(device, confirmed.confirm(session.opening(now)))
        self._conversations[call.call_id] = conversation
        self._waiting_for_route[call.call_id] = call
        asyncio.get_running_loop().call_later(ROUTE_SECONDS, self._miss_route, call)

    def _miss_route(self, call: OutgoingCall) -> None:
        if self._waiting_for_route.pop(call.call_id, None) is None:
            return
        call.fail(TransportError("The server opened no line."))
        conversation = self._conversations.get(call.call_id)
        if conversation is not None:
            conversation.wipe()

    # Being called

    def rtc_certificate_for(self, peer: DeviceKind) -> RtcCertificate | None:
        """Make a certificate for a call with a device of this kind; None if it speaks no WebRTC."""
        return RtcCertificate.create() if self._speaks_rtc_with(peer) else None

    def _speaks_rtc_with(self, peer: DeviceKind) -> bool:
        return may_use_rtc(self._host.local.certificate.kind, peer)

    def send_signal(self, device: DeviceId, signal: bytes) -> None:
        """Send a signal of a ring."""
        self._send_signal(device, signal)

    def converse(self, ring: Ring, secrets: SessionSecrets, first_message: bytes) -> Conversation:
        """Make the conversation of a confirmed ring, on the route that came just before."""
        now = self.clock.now()
        session, conversation = self._converse(ring.caller, ring.peer, secrets, ring.rtc)
        session.receive(first_message, now)
        self._conversations[ring.call_id] = conversation
        route = self._pending_routes.pop(ring.call_id, None)
        if route is not None:
            self._attach(ring.call_id, conversation, route, is_first=True)
        else:
            conversation.detach()
        if ring.wants_direct and self._host.allow_direct:
            conversation.consent_to_direct()
        return conversation

    def ring_over(self, ring: Ring) -> None:
        """A ring ended."""
        self._rings.pop(ring.call_id, None)

    def _receive_ring(self, frame: RingFrame) -> None:
        host, now = self._host, self.clock.now()
        if len(self._rings) >= MAX_RINGS:
            return
        try:
            call = receive_offer(host.local, host.prekeys, frame.offer, host.book.pinned_account, now)
        except (StaleDeviceListError, ForkedDeviceListError) as error:
            self._refused(frame.username, error)
            return
        except HandshakeError:
            return  # forged, replayed or damaged: an OFFER that does not hold is dropped without a word
        peer, name = call.peer, frame.username
        contact = host.book.find(name)
        if peer.device != frame.device:
            call.wipe()
            return
        if contact is not None and contact.account != peer.account:
            call.wipe()
            self._note_change(name, peer.account)
            return
        if contact is None and host.book.find_account(peer.account) is not None:
            call.wipe()
            self._warn(ServerWarning.OTHER_NAME, name)
            return
        if call.list_view is ListView.FORKED:
            call.wipe()
            self._warn(ServerWarning.FORKED_DEVICE_LIST, host.username)
            return
        if call.list_view is ListView.PEER_AHEAD:
            host.own_list_is_behind()
        if contact is not None and host.book.remember(name, peer.pinned, now):
            host.save_soon()
        ringing = (outgoing for outgoing in self._outgoing.values() if outgoing.is_ringing)
        crossing = next((outgoing for outgoing in ringing if outgoing.account == peer.account), None)
        if crossing is not None and local_wins_glare(
            host.local.account, host.local.device, peer.account, peer.device
        ):
            call.wipe()
            return
        ring = Ring(self, call, name, contact)
        self._rings[call.call_id] = ring
        if crossing is not None:
            crossing.yield_to(ring.call_id)
            ring.answer()
            self._spawn(self._hand_over(ring, crossing))
        elif host.auto_busy and self._conversations:
            self._spawn(ring.decline(busy=True))
        else:
            host.ring_came(ring)

    async def _hand_over(self, ring: Ring, call: OutgoingCall) -> None:
        """Both rang each other and the other offer won: its conversation is what the call led to."""
        end = await ring.ended()
        conversation = self._conversations.get(ring.call_id)
        if end is RingEnd.ACCEPTED and conversation is not None:
            if call.is_over:
                await conversation.hang_up()
            call.succeed()
        else:
            call.fail(TransportError())

    # Frames of calls

    def _receive_signal(self, frame: Signalled) -> None:
        try:
            call_id = peek_call_id(frame.signal)
        except MalformedError:
            return
        call, ring = self._outgoing.get(call_id), self._rings.get(call_id)
        if call is not None:
            call.receive(frame.device, frame.signal, self.clock.now())
        elif ring is not None and ring.device == frame.device:
            ring.receive(frame.signal)

    def _receive_route(self, frame: Route) -> None:
        conversation = self._conversations.get(frame.call_id)
        if conversation is None:
            if frame.call_id in self._rings:
                self._pending_routes[frame.call_id] = frame.route
            else:
                self._send(HangUp(frame.call_id).encode())  # of a call that is over here
            return
        call = self._waiting_for_route.pop(frame.call_id, None)
        self._attach(frame.call_id, conversation, frame.route, is_first=call is not None)
        if call is not None and call.is_over:
            self._spawn(conversation.hang_up())
        elif call is not None:
            call.succeed()

    def _receive_line(self, frame: LineStatus) -> None:
        conversation = self._conversations.get(frame.call_id)
        if conversation is None:
            if frame.state is LineState.ENDED:
                self._leave_ring(frame.call_id, frame.device)
        elif frame.state is LineState.ENDED and frame.call_id in self._waiting_for_route:
            self._miss_route(self._waiting_for_route[frame.call_id])
        elif frame.state is LineState.ENDED:
            self._drop_route(frame.call_id)
            conversation.detach()
        else:
            conversation.peer_changed(frame.state is LineState.UP)

    def _leave_ring(self, call_id: CallId, device: DeviceId) -> None:
        """A device left a call that nobody has accepted: its account is gone, or it was revoked."""
        call, ring = self._outgoing.get(call_id), self._rings.get(call_id)
        if call is not None:
            call.leave(device)
        elif ring is not None and ring.device == device:
            ring.fail(RingEnd.FAILED)

    def _attach(self, call_id: CallId, conversation: Conversation, route: RouteId, *, is_first: bool) -> None:
        if self._socket is None:
            return
        self._drop_route(call_id)
        transport = RelayTransport(self._socket, route, self._hold_reading)
        self._route_of[call_id] = route
        self._routes[route] = conversation.attach(transport, is_first=is_first)

    def _drop_route(self, call_id: CallId) -> None:
        route = self._route_of.pop(call_id, None)
        if route is not None:
            self._routes.pop(route, None)

    def _hold_reading(self, holder: object, is_held: bool) -> None:
        """Pause the socket while any conversation's application is behind."""
        was_held = bool(self._holding)
        if is_held:
            self._holding.add(holder)
        else:
            self._holding.discard(holder)
        if self._socket is not None and bool(self._holding) is not was_held:
            if self._holding:
                self._socket.pause_reading()
            else:
                self._socket.resume_reading()

    # Ends

    def call_of(self, conversation: Conversation) -> CallId | None:
        """Return the call that a conversation belongs to, None once it is over."""
        return next((call for call, known in self._conversations.items() if known is conversation), None)

    def conversation_over(self, conversation: Conversation) -> None:
        """Leave the call of a conversation that ended."""
        for call_id, known in tuple(self._conversations.items()):
            if known is conversation:
                del self._conversations[call_id]
                self._drop_route(call_id)
                call = self._waiting_for_route.pop(call_id, None)
                if call is not None:
                    call.fail(TransportError())
                self._send(HangUp(call_id).encode())

    def wipe(self) -> None:
        """End everything at once."""
        for conversation in self.conversations:
            conversation.wipe()
        for call in (*self._outgoing.values(), *self._waiting_for_route.values()):
            call.wipe()
        for ring in tuple(self._rings.values()):
            ring.fail(RingEnd.FAILED)
        self._outgoing.clear()
        self._waiting_for_route.clear()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _converse(
        self, username: Username, identity: PeerIdentity, secrets: SessionSecrets, rtc: RtcTerms | None
    ) -> tuple[Session, Conversation]:
        host, now = self._host, self.clock.now()
        own = Member(host.username, host.local.account, host.local.device)
        peer = Member(username, identity.account, identity.device)
        if host.book.remember(username, identity.pinned, now):
            host.save_soon()
        session = open_session(secrets, own, peer, identity, now)
        return session, Conversation(session, own, peer, host, rtc)

    def _send(self, frame: bytes) -> None:
        if self._socket is not None:
            self._socket.send(frame)

    def _send_signal(self, device: DeviceId, signal: bytes) -> None:
        self._send(Signalled(device, signal).encode())

    def _note_change(self, username: Username, presented: AccountId) -> None:
        if self._host.book.note_change(username, presented):
            self._host.save_soon()
        self._host.tell(KeyChanged(username))

    def _refused(self, username: Username, error: HandshakeError) -> RefusedIdentityError:
        self._warn(warning_for(error.reason), username)
        return RefusedIdentityError(str(error))

    def _warn(self, warning: ServerWarning, about: Username) -> None:
        self._host.tell(warn_of(warning, about))


def _wipe(offers: dict[DeviceId, OfferedCall]) -> None:
    for offered in offers.values():
        offered.wipe()

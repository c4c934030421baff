"""Which line a conversation's frames take beside the relay, and who allowed it (spec/lines.md).

Between terminals there is one such line: TCP, straight to the peer, by consent of both. With a web page in
the call it is a WebRTC DataChannel: through TURN as soon as the call stands, straight by consent of both.
Without consent nothing here shows an address to the peer.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from whisp.client.events import ConversationEvent, DirectRequested, Line
from whisp.client.people import Member
from whisp.client.rtc_certificate import RtcTerms
from whisp.client.rtc_line import RtcLine
from whisp.client.tcp_line import TcpLine
from whisp.client.transport.transport import FrameHandler, Transport
from whisp.core.content import (
    Content,
    DirectConsent,
    LineAnswer,
    LineOffer,
    RtcAnswer,
    RtcCandidates,
    RtcClose,
    RtcOffer,
)
from whisp.wire import api

__all__ = ["DirectRequest", "LineContent", "Lines", "LinesHost"]

CONSENT_SECONDS: Final = 60.0
"""How long the one who asked waits for the other person."""

LineContent: TypeAlias = (
    DirectConsent | LineOffer | LineAnswer | RtcOffer | RtcAnswer | RtcCandidates | RtcClose
)


class LinesHost(Protocol):
    """What the choice of a line needs of its conversation."""

    @property
    def own(self) -> Member:
        """This device as a member."""
        ...

    @property
    def members(self) -> tuple[Member, ...]:
        """The other members."""
        ...

    @property
    def may_use_loopback(self) -> bool:
        """Whether both peers may be on this very machine."""
        ...

    def send_soon(self, content: Content) -> None:
        """Send a content when there is room."""
        ...

    def tell(self, event: ConversationEvent) -> None:
        """Tell the application."""
        ...

    async def turn_credentials(self) -> api.TurnCredentials | None:
        """Ask the server for TURN credentials for this call; None when it has none to give."""
        ...

    def line_opened(self, transport: Transport) -> FrameHandler:
        """Send there from now on; return what takes its frames."""
        ...

    def line_closed(self) -> None:
        """Go back to the relay."""
        ...

    def line_is_tampered_with(self) -> None:
        """End: somebody else is at the other end of the line."""
        ...


class DirectRequest:
    """The peer's question whether both sides may learn each other's address."""

    def __init__(self, answer: Callable[[bool], None]) -> None:
        self._answer: Callable[[bool], None] | None = answer

    async def accept(self) -> None:
        """Allow a direct line for this conversation; `LineChanged(DIRECT)` follows if it comes about."""
        self._say(True)

    async def refuse(self) -> None:
        """Stay on the relay. This side's address was never shown."""
        self._say(False)

    def _say(self, allowed: bool) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer(allowed)


class Lines:
    """The lines of one conversation beside its relay.

    Args:
        host: the conversation.
        exporter: the session's exporter, 32 bytes.
        allowed: consent to a direct line without asking.
        rtc: what the handshake agreed on for WebRTC, None between terminals.
    """

    def __init__(self, host: LinesHost, exporter: bytes, *, allowed: bool, rtc: RtcTerms | None) -> None:
        self.host = host
        self._allowed = allowed
        self._own_consent = False
        self._peer_consent = False
        self._outcome: asyncio.Future[bool] | None = None
        self._is_closed = False
        self._way = TcpLine(self, exporter) if rtc is None else RtcLine(self, rtc)

    @property
    def transport(self) -> Transport | None:
        """The open line, None while there is none and frames take the relay."""
        return self._way.transport

    @property
    def line(self) -> Line:
        """What an open line is, or the relay: who sees which address is what counts."""
        return Line.DIRECT if self._way.is_direct else Line.RELAYED

    @property
    def is_agreed(self) -> bool:
        """Whether both persons allow a direct line."""
        return self._own_consent and self._peer_consent and not self._is_closed

    @property
    def is_offering(self) -> bool:
        """Whether it is this side that offers lines: that with the lower key."""
        own, peer = self.host.own, self.host.members[0]
        return (own.account, own.device) < (peer.account, peer.device)

    # What the conversation says

    def attached(self) -> None:
        """The relay stands: for the first time, or again, as after a change of network."""
        if not self._is_closed:
            self._way.attached()

    async def request(self) -> bool:
        """Consent, ask the peer to, and wait; say whether there is a direct line."""
        if self._way.is_direct:
            return True
        self.consent()
        if self._outcome is None:
            self._outcome = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(CONSENT_SECONDS):
                return await asyncio.shield(self._outcome)
        except TimeoutError:
            self.gave_up()
            return False

    def consent(self) -> None:
        """Say yes, once; if the peer has said so too, the attempt begins."""
        if self._is_closed:
            return
        if not self._own_consent:
            self._own_consent = True
            self.host.send_soon(DirectConsent(True))
        if self.is_agreed:
            self._way.agreed()

    def receive(self, content: LineContent) -> None:
        """Take what the peer says about lines."""
        match content:
            case DirectConsent(allowed=True):
                self._peer_consent = True
                if self._own_consent or self._allowed:
                    self.consent()
                else:
                    self.host.tell(DirectRequested(DirectRequest(self._answer)))
            case DirectConsent():
                self._forget_consent()
                self._way.leave_direct()
            case _:
                self._way.receive(content)

    def close(self) -> None:
        """The conversation is over."""
        self._is_closed = True
        self._forget_consent()
        self._way.close()

    # What the line says

    def opened(self, transport: Transport) -> FrameHandler:
        """A line stands; return what takes its frames."""
        receive = self.host.line_opened(transport)
        if self._way.is_direct:
            self._tell_outcome(True)
        return receive

    def lost(self, *, was_direct: bool) -> None:
        """The open line broke. A direct one needs consent anew."""
        if was_direct:
            self._forget_consent()
            # First, so that the peer leaves the dead line before it is asked to go on with anything.
            self.host.send_soon(DirectConsent(False))
        self.host.line_closed()

    def gave_up(self) -> None:
        """No direct line came about."""
        if not self._way.is_direct and not self._is_closed:
            said_yes = self._own_consent
            self._forget_consent()
            self._way.leave_direct()
            if said_yes:
                self.host.send_soon(DirectConsent(False))

    def _answer(self, allowed: bool) -> None:
        if allowed:
            self.consent()
        else:
            self._peer_consent = False
            self.host.send_soon(DirectConsent(False))

    def _forget_consent(self) -> None:
        self._own_consent = self._peer_consent = False
        self._tell_outcome(False)

    def _tell_outcome(self, came_about: bool) -> None:
        outcome, self._outcome = self._outcome, None
        if outcome is not None and not outcome.done():
            outcome.set_result(came_about)

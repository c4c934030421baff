"""A WebRTC line with a web page: through TURN by itself, straight by consent of both (spec/lines.md)."""

import asyncio
import os
import sys
from collections import deque
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Final

from whisp.client.rtc_certificate import RtcFailedError, RtcImpostorError, RtcTerms
from whisp.core.content import (
    LINE_TOKEN_BYTES,
    MAX_CANDIDATES_AT_ONCE,
    CandidateKind,
    Content,
    IceCandidate,
    RtcAnswer,
    RtcCandidates,
    RtcClose,
    RtcCloseReason,
    RtcOffer,
    RtcPolicy,
)

if TYPE_CHECKING:
    from whisp.client.lines import Lines
    from whisp.client.transport.rtc import RtcTransport

__all__ = ["RtcLine", "lines_closed"]

ATTEMPT_SECONDS: Final = 15.0
FIRST_RETRY_SECONDS: Final = 30.0
LONGEST_RETRY_SECONDS: Final = 600.0
"""A retry costs both sides a TURN allocation, and each waits twice as long as the one before."""

AGAIN_SECONDS: Final = 1.0
"""From a break to the next attempt, when the line had stood for a while."""

STOOD_SECONDS: Final = 30.0
"""A line that stood this long was a good one: the retries begin anew."""

OVERLAP_SECONDS: Final = 2.0
"""How long a line outlives the better one, while the peer moves too."""

MAX_OFFERS_PER_MINUTE: Final = 6
"""That are answered. An honest peer makes two attempts a minute at most, and one more by consent."""


@dataclass(eq=False, slots=True)
class _Attempt:
    """One token: from the offer to a line, or to none."""

    token: bytes
    policy: RtcPolicy
    remote: RtcOffer | RtcAnswer | None = None
    """The peer's description."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    candidates: list[tuple[IceCandidate, ...]] = field(default_factory=list)
    """Those that came before there was anything to give them to."""
    transport: "RtcTransport | None" = None
    task: asyncio.Task[None] | None = None
    is_told: bool = False
    """The peer knows of it."""

    def use(self, transport: "RtcTransport") -> None:
        """Go on with this transport."""
        self.transport = transport
        for candidates in self.candidates:
            transport.add(candidates)
        self.candidates.clear()

    def shut(self) -> None:
        """Close the line."""
        if self.transport is not None:
            self.transport.close()

    def take(self, candidates: tuple[IceCandidate, ...]) -> None:
        """Pass candidates on, or keep them; a flood of them is not kept."""
        if self.transport is not None:
            self.transport.add(candidates)
        elif len(self.candidates) < MAX_CANDIDATES_AT_ONCE:
            self.candidates.append(candidates)


class RtcLine:
    """The WebRTC half of one conversation.

    Args:
        lines: the conversation's choice of line.
        terms: the certificates of the handshake.
    """

    def __init__(self, lines: "Lines", terms: RtcTerms) -> None:
        self._lines = lines
        self._terms: RtcTerms | None = terms
        self._attempt: _Attempt | None = None
        self._open: _Attempt | None = None
        self._older: _Attempt | None = None
        self._opened_at = 0.0
        self._has_turn = True
        self._retry: asyncio.TimerHandle | None = None
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._offers: deque[float] = deque(maxlen=MAX_OFFERS_PER_MINUTE)

    @property
    def transport(self) -> "RtcTransport | None":
        """The open DataChannel, None while there is none."""
        return None if self._open is None else self._open.transport

    @property
    def is_direct(self) -> bool:
        """Whether a line is open that shows addresses."""
        return self._open is not None and self._open.policy is RtcPolicy.ALL

    def attached(self) -> None:
        """The relay stands, for the first time or after a change of network: try at once."""
        if self._open is None and self._attempt is None:
            self._retry_seconds = FIRST_RETRY_SECONDS
            self._offer(RtcPolicy.RELAY_ONLY)

    def agreed(self) -> None:
        """Both persons allow a direct line: the offering side tries it, and gives up on lesser ones."""
        if self.is_direct or (self._attempt is not None and self._attempt.policy is RtcPolicy.ALL):
            return
        if self._attempt is not None and self._lines.is_offering:
            self._abandon(RtcCloseReason.CANNOT)
        self._offer(RtcPolicy.ALL)

    def receive(self, content: Content) -> None:
        """Take what the peer says about this kind of line. What fits no attempt is late, and ignored."""
        attempt = self._attempt
        match content:
            case RtcOffer():
                self._receive_offer(content)
            case RtcClose():
                self._receive_close(content.token)
            case RtcAnswer() if attempt is not None and attempt.token == content.token:
                if self._lines.is_offering and attempt.remote is None and content.policy is attempt.policy:
                    attempt.remote = content
                    attempt.answered.set()
            case RtcCandidates() if attempt is not None and attempt.token == content.token:
                if attempt.remote is not None and attempt.remote.ufrag == content.ufrag:
                    self._receive_candidates(attempt, content.candidates)
            case _:
                pass

    def leave_direct(self) -> None:
        """Consent is gone: leave what shows addresses, for the relay and then for TURN."""
        tries = self._attempt is not None and self._attempt.policy is RtcPolicy.ALL
        is_direct = self.is_direct
        if tries:
            self._abandon(RtcCloseReason.NOT_WANTED)
        if is_direct:
            opened, self._open = self._open, None
            assert opened is not None
            self._say_closed(opened, RtcCloseReason.NOT_WANTED)
            opened.shut()
            self._lines.host.line_closed()
        if (tries or is_direct) and self._open is None:
            self._offer_in(AGAIN_SECONDS)

    def close(self) -> None:
        """The conversation is over, and with it the certificate."""
        self._terms = None
        self._abandon(None)
        self._cancel_retry()
        opened, self._open = self._open, None
        for each in (opened, self._older):
            if each is not None:
                each.shut()

    # Offering

    def _offer(self, policy: RtcPolicy) -> None:
        if self._terms is None or not self._lines.is_offering or self._attempt is not None:
            return
        self._cancel_retry()
        self._begin(_Attempt(os.urandom(LINE_TOKEN_BYTES), policy))

    def _offer_in(self, seconds: float) -> None:
        """Offer after a while, unless there is a line by then."""
        if self._terms is None or not self._lines.is_offering:
            return

        def offer() -> None:
            self._retry = None
            if self._open is None:
                self._offer(RtcPolicy.ALL if self._lines.is_agreed else RtcPolicy.RELAY_ONLY)

        self._cancel_retry()
        self._retry = asyncio.get_running_loop().call_later(seconds, offer)

    def _next_wait(self) -> float:
        seconds, self._retry_seconds = (
            self._retry_seconds,
            min(2 * self._retry_seconds, LONGEST_RETRY_SECONDS),
        )
        return seconds

    def _cancel_retry(self) -> None:
        retry, self._retry = self._retry, None
        if retry is not None:
            retry.cancel()

    # Answering

    def _receive_offer(self, offer: RtcOffer) -> None:
        now = asyncio.get_running_loop().time()
        is_known = self._open is not None and self._open.token == offer.token
        is_flood = len(self._offers) == MAX_OFFERS_PER_MINUTE and now - self._offers[0] < 60
        if (
            self._terms is None
            or self._lines.is_offering
            or self._attempt is not None
            or is_known
            or is_flood
        ):
            return
        self._offers.append(now)
        attempt = _Attempt(offer.token, offer.policy, offer, is_told=True)
        if offer.policy is RtcPolicy.ALL and not self._lines.is_agreed:
            self._say_closed(attempt, RtcCloseReason.NOT_WANTED)
        else:
            attempt.answered.set()
            self._begin(attempt)

    def _receive_candidates(self, attempt: _Attempt, candidates: tuple[IceCandidate, ...]) -> None:
        is_relayed = all(one.kind is CandidateKind.RELAYED for one in candidates)
        if attempt.policy is RtcPolicy.RELAY_ONLY and not is_relayed:
            self._fail(attempt, RtcCloseReason.CANNOT)
        else:
            attempt.take(candidates)

    def _receive_close(self, token: bytes) -> None:
        if self._attempt is not None and self._attempt.token == token:
            self._fail(self._attempt, None)
        elif self._open is not None and self._open.token == token:
            self._left(self._open, None)

    # An attempt

    def _begin(self, attempt: _Attempt) -> None:
        self._attempt = attempt
        attempt.task = asyncio.create_task(self._run(attempt), name="whisp WebRTC line")

    async def _run(self, attempt: _Attempt) -> None:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self._bring_about(attempt)
        except RtcImpostorError:
            self._lines.host.line_is_tampered_with()
        except (TimeoutError, RtcFailedError):
            self._fail(attempt, RtcCloseReason.CANNOT)

    async def _bring_about(self, attempt: _Attempt) -> None:
        """Go from a token to an open line. Raises RtcFailedError, RtcImpostorError."""
        host = self._lines.host
        given = await host.turn_credentials()
        if given is None and attempt.policy is RtcPolicy.RELAY_ONLY:
            self._has_turn = False
            raise RtcFailedError
        self._has_turn = given is not None
        rtc = await asyncio.to_thread(import_module, "whisp.client.transport.rtc")
        if self._terms is None or self._attempt is not attempt:
            return
        transport: RtcTransport = rtc.RtcTransport(
            self._terms,
            is_offering=self._lines.is_offering,
            policy=attempt.policy,
            with_loopback=host.may_use_loopback,
            on_open=self._opened,
            on_lost=self._lost,
        )
        attempt.use(transport)
        description = RtcOffer if self._lines.is_offering else RtcAnswer
        host.send_soon(description(attempt.token, attempt.policy, transport.ufrag, transport.pwd))
        attempt.is_told = True
        found = await transport.gather(given)
        if not found:
            raise RtcFailedError
        for start in range(0, len(found), MAX_CANDIDATES_AT_ONCE):
            some = found[start : start + MAX_CANDIDATES_AT_ONCE]
            host.send_soon(RtcCandidates(attempt.token, transport.ufrag, some))
        host.send_soon(RtcCandidates(attempt.token, transport.ufrag, ()))
        await attempt.answered.wait()
        assert attempt.remote is not None
        await transport.connect(attempt.remote.ufrag, attempt.remote.pwd)

    def _opened(self, transport: "RtcTransport") -> None:
        attempt = self._attempt
        if attempt is None or attempt.transport is not transport:
            transport.abort()  # given up just before
            return
        self._older, self._open, self._attempt = self._open, attempt, None
        self._opened_at = asyncio.get_running_loop().time()
        transport.deliver_to(self._lines.opened(transport))
        if self._older is not None:
            asyncio.get_running_loop().call_later(OVERLAP_SECONDS, self._older.shut)

    def _fail(self, attempt: _Attempt, reason: RtcCloseReason | None) -> None:
        """Give an attempt up, and plan the next."""
        if self._attempt is not attempt:
            return
        self._abandon(reason)
        if attempt.policy is RtcPolicy.ALL:
            self._lines.gave_up()
        if self._open is None and self._has_turn:
            self._offer_in(self._next_wait())

    def _abandon(self, reason: RtcCloseReason | None) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if attempt.task is not None and attempt.task is not asyncio.current_task():
            attempt.task.cancel()
        if attempt.transport is not None:
            attempt.transport.abort()
        if reason is not None:
            self._say_closed(attempt, reason)

    # An open line

    def _lost(self, transport: "RtcTransport") -> None:
        if self._open is not None and self._open.transport is transport:
            self._left(self._open, RtcCloseReason.BROKE)

    def _left(self, line: _Attempt, reason: RtcCloseReason | None) -> None:
        """The open line is gone: back to the relay, and try again."""
        self._open = None
        assert line.transport is not None
        line.transport.abort()
        if reason is not None:
            self._say_closed(line, reason)
        stood = asyncio.get_running_loop().time() - self._opened_at
        if stood >= STOOD_SECONDS:
            self._retry_seconds = FIRST_RETRY_SECONDS
        self._lines.lost(was_direct=line.policy is RtcPolicy.ALL)
        self._offer_in(AGAIN_SECONDS if stood >= STOOD_SECONDS else self._next_wait())

    def _say_closed(self, attempt: _Attempt, reason: RtcCloseReason) -> None:
        if attempt.is_told:
            self._lines.host.send_soon(RtcClose(attempt.token, reason))


async def lines_closed() -> None:
    """Wait, 8 s at most, until the lines that were closed in this loop have given back what they held.

    A program that ends sooner leaves its TURN allocations to run out by themselves.
    """
    rtc = sys.modules.get("whisp.client.transport.rtc")
    if rtc is not None:  # loading it takes a second, and who never loaded it has no such line
        await rtc.closed()

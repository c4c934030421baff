"""The course of WebRTC attempts: who offers, what is refused, what is bounded, when it is tried again."""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from whisp.client.lines import Lines
from whisp.client.people import Member
from whisp.client.rtc_certificate import RtcCertificate, RtcFailedError, RtcImpostorError, RtcTerms
from whisp.client.rtc_line import MAX_OFFERS_PER_MINUTE, RtcLine
from whisp.core.content import (
    CandidateKind,
    Content,
    DirectConsent,
    IceCandidate,
    RtcAnswer,
    RtcCandidates,
    RtcClose,
    RtcCloseReason,
    RtcOffer,
    RtcPolicy,
)
from whisp.wire import api
from whisp.wire.ids import AccountId, DeviceId, Username

LOWER = Member(Username("odile"), AccountId(b"a" * 32), DeviceId(b"a" * 16))
HIGHER = Member(Username("sefa"), AccountId(b"b" * 32), DeviceId(b"b" * 16))
GIVEN = api.TurnCredentials("ok", ["turn:192.0.2.1:3478"], [], "1:00", "x", 1)
RELAYED = IceCandidate(CandidateKind.RELAYED, 1, bytes((192, 0, 2, 1)), 50_000)
HOST = IceCandidate(CandidateKind.HOST, 2, bytes((192, 168, 1, 2)), 50_001)
UFRAG, PWD = "peer", "p" * 22


@dataclass
class FakeTransport:
    """Stands in for aiortc: opens when the test says so."""

    terms: RtcTerms
    is_offering: bool
    policy: RtcPolicy
    with_loopback: bool
    on_open: Any
    on_lost: Any
    ufrag: str = "ours"
    pwd: str = "o" * 24
    remote: list[tuple[IceCandidate, ...]] = field(default_factory=list)
    description: tuple[str, ...] = ()
    end: str | None = None
    outcome: asyncio.Future[None] = field(default_factory=asyncio.Future)

    async def gather(self, given: api.TurnCredentials | None) -> tuple[IceCandidate, ...]:
        return (RELAYED,) if self.policy is RtcPolicy.RELAY_ONLY else (HOST,)

    def add(self, candidates: Iterable[IceCandidate]) -> None:
        self.remote.append(tuple(candidates))

    async def connect(self, ufrag: str, pwd: str) -> None:
        self.description = ufrag, pwd
        await self.outcome

    def deliver_to(self, handler: Any) -> None:
        pass

    def close(self) -> None:
        self.end = self.end or "closed"

    def abort(self) -> None:
        self.end = self.end or "aborted"

    def open(self) -> None:
        self.on_open(self)
        self.outcome.set_result(None)


class FakeConversation:
    """Takes what a line says."""

    def __init__(self, own: Member, peer: Member) -> None:
        self.own, self.members = own, (peer,)
        self.may_use_loopback = True
        self.credentials: api.TurnCredentials | None = GIVEN
        self.said: list[Content] = []
        self.happened: list[str] = []

    def send_soon(self, content: Content) -> None:
        self.said.append(content)

    def tell(self, event: Any) -> None:
        self.happened.append(type(event).__name__)

    async def turn_credentials(self) -> api.TurnCredentials | None:
        return self.credentials

    def line_opened(self, transport: Any) -> Any:
        self.happened.append("opened")
        return lambda frame: None

    def line_closed(self) -> None:
        self.happened.append("closed")

    def line_is_tampered_with(self) -> None:
        self.happened.append("tampered")


class Scene:
    """One side of a conversation, and a peer that the test plays."""

    def __init__(self, *, is_offering: bool = True, allowed: bool = False) -> None:
        own, peer = (LOWER, HIGHER) if is_offering else (HIGHER, LOWER)
        self.conversation = FakeConversation(own, peer)
        self.made: list[FakeTransport] = []
        terms = RtcTerms(RtcCertificate.create(), b"f" * 32)
        self.lines = Lines(self.conversation, bytes(32), allowed=allowed, rtc=terms)
        assert isinstance(self.lines._way, RtcLine)
        self.way = self.lines._way

    @property
    def transport(self) -> Any:
        """The open line, which is one of the fakes."""
        return self.lines.transport

    def make(self, *args: Any, **options: Any) -> FakeTransport:
        """Make a transport, as the module would."""
        self.made.append(FakeTransport(*args, **options))
        return self.made[-1]

    async def settle(self) -> None:
        """Let what is under way go on."""
        for _ in range(50):
            await asyncio.sleep(0.001)

    def take(self, kind: type[Any]) -> list[Any]:
        """Return what was said of a kind, and forget all."""
        said = [content for content in self.conversation.said if isinstance(content, kind)]
        self.conversation.said.clear()
        return said

    async def offer(self) -> RtcOffer:
        """Attach, and return the offer."""
        self.lines.attached()
        await self.settle()
        (offer,) = [content for content in self.conversation.said if isinstance(content, RtcOffer)]
        return offer

    async def open(self) -> FakeTransport:
        """Offer, be answered, and open."""
        offer = await self.offer()
        self.lines.receive(RtcAnswer(offer.token, offer.policy, UFRAG, PWD))
        self.lines.receive(RtcCandidates(offer.token, UFRAG, (RELAYED,)))
        await self.settle()
        self.made[-1].open()
        await self.settle()
        self.conversation.said.clear()
        return self.made[-1]

    async def agree(self) -> None:
        """Both persons allow a direct line."""
        self.lines.consent()
        self.lines.receive(DirectConsent(True))
        await self.settle()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()
    _play(monkeypatch, made)
    return made


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(is_offering=False)
    _play(monkeypatch, made)
    return made


def _play(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    module = SimpleNamespace(RtcTransport=scene.make)
    monkeypatch.setattr("whisp.client.rtc_line.import_module", lambda _: module)


async def test_the_lower_key_offers_relay_only_and_its_line_is_no_direct_one(scene: Scene) -> None:
    offer = await scene.offer()
    assert offer.policy is RtcPolicy.RELAY_ONLY
    assert [type(content) for content in scene.conversation.said] == [RtcOffer, RtcCandidates, RtcCandidates]
    assert [content.candidates for content in scene.take(RtcCandidates)] == [(RELAYED,), ()]
    scene.lines.receive(RtcAnswer(offer.token, offer.policy, UFRAG, PWD))
    scene.lines.receive(RtcCandidates(offer.token, UFRAG, (RELAYED,)))
    scene.lines.receive(RtcCandidates(offer.token, UFRAG, ()))
    await scene.settle()
    (transport,) = scene.made
    assert transport.is_offering
    assert (transport.description, transport.remote) == ((UFRAG, PWD), [(RELAYED,), ()])
    transport.open()
    assert scene.transport is transport
    assert scene.lines.line == "relayed"
    assert scene.conversation.happened == ["opened"]


async def test_the_higher_key_waits_and_answers(answering: Scene) -> None:
    answering.lines.attached()
    await answering.settle()
    assert answering.conversation.said == []
    token = os.urandom(16)
    answering.lines.receive(RtcOffer(token, RtcPolicy.RELAY_ONLY, UFRAG, PWD))
    answering.lines.receive(RtcCandidates(token, UFRAG, (RELAYED,)))
    await answering.settle()
    said = answering.conversation.said
    assert [type(content) for content in said] == [RtcAnswer, RtcCandidates, RtcCandidates]
    assert said[0] == RtcAnswer(token, RtcPolicy.RELAY_ONLY, "ours", "o" * 24)
    assert answering.made[0].remote == [(RELAYED,)], "also those that came before there was a transport"
    assert answering.made[0].description == (UFRAG, PWD)
    assert not answering.made[0].is_offering


async def test_s32_an_offer_of_all_without_both_consents_gathers_nothing(answering: Scene) -> None:
    token = os.urandom(16)
    for consents in range(2):
        if consents:
            answering.lines.consent()
        answering.conversation.said.clear()
        answering.lines.receive(RtcOffer(token, RtcPolicy.ALL, UFRAG, PWD))
        await answering.settle()
        assert answering.conversation.said == [RtcClose(token, RtcCloseReason.NOT_WANTED)]
        assert answering.made == []


@pytest.mark.parametrize("kind", [CandidateKind.HOST, CandidateKind.SERVER_REFLEXIVE])
async def test_s32_a_candidate_that_is_not_relayed_ends_a_relay_only_attempt(
    scene: Scene, kind: CandidateKind
) -> None:
    offer = await scene.offer()
    scene.lines.receive(RtcAnswer(offer.token, offer.policy, UFRAG, PWD))
    scene.conversation.said.clear()
    scene.lines.receive(RtcCandidates(offer.token, UFRAG, (RELAYED, IceCandidate(kind, 1, bytes(4), 5000))))
    assert scene.conversation.said == [RtcClose(offer.token, RtcCloseReason.CANNOT)]
    assert scene.made[0].end == "aborted"
    assert scene.made[0].remote == []


async def test_what_fits_no_attempt_is_ignored(scene: Scene) -> None:
    offer = await scene.offer()
    other = os.urandom(16)
    scene.lines.receive(RtcAnswer(other, offer.policy, UFRAG, PWD))
    scene.lines.receive(RtcAnswer(offer.token, RtcPolicy.ALL, UFRAG, PWD))
    scene.lines.receive(RtcCandidates(offer.token, UFRAG, (HOST,)))
    scene.lines.receive(RtcOffer(other, RtcPolicy.RELAY_ONLY, UFRAG, PWD))
    scene.lines.receive(RtcClose(other, RtcCloseReason.BROKE))
    await scene.settle()
    assert not scene.made[0].description
    scene.lines.receive(RtcAnswer(offer.token, offer.policy, UFRAG, PWD))
    scene.lines.receive(RtcAnswer(offer.token, offer.policy, "second", PWD))
    scene.lines.receive(RtcCandidates(offer.token, "second", (HOST,)))
    await scene.settle()
    assert scene.made[0].description == (UFRAG, PWD)
    assert scene.made[0].end is None
    assert len(scene.made) == 1


async def test_without_turn_the_offering_side_says_nothing_and_the_other_says_it_cannot(
    scene: Scene, answering: Scene
) -> None:
    for each in (scene, answering):
        each.conversation.credentials = None
    scene.lines.attached()
    token = os.urandom(16)
    answering.lines.receive(RtcOffer(token, RtcPolicy.RELAY_ONLY, UFRAG, PWD))
    for each in (scene, answering):
        await each.settle()
    assert scene.conversation.said == []
    assert scene.way._retry is None
    assert answering.conversation.said == [RtcClose(token, RtcCloseReason.CANNOT)]


async def test_attempts_that_fail_come_ever_more_seldom(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(scene.way, "_offer_in", waits.append)
    for _ in range(7):
        scene.way._offer(RtcPolicy.RELAY_ONLY)
        await scene.settle()
        (offer,) = scene.take(RtcOffer)
        scene.lines.receive(RtcClose(offer.token, RtcCloseReason.CANNOT))
    assert waits == [30, 60, 120, 240, 480, 600, 600]
    assert not any(isinstance(content, RtcClose) for content in scene.conversation.said)
    scene.lines.attached()
    assert scene.way._next_wait() == 30, "the device is in another network: all begins anew"


async def test_an_attempt_has_fifteen_seconds(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whisp.client.rtc_line.ATTEMPT_SECONDS", 0.1)
    offer = await scene.offer()
    await asyncio.sleep(0.1)
    assert scene.take(RtcClose) == [RtcClose(offer.token, RtcCloseReason.CANNOT)]
    assert scene.made[0].end == "aborted"
    assert scene.transport is None


async def test_a_flood_of_offers_is_answered_a_few_times_a_minute(answering: Scene) -> None:
    for _ in range(3 * MAX_OFFERS_PER_MINUTE):
        token = os.urandom(16)
        answering.lines.receive(RtcOffer(token, RtcPolicy.RELAY_ONLY, UFRAG, PWD))
        answering.lines.receive(RtcOffer(os.urandom(16), RtcPolicy.RELAY_ONLY, UFRAG, PWD))
        await answering.settle()
        answering.lines.receive(RtcClose(token, RtcCloseReason.CANNOT))
    assert len(answering.made) == MAX_OFFERS_PER_MINUTE
    assert len(answering.take(RtcAnswer)) == MAX_OFFERS_PER_MINUTE


async def test_a_flood_of_candidates_before_there_is_a_transport_is_not_kept(answering: Scene) -> None:
    token = os.urandom(16)
    answering.lines.receive(RtcOffer(token, RtcPolicy.RELAY_ONLY, UFRAG, PWD))
    for _ in range(500):
        answering.lines.receive(RtcCandidates(token, UFRAG, (RELAYED,) * 16))
    await answering.settle()
    assert len(answering.made[0].remote) == 16


async def test_a_broken_line_is_told_left_and_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whisp.client.rtc_line.FIRST_RETRY_SECONDS", 0.05)
    scene.way._retry_seconds = 0.05
    transport = await scene.open()
    transport.on_lost(transport)
    assert scene.transport is None
    (close,) = scene.take(RtcClose)
    assert close.reason is RtcCloseReason.BROKE
    assert scene.conversation.happened == ["opened", "closed"]
    await asyncio.sleep(0.15)
    (again,) = scene.take(RtcOffer)
    assert again.token != close.token, "a terminal makes a new attempt"


async def test_the_peer_that_saw_it_break_is_believed_without_an_echo(scene: Scene) -> None:
    offer = await scene.offer()
    scene.lines.receive(RtcAnswer(offer.token, offer.policy, UFRAG, PWD))
    await scene.settle()
    scene.made[0].open()
    scene.conversation.said.clear()
    scene.lines.receive(RtcClose(offer.token, RtcCloseReason.BROKE))
    assert scene.transport is None
    assert scene.made[0].end == "aborted"
    assert scene.conversation.said == []


async def test_a_direct_line_replaces_the_one_through_turn(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whisp.client.rtc_line.OVERLAP_SECONDS", 0.05)
    through_turn = await scene.open()
    await scene.agree()
    (offer,) = scene.take(RtcOffer)
    assert offer.policy is RtcPolicy.ALL
    scene.lines.receive(RtcAnswer(offer.token, RtcPolicy.ALL, UFRAG, PWD))
    scene.lines.receive(RtcCandidates(offer.token, UFRAG, (HOST, RELAYED)))
    await scene.settle()
    assert scene.transport is through_turn
    scene.made[1].open()
    assert scene.transport is scene.made[1]
    assert scene.lines.line == "direct"
    await asyncio.sleep(0.1)
    assert through_turn.end == "closed"


async def test_consent_that_is_taken_back_ends_what_shows_addresses(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whisp.client.rtc_line.AGAIN_SECONDS", 0.02)
    await scene.open()
    await scene.agree()
    (offer,) = scene.take(RtcOffer)
    scene.lines.receive(RtcAnswer(offer.token, RtcPolicy.ALL, UFRAG, PWD))
    await scene.settle()
    scene.made[1].open()
    scene.lines.receive(DirectConsent(False))
    assert scene.transport is None
    assert scene.conversation.happened[-1] == "closed"
    assert scene.take(RtcClose) == [RtcClose(offer.token, RtcCloseReason.NOT_WANTED)]
    await asyncio.sleep(0.1)
    (again,) = scene.take(RtcOffer)
    assert again.policy is RtcPolicy.RELAY_ONLY


async def test_a_direct_attempt_takes_the_place_of_one_through_turn(scene: Scene) -> None:
    first = await scene.offer()
    scene.conversation.said.clear()
    await scene.agree()
    closes = [content for content in scene.conversation.said if isinstance(content, RtcClose)]
    assert [close.token for close in closes] == [first.token]
    (second,) = scene.take(RtcOffer)
    assert (second.policy, second.token != first.token) == (RtcPolicy.ALL, True)


async def test_a_direct_attempt_that_fails_is_told_to_whoever_asked(scene: Scene) -> None:
    await scene.open()
    asking = asyncio.create_task(scene.lines.request())
    await scene.settle()
    scene.lines.receive(DirectConsent(True))
    await scene.settle()
    scene.made[1].outcome.set_exception(RtcFailedError())
    assert not await asking
    assert scene.transport is scene.made[0], "the line through TURN stays"
    assert DirectConsent(False) in scene.conversation.said


async def test_s07_an_impostor_ends_the_session(scene: Scene) -> None:
    offer = await scene.offer()
    scene.lines.receive(RtcAnswer(offer.token, offer.policy, UFRAG, PWD))
    await scene.settle()
    scene.made[0].outcome.set_exception(RtcImpostorError())
    await scene.settle()
    assert scene.conversation.happened == ["tampered"]


async def test_after_the_end_nothing_is_left(scene: Scene) -> None:
    transport = await scene.open()
    scene.lines.close()
    assert transport.end == "closed"
    scene.lines.receive(RtcOffer(os.urandom(16), RtcPolicy.RELAY_ONLY, UFRAG, PWD))
    scene.lines.attached()
    scene.lines.consent()
    await scene.settle()
    assert len(scene.made) == 1
    assert scene.way._terms is None
    assert scene.way._retry is None

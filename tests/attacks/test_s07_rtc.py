"""S-07 over WebRTC: whoever is at the other end without the handshake's certificate ends the session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import RTCDtlsTransport
from tests.coturn import coturn, turn_settings
from tests.e2e.people import connect, next_of, soon
from tests.e2e.test_sdk_rtc import line_of, terminal_and_page

from whisp import Conversation, Ended, EndReason, TextReceived
from whisp.client.rtc_certificate import RtcCertificate
from whisp.client.transport import rtc
from whisp.terminal.commands.line_chat import end_sentence


@asynccontextmanager
async def conversation() -> AsyncIterator[tuple[Conversation, Conversation]]:
    """Give a conversation whose line is just coming about: first the offering side."""
    async with coturn() as relay, terminal_and_page(**turn_settings(relay)) as (_, odile, sefa):
        one, two = await connect(odile, sefa)
        yield (one, two) if one._lines.is_offering else (two, one)


@pytest.mark.parametrize("impostor", ["controlling", "controlled"])
async def test_s07_another_certificate_on_the_line_ends_the_session(
    impostor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered: list[bytes] = []
    monkeypatch.setattr(rtc.RtcTransport, "_receive", lambda _, frame: delivered.append(bytes(frame)))
    original = RTCDtlsTransport.__init__

    def with_own_certificate(self: RTCDtlsTransport, path: Any, certificates: list[RTCCertificate]) -> None:
        if path.role == impostor:
            liar = RtcCertificate.create()
            certificates = [RTCCertificate(liar.key, liar.certificate)]
        original(self, path, certificates)

    monkeypatch.setattr(RTCDtlsTransport, "__init__", with_own_certificate)
    async with conversation() as (offering, answering):
        victim, other = (answering, offering) if impostor == "controlling" else (offering, answering)
        await other.send_text("over the relay, as long as there is no line")
        await next_of(victim, TextReceived)
        await soon(lambda: victim.ended is not None and other.ended is not None, 10)
        assert victim.ended is EndReason.TAMPERED
        assert other.ended in (EndReason.PROTOCOL, EndReason.TAMPERED)
        assert delivered == []
        assert line_of(victim) is None
        event = await victim.receive()
        while not isinstance(event, Ended):
            event = await victim.receive()
        assert event.reason is EndReason.TAMPERED
        sentence = end_sentence(event.reason, "sefa")
        assert sentence is not None
        assert "sefa" in sentence


async def test_s07_a_check_of_aiortc_that_always_passes_is_not_the_only_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = RTCDtlsTransport.__init__

    def with_own_certificate(self: RTCDtlsTransport, path: Any, certificates: list[RTCCertificate]) -> None:
        liar = RtcCertificate.create()
        original(self, path, [RTCCertificate(liar.key, liar.certificate)])

    monkeypatch.setattr(RTCDtlsTransport, "__init__", with_own_certificate)
    monkeypatch.setattr(RTCDtlsTransport, "_validate_peer_identity", lambda *_: None)
    async with conversation() as (offering, answering):
        await soon(lambda: offering.ended is not None and answering.ended is not None, 10)
        assert EndReason.TAMPERED in (offering.ended, answering.ended)


async def test_s07_the_only_fingerprint_is_that_of_the_handshake_and_sha_256(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    original = RTCDtlsTransport.start

    async def noting(self: RTCDtlsTransport, parameters: Any) -> None:
        seen.append(parameters)
        await original(self, parameters)

    monkeypatch.setattr(RTCDtlsTransport, "start", noting)
    async with conversation() as (offering, answering):
        await soon(lambda: line_of(offering) and line_of(answering), 10)
        bound = set()
        for conversation_ in (offering, answering):
            terms = getattr(conversation_._lines._way, "_terms", None)
            assert terms is not None
            bound.add(terms.peer_fingerprint)
        assert [[f.algorithm for f in parameters.fingerprints] for parameters in seen] == [["sha-256"]] * 2
        assert {bytes.fromhex(p.fingerprints[0].value.replace(":", "")) for p in seen} == bound
        await offering.hang_up()

"""Write the corpus anew from valid values: `python -m tests.fuzz.make_corpus`. No file exceeds a few KiB."""

import shutil
from os import urandom
from typing import Any, get_args
from uuid import UUID

import msgspec
from tests.core.people import NOW, Person, ring
from tests.fuzz.decoders import CORPUS, FILE_ID, FILE_KEY, FILE_SID, FILE_SIZE

from whisp.client.vault.contents import StoredAccount, StoredContact, VaultContents
from whisp.client.vault.sealing import DEFAULT_COST, Header, KeySource, VaultKey, seal
from whisp.core import content as contents
from whisp.core.content import encode_content
from whisp.core.file_stream import FileSender
from whisp.core.handshake import NO_FINGERPRINT, CallFlags, CancelReason, DeclineReason
from whisp.core.handshake.payloads import AnswerPayload, IdentityPayload, ListSighting, OfferPayload
from whisp.core.padding import pad
from whisp.wire import api
from whisp.wire.codes import ErrorCode
from whisp.wire.envelope import KemAnswer, KemOffer, MessageHeader
from whisp.wire.frames import (
    HangUp,
    Hello,
    LineState,
    LineStatus,
    PreKeys,
    PreKeysLeft,
    Relay,
    Ring,
    Route,
    Signalled,
    Welcome,
)
from whisp.wire.ids import CallId, DeviceId, RouteId, Username
from whisp.wire.signals import Confirm
from whisp.wire.version import CURRENT, PAIRWISE_VERSION, SUITE


def corpus() -> dict[str, dict[str, bytes]]:
    """Return target → name → bytes."""
    odile, sefa = Person.create(NOW), Person.create(NOW, devices=2)
    bundle = sefa.device.bundle()
    short = sefa.device.bundle(one_time=False)
    signals = _signals(odile, sefa)
    call_id, device, route = CallId(urandom(16)), DeviceId(urandom(16)), RouteId(urandom(16))
    record = short.signed.encode()
    sighting = ListSighting.of(sefa.device_list)
    certificate, device_list = odile.local.certificate, odile.device_list
    return {
        "client-frame": {
            "hello": Hello(CURRENT, "a.b.c").encode(),
            "pre-keys": PreKeys((record,)).encode(),
            "signal": Signalled(device, signals["decline"]).encode(),
            "hang-up": HangUp(call_id).encode(),
            "relay": Relay(route, urandom(66)).encode(),
        },
        "server-frame": {
            "welcome": Welcome(CURRENT).encode(),
            "pre-keys-left": PreKeysLeft(5).encode(),
            "signal": Signalled(device, signals["cancel"]).encode(),
            "ring": Ring(device, Username("odile"), signals["offer"]).encode(),
            "route": Route(call_id, device, route).encode(),
            "line": LineStatus(call_id, device, LineState.DOWN).encode(),
            "relay": Relay(route, urandom(66)).encode(),
        },
        "signal": signals,
        "certificate": {"native": certificate.encode()},
        "device-list": {"one": device_list.encode(), "two": sefa.renew_list().encode()},
        "pre-key": {"signed": record, "one-time": bundle.one_time.encode() if bundle.one_time else b""},
        "bundle": {"with": bundle.encode(), "without": short.encode()},
        "envelope": {
            "plain": _envelope(None),
            "offer": _envelope(KemOffer(urandom(1184))),
            "answer": _envelope(KemAnswer(urandom(1088))),
        },
        "identity-payload": {"odile": IdentityPayload(certificate, device_list).encode()},
        "offer-payload": {
            "direct": OfferPayload(1, 1, NOW, sighting, NO_FINGERPRINT, CallFlags.DIRECT, b"way").encode()
        },
        "answer-payload": {"plain": AnswerPayload(NOW, sighting, NO_FINGERPRINT, device_list, b"").encode()},
        "padding": {"short": pad(b"hello", 32)},
        "content": _contents(device_list.encode()),
        "file-chunk": {
            "only": FileSender(FILE_SID, FILE_ID, FILE_KEY, FILE_SIZE).chunk(0, urandom(FILE_SIZE))
        },
        "vault-header": {"passphrase": _vault()[:-32]},
        "vault-contents": {"one-contact": _vault_contents().encode()},
        **_json(),
    }


def _signals(odile: Person, sefa: Person) -> dict[str, bytes]:
    offered, incoming = ring(odile, sefa)
    declining = ring(odile, sefa)[1]
    answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
    confirm = Confirm(PAIRWISE_VERSION, SUITE, CallId(urandom(16)), urandom(32), urandom(66))
    return {
        "offer": offered.offer,
        "answer": answer,
        "decline": declining.decline(DeclineReason.BUSY),
        "cancel": offered.cancel(CancelReason.STOPPED),
        "confirm": confirm.encode(),
    }


def _envelope(attachment: KemOffer | KemAnswer | None) -> bytes:
    return MessageHeader(3, 2, urandom(32), 1, 7, attachment).encode() + urandom(256 + 16)


def _contents(device_list: bytes) -> dict[str, bytes]:
    values: list[Any] = [
        contents.Text("Good evening", contents.MessageReference(contents.Author.RECEIVER, 3)),
        contents.Typing(active=True),
        contents.Receipt(contents.ReceiptKind.READ, 9, (contents.Run(4, 5),)),
        contents.TextEdit(3, "Good night"),
        contents.TextDelete(3),
        contents.Reaction(contents.MessageReference(contents.Author.RECEIVER, 3), "\u2764\ufe0f"),
        contents.FileOffer(FILE_ID, FILE_KEY, FILE_SIZE, "letter.txt", "text/plain"),
        contents.FileRequest(FILE_ID, 0),
        contents.FileAck(FILE_ID, 16),
        contents.FileCancel(FILE_ID, contents.FileCancelReason.DECLINED),
        contents.FileDone(FILE_ID),
        contents.Heartbeat(9),
        contents.Resume(is_new_path=True, highest=9, holes=(4, 5)),
        contents.Bye(contents.ByeReason.HUNG_UP, 9),
        contents.ListUpdate(device_list),
        contents.ListReport(2, urandom(32)),
        contents.DirectConsent(allowed=True),
        contents.LineOffer(urandom(16), (contents.Address(bytes((127, 0, 0, 1)), 4711),)),
        contents.LineAnswer(urandom(16), (contents.Address(bytes(15) + b"\x01", 4711),)),
        contents.RtcOffer(urandom(16), contents.RtcPolicy.RELAY_ONLY, "ufrag", "p" * 22),
        contents.RtcAnswer(urandom(16), contents.RtcPolicy.ALL, "ufrag", "p" * 24),
        contents.RtcCandidates(urandom(16), "ufrag", _candidates()),
        contents.RtcClose(urandom(16), contents.RtcCloseReason.CANNOT),
    ]
    assert {type(value) for value in values} == set(get_args(contents.Content))
    return {value.TYPE.name.lower(): encode_content(value, int(value.COUNTED)) for value in values}


def _candidates() -> tuple[contents.IceCandidate, ...]:
    name = f"{UUID(bytes=urandom(16))}.local".encode()
    return (
        contents.IceCandidate(contents.CandidateKind.RELAYED, 16_777_215, bytes((192, 0, 2, 1)), 4711),
        contents.IceCandidate(contents.CandidateKind.HOST, 2_130_706_431, name, 4711),
    )


def _vault() -> bytes:
    return seal(VaultKey(urandom(32)), Header(KeySource.PASSPHRASE, DEFAULT_COST, urandom(16)), b"")


def _vault_contents() -> VaultContents:
    secret = urandom(32)
    account = StoredAccount("https://a.example", "odile", secret, secret, secret, secret, is_confirmed=True)
    return VaultContents(1, account, [StoredContact("sefa", urandom(32), True, NOW, 2, urandom(32))])


def _json() -> dict[str, dict[str, bytes]]:
    signature, challenge, device = urandom(64), urandom(56), urandom(16)
    certificate, device_list = urandom(194), urandom(200)
    values: list[msgspec.Struct] = [
        api.Account("odile", device_list, [certificate]),
        api.Availability(available=True),
        api.Challenge(challenge, NOW),
        api.ChallengeRequest(device),
        api.DeleteAccountRequest(challenge, signature),
        api.DeviceListUpdate(device_list, [certificate]),
        api.DiscoverOutcome("ok", online=True),
        api.DiscoverRequest("sefa", None),
        api.Done(),
        api.Error(ErrorCode.NOT_FOUND, "Nothing here."),
        api.LoginRequest(device, challenge, signature),
        api.PreKeyBundles("ok", [urandom(20)]),
        api.PreKeyBundlesRequest("sefa"),
        api.RegisterRequest("odile", certificate, device_list, challenge, signature),
        api.ServerInfo("https://a.example", 1, 0, "whisp"),
        api.SessionOutcome("delivered"),
        api.SessionRequest(device, "sefa", [urandom(20)]),
        api.SessionToken("a.b.c", NOW),
        api.TurnCredentials("ok", ["turn:turn.example:3478"], [], "1800003600:00ff", "c2VjcmV0", NOW),
        api.TurnCredentialsRequest(urandom(16)),
        api.UsernameRequest("odile"),
    ]
    return {f"api-{type(value).__name__}": {"plain": msgspec.json.encode(value)} for value in values}


def main() -> None:
    """Replace the corpus."""
    made = corpus()
    shutil.rmtree(CORPUS, ignore_errors=True)
    for target, files in made.items():
        folder = CORPUS / target
        folder.mkdir(parents=True)
        for name, data in files.items():
            (folder / f"{name}.bin").write_bytes(data)


if __name__ == "__main__":
    main()

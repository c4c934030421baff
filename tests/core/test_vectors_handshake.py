"""The published vectors, run through the state machines themselves, and held against two other oracles."""

import importlib.util
import json
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.core.people import refused, strangers

from whisp.core.errors import DecryptionError, HandshakeReason
from whisp.core.handshake import (
    AnsweredCall,
    CancelReason,
    DeclineReason,
    IncomingCall,
    OfferedCall,
    Role,
    SessionSecrets,
    receive_offer,
    schedule,
)
from whisp.core.handshake.callee import _Waiting
from whisp.core.handshake.caller import _Ringing
from whisp.core.handshake.session_secrets import HandshakeKey
from whisp.core.identity import DeviceKeys, LocalDevice, PeerIdentity, PinnedAccount
from whisp.core.key_schedule import agree, expand, extract, hash_transcript, open_sealed, seal
from whisp.core.prekeys import PreKeyPair, PreKeyStore
from whisp.core.safety_number import safety_number, safety_qr_verify, session_code
from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import (
    ExpiredError,
    ForgedError,
    MalformedError,
    NotYetValidError,
    VerificationError,
)
from whisp.wire.ids import AccountId, CallId, DeviceId
from whisp.wire.prekey import PreKeyBundle, PreKeyRecord

FOLDER = Path(__file__).parents[2] / "spec" / "vectors"
FILES = ("key_schedule", "identity", "handshake", "safety_number")
RESULTS = {
    MalformedError: "malformed",
    ForgedError: "forged",
    NotYetValidError: "not-yet-valid",
    ExpiredError: "expired",
    VerificationError: "refused-period",
}


def load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def program(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import one of the programs beside the vectors."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


class TestFiles:
    def test_the_generators_write_the_same_files_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["generate", str(tmp_path)])
        primitives = program("generate_identity", monkeypatch)
        handshakes = program("generate_handshake", monkeypatch)
        primitives.write("key_schedule", primitives.key_schedule_vectors())
        primitives.write("identity", primitives.identity())
        primitives.write("safety_number", primitives.safety_numbers())
        primitives.write("handshake", handshakes.handshake(load("handshake")["ciphertexts"]))
        for name in FILES:
            assert (tmp_path / f"{name}.json").read_text() == (FOLDER / f"{name}.json").read_text(), name

    def test_the_independent_checker_agrees(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checker = program("check_handshake", monkeypatch)
        assert not any(
            getattr(value, "__module__", "").startswith("whisp") for value in vars(checker).values()
        )
        monkeypatch.setattr(sys, "argv", ["check"])
        checker.main()
        assert capsys.readouterr().out.count("hold") == 4

    @pytest.mark.parametrize(
        ("group", "name"),
        [("session", "rk0"), ("session", "sid"), ("secrets", "th5"), ("messages", "confirm")],
    )
    def test_the_checker_notices_one_wrong_byte(
        self, monkeypatch: pytest.MonkeyPatch, group: str, name: str
    ) -> None:
        checker = program("check_handshake", monkeypatch)
        content = load("handshake")
        values = content["valid"][0][group]
        values[name] = values[name][:-1] + f"{int(values[name][-1], 16) ^ 1:x}"
        with pytest.raises((SystemExit, checker.RefusedError)):
            checker.check_handshakes(content)

    @pytest.mark.parametrize("name", FILES)
    def test_every_file_says_what_it_means(self, name: str) -> None:
        description = load(name)["description"]
        assert len(description) > 3
        assert "hex" in description[0]


def test_key_schedule_vectors() -> None:
    content, raw = load("key_schedule"), bytes.fromhex
    for e in content["extract"]:
        assert extract(raw(e["salt"]), raw(e["ikm"])).hex() == e["prk"]
    for e in content["expand"]:
        assert expand(raw(e["prk"]), e["label"], raw(e["context"]), e["length"]).hex() == e["out"]
    for e in content["hash"]:
        assert hash_transcript(e["label"], raw(e["message"])).hex() == e["out"]
    for e in content["seal"]:
        assert seal(raw(e["prk"]), e["label"], raw(e["th"]), raw(e["plaintext"])).hex() == e["sealed"]
    for e in content["seal_invalid"]:
        with pytest.raises(DecryptionError):
            open_sealed(raw(e["prk"]), e["label"], raw(e["th"]), raw(e["sealed"]))
    for e in content["dh_zero"]:
        with pytest.raises(MalformedError):
            agree(X25519PrivateKey.from_private_bytes(raw(e["private"])), raw(e["public"]))


def test_identity_vectors() -> None:
    content = load("identity")
    for entry in content["values"]:
        encoded, now, result = bytes.fromhex(entry["bytes"]), entry["now"], "valid"
        try:
            if entry["kind"] == "certificate":
                Certificate.decode(encoded).verify(now)
            elif entry["kind"] == "device-list":
                DeviceList.decode(encoded).verify(now)
            else:
                PreKeyRecord.decode(encoded).verify(bytes.fromhex(entry["signing_key"]), now)
        except (MalformedError, VerificationError) as error:
            result = RESULTS[type(error)]
        assert result == entry["result"]
    for entry in content["memories"]:
        presented = DeviceList.decode(bytes.fromhex(entry["presented"]))
        seen = [DeviceList.decode(bytes.fromhex(item)) for item in entry["seen"]]
        pinned = PinnedAccount.first_contact(seen[0], entry["now"]) if seen else None
        for item in seen:
            assert pinned is not None
            pinned = pinned.accept(item, entry["now"])
        accept = pinned.accept if pinned else PinnedAccount.first_contact
        if entry["result"] == "accepted":
            assert accept(presented, entry["now"]).version == presented.version
        else:
            refused(HandshakeReason(entry["result"]), accept, presented, entry["now"])


def test_safety_number_vectors() -> None:
    content, raw = load("safety_number"), bytes.fromhex
    assert content["numbers"][0]["number"].startswith("37665 95927")
    for entry in content["numbers"]:
        assert safety_number(AccountId(raw(entry["one"])), AccountId(raw(entry["other"]))) == entry["number"]
    for entry in content["session_codes"]:
        assert session_code(raw(entry["exporter"])) == entry["code"]
    for entry in content["qr"]:
        sides = AccountId(raw(entry["local"])), AccountId(raw(entry["remote"]))
        if entry["result"] == "valid":
            safety_qr_verify(raw(entry["scanned"]), *sides)
        elif entry["result"] == "malformed":
            with pytest.raises(MalformedError):
                safety_qr_verify(raw(entry["scanned"]), *sides)
        else:
            refused(HandshakeReason.WRONG_ACCOUNT, safety_qr_verify, raw(entry["scanned"]), *sides)


@dataclass
class Case:
    """Both sides of a recorded handshake, rebuilt from its private keys."""

    case: dict[str, Any]

    def __post_init__(self) -> None:
        raw = bytes.fromhex
        self.now: int = self.case["now"]
        self.i = {name: raw(value) for name, value in self.case["inputs"].items()}
        self.m = {name: raw(value) for name, value in self.case["messages"].items()}
        self.s = {name: raw(value) for name, value in self.case["secrets"].items()}
        self.bundle = PreKeyBundle.decode(self.i["bundle"])
        self.certificate = Certificate.decode(self.i["certificate_a"])
        self.list_a = DeviceList.decode(self.i["list_a"])
        self.call_id = CallId(self.m["offer"][4:20])

    def keys(self, device: DeviceId, agreement: str) -> DeviceKeys:
        # the caller's DK_sign signs nothing in a handshake, so the vectors leave it out
        signing = Ed25519PrivateKey.from_private_bytes(self.i["dk_sign_b"])
        return DeviceKeys(device, signing, X25519PrivateKey.from_private_bytes(self.i[agreement]))

    def callee(self) -> tuple[LocalDevice, PreKeyStore]:
        keys = self.keys(self.bundle.certificate.device, "dk_dh_b")
        store = PreKeyStore(keys)
        for record, name in ((self.bundle.signed, "signed"), (self.bundle.one_time, "one_time")):
            if record is not None:
                agreement = X25519PrivateKey.from_private_bytes(self.i[f"{name}_x25519"])
                kem = MLKEM768PrivateKey.from_seed_bytes(self.i[f"{name}_kem"])
                store.adopt(PreKeyPair(record, agreement, kem))
        return LocalDevice(self.bundle.certificate, self.bundle.device_list, keys), store

    def incoming(self) -> IncomingCall:
        local, store = self.callee()
        return receive_offer(local, store, self.m["offer"], strangers, self.now)

    def caller(self) -> LocalDevice:
        keys = self.keys(self.certificate.device, "dk_dh_a")
        local = object.__new__(LocalDevice)  # built around the check that DK_sign fits, see `keys`
        for name, value in (("certificate", self.certificate), ("device_list", self.list_a), ("keys", keys)):
            object.__setattr__(local, name, value)
        return local

    def offered(self) -> OfferedCall:
        pinned = PinnedAccount.first_contact(self.bundle.device_list, self.now)
        peer = PeerIdentity(self.bundle.certificate, self.bundle.device_list, pinned)
        ringing = _Ringing(
            1,
            1,
            X25519PrivateKey.from_private_bytes(self.i["ek_a"]),
            MLKEM768PrivateKey.from_seed_bytes(self.i["kem_a"]),
            HandshakeKey(self.s["p2"]),
            self.s["th3"],
        )
        return OfferedCall(self.caller(), peer, self.call_id, self.m["offer"], ringing)

    def answered(self) -> AnsweredCall:
        incoming = self.incoming()
        keys = schedule.derive_session(self.s["p3"], self.s["th5"])
        secrets = SessionSecrets.of(
            Role.RESPONDER, keys, self.m["answer"][36:68], X25519PrivateKey.from_private_bytes(self.i["ek_b"])
        )
        mac = HandshakeKey(schedule.confirm_mac(keys.confirm_key, self.s["th5"]))
        waiting = _Waiting(HandshakeKey(self.s["p2"]), self.s["th3"], mac, secrets)
        return AnsweredCall(incoming.peer, incoming._offer, incoming.fingerprint, waiting)

    def assert_session(self, secrets: SessionSecrets) -> None:
        expected = self.case["session"]
        assert secrets.sid.hex() == expected["sid"]
        for name, secret in (
            ("rk0", secrets.root_key),
            ("pr0", secrets.pq_root),
            ("pa0", secrets.pq_chain_a),
            ("pb0", secrets.pq_chain_b),
            ("exporter", secrets.exporter),
        ):
            assert secret.expose().hex() == expected[name], name
        assert session_code(secrets.exporter.expose()) == self.case["session_code"]


CASES = {case["name"]: case for case in load("handshake")["valid"]}
each_case = pytest.mark.parametrize("name", CASES)


@each_case
def test_a_recorded_offer_rings(name: str) -> None:
    case = Case(CASES[name])
    incoming = case.incoming()
    ringing = incoming._ringing
    assert ringing is not None
    assert (ringing.p2.expose(), ringing.th3) == (case.s["p2"], case.s["th3"])
    assert incoming.peer.certificate == case.certificate
    assert incoming.receive_cancel(case.m["cancel"]) is CancelReason(CASES[name]["reasons"]["cancel"])


@each_case
def test_a_recorded_answer_establishes_the_recorded_session(name: str) -> None:
    case = Case(CASES[name])
    confirmed = case.offered().receive_answer(case.m["answer"], case.now)
    case.assert_session(confirmed.secrets)
    assert confirmed.confirm(case.i["first_message"]) == case.m["confirm"]
    declined = case.offered().receive_decline(case.m["decline"])
    assert declined is DeclineReason(CASES[name]["reasons"]["decline"])


@each_case
def test_a_recorded_confirm_establishes_the_recorded_session(name: str) -> None:
    case = Case(CASES[name])
    secrets, first = case.answered().receive_confirm(case.m["confirm"])
    case.assert_session(secrets)
    assert first == case.i["first_message"]


@pytest.mark.parametrize("number", range(len(load("handshake")["invalid"])))
def test_s11_an_invalid_message_is_refused_for_its_reason(number: int) -> None:
    change = load("handshake")["invalid"][number]
    case = Case(CASES[change["case"]])
    message, original = change["message"], case.m[change["message"]]
    now = change.get("now", case.now)
    data, reason = _altered(original, change), HandshakeReason(change["reason"])
    if message == "offer":
        local, store = case.callee()
        if change.get("again"):
            receive_offer(local, store, original, strangers, now)
        refused(reason, receive_offer, local, store, data, strangers, now)
        if not change.get("again"):
            receive_offer(local, store, original, strangers, case.now)
    elif message == "answer":
        offered = case.offered()
        refused(reason, offered.receive_answer, data, now)
        offered.receive_answer(original, now)
    elif message == "decline":
        offered = case.offered()
        refused(reason, offered.receive_decline, data)
        offered.receive_decline(original)
    elif message == "cancel":
        incoming = case.incoming()
        refused(reason, incoming.receive_cancel, data)
        incoming.receive_cancel(original)
    else:
        answered = case.answered()
        refused(reason, answered.receive_confirm, data)
        answered.receive_confirm(original)


def _altered(original: bytes, change: dict[str, Any]) -> bytes:
    if "bytes" in change:
        return bytes.fromhex(change["bytes"])
    if "patch" in change:
        at, data = change["patch"][0], bytes.fromhex(change["patch"][1])
        return original[:at] + data + original[at + len(data) :]
    by: int = change["resize"]
    return original[:by] if by < 0 else original + bytes(by)


def test_every_ciphertext_was_made_for_its_key() -> None:
    """Decapsulation never fails: a ciphertext for another key would hide behind a secret no one else has."""
    kept = load("handshake")["ciphertexts"]
    for name in CASES:
        case = Case(CASES[name])
        record = case.bundle.one_time or case.bundle.signed
        ends = (("ct1", record.kem_key, "offer", 1268), ("ct2", case.m["offer"][84:1268], "answer", 68))
        for label, key, message, at in ends:
            entry = kept[f"{name}, {label}"]
            assert entry["for"] == sha256(key).hexdigest()
            assert entry["ciphertext"] == case.m[message][at : at + 1088].hex()

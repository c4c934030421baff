"""Writes handshake.json, from fixed seeds.

The one thing that cannot be drawn from a seed is the randomness of ML-KEM encapsulation: ciphertexts are made
once and kept from the file that is there, as long as the key they were made for is unchanged.
`check_handshake.py` verifies the file without a line of Whisp.

    python spec/vectors/generate_handshake.py [folder]
"""

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from generate_identity import DAY, HOUR, MALLORY, NOW, ODILE, SEFA, Json, Person, drawn, kem, write, x25519

from whisp.core.handshake import schedule
from whisp.core.handshake.payloads import (
    NO_FINGERPRINT,
    AnswerPayload,
    CallFlags,
    CancelReason,
    DeclineReason,
    IdentityPayload,
    ListSighting,
    OfferPayload,
)
from whisp.core.identity import issue_certificate, issue_device_list
from whisp.core.key_schedule import agree, seal
from whisp.core.padding import HANDSHAKE_FLOOR, pad
from whisp.core.prekeys import PreKeyPair
from whisp.core.safety_number import session_code
from whisp.wire.certificate import Certificate, DeviceKind
from whisp.wire.device_list import DeviceList
from whisp.wire.ids import CallId
from whisp.wire.prekey import PreKeyBundle, PreKeyKind
from whisp.wire.signals import Answer, Cancel, Confirm, Decline, Offer

HANDSHAKE_TEXT = """\
All byte strings are hex. Notation, layouts and key schedule are in spec/handshake.md.
valid: inputs are private keys (X25519 32 bytes, ML-KEM-768 seeds d || z of 64, Ed25519 seeds of 32) and
  public values; one_time_* are empty where there is no one-time record. Ciphertexts ct1 and ct2 stand in
  OFFER and ANSWER: SS1 = Decaps(one_time_kem if there is one, else signed_kem, ct1),
  SS2 = Decaps(kem_a, ct2).
dh1 = DH(dk_dh_a, X1), dh2 = DH(ek_a, DK_dh_B), dh3 = DH(ek_a, X1), dh4 = DH(ek_a, X2) or empty,
  dh5 = DH(ek_a, EK_b), dh6 = DH(dk_dh_a, EK_b), each from either side's private keys.
th0 = H('hs0', 01 || 01 || cert_B || record1 || lp16(record2 or empty));
  th1 = H('hs1', th0 || OFFER[0..2356]).
p1 = Ext(th1, dh2 || dh3 || dh4 || ss1); c_id = Seal(p1, 'hs id', th1, id_a);
  th2 = H('hs2', th1 || lp16(id_a) || lp16(c_id)).
p2 = Ext(Exp(p1, 'hs ck', th1, 32), dh1); c_offer = Seal(p2, 'hs offer', th2, offer_a);
  th3 = H('hs3', th2 || lp16(offer_a) || lp16(c_offer)).
DECLINE, CANCEL: Seal(p2, 'hs decline' or 'hs cancel', H('hs3d', th3 || message[0..36]), reason u8).
th4 = H('hs4', th3 || ANSWER[0..1156]); p3 = Ext(Exp(p2, 'hs ck', th3, 32), dh5 || dh6 || ss2);
  c_ans = Seal(p3, 'hs answer', th4, ans_b); th5 = H('hs5', th4 || lp16(ans_b) || lp16(c_ans)).
session: sid (16 bytes), rk0, pr0, pa0, pb0, exporter (32) = Exp(p3, 'hs sid', 'hs rk', 'hs pr', 'hs pa',
  'hs pb', 'hs exporter', th5). CONFIRM = 05 01 01 00 || call id || HMAC-SHA-256(Exp(p3, 'hs conf', th5, 32),
  th5) || first_message. plaintexts are padded, as they were sealed.
invalid: take the named message of the named valid case; patch [at, data] overwrites, resize cuts or appends
  zero bytes, bytes replaces it. Its honest receiver at that stage, at now (the case's if absent), refuses it
  with reason and keeps its state. again: that receiver has accepted the honest message once before.
  The receiver of an OFFER holds the pre-keys of the case and knows no account; the receivers of the others
  have sent and taken the honest messages before it.
ciphertexts: kept so that the generator writes the same file again; for = SHA-256 of the encapsulation key.
checked: X25519 by pyca/cryptography and by a plain-integer ladder after RFC 7748. The x3dh package (1.3) is
  fed these keys and must reach HKDF over FF*32 || dh1 || dh2 || dh3 || dh4: that checks which key meets
  which. It knows no KEM, transcript or seals: check_handshake.py checks those, with the ML-KEM and
  AES-GCM of pyca/cryptography.
""".splitlines()


@dataclass(frozen=True)
class Call:
    """All inputs of one handshake. Fields that are None take their honest value."""

    name: str
    caller: Person
    callee: Person
    signed: PreKeyPair
    one_time: PreKeyPair | None
    ct1: bytes
    ct2: bytes
    flags: CallFlags = CallFlags.NONE
    fingerprint_a: bytes = NO_FINGERPRINT
    fingerprint_b: bytes = NO_FINGERPRINT
    transport_a: bytes = b""
    transport_b: bytes = b""
    answer_list: DeviceList | None = None
    identity: bytes | None = None
    proposal: bytes | None = None
    reply: bytes | None = None
    kem_key: bytes | None = None
    device_key: X25519PrivateKey | None = None

    def compose(self) -> Json:
        """Return every value and message of the handshake."""
        ek_a, kem_a, ek_b = (
            x25519(f"{self.name} EK_a"),
            kem(f"{self.name} ek_a"),
            x25519(f"{self.name} EK_b"),
        )
        call_id = CallId(drawn(f"{self.name} call id", 16))
        signed, once = self.signed.record, self.one_time.record if self.one_time else None
        dk_a, dk_b = self.device_key or self.caller.keys.agreement, self.callee.keys.public.agreement_key
        offer = Offer(
            1,
            1,
            call_id,
            self.callee.keys.device,
            signed.id,
            once.id if once else None,
            ek_a.public_key().public_bytes_raw(),
            self.kem_key or kem_a.public_key().public_bytes_raw(),
            self.ct1,
            b"",
            b"",
        )
        th0 = schedule.begin_transcript(
            1, 1, self.callee.certificate.encode(), signed.encode(), once.encode() if once else b""
        )
        th1 = schedule.bind_offer_header(th0, offer.encode_header())
        dh2, dh3 = agree(ek_a, dk_b), agree(ek_a, signed.agreement_key)
        dh4 = agree(ek_a, once.agreement_key) if once else b""
        ss1 = (self.one_time or self.signed).live()[1].decapsulate(self.ct1)
        p1 = schedule.identity_key(th1, dh2, dh3, dh4, ss1)
        id_a = pad(
            self.identity or IdentityPayload(self.caller.certificate, self.caller.device_list).encode(),
            HANDSHAKE_FLOOR,
        )
        c_id = seal(p1, schedule.SEAL_IDENTITY, th1, id_a)
        th2 = schedule.bind_identity(th1, id_a, c_id)
        dh1 = agree(dk_a, signed.agreement_key)
        p2 = schedule.offer_key(p1, th1, dh1)
        seen_b = ListSighting.of(self.callee.device_list)
        honest = OfferPayload(1, 1, NOW, seen_b, self.fingerprint_a, self.flags, self.transport_a)
        offer_a = pad(self.proposal or honest.encode(), HANDSHAKE_FLOOR)
        c_offer = seal(p2, schedule.SEAL_OFFER, th2, offer_a)
        th3 = schedule.bind_offer(th2, offer_a, c_offer)

        device_a, device_b = self.caller.keys.device, self.callee.keys.device
        refusals = {}
        for name, label, head, reason in (
            ("decline", schedule.SEAL_DECLINE, Decline(1, 1, call_id, device_b, b""), DeclineReason.BUSY),
            ("cancel", schedule.SEAL_CANCEL, Cancel(1, 1, call_id, device_a, b""), CancelReason.ELSEWHERE),
        ):
            th3d = schedule.bind_refusal_header(th3, head.encode_header())
            refusals[name] = replace(head, sealed_reason=seal(p2, label, th3d, bytes((reason,)))).encode()

        answer = Answer(1, 1, call_id, device_b, ek_b.public_key().public_bytes_raw(), self.ct2, b"")
        th4 = schedule.bind_answer_header(th3, answer.encode_header())
        dh5, dh6 = agree(ek_a, answer.ephemeral_key), agree(dk_a, answer.ephemeral_key)
        ss2 = kem_a.decapsulate(self.ct2)
        p3 = schedule.answer_key(p2, th3, dh5, dh6, ss2)
        seen_a = ListSighting.of(self.caller.device_list)
        own_list = self.answer_list or self.callee.device_list
        reply = AnswerPayload(NOW + 1, seen_a, self.fingerprint_b, own_list, self.transport_b)
        ans_b = pad(self.reply or reply.encode(), HANDSHAKE_FLOOR)
        c_ans = seal(p3, schedule.SEAL_ANSWER, th4, ans_b)
        th5 = schedule.bind_answer(th4, ans_b, c_ans)
        keys = schedule.derive_session(p3, th5)
        first = drawn(f"{self.name} first message", 66)
        mac = schedule.confirm_mac(keys.confirm_key, th5)
        bundle = PreKeyBundle(self.callee.certificate, self.callee.device_list, signed, once)
        return {
            "name": self.name,
            "now": NOW,
            "inputs": {
                "certificate_a": self.caller.certificate.encode(),
                "list_a": self.caller.device_list.encode(),
                "dk_dh_a": dk_a.private_bytes_raw(),
                "ek_a": ek_a.private_bytes_raw(),
                "kem_a": kem_a.private_bytes_raw(),
                "bundle": bundle.encode(),
                "dk_sign_b": drawn("sefa DK_sign", 32),
                "dk_dh_b": self.callee.keys.agreement.private_bytes_raw(),
                "signed_x25519": self.signed.live()[0].private_bytes_raw(),
                "signed_kem": self.signed.live()[1].private_bytes_raw(),
                "one_time_x25519": self.one_time.live()[0].private_bytes_raw() if self.one_time else b"",
                "one_time_kem": self.one_time.live()[1].private_bytes_raw() if self.one_time else b"",
                "ek_b": ek_b.private_bytes_raw(),
                "first_message": first,
            },
            "messages": {
                "offer": replace(offer, sealed_identity=c_id, sealed_offer=c_offer).encode(),
                "answer": replace(answer, sealed_answer=c_ans).encode(),
                "confirm": Confirm(1, 1, call_id, mac, first).encode(),
                **refusals,
            },
            "plaintexts": {"id_a": id_a, "offer_a": offer_a, "ans_b": ans_b},
            "reasons": {"decline": int(DeclineReason.BUSY), "cancel": int(CancelReason.ELSEWHERE)},
            "secrets": {
                "dh1": dh1,
                "dh2": dh2,
                "dh3": dh3,
                "dh4": dh4,
                "dh5": dh5,
                "dh6": dh6,
                "ss1": ss1,
                "ss2": ss2,
                "p1": p1,
                "p2": p2,
                "p3": p3,
                "th0": th0,
                "th1": th1,
                "th2": th2,
                "th3": th3,
                "th4": th4,
                "th5": th5,
            },
            "session": {
                "sid": keys.sid,
                "rk0": keys.root_key,
                "pr0": keys.pq_root,
                "pa0": keys.pq_chain_a,
                "pb0": keys.pq_chain_b,
                "exporter": keys.exporter,
            },
            "session_code": session_code(keys.exporter),
        }


def ciphertext(kept: Json, name: str, key: MLKEM768PrivateKey) -> bytes:
    """Return the ciphertext kept under a name, or make and keep one if it was for another key."""
    digest = sha256(key.public_key().public_bytes_raw()).hexdigest()
    if kept.get(name, {}).get("for") != digest:
        kept[name] = {"for": digest, "ciphertext": key.public_key().encapsulate()[1].hex()}
    return bytes.fromhex(kept[name]["ciphertext"])


def handshake(kept: Json) -> Json:
    signed = SEFA.pre_key(PreKeyKind.SIGNED, "sefa signed")
    once = SEFA.pre_key(PreKeyKind.ONE_TIME, "sefa once")
    plain_name, spare_name = "with a one-time record", "without a one-time record"
    plain = Call(
        plain_name,
        ODILE,
        SEFA,
        signed,
        once,
        ciphertext(kept, f"{plain_name}, ct1", once.live()[1]),
        ciphertext(kept, f"{plain_name}, ct2", kem(f"{plain_name} ek_a")),
        flags=CallFlags.DIRECT,
        transport_a=b"way to odile",
        transport_b=b"way to sefa",
    )
    spare = Call(
        spare_name,
        ODILE.renewed(),
        SEFA,
        signed,
        None,
        ciphertext(kept, f"{spare_name}, ct1", signed.live()[1]),
        ciphertext(kept, f"{spare_name}, ct2", kem(f"{spare_name} ek_a")),
        fingerprint_a=drawn("fp a", 32),
        fingerprint_b=drawn("fp b", 32),
        transport_a=drawn("long transport a", 700),
        transport_b=drawn("long transport b", 1300),
        answer_list=SEFA.renewed().device_list,
    )
    cases = [plain.compose(), spare.compose()]
    return {
        "description": HANDSHAKE_TEXT,
        "valid": cases,
        "invalid": list(invalid_handshakes(plain, spare)),
        "ciphertexts": kept,
    }


def invalid_handshakes(plain: Call, spare: Call) -> list[Json]:
    """Return messages to refuse: bytes changed on the way, and authentic lies."""
    found: list[Json] = []
    zeros = bytes(32)

    def changed(message: str, reason: str, at: int, data: bytes, of: Call = plain) -> None:
        found.append({"case": of.name, "message": message, "patch": [at, data], "reason": reason})

    def resized(message: str, by: int) -> None:
        found.append({"case": plain.name, "message": message, "resize": by, "reason": "malformed"})

    def lie(message: str, reason: str, of: Call = plain, **fields: Any) -> None:
        encoded = replace(of, **fields).compose()["messages"][message]
        found.append({"case": of.name, "message": message, "bytes": encoded, "reason": reason})

    first = plain.compose()
    offer, answer = first["messages"]["offer"], first["messages"]["answer"]
    changed("offer", "malformed", 0, b"\x06")
    changed("offer", "malformed", 3, b"\x00")
    changed("offer", "malformed", 3, b"\x03")
    changed("offer", "not-authentic", 1, b"\x02")
    changed("offer", "not-authentic", 2, b"\x02")
    changed("offer", "not-authentic", 4, zeros[:16])
    changed("offer", "wrong-device", 20, zeros[:16])
    changed("offer", "pre-key-unknown", 36, zeros[:8])
    changed("offer", "pre-key-unknown", 44, b"\x01" * 8)
    changed("offer", "malformed", 44, zeros[:8])
    changed("offer", "bad-key", 52, zeros)
    changed("offer", "bad-key", 52, b"\x01" + zeros[1:])
    changed(
        "offer",
        "bad-key",
        52,
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    )
    changed("offer", "not-authentic", 52, drawn("another EK_a", 32))
    changed("offer", "not-authentic", 84, bytes((offer[84] ^ 1,)))
    changed("offer", "not-authentic", 1268, bytes((offer[1268] ^ 1,)))
    changed("offer", "not-authentic", 2358, bytes((offer[2358] ^ 1,)))
    changed("offer", "not-authentic", len(offer) - 1, bytes((offer[-1] ^ 1,)))
    for message in ("offer", "answer", "decline", "cancel"):
        resized(message, -1)
        resized(message, 1)
    resized("confirm", -len(first["inputs"]["first_message"]))
    for message in ("answer", "decline", "cancel"):
        changed(message, "downgrade", 1, b"\x02")
        changed(message, "malformed", 3, b"\x01")
        changed(message, "wrong-call", 4, zeros[:16])
        changed(message, "wrong-device", 20, zeros[:16])
    changed("answer", "bad-key", 36, zeros)
    changed("answer", "not-authentic", 68, bytes((answer[68] ^ 1,)))
    changed("answer", "not-authentic", len(answer) - 1, bytes((answer[-1] ^ 1,)))
    for message in ("decline", "cancel"):
        end = first["messages"][message]
        changed(message, "not-authentic", len(end) - 1, bytes((end[-1] ^ 1,)))
    changed("confirm", "wrong-call", 4, zeros[:16])
    changed("confirm", "not-authentic", 20, zeros)
    whole = {"message": "offer", "resize": 0}
    found.extend({"case": plain.name, **whole, "now": NOW + by, "reason": "clock"} for by in (-301, 301))
    found.append({"case": plain.name, **whole, "again": True, "reason": "pre-key-used"})
    found.append({"case": spare.name, **whole, "again": True, "reason": "replayed"})

    def identity(certificate: Certificate, device_list: DeviceList) -> bytes:
        return IdentityPayload(certificate, device_list).encode()

    late = issue_certificate(ODILE.account, ODILE.keys.public, DeviceKind.NATIVE, NOW - 2 * HOUR, HOUR)
    other = issue_certificate(ODILE.account, ODILE.keys.public, DeviceKind.WEB, NOW)
    forged = replace(ODILE.certificate, signature=drawn("no signature", 64))
    for reason, certificate, device_list in (
        ("wrong-account", ODILE.certificate, MALLORY.device_list),
        ("certificate-mismatch", other, ODILE.device_list),
        ("certificate-expired", late, issue_device_list(ODILE.account, [late], NOW, None)),
        ("certificate-forged", forged, issue_device_list(ODILE.account, [forged], NOW, None)),
        ("device-not-listed", ODILE.certificate, ODILE.revoking(MALLORY)),
        (
            "list-stale",
            ODILE.certificate,
            issue_device_list(ODILE.account, [ODILE.certificate], NOW - 8 * DAY, None),
        ),
        ("list-forged", ODILE.certificate, replace(ODILE.device_list, expires=NOW + DAY)),
    ):
        lie("offer", reason, identity=identity(certificate, device_list))
    mallory = MALLORY.keys.agreement
    lie("offer", "not-authentic", device_key=mallory)
    seen = ListSighting.of(SEFA.device_list)
    proposal = OfferPayload(1, 1, NOW, seen, NO_FINGERPRINT, CallFlags.NONE, b"")
    for reason, payload in (
        ("downgrade", replace(proposal, versions=0b10)),
        ("downgrade", replace(proposal, suites=0b10)),
        ("malformed", replace(proposal, flags=2)),  # type: ignore[arg-type]  # an unknown flag on purpose
        ("malformed", replace(proposal, fingerprint=zeros[1:])),
        ("clock", replace(proposal, time=NOW - 301)),
    ):
        lie("offer", reason, proposal=payload.encode())
    lie("offer", "bad-key", kem_key=b"\xff" * 1184)
    lie("answer", "device-not-listed", answer_list=SEFA.revoking(MALLORY))
    lie("answer", "list-forged", answer_list=replace(SEFA.device_list, issued=NOW + 1))
    lie("answer", "wrong-account", answer_list=MALLORY.device_list)
    return found


if __name__ == "__main__":
    there = Path(__file__).parent / "handshake.json"
    write("handshake", handshake(json.loads(there.read_text())["ciphertexts"] if there.exists() else {}))

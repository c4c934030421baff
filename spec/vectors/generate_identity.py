"""Writes key_schedule.json, identity.json and safety_number.json, from fixed seeds.

Every key is drawn from SHAKE-256 of a name, so a second run writes the same bytes. `check_handshake.py`
verifies the files without a line of Whisp.

    python spec/vectors/generate_identity.py [folder]
"""

import json
import sys
from dataclasses import dataclass, replace
from hashlib import shake_256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core import key_schedule
from whisp.core.identity import AccountKey, DeviceKeys, issue_certificate, issue_device_list
from whisp.core.key_schedule import seal
from whisp.core.prekeys import PreKeyPair
from whisp.core.safety_number import safety_number, safety_qr_encode, session_code
from whisp.wire.certificate import CERTIFICATE_LABEL, Certificate, DeviceKind
from whisp.wire.device_list import DEVICE_LIST_LABEL, DeviceList
from whisp.wire.ids import AccountId, DeviceId, PreKeyId
from whisp.wire.prekey import PRE_KEY_LABELS, PreKeyKind, PreKeyRecord

NOW = 1_800_000_000
HOUR, DAY = 3600, 86_400
Json = dict[str, Any]

KEY_SCHEDULE_TEXT = """\
All byte strings are hex. T(s) = ASCII 'Whisp/1 ' || s || 00.
extract: prk = HMAC-SHA-256(key salt, ikm).
expand: out = HKDF-Expand-SHA-256(prk, info T(label) || context, length).
hash: out = SHA-256(T(label) || message).
seal: k || n = expand(prk, label, th, 44); sealed = AES-256-GCM(k, n, AD th, plaintext), tag last.
seal_invalid: opening fails.
dh_zero: X25519(private, public) is zero, so the implementation refuses it.
""".splitlines()

IDENTITY_TEXT = """\
All byte strings are hex; layouts are in spec/identity.md. now is the verifier's clock.
values: parse bytes as its kind, then verify the signature by its key over its message:
  certificate: AK = bytes[1..33]; T('device-cert') || bytes[0..130].
  device-list: AK = bytes[1..33]; T('device-list') || all before the last 64.
  pre-key: signing_key; T('prekey-signed') or T('prekey-once') by kind || bytes[0..1262].
result: valid, malformed, forged (signature), refused-period (no time or too much of it), not-yet-valid
  (now < start - 300) or expired (now > end + 300), checked in this order.
memories: a verifier accepts every list of seen in order, then is shown presented. It remembers the highest
  (version, SHA-256 of the whole list). result: accepted, wrong-account, list-stale or list-forked.
""".splitlines()

SAFETY_TEXT = """\
All byte strings are hex. T(s) = ASCII 'Whisp/1 ' || s || 00.
numbers: d = PBKDF2-HMAC-SHA-512(min(one, other) || max(one, other), salt T('safety-number'), 100000 rounds,
  60 bytes); group j = u40(d[5j..5j+5]) mod 100000, in five digits, twelve groups.
session_codes: the same digits of Exp(exporter, 'session code', empty, 30), six groups.
qr: scanned must be T('safety-qr') || remote || local, seen by the side whose own key is local.
""".splitlines()


def drawn(name: str, length: int) -> bytes:
    """Return bytes that only depend on `name`."""
    return shake_256(b"whisp vectors: " + name.encode()).digest(length)


def x25519(name: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(drawn(name, 32))


def kem(name: str) -> MLKEM768PrivateKey:
    return MLKEM768PrivateKey.from_seed_bytes(drawn(name, 64))


@dataclass
class Person:
    """An account with one device."""

    account: AccountKey
    keys: DeviceKeys
    certificate: Certificate
    device_list: DeviceList

    @classmethod
    def named(cls, name: str) -> "Person":
        account = AccountKey.from_seed(drawn(f"{name} AK", 32))
        signing = Ed25519PrivateKey.from_private_bytes(drawn(f"{name} DK_sign", 32))
        device = DeviceId(drawn(f"{name} device id", 16))
        keys = DeviceKeys(device, signing, x25519(f"{name} DK_dh"))
        certificate = issue_certificate(account, keys.public, DeviceKind.NATIVE, NOW)
        return cls(account, keys, certificate, issue_device_list(account, [certificate], NOW, None))

    def renewed(self) -> "Person":
        following = issue_device_list(self.account, [self.certificate], NOW, self.device_list)
        return replace(self, device_list=following)

    def revoking(self, other: "Person") -> DeviceList:
        """Return a list that names only `other`'s device and has this one among the dead."""
        moved = issue_certificate(self.account, other.keys.public, DeviceKind.NATIVE, NOW)
        revoke = [(self.keys.device, 1)]
        return issue_device_list(self.account, [moved], NOW, self.device_list, revoke)

    def pre_key(self, kind: PreKeyKind, name: str, at: int = NOW) -> PreKeyPair:
        identifier = PreKeyId(drawn(f"{name} id", 8))
        return PreKeyPair.sign(self.keys, kind, identifier, at, x25519(f"{name} x25519"), kem(f"{name} kem"))


ODILE, SEFA, MALLORY = (Person.named(name) for name in ("odile", "sefa", "mallory"))


def identity() -> Json:
    """Return certificates, lists and records, valid and not, and what a verifier that remembers says."""
    values: list[Json] = []

    def value(kind: str, item: Certificate | DeviceList | PreKeyRecord, reason: str, now: int = NOW) -> None:
        key = SEFA.keys.public.signing_key if kind == "pre-key" else b""
        values.append(
            {"kind": kind, "bytes": item.encode(), "now": now, "signing_key": key, "result": reason}
        )

    def certificate(**fields: Any) -> Certificate:
        made = replace(SEFA.certificate, **fields)
        return replace(made, signature=SEFA.account.sign(CERTIFICATE_LABEL, made.to_be_signed()))

    def device_list(**fields: Any) -> DeviceList:
        made = replace(SEFA.device_list, **fields)
        return replace(made, signature=SEFA.account.sign(DEVICE_LIST_LABEL, made.to_be_signed()))

    cert, listed = SEFA.certificate, SEFA.device_list
    value("certificate", cert, "valid")
    value("certificate", cert, "valid", NOW - 300)
    value("certificate", cert, "not-yet-valid", NOW - 301)
    value("certificate", cert, "valid", cert.expires + 300)
    value("certificate", cert, "expired", cert.expires + 301)
    value("certificate", certificate(kind=DeviceKind.BOT), "valid")
    value("certificate", certificate(expires=NOW + 365 * DAY + 1), "refused-period")
    value("certificate", certificate(expires=NOW), "refused-period")
    value("certificate", replace(cert, kind=DeviceKind.BOT), "forged")
    value("certificate", replace(cert, account=MALLORY.account.public), "forged")
    latest = 2**53 - 1
    value("certificate", certificate(created=latest - DAY, expires=latest), "not-yet-valid")
    value("certificate", certificate(created=latest + 1 - DAY, expires=latest + 1), "malformed")
    value("certificate", certificate(created=2**64 - 1 - DAY, expires=2**64 - 1), "malformed")
    value("device-list", listed, "valid")
    value("device-list", listed, "expired", listed.expires + 301)
    value("device-list", listed, "not-yet-valid", NOW - 301)
    value("device-list", device_list(expires=NOW + 7 * DAY + 1), "refused-period")
    value("device-list", replace(listed, expires=NOW + DAY), "forged")
    value("device-list", SEFA.revoking(MALLORY), "valid")
    value("device-list", device_list(version=0), "malformed")
    value("device-list", device_list(version=2), "malformed")
    value("device-list", device_list(issued=latest + 1 - DAY, expires=latest + 1), "malformed")
    value("device-list", device_list(active=listed.active * 2), "malformed")
    for kind in PreKeyKind:
        pair = SEFA.pre_key(kind, f"identity {kind.name}")
        value("pre-key", pair.record, "valid")
        value("pre-key", pair.record, "expired", NOW + HOUR + 301)
        value("pre-key", pair.record, "not-yet-valid", NOW - 301)
        value("pre-key", replace(pair.record, versions=3), "forged")
        value("pre-key", replace(pair.record, kind=PreKeyKind(3 - kind)), "forged")
        long = replace(pair.record, expires=NOW + HOUR + 1)
        signature = SEFA.keys.sign(PRE_KEY_LABELS[kind], long.to_be_signed())
        value("pre-key", replace(long, signature=signature), "refused-period")
        late = replace(pair.record, created=latest + 1 - HOUR, expires=latest + 1)
        signature = SEFA.keys.sign(PRE_KEY_LABELS[kind], late.to_be_signed())
        value("pre-key", replace(late, signature=signature), "malformed")

    second = SEFA.renewed()
    third = second.renewed()
    forked = device_list(expires=NOW + DAY)
    follower = replace(second.device_list, previous_digest=drawn("another list", 32))
    label = SEFA.account.sign(DEVICE_LIST_LABEL, follower.to_be_signed())
    memories: list[tuple[list[DeviceList], DeviceList, str]] = [
        ([], listed, "accepted"),
        ([], third.device_list, "accepted"),
        ([listed], listed, "accepted"),
        ([listed], second.device_list, "accepted"),
        ([listed], third.device_list, "accepted"),
        ([listed, second.device_list], listed, "list-stale"),
        ([listed], forked, "list-forked"),
        ([listed], replace(follower, signature=label), "list-forked"),
        ([listed], MALLORY.device_list, "wrong-account"),
    ]
    return {
        "description": IDENTITY_TEXT,
        "values": values,
        "memories": [
            {
                "seen": [item.encode() for item in seen],
                "presented": presented.encode(),
                "now": NOW,
                "result": result,
            }
            for seen, presented, result in memories
        ],
    }


def key_schedule_vectors() -> Json:
    prk, context, plaintext = drawn("prk", 32), drawn("context", 32), b"plaintext"
    sealed = seal(prk, "hs id", context, plaintext)
    return {
        "description": KEY_SCHEDULE_TEXT,
        "extract": [
            {"salt": salt, "ikm": ikm, "prk": key_schedule.extract(salt, ikm)}
            for salt, ikm in ((drawn("salt", 32), drawn("ikm", 128)), (bytes(32), b""))
        ],
        "expand": [
            {
                "prk": prk,
                "label": label,
                "context": context,
                "length": length,
                "out": key_schedule.expand(prk, label, context, length),
            }
            for label, length in (("hs ck", 32), ("hs sid", 16), ("hs id", 44), ("session code", 30))
        ],
        "hash": [
            {"label": label, "message": message, "out": key_schedule.hash_transcript(label, message)}
            for label, message in (("hs0", b""), ("hs1", drawn("message", 100)))
        ],
        "seal": [{"prk": prk, "label": "hs id", "th": context, "plaintext": plaintext, "sealed": sealed}],
        "seal_invalid": [
            {"prk": prk, "label": "hs offer", "th": context, "sealed": sealed},
            {"prk": prk, "label": "hs id", "th": bytes(32), "sealed": sealed},
            {"prk": prk, "label": "hs id", "th": context, "sealed": sealed[:-1]},
            {"prk": prk, "label": "hs id", "th": context, "sealed": b""},
        ],
        "dh_zero": [
            {"private": drawn("any key", 32), "public": bytes.fromhex(point)}
            for point in (
                "00" * 32,
                "01" + "00" * 31,
                "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                "ec" + "ff" * 30 + "7f",
                "ed" + "ff" * 30 + "7f",
                "ee" + "ff" * 30 + "7f",
            )
        ],
    }


def safety_numbers() -> Json:
    ones, twos = AccountId(b"\x01" * 32), AccountId(b"\x02" * 32)
    exporter = drawn("exporter", 32)
    odile, sefa, mallory = (person.account.public for person in (ODILE, SEFA, MALLORY))
    pairs = ((ones, twos), (twos, ones), (odile, sefa), (ones, ones))
    shown = safety_qr_encode(sefa, odile)
    mine = {"local": odile, "remote": sefa}
    return {
        "description": SAFETY_TEXT,
        "numbers": [
            {"one": one, "other": other, "number": safety_number(one, other)} for one, other in pairs
        ],
        "session_codes": [{"exporter": exporter, "code": session_code(exporter)}],
        "qr": [
            {**mine, "scanned": shown, "result": "valid"},
            {
                **mine,
                "scanned": safety_qr_encode(odile, sefa),
                "result": "wrong-account",
            },
            {
                **mine,
                "scanned": safety_qr_encode(mallory, odile),
                "result": "wrong-account",
            },
            {**mine, "scanned": shown[:-1], "result": "malformed"},
            {**mine, "scanned": b"X" + shown[1:], "result": "malformed"},
        ],
    }


def rendered(value: Any) -> Any:
    """Return `value` with every byte string as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: rendered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item) for item in value]
    return value


def write(name: str, content: Json) -> None:
    """Write a file beside this program, or into the folder named on the command line."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    (folder / f"{name}.json").write_text(json.dumps(rendered(content), indent=1) + "\n")


if __name__ == "__main__":
    write("key_schedule", key_schedule_vectors())
    write("identity", identity())
    write("safety_number", safety_numbers())

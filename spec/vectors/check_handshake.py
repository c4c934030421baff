"""Checks key_schedule.json, identity.json, handshake.json and safety_number.json against their equations.

A second reading of the specification: it shares no line with Whisp. Hashes, HMAC and PBKDF2 are the standard
library's, X25519 is a plain-integer ladder (RFC 7748) beside pyca/cryptography's; Ed25519, ML-KEM-768 and
AES-GCM are pyca/cryptography's.

    python spec/vectors/check_handshake.py [folder]
"""

import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

YEAR, WEEK, HOUR, SLACK = 365 * 86_400, 7 * 86_400, 3600, 300
PRIME = 2**255 - 19


class RefusedError(Exception):
    """A message or value does not hold; the argument is the reason."""


def T(label: str) -> bytes:  # noqa: N802  # the specification's own letter
    return b"Whisp/1 " + label.encode() + b"\0"


def H(label: str, message: bytes) -> bytes:  # noqa: N802  # the specification's own letter
    return hashlib.sha256(T(label) + message).digest()


def ext(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt, ikm, "sha256")


def exp(prk: bytes, label: str, context: bytes, length: int) -> bytes:
    out, block = b"", b""
    for counter in range(1, 256):
        if len(out) >= length:
            break
        block = ext(prk, block + T(label) + context + bytes((counter,)))
        out += block
    return out[:length]


def open_seal(prk: bytes, label: str, th: bytes, sealed: bytes) -> bytes:
    block = exp(prk, label, th, 44)
    try:
        return AESGCM(block[:32]).decrypt(block[32:], sealed, th)
    except InvalidTag:
        raise RefusedError("not-authentic") from None


def ladder(scalar: bytes, point: bytes) -> bytes:
    """X25519 as RFC 7748 section 5 writes it. Not constant time: for checking only."""
    k = int.from_bytes(scalar, "little") & ~7 & ~(1 << 255) | (1 << 254)
    u = int.from_bytes(point, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a % PRIME, c * b % PRIME, a * a % PRIME, b * b % PRIME
        e = aa - bb
        x3, z3 = pow(da + cb, 2, PRIME), u * pow(da - cb, 2, PRIME) % PRIME
        x2, z2 = aa * bb % PRIME, e * (aa + 121_665 * e) % PRIME
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def dh(private: bytes, public: bytes) -> bytes:
    shared = ladder(private, public)
    try:
        other = X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError:
        other = bytes(32)
    expect(shared == other, "two X25519 implementations differ")
    if not any(shared):
        raise RefusedError("bad-key")
    return shared


def public_of(private: bytes) -> bytes:
    return ladder(private, b"\x09" + bytes(31))


def decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    return MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def lp16(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {what}")


def signed(key: bytes, label: str, message: bytes, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, T(label) + message)
    except InvalidSignature:
        raise RefusedError("forged") from None


def holdable(*numbers: int) -> None:
    """Refuse what is beyond 2^53 - 1, before any signature is looked at."""
    if max(numbers) >= 2**53:
        raise RefusedError("malformed")


def in_time(start: int, end: int, longest: int, now: int) -> None:
    if not 0 < end - start <= longest:
        raise RefusedError("refused-period")
    if now < start - SLACK:
        raise RefusedError("not-yet-valid")
    if now > end + SLACK:
        raise RefusedError("expired")


def split(data: bytes, *sizes: int) -> list[bytes]:
    """Cut `data` into fields of these sizes, all of it."""
    if len(data) != sum(sizes):
        raise RefusedError("malformed")
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    return [data[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def prefixed(data: bytes, *, most: int = 0xFFFF) -> tuple[bytes, bytes]:
    """Cut a u16-prefixed field off the front."""
    if len(data) < 2:
        raise RefusedError("malformed")
    length = int.from_bytes(data[:2], "big")
    if length > most or len(data) < 2 + length:
        raise RefusedError("malformed")
    return data[2 : 2 + length], data[2 + length :]


def check_certificate(data: bytes, now: int) -> list[bytes]:
    fields = split(data, 1, 32, 16, 32, 32, 8, 8, 1, 64)
    if fields[0] != b"\x01" or not 1 <= fields[7][0] <= 4:
        raise RefusedError("malformed")
    start, end = int.from_bytes(fields[5], "big"), int.from_bytes(fields[6], "big")
    holdable(start, end)
    signed(fields[1], "device-cert", data[:130], fields[8])
    in_time(start, end, YEAR, now)
    return fields


class Listed:
    """A parsed device list."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 1 + 32 + 4 + 32 + 16 + 2 + 64 or data[0] != 1:
            raise RefusedError("malformed")
        self.data, self.account, self.previous = data, data[1:33], data[37:69]
        self.version, self.start, self.end = struct.unpack(">I32xQQ", data[33:85])
        active = data[85]
        at = 86 + 48 * active
        if active > 16 or len(data) <= at or data[at] > 64 or len(data) != at + 1 + 25 * data[at] + 64:
            raise RefusedError("malformed")
        self.active = {data[n : n + 16]: data[n + 16 : n + 48] for n in range(86, at, 48)}
        dead = {data[n : n + 16] for n in range(at + 1, len(data) - 64, 25)}
        if (
            self.version == 0
            or len(self.active) + len(dead) != active + data[at]
            or dead & self.active.keys()
        ):
            raise RefusedError("malformed")
        if (self.version == 1) != (self.previous == bytes(32)):
            raise RefusedError("malformed")
        holdable(self.start, self.end)
        self.digest = hashlib.sha256(data).digest()

    def verify(self, now: int) -> None:
        signed(self.account, "device-list", self.data[:-64], self.data[-64:])
        in_time(self.start, self.end, WEEK, now)


def check_record(data: bytes, key: bytes, now: int) -> None:
    fields = split(data, 1, 1, 16, 8, 8, 8, 2, 2, 32, 1184, 64)
    if fields[0] != b"\x01" or fields[1] not in (b"\x01", b"\x02"):
        raise RefusedError("malformed")
    start, end = int.from_bytes(fields[4], "big"), int.from_bytes(fields[5], "big")
    holdable(start, end)
    signed(key, "prekey-signed" if fields[1] == b"\x01" else "prekey-once", data[:1262], fields[10])
    in_time(start, end, HOUR, now)


def accept(memory: tuple[bytes, int, bytes] | None, listed: Listed, now: int) -> tuple[bytes, int, bytes]:
    """Apply the rules for a list against (account, version, digest)."""
    account, version, digest = memory or (listed.account, 0, bytes(32))
    if listed.account != account:
        raise RefusedError("wrong-account")
    late = False
    try:
        listed.verify(now)
    except RefusedError as refusal:
        late = str(refusal) == "expired"
        if not late:
            raise RefusedError("clock" if str(refusal) == "not-yet-valid" else "list-forged") from None
    if (listed.version == version and listed.digest != digest) or (
        listed.version == version + 1 and listed.previous != digest
    ):
        raise RefusedError("list-forked")
    if listed.version < version or late:
        raise RefusedError("list-stale")
    return listed.account, listed.version, listed.digest


def check_device(
    certificate: bytes, listed: Listed, memory: tuple[bytes, int, bytes] | None, now: int
) -> tuple[bytes, int, bytes]:
    account, device = certificate[1:33], certificate[33:49]
    if account != (memory[0] if memory else listed.account):
        raise RefusedError("wrong-account")
    memory = accept(memory, listed, now)
    if device not in listed.active:
        raise RefusedError("device-not-listed")
    if listed.active[device] != hashlib.sha256(certificate).digest():
        raise RefusedError("certificate-mismatch")
    try:
        check_certificate(certificate, now)
    except RefusedError as refusal:
        names = {"not-yet-valid": "clock", "expired": "certificate-expired"}
        raise RefusedError(names.get(str(refusal), "certificate-forged")) from None
    return memory


def unpadded(padded: bytes) -> bytes:
    body = padded.rstrip(b"\0")
    if body[-1:] != b"\x80":
        raise RefusedError("malformed")
    return body[:-1]


class Handshake:
    """One valid case: recomputed from its private keys; then it judges messages as a receiver would."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case, self.now = case, case["now"]
        self.i = {name: bytes.fromhex(value) for name, value in case["inputs"].items()}
        self.m = {name: bytes.fromhex(value) for name, value in case["messages"].items()}
        bundle = self.i["bundle"]
        self.cert_b = bundle[:194]
        self.list_b, rest = prefixed(bundle[194:])
        self.record1, self.record2 = rest[:1326], rest[1327:]
        expect(rest[1326] == (1 if self.record2 else 0), "the bundle's flag")
        check_certificate(self.cert_b, self.now)
        for record in filter(None, (self.record1, self.record2)):
            check_record(record, self.cert_b[49:81], self.now)
        self.memory_b = check_device(self.cert_b, Listed(self.list_b), None, self.now)
        self.offer = self.receive_offer(self.m["offer"], self.now)
        self.answer = self.receive_answer(self.m["answer"], self.now)

    def receive_offer(self, data: bytes, now: int, *, again: bool = False) -> dict[str, bytes]:
        if len(data) < 2360 or data[0] != 1 or data[3] > 1 or (data[3] == 0) != (data[44:52] == bytes(8)):
            raise RefusedError("malformed")
        c_id, rest = prefixed(data[2356:])
        c_offer, rest = prefixed(rest)
        if rest:
            raise RefusedError("malformed")
        once = self.record2 if data[3] else b""
        if data[20:36] != self.cert_b[33:49]:
            raise RefusedError("wrong-device")
        if data[36:44] != self.record1[18:26] or (data[3] and data[44:52] != self.record2[18:26]):
            raise RefusedError("pre-key-unknown")
        if again:
            raise RefusedError("pre-key-used" if once else "replayed")
        th0 = H("hs0", data[1:3] + self.cert_b + self.record1 + lp16(once))
        th1 = H("hs1", th0 + data[:2356])
        ek_a = data[52:84]
        dh2, dh3 = dh(self.i["dk_dh_b"], ek_a), dh(self.i["signed_x25519"], ek_a)
        dh4 = dh(self.i["one_time_x25519"], ek_a) if once else b""
        ss1 = decapsulate(self.i["one_time_kem"] if once else self.i["signed_kem"], data[1268:2356])
        p1 = ext(th1, dh2 + dh3 + dh4 + ss1)
        id_a = open_seal(p1, "hs id", th1, c_id)
        identity = unpadded(id_a)
        list_a, rest = prefixed(identity[194:], most=2519)
        if rest:
            raise RefusedError("malformed")
        check_device(identity[:194], Listed(list_a), None, now)
        th2 = H("hs2", th1 + lp16(id_a) + lp16(c_id))
        dh1 = dh(self.i["signed_x25519"], identity[81:113])
        p2 = ext(exp(p1, "hs ck", th1, 32), dh1)
        offer_a = open_seal(p2, "hs offer", th2, c_offer)
        body = unpadded(offer_a)
        versions, suites, time = struct.unpack(">HHQ", body[:12])
        _transport, rest = prefixed(body[82:], most=16_384)
        if rest or int.from_bytes(body[80:82], "big") > 1:
            raise RefusedError("malformed")
        if abs(now - time) > SLACK:
            raise RefusedError("clock")
        own_versions, own_suites = struct.unpack(">HH", self.record1[42:46])
        if data[1] != (versions & own_versions).bit_length() or data[2] != (suites & own_suites).bit_length():
            raise RefusedError("downgrade")
        try:
            MLKEM768PublicKey.from_public_bytes(data[84:1268])
        except ValueError:
            raise RefusedError("bad-key") from None
        th3 = H("hs3", th2 + lp16(offer_a) + lp16(c_offer))
        names = ["th0", "th1", "th2", "th3", "dh1", "dh2", "dh3", "dh4", "ss1", "p1", "p2", "id_a", "offer_a"]
        return dict(
            zip(
                names,
                (th0, th1, th2, th3, dh1, dh2, dh3, dh4, ss1, p1, p2, id_a, offer_a),
                strict=True,
            )
        )

    def of_this_call(self, data: bytes, device: bytes) -> None:
        if data[1:3] != b"\x01\x01":
            raise RefusedError("downgrade")
        if data[4:20] != self.m["offer"][4:20]:
            raise RefusedError("wrong-call")
        if device and data[20:36] != device:
            raise RefusedError("wrong-device")

    def receive_answer(self, data: bytes, now: int) -> dict[str, bytes]:
        if len(data) < 1158 or data[0] != 2 or data[3] != 0:
            raise RefusedError("malformed")
        c_ans, rest = prefixed(data[1156:])
        if rest:
            raise RefusedError("malformed")
        self.of_this_call(data, self.cert_b[33:49])
        th3, p2 = self.offer["th3"], self.offer["p2"]
        th4 = H("hs4", th3 + data[:1156])
        dh5, dh6 = dh(self.i["ek_a"], data[36:68]), dh(self.i["dk_dh_a"], data[36:68])
        ss2 = decapsulate(self.i["kem_a"], data[68:1156])
        p3 = ext(exp(p2, "hs ck", th3, 32), dh5 + dh6 + ss2)
        ans_b = open_seal(p3, "hs answer", th4, c_ans)
        body = unpadded(ans_b)
        list_b, rest = prefixed(body[76:], most=2519)
        _transport, rest = prefixed(rest, most=16_384)
        if rest:
            raise RefusedError("malformed")
        check_device(self.cert_b, Listed(list_b), self.memory_b, now)
        th5 = H("hs5", th4 + lp16(ans_b) + lp16(c_ans))
        names = ["th4", "th5", "dh5", "dh6", "ss2", "p3", "ans_b"]
        return dict(zip(names, (th4, th5, dh5, dh6, ss2, p3, ans_b), strict=True))

    def receive_refusal(self, data: bytes, kind: int, label: str, device: bytes) -> int:
        if len(data) < 38 or data[0] != kind or data[3] != 0:
            raise RefusedError("malformed")
        sealed, rest = prefixed(data[36:])
        if rest:
            raise RefusedError("malformed")
        self.of_this_call(data, device)
        return open_seal(self.offer["p2"], label, H("hs3d", self.offer["th3"] + data[:36]), sealed)[0]

    def receive_confirm(self, data: bytes) -> bytes:
        if len(data) < 53 or data[0] != 5 or data[3] != 0:
            raise RefusedError("malformed")
        self.of_this_call(data, b"")
        key = exp(self.answer["p3"], "hs conf", self.answer["th5"], 32)
        if data[20:52] != ext(key, self.answer["th5"]):
            raise RefusedError("not-authentic")
        return data[52:]

    def receive(self, message: str, data: bytes, now: int, *, again: bool = False) -> Any:
        if message == "offer":
            return self.receive_offer(data, now, again=again)
        if message == "answer":
            return self.receive_answer(data, now)
        if message == "decline":
            return self.receive_refusal(data, 3, "hs decline", self.cert_b[33:49])
        if message == "cancel":
            return self.receive_refusal(data, 4, "hs cancel", self.i["certificate_a"][33:49])
        return self.receive_confirm(data)

    def check(self) -> None:
        found = {**self.offer, **self.answer}
        for name, value in {**self.case["secrets"], **self.case["plaintexts"]}.items():
            expect(found[name].hex() == value, f"{self.case['name']}: {name}")
        # the same secrets from the other side's private keys
        offer, answer, i = self.m["offer"], self.m["answer"], self.i
        expect(public_of(i["ek_a"]) == offer[52:84], "EK_a")
        expect(public_of(i["ek_b"]) == answer[36:68], "EK_b")
        key = MLKEM768PrivateKey.from_seed_bytes(i["kem_a"]).public_key().public_bytes_raw()
        expect(key == offer[84:1268], "ek_a")
        other_side = {
            "dh1": dh(i["dk_dh_a"], self.record1[46:78]),
            "dh2": dh(i["ek_a"], self.cert_b[81:113]),
            "dh3": dh(i["ek_a"], self.record1[46:78]),
            "dh4": dh(i["ek_a"], self.record2[46:78]) if self.record2 else b"",
            "dh5": dh(i["ek_b"], offer[52:84]),
            "dh6": dh(i["ek_b"], i["certificate_a"][81:113]),
        }
        for name, shared in other_side.items():
            expect(shared == found[name], f"{name} from the other side")
        expect(unpadded(found["id_a"]) == i["certificate_a"] + lp16(i["list_a"]), "id_A")
        names = {"sid": "sid", "rk0": "rk", "pr0": "pr", "pa0": "pa", "pb0": "pb", "exporter": "exporter"}
        for name, label in names.items():
            length = 16 if name == "sid" else 32
            derived = exp(found["p3"], f"hs {label}", found["th5"], length)
            expect(derived.hex() == self.case["session"][name], name)
        expect(self.receive_confirm(self.m["confirm"]) == i["first_message"], "CONFIRM")
        for name in ("decline", "cancel"):
            reason = self.receive(name, self.m[name], self.now)
            expect(reason == self.case["reasons"][name], name)
        exporter = bytes.fromhex(self.case["session"]["exporter"])
        expect(session_code(exporter) == self.case["session_code"], "session code")


def altered(original: bytes, change: dict[str, Any]) -> bytes:
    if "bytes" in change:
        return bytes.fromhex(change["bytes"])
    if "patch" in change:
        at, data = change["patch"][0], bytes.fromhex(change["patch"][1])
        return original[:at] + data + original[at + len(data) :]
    by = change["resize"]
    return original[:by] if by < 0 else original + bytes(by)


def result_of(check: Any, *arguments: Any, **named: Any) -> str:
    try:
        check(*arguments, **named)
    except RefusedError as refusal:
        return str(refusal)
    return "valid"


def check_handshakes(content: dict[str, Any]) -> int:
    cases = {case["name"]: Handshake(case) for case in content["valid"]}
    for case in cases.values():
        case.check()
    for number, change in enumerate(content["invalid"]):
        case = cases[change["case"]]
        data = altered(case.m[change["message"]], change)
        now, again = change.get("now", case.now), change.get("again", False)
        result = result_of(case.receive, change["message"], data, now, again=again)
        expect(result == change["reason"], f"invalid {number}: {result}, not {change['reason']}")
    return len(cases) + len(content["invalid"])


def check_identity(content: dict[str, Any]) -> int:
    for number, value in enumerate(content["values"]):
        data, now = bytes.fromhex(value["bytes"]), value["now"]
        if value["kind"] == "certificate":
            result = result_of(check_certificate, data, now)
        elif value["kind"] == "device-list":
            result = result_of(lambda data=data, now=now: Listed(data).verify(now))
        else:
            result = result_of(check_record, data, bytes.fromhex(value["signing_key"]), now)
        expect(result == value["result"], f"value {number}: {result}, not {value['result']}")
    for number, entry in enumerate(content["memories"]):
        memory = None
        for seen in entry["seen"]:
            memory = accept(memory, Listed(bytes.fromhex(seen)), entry["now"])
        result = result_of(accept, memory, Listed(bytes.fromhex(entry["presented"])), entry["now"])
        expect(result.replace("valid", "accepted") == entry["result"], f"memory {number}: {result}")
    return len(content["values"]) + len(content["memories"])


def check_key_schedule(content: dict[str, Any]) -> int:
    raw = bytes.fromhex
    for e in content["extract"]:
        expect(ext(raw(e["salt"]), raw(e["ikm"])) == raw(e["prk"]), "extract")
    for e in content["expand"]:
        expect(exp(raw(e["prk"]), e["label"], raw(e["context"]), e["length"]) == raw(e["out"]), "expand")
    for e in content["hash"]:
        expect(H(e["label"], raw(e["message"])) == raw(e["out"]), "hash")
    for e in content["seal"]:
        opened = open_seal(raw(e["prk"]), e["label"], raw(e["th"]), raw(e["sealed"]))
        expect(opened == raw(e["plaintext"]), "seal")
    for e in content["seal_invalid"]:
        result = result_of(open_seal, raw(e["prk"]), e["label"], raw(e["th"]), raw(e["sealed"]))
        expect(result == "not-authentic", "seal_invalid")
    for e in content["dh_zero"]:
        expect(result_of(dh, raw(e["private"]), raw(e["public"])) == "bad-key", "dh_zero")
    return sum(len(entries) for name, entries in content.items() if name != "description")


def digits(data: bytes) -> str:
    groups = (int.from_bytes(data[n : n + 5], "big") % 100_000 for n in range(0, len(data), 5))
    return " ".join(str(group).zfill(5) for group in groups)


def session_code(exporter: bytes) -> str:
    return digits(exp(exporter, "session code", b"", 30))


def check_safety_numbers(content: dict[str, Any]) -> int:
    raw = bytes.fromhex
    for entry in content["numbers"]:
        low, high = sorted((raw(entry["one"]), raw(entry["other"])))
        derived = hashlib.pbkdf2_hmac("sha512", low + high, T("safety-number"), 100_000, 60)
        expect(digits(derived) == entry["number"], "safety number")
    for entry in content["session_codes"]:
        expect(session_code(raw(entry["exporter"])) == entry["code"], "session code")
    for entry in content["qr"]:
        head, scanned = T("safety-qr"), raw(entry["scanned"])
        result = "valid" if scanned == head + raw(entry["remote"]) + raw(entry["local"]) else "wrong-account"
        if len(scanned) != len(head) + 64 or not scanned.startswith(head):
            result = "malformed"
        expect(result == entry["result"], "QR code")
    return len(content["numbers"]) + len(content["session_codes"]) + len(content["qr"])


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    checks = {
        "key_schedule": check_key_schedule,
        "identity": check_identity,
        "handshake": check_handshakes,
        "safety_number": check_safety_numbers,
    }
    for name, check in checks.items():
        count = check(json.loads((folder / f"{name}.json").read_text()))
        sys.stdout.write(f"{name}.json: {count} hold\n")


if __name__ == "__main__":
    main()

"""Checks ratchet.json against its equations.

A second reading of spec/ratchet.md: it shares no line with Whisp. HMAC and HKDF are built here of the
standard library; X25519, ML-KEM-768 and AES-GCM are pyca/cryptography's.

    python spec/vectors/check_ratchet.py [folder]
"""

import hashlib
import hmac
import json
import struct
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SIDES = ("initiator", "responder")
HEADER = struct.Struct(">BBII32sII")
ATTACHED_BYTES = {0: 0, 1: 1184, 2: 1088}
raw = bytes.fromhex


class RefusedError(Exception):
    """A frame or value does not hold; the argument is the reason."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"ratchet.json: {what} does not hold")


def T(label: str) -> bytes:  # noqa: N802  # the specification's own letter
    return b"Whisp/1 " + label.encode() + b"\0"


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    prk, out, block = mac(salt, ikm), b"", b""
    for counter in range(1, 4):
        block = mac(prk, block + info + bytes((counter,)))
        out += block
    return out[:length]


def message_key(chain_key: bytes, n: int) -> bytes:
    for _ in range(n):
        chain_key = mac(chain_key, b"\2")
    return mac(chain_key, b"\1")


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


class Session:
    """What the file's secrets and private keys give for every place in the session."""

    def __init__(self, content: dict[str, Any]) -> None:
        secrets = {name: raw(value) for name, value in content["secrets"].items()}
        self.sid = secrets["sid"]
        self.attachments: dict[tuple[int, int], bytes] = {}
        self.epochs = [(secrets["pq_root"], secrets["pq_chain_a"], secrets["pq_chain_b"])]
        for entry in content["epochs"]:
            self._add_epoch(entry)
        keys = {
            side: [X25519PrivateKey.from_private_bytes(raw(key)) for key in content["ratchet_keys"][side]]
            for side in SIDES
        }
        self.names = {side: [public(key) for key in keys[side]] for side in SIDES}
        self.chains: dict[bytes, bytes] = {}
        root = secrets["root_key"]
        before = X25519PrivateKey.from_private_bytes(secrets["responder_ratchet_key"])
        expect(len(content["chains"]) == len(keys["initiator"]) + len(keys["responder"]), "chain count")
        for number, entry in enumerate(content["chains"]):
            key = keys[SIDES[number % 2]][number // 2]
            block = hkdf(root, key.exchange(before.public_key()), T("ec root"), 64)
            root, self.chains[public(key)] = block[:32], block[32:]
            expect(raw(entry["ratchet_key"]) == public(key), "ratchet key")
            expect((raw(entry["root_key"]), raw(entry["chain_key"])) == (root, block[32:]), "chain")
            before = key

    def _add_epoch(self, entry: dict[str, Any]) -> None:
        number, offer, answer = entry["epoch"], raw(entry["encapsulation_key"]), raw(entry["ciphertext"])
        private = MLKEM768PrivateKey.from_seed_bytes(raw(entry["seed"]))
        expect(number == len(self.epochs), "order of epochs")
        expect(entry["leader"] == SIDES[number % 2 == 0], "leader")
        expect(private.public_key().public_bytes_raw() == offer, "encapsulation key")
        shared = private.decapsulate(answer)
        expect(shared == raw(entry["shared_secret"]), "shared secret")
        info = T("pq root") + number.to_bytes(4, "big")
        info += hashlib.sha256(offer).digest() + hashlib.sha256(answer).digest()
        block = hkdf(self.epochs[-1][0], shared, info, 96)
        derived = block[:32], block[32:64], block[64:]
        expect(tuple(raw(entry[n]) for n in ("pq_root", "pq_chain_a", "pq_chain_b")) == derived, "epoch")
        self.epochs.append(derived)
        self.attachments[1, number], self.attachments[2, number] = offer, answer

    def keys(self, side: str, fields: tuple[Any, ...]) -> tuple[bytes, bytes]:
        """Return both keys of the message that a header of `side` places. Raises RefusedError."""
        _, _, n, _, name, epoch, epoch_n = fields
        if name not in self.names[side] or epoch >= len(self.epochs):
            raise RefusedError("no such chain")
        if max(n, epoch_n) > 256:  # more than any chain of this session has
            raise RefusedError("out of reach")
        chain = self.epochs[epoch][1 + SIDES.index(side)]
        return message_key(self.chains[name], n), message_key(chain, epoch_n)

    def cipher(self, side: str, keys: tuple[bytes, bytes], header: bytes) -> tuple[AESGCM, bytes, bytes]:
        """Return the AEAD, the nonce and the associated data of one message."""
        direction = bytes((SIDES.index(side),))
        block = hkdf(bytes(32), keys[0] + keys[1], T("msg key") + direction, 44)
        return AESGCM(block[:32]), block[32:], T("msg") + self.sid + direction + header


def split(frame: bytes) -> tuple[tuple[Any, ...], bytes, bytes]:
    """Return a frame's fields, header and ciphertext. Raises RefusedError."""
    if len(frame) < 66:
        raise RefusedError("malformed")
    fields = HEADER.unpack_from(frame)
    kind, flags, n, previous_n, name, epoch, epoch_n = fields
    end = 50 + ATTACHED_BYTES.get(flags, 0)
    if (
        kind != 0x10
        or flags not in ATTACHED_BYTES
        or name == bytes(32)
        or max(n, previous_n, epoch, epoch_n) >= 2**31
        or not 16 <= len(frame) - end <= 65536 + 16
    ):
        raise RefusedError("malformed")
    return fields, frame[:end], frame[end:]


def check_sent(session: Session, events: list[dict[str, Any]]) -> None:
    """Every frame follows from keys, place and plaintext, and every side counts as it must."""
    names: dict[str, list[bytes]] = {side: [] for side in SIDES}
    lengths: dict[str, list[int]] = {side: [0] for side in SIDES}
    places: dict[tuple[str, int], int] = {}
    for event in events:
        if event["event"] != "send":
            continue
        side = event["by"]
        fields, header, sealed = split(raw(event["frame"]))
        _, flags, n, previous_n, name, epoch, epoch_n = fields
        if name not in names[side]:
            names[side].append(name)
            lengths[side].append(0)
        expect((n, previous_n) == (lengths[side][-1], lengths[side][-2]), "N, PN")
        expect(epoch_n == places.get((side, epoch), 0), "number in the epoch")
        lengths[side][-1] += 1
        places[side, epoch] = epoch_n + 1
        keys = session.keys(side, fields)
        expect(keys == (raw(event["classical_key"]), raw(event["post_quantum_key"])), "message keys")
        aead, nonce, associated = session.cipher(side, keys, header)
        expect(sealed == aead.encrypt(nonce, raw(event["plaintext"]), associated), "ciphertext")
        if flags:
            expect(header[50:] == session.attachments[flags, epoch + 1], "attachment")
            expect((SIDES.index(side) == epoch % 2) == (flags == 1), "who attaches")
    expect(names == session.names, "use of ratchet keys")


def check_received(events: list[dict[str, Any]]) -> None:
    """What is read was sent before, and is read once."""
    read: set[int] = set()
    for number, event in enumerate(events):
        if event["event"] == "receive":
            sent = event["of"]
            expect(sent < number and events[sent]["event"] == "send" and sent not in read, "order of events")
            read.add(sent)


def outcome(session: Session, side: str, frame: bytes, events: list[dict[str, Any]]) -> str:
    """Return what the bytes alone, the keys, and what was read before say of a frame from `side`."""
    try:
        fields, header, sealed = split(frame)
    except RefusedError:
        return "malformed"
    sent = [number for number, event in enumerate(events) if event.get("frame") == frame.hex()]
    if sent and events[sent[0]]["by"] == side:
        return "gone"
    try:
        aead, nonce, associated = session.cipher(side, session.keys(side, fields), header)
        aead.decrypt(nonce, sealed, associated)
    except (RefusedError, InvalidTag):
        return "refused"
    expect(header[50:] != session.attachments[fields[1], fields[5] + 1], "breach of protocol")
    return "protocol"


def check_ratchet(content: dict[str, Any]) -> int:
    """Check everything; return how many frames held."""
    session, events = Session(content), content["events"]
    check_sent(session, events)
    check_received(events)
    for entry in content["invalid"]:
        side = SIDES[entry["to"] == "initiator"]
        result = outcome(session, side, raw(entry["frame"]), events[: entry["after"]])
        expect(result == entry["expect"], f"{entry['comment']}: {result}")
    return sum(event["event"] == "send" for event in events) + len(content["invalid"])


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    count = check_ratchet(json.loads((folder / "ratchet.json").read_text()))
    sys.stdout.write(f"ratchet.json: {count} hold\n")


if __name__ == "__main__":
    main()

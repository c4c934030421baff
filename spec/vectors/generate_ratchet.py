"""Writes ratchet.json, from fixed seeds.

The one thing that cannot be drawn from a seed is the randomness of ML-KEM encapsulation: ciphertexts are made
once and kept from the file that is there, as long as the key they were made for is unchanged.
`check_ratchet.py` verifies the file without a line of Whisp.

    python spec/vectors/generate_ratchet.py [folder]
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256, shake_256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core import double_ratchet, kem_ratchet
from whisp.core.kem_ratchet import PqRootKey, derive_epoch
from whisp.core.message_seal import Direction, MessageSeal
from whisp.core.ratchet import Ratchet
from whisp.core.skipped_keys import MessageKey
from whisp.wire.envelope import Attachment, KemAnswer, KemOffer, decode_envelope

SIDES = ("initiator", "responder")
SECRETS = ("root_key", "pq_root", "pq_chain_a", "pq_chain_b")
FILE = "ratchet.json"

TEXT = """\
All byte strings are hex, all times seconds since the session began. T(s) = 'Whisp/1 ' || s || 00; HKDF and
  HMAC are with SHA-256; u32 is big-endian. Notation, layouts and rules are in spec/ratchet.md.
secrets: what the handshake hands over; responder_ratchet_key is the private half of EK_b.
ratchet_keys: X25519 private keys, for each side in the order it makes them.
chains: classical chain k, made by the initiator if k is even:
  root_key || chain_key = HKDF(salt root_key of chain k-1 or of secrets, ikm DH(K_k, K_(k-1)),
  info T('ec root'), 64), where K_(-1) = EK_b, K_0 is the initiator's first key, K_1 the responder's first.
epochs: leader makes the key pair of seed (d || z, 64 bytes), the other side the ciphertext;
  shared_secret = Decaps(seed, ciphertext); pq_root || pq_chain_a || pq_chain_b = HKDF(salt pq_root of the
  epoch before or of secrets, ikm shared_secret, info T('pq root') || u32(epoch) ||
  SHA-256(encapsulation_key) || SHA-256(ciphertext), 96). The initiator sends along a, the responder along b.
message keys: from a chain key ck, message key n = HMAC(ck_n, 01), ck_(n+1) = HMAC(ck_n, 02). classical_key is
  from the chain of the header's ratchet key at N, post_quantum_key from its epoch's at epoch_n.
frame = header || AES-256-GCM(key, nonce, plaintext, AD T('msg') || sid || dir || header), where
  key 32 || nonce 12 = HKDF(salt 00 * 32, ikm classical_key || post_quantum_key, info T('msg key') || dir),
  dir = 00 from the initiator, 01 from the responder, and header = 10 || flags || u32 N || u32 PN ||
  ratchet key 32 || u32 epoch || u32 epoch_n || encapsulation key (flags 01) or ciphertext (flags 02).
events, in order: send: `by` encrypts plaintext at `at` and must give frame. receive: its peer reads the
  frame of event number `of`, which must give the plaintext.
invalid: give `frame` to side `to` when the first `after` events have happened. malformed: refused by its
  bytes alone; refused: not authentic, or of a place out of reach; gone: read before, or too late. These
  leave the state as it was. protocol: authentic, and ends the session.
""".splitlines()


def drawn(name: str, length: int = 32) -> bytes:
    """Return bytes that only depend on `name`."""
    return shake_256(b"whisp ratchet vectors: " + name.encode()).digest(length)


@contextmanager
def recorded_keys(
    ratchet_key: Callable[[], X25519PrivateKey],
    kem_key: Callable[[], MLKEM768PrivateKey],
    encapsulate: Callable[[bytes], tuple[bytes, bytes]],
) -> Iterator[None]:
    """Let the ratchet take its keys, and (secret, ciphertext) for an encapsulation key, from these."""

    def from_public_bytes(kem_key: bytes) -> SimpleNamespace:
        return SimpleNamespace(encapsulate=lambda: encapsulate(kem_key))

    with ExitStack() as stack:
        for module, name, stand_in in (
            (double_ratchet, "X25519PrivateKey", SimpleNamespace(generate=ratchet_key)),
            (kem_ratchet, "MLKEM768PrivateKey", SimpleNamespace(generate=kem_key)),
            (kem_ratchet, "MLKEM768PublicKey", SimpleNamespace(from_public_bytes=from_public_bytes)),
        ):
            stack.enter_context(patch.object(module, name, stand_in))
        yield


class NotingSeal:
    """Seals like the one it stands in for, and notes the two keys of the last message."""

    def __init__(self, genuine: MessageSeal) -> None:
        self._genuine = genuine
        self.keys: tuple[MessageKey, MessageKey] | None = None

    def seal(self, classical: MessageKey, post_quantum: MessageKey, header: bytes, plaintext: bytes) -> bytes:
        self.keys = classical, post_quantum
        return self._genuine.seal(classical, post_quantum, header, plaintext)


class Recorder:
    """Runs a session and writes down all that it is made of."""

    def __init__(self, known_ciphertexts: dict[str, str]) -> None:
        self.sid = drawn("sid", 16)
        self.secrets = {name: drawn(name) for name in SECRETS}
        self.first_key = X25519PrivateKey.from_private_bytes(drawn("responder ratchet key"))
        root, *pq = self.secrets.values()
        public = self.first_key.public_key().public_bytes_raw()
        self.ratchets = {
            "initiator": Ratchet.initiator(self.sid, root, public, *pq, 0),
            "responder": Ratchet.responder(self.sid, root, self.first_key, *pq, 0),
        }
        self.seals: dict[str, NotingSeal] = {}
        for side, ratchet in self.ratchets.items():
            self.seals[side] = NotingSeal(ratchet._outbound)
            ratchet._outbound = self.seals[side]  # type: ignore[assignment]  # in its place for the keys
        self.ratchet_keys: dict[str, list[bytes]] = {side: [] for side in SIDES}
        self.epochs: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.invalid: list[dict[str, Any]] = []
        self._known_ciphertexts = known_ciphertexts
        self._active = "initiator"

    def ratchet_key(self) -> X25519PrivateKey:
        """Make the acting side's next ratchet key."""
        made = self.ratchet_keys[self._active]
        made.append(drawn(f"{self._active} ratchet key {len(made)}"))
        return X25519PrivateKey.from_private_bytes(made[-1])

    def kem_key(self) -> MLKEM768PrivateKey:
        """Make the acting side's key pair for the next epoch."""
        number = len(self.epochs) + 1
        seed = drawn(f"epoch {number}", 64)
        self.epochs.append({"epoch": number, "leader": self._active, "seed": seed})
        return MLKEM768PrivateKey.from_seed_bytes(seed)

    def encapsulate(self, kem_key: bytes) -> tuple[bytes, bytes]:
        """Answer the newest epoch's key pair with the ciphertext of the file there is, or a new one."""
        entry = self.epochs[-1]
        if known := self._known_ciphertexts.get(kem_key.hex()):
            ciphertext = bytes.fromhex(known)
            secret = MLKEM768PrivateKey.from_seed_bytes(entry["seed"]).decapsulate(ciphertext)
        else:
            secret, ciphertext = MLKEM768PublicKey.from_public_bytes(kem_key).encapsulate()
        root = PqRootKey(self.epochs[-2]["pq_root"] if len(self.epochs) > 1 else self.secrets["pq_root"])
        digests = sha256(kem_key).digest(), sha256(ciphertext).digest()
        keys = derive_epoch(root, entry["epoch"], secret, *digests)
        entry |= {
            "encapsulation_key": kem_key,
            "ciphertext": ciphertext,
            "shared_secret": secret,
            "pq_root": keys.root_key,
            "pq_chain_a": keys.from_initiator,
            "pq_chain_b": keys.from_responder,
        }
        return secret, ciphertext

    def send(self, side: str, at: float, plaintext: bytes) -> int:
        """Record a message of `side`; return the number of its event."""
        self._active = side
        frame = self.ratchets[side].encrypt(plaintext, at)
        keys = self.seals[side].keys
        assert keys is not None
        event = {"event": "send", "by": side, "at": at, "plaintext": plaintext}
        self._add_event(event | {"classical_key": keys[0], "post_quantum_key": keys[1], "frame": frame})
        return len(self.events) - 1

    def receive(self, number: int, at: float) -> None:
        """Record that the message of event `number` is read."""
        sent = self.events[number]
        self._active = SIDES[sent["by"] == "initiator"]
        assert self.ratchets[self._active].decrypt(sent["frame"], at) == sent["plaintext"]
        self._add_event({"event": "receive", "of": number, "at": at})

    def tell(self, side: str, at: float, plaintext: bytes) -> int:
        """Record a message that is read at once."""
        number = self.send(side, at, plaintext)
        self.receive(number, at)
        return number

    def refuse(self, to: str, at: float, expect: str, comment: str, frame: bytes) -> None:
        """Record a frame that `to` must refuse now."""
        entry = {"comment": comment, "to": to, "after": len(self.events), "at": at, "expect": expect}
        self.invalid.append(entry | {"frame": frame})

    def resealed(self, number: int, attachment: Attachment, plaintext: bytes) -> bytes:
        """Return what a broken peer would send in the place of event `number`, with another attachment."""
        event = self.events[number]
        direction = Direction(SIDES.index(event["by"]))
        header = decode_envelope(event["frame"])[0]._replace(attachment=attachment).encode()
        keys = event["classical_key"], event["post_quantum_key"]
        return header + MessageSeal(self.sid, direction).seal(*keys, header, plaintext)

    def _add_event(self, event: dict[str, Any]) -> None:
        self.events.append({"number": len(self.events), **event})


def play(r: Recorder) -> None:
    """Play a session in which every rule of the ratchet appears once."""
    first = r.tell("initiator", 0, b"the first message, in CONFIRM")
    r.tell("responder", 1, b"a reply turns the ratchet")
    r.tell("initiator", 2, b"and so does its answer")
    lost = r.send("initiator", 3, b"this one is lost, and its keys are kept")
    r.tell("initiator", 4, b"")
    late = r.send("initiator", 5, b"this one comes after the next turn")
    r.tell("responder", 6, bytes(256))
    r.tell("initiator", 7, b"its PN says how many are still to come of the chain before")
    r.receive(late, 8)
    refuse_plain_frames(r, first, late)

    offer = r.tell("initiator", 60, b"the offer of epoch 1 rides on this")
    straggler = r.send("initiator", 60, b"still in epoch 0, read when epoch 1 has begun")
    other_key = MLKEM768PrivateKey.from_seed_bytes(drawn("another key", 64)).public_key()
    other_offer = r.resealed(straggler, KemOffer(other_key.public_bytes_raw()), b"another key for epoch 1")
    r.refuse("responder", 60, "protocol", "another offer for an epoch that was offered", other_offer)
    r.tell("responder", 61, b"the answer rides on this")
    repeated = r.send("responder", 62, b"and again on this, a second later")
    other_answer = r.resealed(repeated, KemAnswer(bytes(1088)), b"another ciphertext for epoch 1")
    r.refuse("initiator", 62, "protocol", "another answer for an epoch that was answered", other_answer)
    r.tell("initiator", 62, b"the first in epoch 1")
    r.tell("responder", 62, b"both sides are in epoch 1")
    r.receive(repeated, 63)
    r.receive(straggler, 63)

    r.tell("responder", 122, b"the responder leads to epoch 2")
    r.tell("initiator", 122, b"the answer")
    r.tell("responder", 122, b"the first in epoch 2")
    r.tell("initiator", 122, b"both sides are in epoch 2")
    r.refuse("responder", 122, "gone", "read before, two epochs ago", r.events[offer]["frame"])
    r.refuse("responder", 122, "gone", "never read, and two epochs late", r.events[lost]["frame"])


def refuse_plain_frames(r: Recorder, first: int, late: int) -> None:
    """Record all that can be done to a frame, and how each attempt ends."""
    to, at = "responder", 9
    r.refuse(to, at, "gone", "read before, in a chain that is closed", r.events[first]["frame"])
    r.refuse(to, at, "gone", "read before, after it came late", r.events[late]["frame"])
    number = r.send("initiator", at, b"target")
    frame: bytes = r.events[number]["frame"]
    header, encoded, sealed = decode_envelope(frame)

    def changed(place: int, value: int | None = None) -> bytes:
        forged = bytearray(frame)
        forged[place] = forged[place] ^ 1 if value is None else value
        return bytes(forged)

    for comment, forged in (
        ("nothing", b""),
        ("one byte short of the shortest", frame[:65]),
        ("the type of a file chunk", changed(0, 0x11)),
        ("an unknown flag", changed(1, 4)),
        ("both flags", changed(1, 3) + bytes(2300)),
        ("an offer without its key", changed(1, 1)),
        ("an answer without its ciphertext", changed(1, 2)),
        ("N at 2^31", changed(2, 0x80)),
        ("PN at 2^31", changed(6, 0x80)),
        ("a ratchet key of zeros", frame[:10] + bytes(32) + frame[42:]),
        ("the epoch at 2^31", changed(42, 0x80)),
        ("the number in the epoch at 2^31", changed(46, 0x80)),
    ):
        r.refuse(to, at, "malformed", comment, forged)
    for comment, forged in (
        ("a later N", changed(5, header.n + 1)),
        ("another PN", changed(9)),
        ("an unknown ratchet key", changed(10)),
        ("a ratchet key of small order", frame[:10] + b"\x01" + bytes(31) + frame[42:]),
        ("the same point as the peer's key, in other bytes", changed(41, frame[41] ^ 0x80)),
        ("an epoch to come", changed(45)),
        ("a later number in the epoch", changed(49, header.epoch_n + 1)),
        ("257 messages missing", header._replace(n=header.n + 257).encode() + sealed),
        (
            "257 messages missing in the epoch",
            header._replace(epoch_n=header.epoch_n + 257).encode() + sealed,
        ),
        ("a changed ciphertext", changed(50)),
        ("a changed tag", changed(len(frame) - 1)),
        ("one byte more", frame + b"\0"),
        ("one byte less", frame[:-1]),
        ("an answer put in", header._replace(attachment=KemAnswer(bytes(1088))).encode() + sealed),
        ("no ciphertext", encoded + sealed[-16:]),
    ):
        r.refuse(to, at, "refused", comment, forged)
    r.refuse("initiator", at, "refused", "its own frame, reflected", frame)
    r.receive(number, at)


def classical_chains(r: Recorder) -> list[dict[str, bytes]]:
    """Return what each turn of the classical half derived."""
    chains, root, before = [], double_ratchet.RootKey(r.secrets["root_key"]), r.first_key
    for number in range(sum(len(keys) for keys in r.ratchet_keys.values())):
        key = X25519PrivateKey.from_private_bytes(r.ratchet_keys[SIDES[number % 2]][number // 2])
        root, chain_key = double_ratchet.derive_root(root, key.exchange(before.public_key()))
        name = key.public_key().public_bytes_raw()
        chains.append({"ratchet_key": name, "root_key": root, "chain_key": chain_key})
        before = key
    return chains


def ratchet(known_ciphertexts: dict[str, str]) -> dict[str, Any]:
    """Return the file's content."""
    r = Recorder(known_ciphertexts)
    with recorded_keys(r.ratchet_key, r.kem_key, r.encapsulate):
        play(r)
    first_key = r.first_key.private_bytes_raw()
    return {
        "description": TEXT,
        "secrets": {"sid": r.sid, **r.secrets, "responder_ratchet_key": first_key},
        "ratchet_keys": r.ratchet_keys,
        "chains": classical_chains(r),
        "epochs": r.epochs,
        "events": r.events,
        "invalid": r.invalid,
    }


def known_ciphertexts() -> dict[str, str]:
    """Return the ciphertexts of the file there is, by encapsulation key; both as hex."""
    path = Path(__file__).parent / FILE
    if not path.exists():
        return {}
    return {
        entry["encapsulation_key"]: entry["ciphertext"] for entry in json.loads(path.read_text())["epochs"]
    }


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    text = json.dumps(ratchet(known_ciphertexts()), indent=1, default=bytes.hex) + "\n"
    (folder / FILE).write_text(text)


if __name__ == "__main__":
    main()

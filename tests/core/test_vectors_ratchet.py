"""spec/vectors/ratchet.json: by its own equations, by an independent Double Ratchet, and by this ratchet.

This ratchet must give every frame to the byte.
"""

import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import doubleratchet
import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from doubleratchet.recommended import (
    HashFunction,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

from whisp.core.errors import DecryptionError, MessageKeyGoneError, RatchetEnd, RatchetEndedError
from whisp.core.ratchet import Ratchet
from whisp.wire.envelope import decode_envelope
from whisp.wire.errors import MalformedError

FOLDER = Path(__file__).resolve().parents[2] / "spec" / "vectors"
SIDES = ("initiator", "responder")

raw = bytes.fromhex


def content() -> dict[str, Any]:
    """Return the file's content, for the caller to change as it likes."""
    loaded: dict[str, Any] = json.loads((FOLDER / "ratchet.json").read_text())
    return loaded


vectors = cache(content)


@cache
def program(name: str) -> ModuleType:
    """Import one of the programs beside the vectors."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def secret(name: str) -> bytes:
    return raw(vectors()["secrets"][name])


def peer_of(side: str) -> str:
    return SIDES[side == "initiator"]


def ratchet_keys(side: str) -> list[X25519PrivateKey]:
    return [X25519PrivateKey.from_private_bytes(raw(key)) for key in vectors()["ratchet_keys"][side]]


def first_key() -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(secret("responder_ratchet_key"))


def frames_sent() -> list[bytes]:
    return [raw(event["frame"]) for event in vectors()["events"] if event["event"] == "send"]


# The file


def test_the_generator_writes_the_same_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate", str(tmp_path)])
    program("generate_ratchet").main()
    assert (tmp_path / "ratchet.json").read_text() == (FOLDER / "ratchet.json").read_text()


def test_the_independent_checker_agrees_and_shares_nothing_with_whisp() -> None:
    checker = program("check_ratchet")
    assert not re.search(r"^\s*(import|from) whisp", (FOLDER / "check_ratchet.py").read_text(), re.MULTILINE)
    assert checker.check_ratchet(content()) == len(frames_sent()) + len(vectors()["invalid"]) >= 50


def other(value: str) -> str:
    """Return hex that differs in its last bit."""
    return value[:-1] + f"{int(value[-1], 16) ^ 1:x}"


@pytest.mark.parametrize(
    ("group", "position", "name"),
    [
        ("chains", 2, "chain_key"),
        ("chains", 3, "root_key"),
        ("epochs", 0, "shared_secret"),
        ("epochs", 1, "pq_root"),
        ("epochs", 1, "pq_chain_a"),
        ("epochs", 1, "pq_chain_b"),
        ("events", 0, "frame"),
        ("events", 0, "plaintext"),
        ("events", 2, "classical_key"),
        ("events", 2, "post_quantum_key"),
    ],
)
def test_the_checker_notices_one_wrong_bit(group: str, position: int, name: str) -> None:
    changed = content()
    changed[group][position][name] = other(changed[group][position][name])
    with pytest.raises(SystemExit, match="does not hold"):
        program("check_ratchet").check_ratchet(changed)


@pytest.mark.parametrize("expect", ["malformed", "refused", "gone", "protocol"])
def test_the_checker_notices_a_wrong_verdict(expect: str) -> None:
    changed = content()
    entry = next(entry for entry in changed["invalid"] if entry["expect"] != expect)
    entry["expect"] = expect
    with pytest.raises(SystemExit, match="does not hold"):
        program("check_ratchet").check_ratchet(changed)


def test_the_file_shows_every_rule() -> None:
    """A file that lost half of its cases would pass everything else."""
    attachments = [type(decode_envelope(frame)[0].attachment).__name__ for frame in frames_sent()]
    assert attachments.count("KemOffer") == 2
    assert attachments.count("KemAnswer") == 3
    assert {entry["expect"] for entry in vectors()["invalid"]} == {"malformed", "refused", "gone", "protocol"}
    assert len(vectors()["invalid"]) >= 30
    read = [event["of"] for event in vectors()["events"] if event["event"] == "receive"]
    assert len(read) == len(frames_sent()) - 1, "one is lost"
    assert read != sorted(read), "some come late"
    assert len(vectors()["description"]) > 3


# An independent Double Ratchet: PyPI `doubleratchet`, given the same functions, keys and messages


class OracleRootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"Whisp/1 ec root\x00"


class OracleChainKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class KeyTelling(doubleratchet.AEAD):
    """Encrypts nothing: the 'ciphertext' is the message key, and so is what decrypting gives."""

    @staticmethod
    async def encrypt(plaintext: bytes, key: bytes, associated_data: bytes) -> bytes:
        return key

    @staticmethod
    async def decrypt(ciphertext: bytes, key: bytes, associated_data: bytes) -> bytes:
        return key


class Oracle(doubleratchet.DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: doubleratchet.Header) -> bytes:
        return b""


def oracle_of(side: str) -> dict[str, Any]:
    """Return the oracle's configuration for one side, which makes the recorded keys."""
    # It makes its next key at once when the peer's comes, where ours waits until it is used: one more.
    spare = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    made: Iterator[X25519PrivateKey] = iter([*ratchet_keys(side), spare])

    class RecordedKeys(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
        @staticmethod
        def _generate_priv() -> bytes:
            return next(made).private_bytes_raw()

    return {
        "diffie_hellman_ratchet_class": RecordedKeys,
        "root_chain_kdf": OracleRootKdf,
        "message_chain_kdf": OracleChainKdf,
        "message_chain_constant": b"\x02\x01",  # it takes the next chain key first
        "dos_protection_threshold": 256,
        "max_num_skipped_message_keys": 1024,
        "aead": KeyTelling,
        "shared_secret": secret("root_key"),
        "associated_data": b"",
    }


async def oracle_sends(sides: dict[str, Oracle], side: str) -> doubleratchet.EncryptedMessage:
    if side in sides:
        return await sides[side].encrypt_message(b"", b"")
    public = first_key().public_key().public_bytes_raw()
    sides[side], message = await Oracle.encrypt_initial_message(
        **oracle_of(side), recipient_ratchet_pub=public, message=b""
    )
    return message


async def oracle_reads(sides: dict[str, Oracle], side: str, message: doubleratchet.EncryptedMessage) -> bytes:
    if side in sides:
        return await sides[side].decrypt_message(message, b"")
    sides[side], key = await Oracle.decrypt_initial_message(
        **oracle_of(side), own_ratchet_priv=first_key().private_bytes_raw(), message=message
    )
    return key


async def replay_by_oracle() -> int:
    """Take the oracle through all events; each key and header it names must be the file's."""
    sides: dict[str, Oracle] = {}
    sent: dict[int, doubleratchet.EncryptedMessage] = {}
    events = vectors()["events"]
    for event in events:
        if event["event"] == "send":
            message = sent[event["number"]] = await oracle_sends(sides, event["by"])
            key, origin = message.ciphertext, event
        else:
            origin = events[event["of"]]
            key = await oracle_reads(sides, peer_of(origin["by"]), sent[event["of"]])
        header, _, _ = decode_envelope(raw(origin["frame"]))
        named = sent[origin["number"]].header
        assert key.hex() == origin["classical_key"]
        assert (named.sending_chain_length, named.previous_sending_chain_length, named.ratchet_pub) == header[
            :3
        ]
    return len(events)


def test_an_independent_double_ratchet_derives_the_same_classical_keys() -> None:
    assert asyncio.run(replay_by_oracle()) >= 35


# This ratchet


class Replay:
    """Both sides, fed the recorded keys, taken through the events."""

    def __init__(self) -> None:
        sid, root = secret("sid"), secret("root_key")
        pq = (secret("pq_root"), secret("pq_chain_a"), secret("pq_chain_b"), 0.0)
        public = first_key().public_key().public_bytes_raw()
        self.ratchets = {
            "initiator": Ratchet.initiator(sid, root, public, *pq),
            "responder": Ratchet.responder(sid, root, first_key(), *pq),
        }
        self._ratchet_keys = {side: iter(ratchet_keys(side)) for side in SIDES}
        self._epochs = {raw(entry["encapsulation_key"]): entry for entry in vectors()["epochs"]}
        self._seeds = iter([raw(entry["seed"]) for entry in vectors()["epochs"]])
        self._active = "initiator"

    def run(self, before_event: Callable[["Replay", int], None] = lambda _, __: None) -> None:
        """Check every event; before each, and after the last, call `before_event` with its number."""
        events = vectors()["events"]
        with program("generate_ratchet").recorded_keys(
            lambda: next(self._ratchet_keys[self._active]),
            lambda: MLKEM768PrivateKey.from_seed_bytes(next(self._seeds)),
            self._encapsulate,
        ):
            for event in events:
                before_event(self, event["number"])
                if event["event"] == "send":
                    self._active = event["by"]
                    frame = self.ratchets[self._active].encrypt(raw(event["plaintext"]), event["at"])
                    assert frame.hex() == event["frame"]
                else:
                    origin = events[event["of"]]
                    self._active = peer_of(origin["by"])
                    plaintext = self.ratchets[self._active].decrypt(raw(origin["frame"]), event["at"])
                    assert plaintext.hex() == origin["plaintext"]
            before_event(self, len(events))

    def _encapsulate(self, kem_key: bytes) -> tuple[bytes, bytes]:
        entry = self._epochs[kem_key]
        return raw(entry["shared_secret"]), raw(entry["ciphertext"])


def test_the_ratchet_gives_every_frame_and_reads_it() -> None:
    replay = Replay()
    replay.run()
    assert {ratchet.epoch for ratchet in replay.ratchets.values()} == {len(vectors()["epochs"])}


EXPECTED = {"malformed": MalformedError, "refused": DecryptionError, "gone": MessageKeyGoneError}


def test_s11_the_ratchet_refuses_every_invalid_frame_and_stays_as_it_was() -> None:
    harmless = [entry for entry in vectors()["invalid"] if entry["expect"] in EXPECTED]
    tried = []

    def refuse(replay: Replay, number: int) -> None:
        for entry in harmless:
            if entry["after"] == number:
                ratchet, expected = replay.ratchets[entry["to"]], EXPECTED[entry["expect"]]
                before = ratchet.snapshot_for_testing()
                with pytest.raises(expected) as refused:
                    ratchet.decrypt(raw(entry["frame"]), entry["at"])
                assert type(refused.value) is expected, entry["comment"]
                assert ratchet.snapshot_for_testing() == before, entry["comment"]
                tried.append(entry)

    Replay().run(refuse)
    assert len(tried) == len(harmless) == len(vectors()["invalid"]) - 2


class StoppedError(Exception):
    """Ends a replay where nothing can follow."""


@pytest.mark.parametrize("position", range(2))
def test_the_ratchet_ends_at_a_breach_of_protocol(position: int) -> None:
    entry = [entry for entry in vectors()["invalid"] if entry["expect"] == "protocol"][position]
    reasons = []

    def breach(replay: Replay, number: int) -> None:
        if number == entry["after"]:
            with pytest.raises(RatchetEndedError) as ended:
                replay.ratchets[entry["to"]].decrypt(raw(entry["frame"]), entry["at"])
            reasons.append(ended.value.reason)
            raise StoppedError

    with pytest.raises(StoppedError):
        Replay().run(breach)
    assert reasons == [RatchetEnd.PROTOCOL]

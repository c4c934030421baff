"""Ratchet speed against two peers on the same traffic: PyPI `doubleratchet` and `vodozemac` (Olm, in Rust).

All sides run interleaved in this process, round by round, and a figure is the median of the rounds' ratios,
so a busy machine slows all alike. Messages are 200 bytes. Ours are padded to 256 first, as the session does,
give a whole frame, and carry the post-quantum exchanges as they fall due; neither peer has such a half. The
peers get their bare message, nothing is encoded for the wire, and `doubleratchet`, which is asynchronous in
name only, is awaited within one coroutine.

encrypt, decrypt   a hundred messages one way, timed, then one reply, so that every side turns its ratchet
pingpong           one message each way in turn: every one of them turns the ratchet
"""

import asyncio
import os
from statistics import median
from time import perf_counter
from typing import Any, Final, Protocol

import doubleratchet
import vodozemac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from doubleratchet.recommended import (
    HashFunction,
    aead_aes_hmac,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

from benchmarks.figures import Figure
from whisp.core.padding import MESSAGE_FLOOR, pad
from whisp.core.ratchet import Ratchet

__all__ = ["run"]

_MESSAGE: Final = os.urandom(200)
_BATCH: Final = 100
_ASSOCIATED: Final = b"associated data"


class _Side(Protocol):
    """One implementation's pair of ratchets."""

    async def one_way(self) -> tuple[float, float]:
        """Send a batch one way and a reply; return the seconds spent on encrypting and on decrypting it."""

    async def ping_pong(self) -> float:
        """Send a batch in alternation and return the seconds it took."""


class _Whisp:
    def __init__(self) -> None:
        sid, (root, pq_root, pq_a, pq_b) = os.urandom(16), (os.urandom(32) for _ in range(4))
        ratchet_key = X25519PrivateKey.generate()
        public = ratchet_key.public_key().public_bytes_raw()
        self._now = 0.0
        self._sender = Ratchet.initiator(sid, root, public, pq_root, pq_a, pq_b, self._now)
        self._receiver = Ratchet.responder(sid, root, ratchet_key, pq_root, pq_a, pq_b, self._now)
        self._padded = pad(_MESSAGE, MESSAGE_FLOOR)

    async def one_way(self) -> tuple[float, float]:
        encrypt, decrypt, padded, now = self._sender.encrypt, self._receiver.decrypt, self._padded, self._now
        started = perf_counter()
        frames = [encrypt(padded, now) for _ in range(_BATCH)]
        encrypted = perf_counter()
        for frame in frames:
            decrypt(frame, now)
        decrypted = perf_counter()
        self._sender.decrypt(self._receiver.encrypt(padded, now), now)
        self._now += 1.0
        return encrypted - started, decrypted - encrypted

    async def ping_pong(self) -> float:
        there, back, padded, now = self._sender, self._receiver, self._padded, self._now
        started = perf_counter()
        for _ in range(_BATCH // 2):
            back.decrypt(there.encrypt(padded, now), now)
            there.decrypt(back.encrypt(padded, now), now)
        ended = perf_counter()
        self._now += 1.0
        return ended - started


class _RootKdf(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"bench root"


class _MessageKdf(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class _Aead(aead_aes_hmac.AEAD):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"bench message"


class _DoubleRatchetPeer(doubleratchet.DoubleRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: doubleratchet.Header) -> bytes:
        return b"".join(
            (
                associated_data,
                header.ratchet_pub,
                header.sending_chain_length.to_bytes(4, "big"),
                header.previous_sending_chain_length.to_bytes(4, "big"),
            )
        )


_PEER_CONFIGURATION: Final[dict[str, Any]] = {
    "diffie_hellman_ratchet_class": diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet,
    "root_chain_kdf": _RootKdf,
    "message_chain_kdf": _MessageKdf,
    "message_chain_constant": b"\x01\x02",
    "dos_protection_threshold": 256,
    "max_num_skipped_message_keys": 1024,
    "aead": _Aead,
    "associated_data": _ASSOCIATED,
}


class _DoubleRatchet:
    def __init__(self, sender: _DoubleRatchetPeer, receiver: _DoubleRatchetPeer) -> None:
        self._sender = sender
        self._receiver = receiver

    @classmethod
    async def start(cls) -> "_DoubleRatchet":
        key, secret = X25519PrivateKey.generate(), os.urandom(32)
        sender, first = await _DoubleRatchetPeer.encrypt_initial_message(
            **_PEER_CONFIGURATION,
            shared_secret=secret,
            recipient_ratchet_pub=key.public_key().public_bytes_raw(),
            message=_MESSAGE,
        )
        receiver, _ = await _DoubleRatchetPeer.decrypt_initial_message(
            **_PEER_CONFIGURATION,
            shared_secret=secret,
            own_ratchet_priv=key.private_bytes_raw(),
            message=first,
        )
        return cls(sender, receiver)

    async def one_way(self) -> tuple[float, float]:
        encrypt, decrypt = self._sender.encrypt_message, self._receiver.decrypt_message
        started = perf_counter()
        messages = [await encrypt(_MESSAGE, _ASSOCIATED) for _ in range(_BATCH)]
        encrypted = perf_counter()
        for message in messages:
            await decrypt(message, _ASSOCIATED)
        decrypted = perf_counter()
        reply = await self._receiver.encrypt_message(_MESSAGE, _ASSOCIATED)
        await self._sender.decrypt_message(reply, _ASSOCIATED)
        return encrypted - started, decrypted - encrypted

    async def ping_pong(self) -> float:
        there, back = self._sender, self._receiver
        started = perf_counter()
        for _ in range(_BATCH // 2):
            await back.decrypt_message(await there.encrypt_message(_MESSAGE, _ASSOCIATED), _ASSOCIATED)
            await there.decrypt_message(await back.encrypt_message(_MESSAGE, _ASSOCIATED), _ASSOCIATED)
        return perf_counter() - started


class _Vodozemac:
    def __init__(self) -> None:
        alice, bob = vodozemac.Account(), vodozemac.Account()
        bob.generate_one_time_keys(1)
        (one_time_key,) = bob.one_time_keys.values()
        self._sender = alice.create_outbound_session(bob.curve25519_key, one_time_key)
        first = self._sender.encrypt(_MESSAGE).to_pre_key()
        assert first is not None
        self._receiver, _ = bob.create_inbound_session(alice.curve25519_key, first)
        # Until it has an answer, every Olm message carries the whole key agreement.
        self._sender.decrypt(self._receiver.encrypt(_MESSAGE))

    async def one_way(self) -> tuple[float, float]:
        encrypt, decrypt = self._sender.encrypt, self._receiver.decrypt
        started = perf_counter()
        messages = [encrypt(_MESSAGE) for _ in range(_BATCH)]
        encrypted = perf_counter()
        for message in messages:
            decrypt(message)
        decrypted = perf_counter()
        self._sender.decrypt(self._receiver.encrypt(_MESSAGE))
        return encrypted - started, decrypted - encrypted

    async def ping_pong(self) -> float:
        there, back = self._sender, self._receiver
        started = perf_counter()
        for _ in range(_BATCH // 2):
            back.decrypt(there.encrypt(_MESSAGE))
            there.decrypt(back.encrypt(_MESSAGE))
        return perf_counter() - started


def run(quick: bool) -> list[Figure]:
    """Measure all sides for about ten seconds, or three when `quick`."""
    return asyncio.run(_measure(rounds=50 if quick else 200))


async def _measure(rounds: int) -> list[Figure]:
    sides: dict[str, _Side] = {
        "whisp": _Whisp(),
        "doubleratchet": await _DoubleRatchet.start(),
        "vodozemac": _Vodozemac(),
    }
    seconds: dict[tuple[str, str], list[float]] = {
        (task, name): [] for task in ("encrypt", "decrypt", "pingpong") for name in sides
    }
    order = list(sides)
    for number in range(rounds + 2):
        for name in order:
            encrypting, decrypting = await sides[name].one_way()
            turning = await sides[name].ping_pong()
            if number >= 2:  # the first two warm up
                seconds["encrypt", name].append(encrypting)
                seconds["decrypt", name].append(decrypting)
                seconds["pingpong", name].append(turning)
        order.append(order.pop(0))  # so that no side always runs in another's wake

    def ratio(task: str, peer: str, bar: float | None = None) -> Figure:
        pairs = zip(seconds[task, peer], seconds[task, "whisp"], strict=True)
        return Figure(f"{task}_vs_{peer}", median(theirs / ours for theirs, ours in pairs), "x", bar)

    return [
        ratio("encrypt", "doubleratchet", 4.0),
        ratio("encrypt", "vodozemac", 1.0),
        ratio("decrypt", "doubleratchet", 4.0),
        ratio("decrypt", "vodozemac"),
        ratio("pingpong", "doubleratchet", 1.0),
        ratio("pingpong", "vodozemac"),
        *(
            Figure(f"{task}_{name}", median(times) / _BATCH * 1e6, "µs", direction="at most")
            for (task, name), times in seconds.items()
        ),
    ]

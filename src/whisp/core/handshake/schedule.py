"""The handshake's transcript hashes and keys as pure functions of their inputs (spec/handshake.md).

Nothing here draws randomness or holds state, so every value can be recomputed from recorded inputs: the
vectors in spec/vectors/handshake.json do just that.
"""

from dataclasses import dataclass
from typing import Final

from whisp.core.key_schedule import KEY_BYTES, authenticate, expand, extract, hash_transcript
from whisp.wire.encoding import lp16, u8

__all__ = [
    "SEAL_ANSWER",
    "SEAL_CANCEL",
    "SEAL_DECLINE",
    "SEAL_IDENTITY",
    "SEAL_OFFER",
    "SESSION_ID_BYTES",
    "SessionKeys",
    "answer_key",
    "begin_transcript",
    "bind_answer",
    "bind_answer_header",
    "bind_identity",
    "bind_offer",
    "bind_offer_header",
    "bind_refusal_header",
    "confirm_mac",
    "derive_session",
    "identity_key",
    "offer_key",
]

SEAL_IDENTITY: Final = "hs id"
SEAL_OFFER: Final = "hs offer"
SEAL_ANSWER: Final = "hs answer"
SEAL_DECLINE: Final = "hs decline"
SEAL_CANCEL: Final = "hs cancel"
SESSION_ID_BYTES: Final = 16
_CHAIN: Final = "hs ck"


def begin_transcript(version: int, suite: int, certificate: bytes, signed: bytes, one_time: bytes) -> bytes:
    """Return th0: the callee's certificate and whole pre-key records (`one_time` is empty without one)."""
    return hash_transcript("hs0", u8(version) + u8(suite) + certificate + signed + lp16(one_time))


def bind_offer_header(th0: bytes, header: bytes) -> bytes:
    """Return th1, over OFFER[0..2355]."""
    return hash_transcript("hs1", th0 + header)


def bind_identity(th1: bytes, padded: bytes, sealed: bytes) -> bytes:
    """Return th2, over the padded plaintext id_A and its ciphertext: AES-GCM does not commit to its key."""
    return hash_transcript("hs2", th1 + lp16(padded) + lp16(sealed))


def bind_offer(th2: bytes, padded: bytes, sealed: bytes) -> bytes:
    """Return th3, over the padded plaintext offer_A and its ciphertext."""
    return hash_transcript("hs3", th2 + lp16(padded) + lp16(sealed))


def bind_refusal_header(th3: bytes, header: bytes) -> bytes:
    """Return what seals a DECLINE or CANCEL, over its bytes 0..35."""
    return hash_transcript("hs3d", th3 + header)


def bind_answer_header(th3: bytes, header: bytes) -> bytes:
    """Return th4, over ANSWER[0..1155]."""
    return hash_transcript("hs4", th3 + header)


def bind_answer(th4: bytes, padded: bytes, sealed: bytes) -> bytes:
    """Return th5, over the padded plaintext ans_B and its ciphertext: the whole transcript."""
    return hash_transcript("hs5", th4 + lp16(padded) + lp16(sealed))


def identity_key(th1: bytes, dh2: bytes, dh3: bytes, dh4: bytes, ss1: bytes) -> bytes:
    """Return P1 of DH(EK_a, DK_dh_B), DH(EK_a, X^1), DH(EK_a, X^2) (empty without a one-time record), SS1."""
    return extract(th1, dh2 + dh3 + dh4 + ss1)


def offer_key(p1: bytes, th1: bytes, dh1: bytes) -> bytes:
    """Return P2, which adds DH1 = DH(DK_dh_A, X^1): from here on the caller is authentic."""
    return extract(expand(p1, _CHAIN, th1, KEY_BYTES), dh1)


def answer_key(p2: bytes, th3: bytes, dh5: bytes, dh6: bytes, ss2: bytes) -> bytes:
    """Return P3, which adds DH(EK_a, EK_b), DH(DK_dh_A, EK_b) and SS2: forward secret from here on."""
    return extract(expand(p2, _CHAIN, th3, KEY_BYTES), dh5 + dh6 + ss2)


@dataclass(frozen=True, slots=True, repr=False)
class SessionKeys:
    """All that P3 gives to the session: 32 bytes each, `sid` 16. Its `repr` shows nothing."""

    confirm_key: bytes
    sid: bytes
    root_key: bytes
    pq_root: bytes
    pq_chain_a: bytes
    pq_chain_b: bytes
    exporter: bytes

    def __repr__(self) -> str:
        return "SessionKeys(<redacted>)"


def derive_session(p3: bytes, th5: bytes) -> SessionKeys:
    """Return the session's keys, each under a label of its own."""
    return SessionKeys(
        expand(p3, "hs conf", th5, KEY_BYTES),
        expand(p3, "hs sid", th5, SESSION_ID_BYTES),
        expand(p3, "hs rk", th5, KEY_BYTES),
        expand(p3, "hs pr", th5, KEY_BYTES),
        expand(p3, "hs pa", th5, KEY_BYTES),
        expand(p3, "hs pb", th5, KEY_BYTES),
        expand(p3, "hs exporter", th5, KEY_BYTES),
    )


def confirm_mac(confirm_key: bytes, th5: bytes) -> bytes:
    """Return CONFIRM's MAC, 32 bytes: only who saw the whole transcript and holds P3 can make it."""
    return authenticate(confirm_key, th5)

"""The derivations against the RFCs they come from, and secrets that do not show."""

import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.core.people import SMALL_ORDER_POINTS, flip

from whisp.core.errors import DecryptionError, SessionEndedError
from whisp.core.handshake import Exporter, RootKey
from whisp.core.key_schedule import (
    Secret,
    agree,
    authenticate,
    expand,
    extract,
    hash_transcript,
    is_equal,
    open_sealed,
    seal,
)
from whisp.wire.encoding import tag
from whisp.wire.errors import LocalProtocolError, MalformedError

_TEXT = st.binary(max_size=64)


def _hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand as RFC 5869 section 2.3 writes it, over the standard library's HMAC."""
    block, out, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes((counter,)), "sha256")
        out += block
        counter += 1
    return out[:length]


@given(_TEXT, _TEXT)
def test_extract_is_hmac_of_the_salt(salt: bytes, ikm: bytes) -> None:
    assert extract(salt, ikm) == hmac.digest(salt, ikm, "sha256")


def test_extract_agrees_with_rfc_5869_test_case_1() -> None:
    prk = extract(bytes.fromhex("000102030405060708090a0b0c"), b"\x0b" * 22)
    assert prk.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"


@given(st.binary(min_size=32, max_size=32), _TEXT, st.integers(1, 200))
def test_expand_is_rfc_5869_with_a_label_in_front(prk: bytes, context: bytes, length: int) -> None:
    assert expand(prk, "hs ck", context, length) == _hkdf_expand(prk, tag("hs ck") + context, length)


def test_hash_and_mac_are_what_their_names_say() -> None:
    assert hash_transcript("hs0", b"m") == hashlib.sha256(b"Whisp/1 hs0\x00m").digest()
    assert authenticate(b"k" * 32, b"m") == hmac.digest(b"k" * 32, b"m", "sha256")
    assert is_equal(b"abc", b"abc")
    assert not is_equal(b"abc", b"abd")
    assert not is_equal(b"abc", b"ab")


@given(_TEXT)
def test_a_seal_opens_only_with_its_key_label_and_transcript(plaintext: bytes) -> None:
    prk, transcript = bytes(range(32)), b"t" * 32
    sealed = seal(prk, "hs id", transcript, plaintext)
    assert len(sealed) == len(plaintext) + 16
    assert open_sealed(prk, "hs id", transcript, sealed) == plaintext
    for other_prk, label, other_transcript, other in (
        (flip(prk, 0), "hs id", transcript, sealed),
        (prk, "hs offer", transcript, sealed),
        (prk, "hs id", flip(transcript, 31), sealed),
        (prk, "hs id", transcript, flip(sealed, len(sealed) - 1)),
        (prk, "hs id", transcript, sealed[:-1]),
        (prk, "hs id", transcript, b""),
    ):
        with pytest.raises(DecryptionError):
            open_sealed(other_prk, label, other_transcript, other)


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS, ids=lambda point: point.hex()[:8])
def test_a_small_order_point_agrees_on_nothing(point: bytes) -> None:
    with pytest.raises(MalformedError):
        agree(X25519PrivateKey.generate(), point)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_has_32_bytes(length: int) -> None:
    with pytest.raises(MalformedError):
        agree(X25519PrivateKey.generate(), b"\x09" * length)


def test_agree_is_rfc_7748_section_6_1() -> None:
    alice = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    )
    bob = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    assert agree(alice, bob).hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


class TestSecret:
    def test_its_repr_shows_nothing(self) -> None:
        secret = RootKey(b"\xab" * 32)
        assert repr(secret) == "RootKey(<redacted>)"
        assert "ab" not in repr(secret).replace("redacted", "")
        assert f"{secret}" == "RootKey(<redacted>)"

    def test_it_is_equal_by_type_and_bytes(self) -> None:
        assert RootKey(b"k" * 32) == RootKey(b"k" * 32)
        assert RootKey(b"k" * 32) != RootKey(b"l" * 32)
        assert RootKey(b"k" * 32) != Exporter(b"k" * 32)
        assert RootKey(b"k" * 32) != b"k" * 32

    def test_it_neither_hashes_nor_pickles(self) -> None:
        with pytest.raises(TypeError):
            hash(Secret(b"k"))
        with pytest.raises(LocalProtocolError):
            pickle.dumps(Secret(b"k"))

    def test_wiping_zeroes_the_held_copy_and_ends_its_use(self) -> None:
        secret = RootKey(b"k" * 32)
        held = secret._value
        copy = secret.copy()
        secret.wipe()
        secret.wipe()
        assert held == bytearray(32)
        assert secret.is_wiped
        with pytest.raises(SessionEndedError):
            secret.expose()
        assert copy.expose() == b"k" * 32

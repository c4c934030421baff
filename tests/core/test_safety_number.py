"""Numbers that two people compare, and the QR code that spares them the reading."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.people import flip, refused

from whisp.core.errors import HandshakeReason
from whisp.core.safety_number import safety_number, safety_qr_encode, safety_qr_verify, session_code
from whisp.wire.errors import MalformedError
from whisp.wire.ids import AccountId

ONE, TWO = AccountId(b"\1" * 32), AccountId(b"\2" * 32)
keys = st.binary(min_size=32, max_size=32).map(AccountId)


def test_the_known_number() -> None:
    assert safety_number(ONE, TWO) == (
        "37665 95927 80256 74265 49922 30029 63875 02383 79505 73990 67566 68236"
    )


@settings(max_examples=5, deadline=None)
@given(keys, keys)
def test_both_people_see_the_same_number_computed_as_the_standard_library_does(
    one: AccountId, other: AccountId
) -> None:
    number = safety_number(one, other)
    assert number == safety_number(other, one)
    low, high = sorted((one, other))
    stretched = hashlib.pbkdf2_hmac("sha512", low + high, b"Whisp/1 safety-number\0", 100_000, 60)
    groups = [int.from_bytes(stretched[5 * n : 5 * n + 5], "big") % 100_000 for n in range(12)]
    assert number.split(" ") == [str(group).rjust(5, "0") for group in groups]


def test_another_key_gives_another_number() -> None:
    assert safety_number(ONE, TWO) != safety_number(ONE, AccountId(flip(TWO, 31)))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_account_key_has_32_bytes(length: int) -> None:
    with pytest.raises(MalformedError):
        safety_number(ONE, AccountId(bytes(length)))
    with pytest.raises(MalformedError):
        safety_number(AccountId(bytes(length)), ONE)


def test_a_session_code_is_six_groups_and_differs_by_session() -> None:
    code = session_code(b"\7" * 32)
    assert code == session_code(b"\7" * 32)
    assert code != session_code(b"\x08" * 32)
    groups = code.split(" ")
    assert len(groups) == 6
    assert all(len(group) == 5 and group.isdecimal() for group in groups)


class TestQrCode:
    def test_each_scans_the_other(self) -> None:
        safety_qr_verify(safety_qr_encode(TWO, ONE), ONE, TWO)
        safety_qr_verify(safety_qr_encode(ONE, TWO), TWO, ONE)

    def test_s04_other_keys_are_told_apart(self) -> None:
        for shown in (
            safety_qr_encode(ONE, TWO),
            safety_qr_encode(AccountId(flip(TWO, 0)), ONE),
            safety_qr_encode(TWO, AccountId(flip(ONE, 31))),
        ):
            refused(HandshakeReason.WRONG_ACCOUNT, safety_qr_verify, shown, ONE, TWO)

    def test_s23_any_other_qr_code_is_no_safety_number(self) -> None:
        shown = safety_qr_encode(TWO, ONE)
        for other in (
            b"",
            shown[:-1],
            shown + b"\0",
            flip(shown, 0),
            b"https://example.org/",
            bytes(len(shown)),
        ):
            with pytest.raises(MalformedError):
                safety_qr_verify(other, ONE, TWO)

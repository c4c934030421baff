"""S-21: one canonical form, and look-alikes refused instead of folded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.wire.errors import MalformedError
from whisp.wire.ids import Username
from whisp.wire.username import RESERVED, canonical, folded, is_reserved

LOOK_ALIKES = {
    "dotted capital I": "İstanbul",
    "dotless i": "ıstanbul",
    "capital sharp s": "straẞe",
    "sharp s": "straße",
    "Kelvin sign": "\u212aelvin",
    "long s": "\u017fefa",
    "composed": "jos\u00e9",
    "decomposed": "jose\u0301",
    "full width": "ｓｅｆａ",
    "full-width digits": "sefa１２",
    "superscript": "sefa\u00b2",
    "superscript letter": "sef\u1d43",
    "ligature": "o\ufb01s",
    "zero-width space": "se\u200bfa",
    "zero-width joiner": "se\u200dfa",
    "soft hyphen": "se\u00adfa",
    "right-to-left mark": "sefa\u200f",
    "right-to-left override": "\u202eafes",
    "byte order mark": "\ufeffsefa",
    "Cyrillic": "sef\u0430",
    "Greek": "\u03bfdile",
    "Arabic digits": "sefa\u0661",
    "non-breaking hyphen": "se\u2011fa",
    "underscore": "se_fa",
    "dot first": ".sefa",
    "dot last": "sefa.",
    "space first": " sefa",
    "space last": "sefa ",
    "newline last": "sefa\n",
    "tab": "se\tfa",
    "NUL": "sefa\0",
    "hyphen first": "-sefa",
    "hyphen last": "sefa-",
    "lone surrogate": "sefa\ud800",
    "too short": "sq",
    "too long": "s" * 33,
    "empty": "",
    "percent": "sefa%00",
    "slash": "se/fa",
    "at": "sefa@host",
}


@pytest.mark.parametrize("name", LOOK_ALIKES.values(), ids=LOOK_ALIKES.keys())
def test_s21_a_look_alike_is_refused_not_folded(name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        canonical(name)
    assert not name or name not in str(caught.value), "an error repeats no input"


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("sefa", "sefa"),
        ("SEFA", "sefa"),
        ("Odile-2", "odile-2"),
        ("abc", "abc"),
        ("a-b", "a-b"),
        ("a--b", "a--b"),
        ("123", "123"),
        ("S" * 32, "s" * 32),
        ("I" * 3, "iii"),
    ],
)
def test_s21_only_ascii_letters_change(name: str, form: str) -> None:
    assert canonical(name) == form


@given(st.text(max_size=40))
def test_s21_any_text_is_malformed_or_idempotent_ascii(name: str) -> None:
    try:
        form = canonical(name)
    except MalformedError:
        return
    assert canonical(form) == form
    assert form.isascii()
    assert 3 <= len(form) <= 32
    assert name.isascii()
    assert form == name.lower()


@given(st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]\Z"))
def test_s21_every_spelling_meets_in_one_form(name: str) -> None:
    assert canonical(name) == canonical(name.upper()) == canonical(name.lower()) == name.lower()


@pytest.mark.parametrize(
    "name", ["admin", "support", "deleted-4f2a", "deleted-", "xn--80ak6aa92e", "you", "whisp"]
)
def test_s21_a_hosts_words_and_erased_names_cannot_be_claimed(name: str) -> None:
    assert is_reserved(Username(name))


@pytest.mark.parametrize("name", ["odile", "administrate", "deleted", "undeleted-x", "xn-a", "sefa"])
def test_s21_other_names_can(name: str) -> None:
    assert not is_reserved(Username(name))


def test_s21_reserved_words_are_canonical_and_in_order() -> None:
    for word in RESERVED:
        assert canonical(word) == word


@pytest.mark.parametrize(
    "name", ["\u212aai", "no body", "", "n\u00f6body", "N\u00d6BODY", "-sefa-", "\u0130da"]
)
def test_s21_folding_makes_no_illegal_name_legal(name: str) -> None:
    assert folded(name) != "kai"
    with pytest.raises(MalformedError):
        canonical(folded(name))


@given(st.from_regex(r"\A[a-zA-Z0-9][a-zA-Z0-9-]{1,30}[a-zA-Z0-9]\Z"))
def test_s21_folding_a_legal_name_is_its_canonical_form(name: str) -> None:
    assert folded(name) == canonical(name)

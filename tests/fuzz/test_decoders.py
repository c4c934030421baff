"""S-11, S-15: whatever the bytes, a decoder returns a value or one of its own errors, and soon."""

import time
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from tests.fuzz.decoders import CORPUS, TARGETS, Target, seeds

SECONDS = 0.5
"""CPU time one input may cost: a thousand times what it does cost, and far below what an attack needs."""


def attempt(target: Target, data: bytes) -> None:
    """Decode; whatever comes of it must be within the rules."""
    started = time.process_time()
    refusal, value = None, None
    try:
        value = target.decode(data)
    except target.errors as error:
        refusal = str(error)
    assert time.process_time() - started < SECONDS
    if refusal is not None:
        assert refusal, "an error says what is wrong"
        assert len(refusal) < 120, "an error must not repeat its input"
    elif target.is_canonical and target.encode is not None:
        assert target.encode(value) == data


@cache
def mutations(target: Target) -> SearchStrategy[bytes]:
    """Return a strategy for valid inputs with a few edits: the neighbourhood where parsers go wrong."""
    return st.builds(_edited, st.sampled_from(seeds(target)), st.lists(_EDIT, min_size=1, max_size=4))


_EDIT = st.tuples(
    st.sampled_from(["set", "insert", "cut", "remove", "repeat"]),
    st.floats(0, 1),
    st.sampled_from([b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01", b'"', b"{", b"\xff\xff\xff\xff"])
    | st.binary(max_size=8),
)


def _edited(seed: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    data = seed
    for kind, where, piece in edits:
        at = int(where * len(data))
        match kind:
            case "set":
                data = data[:at] + piece + data[at + len(piece) :]
            case "insert":
                data = data[:at] + piece + data[at:]
            case "cut":
                data = data[:at]
            case "remove":
                data = data[:at] + data[at + len(piece) :]
            case _:
                data = data[:at] + data[at : at + 64] + data[at:]
    return data


def test_every_target_has_a_corpus_and_nothing_else_has() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(target.name for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_corpus_is_valid_and_is_written_back_alike(target: Target) -> None:
    for seed in seeds(target):
        value = target.decode(seed)
        if target.encode is not None:
            assert target.encode(value) == seed


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_s11_every_truncation_is_refused_or_read(target: Target) -> None:
    for seed in seeds(target):
        for end in {*range(min(len(seed), 300)), len(seed) - 1}:
            attempt(target, seed[:end])


@pytest.mark.parametrize("target", [t for t in TARGETS if t.is_canonical], ids=lambda target: target.name)
def test_s11_trailing_bytes_are_refused(target: Target) -> None:
    for seed in seeds(target):
        attempt(target, seed + b"\x00")
        attempt(target, seed + seed)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_s11_edited_messages(target: Target) -> None:
    @given(data=mutations(target))
    def hunt(data: bytes) -> None:
        attempt(target, data)

    hunt()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_s11_any_bytes(target: Target) -> None:
    @given(data=st.binary(max_size=400))
    @example(data=b"")
    @example(data=b"[" * 100_000)
    @example(data=b'{"a":' * 50_000)
    @example(data=b"\xff" * 300_000)
    def hunt(data: bytes) -> None:
        attempt(target, data)

    hunt()


@pytest.mark.parametrize("name", ["api-Error", "vault-contents"])
def test_s15_text_that_is_not_utf8_is_refused_like_any_other_fault(name: str) -> None:
    """msgspec tells this fault with an error outside its own family: an `except` of that family misses it."""
    target = next(target for target in TARGETS if target.name == name)
    (seed,) = seeds(target)
    with pytest.raises(target.errors):
        target.decode(seed.replace(b"not_found", b"not\xfffound").replace(b"odile", b"od\xffle"))


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_s11_a_long_hunt(target: Target) -> None:
    @settings(settings.get_profile("thorough"))
    @given(data=mutations(target) | st.binary(max_size=4000))
    def hunt(data: bytes) -> None:
        attempt(target, data)

    hunt()

"""Chains: every key once, none backwards, and a look ahead changes nothing."""

import hashlib
import hmac

import pytest

from whisp.core.errors import DecryptionError, MessageKeyGoneError, RatchetEnd, RatchetEndedError
from whisp.core.message_chain import MAX_SKIP, ChainKey, Kept, ReceivingChain, SendingChain, advance
from whisp.core.skipped_keys import MessageKey, SkippedKeys
from whisp.wire.envelope import COUNTER_LIMIT

START = ChainKey(bytes(range(32)))


def sent(count: int) -> list[MessageKey]:
    chain = SendingChain(START)
    return [chain.advance() for _ in range(count)]


def test_a_step_is_two_hmacs_under_the_chain_key() -> None:
    message_key, next_key = advance(START)
    assert message_key == hmac.digest(START, b"\x01", hashlib.sha256)
    assert next_key == hmac.digest(START, b"\x02", hashlib.sha256)


def test_in_order_both_ends_agree() -> None:
    chain, skipped = ReceivingChain(0, START), SkippedKeys[int]()
    for n, message_key in enumerate(sent(10)):
        found = chain.find(n, skipped, now=0)
        assert found.message_key == message_key
        found.commit(skipped, now=0)
    assert len(skipped) == 0


def test_looking_ahead_changes_nothing_until_it_is_committed() -> None:
    chain, skipped = ReceivingChain(0, START), SkippedKeys[int]()
    before = chain.snapshot_for_testing(), skipped.snapshot_for_testing()
    found = chain.find(5, skipped, now=0)
    assert (chain.snapshot_for_testing(), skipped.snapshot_for_testing()) == before
    found.commit(skipped, now=0)
    assert chain.n == 6
    assert len(skipped) == 5


def test_an_overtaken_message_is_read_once() -> None:
    keys = sent(4)
    chain, skipped = ReceivingChain(0, START), SkippedKeys[int]()
    chain.find(3, skipped, now=0).commit(skipped, now=0)
    late = chain.find(1, skipped, now=0)
    assert isinstance(late, Kept)
    assert late.message_key == keys[1]
    late.commit(skipped, now=0)
    for n in (1, 3):
        with pytest.raises(MessageKeyGoneError):
            chain.find(n, skipped, now=0)


def test_a_gap_of_256_is_bridged_and_one_of_257_is_not() -> None:
    chain, skipped = ReceivingChain(0, START), SkippedKeys[int]()
    assert chain.find(MAX_SKIP, skipped, now=0).message_key == sent(MAX_SKIP + 1)[-1]
    with pytest.raises(DecryptionError, match="257 messages missing"):
        chain.find(MAX_SKIP + 1, skipped, now=0)


def test_a_chain_gives_no_key_past_its_last_number() -> None:
    chain = SendingChain(START)
    chain.n = COUNTER_LIMIT - 1
    chain.advance()
    with pytest.raises(RatchetEndedError) as ended:
        chain.advance()
    assert ended.value.reason is RatchetEnd.EXHAUSTED

"""The classical half alone: turns, overtaken messages, and what a turn leaves behind."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.double_ratchet import MAX_RETIRED_KEYS, DoubleRatchet, RootKey, Turn
from whisp.core.errors import DecryptionError, MessageKeyGoneError
from whisp.core.skipped_keys import MessageKey
from whisp.wire.errors import LocalProtocolError, MalformedError

ROOT = RootKey(bytes(range(32)))
SMALL_ORDER_POINT = (1).to_bytes(32, "little")

Sent = tuple[int, int, bytes, MessageKey]


def pair() -> tuple[DoubleRatchet, DoubleRatchet]:
    key = X25519PrivateKey.generate()
    remote = key.public_key().public_bytes_raw()
    return DoubleRatchet.initiator(ROOT, remote, now=0), DoubleRatchet.responder(ROOT, key)


def read(ratchet: DoubleRatchet, sent: Sent, now: float = 0) -> MessageKey:
    n, previous_n, ratchet_key, _ = sent
    found = ratchet.find(ratchet_key, n, previous_n, now)
    message_key = found.message_key
    ratchet.commit(found, now)
    return message_key


def deliver(sender: DoubleRatchet, receiver: DoubleRatchet, now: float = 0) -> bytes:
    """Send one message that arrives; return the ratchet key it went under."""
    sent = sender.send()
    assert read(receiver, sent, now) == sent[3]
    return sent[2]


def converse(a: DoubleRatchet, b: DoubleRatchet, turns: int) -> None:
    for _ in range(turns):
        deliver(a, b)
        deliver(b, a)


def test_both_ends_agree_on_every_key_and_no_key_repeats() -> None:
    a, b = pair()
    seen = set()
    for sender, receiver in [(a, b), (a, b), (b, a), (a, b), (b, a), (b, a), (a, b)]:
        sent = sender.send()
        assert read(receiver, sent) == sent[3]
        seen.add(sent[3])
    assert len(seen) == 7


def test_the_responder_listens_first() -> None:
    a, b = pair()
    assert (a.can_send, b.can_send) == (True, False)
    with pytest.raises(LocalProtocolError, match="first message"):
        b.send()
    deliver(a, b)
    assert (a.can_send, b.can_send) == (True, True)


def test_a_chain_keeps_its_ratchet_key_until_the_peer_has_turned() -> None:
    a, b = pair()
    first, second = deliver(a, b), deliver(a, b)
    assert first == second
    deliver(b, a)
    assert deliver(a, b) != first


def test_a_turn_that_is_owed_is_made_with_the_reply_and_not_before() -> None:
    """Between a message and its answer there is no private key to steal."""
    a, b = pair()
    deliver(a, b, now=5)
    assert (a.turn_owed_since, b.turn_owed_since) == (None, 5)
    assert "owing" in str(b.snapshot_for_testing()[1])
    deliver(b, a, now=6)
    assert (a.turn_owed_since, b.turn_owed_since) == (6, None)


def test_the_first_message_owes_nothing() -> None:
    a, b = pair()
    assert a.turn_owed_since is None
    assert b.turn_owed_since is None


def test_messages_of_a_closed_chain_still_open() -> None:
    a, b = pair()
    deliver(a, b)
    late = [a.send() for _ in range(3)]
    deliver(b, a)
    deliver(a, b)  # its PN says that three are still under way
    for sent in (late[2], late[0], late[1]):
        assert read(b, sent) == sent[3]


@pytest.mark.parametrize(("turns_later", "opens"), [(4, True), (5, False)])
def test_a_skipped_key_outlives_four_turns(turns_later: int, opens: bool) -> None:
    a, b = pair()
    deliver(a, b)
    deliver(b, a)
    late = a.send()
    deliver(a, b)
    deliver(b, a)
    converse(a, b, turns_later)
    if opens:
        assert read(b, late) == late[3]
    else:
        with pytest.raises(MessageKeyGoneError):
            read(b, late)


def test_a_skipped_key_of_any_chain_is_gone_after_120_seconds() -> None:
    a, b = pair()
    early, late = a.send(), a.send()
    deliver(a, b, now=10)
    assert b.next_expiry() == 130
    assert read(b, early, now=129) == early[3]
    with pytest.raises(MessageKeyGoneError):
        read(b, late, now=130)
    b.expire(now=130)
    assert b.next_expiry() is None


def test_duplicates_of_the_current_and_of_past_chains_are_known() -> None:
    a, b = pair()
    old = a.send()
    read(b, old)
    deliver(b, a)
    deliver(a, b)
    with pytest.raises(MessageKeyGoneError):
        read(b, old)
    current = a.send()
    read(b, current)
    with pytest.raises(MessageKeyGoneError):
        read(b, current)


def test_past_ratchet_keys_are_remembered_within_a_bound() -> None:
    a, b = pair()
    oldest = a.send()
    read(b, oldest)
    deliver(b, a)
    converse(a, b, MAX_RETIRED_KEYS)
    with pytest.raises(MessageKeyGoneError):
        read(b, oldest)
    converse(a, b, 1)
    n, previous_n, ratchet_key, message_key = oldest
    forgotten = b.find(ratchet_key, n, previous_n, now=0)
    assert isinstance(forgotten, Turn)  # taken for a new key, it costs a key agreement
    assert forgotten.message_key != message_key  # and opens nothing


def test_a_second_new_key_before_our_answer_is_refused_without_a_key_agreement() -> None:
    a, b = pair()
    deliver(a, b)
    stranger = X25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(DecryptionError, match="out of turn"):
        b.find(stranger, 0, 1, now=0)


@pytest.mark.parametrize("point", [bytes(32), SMALL_ORDER_POINT, (2**255 - 20).to_bytes(32, "little")])
def test_a_small_order_ratchet_key_is_refused_and_changes_nothing(point: bytes) -> None:
    a, b = pair()
    before = b.snapshot_for_testing()
    with pytest.raises(DecryptionError, match="no secret"):
        b.find(point, 0, 0, now=0)
    assert b.snapshot_for_testing() == before
    deliver(a, b)


def test_a_small_order_first_key_is_refused_by_the_initiator() -> None:
    with pytest.raises(MalformedError):
        DoubleRatchet.initiator(ROOT, SMALL_ORDER_POINT, now=0).send()


@pytest.mark.parametrize("gap", ["chain", "closed chain"])
def test_a_gap_over_256_is_refused_before_any_work(gap: str) -> None:
    a, b = pair()
    deliver(a, b)
    key = a.send()[2]
    deliver(b, a)
    before = b.snapshot_for_testing()
    place = (key, 258, 0) if gap == "chain" else (a.send()[2], 0, 258)
    with pytest.raises(DecryptionError, match="missing"):
        b.find(*place, now=0)
    assert b.snapshot_for_testing() == before


def test_a_closed_chain_that_claims_fewer_messages_than_were_read_skips_none() -> None:
    a, b = pair()
    converse(a, b, 1)
    deliver(a, b)
    deliver(a, b)
    deliver(b, a)
    n, _, ratchet_key, message_key = a.send()
    assert read(b, (n, 0, ratchet_key, message_key)) == message_key
    assert b.next_expiry() is None

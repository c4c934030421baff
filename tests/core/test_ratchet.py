"""Two ratchets and what happens between them: loss, lateness, forgery, silence, and every way it ends."""

import pickle
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.core.ratchets import pair, secrets_in, steal, talk, tell

from whisp.core.errors import (
    DecryptionError,
    MessageKeyGoneError,
    RatchetEnd,
    RatchetEndedError,
    SessionEndedError,
)
from whisp.core.kem_phases import FollowerAtRest, LeaderAtRest, Offered
from whisp.core.ratchet import MAX_FAILURES, MAX_UNANSWERED, Ratchet
from whisp.core.secret_state import SecretState
from whisp.wire.envelope import (
    COUNTER_LIMIT,
    MAX_MESSAGE_BYTES,
    KemOffer,
    MessageHeader,
    decode_envelope,
)
from whisp.wire.errors import LocalProtocolError, MalformedError

# Talking


def test_two_people_talk() -> None:
    a, b = pair()
    for number in range(20):
        tell(a, b, b"question %d" % number)
        tell(b, a, b"answer %d" % number)


def test_one_person_talks_and_the_other_listens() -> None:
    a, b = pair()
    for number in range(200):
        tell(a, b, b"line %d" % number)


def test_the_listener_speaks_only_once_spoken_to() -> None:
    a, b = pair()
    with pytest.raises(LocalProtocolError):
        b.encrypt(b"too early", 0)
    assert (a.can_send, b.can_send, b.owes_message(1000)) == (True, False, False)
    tell(a, b, b"hello")
    tell(b, a, b"hello back")


def test_both_speak_at_once() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    for _ in range(10):
        crossing = a.encrypt(b"from a", 0), b.encrypt(b"from b", 0)
        assert b.decrypt(crossing[0], 0) == b"from a"
        assert a.decrypt(crossing[1], 0) == b"from b"


def test_both_rekey_at_once_and_stay_together() -> None:
    """At the same moment each turns its classical half and is due for the post-quantum one."""
    a, b = pair()
    tell(a, b, b"hello")
    for minute in range(1, 8):
        now = 60.0 * minute
        for _ in range(4):
            crossing = a.encrypt(b"a", now), b.encrypt(b"b", now)
            assert a.decrypt(crossing[1], now) == b"b"
            assert b.decrypt(crossing[0], now) == b"a"
        assert (a.epoch, b.epoch) == (minute, minute)


def test_a_message_costs_66_bytes_and_says_nothing_in_the_clear() -> None:
    a, _ = pair()
    frame = a.encrypt(b"attack at dawn", 0)
    assert len(frame) == 66 + len(b"attack at dawn")
    assert b"attack" not in frame


def test_the_same_words_never_look_the_same() -> None:
    a, _ = pair()
    frames = [a.encrypt(bytes(256), 0) for _ in range(50)]
    assert len({frame[50:] for frame in frames}) == 50


def test_the_longest_message_passes_and_a_longer_one_is_our_own_fault() -> None:
    a, b = pair()
    tell(a, b, bytes(MAX_MESSAGE_BYTES))
    before = a.snapshot_for_testing()
    with pytest.raises(LocalProtocolError):
        a.encrypt(bytes(MAX_MESSAGE_BYTES + 1), 0)
    assert a.snapshot_for_testing() == before


# Loss, lateness, repetition


def test_s08_lost_messages_do_not_matter_to_later_ones() -> None:
    a, b = pair()
    for number in range(100):
        frame = a.encrypt(b"%d" % number, 0)
        if number % 3 == 0:
            assert b.decrypt(frame, 0) == b"%d" % number


def test_s08_messages_in_any_order_are_all_read() -> None:
    a, b = pair()
    frames = [a.encrypt(b"%d" % number, 0) for number in range(200)]
    order = [number * 77 % 200 for number in range(200)]
    assert [b.decrypt(frames[number], 0) for number in order] == [b"%d" % number for number in order]


def test_s08_late_messages_cross_turns_and_epochs() -> None:
    """Late by a classical turn, by an epoch, and by both: each half finds its own part."""
    a, b = pair()
    tell(a, b, b"hello")
    tell(b, a, b"hello")
    before_turn = a.encrypt(b"before the turn", 1)
    tell(a, b, b"in between", 1)
    tell(b, a, b"turn", 1)
    tell(a, b, b"turned", 1)
    before_epoch = a.encrypt(b"before the epoch", 59)
    tell(a, b, b"in between", 59)
    talk(a, b, 60, 62, every=1)
    assert (a.epoch, b.epoch) == (1, 1)
    assert b.decrypt(before_epoch, 63) == b"before the epoch"
    assert b.decrypt(before_turn, 63) == b"before the turn"
    assert b.failures == 0


def test_s05_nothing_is_read_twice() -> None:
    a, b = pair()
    frames = [tell(a, b, b"first")]
    for number in range(10):
        tell(b, a, b"reply")
        frames.append(tell(a, b, b"%d" % number))
    for frame in frames:
        before = b.snapshot_for_testing()
        with pytest.raises(MessageKeyGoneError):
            b.decrypt(frame, 0)
        assert b.snapshot_for_testing() == before
    assert b.failures == 0, "a network may repeat messages without ending a session"


def test_s05_frames_of_another_session_or_of_our_own_are_refused() -> None:
    a, b = pair()
    stranger, its_peer = pair()
    tell(a, b, b"hello")
    mine = tell(b, a, b"hello")
    foreign = tell(stranger, its_peer, b"hello")
    for receiver, frame in ((b, foreign), (a, foreign), (b, mine)):
        before = receiver.snapshot_for_testing()
        with pytest.raises(DecryptionError):
            receiver.decrypt(frame, 0)
        assert receiver.snapshot_for_testing() == before


def test_a_message_held_for_ten_minutes_is_lost_and_harms_nothing() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    held = a.encrypt(b"held", 0)
    talk(a, b, 1, 600)
    with pytest.raises(MessageKeyGoneError):
        b.decrypt(held, 600)
    tell(a, b, b"still here", 600)
    assert b.failures == 0


def test_a_gap_of_256_is_bridged_and_a_wider_one_counts_as_failure() -> None:
    a, b = pair()
    for _ in range(256):
        a.encrypt(b"lost", 0)
    tell(a, b, b"after the gap")
    for _ in range(257):
        a.encrypt(b"lost", 0)
    with pytest.raises(DecryptionError):
        b.decrypt(a.encrypt(b"too far", 0), 0)
    assert b.failures == 1


# Forgery


def frames_of_each_kind() -> Iterator[tuple[Ratchet, bytes]]:
    """Yield readers with a frame each: plain, with an offer, with an answer, ahead, and turning."""
    a, b = pair()
    tell(a, b, b"hello")
    yield steal(b), a.encrypt(b"plain", 1)
    tell(b, a, b"hello", 1)
    a.encrypt(b"lost", 1)
    yield steal(b), a.encrypt(b"turning and ahead", 1)
    tell(a, b, b"hello", 1)
    frame = a.encrypt(b"offer", 60)
    yield steal(b), frame
    b.decrypt(frame, 60)
    yield steal(a), b.encrypt(b"answer", 60)


@pytest.mark.parametrize("kind", range(4))
def test_s11_every_changed_byte_is_noticed_and_changes_nothing(kind: int) -> None:
    receiver, frame = list(frames_of_each_kind())[kind]
    before = receiver.snapshot_for_testing()
    large = len(frame) > 1000
    for position in [*range(60), *range(60, len(frame), 97 if large else 1), len(frame) - 1]:
        forged = bytearray(frame)
        forged[position] ^= 1 << position % 8
        victim = steal(receiver)
        with pytest.raises((DecryptionError, MalformedError)):
            victim.decrypt(bytes(forged), 60)
        assert victim.snapshot_for_testing() == before, f"byte {position}"
        assert victim.failures <= 1
    receiver.decrypt(frame, 60)


def test_s11_every_truncation_and_extension_is_refused() -> None:
    receiver, frame = next(frames_of_each_kind())
    before = receiver.snapshot_for_testing()
    for forged in [frame[:length] for length in range(len(frame))] + [frame + b"\x00"]:
        victim = steal(receiver)
        with pytest.raises((DecryptionError, MalformedError)):
            victim.decrypt(forged, 1)
        assert victim.snapshot_for_testing() == before
    receiver.decrypt(frame, 1)


def test_a_stripped_offer_is_noticed() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    header, _, sealed = decode_envelope(a.encrypt(b"offer", 60))
    assert isinstance(header.attachment, KemOffer)
    with pytest.raises(DecryptionError):
        b.decrypt(header._replace(attachment=None).encode() + sealed, 60)


def test_an_exchanged_offer_is_noticed_before_anything_is_done_with_it() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    header, _, sealed = decode_envelope(a.encrypt(b"offer", 60))
    swapped = KemOffer(MLKEM768PrivateKey.generate().public_key().public_bytes_raw())
    before = b.snapshot_for_testing()
    with pytest.raises(DecryptionError):
        b.decrypt(header._replace(attachment=swapped).encode() + sealed, 60)
    assert b.snapshot_for_testing() == before


def test_a_forged_turn_with_a_stranger_s_key_is_refused() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    tell(b, a, b"hello")
    stranger = X25519PrivateKey.generate().public_key().public_bytes_raw()
    before = b.snapshot_for_testing()
    for ratchet_key in (stranger, (1).to_bytes(32, "little"), bytes(32)):
        with pytest.raises((DecryptionError, MalformedError)):
            b.decrypt(MessageHeader(0, 1, ratchet_key, 0, 1).encode() + bytes(32), 0)
    assert b.snapshot_for_testing() == before
    assert b.failures == 3


def test_a_hundred_failures_end_the_session_as_tampered() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    frame = bytearray(a.encrypt(b"real", 0))
    frame[-1] ^= 1
    for _ in range(MAX_FAILURES - 1):
        with pytest.raises(DecryptionError):
            b.decrypt(bytes(frame), 0)
    with pytest.raises(RatchetEndedError) as ended:
        b.decrypt(b"not even a frame", 0)
    assert (ended.value.reason, b.end_reason, b.is_ended) == (RatchetEnd.TAMPERED, RatchetEnd.TAMPERED, True)


# What is owed when nobody types


def test_a_listener_owes_an_empty_message_after_64() -> None:
    a, b = pair()
    for _ in range(MAX_UNANSWERED - 1):
        tell(a, b, b"talk")
    assert not b.owes_message(0)
    tell(a, b, b"talk")
    assert b.owes_message(0)
    assert b.next_deadline(0) == 0
    tell(b, a, b"")
    assert not b.owes_message(0)


def test_a_listener_owes_a_turn_after_20_seconds() -> None:
    a, b = pair()
    tell(a, b, b"hello", 100)
    assert b.next_deadline(100) == 120
    assert not b.owes_message(119.9)
    assert b.owes_message(120)
    tell(b, a, b"", 120)
    assert not b.owes_message(140)
    assert a.owes_message(140)


def test_a_step_of_the_exchange_is_owed_after_one_second() -> None:
    a, b = pair()
    tell(a, b, b"hello", 0)
    tell(b, a, b"hello", 50)
    tell(a, b, b"hello", 50)
    tell(b, a, b"hello", 55)
    assert a.next_deadline(55) == 61
    assert a.owes_message(61)
    tell(a, b, b"", 61)
    assert b.owes_message(62)
    tell(b, a, b"", 62)
    assert a.owes_message(63)


def test_two_silent_people_heal_by_what_is_owed_alone() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    now = 0.0
    while now < 310:
        deadlines = [deadline for side in (a, b) if (deadline := side.next_deadline(now)) is not None]
        now = max(now, min(deadlines))
        for sender, receiver in ((a, b), (b, a)):
            sender.expire(now)
            if sender.owes_message(now):
                tell(sender, receiver, b"", now)
    assert {a.epoch, b.epoch} <= {4, 5}


def test_the_deadline_names_the_expiry_of_kept_keys() -> None:
    a, b = pair()
    a.encrypt(b"lost", 0)
    tell(a, b, b"hello", 0)
    tell(b, a, b"hello", 0)
    assert b.next_deadline(0) == 120
    b.expire(120)
    assert b.next_deadline(120) is None
    assert b.snapshot_for_testing()[0][4] == ()  # type: ignore[index]  # no skipped key is left


@pytest.mark.parametrize("by", ["encrypting", "decrypting"])
def test_kept_keys_go_in_passing_even_if_nobody_watches_the_deadline(by: str) -> None:
    a, b = pair()
    a.encrypt(b"lost", 0)
    tell(a, b, b"hello", 0)
    tell(b, a, b"hello", 119.5)
    assert kept_keys(b) == 2
    if by == "encrypting":
        b.encrypt(b"hello", 120.5)
    else:
        tell(a, b, b"hello", 120.5)
    assert kept_keys(b) == 0


def kept_keys(ratchet: Ratchet) -> int:
    assert ratchet._classical is not None
    assert ratchet._post_quantum is not None
    return len(ratchet._classical._skipped) + len(ratchet._post_quantum._skipped)


# Every way it ends


def test_s08_dropping_only_the_large_frames_drops_everything_and_then_ends() -> None:
    """An attacker holds back the exchange and lets chat pass: after 30 s no chat of the leader is small."""
    a, b = pair()
    tell(a, b, b"hello")
    passed_from_a, now = [], 0.0
    with pytest.raises(RatchetEndedError) as ended:  # noqa: PT012  # the story of five minutes
        while now < 400:
            now += 1
            for sender, receiver in ((a, b), (b, a)):
                frame = sender.encrypt(b"chat", now)
                if len(frame) < 1000:
                    receiver.decrypt(frame, now)
                    if sender is a:
                        passed_from_a.append(now)
    assert ended.value.reason is RatchetEnd.PQ_STALLED
    assert (a.end_reason, a.is_ended) == (RatchetEnd.PQ_STALLED, True)
    assert passed_from_a[-1] < 60 + 30
    assert now <= 300


def test_a_different_key_for_one_epoch_ends_the_session() -> None:
    """The peer's own code, broken on purpose: after a lost offer it makes another key."""
    a, b = pair()
    tell(a, b, b"hello")
    tell(a, b, b"offer", 60)
    broken = a._post_quantum
    assert broken is not None
    broken._phase = Offered(MLKEM768PrivateKey.generate(), 60)
    with pytest.raises(RatchetEndedError) as ended:
        b.decrypt(a.encrypt(b"another offer", 61), 61)
    assert ended.value.reason is RatchetEnd.PROTOCOL
    assert b.is_ended


def test_a_different_answer_for_one_epoch_ends_the_session() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    tell(a, b, b"offer", 60)
    tell(b, a, b"answer", 60)
    kem = b._post_quantum
    assert kem is not None
    kem._phase.answer = type(kem._phase.answer)(bytes(1088))  # type: ignore[union-attr]
    with pytest.raises(RatchetEndedError) as ended:
        a.decrypt(b.encrypt(b"another answer", 61), 61)
    assert ended.value.reason is RatchetEnd.PROTOCOL


@pytest.mark.parametrize("half", ["_classical", "_post_quantum"])
def test_a_chain_that_runs_out_of_numbers_ends_the_session(half: str) -> None:
    a, b = pair()
    tell(a, b, b"hello")
    chain = a._classical._own.chain if half == "_classical" else a._post_quantum._sender  # type: ignore[union-attr]
    chain.n = COUNTER_LIMIT
    with pytest.raises(RatchetEndedError) as ended:
        a.encrypt(b"one too many", 0)
    assert (ended.value.reason, a.end_reason) == (RatchetEnd.EXHAUSTED, RatchetEnd.EXHAUSTED)


def test_after_the_end_nothing_works_and_nothing_is_left() -> None:
    a, b = pair()
    frame = tell(a, b, b"hello")
    b.wipe()
    b.wipe()
    assert (b.is_ended, b.can_send, b.end_reason) == (True, False, None)
    for use in (
        lambda: b.encrypt(b"", 0),
        lambda: b.decrypt(frame, 0),
        lambda: b.owes_message(0),
        lambda: b.next_deadline(0),
        lambda: b.expire(0),
        lambda: b.epoch,
    ):
        with pytest.raises(SessionEndedError):
            use()
    assert {b._classical, b._post_quantum} == {None}


# Secrets stay inside


def test_s28_no_part_of_a_ratchet_shows_its_secrets_or_lets_itself_be_stored() -> None:
    a, b = pair()
    tell(a, b, b"hello")
    a.encrypt(b"lost", 59)
    talk(a, b, 60, 63, every=1)
    secrets = {secret.hex() for side in (a, b) for secret in secrets_in(side.snapshot_for_testing())}
    parts: list[SecretState] = [a, b]
    for part in parts:
        for kind in type(part).__mro__:
            for name in getattr(kind, "__slots__", ()):
                value = getattr(part, name)
                inside = value.values() if isinstance(value, dict) else [value]
                parts.extend(item for item in inside if isinstance(item, SecretState))
    assert {type(part) for part in parts} >= {Ratchet, LeaderAtRest, FollowerAtRest}
    assert len(parts) >= 14
    for part in parts:
        assert repr(part) == str(part) == f"{type(part).__name__}(<redacted>)"
        with pytest.raises(LocalProtocolError, match="never stored"):
            pickle.dumps(part)
    forged = bytearray(a.encrypt(b"x", 62))
    forged[-1] ^= 1
    with pytest.raises(DecryptionError) as failed:
        b.decrypt(bytes(forged), 62)
    assert not any(secret in repr(failed.value) for secret in secrets)

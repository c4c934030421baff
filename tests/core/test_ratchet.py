"""Two ratchets and what happens between them: loss, lateness, forgery, theft, and every way it ends."""

import pickle
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.core.ratchets import pair, steal

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


def tell(sender: Ratchet, receiver: Ratchet, text: bytes, now: float = 0) -> bytes:
    """Send one message that arrives and is read; return its frame."""
    frame = sender.encrypt(text, now)
    assert receiver.decrypt(frame, now) == text
    return frame


def talk(a: Ratchet, b: Ratchet, start: float, end: float, every: float = 5) -> None:
    """Let both sides say something now and then, and send what is owed."""
    now = start
    while now < end:
        for sender, receiver in ((a, b), (b, a)):
            if sender.can_send:
                tell(sender, receiver, b"hello", now)
        for _ in range(3):
            for sender, receiver in ((a, b), (b, a)):
                if sender.owes_message(now):
                    tell(sender, receiver, b"", now)
        now += every


def secrets_in(state: object) -> Iterator[bytes]:
    """Yield every byte string in a snapshot."""
    if isinstance(state, bytes):
        yield state
    elif isinstance(state, tuple):
        for part in state:
            yield from secrets_in(part)


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


# Theft


def test_forward_secrecy_a_stolen_state_reads_nothing_from_before() -> None:
    a, b = pair()
    frames = [tell(a, b, b"%d" % number) for number in range(10)]
    tell(b, a, b"turn")
    frames += [tell(a, b, b"%d" % number) for number in range(10)]
    thief = steal(b)
    for frame in frames:
        with pytest.raises(DecryptionError):
            thief.decrypt(frame, 0)


def test_forward_secrecy_no_key_stays_behind_that_opened_a_message() -> None:
    """Chain keys, roots and private keys in the state before a message are gone after a turn both ways."""
    a, b = pair()
    tell(a, b, b"hello")
    talk(a, b, 1, 59)
    public_or_shared = {b._classical._remote_key} if b._classical else set()
    before = {secret for secret in secrets_in(b.snapshot_for_testing()) if len(secret) in (32, 64)}
    talk(a, b, 60, 400)
    b.expire(400)
    after = set(secrets_in(b.snapshot_for_testing()))
    assert len(before) >= 6
    assert before & after <= public_or_shared | set(b._classical._retired if b._classical else ())


@pytest.mark.parametrize("victim_is_initiator", [True, False])
def test_post_compromise_one_round_trip_shuts_a_passive_thief_out(victim_is_initiator: bool) -> None:
    a, b = pair()
    talk(a, b, 0, 10)
    victim, peer = (a, b) if victim_is_initiator else (b, a)
    tell(victim, peer, b"a key of the victim is out", 10)
    thief = steal(victim)
    stolen_key = thief._classical._own.private_key  # type: ignore[union-attr]

    reply = peer.encrypt(b"the thief still reads this", 10)
    assert victim.decrypt(reply, 10) == thief.decrypt(reply, 10)

    tell(victim, peer, b"a fresh key, unknown to the thief", 10)
    healed = peer.encrypt(b"the thief no longer reads this", 10)
    assert victim.decrypt(healed, 10) == b"the thief no longer reads this"
    for attempt in (thief, with_private_key(thief, stolen_key)):
        with pytest.raises(DecryptionError):
            attempt.decrypt(healed, 10)


def with_private_key(thief: Ratchet, private_key: X25519PrivateKey) -> Ratchet:
    """Return the thief's ratchet, made to try a private key it stole on the next turn."""
    armed = steal(thief)
    donor, receiver = pair()
    tell(donor, receiver, b"")
    donor_half = donor._classical
    assert donor_half is not None
    assert armed._classical is not None
    turned = donor_half._own
    turned.private_key = private_key  # type: ignore[union-attr]
    armed._classical._own = turned
    return armed


def test_post_compromise_survives_a_later_break_of_x25519_from_the_next_whole_epoch() -> None:
    """The thief stole everything once, and learns the victim's whole classical half at every message."""
    a, b = pair()
    talk(a, b, 0, 50)
    thief = steal(a)
    now, read = 50.0, []
    while a.epoch < 2:
        for sender, receiver in ((a, b), (b, a)):
            frame = sender.encrypt(b"hello", now)
            if receiver is a:
                thief._classical = steal(a._classical)
                try:
                    thief.decrypt(frame, now)
                    read.append(a.epoch)
                except (DecryptionError, RatchetEndedError, SessionEndedError):
                    read.append(-1 - a.epoch)
            receiver.decrypt(frame, now)
        now += 5
    assert 0 in read, "within the stolen epoch the thief reads on"
    assert 1 not in read, "and from the next on, which was exchanged after the theft, nothing"
    assert -2 in read


def test_post_compromise_a_stolen_pending_kem_key_costs_one_more_epoch() -> None:
    a, b = pair()
    talk(a, b, 0, 60)
    offer = a.encrypt(b"offer", 60)
    assert isinstance(a._post_quantum and a._post_quantum._phase, Offered)
    thief = steal(a)
    b.decrypt(offer, 60)
    now, read = 60.0, set()
    while a.epoch < 2 or now < 200:
        for sender, receiver in ((b, a), (a, b)):
            frame = sender.encrypt(b"hello", now)
            if receiver is a and not thief.is_ended:
                thief._classical = steal(a._classical)
                with suppress(DecryptionError, RatchetEndedError):
                    thief.decrypt(frame, now)
                    read.add(decode_envelope(frame)[0].epoch)
            receiver.decrypt(frame, now)
        now += 5
    assert read == {0, 1}


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

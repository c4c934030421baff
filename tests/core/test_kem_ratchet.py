"""The post-quantum half alone: who leads, what rides on which message, and how epochs end."""

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from whisp.core import kem_phases
from whisp.core.errors import DecryptionError, MessageKeyGoneError, RatchetEnd, RatchetEndedError
from whisp.core.kem_ratchet import KemRatchet, PqRootKey, derive_epoch
from whisp.core.message_chain import ChainKey
from whisp.core.message_seal import Direction
from whisp.core.skipped_keys import MessageKey
from whisp.wire.envelope import COUNTER_LIMIT, Attachment, KemAnswer, KemOffer

Sent = tuple[int, int, Attachment | None, MessageKey]


def pair(now: float = 0) -> tuple[KemRatchet, KemRatchet]:
    """Return the initiator's and the responder's half, in epoch 0."""
    keys = PqRootKey(b"r" * 32), ChainKey(b"a" * 32), ChainKey(b"b" * 32)
    return tuple(KemRatchet(direction, *keys, now) for direction in Direction)  # type: ignore[return-value]


def read(ratchet: KemRatchet, sent: Sent, now: float) -> None:
    epoch, n, attachment, message_key = sent
    found = ratchet.find(epoch, n, now)
    assert found.message_key == message_key
    ratchet.commit(found, epoch, attachment, now)


def deliver(sender: KemRatchet, receiver: KemRatchet, now: float) -> Attachment | None:
    """Send one message that arrives; return what it carried."""
    sent = sender.send(now)
    read(receiver, sent, now)
    return sent[2]


def phase(ratchet: KemRatchet) -> object:
    return ratchet.snapshot_for_testing()[6][0]  # type: ignore[index]  # a tuple inside


def owed(ratchet: KemRatchet) -> float | None:
    return ratchet.step_owed_since


def exchange(leader: KemRatchet, follower: KemRatchet, now: float) -> None:
    """Take both from one epoch to the next, which is due at `now`."""
    assert isinstance(deliver(leader, follower, now), KemOffer)
    assert isinstance(deliver(follower, leader, now), KemAnswer)
    assert deliver(leader, follower, now) is None
    assert deliver(follower, leader, now) is None


def ends(reason: RatchetEnd, receiver: KemRatchet, sent: Sent, now: float) -> None:
    with pytest.raises(RatchetEndedError) as ended:
        read(receiver, sent, now)
    assert ended.value.reason is reason


def test_an_epoch_follows_after_a_minute_with_traffic() -> None:
    a, b = pair()
    assert deliver(a, b, now=1) is None
    assert deliver(b, a, now=59.9) is None
    assert isinstance(deliver(a, b, now=60), KemOffer)
    assert (phase(a), phase(b)) == ("offered", "answered")
    assert isinstance(deliver(b, a, now=60), KemAnswer)
    assert (a.epoch, phase(a)) == (1, "switched")
    assert (b.epoch, phase(b)) == (0, "answered")
    assert deliver(a, b, now=60) is None
    assert (b.epoch, phase(b)) == (1, "leader at rest")
    assert deliver(b, a, now=60) is None
    assert (a.epoch, phase(a)) == (1, "follower at rest")


def test_an_epoch_follows_after_64_messages_of_both_sides() -> None:
    a, b = pair()
    for _ in range(32):
        assert deliver(b, a, now=1) is None
        assert deliver(a, b, now=1) is None
    assert isinstance(deliver(a, b, now=1), KemOffer)


def test_without_traffic_nothing_is_owed() -> None:
    a, b = pair()
    assert (owed(a), owed(b)) == (None, None)


def test_the_sides_take_turns_to_lead() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    for number in range(1, 6):
        leader, follower = (a, b) if number % 2 else (b, a)
        exchange(leader, follower, now=60 * number)
        assert (a.epoch, b.epoch) == (number, number)


def test_both_sides_due_at_once_make_one_exchange() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    from_a, from_b = a.send(60), b.send(60)
    assert (type(from_a[2]), from_b[2]) == (KemOffer, None)
    read(a, from_b, 60)
    read(b, from_a, 60)
    assert (phase(a), phase(b)) == ("offered", "answered")


def test_the_offer_rides_on_the_first_message_then_each_second_then_on_every_one() -> None:
    a, b = pair()
    deliver(a, b, now=0)

    def carried(now: float) -> bool:
        return a.send(now)[2] is not None

    assert [carried(60 + tenth / 10) for tenth in range(21)] == [tenth % 10 == 0 for tenth in range(21)]
    assert carried(89) is True
    assert [carried(89.9), carried(90.0), carried(90.1), carried(90.1)] == [False, True, True, True]


def test_the_answer_rides_on_the_first_message_then_each_second_then_on_every_one() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(a, b, now=60)
    carried = [b.send(now)[2] is not None for now in (60, 60.5, 61, 61.9, 62, 89.5, 89.9, 90, 90)]
    assert carried == [True, False, True, False, True, True, False, True, True]


def test_a_lost_offer_and_a_lost_answer_are_sent_again() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    a.send(60)  # lost
    offer = a.send(61)
    read(b, offer, 61)
    b.send(61)  # lost
    assert isinstance(deliver(b, a, now=62), KemAnswer)
    assert a.epoch == 1


def test_repeats_of_offer_and_answer_are_ignored_wherever_the_exchange_stands() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    offers = [a.send(60 + second) for second in range(4)]
    read(b, offers[0], 60)
    read(b, offers[1], 61)  # while answered
    answers = [b.send(62 + second) for second in range(4)]
    read(a, answers[0], 62)
    read(a, answers[1], 63)  # while switched
    deliver(a, b, now=64)
    read(b, offers[2], 64)  # at rest, leading
    deliver(b, a, now=64)
    read(a, answers[2], 64)  # at rest, following
    assert (a.epoch, b.epoch) == (1, 1)
    deliver(b, a, now=130)
    read(b, offers[3], 130)  # while offering the next
    read(a, answers[3], 130)  # while answering the next
    assert (phase(a), phase(b)) == ("answered", "offered")
    deliver(a, b, now=131)
    assert b.epoch == 2


def test_another_offer_for_the_same_epoch_ends_the_session() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(a, b, now=60)
    epoch, n, _, message_key = a.send(61)
    other = KemOffer(MLKEM768PrivateKey.generate().public_key().public_bytes_raw())
    ends(RatchetEnd.PROTOCOL, b, (epoch, n, other, message_key), now=61)


def test_another_answer_for_the_same_epoch_ends_the_session() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(a, b, now=60)
    deliver(b, a, now=60)
    epoch, n, _, message_key = b.send(61)
    ends(RatchetEnd.PROTOCOL, a, (epoch, n, KemAnswer(bytes(1088)), message_key), now=61)


def test_who_does_not_lead_may_not_offer_and_who_does_may_not_answer() -> None:
    kem_key = MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
    for attachment, from_initiator in ((KemOffer(kem_key), False), (KemAnswer(bytes(1088)), True)):
        a, b = pair()
        sender, receiver = (a, b) if from_initiator else (b, a)
        epoch, n, _, message_key = sender.send(1)
        ends(RatchetEnd.PROTOCOL, receiver, (epoch, n, attachment, message_key), now=1)


def test_an_echo_of_our_own_half_is_no_repeat_and_ends_the_session() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    offer = deliver(a, b, now=60)
    deliver(b, a, now=60)
    epoch, n, _, message_key = b.send(60.5)
    ends(RatchetEnd.PROTOCOL, a, (epoch, n, offer, message_key), now=60.5)
    c, d = pair()
    deliver(c, d, now=0)
    deliver(c, d, now=60)
    answer = d.send(60)[2]
    epoch, n, _, message_key = c.send(60.5)
    ends(RatchetEnd.PROTOCOL, d, (epoch, n, answer, message_key), now=60.5)


def test_an_answer_nobody_asked_for_ends_the_session() -> None:
    a, b = pair()
    epoch, n, _, message_key = b.send(1)
    ends(RatchetEnd.PROTOCOL, a, (epoch, n, KemAnswer(bytes(1088)), message_key), now=1)


def test_an_offer_that_is_no_encapsulation_key_ends_the_session() -> None:
    a, b = pair()
    epoch, n, _, message_key = a.send(1)
    ends(RatchetEnd.PROTOCOL, b, (epoch, n, KemOffer(b"\xff" * 1184), message_key), now=1)


def test_a_message_of_an_epoch_not_derived_yet_is_refused() -> None:
    a, b = pair()
    before = b.snapshot_for_testing()
    with pytest.raises(DecryptionError, match="to come"):
        b.find(1, 0, now=0)
    assert b.snapshot_for_testing() == before
    deliver(a, b, now=0)


def test_the_follower_reads_stragglers_of_the_epoch_before_for_120_seconds() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(a, b, now=60)  # the offer
    late = [a.send(60) for _ in range(3)]  # still in epoch 0, and nothing after them there
    deliver(b, a, now=60)
    deliver(a, b, now=60)
    assert_straggling_ends(b, late)


def test_the_leader_reads_stragglers_of_the_epoch_before_for_120_seconds() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(a, b, now=60)
    deliver(b, a, now=60)  # the answer
    late = [b.send(60) for _ in range(3)]
    deliver(a, b, now=60)
    deliver(b, a, now=60)
    assert_straggling_ends(a, late)


def assert_straggling_ends(ratchet: KemRatchet, late: list[Sent]) -> None:
    """Of three messages of epoch 0, see the chain read them until 120 s after epoch 1 was heard at 60."""
    assert ratchet.next_expiry() == 180
    read(ratchet, late[1], now=179)  # so that the key of the one before is kept until 299
    for straggler in (late[0], late[2]):
        with pytest.raises(MessageKeyGoneError):
            read(ratchet, straggler, now=180)
    ratchet.expire(now=180)
    assert ratchet.next_expiry() is None
    assert len(ratchet.snapshot_for_testing()[3]) == 1  # type: ignore[arg-type]  # a tuple inside
    with pytest.raises(MessageKeyGoneError):
        read(ratchet, late[2], now=180)


def test_of_two_epochs_before_nothing_is_read() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    late = a.send(59)
    exchange(a, b, now=60)
    deliver(a, b, now=60)
    exchange(b, a, now=120)
    with pytest.raises(MessageKeyGoneError):
        read(b, late, now=120)


def test_stragglers_are_read_while_the_next_exchange_is_under_way() -> None:
    """In fast talk three epochs are alive at once: the last, this one, and the one answered for."""
    a, b = pair()
    deliver(a, b, now=0)
    late = b.send(59)
    exchange(a, b, now=60)
    for _ in range(62):
        deliver(b, a, now=61)
    assert isinstance(deliver(b, a, now=61), KemOffer)
    read(a, late, now=62)
    assert phase(a) == "answered"


def test_overtaken_messages_of_two_epochs_are_found_each_in_its_own() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    late = a.send(59)
    exchange(a, b, now=60)
    later = a.send(61)
    deliver(a, b, now=61)
    read(b, later, now=62)
    read(b, late, now=62)


def test_what_is_owed_and_since_when() -> None:
    """Each place in the exchange that waits for a message of ours says so; the others say nothing."""
    a, b = pair()
    deliver(a, b, now=10)
    assert (owed(a), owed(b)) == (60, None)
    offer = a.send(70)
    assert owed(a) == 70  # to be sent again unless answered
    read(b, offer, now=71)
    assert owed(b) == 71
    answer = b.send(72)
    assert owed(b) == 72
    read(a, answer, now=73)
    assert owed(a) == 73  # the peer waits to see the new epoch
    switching = a.send(74)
    assert (owed(a), phase(a)) == (None, "switched")
    read(b, switching, now=75)
    assert owed(b) == 75  # so does the leader
    deliver(b, a, now=76)
    assert (owed(a), owed(b)) == (None, 75 + 60)


def test_a_repeated_answer_reminds_the_leader_that_its_switch_was_not_seen() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(a, b, now=60)
    deliver(b, a, now=60)
    a.send(61)  # lost
    assert deliver(b, a, now=62) is not None
    assert owed(a) == 62
    assert deliver(b, a, now=63) is not None
    assert owed(a) == 62
    deliver(a, b, now=63)
    assert b.epoch == 1


def test_the_epoch_that_runs_out_of_messages_is_due_at_the_last_of_them() -> None:
    a, b = pair()
    for _ in range(kem_phases.EPOCH_MESSAGES - 1):
        b_sent = b.send(5)
        read(a, b_sent, now=5)
    assert owed(a) == 60
    deliver(b, a, now=7)
    assert owed(a) == 7


def test_s08_four_thousand_messages_without_a_new_epoch_end_the_session() -> None:
    a, b = pair()
    for _ in range(4095):
        deliver(b, a, now=1)
    ends(RatchetEnd.PQ_STALLED, a, b.send(1), now=1)


def test_s08_five_minutes_of_traffic_without_a_new_epoch_end_the_session() -> None:
    a, b = pair()
    for second in range(0, 300, 10):
        deliver(b, a, now=second)
        a.send(second)  # never arrives
    ends(RatchetEnd.PQ_STALLED, a, b.send(300), now=300)


def test_silence_is_not_a_stall() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    deliver(b, a, now=3000)
    exchange(a, b, now=3001)
    assert a.epoch == 1


def test_a_new_epoch_starts_the_stall_clock_again() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    for number in range(1, 10):
        for quarter in range(4):
            deliver(a, b, now=60 * number - 40 + 10 * quarter)
            deliver(b, a, now=60 * number - 40 + 10 * quarter)
        exchange(*((a, b) if number % 2 else (b, a)), now=60 * number)
    assert (a.epoch, b.epoch) == (9, 9)


def test_the_last_epoch_ends_the_session() -> None:
    a, b = pair()
    deliver(a, b, now=0)
    a.epoch = COUNTER_LIMIT - 1
    a._receivers = {a.epoch: a._receivers[0]}
    with pytest.raises(RatchetEndedError) as ended:
        a.send(60)
    assert ended.value.reason is RatchetEnd.EXHAUSTED


def test_an_offer_past_the_last_epoch_ends_the_session() -> None:
    a, b = pair()
    last = COUNTER_LIMIT - 1
    for side in (a, b):
        side.epoch = last
        side._receivers = {last: side._receivers[0]}
        side._heard_epoch = last
    _, n, _, message_key = b.send(1)
    offer = KemOffer(MLKEM768PrivateKey.generate().public_key().public_bytes_raw())
    a._phase = kem_phases.FollowerAtRest()
    ends(RatchetEnd.PROTOCOL, a, (last, n, offer, message_key), now=1)


def test_every_input_of_an_epoch_changes_all_its_keys() -> None:
    base = (PqRootKey(b"r" * 32), 1, b"s" * 32, sha256(b"ek").digest(), sha256(b"ct").digest())
    assert repr(derive_epoch(*base)) == "EpochKeys(<redacted>)"
    keys = set(derive_epoch(*base))
    assert len(keys) == 3
    others = [
        (PqRootKey(b"R" * 32), *base[1:]),
        (base[0], 2, *base[2:]),
        (*base[:2], b"S" * 32, *base[3:]),
        (*base[:3], sha256(b"EK").digest(), base[4]),
        (*base[:4], sha256(b"CT").digest()),
        (*base[:3], base[4], base[3]),
    ]
    for other in others:
        assert keys.isdisjoint(derive_epoch(*other))

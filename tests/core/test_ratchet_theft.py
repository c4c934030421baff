"""A thief copies one side's whole state: what he reads of before, and how soon he reads no more."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.core.ratchets import pair, secrets_in, steal, talk, tell

from whisp.core.errors import DecryptionError, RatchetEndedError, SessionEndedError
from whisp.core.kem_phases import Offered
from whisp.core.ratchet import Ratchet
from whisp.wire.envelope import decode_envelope


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

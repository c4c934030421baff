"""Calls that must not come about: every altered byte, every lie of a server, every impossible moment.

A refusal names one reason and leaves the state able to take the true message.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.people import NOW, Person, flip, place, refused, ring, store_state, strangers

from whisp.core.errors import ConsumedStateError, HandshakeError, HandshakeReason
from whisp.core.handshake import (
    NO_FINGERPRINT,
    AnsweredCall,
    CallFlags,
    CancelReason,
    DeclineReason,
    IncomingCall,
    OfferedCall,
    caller,
    receive_offer,
)
from whisp.core.handshake.payloads import AnswerPayload, IdentityPayload, OfferPayload
from whisp.core.prekeys import PreKeyStore
from whisp.wire.errors import MalformedError
from whisp.wire.prekey import PreKeyBundle
from whisp.wire.signals import Cancel, Decline, decode_signal

HOUR, DAY = 3600, 86_400
R = HandshakeReason

OFFER_FIELDS = {
    "type": (0, 1),
    "version": (1, 2),
    "suite": (2, 3),
    "flags": (3, 4),
    "call_id": (4, 20),
    "callee_device": (20, 36),
    "signed_pre_key": (36, 44),
    "one_time_pre_key": (44, 52),
    "ephemeral_key": (52, 84),
    "kem_key": (84, 1268),
    "kem_ciphertext": (1268, 2356),
    "identity_length": (2356, 2358),
    "sealed_identity": (2358, 2886),
    "offer_length": (2886, 2888),
    "sealed_offer": (2888, 3416),
}
ANSWER_FIELDS = {
    "type": (0, 1),
    "version": (1, 2),
    "suite": (2, 3),
    "flags": (3, 4),
    "call_id": (4, 20),
    "device": (20, 36),
    "ephemeral_key": (36, 68),
    "kem_ciphertext": (68, 1156),
    "answer_length": (1156, 1158),
    "sealed_answer": (1158, 1686),
}
REFUSAL_FIELDS = {
    "type": (0, 1),
    "version": (1, 2),
    "suite": (2, 3),
    "flags": (3, 4),
    "call_id": (4, 20),
    "device": (20, 36),
    "reason_length": (36, 38),
    "sealed_reason": (38, 55),
}
CONFIRM_FIELDS = {
    "type": (0, 1),
    "version": (1, 2),
    "suite": (2, 3),
    "flags": (3, 4),
    "call_id": (4, 20),
    "mac": (20, 52),
}


@pytest.fixture
def odile() -> Person:
    return Person.create()


@pytest.fixture
def sefa() -> Person:
    return Person.create()


def samples(fields: dict[str, tuple[int, int]]) -> list[Any]:
    """Return every byte of short fields and a dozen of each long one, named by field."""
    params = []
    for name, (start, end) in fields.items():
        step = max(1, (end - start) // 12) if end - start > 32 else 1
        positions = sorted({*range(start, end, step), end - 1})
        params.append(pytest.param(positions, id=name))
    return params


def offered_state(call: OfferedCall) -> object:
    ringing = call._ringing
    assert ringing is not None
    return (
        id(ringing),
        ringing.ephemeral,
        ringing.kem,
        ringing.p2.expose(),
        ringing.th3,
        call.peer,
        call.offer,
    )


def _ringing_state(call: IncomingCall) -> object:
    ringing = call._ringing
    assert ringing is not None
    return (id(ringing), ringing.caller_kem_key, ringing.p2.expose(), ringing.th3, call.peer)


def _waiting_state(call: AnsweredCall) -> object:
    waiting = call._waiting
    assert waiting is not None
    secrets = waiting.secrets
    return (
        id(waiting),
        waiting.p2.expose(),
        waiting.mac.expose(),
        secrets.root_key.expose(),
        secrets.sid,
        secrets.ratchet_private_key,
    )


def callee_state(call: IncomingCall | AnsweredCall) -> object:
    return _ringing_state(call) if isinstance(call, IncomingCall) else _waiting_state(call)


class TestEveryByte:
    """One bit of one byte at a time; then the true message is still taken."""

    @pytest.mark.parametrize("positions", samples(OFFER_FIELDS))
    @pytest.mark.parametrize("one_time", [True, False])
    def test_s11_of_an_offer(self, odile: Person, sefa: Person, positions: list[int], one_time: bool) -> None:
        offered = place(odile, sefa.device.bundle(one_time=one_time))
        store = sefa.device.prekeys
        before = store_state(store)
        for position in positions:
            altered = flip(offered.offer, position)
            refused(None, receive_offer, sefa.local, store, altered, strangers, NOW)
            assert store_state(store) == before
        receive_offer(sefa.local, store, offered.offer, strangers, NOW)

    @pytest.mark.parametrize("positions", samples(ANSWER_FIELDS))
    def test_s11_of_an_answer(self, odile: Person, sefa: Person, positions: list[int]) -> None:
        offered, incoming = ring(odile, sefa)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        before = offered_state(offered)
        for count, position in enumerate(positions, 1):
            altered = flip(answer, position)
            refused(None, offered.receive_answer, altered, NOW)
            assert offered_state(offered) == before
            assert offered.refusals == count
        offered.receive_answer(answer, NOW)

    @pytest.mark.parametrize("positions", samples(REFUSAL_FIELDS))
    def test_s11_of_a_decline(self, odile: Person, sefa: Person, positions: list[int]) -> None:
        offered, incoming = ring(odile, sefa)
        decline = incoming.decline(DeclineReason.DECLINED)
        before = offered_state(offered)
        for position in positions:
            altered = flip(decline, position)
            refused(None, offered.receive_decline, altered)
            assert offered_state(offered) == before
        offered.receive_decline(decline)

    @pytest.mark.parametrize("positions", samples(REFUSAL_FIELDS))
    def test_s11_of_a_cancel(self, odile: Person, sefa: Person, positions: list[int]) -> None:
        offered, incoming = ring(odile, sefa)
        other, waiting_call = ring(odile, sefa)
        _, answered = waiting_call.accept(b"", NO_FINGERPRINT, NOW)
        cancels = offered.cancel(CancelReason.STOPPED), other.cancel(CancelReason.STOPPED)
        ends: tuple[IncomingCall | AnsweredCall, ...] = (incoming, answered)
        for end, cancel in zip(ends, cancels, strict=True):
            before = callee_state(end)
            for position in positions:
                altered = flip(cancel, position)
                refused(None, end.receive_cancel, altered)
                assert callee_state(end) == before
            end.receive_cancel(cancel)

    @pytest.mark.parametrize("positions", samples(CONFIRM_FIELDS))
    def test_s11_of_a_confirm(self, odile: Person, sefa: Person, positions: list[int]) -> None:
        offered, incoming = ring(odile, sefa)
        answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirm = offered.receive_answer(answer, NOW).confirm(b"first")
        before = _waiting_state(answered)
        for position in positions:
            altered = flip(confirm, position)
            refused(None, answered.receive_confirm, altered)
            assert _waiting_state(answered) == before
        answered.receive_confirm(confirm)

    def test_an_altered_first_message_is_the_ratchets_to_refuse(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirm = offered.receive_answer(answer, NOW).confirm(b"first")
        assert answered.receive_confirm(flip(confirm, 52))[1] == b"girst"

    @pytest.mark.parametrize("one_time", [True, False])
    def test_s01_of_a_bundle(self, odile: Person, sefa: Person, one_time: bool) -> None:
        encoded = sefa.device.bundle(one_time=one_time).encode()
        for position in [*range(460), *range(460, len(encoded), 41), len(encoded) - 1]:
            with pytest.raises((MalformedError, HandshakeError)):
                place(odile, PreKeyBundle.decode(flip(encoded, position)))

    @pytest.mark.nightly
    def test_s11_of_everything(self, odile: Person, sefa: Person) -> None:
        offered = place(odile, sefa.device.bundle())
        store = sefa.device.prekeys
        before = store_state(store)
        for position in range(len(offered.offer)):
            altered = flip(offered.offer, position)
            refused(None, receive_offer, sefa.local, store, altered, strangers, NOW)
        assert store_state(store) == before
        incoming = receive_offer(sefa.local, store, offered.offer, strangers, NOW)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        for position in range(len(answer)):
            altered = flip(answer, position)
            refused(None, offered.receive_answer, altered, NOW)
        offered.receive_answer(answer, NOW)


def test_s11_truncated_and_extended_messages_are_refused(odile: Person, sefa: Person) -> None:
    offered = place(odile, sefa.device.bundle())
    store = sefa.device.prekeys

    def cuts(message: bytes) -> list[bytes]:
        lengths = [*range(60), *range(60, len(message), 97), len(message) - 1]
        return [
            *(message[:n] for n in lengths if n < len(message)),
            message + b"\0",
            message * 2,
            bytes(32 * 1024 + 1),
        ]

    for spoilt in cuts(offered.offer):
        refused(R.MALFORMED, receive_offer, sefa.local, store, spoilt, strangers, NOW)
    incoming = receive_offer(sefa.local, store, offered.offer, strangers, NOW)
    other, other_incoming = ring(odile, sefa)
    for spoilt in cuts(other.cancel(CancelReason.STOPPED)):
        refused(R.MALFORMED, other_incoming.receive_cancel, spoilt)
    answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
    for spoilt in cuts(answer):
        refused(R.MALFORMED, offered.receive_answer, spoilt, NOW)
    confirm = offered.receive_answer(answer, NOW).confirm(b"m")
    for length in range(len(confirm)):
        refused(R.MALFORMED, answered.receive_confirm, confirm[:length])
    answered.receive_confirm(confirm)


def test_s05_messages_of_another_kind_or_call_are_refused(odile: Person, sefa: Person) -> None:
    offered, incoming = ring(odile, sefa)
    other_offered, other_incoming = ring(odile, sefa)
    other_answer, other_answered = other_incoming.accept(b"", NO_FINGERPRINT, NOW)
    other_confirm = other_offered.receive_answer(other_answer, NOW).confirm(b"m")
    refused(R.WRONG_CALL, offered.receive_answer, other_answer, NOW)
    refused(R.MALFORMED, offered.receive_answer, offered.offer, NOW)
    refused(R.MALFORMED, offered.receive_decline, other_answer)
    refused(R.MALFORMED, incoming.receive_cancel, other_confirm)
    answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
    refused(R.WRONG_CALL, answered.receive_confirm, other_confirm)
    # and with the call id corrected by the server, still:
    readdressed = other_confirm[:4] + answered.call_id + other_confirm[20:]
    refused(R.NOT_AUTHENTIC, answered.receive_confirm, readdressed)
    readdressed = other_answer[:4] + offered.call_id + other_answer[20:]
    refused(R.NOT_AUTHENTIC, offered.receive_answer, readdressed, NOW)
    confirmed = offered.receive_answer(answer, NOW)
    answered.receive_confirm(confirmed.confirm(b"m"))
    other_answered.receive_confirm(other_confirm)


def test_s05_a_decline_does_not_cancel_and_a_cancel_does_not_decline(odile: Person, sefa: Person) -> None:
    offered, incoming = ring(odile, sefa)
    shadow, _ = ring(odile, sefa)
    cancel = decode_signal(shadow.cancel(CancelReason.STOPPED))
    assert isinstance(cancel, Cancel)
    reflected = Decline(1, 1, offered.call_id, sefa.local.device, cancel.sealed_reason).encode()
    refused(R.NOT_AUTHENTIC, offered.receive_decline, reflected)
    decline = decode_signal(incoming.decline(DeclineReason.BUSY))
    assert isinstance(decline, Decline)
    assert offered.receive_decline(decline.encode()) is DeclineReason.BUSY


class TestReplay:
    @pytest.mark.parametrize("one_time", [True, False])
    def test_s05_the_same_offer_rings_once(self, odile: Person, sefa: Person, one_time: bool) -> None:
        offered, _ = ring(odile, sefa, one_time=one_time)
        reason = R.PRE_KEY_USED if one_time else R.REPLAYED
        refused(reason, receive_offer, sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)

    def test_s05_a_pre_key_is_used_once_even_by_two_callers(self, odile: Person, sefa: Person) -> None:
        bundle = sefa.device.bundle()
        first, second = place(odile, bundle), place(Person.create(), bundle)
        store = sefa.device.prekeys
        receive_offer(sefa.local, store, first.offer, strangers, NOW)
        refused(R.PRE_KEY_USED, receive_offer, sefa.local, store, second.offer, strangers, NOW)

    def test_s05_a_call_id_rings_once(self, odile: Person, sefa: Person) -> None:
        store = sefa.device.prekeys
        first = place(odile, sefa.device.bundle())
        receive_offer(sefa.local, store, first.offer, strangers, NOW)
        again = caller.place_offer(
            odile.local, sefa.device.bundle(), None, first.call_id, b"", NO_FINGERPRINT, CallFlags.NONE, NOW
        )
        refused(R.REPLAYED, receive_offer, sefa.local, store, again.offer, strangers, NOW)

    def test_s05_a_restart_forgets_the_keys_with_the_cache(self, odile: Person, sefa: Person) -> None:
        offered, _ = ring(odile, sefa, one_time=False)
        fresh = PreKeyStore(sefa.local.keys)
        fresh.publish(NOW)
        refused(R.PRE_KEY_UNKNOWN, receive_offer, sefa.local, fresh, offered.offer, strangers, NOW)

    def test_s05_an_offer_held_back_outlives_no_pre_key(self, odile: Person, sefa: Person) -> None:
        offered = place(odile, sefa.device.bundle(one_time=False))
        late = NOW + HOUR + 121
        refused(
            R.PRE_KEY_UNKNOWN, receive_offer, sefa.local, sefa.device.prekeys, offered.offer, strangers, late
        )

    def test_s05_an_old_answer_does_not_answer_a_new_call(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        offered.receive_answer(answer, NOW)
        with pytest.raises(ConsumedStateError):
            offered.receive_answer(answer, NOW)
        again, _ = ring(odile, sefa)
        refused(R.WRONG_CALL, again.receive_answer, answer, NOW)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3500))
def test_s11_random_bytes_are_no_message_of_any_state(data: bytes) -> None:
    sefa, offered, incoming, answered = _ends()
    store = sefa.device.prekeys
    for kind in range(6):
        message = bytes((kind,)) + data
        refused(None, receive_offer, sefa.local, store, message, strangers, NOW)
        for receive in (offered.receive_decline, incoming.receive_cancel, answered.receive_confirm):
            refused(None, receive, message)
        refused(None, offered.receive_answer, message, NOW)
    assert offered.is_live
    assert incoming.is_live
    assert answered.is_live


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=700))
def test_s11_payload_decoders_raise_malformed_only(data: bytes) -> None:
    for payload in (IdentityPayload, OfferPayload, AnswerPayload):
        try:
            decoded = payload.decode(data)
        except MalformedError:
            continue
        assert decoded.encode() == data


_ENDS: list[tuple[Person, OfferedCall, IncomingCall, AnsweredCall]] = []


def _ends() -> tuple[Person, OfferedCall, IncomingCall, AnsweredCall]:
    """Return live states, made once: random bytes must not change them."""
    if not _ENDS:
        odile, sefa = Person.create(), Person.create()
        offered, incoming = ring(odile, sefa)
        _, second = ring(odile, sefa)
        _ENDS.append((sefa, offered, incoming, second.accept(b"", NO_FINGERPRINT, NOW)[1]))
    return _ENDS[0]

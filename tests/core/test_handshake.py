"""Calls that come about: three flights, several devices, refusals and cancellations, glare."""

import pickle
from collections.abc import Callable
from os import urandom

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.people import NOW, Device, Person, flip, place, ring, strangers

from whisp.core.errors import ConsumedStateError, HandshakeError, HandshakeReason, SessionEndedError
from whisp.core.handshake import (
    NO_FINGERPRINT,
    AnsweredCall,
    CallFlags,
    CancelReason,
    ConfirmedCall,
    DeclineReason,
    IncomingCall,
    ListView,
    OfferedCall,
    Role,
    SessionSecrets,
    local_wins_glare,
    place_offer,
    receive_offer,
)
from whisp.core.handshake.payloads import ListSighting
from whisp.core.identity import PinnedAccount
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import AccountId, CallId, DeviceId
from whisp.wire.prekey import PreKeyBundle
from whisp.wire.signals import Offer, SignalType, decode_signal, peek_call_id, peek_type

DIGEST = b"\x5a" * 32


@pytest.fixture
def odile() -> Person:
    return Person.create()


@pytest.fixture
def sefa() -> Person:
    return Person.create()


def assert_same_session(initiator: SessionSecrets, responder: SessionSecrets) -> None:
    assert (initiator.role, responder.role) == (Role.INITIATOR, Role.RESPONDER)
    assert initiator.sid == responder.sid
    assert len(initiator.sid) == 16
    for name in ("root_key", "pq_root", "pq_chain_a", "pq_chain_b", "exporter", "ratchet_public_key"):
        assert getattr(initiator, name) == getattr(responder, name), name
    assert initiator.ratchet_private_key is None
    assert responder.ratchet_private_key is not None
    public = responder.ratchet_private_key.public_key().public_bytes_raw()
    assert public == initiator.ratchet_public_key


def finish(offered: OfferedCall, incoming: IncomingCall) -> tuple[ConfirmedCall, SessionSecrets]:
    answer, answered = incoming.accept(b"callee's way", NO_FINGERPRINT, NOW)
    confirmed = offered.receive_answer(answer, NOW)
    secrets, first = answered.receive_confirm(confirmed.confirm(b"first message"))
    assert first == b"first message"
    return confirmed, secrets


@pytest.mark.parametrize("one_time", [True, False])
def test_two_people_establish_a_call(odile: Person, sefa: Person, one_time: bool) -> None:
    call_id = CallId(urandom(16))
    offered = place_offer(
        odile.local,
        sefa.device.bundle(one_time=one_time),
        None,
        call_id,
        b"to",
        DIGEST,
        CallFlags.DIRECT,
        NOW,
    )
    assert (peek_type(offered.offer), peek_call_id(offered.offer)) == (SignalType.OFFER, call_id)
    assert (offered.peer.account, offered.peer.device) == (sefa.account, sefa.local.device)

    incoming = receive_offer(sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)
    assert (incoming.call_id, incoming.transport, incoming.call_flags) == (call_id, b"to", CallFlags.DIRECT)
    assert (incoming.fingerprint, incoming.offered_at) == (DIGEST, NOW)
    assert (incoming.peer.account, incoming.peer.certificate) == (odile.account, odile.local.certificate)
    assert incoming.list_view is ListView.SAME

    answer, answered = incoming.accept(b"fro", NO_FINGERPRINT, NOW)
    confirmed = offered.receive_answer(answer, NOW)
    assert (confirmed.transport, confirmed.fingerprint) == (b"fro", NO_FINGERPRINT)
    assert (confirmed.peer.account, confirmed.list_view) == (sefa.account, ListView.SAME)
    assert not confirmed.server_was_stale
    secrets, first = answered.receive_confirm(confirmed.confirm(b"\x10hello"))
    assert first == b"\x10hello"
    assert_same_session(confirmed.secrets, secrets)


def test_every_call_has_secrets_of_its_own(odile: Person, sefa: Person) -> None:
    seen: set[bytes] = set()
    for _ in range(3):
        confirmed, _secrets = finish(*ring(odile, sefa, one_time=False))
        one = confirmed.secrets
        values = [one.sid, *(s.expose() for s in (one.root_key, one.pq_root, one.pq_chain_a, one.pq_chain_b))]
        values.append(one.exporter.expose())
        assert len(set(values)) == 6
        assert not seen & set(values)
        seen.update(values)


def test_an_identity_never_travels_in_the_clear(odile: Person, sefa: Person) -> None:
    offered, incoming = ring(odile, sefa)
    answer, _ = incoming.accept(b"callee's way", NO_FINGERPRINT, NOW)
    for secret in (odile.account, odile.local.device, odile.local.certificate.signature, b"caller's way"):
        assert secret not in offered.offer
    for secret in (sefa.account, b"callee's way"):
        assert secret not in answer


def test_short_and_long_transports_are_padded_alike(odile: Person, sefa: Person) -> None:
    def size(transport: bytes) -> int:
        bundle, call_id = sefa.device.bundle(), CallId(urandom(16))
        offered = place_offer(
            odile.local, bundle, None, call_id, transport, NO_FINGERPRINT, CallFlags.NONE, NOW
        )
        return len(offered.offer)

    assert size(b"") == size(b"x" * 400) == 3416
    assert size(b"x" * 16_384) < 32 * 1024
    with pytest.raises(LocalProtocolError):
        size(b"x" * 16_385)


def test_the_largest_lists_and_transport_fit_the_limit_of_a_signal() -> None:
    odile, sefa = Person.create(devices=16), Person.create(devices=16)
    bundle = sefa.device.bundle()
    offered = place_offer(
        odile.local, bundle, None, CallId(bytes(16)), bytes(16_384), DIGEST, CallFlags.NONE, NOW
    )
    incoming = receive_offer(sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)
    answer, _ = incoming.accept(bytes(16_384), DIGEST, NOW)
    offered.receive_answer(answer, NOW)


class TestSeveralDevices:
    def test_the_first_answer_wins_and_the_others_are_told(self, odile: Person) -> None:
        sefa = Person.create(devices=3)
        call_id, pinned = CallId(urandom(16)), None
        calls: list[tuple[OfferedCall, IncomingCall]] = []
        for device in sefa.devices:
            offered = place_offer(
                odile.local, device.bundle(), pinned, call_id, b"", NO_FINGERPRINT, CallFlags.NONE, NOW
            )
            pinned = offered.peer.pinned
            incoming = receive_offer(device.local, device.prekeys, offered.offer, strangers, NOW)
            calls.append((offered, incoming))
        assert {incoming.call_id for _, incoming in calls} == {call_id}

        answers = [incoming.accept(b"", NO_FINGERPRINT, NOW) for _, incoming in calls[1:]]
        confirmed = calls[1][0].receive_answer(answers[0][0], NOW)
        cancels = [offered.cancel(CancelReason.ELSEWHERE) for offered, _ in (calls[0], calls[2])]

        assert calls[0][1].receive_cancel(cancels[0]) is CancelReason.ELSEWHERE
        assert answers[1][1].receive_cancel(cancels[1]) is CancelReason.ELSEWHERE
        secrets, _ = answers[0][1].receive_confirm(confirmed.confirm(b"m"))
        assert_same_session(confirmed.secrets, secrets)

    def test_one_devices_answer_does_not_answer_for_another(self, odile: Person) -> None:
        sefa = Person.create(devices=2)
        call_id = CallId(urandom(16))
        ends = []
        for device in sefa.devices:
            offered = place_offer(
                odile.local, device.bundle(), None, call_id, b"", NO_FINGERPRINT, CallFlags.NONE, NOW
            )
            ends.append((offered, receive_offer(device.local, device.prekeys, offered.offer, strangers, NOW)))
        answer, _ = ends[0][1].accept(b"", NO_FINGERPRINT, NOW)
        with pytest.raises(HandshakeError) as caught:
            ends[1][0].receive_answer(answer, NOW)
        assert caught.value.reason is HandshakeReason.WRONG_DEVICE
        ends[0][0].receive_answer(answer, NOW)

    def test_a_device_calls_its_sibling_but_not_itself(self) -> None:
        odile = Person.create(devices=2)
        sibling = odile.devices[1]
        offered = place(odile, sibling.bundle())
        incoming = receive_offer(sibling.local, sibling.prekeys, offered.offer, strangers, NOW)
        finish(offered, incoming)
        with pytest.raises(LocalProtocolError):
            place(odile, odile.device.bundle())

    def test_s36_one_time_records_run_out_and_calls_go_on(self, odile: Person, sefa: Person) -> None:
        for _ in range(20):
            finish(*ring(odile, sefa))
        assert len(sefa.device.records) == 1
        finish(*ring(odile, sefa, one_time=False))


class TestEndings:
    @pytest.mark.parametrize("reason", DeclineReason)
    def test_a_decline_reaches_the_caller(self, odile: Person, sefa: Person, reason: DeclineReason) -> None:
        offered, incoming = ring(odile, sefa)
        decline = incoming.decline(reason)
        assert peek_type(decline) is SignalType.DECLINE
        assert offered.receive_decline(decline) is reason
        assert not offered.is_live
        assert not incoming.is_live

    @pytest.mark.parametrize("reason", CancelReason)
    def test_a_cancel_reaches_a_ringing_and_a_waiting_callee(
        self, odile: Person, sefa: Person, reason: CancelReason
    ) -> None:
        offered, incoming = ring(odile, sefa)
        assert incoming.receive_cancel(offered.cancel(reason)) is reason
        offered, incoming = ring(odile, sefa)
        _, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
        assert answered.receive_cancel(offered.cancel(reason)) is reason
        assert not answered.is_live

    def test_reasons_look_alike(self, odile: Person, sefa: Person) -> None:
        lengths = set()
        for reason in DeclineReason:
            _, incoming = ring(odile, sefa)
            lengths.add(len(incoming.decline(reason)))
        for cancel in CancelReason:
            offered, _ = ring(odile, sefa)
            lengths.add(len(offered.cancel(cancel)))
        assert lengths == {36 + 2 + 1 + 16}

    def test_a_state_that_was_consumed_refuses_every_use(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirmed = offered.receive_answer(answer, NOW)
        confirm = confirmed.confirm(b"m")
        answered.receive_confirm(confirm)
        uses: tuple[Callable[[], object], ...] = (
            lambda: offered.receive_answer(answer, NOW),
            lambda: offered.receive_decline(b""),
            lambda: offered.cancel(CancelReason.STOPPED),
            lambda: confirmed.confirm(b"m"),
            lambda: incoming.accept(b"", NO_FINGERPRINT, NOW),
            lambda: incoming.decline(DeclineReason.BUSY),
            lambda: incoming.receive_cancel(b""),
            lambda: answered.receive_confirm(confirm),
            lambda: answered.receive_cancel(b""),
        )
        for use in uses:
            with pytest.raises(ConsumedStateError):
                use()

    def test_a_wipe_takes_the_secrets_along(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirmed = offered.receive_answer(answer, NOW)
        waiting = answered._waiting
        assert waiting is not None
        for state in (offered, incoming, answered, confirmed):
            state.wipe()
            state.wipe()
        for secrets in (waiting.secrets, confirmed.secrets):
            with pytest.raises(SessionEndedError):
                secrets.root_key.expose()
            assert secrets.sid == bytes(16)
            assert secrets.ratchet_private_key is None
        assert waiting.p2.is_wiped
        assert waiting.mac.is_wiped

    def test_after_confirm_the_callee_keeps_only_the_session(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        ringing_a, ringing_b = offered._ringing, incoming._ringing
        answer, answered = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirmed = offered.receive_answer(answer, NOW)
        waiting = answered._waiting
        assert ringing_a is not None
        assert ringing_b is not None
        assert waiting is not None
        secrets, _ = answered.receive_confirm(confirmed.confirm(b"m"))
        for secret in (ringing_a.p2, ringing_b.p2, waiting.p2, waiting.mac):
            assert secret.is_wiped
        assert len(secrets.root_key.expose()) == 32

    def test_confirm_carries_a_message(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirmed = offered.receive_answer(answer, NOW)
        with pytest.raises(LocalProtocolError):
            confirmed.confirm(b"")
        confirmed.confirm(b"m")


class TestLists:
    def test_a_caller_who_saw_an_older_list_is_behind(self, odile: Person, sefa: Person) -> None:
        bundle = sefa.device.bundle()
        sefa.renew_list()
        offered = place(odile, bundle)
        incoming = receive_offer(sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)
        assert incoming.list_view is ListView.PEER_BEHIND
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        confirmed = offered.receive_answer(answer, NOW)
        assert confirmed.server_was_stale
        assert confirmed.peer.device_list == sefa.device_list
        assert confirmed.peer.pinned == PinnedAccount(sefa.account, 2, sefa.device_list.digest())

    def test_a_callee_that_learns_of_a_newer_own_list_fetches_it_and_answers_with_it(
        self, odile: Person, sefa: Person
    ) -> None:
        old = sefa.local
        sefa.renew_list()
        offered = place(odile, sefa.device.bundle())
        incoming = receive_offer(old, sefa.device.prekeys, offered.offer, strangers, NOW)
        assert incoming.list_view is ListView.PEER_AHEAD
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW, device_list=sefa.device_list)
        assert offered.receive_answer(answer, NOW).peer.pinned.version == 2

    def test_s03_an_answer_with_an_older_list_than_the_bundles_is_refused(
        self, odile: Person, sefa: Person
    ) -> None:
        old = sefa.local
        sefa.renew_list()
        offered = place(odile, sefa.device.bundle())
        incoming = receive_offer(old, sefa.device.prekeys, offered.offer, strangers, NOW)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        with pytest.raises(HandshakeError) as caught:
            offered.receive_answer(answer, NOW)
        assert caught.value.reason is HandshakeReason.LIST_STALE
        assert (offered.is_live, offered.refusals) == (True, 1)

    def test_a_caller_learns_that_its_own_list_is_old(self, odile: Person, sefa: Person) -> None:
        seen = ListView.compare(odile.device_list, ListSighting(odile.device_list.version, b"\1" * 32))
        assert seen is ListView.FORKED
        assert ListView.compare(odile.device_list, ListSighting(2, b"\1" * 32)) is ListView.PEER_AHEAD
        assert ListView.compare(odile.device_list, ListSighting(0, bytes(32))) is ListView.PEER_BEHIND
        offered, incoming = ring(odile, sefa)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        odile.renew_list()
        assert offered.receive_answer(answer, NOW).list_view is ListView.SAME, "the list it rang with counts"


class TestGlare:
    def test_the_lower_account_key_wins_on_both_sides(self, odile: Person, sefa: Person) -> None:
        sides = (odile.account, odile.local.device), (sefa.account, sefa.local.device)
        assert local_wins_glare(*sides[0], *sides[1]) is (odile.account < sefa.account)
        assert local_wins_glare(*sides[0], *sides[1]) is not local_wins_glare(*sides[1], *sides[0])

    @given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
    def test_within_one_account_device_ids_decide(self, one: bytes, other: bytes) -> None:
        account = AccountId(bytes(32))
        wins = local_wins_glare(account, DeviceId(one), account, DeviceId(other))
        assert wins is (one < other)

    def test_s36_two_that_ring_each_other_get_one_call(self, odile: Person, sefa: Person) -> None:
        first, at_sefa = ring(odile, sefa)
        second, at_odile = ring(sefa, odile)
        odile_wins = local_wins_glare(odile.account, odile.local.device, sefa.account, sefa.local.device)
        winning, taken = (first, at_sefa) if odile_wins else (second, at_odile)
        losing, ignored = (second, at_odile) if odile_wins else (first, at_sefa)
        assert ignored.receive_cancel(losing.cancel(CancelReason.GLARE)) is CancelReason.GLARE
        finish(winning, taken)


class TestNothingShows:
    def test_no_state_shows_or_stores_its_secrets(self, odile: Person, sefa: Person) -> None:
        offered, incoming = ring(odile, sefa)
        ringing = offered._ringing, incoming._ringing
        shown = [repr(offered), repr(incoming), repr(ringing[0]), repr(ringing[1])]
        answer, answered = incoming.accept(b"callee's way", NO_FINGERPRINT, NOW)
        shown += [repr(answered), repr(answered._waiting)]
        confirmed = offered.receive_answer(answer, NOW)
        shown += [repr(confirmed), repr(confirmed.secrets), str(confirmed.secrets), f"{confirmed.secrets}"]
        secrets = confirmed.secrets
        held = [secrets.sid, *(s.expose() for s in (secrets.root_key, secrets.pq_root, secrets.exporter))]
        for text in shown:
            for value in held:
                assert repr(value)[2:-1] not in text
                assert value.hex() not in text
            assert "way" not in text
        assert repr(secrets) == "SessionSecrets(role=INITIATOR, <redacted>)"
        for state in (offered, incoming, answered, confirmed, secrets):
            with pytest.raises(LocalProtocolError):
                pickle.dumps(state)


def test_a_fingerprint_must_be_the_one_the_transcript_binds(odile: Person, sefa: Person) -> None:
    offered = place_offer(
        odile.local, sefa.device.bundle(), None, CallId(bytes(16)), b"", DIGEST, CallFlags.NONE, NOW
    )
    incoming = receive_offer(sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)
    answer, answered = incoming.accept(b"", b"\xa5" * 32, NOW)
    confirmed = offered.receive_answer(answer, NOW)
    incoming_side: tuple[IncomingCall | AnsweredCall, ...] = (incoming, answered)
    for state, right, wrong in (
        *((state, DIGEST, b"\xa5" * 32) for state in incoming_side),
        (confirmed, b"\xa5" * 32, DIGEST),
    ):
        state.verify_fingerprint(right)
        for presented in (wrong, NO_FINGERPRINT, right[:-1], b"", flip(right, 31)):
            with pytest.raises(HandshakeError) as caught:
                state.verify_fingerprint(presented)
            assert caught.value.reason is HandshakeReason.FINGERPRINT


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_fingerprint_has_32_bytes(odile: Person, sefa: Person, length: int) -> None:
    with pytest.raises(LocalProtocolError):
        place_offer(
            odile.local,
            sefa.device.bundle(),
            None,
            CallId(bytes(16)),
            b"",
            bytes(length),
            CallFlags.NONE,
            NOW,
        )
    _, incoming = ring(odile, sefa)
    with pytest.raises(LocalProtocolError):
        incoming.accept(b"", bytes(length), NOW)
    incoming.accept(b"", NO_FINGERPRINT, NOW)


def test_a_later_version_is_used_when_both_know_it() -> None:
    odile, sefa = Person.create(versions=0b11), Person.create(versions=0b11)
    offered, incoming = ring(odile, sefa)
    offer = decode_signal(offered.offer)
    assert isinstance(offer, Offer)
    assert offer.version == 2
    finish(offered, incoming)


def test_a_bundle_of_each_device_is_about_three_kilobytes(sefa: Person) -> None:
    device: Device = sefa.device
    encoded = device.bundle().encode()
    assert len(encoded) == 194 + 2 + len(sefa.device_list.encode()) + 2 * 1326 + 1
    assert PreKeyBundle.decode(encoded).encode() == encoded

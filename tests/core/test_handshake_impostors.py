"""Peers and servers that lie: swapped bundles, borrowed identities, wrong clocks, impossible keys."""

from dataclasses import replace
from os import urandom
from typing import Any

import pytest
from tests.core.people import NOW, SMALL_ORDER_POINTS, Person, place, refused, ring, store_state, strangers

from whisp.core.errors import AccountKeyChangedError, HandshakeError, HandshakeReason
from whisp.core.handshake import (
    NO_FINGERPRINT,
    CallFlags,
    IncomingCall,
    OfferedCall,
    caller,
    receive_offer,
)
from whisp.core.handshake.payloads import OfferPayload
from whisp.core.identity import (
    AccountKey,
    DeviceKeys,
    LocalDevice,
    PinnedAccount,
    issue_certificate,
    issue_device_list,
)
from whisp.core.prekeys import PreKeyStore
from whisp.wire.certificate import DeviceKind
from whisp.wire.ids import CallId, DeviceId, PreKeyId
from whisp.wire.prekey import PRE_KEY_LABELS, PreKeyBundle, PreKeyRecord
from whisp.wire.signals import Answer, Offer, decode_signal

HOUR, DAY = 3600, 86_400
R = HandshakeReason


@pytest.fixture
def odile() -> Person:
    return Person.create()


@pytest.fixture
def sefa() -> Person:
    return Person.create()


def _with_part(bundle: PreKeyBundle, part: str, record: PreKeyRecord) -> PreKeyBundle:
    return replace(bundle, signed=record) if part == "signed" else replace(bundle, one_time=record)


class TestSwappedBundles:
    """S-01: what a lying server can do to a bundle, seen by the caller."""

    def test_s01_a_bundle_of_the_servers_own_keys(self, odile: Person, sefa: Person) -> None:
        mallory = Person.create()
        pinned = PinnedAccount.first_contact(sefa.device_list, NOW)
        with pytest.raises(AccountKeyChangedError) as caught:
            place(odile, mallory.device.bundle(), pinned=pinned)
        assert (caught.value.known, caught.value.presented) == (sefa.account, mallory.account)
        assert caught.value.reason is R.ACCOUNT_CHANGED

    @pytest.mark.parametrize("part", ["signed", "one_time"])
    @pytest.mark.parametrize(
        "field", ["agreement_key", "kem_key", "signature", "id", "expires", "versions", "suites"]
    )
    def test_s01_one_part_of_a_record_from_another(
        self, odile: Person, sefa: Person, part: str, field: str
    ) -> None:
        bundle, mallory = sefa.device.bundle(), Person.create(NOW + 1, versions=0b11)
        record: PreKeyRecord = getattr(bundle, part)
        foreign: PreKeyRecord = getattr(mallory.device.bundle(), part)
        changes: dict[str, Any] = {field: 0b11 if field == "suites" else getattr(foreign, field)}
        swapped = replace(record, **changes)
        assert swapped != record
        changed = _with_part(bundle, part, swapped)
        refused(R.PRE_KEY_FORGED, place, odile, changed)

    def test_s01_keys_of_two_records_of_one_device_do_not_pair(self, odile: Person, sefa: Person) -> None:
        one, other = sefa.device.bundle(), sefa.device.bundle()
        assert one.one_time is not None
        assert other.one_time is not None
        for changed in (
            replace(one, one_time=replace(one.one_time, kem_key=other.one_time.kem_key)),
            replace(one, signed=replace(one.signed, kem_key=one.one_time.kem_key)),
            replace(one, signed=replace(one.signed, agreement_key=one.one_time.agreement_key)),
        ):
            refused(R.PRE_KEY_FORGED, place, odile, changed)

    def test_s01_a_record_does_not_change_its_kind(self, odile: Person, sefa: Person) -> None:
        bundle = sefa.device.bundle()
        assert bundle.one_time is not None
        once = bundle.one_time
        refused(R.WRONG_DEVICE, place, odile, replace(bundle, signed=once))
        relabelled = replace(bundle.one_time, kind=bundle.signed.kind)
        refused(R.PRE_KEY_FORGED, place, odile, replace(bundle, signed=relabelled))

    def test_s01_a_record_of_another_device(self, odile: Person) -> None:
        sefa = Person.create(devices=2)
        bundle, sibling = sefa.devices[0].bundle(), sefa.devices[1].bundle()
        refused(R.WRONG_DEVICE, place, odile, replace(bundle, signed=sibling.signed))
        refused(R.WRONG_DEVICE, place, odile, replace(bundle, one_time=sibling.one_time))

    def test_s01_the_server_cannot_swap_the_one_time_record_unseen(self, odile: Person, sefa: Person) -> None:
        bundle, other = sefa.device.bundle(), sefa.device.bundle()
        offered = place(odile, bundle)
        offer = decode_signal(offered.offer)
        assert isinstance(offer, Offer)
        assert other.one_time is not None
        store = sefa.device.prekeys
        for changed in (
            replace(offer, one_time_pre_key=other.one_time.id),
            replace(offer, one_time_pre_key=None),
            replace(offer, one_time_pre_key=PreKeyId(b"\1" * 8)),
        ):
            refused(
                (R.NOT_AUTHENTIC, R.PRE_KEY_UNKNOWN),
                receive_offer,
                sefa.local,
                store,
                changed.encode(),
                strangers,
                NOW,
            )

    def test_s02_a_certificate_of_another_account(self, odile: Person, sefa: Person) -> None:
        bundle, mallory = sefa.device.bundle(), Person.create()
        pinned = PinnedAccount.first_contact(sefa.device_list, NOW)
        refused(
            R.ACCOUNT_CHANGED,
            place,
            odile,
            replace(bundle, certificate=mallory.local.certificate),
            pinned=pinned,
        )
        refused(R.WRONG_ACCOUNT, place, odile, replace(bundle, certificate=mallory.local.certificate))
        refused(R.WRONG_ACCOUNT, place, odile, replace(bundle, device_list=mallory.device_list))

    def test_s03_a_rolled_back_and_a_forked_list(self, odile: Person, sefa: Person) -> None:
        bundle = sefa.device.bundle()
        newer = PinnedAccount.first_contact(sefa.renew_list(), NOW)
        refused(R.LIST_STALE, place, odile, bundle, pinned=newer)
        forked = PinnedAccount(sefa.account, 1, b"\1" * 32)
        refused(R.LIST_FORKED, place, odile, bundle, pinned=forked)

    @pytest.mark.parametrize("part", ["signed", "one_time"])
    @pytest.mark.parametrize("point", SMALL_ORDER_POINTS, ids=lambda point: point.hex()[:8])
    def test_a_small_order_pre_key_is_a_bad_key(
        self, odile: Person, sefa: Person, part: str, point: bytes
    ) -> None:
        bundle = sefa.device.bundle()
        record = replace(getattr(bundle, part), agreement_key=point)
        signature = sefa.local.keys.sign(PRE_KEY_LABELS[record.kind], record.to_be_signed())
        changed = _with_part(bundle, part, replace(record, signature=signature))
        refused(R.BAD_KEY, place, odile, changed)

    def test_an_impossible_kem_key_is_a_bad_key(self, odile: Person, sefa: Person) -> None:
        bundle = sefa.device.bundle(one_time=False)
        record = replace(bundle.signed, kem_key=b"\xff" * 1184)
        signature = sefa.local.keys.sign(PRE_KEY_LABELS[record.kind], record.to_be_signed())
        refused(R.BAD_KEY, place, odile, replace(bundle, signed=replace(record, signature=signature)))


class TestClocks:
    @pytest.mark.parametrize("error", [-HOUR, HOUR, -2 * 365 * DAY, -301, 301])
    def test_s38_a_callers_wrong_clock(self, odile: Person, sefa: Person, error: int) -> None:
        def call() -> None:
            offered = place(odile, sefa.device.bundle(), now=NOW + error)
            receive_offer(sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)

        assert "check the clock" in str(refused(R.CLOCK, call))

    @pytest.mark.parametrize("error", [-300, -180, 180, 300])
    def test_s38_a_small_clock_error_does_no_harm(self, odile: Person, sefa: Person, error: int) -> None:
        offered = place(odile, sefa.device.bundle(), now=NOW + error)
        incoming = receive_offer(sefa.local, sefa.device.prekeys, offered.offer, strangers, NOW)
        answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
        offered.receive_answer(answer, NOW + error)

    def test_s38_an_expired_pre_key_says_check_the_clock(self, odile: Person, sefa: Person) -> None:
        bundle = sefa.device.bundle()
        place(odile, bundle, now=NOW + HOUR + 300)
        error = refused(R.PRE_KEY_EXPIRED, place, odile, bundle, now=NOW + HOUR + 301)
        assert "check the clock" in str(error)

    def test_s38_two_years_ahead_every_list_is_stale(self, odile: Person, sefa: Person) -> None:
        refused(R.LIST_STALE, place, odile, sefa.device.bundle(), now=NOW + 2 * 365 * DAY)


def lying_local(honest: Person, **changes: Any) -> LocalDevice:
    """Return a caller's own side with fields a LocalDevice would not let differ."""
    local = replace(honest.local)
    for name, value in changes.items():
        object.__setattr__(local, name, value)
    return local


def place_lying(local: LocalDevice, bundle: PreKeyBundle, now: int = NOW) -> OfferedCall:
    return caller.place_offer(
        local, bundle, None, CallId(urandom(16)), b"", NO_FINGERPRINT, CallFlags.NONE, now
    )


class TestCallerIdentity:
    """What the callee finds out about a caller that seals what it likes."""

    def receive(self, sefa: Person, offered: OfferedCall, known: PinnedAccount | None = None) -> IncomingCall:
        store = sefa.device.prekeys
        before = store_state(store)
        try:
            return receive_offer(sefa.local, store, offered.offer, lambda _: known, NOW)
        except HandshakeError:
            assert store_state(store) == before
            raise

    def test_s01_identity_misbinding_another_persons_certificate(self, odile: Person, sefa: Person) -> None:
        mallory = Person.create()
        local = lying_local(mallory, certificate=odile.local.certificate, device_list=odile.device_list)
        offered = place_lying(local, sefa.device.bundle())
        refused(R.NOT_AUTHENTIC, self.receive, sefa, offered)

    def test_s01_unknown_key_share_a_certificate_over_anothers_keys(
        self, odile: Person, sefa: Person
    ) -> None:
        """Mallory certifies Sefa's own keys; Odile rings Mallory, the server passes it on to Sefa."""
        mallory = AccountKey.generate()
        certificate = issue_certificate(mallory, sefa.local.keys.public, DeviceKind.NATIVE, NOW)
        device_list = issue_device_list(mallory, [certificate], NOW, None)
        bundle = replace(sefa.device.bundle(), certificate=certificate, device_list=device_list)
        offered = place(odile, bundle)
        assert offered.peer.account == mallory.public
        refused(R.NOT_AUTHENTIC, self.receive, sefa, offered)

    def test_s01_unknown_key_share_by_a_caller(self, odile: Person, sefa: Person) -> None:
        """Mallory certifies Odile's keys as her own: without Odile's private key nothing opens."""
        mallory = Person.create()
        certificate = issue_certificate(mallory.account_key, odile.local.keys.public, DeviceKind.NATIVE, NOW)
        device_list = issue_device_list(mallory.account_key, [certificate], NOW, None)
        local = lying_local(mallory, certificate=certificate, device_list=device_list)
        refused(R.NOT_AUTHENTIC, self.receive, sefa, place_lying(local, sefa.device.bundle()))

    def test_s05_an_offer_for_another_device_is_not_opened(self, odile: Person) -> None:
        sefa = Person.create(devices=2)
        offered = place(odile, sefa.devices[0].bundle())
        second = sefa.devices[1]
        refused(R.WRONG_DEVICE, receive_offer, second.local, second.prekeys, offered.offer, strangers, NOW)
        offer = decode_signal(offered.offer)
        assert isinstance(offer, Offer)
        readdressed = replace(
            offer,
            callee_device=second.local.device,
            signed_pre_key=second.records[0].id,
            one_time_pre_key=second.records[1].id,
        ).encode()
        refused(R.NOT_AUTHENTIC, receive_offer, second.local, second.prekeys, readdressed, strangers, NOW)

    def test_s09_a_clone_of_the_callees_own_device_cannot_ring_it(
        self, sefa: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as past_our_own_check:
            past_our_own_check.setattr(LocalDevice, "device", property(lambda _: DeviceId(bytes(16))))
            offered = place(sefa, sefa.device.bundle())
        refused(R.WRONG_DEVICE, self.receive, sefa, offered)

    def test_s03_a_revoked_an_unlisted_and_an_expired_caller(self, sefa: Person) -> None:
        odile = Person.create(devices=2)
        gone, kept = odile.devices[0].local, odile.devices[1].local
        revoked = issue_device_list(
            odile.account_key, [kept.certificate], NOW, odile.device_list, [(gone.device, 1)]
        )
        offered = place_lying(lying_local(odile, device_list=revoked), sefa.device.bundle())
        refused(R.DEVICE_NOT_LISTED, self.receive, sefa, offered)
        # and with the list of before the revocation, where the callee has seen the later one:
        offered = place_lying(odile.local, sefa.device.bundle())
        seen = PinnedAccount.first_contact(revoked, NOW)
        refused(R.LIST_STALE, self.receive, sefa, offered, seen)
        self.receive(sefa, offered)

    @pytest.mark.parametrize(
        ("issued", "lifetime", "reason"),
        [(NOW - 2 * HOUR, HOUR, R.CERTIFICATE_EXPIRED), (NOW + HOUR, HOUR, R.CLOCK)],
    )
    def test_s38_a_certificate_outside_its_time(
        self, sefa: Person, issued: int, lifetime: int, reason: HandshakeReason
    ) -> None:
        key, keys = AccountKey.generate(), DeviceKeys.generate()
        certificate = issue_certificate(key, keys.public, DeviceKind.NATIVE, issued, lifetime)
        local = LocalDevice(certificate, issue_device_list(key, [certificate], NOW, None), keys)
        offered = place_lying(local, sefa.device.bundle())
        refused(reason, self.receive, sefa, offered)

    @pytest.mark.parametrize(("issued", "reason"), [(NOW - 8 * DAY, R.LIST_STALE), (NOW + HOUR, R.CLOCK)])
    def test_s38_a_list_outside_its_time(self, sefa: Person, issued: int, reason: HandshakeReason) -> None:
        odile = Person.create(NOW - 8 * DAY)
        device_list = issue_device_list(odile.account_key, [odile.local.certificate], issued, None)
        offered = place_lying(lying_local(odile, device_list=device_list), sefa.device.bundle())
        refused(reason, self.receive, sefa, offered)

    @pytest.mark.parametrize("point", SMALL_ORDER_POINTS, ids=lambda point: point.hex()[:8])
    def test_a_small_order_device_key_is_a_bad_key(self, sefa: Person, point: bytes) -> None:
        odile = Person.create()
        public = replace(odile.local.keys.public, agreement_key=point)
        certificate = issue_certificate(odile.account_key, public, DeviceKind.NATIVE, NOW)
        device_list = issue_device_list(odile.account_key, [certificate], NOW, None)
        local = lying_local(odile, certificate=certificate, device_list=device_list)
        refused(R.BAD_KEY, self.receive, sefa, place_lying(local, sefa.device.bundle()))

    def test_s06_a_caller_that_knows_more_than_it_uses_is_a_downgrade(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sefa, odile = Person.create(versions=0b11), Person.create()
        offered = place(odile, sefa.device.bundle())
        self.receive(sefa, offered)  # a caller that knows version 1 only may use it

        for changes in ({"versions": 0b11}, {"suites": 0b10}):

            def boast(*fields: Any, changes: dict[str, int] = changes) -> OfferPayload:
                return replace(OfferPayload(*fields), **changes)  # type: ignore[arg-type]  # integers both

            monkeypatch.setattr(caller, "OfferPayload", boast)
            refused(R.DOWNGRADE, self.receive, sefa, place(odile, sefa.device.bundle()))

    def test_s06_nothing_in_common_is_a_downgrade(self, odile: Person) -> None:
        later = Person.create(versions=0b10)
        refused(R.DOWNGRADE, place, odile, later.device.bundle())

    def test_s06_two_pre_keys_must_speak_the_same(self, sefa: Person) -> None:
        both = Person.create(versions=0b11)
        bundle = sefa.device.bundle()
        newer = PreKeyStore(sefa.local.keys, versions=0b11).publish(NOW)
        refused(R.DOWNGRADE, place, both, replace(bundle, one_time=newer[1]))

    @pytest.mark.parametrize(
        ("field", "value"), [("fingerprint", b"\1" * 31), ("flags", 2), ("transport", bytes(16_385))]
    )
    def test_s11_an_authentic_payload_that_does_not_decode(
        self, odile: Person, sefa: Person, monkeypatch: pytest.MonkeyPatch, field: str, value: Any
    ) -> None:
        def spoil(*fields: Any) -> OfferPayload:
            return replace(OfferPayload(*fields), **{field: value})

        monkeypatch.setattr(caller, "OfferPayload", spoil)
        refused(R.MALFORMED, self.receive, sefa, place(odile, sefa.device.bundle()))

    def test_an_impossible_kem_key_is_refused_before_it_rings(
        self, odile: Person, sefa: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def spoil(*fields: Any) -> Offer:
            offer = Offer(*fields)
            return replace(offer, kem_key=b"\xff" * 1184)

        monkeypatch.setattr(caller, "Offer", spoil)
        refused(R.BAD_KEY, self.receive, sefa, place(odile, sefa.device.bundle()))


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS, ids=lambda point: point.hex()[:8])
def test_a_small_order_ephemeral_key_is_refused_by_both(odile: Person, sefa: Person, point: bytes) -> None:
    offered = place(odile, sefa.device.bundle())
    offer = decode_signal(offered.offer)
    assert isinstance(offer, Offer)
    store, before = sefa.device.prekeys, store_state(sefa.device.prekeys)
    spoilt = replace(offer, ephemeral_key=point).encode()
    refused(R.BAD_KEY, receive_offer, sefa.local, store, spoilt, strangers, NOW)
    assert store_state(store) == before
    incoming = receive_offer(sefa.local, store, offered.offer, strangers, NOW)
    encoded, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
    answer = decode_signal(encoded)
    assert isinstance(answer, Answer)
    refused(R.BAD_KEY, offered.receive_answer, replace(answer, ephemeral_key=point).encode(), NOW)
    offered.receive_answer(encoded, NOW)


def test_s03_an_answer_with_a_list_that_no_longer_names_the_device(odile: Person) -> None:
    sefa = Person.create(devices=2)
    offered, incoming = ring(odile, sefa)
    gone, kept = sefa.devices[0].local, sefa.devices[1].local
    revoked = issue_device_list(
        sefa.account_key, [kept.certificate], NOW, sefa.device_list, [(gone.device, 1)]
    )
    incoming._local = lying_local(sefa, device_list=revoked)
    answer, _ = incoming.accept(b"", NO_FINGERPRINT, NOW)
    refused(R.DEVICE_NOT_LISTED, offered.receive_answer, answer, NOW)
    assert offered.is_live

"""Certificates, device lists and what one account remembers of another."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.people import NOW, Person, refused

from whisp.core.errors import (
    ForkedDeviceListError,
    HandshakeError,
    SessionEndedError,
    StaleDeviceListError,
)
from whisp.core.errors import HandshakeReason as R
from whisp.core.identity import (
    AccountKey,
    DeviceKeys,
    LocalDevice,
    PinnedAccount,
    issue_certificate,
    issue_device_list,
    renewal_due,
    verify_device,
)
from whisp.wire.certificate import CERTIFICATE_LABEL, Certificate, DeviceKind
from whisp.wire.device_list import DEVICE_LIST_LABEL, DeviceList
from whisp.wire.errors import LocalProtocolError, MalformedError
from whisp.wire.ids import DeviceId

DAY = 86_400
YEAR = 365 * DAY


def resign(key: AccountKey, device_list: DeviceList) -> DeviceList:
    """Sign a list whose fields were changed, as a holder of AK could."""
    return replace(device_list, signature=key.sign(DEVICE_LIST_LABEL, device_list.to_be_signed()))


class TestKeys:
    def test_an_account_key_survives_its_seed(self) -> None:
        key = AccountKey.generate()
        assert AccountKey.from_seed(key.seed()).public == key.public

    @pytest.mark.parametrize("length", [0, 31, 33])
    def test_a_seed_has_32_bytes(self, length: int) -> None:
        with pytest.raises(MalformedError):
            AccountKey.from_seed(bytes(length))

    def test_device_keys_survive_their_export(self) -> None:
        keys = DeviceKeys.generate()
        again = DeviceKeys.restore(keys.export())
        assert again.public == keys.public
        assert again.export() == keys.export()
        assert len(keys.export()) == 81

    @pytest.mark.parametrize(
        "spoil", [lambda e: e[:-1], lambda e: e + b"\0", lambda e: b"\2" + e[1:], lambda _: b""]
    )
    def test_a_damaged_export_is_refused(self, spoil: Callable[[bytes], bytes]) -> None:
        with pytest.raises(MalformedError):
            DeviceKeys.restore(spoil(DeviceKeys.generate().export()))

    def test_neither_shows_nor_pickles_its_secrets(self) -> None:
        account, device = AccountKey.generate(), DeviceKeys.generate()
        for secret in (account, device):
            assert repr(secret) == f"{type(secret).__name__}(<redacted>)"
            with pytest.raises(LocalProtocolError):
                pickle.dumps(secret)

    def test_after_a_wipe_nothing_can_be_done_with_them(self) -> None:
        account, device = AccountKey.generate(), DeviceKeys.generate()
        account.wipe()
        device.wipe()
        uses: tuple[Callable[[], object], ...] = (
            account.seed,
            lambda: account.sign("x", b""),
            device.export,
            lambda: device.agreement,
            lambda: device.sign("x", b""),
        )
        for use in uses:
            with pytest.raises(SessionEndedError):
                use()


class TestIssuing:
    def test_a_certificate_is_valid_from_now_for_a_year(self) -> None:
        certificate = Person.create().local.certificate
        certificate.verify(NOW)
        certificate.verify(NOW + YEAR)
        assert Certificate.decode(certificate.encode()) == certificate
        assert len(certificate.encode()) == 194

    @pytest.mark.parametrize("lifetime", [0, -1, YEAR + 1])
    def test_no_other_lifetime_is_issued(self, lifetime: int) -> None:
        with pytest.raises(LocalProtocolError):
            issue_certificate(
                AccountKey.generate(), DeviceKeys.generate().public, DeviceKind.WEB, NOW, lifetime
            )

    def test_lists_are_chained(self) -> None:
        person = Person.create(devices=2)
        first = person.device_list
        second = person.renew_list(NOW + DAY)
        assert (first.version, first.previous_digest) == (1, bytes(32))
        assert (second.version, second.previous_digest) == (2, first.digest())
        assert (second.issued, second.expires) == (NOW + DAY, NOW + 8 * DAY)
        second.verify(NOW + DAY)

    def test_a_list_is_renewed_when_less_than_three_days_remain(self) -> None:
        device_list = Person.create().device_list
        assert not renewal_due(device_list, NOW + 4 * DAY)
        assert renewal_due(device_list, NOW + 4 * DAY + 1)

    def test_revocation_moves_a_device_and_it_never_returns(self) -> None:
        person = Person.create(devices=2)
        kept, gone = (device.local.certificate for device in person.devices)
        revoked = issue_device_list(person.account_key, [kept], NOW, person.device_list, [(gone.device, 7)])
        assert [entry.device for entry in revoked.active] == [kept.device]
        assert [(entry.device, entry.revoked_at, entry.reason) for entry in revoked.revoked] == [
            (gone.device, NOW, 7)
        ]
        with pytest.raises(LocalProtocolError):
            issue_device_list(person.account_key, [kept, gone], NOW, revoked)

    def test_a_device_cannot_leave_without_a_tombstone(self) -> None:
        person = Person.create(devices=2)
        with pytest.raises(LocalProtocolError):
            issue_device_list(person.account_key, [person.local.certificate], NOW, person.device_list)

    def test_a_tombstone_outlives_every_certificate_of_its_device(self) -> None:
        person = Person.create(devices=2)
        kept, gone = (device.local.certificate for device in person.devices)
        revoked = issue_device_list(person.account_key, [kept], NOW, person.device_list, [(gone.device, 1)])
        at_the_end = issue_device_list(person.account_key, [kept], NOW + YEAR + 300, revoked)
        assert len(at_the_end.revoked) == 1
        assert issue_device_list(person.account_key, [kept], NOW + YEAR + 301, revoked).revoked == ()

    def test_revocation_never_fails_for_want_of_room(self) -> None:
        person = Person.create()
        current = person.device_list
        for number in range(65):
            extra = DeviceKeys.generate()
            certificate = issue_certificate(person.account_key, extra.public, DeviceKind.BOT, NOW)
            both = [person.local.certificate, certificate]
            current = issue_device_list(person.account_key, both, NOW + number, current)
            current = issue_device_list(
                person.account_key, both[:1], NOW + number, current, [(extra.device, 1)]
            )
        assert [entry.revoked_at for entry in current.revoked] == list(range(NOW + 1, NOW + 65))
        DeviceList.decode(current.encode()).verify(NOW + 64)

    def test_certificates_may_come_from_a_generator(self) -> None:
        person = Person.create()
        device_list = issue_device_list(
            person.account_key, (device.local.certificate for device in person.devices), NOW, None
        )
        assert len(device_list.active) == 1

    def test_a_foreign_certificate_list_or_a_seventeenth_device_is_refused(self) -> None:
        person, other = Person.create(), Person.create()
        many = [
            issue_certificate(person.account_key, DeviceKeys.generate().public, DeviceKind.WEB, NOW)
            for _ in range(17)
        ]
        attempts: tuple[Callable[[], object], ...] = (
            lambda: issue_device_list(person.account_key, [other.local.certificate], NOW, None),
            lambda: issue_device_list(person.account_key, many, NOW, None),
            lambda: issue_device_list(person.account_key, [many[0], many[0]], NOW, None),
            lambda: issue_device_list(
                person.account_key,
                [person.local.certificate],
                NOW,
                replace(person.device_list, account=other.account),
            ),
        )
        for attempt in attempts:
            with pytest.raises(LocalProtocolError):
                attempt()

    def test_a_local_device_is_one_device(self) -> None:
        one, other = Person.create(), Person.create()
        with pytest.raises(LocalProtocolError):
            LocalDevice(one.local.certificate, one.device_list, other.local.keys)
        with pytest.raises(LocalProtocolError):
            LocalDevice(one.local.certificate, other.device_list, one.local.keys)
        unlisted = issue_certificate(one.account_key, one.local.keys.public, DeviceKind.WEB, NOW + 1)
        with pytest.raises(LocalProtocolError):
            LocalDevice(unlisted, one.device_list, one.local.keys)
        assert "<redacted>" in repr(one.local)


class TestPinning:
    def test_first_contact_pins_key_version_and_digest(self) -> None:
        device_list = Person.create().device_list
        pinned = PinnedAccount.first_contact(device_list, NOW)
        assert pinned == PinnedAccount(device_list.account, 1, device_list.digest())

    def test_a_later_list_moves_the_pin_and_the_same_list_leaves_it(self) -> None:
        person = Person.create()
        first = PinnedAccount.first_contact(person.device_list, NOW)
        assert first.accept(person.device_list, NOW) is first
        second = first.accept(person.renew_list(), NOW)
        assert second == PinnedAccount(person.account, 2, person.device_list.digest())
        person.renew_list()
        assert first.accept(person.renew_list(), NOW).version == 4, "lists in between may have been missed"

    def test_s03_an_older_list_is_stale(self) -> None:
        person = Person.create()
        old = person.device_list
        pinned = PinnedAccount.first_contact(person.renew_list(), NOW)
        error = refused(R.LIST_STALE, pinned.accept, old, NOW)
        assert isinstance(error, StaleDeviceListError)

    def test_s03_an_expired_list_is_stale(self) -> None:
        person = Person.create()
        PinnedAccount.first_contact(person.device_list, NOW + 7 * DAY + 300)
        refused(R.LIST_STALE, PinnedAccount.first_contact, person.device_list, NOW + 7 * DAY + 301)

    def test_s02_two_lists_of_one_version_are_a_fork(self) -> None:
        person = Person.create()
        pinned = PinnedAccount.first_contact(person.device_list, NOW)
        other = resign(person.account_key, replace(person.device_list, expires=NOW + DAY))
        error = refused(R.LIST_FORKED, pinned.accept, other, NOW)
        assert isinstance(error, ForkedDeviceListError)
        assert (error.known_version, error.known_digest) == (1, pinned.digest)
        assert error.presented == other

    def test_s02_a_next_list_that_follows_another_is_a_fork_even_when_expired(self) -> None:
        person = Person.create()
        pinned = PinnedAccount.first_contact(person.device_list, NOW)
        following = resign(person.account_key, replace(person.renew_list(), previous_digest=b"\1" * 32))
        refused(R.LIST_FORKED, pinned.accept, following, NOW)
        refused(R.LIST_FORKED, pinned.accept, following, NOW + 30 * DAY)

    def test_s02_an_unsigned_or_foreign_list_is_refused(self) -> None:
        person, other = Person.create(), Person.create()
        pinned = PinnedAccount.first_contact(person.device_list, NOW)
        refused(R.WRONG_ACCOUNT, pinned.accept, other.device_list, NOW)
        for forged in (
            replace(other.device_list, account=person.account),
            resign(other.account_key, person.device_list),
            replace(person.device_list, signature=bytes(64)),
        ):
            refused(R.LIST_FORGED, pinned.accept, forged, NOW)

    def test_a_list_that_claims_more_than_seven_days_is_refused(self) -> None:
        person = Person.create()
        for expires in (NOW, NOW + 7 * DAY + 1):
            long = resign(person.account_key, replace(person.device_list, expires=expires))
            with pytest.raises(HandshakeError, match="validity period"):
                PinnedAccount.first_contact(long, NOW)

    def test_s38_a_list_of_the_future_says_check_the_clock(self) -> None:
        device_list = Person.create().device_list
        PinnedAccount.first_contact(device_list, NOW - 300)
        error = refused(R.CLOCK, PinnedAccount.first_contact, device_list, NOW - 3600)
        assert "check the clock" in str(error)


class TestVerifyDevice:
    def test_a_listed_device_with_its_certificate_is_accepted(self) -> None:
        person = Person.create(devices=3)
        for device in person.devices:
            pinned = verify_device(device.local.certificate, person.device_list, None, NOW)
            assert pinned.version == 1

    def test_s04_another_account_key_than_the_pinned_is_refused(self) -> None:
        person, other = Person.create(), Person.create()
        pinned = PinnedAccount.first_contact(person.device_list, NOW)
        refused(
            R.WRONG_ACCOUNT,
            verify_device,
            other.local.certificate,
            other.device_list,
            pinned,
            NOW,
        )

    def test_s02_a_certificate_moved_from_another_account_is_refused(self) -> None:
        person, other = Person.create(), Person.create()
        refused(
            R.WRONG_ACCOUNT,
            verify_device,
            other.local.certificate,
            person.device_list,
            None,
            NOW,
        )

    def test_s02_a_ghost_device_is_refused(self) -> None:
        person, ghost = Person.create(), DeviceKeys.generate()
        certified = issue_certificate(person.account_key, ghost.public, DeviceKind.WEB, NOW)
        refused(R.DEVICE_NOT_LISTED, verify_device, certified, person.device_list, None, NOW)

    def test_s03_a_revoked_device_is_refused(self) -> None:
        person = Person.create(devices=2)
        kept, gone = (device.local.certificate for device in person.devices)
        revoked = issue_device_list(person.account_key, [kept], NOW, person.device_list, [(gone.device, 1)])
        refused(R.DEVICE_NOT_LISTED, verify_device, gone, revoked, None, NOW)

    def test_another_certificate_of_a_listed_device_is_refused(self) -> None:
        person = Person.create()
        newer = issue_certificate(person.account_key, person.local.keys.public, DeviceKind.NATIVE, NOW + 1)
        refused(R.CERTIFICATE_MISMATCH, verify_device, newer, person.device_list, None, NOW)

    @pytest.mark.parametrize(
        ("changes", "at", "reason"),
        [
            ({}, NOW + 10 * DAY + 301, R.CERTIFICATE_EXPIRED),
            ({"created": NOW + 20 * DAY, "expires": NOW + 21 * DAY}, NOW, R.CLOCK),
            ({"expires": NOW + YEAR + 1}, NOW, R.CERTIFICATE_FORGED),
            ({"expires": NOW}, NOW, R.CERTIFICATE_FORGED),
        ],
    )
    def test_a_listed_certificate_outside_its_time_is_refused(
        self, changes: dict[str, Any], at: int, reason: R
    ) -> None:
        key, keys = AccountKey.generate(), DeviceKeys.generate()
        certificate = replace(
            issue_certificate(key, keys.public, DeviceKind.NATIVE, NOW, 10 * DAY), **changes
        )
        certificate = replace(certificate, signature=key.sign(CERTIFICATE_LABEL, certificate.to_be_signed()))
        device_list = issue_device_list(key, [certificate], at, None)
        refused(reason, verify_device, certificate, device_list, None, at)

    def test_a_listed_certificate_with_a_bad_signature_is_refused(self) -> None:
        key, keys = AccountKey.generate(), DeviceKeys.generate()
        certificate = replace(
            issue_certificate(key, keys.public, DeviceKind.NATIVE, NOW), signature=bytes(64)
        )
        device_list = issue_device_list(key, [certificate], NOW, None)
        refused(R.CERTIFICATE_FORGED, verify_device, certificate, device_list, None, NOW)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["renew", "add", "revoke", "skip", "replay"]), max_size=12))
def test_s03_a_pin_only_ever_moves_forward(steps: list[str]) -> None:
    key = AccountKey.generate()
    certificates = [issue_certificate(key, DeviceKeys.generate().public, DeviceKind.NATIVE, NOW)]
    history = [issue_device_list(key, certificates, NOW, None)]
    pinned = PinnedAccount.first_contact(history[0], NOW)
    for step in steps:
        if step == "replay":
            for old in history[: pinned.version - 1]:
                with pytest.raises(StaleDeviceListError):
                    pinned.accept(old, NOW)
            continue
        revoke: list[tuple[DeviceId, int]] = []
        if step == "add" and len(certificates) < 16:
            certificates.append(issue_certificate(key, DeviceKeys.generate().public, DeviceKind.WEB, NOW))
        if step == "revoke" and len(certificates) > 1:
            revoke = [(certificates.pop().device, 1)]
        history.append(issue_device_list(key, certificates, NOW, history[-1], revoke))
        if step != "skip":
            before, pinned = pinned, pinned.accept(history[-1], NOW)
            assert pinned.version > before.version

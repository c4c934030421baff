"""Pre-key stores: what is advertised, when private halves die, and the replay cache that dies with them."""

import pickle
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from tests.core.people import NOW

from whisp.core import prekeys
from whisp.core.errors import HandshakeError, HandshakeReason, SessionEndedError
from whisp.core.identity import DeviceKeys
from whisp.core.prekeys import PreKeyPair, PreKeyStore
from whisp.wire.errors import LocalProtocolError
from whisp.wire.ids import CallId, PreKeyId
from whisp.wire.prekey import PreKeyKind, PreKeyRecord

HOUR = 3600


@pytest.fixture
def keys() -> DeviceKeys:
    return DeviceKeys.generate()


@pytest.fixture
def store(keys: DeviceKeys) -> PreKeyStore:
    return PreKeyStore(keys)


def reason_of(check: Callable[[], object]) -> HandshakeReason:
    with pytest.raises(HandshakeError) as caught:
        check()
    return caught.value.reason


def commit(store: PreKeyStore, records: tuple[PreKeyRecord, ...], number: int = 1) -> None:
    store.commit_offer(
        records[0].id, records[number].id, bytes((number,)) * 32, CallId(bytes((number,)) * 16)
    )


def test_a_publication_is_one_signed_record_and_twenty_one_time_records(
    store: PreKeyStore, keys: DeviceKeys
) -> None:
    records = store.publish(NOW)
    assert [record.kind for record in records] == [PreKeyKind.SIGNED] + [PreKeyKind.ONE_TIME] * 20
    assert len({record.id for record in records}) == 21
    for record in records:
        record.verify(keys.public.signing_key, NOW)
        assert len(record.encode()) == 1326
        assert PreKeyRecord.decode(record.encode()) == record
        assert (record.device, record.expires - record.created) == (keys.device, HOUR)


def test_private_halves_fit_their_records(store: PreKeyStore) -> None:
    signed, once, *_ = store.publish(NOW)
    for pair in (store.signed(signed.id, NOW), store.one_time(once.id, NOW)):
        agreement, kem = pair.live()
        assert agreement.public_key().public_bytes_raw() == pair.record.agreement_key
        shared, ciphertext = MLKEM768PublicKey.from_public_bytes(pair.record.kem_key).encapsulate()
        assert kem.decapsulate(ciphertext) == shared


def test_one_time_records_are_never_advertised_twice(store: PreKeyStore) -> None:
    first, second = store.publish(NOW), store.publish(NOW + 1)
    assert second[0] == first[0]
    assert not {record.id for record in first[1:]} & {record.id for record in second[1:]}
    store.one_time(first[1].id, NOW + 1)


def test_a_signed_record_is_renewed_at_thirty_minutes(store: PreKeyStore) -> None:
    assert store.is_renewal_due(NOW)
    first = store.publish(NOW)[0]
    assert not store.is_renewal_due(NOW + 1799)
    assert store.publish(NOW + 1799)[0] == first
    assert store.is_renewal_due(NOW + 1800)
    assert store.publish(NOW + 1800)[0].id != first.id
    store.signed(first.id, NOW + 1800)


def test_s38_a_clock_that_jumps_back_renews_and_revives_nothing(store: PreKeyStore) -> None:
    records = store.publish(NOW)
    later = store.publish(NOW + 2 * HOUR)
    assert reason_of(lambda: store.signed(records[0].id, NOW)) is HandshakeReason.PRE_KEY_UNKNOWN
    assert reason_of(lambda: store.one_time(records[1].id, NOW)) is HandshakeReason.PRE_KEY_UNKNOWN
    assert store.is_renewal_due(NOW)
    assert store.publish(NOW)[0].id != later[0].id


def test_a_signed_half_dies_two_minutes_after_its_expiry(store: PreKeyStore) -> None:
    record = store.publish(NOW)[0]
    pair = store.signed(record.id, NOW + HOUR + 120)
    assert reason_of(lambda: store.signed(record.id, NOW + HOUR + 121)) is HandshakeReason.PRE_KEY_UNKNOWN
    with pytest.raises(SessionEndedError):
        pair.live()


def test_a_one_time_half_dies_at_its_expiry(store: PreKeyStore) -> None:
    record = store.publish(NOW)[1]
    pair = store.one_time(record.id, NOW + HOUR)
    assert reason_of(lambda: store.one_time(record.id, NOW + HOUR + 1)) is HandshakeReason.PRE_KEY_UNKNOWN
    with pytest.raises(SessionEndedError):
        pair.live()


def test_s05_a_one_time_half_dies_at_its_use(store: PreKeyStore) -> None:
    records = store.publish(NOW)
    pair = store.one_time(records[1].id, NOW)
    commit(store, records)
    with pytest.raises(SessionEndedError):
        pair.live()
    assert reason_of(lambda: store.one_time(records[1].id, NOW)) is HandshakeReason.PRE_KEY_USED
    assert (
        reason_of(lambda: store.one_time(records[1].id, NOW + HOUR + 121)) is HandshakeReason.PRE_KEY_UNKNOWN
    )


def test_s05_an_offer_is_remembered_as_long_as_its_signed_half_lives(store: PreKeyStore) -> None:
    records = store.publish(NOW)
    store.require_new_offer(b"\1" * 32, CallId(b"\1" * 16))
    commit(store, records)
    for digest, call in ((1, 2), (2, 1), (1, 1)):
        check = lambda d=digest, c=call: store.require_new_offer(bytes((d,)) * 32, CallId(bytes((c,)) * 16))  # noqa: E731
        assert reason_of(check) is HandshakeReason.REPLAYED
    store.require_new_offer(b"\2" * 32, CallId(b"\2" * 16))
    store.expire(NOW + HOUR + 120)
    assert (
        reason_of(lambda: store.require_new_offer(b"\1" * 32, CallId(b"\2" * 16))) is HandshakeReason.REPLAYED
    )
    store.expire(NOW + HOUR + 121)
    store.require_new_offer(b"\1" * 32, CallId(b"\1" * 16))


def test_unknown_ids_are_unknown_and_kinds_do_not_mix(store: PreKeyStore) -> None:
    signed, once, *_ = store.publish(NOW)
    for check in (
        lambda: store.signed(PreKeyId(bytes(8)), NOW),
        lambda: store.one_time(PreKeyId(bytes(8)), NOW),
        lambda: store.signed(once.id, NOW),
        lambda: store.one_time(signed.id, NOW),
    ):
        assert reason_of(check) is HandshakeReason.PRE_KEY_UNKNOWN


def test_s39_a_full_replay_cache_retires_its_record(
    store: PreKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prekeys, "MAX_REMEMBERED_OFFERS", 2)
    records = store.publish(NOW)
    commit(store, records, 1)
    assert not store.is_renewal_due(NOW)
    commit(store, records, 2)
    assert reason_of(lambda: store.signed(records[0].id, NOW)) is HandshakeReason.PRE_KEY_UNKNOWN
    assert store.publish(NOW)[0].id != records[0].id


def test_s39_one_time_halves_are_bounded_and_the_oldest_go(store: PreKeyStore) -> None:
    first = store.publish(NOW)
    oldest = store.one_time(first[1].id, NOW)
    for _ in range(10):
        newest = store.publish(NOW)
    with pytest.raises(SessionEndedError):
        oldest.live()
    store.one_time(newest[-1].id, NOW).live()
    assert repr(store) == "PreKeyStore(signed=1, one_time=200)"


def test_a_wipe_forgets_everything(store: PreKeyStore) -> None:
    records = store.publish(NOW)
    pairs = [store.signed(records[0].id, NOW), *(store.one_time(record.id, NOW) for record in records[1:])]
    store.wipe()
    for pair in pairs:
        with pytest.raises(SessionEndedError):
            pair.live()
    assert repr(store) == "PreKeyStore(signed=0, one_time=0)"
    assert store.publish(NOW)[0].id != records[0].id


def test_nothing_of_it_is_shown_or_stored(store: PreKeyStore, keys: DeviceKeys) -> None:
    pair = PreKeyPair.generate(keys, PreKeyKind.SIGNED, NOW)
    assert repr(pair) == "PreKeyPair(<redacted>)"
    for secret in (pair, store):
        with pytest.raises(LocalProtocolError):
            pickle.dumps(secret)

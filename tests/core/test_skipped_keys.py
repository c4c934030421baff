"""The store of overtaken messages' keys: bounded by count, by age and by chain."""

from whisp.core.skipped_keys import MAX_SKIPPED_KEYS, SKIPPED_KEY_SECONDS, MessageKey, SkippedKeys


def key(n: int) -> MessageKey:
    return MessageKey(n.to_bytes(32, "big"))


def test_a_key_is_found_by_chain_and_number_until_it_is_taken() -> None:
    store: SkippedKeys[int] = SkippedKeys()
    store.keep(7, 3, (key(3), key(4)), now=0)
    assert store.find(7, 4, now=1) == key(4)
    assert store.find(7, 5, now=1) is None
    assert store.find(8, 4, now=1) is None
    store.take(7, 4)
    assert store.find(7, 4, now=1) is None
    assert store.find(7, 3, now=1) == key(3)


def test_a_key_serves_for_120_seconds_and_is_then_dropped() -> None:
    store: SkippedKeys[int] = SkippedKeys()
    store.keep(0, 0, (key(0),), now=10)
    store.keep(0, 1, (key(1),), now=11)
    assert store.next_expiry() == 10 + SKIPPED_KEY_SECONDS == 130
    assert store.find(0, 0, now=129.9) == key(0)
    assert store.find(0, 0, now=130) is None
    store.expire(now=130)
    assert len(store) == 1
    assert store.next_expiry() == 131
    store.expire(now=131)
    assert len(store) == 0
    assert store.next_expiry() is None


def test_beyond_1024_the_oldest_go() -> None:
    store: SkippedKeys[int] = SkippedKeys()
    for chain in range(5):
        store.keep(chain, 0, tuple(key(n) for n in range(256)), now=chain)
    assert len(store) == MAX_SKIPPED_KEYS == 1024
    assert store.find(0, 255, now=5) is None
    assert store.find(1, 0, now=5) == key(0)


def test_a_chain_is_dropped_without_its_neighbours() -> None:
    store: SkippedKeys[int] = SkippedKeys()
    store.keep(1, 0, (key(0),), now=0)
    store.keep(2, 0, (key(1),), now=0)
    store.drop_chain(1)
    assert store.find(1, 0, now=0) is None
    assert store.find(2, 0, now=0) == key(1)
    store.wipe()
    assert len(store) == 0

"""Rates: exactly as many as allowed, a time to come back that is true, and bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisp.server.errors import TooManyRequestsError
from whisp.server.gate import limits
from whisp.server.gate.limits import Buckets, RateLimits
from whisp.server.rates import SITE_FACTOR, Allowance, Rate


@given(st.integers(1, 20), st.sampled_from([0.1, 0.5, 1.0, 7.0]), st.lists(st.floats(0, 5), max_size=40))
def test_no_window_holds_more_than_burst_and_rate_allow(
    burst: int, per_second: float, pauses: list[float]
) -> None:
    buckets, now, taken = Buckets(Rate("r", burst, per_second)), 0.0, []
    for pause in pauses:
        now += pause
        waiting = buckets.take("key", now)
        if waiting:
            assert buckets.take("key", now + waiting * 0.99) > 0
            now += waiting * 1.000001
            assert buckets.take("key", now) == 0
        taken.append(now)
    for start in range(len(taken)):
        for end in range(start, len(taken)):
            allowed = burst + (taken[end] - taken[start]) * per_second
            assert end - start + 1 <= allowed + 1e-6


def test_keys_do_not_share() -> None:
    buckets = Buckets(Rate("r", 1, 1))
    assert [buckets.take(key, 0) for key in "abab"] == [0, 0, 1, 1]


def test_buckets_are_bounded_and_the_longest_unused_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 3)
    buckets = Buckets(Rate("r", 1, 0.001))
    for key in "abca":
        buckets.take(key, 0)
    buckets.take("d", 0)
    assert len(buckets) == 3
    assert buckets.take("a", 0) > 0  # used last but one, kept
    assert buckets.take("b", 0) == 0  # pushed out


def test_a_bucket_goes_when_it_is_full_again_and_not_before() -> None:
    buckets = Buckets(Rate("r", 4, 0.5))
    for key in "aab":
        buckets.take(key, 0)
    for now, held in ((1.9, 2), (2.0, 1), (3.9, 1), (4.0, 0)):
        buckets.sweep(now)
        assert len(buckets) == held, now


@given(st.lists(st.floats(0, 5), max_size=30))
def test_a_sweep_changes_no_answer(pauses: list[float]) -> None:
    swept, other, now = Buckets(Rate("r", 3, 0.5)), Buckets(Rate("r", 3, 0.5)), 0.0
    for pause in pauses:
        now += pause
        swept.sweep(now)
        assert swept.take("key", now) == other.take("key", now)


class Desk:
    """Limits with a clock that stands."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limits = RateLimits(1.0, lambda: self.now)
        self.allowance = Allowance(Rate("d", 2, 1), Rate("a", 3, 1))

    def passed(self, *addresses: str) -> int:
        """Say how many of these get through."""
        count = 0
        for address in addresses:
            try:
                self.limits.charge_address(self.allowance, address)
            except TooManyRequestsError:
                continue
            count += 1
        return count


def test_an_ipv6_network_counts_as_one() -> None:
    assert Desk().passed(*(f"2001:db8::{host:x}" for host in range(50))) == 3


def test_a_wider_network_has_a_limit_of_its_own() -> None:
    addresses = [f"2001:db8:0:{net:x}::1" for net in range(100)]
    assert Desk().passed(*addresses) == 3 * SITE_FACTOR


def test_what_the_wider_network_refuses_is_not_charged_to_the_narrow_one() -> None:
    desk = Desk()
    desk.passed(*(f"2001:db8:0:{net:x}::1" for net in range(100)))
    desk.now = 1.0  # the wider one has eight turns again
    assert desk.passed(*["2001:db8:0:63::1"] * 9) == 3


def test_ipv4_in_ipv6_is_ipv4() -> None:
    assert Desk().passed("203.0.113.5", "::ffff:203.0.113.5", "::ffff:cb00:7105", "203.0.113.5") == 3


def test_a_device_has_its_own_limit_and_some_things_have_none() -> None:
    desk = Desk()
    for _ in range(2):
        desk.limits.charge_device(desk.allowance, b"odile")
    with pytest.raises(TooManyRequestsError) as caught:
        desk.limits.charge_device(desk.allowance, b"odile")
    assert caught.value.retry_after == 1
    desk.limits.charge_device(desk.allowance, b"sefa")
    free = Allowance(None, Rate("a", 1, 1))
    for _ in range(5):
        desk.limits.charge_device(free, b"odile")


def test_the_factor_makes_all_more_generous() -> None:
    generous = RateLimits(10.0, lambda: 0.0)
    allowance = Allowance(Rate("d", 2, 1), Rate("a", 3, 1))
    for _ in range(20):
        generous.charge_device(allowance, b"odile")
    with pytest.raises(TooManyRequestsError):
        generous.charge_device(allowance, b"odile")


async def test_s18_an_address_is_forgotten_with_its_last_spent_turn() -> None:
    desk = Desk()
    desk.passed("203.0.113.5", "2001:db8::1")
    desk.limits.charge_device(desk.allowance, b"odile")
    await desk.limits.sweep()
    assert len(desk.limits) == 4  # an address, a network and the wider one it is in, a device
    desk.now = 1.0
    await desk.limits.sweep()
    assert len(desk.limits) == 0

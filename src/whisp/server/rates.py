"""How often one device, and one address, may ask for what: burst and steady rate, each with its reason.

An address stands for a household, an office or a campus, so its rates are several times a device's. The wider
IPv6 network gets `SITE_FACTOR` times an address's. All are multiplied by the setting `rate_factor`.
"""

from dataclasses import dataclass
from typing import Final

__all__ = [
    "BUNDLES",
    "CHALLENGES",
    "LOOK_UPS",
    "NAME_CHECKS",
    "OWN_AFFAIRS",
    "REGISTRATIONS",
    "RINGS",
    "SITE_FACTOR",
    "TURN",
    "Allowance",
    "Rate",
]


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `burst` at once, then `per_second`. `name` keeps the buckets of two rates apart."""

    name: str
    burst: int
    per_second: float

    def scaled(self, factor: float) -> "Rate":
        """Return the rate, `factor` times as generous."""
        return Rate(self.name, max(1, round(self.burst * factor)), self.per_second * factor)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one device and one address may do of one thing; None where that side does not count."""

    per_device: Rate | None
    per_address: Rate


SITE_FACTOR: Final = 8
"""A /48 is a company or a hoster: more people than an address, far fewer than its 65,536 networks."""

LOOK_UPS: Final = Allowance(Rate("look-up/device", 120, 2), Rate("look-up/address", 1200, 20))
"""A contact list of a hundred names at once, then one every half second: to try all words of a dictionary
takes a device days, and never tells a name that is offline from one that is not there."""

BUNDLES: Final = Allowance(Rate("bundle/device", 30, 0.5), Rate("bundle/address", 300, 5))
"""Each answer uses up a one-time pre-key of somebody else; a call needs one."""

RINGS: Final = Allowance(Rate("ring/device", 20, 0.5), Rate("ring/address", 200, 5))
"""Each makes somebody's phone ring; a person dials every few seconds at most."""

CHALLENGES: Final = Allowance(None, Rate("challenge/address", 120, 4))
"""Challenges and log-ins. Not per device: its id is no secret, and others could use up its turns."""

REGISTRATIONS: Final = Allowance(None, Rate("registration/address", 60, 1 / 30))
"""A class of pupils on one day, or 2,880 accounts a day: no address runs the names dry."""

NAME_CHECKS: Final = Allowance(None, Rate("name/address", 60, 1))
"""Somebody typing a name; the one question whose answer tells a taken name from a free one."""

TURN: Final = Allowance(Rate("turn/device", 20, 0.5), Rate("turn/address", 200, 5))
"""Once for each call, and once for each attempt at a better line, of which the quickest come 30 s apart."""

OWN_AFFAIRS: Final = Allowance(Rate("own/device", 60, 1), Rate("own/address", 600, 10))
"""Renewals, log-outs, lists: a few an hour in normal use."""

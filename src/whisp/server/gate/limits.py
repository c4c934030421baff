"""Token buckets that hold a bounded number of keys: who asks too often is told when to come back.

A bucket that is full again says nothing that its absence would not, so `sweep` drops it: an address is kept
while turns of it are spent, and no longer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from whisp.server.errors import TooManyRequestsError
from whisp.server.gate.addresses import networks_of
from whisp.server.rates import SITE_FACTOR, Allowance, Rate

__all__ = ["Buckets", "RateLimits"]

MAX_BUCKETS: Final = 65_536
"""Keys of one rate. A bucket that falls out was not used for the longest time, so it was full or nearly so;
to push one out on purpose takes as many addresses as buckets. About 10 MB when full."""


class Buckets:
    """The buckets of one rate, one for each key."""

    def __init__(self, rate: Rate) -> None:
        self._burst = float(rate.burst)
        self._per_second = rate.per_second
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, now: float) -> float:
        """Take one turn at `now` (monotonic seconds); return 0, or the seconds until there is one again.

        What is refused costs nothing: whoever waits as long as told gets a turn.
        """
        left, since = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        waiting = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[key] = (left if waiting else left - 1, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return waiting

    def sweep(self, now: float) -> None:
        """Drop every bucket that is full at `now`."""
        burst, per_second = self._burst, self._per_second
        full = [
            key for key, (left, since) in self._buckets.items() if left + (now - since) * per_second >= burst
        ]
        for key in full:
            del self._buckets[key]

    def give_back(self, key: Hashable) -> None:
        """Undo a `take` whose request was refused by another bucket."""
        held = self._buckets.get(key)
        if held is not None:
            self._buckets[key] = (min(self._burst, held[0] + 1), held[1])


class RateLimits:
    """All rates of the server, by device and by address. `clock` is monotonic."""

    def __init__(self, factor: float, clock: Callable[[], float]) -> None:
        self._factor = factor
        self._clock = clock
        self._buckets: dict[str, Buckets] = {}
        self._networks: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses and devices are known here, counted once for each rate."""
        return len(self._networks) + sum(map(len, self._buckets.values()))

    async def sweep(self) -> None:
        """Forget whoever has all turns again. Others get the loop after each rate: 20 ms for a full one."""
        self._networks.clear()  # it only saves parsing
        for buckets in tuple(self._buckets.values()):
            buckets.sweep(self._clock())
            await asyncio.sleep(0)

    def charge_address(self, allowance: Allowance, address: str) -> None:
        """Take a turn of an address, and of the wider network an IPv6 address is in.

        Raises:
            TooManyRequestsError: there is none left.
        """
        now = self._clock()
        rate = allowance.per_address
        networks = self._networks_of(address)
        waiting = self._of(rate, 1).take(networks[0], now)
        if not waiting and len(networks) > 1:
            waiting = self._of(rate, SITE_FACTOR).take(networks[1], now)
            if waiting:
                self._of(rate, 1).give_back(networks[0])
        if waiting:
            raise TooManyRequestsError(waiting)

    def charge_device(self, allowance: Allowance, device: bytes) -> None:
        """Take a turn of a device. Raises TooManyRequestsError when there is none left."""
        if allowance.per_device is None:
            return
        waiting = self._of(allowance.per_device, 1).take(device, self._clock())
        if waiting:
            raise TooManyRequestsError(waiting)

    def _of(self, rate: Rate, width: int) -> Buckets:
        name = rate.name if width == 1 else f"{rate.name}/site"
        buckets = self._buckets.get(name)
        if buckets is None:
            buckets = self._buckets[name] = Buckets(rate.scaled(self._factor * width))
        return buckets

    def _networks_of(self, address: str) -> tuple[str, ...]:
        networks = self._networks.get(address)
        if networks is None:
            networks = self._networks[address] = networks_of(address)
            if len(self._networks) > MAX_BUCKETS:
                self._networks.popitem(last=False)
        return networks

"""Log-in challenges: asking costs the server nothing, and each is good for one right answer.

The key is made at the start and never stored, so that a restart, which forgets what was answered, also ends
every open challenge (spec/signalling.md, Challenge).
"""

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from typing import Final

from whisp.server.errors import UnauthorizedError, UnavailableError
from whisp.wire.encoding import Reader, tag, u64
from whisp.wire.errors import MalformedError
from whisp.wire.ids import DeviceId

__all__ = ["CHALLENGE_SECONDS", "Challenges"]

CHALLENGE_SECONDS: Final = 60
"""A round trip and one signature, on the slowest link and device."""

MAX_ANSWERED: Final = 131_072
"""Right answers remembered until their challenge expires: two thousand log-ins a second, 20 MB."""

_RANDOM_BYTES: Final = 16
_MAC_BYTES: Final = 32


class Challenges:
    """Issues challenges and takes their answers. `clock` must never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._answered: set[bytes] = set()
        self._expiries: deque[tuple[int, bytes]] = deque()

    def issue(self, device: DeviceId) -> tuple[bytes, int]:
        """Return a challenge for `device`, and when it expires (Unix seconds)."""
        random, expires = secrets.token_bytes(_RANDOM_BYTES), int(self._clock()) + CHALLENGE_SECONDS
        return random + u64(expires) + self._mac(device, random, expires), expires

    def check(self, device: DeviceId, challenge: bytes) -> None:
        """Raise UnauthorizedError unless this server issued `challenge` to `device` and it still counts."""
        reader = Reader(challenge)
        try:
            random, expires, mac = reader.take(_RANDOM_BYTES), reader.u64(), reader.take(_MAC_BYTES)
            reader.finish()
        except MalformedError:
            raise UnauthorizedError from None
        is_ours = hmac.compare_digest(mac, self._mac(device, random, expires))
        if not is_ours or self._clock() >= expires or random in self._answered:
            raise UnauthorizedError

    def spend(self, device: DeviceId, challenge: bytes) -> None:
        """Take a right answer: the challenge is good no more.

        Raises:
            UnauthorizedError: as `check` does; of two right answers the second comes too late.
            UnavailableError: more are answered than can be remembered.
        """
        self.check(device, challenge)
        now = self._clock()
        while self._expiries and self._expiries[0][0] <= now:
            self._answered.discard(self._expiries.popleft()[1])
        if len(self._answered) >= MAX_ANSWERED:
            raise UnavailableError("Too many log-ins at once.")
        random = challenge[:_RANDOM_BYTES]
        self._answered.add(random)
        # Not its own expiry: entries stay in order, and at most a minute longer than they must.
        self._expiries.append((int(now) + CHALLENGE_SECONDS + 1, random))

    def _mac(self, device: DeviceId, random: bytes, expires: int) -> bytes:
        return hmac.digest(self._key, tag("challenge") + device + random + u64(expires), "sha256")

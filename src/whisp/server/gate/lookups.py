"""Finding people: discover, bundles and requestSession, without FastAPI or the database in the way.

All three consult only the volatile presence table, through the same steps for every name, and whatever keeps
a name from being found, the answer is the same bytes (spec/signalling.md, Look-ups).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import msgspec

from whisp.server.accounts.records import Principal
from whisp.server.errors import ForbiddenError
from whisp.server.gate.answers import Answer, json_answer
from whisp.server.gate.gate import FastPath
from whisp.server.operations import Operation
from whisp.server.presence import Presence
from whisp.server.rates import BUNDLES, LOOK_UPS, RINGS
from whisp.server.requests import decode_body
from whisp.wire import api
from whisp.wire.codes import ErrorCode

__all__ = ["BUNDLE", "DISCOVER", "MAX_RING_BYTES", "REQUEST_SESSION", "LookUps", "Switchboard"]

MAX_RING_BYTES: Final = 768 * 1024
"""Sixteen OFFERs of 32 KiB in base64, and the JSON around them."""

DISCOVER: Final = Operation(
    "POST",
    "/v1/discover",
    "Is this exact username online?",
    api.DiscoverOutcome,
    api.DiscoverRequest,
    needs_token=True,
    allowance=LOOK_UPS,
)
BUNDLE: Final = Operation(
    "POST",
    "/v1/bundles",
    "Keys to ring the online devices of a username.",
    api.PreKeyBundles,
    api.PreKeyBundlesRequest,
    needs_token=True,
    allowance=BUNDLES,
)
REQUEST_SESSION: Final = Operation(
    "POST",
    "/v1/requestSession",
    "Ring a username.",
    api.SessionOutcome,
    api.SessionRequest,
    needs_token=True,
    allowance=RINGS,
    errors=(ErrorCode.FORBIDDEN,),
    max_body_bytes=MAX_RING_BYTES,
)

_discover: Final = msgspec.json.Decoder(api.DiscoverRequest)
_bundles: Final = msgspec.json.Decoder(api.PreKeyBundlesRequest)
_session: Final = msgspec.json.Decoder(api.SessionRequest)


def _ready(value: msgspec.Struct) -> Answer:
    return json_answer(200, msgspec.json.encode(value))


_ONLINE: Final = _ready(api.DiscoverOutcome("ok", True))
_NOT_FOUND: Final = _ready(api.DiscoverOutcome("not_found"))
_DELIVERED: Final = _ready(api.SessionOutcome("delivered"))


class Switchboard(Protocol):
    """Delivers OFFERs to sockets."""

    async def ring(self, caller: Principal, name: str, offers: Iterable[bytes]) -> bool:
        """Say whether any OFFER was queued. Raises MalformedError, whatever the name."""


class LookUps:
    """Answers the three. `wall_clock` judges the time of pre-keys."""

    def __init__(
        self, presence: Presence, switchboard: Switchboard, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._presence = presence
        self._switchboard = switchboard
        self._wall_clock = wall_clock

    @property
    def fast_paths(self) -> Mapping[Operation, FastPath]:
        """What the gate is to call for which operation."""
        return {
            DISCOVER: self.discover,
            BUNDLE: self.bundles,
            REQUEST_SESSION: self.request_session,
        }

    async def discover(self, caller: Principal, body: bytes) -> Answer:
        """Say whether a name is online."""
        request = decode_body(_discover, body)
        is_online = await self._presence.is_online(request.username, self._wall_clock())
        return _ONLINE if is_online else _NOT_FOUND

    async def bundles(self, caller: Principal, body: bytes) -> Answer:
        """Hand out pre-key bundles of a name's online devices."""
        request = decode_body(_bundles, body)
        bundles = await self._presence.bundles(request.username, self._wall_clock())
        return _ready(api.PreKeyBundles("ok", list(bundles))) if bundles else _NOT_FOUND

    async def request_session(self, caller: Principal, body: bytes) -> Answer:
        """Ring a name. Raises ForbiddenError unless the request comes from the token's own device."""
        request = decode_body(_session, body)
        if request.from_device_id != caller.device:
            raise ForbiddenError
        is_delivered = await self._switchboard.ring(caller, request.to_username, request.offer)
        return _DELIVERED if is_delivered else _NOT_FOUND

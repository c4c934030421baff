"""Short-lived TURN credentials for one device in one accepted call (spec/signalling.md, TURN).

coturn shares a secret with this server and believes whoever shows a username with its HMAC. The username is
an expiry and an id that is drawn from call and device under a key nobody else has: it names nobody, and
coturn's quotas count by it.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from pydantic import SecretStr

from whisp.server.errors import StartError
from whisp.wire import api
from whisp.wire.encoding import tag
from whisp.wire.ids import CallId, DeviceId

__all__ = ["LIFETIME_SECONDS", "CallTable", "TurnRelays"]

LIFETIME_SECONDS: Final = 3600
"""Long enough to make a line anew while a call lasts; coturn ends no allocation that was made in time."""

MIN_SECRET_LENGTH: Final = 16

_ID_BYTES: Final = 16
_PORT: Final = r"(:[0-9]{1,5})?"
_HOST: Final = r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
_TURN_URL: Final = re.compile(rf"turns?:{_HOST}{_PORT}(\?transport=(udp|tcp))?")
_STUN_URL: Final = re.compile(rf"stuns?:{_HOST}{_PORT}")

_NOT_FOUND: Final = api.TurnCredentials("not_found")


class CallTable(Protocol):
    """Who talks to whom just now."""

    def is_talking(self, device: DeviceId, call_id: CallId) -> bool:
        """Say whether the call was accepted and `device` is one of its two ends."""
        ...


class TurnRelays:
    """The host's TURN servers, if it runs any. The key of ids is made at the start and dies with the process.

    Args:
        clock: Unix seconds, as coturn's clock has them.

    Raises:
        StartError: an address that is none, a secret without addresses, or addresses without a secret.
    """

    def __init__(
        self,
        urls: Iterable[str],
        stun_urls: Iterable[str],
        secret: SecretStr | None,
        clock: Callable[[], float],
    ) -> None:
        self._urls = tuple(urls)
        self._stun_urls = tuple(stun_urls)
        self._secret = secret
        self._clock = clock
        self._key = secrets.token_bytes(32)
        if not all(map(_TURN_URL.fullmatch, self._urls)):
            raise StartError("WHISP_TURN_URLS cannot be used: write turn:host:port or turns:host:port.")
        if not all(map(_STUN_URL.fullmatch, self._stun_urls)):
            raise StartError("WHISP_STUN_URLS cannot be used: write stun:host:port.")
        if bool(self._urls) is not (secret is not None):
            raise StartError("WHISP_TURN_URLS and WHISP_TURN_SECRET go together: set both, or none.")
        if secret is not None and len(secret.get_secret_value()) < MIN_SECRET_LENGTH:
            raise StartError(
                f"WHISP_TURN_SECRET cannot be used: take {MIN_SECRET_LENGTH} characters or more."
            )

    def credentials(self, device: DeviceId, call_id: CallId, calls: CallTable) -> api.TurnCredentials:
        """Return credentials for `device` in its accepted call, else "not_found", for every reason alike."""
        if self._secret is None or not calls.is_talking(device, call_id):
            return _NOT_FOUND
        expires = int(self._clock()) + LIFETIME_SECONDS
        opaque = hmac.digest(self._key, tag("turn") + call_id + device, "sha256")[:_ID_BYTES]
        username = f"{expires}:{opaque.hex()}"
        shared = self._secret.get_secret_value().encode()
        credential = base64.b64encode(hmac.digest(shared, username.encode(), "sha1")).decode()
        return api.TurnCredentials(
            "ok", list(self._urls), list(self._stun_urls), username, credential, expires
        )

"""Session tokens: JSON Web Tokens of one shape and one algorithm (RFC 7519, RFC 8725).

Everything about a token is fixed but its claims, so its first segment is compared as bytes: `alg`, `kid`,
`jwk` and `crit` of a stranger's choosing never reach a parser. A token that verifies still names a device
that storage must know; the answer is kept in a small cache, which revocations clear.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import jwt
from jwt.types import Options

from whisp.server.accounts.records import DeviceRecord, Principal
from whisp.server.errors import UnauthorizedError
from whisp.wire.api import SessionToken
from whisp.wire.ids import DeviceId
from whisp.wire.limits import MAX_TOKEN_BYTES

__all__ = ["Bearer", "Tokens"]

ALGORITHM: Final = "HS256"
ISSUER: Final = "whisp"

MAX_CACHED: Final = 16_384
"""Verified tokens kept: about 10 MB. A token that fell out costs one read of the database."""

_ID_BYTES: Final = 16
_HEADER: Final = (
    urlsafe_b64encode(json.dumps({"alg": ALGORITHM, "typ": "JWT"}, separators=(",", ":")).encode())
    .rstrip(b"=")
    .decode()
    + "."
)
_CLAIMS: Final = {"iss", "aud", "sub", "iat", "exp", "jti"}


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a token that verifies says by itself. Whether its device still exists, storage knows."""

    device: DeviceId
    token_id: bytes
    expires_at: int


class Tokens:
    """Issues, verifies and ends tokens. `clock` must never go back; `find` asks storage for a device."""

    def __init__(
        self,
        key: bytes,
        origins: Collection[str],
        lifetime_seconds: int,
        clock: Callable[[], float],
        find: Callable[[DeviceId], Awaitable[DeviceRecord | None]],
    ) -> None:
        self._key = key
        self._origins = frozenset(origins)
        self._lifetime = lifetime_seconds
        self._clock = clock
        self._find = find
        self._cache: OrderedDict[bytes, Principal] = OrderedDict()
        self._revoked: dict[bytes, int] = {}
        self._ends = 0

    def issue(self, device: DeviceId, origin: str) -> SessionToken:
        """Return a fresh token of a device for one origin."""
        issued_at = int(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": origin,
            "sub": device.hex(),
            "iat": issued_at,
            "exp": issued_at + self._lifetime,
            "jti": secrets.token_hex(_ID_BYTES),
        }
        return SessionToken(jwt.encode(claims, self._key, ALGORITHM), issued_at + self._lifetime)

    def verify(self, token: str) -> Bearer:
        """Return what a token says, after checking all it can be held against without asking storage.

        Raises:
            UnauthorizedError: it is not ours, not for this server, out of its time, or was logged out.
        """
        if len(token) > MAX_TOKEN_BYTES or not token.startswith(_HEADER):
            raise UnauthorizedError
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise UnauthorizedError from None
        bearer = _read(claims, self._origins)
        now = self._clock()
        if not claims["iat"] <= now < bearer.expires_at or bearer.token_id in self._revoked:
            raise UnauthorizedError
        return bearer

    async def identify(self, token: str) -> Principal:
        """Return who a token speaks for.

        Raises:
            UnauthorizedError: as `verify` does, or its device is gone.
            UnavailableError: storage does not answer.
        """
        bearer = self.verify(token)
        ends = self._ends
        record = await self._find(bearer.device)
        if record is None or bearer.token_id in self._revoked:
            raise UnauthorizedError
        principal = Principal(
            bearer.device, record.account, record.username, bearer.token_id, bearer.expires_at
        )
        if ends == self._ends:  # else something ended while storage was asked: it may have been this
            self._cache[_digest(token)] = principal
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
        return principal

    def cached(self, token: str) -> Principal | None:
        """Return who a token speaks for if that was found out lately: the fast path, without a coroutine."""
        digest = _digest(token)
        principal = self._cache.get(digest)
        if principal is not None and self._clock() >= principal.expires_at:
            del self._cache[digest]
            return None
        return principal

    def revoke(self, token_id: bytes, expires_at: int) -> None:
        """Refuse a token from now on, until it dies by itself."""
        self._ends += 1
        self._revoked[token_id] = expires_at
        self._drop(lambda principal: hmac.compare_digest(principal.token_id, token_id))

    def forget(self, device: DeviceId) -> None:
        """Believe no token of this device without asking storage again."""
        self._ends += 1
        self._drop(lambda principal: principal.device == device)

    def __len__(self) -> int:
        """How many tokens are known here, living or logged out."""
        return len(self._cache) + len(self._revoked)

    def sweep(self) -> None:
        """Forget tokens that are dead by their time. To be called now and then: 5 ms for a full cache."""
        now = self._clock()
        self._drop(lambda principal: principal.expires_at <= now)
        for dead in [token_id for token_id, expiry in self._revoked.items() if expiry <= now]:
            del self._revoked[dead]

    def _drop(self, is_meant: Callable[[Principal], bool]) -> None:
        for digest in [digest for digest, principal in self._cache.items() if is_meant(principal)]:
            del self._cache[digest]


_SIGNATURE_ONLY: Final[Options] = {
    # The claims are checked below, against a clock that nobody can set back.
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
    "require": sorted(_CLAIMS),
}


def _digest(token: str) -> bytes:
    """Return what stands for a token in the cache, so that no token lies about in memory."""
    return sha256(token.encode("latin-1")).digest()


def _read(claims: dict[str, object], origins: Collection[str]) -> Bearer:
    issued_at, expires_at, audience = claims["iat"], claims["exp"], claims["aud"]
    if (
        claims.keys() != _CLAIMS
        or claims["iss"] != ISSUER
        or not isinstance(audience, str)
        or audience not in origins
        or type(issued_at) is not int
        or type(expires_at) is not int
    ):
        raise UnauthorizedError
    return Bearer(DeviceId(_id(claims["sub"])), _id(claims["jti"]), expires_at)


def _id(claim: object) -> bytes:
    if not isinstance(claim, str) or len(claim) != 2 * _ID_BYTES:
        raise UnauthorizedError
    try:
        return bytes.fromhex(claim)
    except ValueError:
        raise UnauthorizedError from None

"""The HTTP half of the server, call by call, with the signatures and the token it asks for."""

import time
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from whisp.client.errors import (
    ClockError,
    NotFoundError,
    ServerFaultError,
    UnauthorizedError,
    VersionMismatchError,
)
from whisp.client.http import Http
from whisp.client.own_account import OwnAccount
from whisp.wire import api
from whisp.wire.encoding import lp16
from whisp.wire.ids import CallId, DeviceId, Username
from whisp.wire.limits import MAX_CLOCK_ERROR_SECONDS
from whisp.wire.version import CURRENT, Version

__all__ = ["ServerApi"]

_Answer = TypeVar("_Answer", bound=msgspec.Struct)

TOKEN_MARGIN_SECONDS: Final = 60.0
"""A token this close to its end is renewed before it is used."""


class ServerApi:
    """One server, for one account at a time. Errors are those of `Http.request`.

    The token is kept in memory only; it is fetched when first needed, renewed before it ends, and fetched
    anew when the server no longer knows it.
    """

    def __init__(self, origin: str, http: Http) -> None:
        self._origin = origin
        self._http = http
        self._token: api.SessionToken | None = None
        self._token_until = 0.0
        self._account: OwnAccount | None = None
        self._is_checked = False

    def speak_for(self, account: OwnAccount | None) -> None:
        """Log in as `account` from now on. Its own keys do not change, so a token in hand stays."""
        if account is None or self._account is None or account.local.device != self._account.local.device:
            self._token = None
        self._account = account

    async def check_version(self) -> None:
        """Ask once what the server speaks. Raises VersionMismatchError."""
        if self._is_checked:
            return
        info = await self._http.request("GET", "/v1/server", api.ServerInfo)
        if not CURRENT.is_compatible(Version(info.major, info.minor)):
            raise VersionMismatchError(
                f"The server speaks version {info.major}.{info.minor} of the protocol, this client {CURRENT}."
            )
        self._is_checked = True

    def require_clock(self) -> None:
        """Compare clocks, as of the server's newest answer. Raises ClockError beyond what others forgive."""
        error = self._http.clock_error
        if error is not None and abs(error) > MAX_CLOCK_ERROR_SECONDS:
            raise ClockError(error)

    async def is_available(self, username: Username) -> bool:
        """Say whether a name can be claimed."""
        request = api.UsernameRequest(username)
        answer = await self._http.request("POST", "/v1/usernames/check", api.Availability, request)
        return answer.available

    async def register(self, account: OwnAccount) -> None:
        """Claim the account's name. Raises UsernameTakenError, ClockError."""
        await self.check_version()
        local = account.local
        certificate, device_list = local.certificate.encode(), local.device_list.encode()
        challenge = await self._challenge(local.device)
        self.require_clock()
        message = (
            lp16(self._origin.encode())
            + local.device
            + lp16(challenge)
            + lp16(account.username.encode())
            + sha256(certificate).digest()
            + sha256(device_list).digest()
        )
        signature = local.keys.sign("register", message)
        request = api.RegisterRequest(account.username, certificate, device_list, challenge, signature)
        self._account = account
        self._keep(await self._http.request("POST", "/v1/accounts", api.SessionToken, request))

    async def token(self) -> str:
        """Return a token that is good for a while. Raises UnauthorizedError, ClockError."""
        if self._token is None:
            await self._login()
        elif time.monotonic() > self._token_until - TOKEN_MARGIN_SECONDS:
            try:
                renewed = await self._http.request(
                    "POST", "/v1/token/renew", api.SessionToken, token=self._token.token
                )
                self._keep(renewed)
            except UnauthorizedError:
                await self._login()
        assert self._token is not None
        return self._token.token

    def forget_token(self) -> None:
        """The server no longer takes the token."""
        self._token = None

    async def logout(self) -> None:
        """Let the server forget the token."""
        token, self._token = self._token, None
        if token is not None:
            await self._http.request("POST", "/v1/logout", api.Done, token=token.token)

    async def discover(self, username: str) -> bool:
        """Say whether a name is online. Raises NotFoundError for every refusal."""
        answer = await self._ask("POST", "/v1/discover", api.DiscoverOutcome, api.DiscoverRequest(username))
        if answer.result != "ok" or not isinstance(answer.online, bool):
            raise NotFoundError
        return answer.online

    async def bundles(self, username: str) -> list[bytes]:
        """Return the bundles of a name's online devices. Raises NotFoundError."""
        request = api.PreKeyBundlesRequest(username)
        answer = await self._ask("POST", "/v1/bundles", api.PreKeyBundles, request)
        if answer.result != "ok" or not isinstance(answer.bundles, list) or not answer.bundles:
            raise NotFoundError
        return answer.bundles

    async def request_session(self, device: DeviceId, username: str, offers: list[bytes]) -> None:
        """Ring. Raises NotFoundError."""
        request = api.SessionRequest(device, username, offers)
        answer = await self._ask("POST", "/v1/requestSession", api.SessionOutcome, request)
        if answer.result != "delivered":
            raise NotFoundError

    async def turn_credentials(self, call_id: CallId) -> api.TurnCredentials:
        """Return TURN credentials for an accepted call. Raises NotFoundError."""
        request = api.TurnCredentialsRequest(call_id)
        answer = await self._ask("POST", "/v1/turnCredentials", api.TurnCredentials, request)
        if answer.result != "ok" or not isinstance(answer.username, str) or not isinstance(answer.urls, list):
            raise NotFoundError
        return answer

    async def account(self) -> api.Account:
        """Return all the server stores of this account."""
        return await self._ask("GET", "/v1/account", api.Account)

    async def put_device_list(self, device_list: bytes, certificates: list[bytes]) -> None:
        """Publish the next version of the device list."""
        update = api.DeviceListUpdate(device_list, certificates)
        await self._ask("PUT", "/v1/deviceList", api.Done, update)

    async def delete_account(self, account: OwnAccount) -> None:
        """Erase the account."""
        challenge = await self._challenge(account.local.device)
        message = lp16(self._origin.encode()) + lp16(challenge) + lp16(account.username.encode())
        signature = account.key.sign("account-delete", message)
        request = api.DeleteAccountRequest(challenge, signature)
        await self._ask("DELETE", "/v1/account", api.Done, request)
        self._token = None

    def abort(self) -> None:
        """Drop connection and token now."""
        self._token = None
        self._account = None
        self._http.abort()

    async def _login(self) -> None:
        account = self._account
        if account is None:
            raise UnauthorizedError
        await self.check_version()
        device = account.local.device
        challenge = await self._challenge(device)
        self.require_clock()
        message = lp16(self._origin.encode()) + device + lp16(challenge)
        signature = account.local.keys.sign("login", message)
        request = api.LoginRequest(device, challenge, signature)
        self._keep(await self._http.request("POST", "/v1/login", api.SessionToken, request))

    async def _challenge(self, device: DeviceId) -> bytes:
        request = api.ChallengeRequest(device)
        answer = await self._http.request("POST", "/v1/challenge", api.Challenge, request)
        if not 0 < len(answer.challenge) <= 128:
            raise ServerFaultError
        return answer.challenge

    async def _ask(
        self, method: str, path: str, answer: type[_Answer], body: msgspec.Struct | None = None
    ) -> _Answer:
        """Ask with the token; once more with a fresh one if the server no longer knows it."""
        try:
            return await self._http.request(method, path, answer, body, await self.token())
        except UnauthorizedError:
            self.forget_token()
            return await self._http.request(method, path, answer, body, await self.token())

    def _keep(self, token: api.SessionToken) -> None:
        self._token = token
        life = min(max(token.expires_at - time.time(), 0.0), 3600.0)
        self._token_until = time.monotonic() + (life or 2 * TOKEN_MARGIN_SECONDS)

"""The HTTP calls of accounts. The gate has let them in: host, token, rate, size and type are checked."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from whisp.server.accounts.records import Principal
from whisp.server.accounts.service import Accounts
from whisp.server.operations import Operation
from whisp.server.rates import CHALLENGES, NAME_CHECKS, OWN_AFFAIRS, REGISTRATIONS
from whisp.server.requests import answer, body_of, caller, dialled_origin, serve
from whisp.wire import api
from whisp.wire.codes import ErrorCode
from whisp.wire.ids import DeviceId

__all__ = ["OPERATIONS", "account_routes"]

CHECK_USERNAME = Operation(
    "POST",
    "/v1/usernames/check",
    "Can this name be claimed?",
    api.Availability,
    api.UsernameRequest,
    allowance=NAME_CHECKS,
)
CHALLENGE = Operation(
    "POST",
    "/v1/challenge",
    "A challenge for one device, good once and for a minute.",
    api.Challenge,
    api.ChallengeRequest,
    allowance=CHALLENGES,
)
REGISTER = Operation(
    "POST",
    "/v1/accounts",
    "Claim a username and log in.",
    api.SessionToken,
    api.RegisterRequest,
    status=201,
    allowance=REGISTRATIONS,
    errors=(
        ErrorCode.UNAUTHORIZED,
        ErrorCode.BAD_USERNAME,
        ErrorCode.USERNAME_TAKEN,
        ErrorCode.CONFLICT,
    ),
)
LOG_IN = Operation(
    "POST",
    "/v1/login",
    "Log a device in.",
    api.SessionToken,
    api.LoginRequest,
    allowance=CHALLENGES,
    errors=(ErrorCode.UNAUTHORIZED,),
)
RENEW = Operation(
    "POST",
    "/v1/token/renew",
    "A fresh token; the old one lives out its time.",
    api.SessionToken,
    needs_token=True,
    allowance=OWN_AFFAIRS,
)
LOG_OUT = Operation(
    "POST",
    "/v1/logout",
    "End this token and close its device's socket.",
    api.Done,
    needs_token=True,
    allowance=OWN_AFFAIRS,
)
OWN = Operation(
    "GET",
    "/v1/account",
    "All that is stored of the asking account.",
    api.Account,
    needs_token=True,
    allowance=OWN_AFFAIRS,
)
ERASE = Operation(
    "DELETE",
    "/v1/account",
    "Erase the account; its name is never given out again.",
    api.Done,
    api.DeleteAccountRequest,
    needs_token=True,
    allowance=OWN_AFFAIRS,
)
UPDATE_DEVICE_LIST = Operation(
    "PUT",
    "/v1/deviceList",
    "The next version of the device list.",
    api.Done,
    api.DeviceListUpdate,
    needs_token=True,
    allowance=OWN_AFFAIRS,
    errors=(ErrorCode.CONFLICT,),
)

OPERATIONS = (CHECK_USERNAME, CHALLENGE, REGISTER, LOG_IN, RENEW, LOG_OUT, OWN, ERASE, UPDATE_DEVICE_LIST)

_Caller = Annotated[Principal, Depends(caller)]
_Origin = Annotated[str, Depends(dialled_origin)]


def account_routes(accounts: Accounts) -> APIRouter:
    """Return the routes of `OPERATIONS`, served by `accounts`."""
    router = APIRouter()

    @serve(router, CHECK_USERNAME)
    async def check_username(
        body: Annotated[api.UsernameRequest, Depends(body_of(api.UsernameRequest))],
    ) -> Response:
        return answer(api.Availability(await accounts.is_available(body.username)))

    @serve(router, CHALLENGE)
    async def challenge(
        body: Annotated[api.ChallengeRequest, Depends(body_of(api.ChallengeRequest))],
    ) -> Response:
        return answer(accounts.challenge(DeviceId(body.device_id)))

    @serve(router, REGISTER)
    async def register(
        body: Annotated[api.RegisterRequest, Depends(body_of(api.RegisterRequest))], origin: _Origin
    ) -> Response:
        return answer(await accounts.register(body, origin), REGISTER.status)

    @serve(router, LOG_IN)
    async def log_in(
        body: Annotated[api.LoginRequest, Depends(body_of(api.LoginRequest))], origin: _Origin
    ) -> Response:
        return answer(await accounts.login(body, origin))

    @serve(router, RENEW)
    async def renew(principal: _Caller, origin: _Origin) -> Response:
        return answer(accounts.renew(principal, origin))

    @serve(router, LOG_OUT)
    async def log_out(principal: _Caller) -> Response:
        await accounts.log_out(principal)
        return answer(api.Done())

    @serve(router, OWN)
    async def own(principal: _Caller) -> Response:
        return answer(await accounts.own(principal))

    @serve(router, ERASE)
    async def erase(
        principal: _Caller,
        body: Annotated[api.DeleteAccountRequest, Depends(body_of(api.DeleteAccountRequest))],
        origin: _Origin,
    ) -> Response:
        await accounts.erase(principal, body, origin)
        return answer(api.Done())

    @serve(router, UPDATE_DEVICE_LIST)
    async def update_device_list(
        principal: _Caller,
        body: Annotated[api.DeviceListUpdate, Depends(body_of(api.DeviceListUpdate))],
    ) -> Response:
        await accounts.update_device_list(principal, body)
        return answer(api.Done())

    return router

"""The HTTP call for TURN credentials. The gate has let it in: host, token, rate, size, type are checked."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from whisp.server.accounts.records import Principal
from whisp.server.operations import Operation
from whisp.server.rates import TURN
from whisp.server.requests import answer, body_of, caller, serve
from whisp.server.turn.credentials import CallTable, TurnRelays
from whisp.wire import api
from whisp.wire.ids import CallId

__all__ = ["TURN_CREDENTIALS", "turn_routes"]

TURN_CREDENTIALS: Final = Operation(
    "POST",
    "/v1/turnCredentials",
    "TURN credentials for one accepted call.",
    api.TurnCredentials,
    api.TurnCredentialsRequest,
    needs_token=True,
    allowance=TURN,
)


def turn_routes(relays: TurnRelays, calls: CallTable) -> APIRouter:
    """Return the route of `TURN_CREDENTIALS`."""
    router = APIRouter()

    @serve(router, TURN_CREDENTIALS)
    async def credentials(
        principal: Annotated[Principal, Depends(caller)],
        body: Annotated[api.TurnCredentialsRequest, Depends(body_of(api.TurnCredentialsRequest))],
    ) -> Response:
        return answer(relays.credentials(principal.device, CallId(body.call_id), calls))

    return router

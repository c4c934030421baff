"""What the server says of itself."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response

from whisp.server.errors import UnavailableError
from whisp.server.operations import Operation
from whisp.server.requests import answer, dialled_origin, serve
from whisp.wire import api
from whisp.wire.codes import ErrorCode
from whisp.wire.version import CURRENT

__all__ = ["OPERATIONS", "own_routes"]

SERVER = Operation("GET", "/v1/server", "Origin, versions and software.", api.ServerInfo)
DOCUMENT = Operation("GET", "/openapi.json", "This document.", dict[str, Any])
HEALTH = Operation("GET", "/healthz", "200 while the process lives.", api.Done, is_for_any_host=True)
READINESS = Operation(
    "GET",
    "/readyz",
    "200 while it can serve.",
    api.Done,
    is_for_any_host=True,
    errors=(ErrorCode.UNAVAILABLE,),
)

OPERATIONS = (SERVER, DOCUMENT, HEALTH, READINESS)


def own_routes(document: dict[str, Any], is_ready: Callable[[], Awaitable[bool]]) -> APIRouter:
    """Return the routes of `OPERATIONS`."""
    router = APIRouter()
    software = f"whisp/{version('whisp')}"
    encoded = msgspec.json.encode(document)

    @serve(router, SERVER)
    async def server(origin: Annotated[str, Depends(dialled_origin)]) -> Response:
        return answer(api.ServerInfo(origin, CURRENT.major, CURRENT.minor, software))

    @serve(router, DOCUMENT)
    async def openapi() -> Response:
        return Response(encoded, media_type="application/json")

    @serve(router, HEALTH)
    async def health() -> Response:
        return answer(api.Done())

    @serve(router, READINESS)
    async def readiness() -> Response:
        if not await is_ready():
            raise UnavailableError("Not ready.")
        return answer(api.Done())

    return router

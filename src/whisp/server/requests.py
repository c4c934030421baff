"""What FastAPI endpoints take from the gate and give back: one JSON rule set in, one out.

msgspec reads and writes: it refuses NaN, lone surrogates, a byte order mark and anything after the value;
unknown members are ignored and of a duplicated one the last counts (`whisp.wire.api`). The dependencies are
coroutines, though they wait for nothing: FastAPI would run plain functions in a thread.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from whisp.server.accounts.records import Principal
from whisp.server.operations import Operation
from whisp.wire.errors import MalformedError

__all__ = ["CALLER", "ORIGIN", "answer", "body_of", "caller", "decode_body", "dialled_origin", "serve"]

CALLER: Final = "caller"
ORIGIN: Final = "origin"
"""Where the gate puts them in the request's state."""

_Body = TypeVar("_Body", bound=msgspec.Struct)
_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Awaitable[Response]])

_encode: Final = msgspec.json.Encoder().encode


def decode_body(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """Return the value of a JSON body. Raises MalformedError, which holds nothing of the body."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise MalformedError("not the JSON that is expected here") from None


def body_of(kind: type[_Body]) -> Callable[[Request], Awaitable[_Body]]:
    """Return a dependency that reads the request's body as `kind`."""
    decoder = msgspec.json.Decoder(kind)

    async def read(request: Request) -> _Body:
        return decode_body(decoder, await request.body())

    return read


async def caller(request: Request) -> Principal:
    """Return who the request's token speaks for: a dependency of operations that need one."""
    principal: Principal = request.scope["state"][CALLER]
    return principal


async def dialled_origin(request: Request) -> str:
    """Return the origin the client dialled, which signatures name: a dependency."""
    origin: str = request.scope["state"][ORIGIN]
    return origin


def answer(value: msgspec.Struct, status: int = 200) -> Response:
    """Return `value` as a JSON answer."""
    return Response(_encode(value), status, media_type="application/json")


def serve(router: APIRouter, operation: Operation) -> Callable[[_Endpoint], _Endpoint]:
    """Make a function the endpoint of `operation`. OpenAPI is told of it elsewhere (`openapi`)."""
    options: dict[str, Any] = {"methods": [operation.method], "response_model": None}

    def register(endpoint: _Endpoint) -> _Endpoint:
        router.add_api_route(operation.path, endpoint, **options)
        return endpoint

    return register

"""The gate: one ASGI callable in front of everything, which checks a request in the order that costs least.

Host, page of origin, route, rate of the address, token, rate of the device, type and size of the body; then
the capability. Look-ups are answered here (`lookups`), all else by FastAPI behind it. No answer leaves but
through here, so that every one has the same headers and every error the same shape.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whisp.server.accounts.records import Principal
from whisp.server.errors import UnauthorizedError
from whisp.server.gate.addresses import ClientAddresses
from whisp.server.gate.answers import Answer, answer_to, error, json_answer
from whisp.server.gate.limits import RateLimits
from whisp.server.gate.tokens import Tokens
from whisp.server.operations import Operation
from whisp.server.origins import Origins
from whisp.server.requests import CALLER, ORIGIN
from whisp.wire.codes import ErrorCode

__all__ = ["FastPath", "Gate", "Page", "Pages"]

FastPath: TypeAlias = Callable[[Principal, bytes], Awaitable[Answer]]
"""Serves an operation without FastAPI: caller and body in, answer out."""

DRAINED_BYTES: Final = 1024 * 1024
"""How much of a body that is too large is read and dropped, so that its sender gets to read the answer."""

PIECE_BYTES: Final = 32 * 1024
"""A larger answer is given in pieces, each when the one before is on its way: of a file that a slow reader
asks for, no more than this is held for it."""

_log = logging.getLogger("whisp.gate")

_ONCE: Final = frozenset({b"host", b"origin", b"authorization", b"content-type", b"content-length"})
"""Headers of which two might be read by two programs as two different requests."""

_JSON: Final = b"application/json"
_JSON_TYPES: Final = frozenset({_JSON, _JSON + b";charset=utf-8"})

_MAX_LENGTH_DIGITS: Final = 12
"""As much of Content-Length as tells a large body from a huge one."""


class Page(Protocol):
    """Something a browser shows or loads."""

    def answer(self, accept_encoding: bytes) -> Answer:
        """Return it in an encoding that is accepted."""


class Pages(Protocol):
    """What is there beside the calls."""

    def get(self, path: bytes) -> Page | None:
        """Return what is at exactly this path."""


class _GoneError(Exception):
    """The client went before its request was whole: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class _Route:
    operation: Operation
    fast_path: FastPath | None


class Gate:
    """Serves `operations`: those in `fast_paths` by these functions, the others by `api`; and `pages`."""

    def __init__(
        self,
        operations: Iterable[Operation],
        fast_paths: Mapping[Operation, FastPath],
        api: ASGIApp,
        *,
        origins: Origins,
        addresses: ClientAddresses,
        tokens: Tokens,
        rates: RateLimits,
        pages: Pages,
    ) -> None:
        self._api = api
        self._pages = pages
        self._origins = origins
        self._addresses = addresses
        self._tokens = tokens
        self._rates = rates
        self._routes: dict[bytes, dict[str, _Route]] = {}
        for operation in operations:
            methods = self._routes.setdefault(operation.path.encode("ascii"), {})
            methods[operation.method] = _Route(operation, fast_paths.get(operation))
            if operation.method == "GET":
                methods["HEAD"] = methods["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._serve(scope, receive)
        except _GoneError:
            return
        except Exception as exception:  # noqa: BLE001 - here every error gets its answer
            answer = answer_to(exception)
            if answer.status == 500:
                _log.error("an internal error, %s", _place_of(exception))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        body = answer.body
        if len(body) > PIECE_BYTES:
            body = await _send_all_but_the_last(body, send)
        await send({"type": "http.response.body", "body": body})

    async def _serve(self, scope: Scope, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]) and _has_doubles(scope["headers"]):
            return error(ErrorCode.BAD_REQUEST)
        methods = self._routes.get(scope["raw_path"])
        route = methods.get(scope["method"]) if methods else None
        is_for_any_host = route is not None and route.operation.is_for_any_host
        origin = self._origins.of_host(headers.get(b"host", b"").decode("latin-1"))
        if origin is None and not is_for_any_host:
            return error(ErrorCode.MISDIRECTED)
        page = headers.get(b"origin")
        if page is not None and page.decode("latin-1") != origin:
            return error(ErrorCode.FORBIDDEN)
        if methods is None:
            return self._page(scope, headers)
        if route is None:
            return error(ErrorCode.METHOD_NOT_ALLOWED).with_header(b"allow", ", ".join(methods).encode())
        operation = route.operation
        if operation.allowance is not None:
            self._rates.charge_address(operation.allowance, self._address(scope, headers))
        principal = None
        if operation.needs_token:
            principal = await self._identify(headers.get(b"authorization"))
            connection = scope.get("whisp.connection")
            if connection is not None:
                connection.vouch(principal.device)
            if operation.allowance is not None:
                self._rates.charge_device(operation.allowance, principal.device)
        body = b""
        if operation.request is not None:
            media_type = headers.get(b"content-type", b"")
            if media_type != _JSON and media_type.lower().replace(b" ", b"") not in _JSON_TYPES:
                return error(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
            if b"content-encoding" in headers:
                return error(ErrorCode.UNSUPPORTED_MEDIA_TYPE)
            declared = headers.get(b"content-length", b"0")
            if not declared.isdigit():
                return error(ErrorCode.BAD_REQUEST)
            read = await _read_body(receive, operation.max_body_bytes, int(declared[:_MAX_LENGTH_DIGITS]))
            if isinstance(read, Answer):
                return read
            body = read
        if route.fast_path is not None and principal is not None:
            return await route.fast_path(principal, body)
        return await self._pass_on(scope, operation, body, origin, principal)

    def _page(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Answer:
        """Answer a path that is no call: by a page if there is one."""
        page = self._pages.get(scope["raw_path"])
        if page is None:
            return error(ErrorCode.NOT_FOUND)
        if scope["method"] not in ("GET", "HEAD"):
            return error(ErrorCode.METHOD_NOT_ALLOWED).with_header(b"allow", b"GET, HEAD")
        return page.answer(headers.get(b"accept-encoding", b""))

    async def _identify(self, authorization: bytes | None) -> Principal:
        scheme, _, token = (authorization or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            raise UnauthorizedError
        return self._tokens.cached(token) or await self._tokens.identify(token)

    def _address(self, scope: Scope, headers: Mapping[bytes, bytes]) -> str:
        peer = scope["client"][0] if scope.get("client") else ""
        if b"x-forwarded-for" not in headers:
            return str(peer)
        every = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return self._addresses.of(peer, every)

    async def _pass_on(
        self, scope: Scope, operation: Operation, body: bytes, origin: str | None, principal: Principal | None
    ) -> Answer:
        """Let FastAPI answer. What it raises is answered at the gate, like all else."""
        inner = {**scope, "method": operation.method, "state": {ORIGIN: origin, CALLER: principal}}
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._api(inner, receive, send)
        return json_answer(
            messages[0]["status"], b"".join(message.get("body", b"") for message in messages[1:])
        )


def _has_doubles(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    single = [name for name, _ in headers if name in _ONCE]
    return len(set(single)) != len(single)


async def _read_body(receive: Receive, limit: int, declared: int) -> bytes | Answer:
    """Return the body; or the answer if it is larger than `limit`, of which never more is held."""
    pieces: list[bytes] = []
    size = 0
    while size <= limit + DRAINED_BYTES and declared <= limit + DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        piece = message.get("body", b"")
        size += len(piece)
        if size <= limit:
            pieces.append(piece)
        else:
            pieces.clear()
        if not message.get("more_body", False):
            return b"".join(pieces) if size <= limit else error(ErrorCode.TOO_LARGE)
    return error(ErrorCode.TOO_LARGE).with_header(b"connection", b"close")


async def _send_all_but_the_last(body: bytes, send: Send) -> bytes:
    """Send a body's pieces, and return the one that ends it."""
    last = (len(body) - 1) // PIECE_BYTES * PIECE_BYTES
    for start in range(0, last, PIECE_BYTES):
        piece = body[start : start + PIECE_BYTES]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    return body[last:]


def _place_of(exception: BaseException) -> str:
    """Return what and where, and nothing of the values: types and lines of code."""
    frame = exception.__traceback__
    place = "?"
    while frame is not None:
        place = f"{frame.tb_frame.f_code.co_name} line {frame.tb_lineno}"
        frame = frame.tb_next
    return f"{type(exception).__name__} in {place}"

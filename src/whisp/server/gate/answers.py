"""Every answer that is not a capability's own: one shape, fixed sentences, and the headers all answers carry.

The one place where errors become statuses.
"""

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import msgspec

from whisp.server.errors import (
    BadUsernameError,
    ConflictError,
    ForbiddenError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UsernameTakenError,
)
from whisp.wire.api import Error
from whisp.wire.codes import ErrorCode
from whisp.wire.errors import RemoteProtocolError

__all__ = [
    "SECURITY_HEADERS",
    "STATUS",
    "Answer",
    "Headers",
    "answer_to",
    "error",
    "json_answer",
    "raw_error",
]

Headers: TypeAlias = list[tuple[bytes, bytes]]

SECURITY_HEADERS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
"""On everything: nothing here is ever shown in a page, framed, kept, or told to others."""

STATUS: Final[dict[ErrorCode, int]] = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BAD_USERNAME: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.USERNAME_TAKEN: 409,
    ErrorCode.CONFLICT: 409,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorCode.MISDIRECTED: 421,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.INTERNAL: 500,
    ErrorCode.UNAVAILABLE: 503,
}

_SENTENCES: Final[dict[ErrorCode, str]] = {
    ErrorCode.BAD_REQUEST: "That is not a request this server understands.",
    ErrorCode.BAD_USERNAME: "Use 3 to 32 of a to z, 0 to 9 and hyphen.",
    ErrorCode.UNAUTHORIZED: "Log in again.",
    ErrorCode.FORBIDDEN: "That is not yours to do.",
    ErrorCode.NOT_FOUND: "There is nothing here.",
    ErrorCode.METHOD_NOT_ALLOWED: "That cannot be done here.",
    ErrorCode.USERNAME_TAKEN: "That name is taken.",
    ErrorCode.CONFLICT: "That contradicts what is stored.",
    ErrorCode.TOO_LARGE: "That is too large.",
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: "Send plain application/json.",
    ErrorCode.MISDIRECTED: "This server does not answer for that host.",
    ErrorCode.TOO_MANY_REQUESTS: "Too many requests. Wait a little.",
    ErrorCode.INTERNAL: "Something went wrong on the server.",
    ErrorCode.UNAVAILABLE: "The server cannot do that right now. Try again soon.",
}

_EXTRA: Final[dict[ErrorCode, Headers]] = {
    ErrorCode.UNAUTHORIZED: [(b"www-authenticate", b"Bearer")],
    ErrorCode.UNAVAILABLE: [(b"retry-after", b"2")],
}

_CODES: Final[tuple[tuple[type[Exception], ErrorCode], ...]] = (
    (UnauthorizedError, ErrorCode.UNAUTHORIZED),
    (ForbiddenError, ErrorCode.FORBIDDEN),
    (UsernameTakenError, ErrorCode.USERNAME_TAKEN),
    (BadUsernameError, ErrorCode.BAD_USERNAME),
    (ConflictError, ErrorCode.CONFLICT),
    (TooManyRequestsError, ErrorCode.TOO_MANY_REQUESTS),
    (UnavailableError, ErrorCode.UNAVAILABLE),
    (RemoteProtocolError, ErrorCode.BAD_REQUEST),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, ready to be sent. Its header list is shared: copy it to add to it."""

    status: int
    headers: Headers
    body: bytes

    def with_header(self, name: bytes, value: bytes) -> "Answer":
        """Return the answer with one header more."""
        return Answer(self.status, [*self.headers, (name, value)], self.body)


def json_answer(status: int, body: bytes) -> Answer:
    """Return an answer with a JSON body."""
    described = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return Answer(status, described + SECURITY_HEADERS, body)


def _error(code: ErrorCode) -> Answer:
    answer = json_answer(STATUS[code], msgspec.json.encode(Error(code, _SENTENCES[code])))
    return Answer(answer.status, answer.headers + _EXTRA.get(code, []), answer.body)


_ERRORS: Final = {code: _error(code) for code in ErrorCode}


def error(code: ErrorCode) -> Answer:
    """Return the answer of an error code: the same bytes every time."""
    return _ERRORS[code]


def answer_to(exception: Exception) -> Answer:
    """Return the answer to whatever was raised; the unexpected is an internal error and says nothing."""
    code = next((code for kind, code in _CODES if isinstance(exception, kind)), ErrorCode.INTERNAL)
    if isinstance(exception, TooManyRequestsError):
        return error(code).with_header(b"retry-after", b"%d" % max(1, math.ceil(exception.retry_after)))
    return error(code)


def raw_error(code: ErrorCode, status: int | None = None) -> bytes:
    """Return an error as the bytes of a whole HTTP/1.1 answer after which the connection closes."""
    answer = error(code)
    number = status or answer.status
    lines = [b"HTTP/1.1 %d %s" % (number, HTTPStatus(number).phrase.encode("ascii"))]
    lines += [name + b": " + value for name, value in (*answer.headers, (b"connection", b"close"))]
    return b"\r\n".join(lines) + b"\r\n\r\n" + answer.body

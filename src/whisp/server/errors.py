"""What the server answers a request with when it does not do it. The gate maps each to a status, once.

WhispError
├── RefusedError              a request is understood and not granted
│   ├── UnauthorizedError     no valid token, challenge or signature
│   ├── ForbiddenError
│   ├── UsernameTakenError
│   ├── BadUsernameError
│   ├── ConflictError         it contradicts what is stored
│   ├── TooManyRequestsError  carries retry_after, seconds
│   └── UnavailableError      not now: storage is busy or full
└── StartError                the server cannot start; the sentence says what to do
"""

from whisp.wire.errors import WhispError

__all__ = [
    "BadUsernameError",
    "ConflictError",
    "ForbiddenError",
    "RefusedError",
    "StartError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnavailableError",
    "UsernameTakenError",
]


class RefusedError(WhispError):
    """A request that is understood and not granted."""


class UnauthorizedError(RefusedError):
    """No valid token, challenge or signature. Which of them is not said."""


class ForbiddenError(RefusedError):
    """Not with this token."""


class UsernameTakenError(RefusedError):
    """The name is taken, reserved, or was erased. Which is not said."""


class BadUsernameError(RefusedError):
    """The name can never be one."""


class ConflictError(RefusedError):
    """The request contradicts what is stored: another list came first, or a key is in use."""


class TooManyRequestsError(RefusedError):
    """Over a limit; `retry_after` seconds from now it fits again."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many requests.")
        self.retry_after = retry_after


class UnavailableError(RefusedError):
    """Storage cannot do it now."""


class StartError(WhispError):
    """The server cannot start. The sentence says why, and what would help."""

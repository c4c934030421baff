"""Codes that peers and programs act on: WebSocket close codes and HTTP error codes (spec/errors.md)."""

from enum import IntEnum, StrEnum

__all__ = ["CloseCode", "ErrorCode"]


class CloseCode(IntEnum):
    """Why a WebSocket closed. 4000 and up are ours (RFC 6455 section 7.4.2)."""

    NORMAL = 1000
    TOO_BIG = 1009
    RESTART = 1012
    PROTOCOL = 4000
    """A frame that is not of the protocol."""
    VERSION = 4001
    """The majors differ; the reason names the server's version."""
    UNAUTHORIZED = 4002
    """No valid token within the time for HELLO."""
    REVOKED = 4003
    """This device or account is gone."""
    REPLACED = 4004
    """A newer connection of this device took over."""
    STRAY = 4006
    """Too many frames to calls that are not this device's."""
    FLOOD = 4007
    """More frames than any use needs."""
    SLOW = 4008
    """It did not read what was sent to it."""
    BUSY = 4009
    """Too many connections, in all or from one address."""


class ErrorCode(StrEnum):
    """The `error` of an HTTP answer that is not 2xx."""

    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    USERNAME_TAKEN = "username_taken"
    BAD_USERNAME = "bad_username"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    TOO_MANY_REQUESTS = "too_many_requests"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    MISDIRECTED = "misdirected"
    """The Host header names another server."""
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"

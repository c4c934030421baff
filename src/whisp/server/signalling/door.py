"""Who may upgrade to a WebSocket. HTTP middleware does not run for upgrades, so every check is made here."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from whisp.server.signalling.connection import Inbox
from whisp.wire.codes import ErrorCode

__all__ = ["CONNECT_PATH", "NOT_A_WEBSOCKET", "Door", "Refusal", "UpgradeRequest", "accept_key"]

CONNECT_PATH: Final = "/v1/connect"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer instead of an upgrade. The sentence is fixed and repeats nothing of the request."""

    status: int
    code: ErrorCode
    message: str


_WRONG_PATH: Final = Refusal(404, ErrorCode.NOT_FOUND, "There is nothing here.")
_WRONG_HOST: Final = Refusal(421, ErrorCode.MISDIRECTED, "This server does not answer for that host.")
_WRONG_ORIGIN: Final = Refusal(403, ErrorCode.FORBIDDEN, "Pages from elsewhere may not connect.")
NOT_A_WEBSOCKET: Final = Refusal(400, ErrorCode.BAD_REQUEST, "Not a WebSocket request.")


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """The request line and headers of an upgrade. Header names in lower case, in the order they came."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    @classmethod
    def parse(cls, head: bytes) -> "UpgradeRequest | None":
        """Parse a request head that ends with its empty line; None when it is not one."""
        lines = head.decode("latin-1").split("\r\n")
        request_line = lines[0].split(" ")
        if len(request_line) != 3 or lines[-2:] != ["", ""]:
            return None
        headers = []
        for line in lines[1:-2]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return None
            headers.append((name.lower(), value.strip(" \t")))
        return cls(request_line[0], request_line[1], tuple(headers))


@dataclass(frozen=True, slots=True)
class Door:
    """What a driver needs of the rest of the server."""

    inbox: Inbox
    is_allowed_host: Callable[[str], bool]
    is_allowed_origin: Callable[[str], bool]
    client_address: Callable[[str, UpgradeRequest], str] = lambda peer, request: peer
    """Tells a client's host from the socket's peer and the request: they differ behind a trusted proxy."""

    def refusal(self, request: UpgradeRequest) -> Refusal | None:
        """Return why a request may not become a WebSocket, None when it may."""
        if request.path.partition("?")[0] != CONNECT_PATH:
            return _WRONG_PATH
        hosts, origins = request.all("host"), request.all("origin")
        if len(hosts) != 1 or not self.is_allowed_host(hosts[0]):
            return _WRONG_HOST
        if len(origins) > 1 or not all(map(self.is_allowed_origin, origins)):
            return _WRONG_ORIGIN
        if request.method != "GET" or request.all("content-length") or request.all("transfer-encoding"):
            return NOT_A_WEBSOCKET
        keys, versions = request.all("sec-websocket-key"), request.all("sec-websocket-version")
        if versions != ["13"] or len(keys) != 1 or not _is_key(keys[0]):
            return NOT_A_WEBSOCKET
        return None


def accept_key(request: UpgradeRequest) -> str:
    """Return the Sec-WebSocket-Accept of a request that was not refused (RFC 6455 section 4.2.2)."""
    key = request.all("sec-websocket-key")[0].encode("ascii")
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False

"""The server's origin: where to dial, and the exact text that log-ins sign."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from whisp.wire.errors import LocalProtocolError

__all__ = ["Origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port in their one canonical form (RFC 6454): lower case, default port left out."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, unsafe_plain_http: bool = False) -> "Origin":
        """Return the origin named by `text`.

        Raises:
            LocalProtocolError: not an http or https origin, more than an origin, or plain http to a host
                that is not loopback without `unsafe_plain_http`.
        """
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError:
            raise LocalProtocolError("That is not a server address.") from None
        scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
        has_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
        if scheme not in _DEFAULT_PORTS or not host or has_more or not host.isascii():
            raise LocalProtocolError("A server address looks like https://chat.example, with nothing behind.")
        origin = cls(scheme, host, port or _DEFAULT_PORTS[scheme])
        if not (origin.is_secure or origin.is_loopback or unsafe_plain_http):
            raise LocalProtocolError("Plain http would show your log-in to the network. Use https.")
        return origin

    def __str__(self) -> str:
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self._bracketed_host}{port}"

    @property
    def is_secure(self) -> bool:
        """Whether TLS protects the way."""
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether nothing leaves this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def websocket_url(self) -> str:
        """Where the socket connects. It carries no secret: the token travels in HELLO."""
        scheme = "wss" if self.is_secure else "ws"
        return f"{scheme}://{self._bracketed_host}:{self.port}/v1/connect"

    @property
    def _bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

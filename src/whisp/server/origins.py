"""Which names this server answers to (spec/signalling.md, Origins)."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from whisp.server.errors import StartError

__all__ = ["Origins"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """The configured origins, found by what a client sends: a Host header, or an Origin header.

    Raises:
        StartError: one is not an origin, or two of them share a host and so cannot be told apart.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._by_host: dict[str, str] = {}
        for text in origins:
            origin, hosts = _parse(text)
            for host in hosts:
                if self._by_host.setdefault(host, origin) != origin:
                    raise StartError(f"WHISP_ORIGINS names {host} twice, with http and with https.")
        self.all = frozenset(self._by_host.values())
        """The origins in canonical form."""

    def of_host(self, host: str) -> str | None:
        """Return the origin that was dialled, by the Host header; None when it is not one of ours."""
        return self._by_host.get(host) or self._by_host.get(host.lower())

    def is_allowed_host(self, host: str) -> bool:
        """Say whether the Host header names this server."""
        return self.of_host(host) is not None

    def is_allowed_origin(self, origin: str) -> bool:
        """Say whether a page of this origin may talk to this server: only its own may."""
        return origin in self.all


def _parse(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the canonical origin and the Host headers that mean it."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in _DEFAULT_PORTS or not host or not host.isascii() or not is_bare:
        raise StartError("WHISP_ORIGINS takes origins, such as https://chat.example, separated by commas.")
    default = _DEFAULT_PORTS[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    if port in (None, default):
        return f"{parts.scheme}://{name}", (name, f"{name}:{default}")
    return f"{parts.scheme}://{name}:{port}", (f"{name}:{port}",)

"""Whose address a request counts on: the peer's, unless the peer is a proxy we were told to trust."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

__all__ = ["ClientAddresses", "networks_of"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_PREFIX: Final = 64
"""What one IPv6 customer commands at the least: 2^64 addresses that count as one."""

SITE_PREFIX: Final = 48
"""What a customer may get for the asking: 65,536 of those networks."""

MAX_HOPS: Final = 16
"""Entries of X-Forwarded-For that are looked at, from the right."""


class ClientAddresses:
    """Tells the client's address. X-Forwarded-For counts as far as trusted proxies wrote it."""

    def __init__(self, trusted: Iterable[_Network]) -> None:
        self._trusted = tuple(trusted)

    def is_proxy(self, peer: str) -> bool:
        """Say whether the socket's other end is a trusted proxy."""
        address = _parse(peer)
        return address is not None and self._is_trusted(address)

    def of(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return the client's address from the socket's peer and the X-Forwarded-For headers, in order.

        Each proxy appends whom it heard from, so the list is read from the right; the first entry that is
        not a trusted proxy is the client. What stands left of it may be the client's own invention.
        """
        if not self._trusted or not forwarded_for or not self.is_proxy(peer):
            return peer
        client = peer
        hops = ",".join(forwarded_for).split(",")
        for hop in hops[: -MAX_HOPS - 1 : -1]:
            address = _parse(hop.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(address):
                break
        return client

    def _is_trusted(self, address: _Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def networks_of(address: str) -> tuple[str, ...]:
    """Return what `address` counts as, narrowest first: itself for IPv4; its /64 and its /48 for IPv6."""
    parsed = _parse(address)
    if parsed is None or parsed.version == 4:
        return (address if parsed is None else str(parsed),)
    return tuple(
        str(ipaddress.ip_network((parsed, prefix), strict=False)) for prefix in (HOST_PREFIX, SITE_PREFIX)
    )


def _parse(text: str) -> _Address | None:
    """Return the address, an IPv4-mapped one as the IPv4 address it is; None for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

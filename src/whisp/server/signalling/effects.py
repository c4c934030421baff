"""What the states of calls and peers ask for. They decide; `hub` performs."""

from dataclasses import dataclass
from typing import TypeAlias

from whisp.wire.ids import DeviceId, RouteId

__all__ = ["CloseRoute", "CountStray", "Effect", "Effects", "Identify", "OpenRoute", "Publish", "Send"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to a device; nothing happens while it has no socket."""

    device: DeviceId
    frame: bytes


@dataclass(frozen=True, slots=True)
class OpenRoute:
    """From now on, what `device` sends on `route` comes to `toward` on `toward_route`."""

    device: DeviceId
    route: RouteId
    toward: DeviceId
    toward_route: RouteId


@dataclass(frozen=True, slots=True)
class CloseRoute:
    """What `device` still sends on `route` is dropped."""

    device: DeviceId
    route: RouteId


@dataclass(frozen=True, slots=True)
class CountStray:
    """The frame just received was for a call or a route that is not its sender's."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Find out who the token of this HELLO speaks for."""

    token: str

    def __repr__(self) -> str:
        return "Identify(token=<redacted>)"


@dataclass(frozen=True, slots=True)
class Publish:
    """Put the sender online with these pre-key records."""

    records: tuple[bytes, ...]


Effect: TypeAlias = Send | OpenRoute | CloseRoute | CountStray | Identify | Publish
Effects: TypeAlias = tuple[Effect, ...]

"""From what the core says of how far contents got to what an application is told."""

from whisp.client.events import Delivered, Gap, Read, Undelivered
from whisp.core import events as core

__all__ = ["told_of"]


def told_of(
    event: core.Delivered | core.Read | core.Undelivered | core.Gap | core.ContentRefused,
) -> Delivered | Read | Undelivered | Gap:
    """Return the event for the application. A content that was refused is as lost as one that never came."""
    match event:
        case core.Delivered():
            return Delivered(event.up_to, event.first)
        case core.Read():
            return Read(event.up_to, event.first)
        case core.Undelivered():
            return Undelivered(event.last, event.first)
        case core.Gap():
            return Gap(event.count)
        case core.ContentRefused():
            return Gap(1)

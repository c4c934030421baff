"""What a conversation needs of the way its frames take."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["FrameHandler", "Transport"]

FrameHandler: TypeAlias = Callable[[bytes | memoryview], None]
"""Takes one frame that arrived, synchronously and in order. A view is valid during the call only."""


class Transport(Protocol):
    """Carries sealed frames to the other member. It keeps order, and may lose all that was under way."""

    def send(self, frame: bytes) -> None:
        """Queue one frame of up to MAX_RELAY_PAYLOAD_BYTES. Does nothing once closed."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether `drain` would wait."""
        ...

    async def drain(self) -> None:
        """Wait while too much is queued; returns at once when closed."""
        ...

    def pause_reading(self) -> None:
        """Stop taking frames in: they wait in the network, and in the end at the sender."""
        ...

    def resume_reading(self) -> None:
        """Take frames again."""
        ...

    def close(self) -> None:
        """Close it; what is queued may still leave."""
        ...

    def abort(self) -> None:
        """Cut it; what is queued is lost."""
        ...

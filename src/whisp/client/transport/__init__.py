"""Ways for a conversation's frames: relayed by the server, direct over TCP, in memory for tests."""

from whisp.client.transport.memory import MemoryTransport
from whisp.client.transport.relay import RelayTransport
from whisp.client.transport.transport import Transport

__all__ = ["MemoryTransport", "RelayTransport", "Transport"]

"""Who is online: a volatile table that look-ups consult instead of the database."""

from whisp.server.presence.memory import MemoryPresence
from whisp.server.presence.store import OnlineDevice, Presence

__all__ = ["MemoryPresence", "OnlineDevice", "Presence"]

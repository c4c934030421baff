"""What a finished handshake hands to the session, each secret in a type of its own."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from whisp.core.handshake.schedule import SessionKeys
from whisp.core.key_schedule import Secret
from whisp.wire.errors import LocalProtocolError

__all__ = ["Exporter", "HandshakeKey", "PqChainKey", "PqRootKey", "Role", "RootKey", "SessionSecrets"]


class HandshakeKey(Secret):
    """P2, or the MAC that CONFIRM must carry: dead when the handshake is over."""


class RootKey(Secret):
    """rk0, the Double Ratchet's first root key."""


class PqRootKey(Secret):
    """pr0, the first root of the KEM epochs."""


class PqChainKey(Secret):
    """pa0 or pb0, a first chain key of the KEM epochs."""


class Exporter(Secret):
    """What the session code and media keys are derived from."""


class Role(Enum):
    """Which side of the call this is. The initiator rang, and sends the first ratchet message."""

    INITIATOR = "initiator"
    RESPONDER = "responder"


@dataclass(slots=True, eq=False)
class SessionSecrets:
    """The secrets of one established call. Whoever receives it owns it, and wipes it."""

    role: Role
    sid: bytes
    """16 bytes, the same on both sides; never sent, never shown."""
    root_key: RootKey
    pq_root: PqRootKey
    pq_chain_a: PqChainKey
    """Initiator to responder."""
    pq_chain_b: PqChainKey
    """Responder to initiator."""
    exporter: Exporter
    ratchet_public_key: bytes
    """EK_b, 32 bytes: the responder's first ratchet key."""
    ratchet_private_key: X25519PrivateKey | None = field(default=None)
    """EK_b's private half, on the responder's side only."""

    @classmethod
    def of(
        cls,
        role: Role,
        keys: SessionKeys,
        ratchet_public_key: bytes,
        private_key: X25519PrivateKey | None = None,
    ) -> "SessionSecrets":
        """Wrap derived keys in their types."""
        return cls(
            role,
            keys.sid,
            RootKey(keys.root_key),
            PqRootKey(keys.pq_root),
            PqChainKey(keys.pq_chain_a),
            PqChainKey(keys.pq_chain_b),
            Exporter(keys.exporter),
            ratchet_public_key,
            private_key,
        )

    def wipe(self) -> None:
        """Wipe every secret and drop EK_b."""
        for secret in (self.root_key, self.pq_root, self.pq_chain_a, self.pq_chain_b, self.exporter):
            secret.wipe()
        self.ratchet_private_key = None
        self.sid = bytes(len(self.sid))

    def __repr__(self) -> str:
        return f"SessionSecrets(role={self.role.name}, <redacted>)"

    def __reduce__(self) -> NoReturn:
        raise LocalProtocolError("SessionSecrets are never stored")

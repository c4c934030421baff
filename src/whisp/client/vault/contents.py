"""What a vault holds: the own account and the pinned contacts, as MessagePack."""

import msgspec
from msgspec import Struct

from whisp.client.errors import DamagedVaultError

__all__ = ["StoredAccount", "StoredContact", "VaultContents"]


class StoredAccount(Struct):
    """The own account. Secret: never shown, never logged."""

    origin: str
    username: str
    seed: bytes
    """AK's seed, 32 bytes."""
    device_keys: bytes
    """As `DeviceKeys.export` wrote them."""
    certificate: bytes
    device_list: bytes
    is_confirmed: bool
    """Whether the server is known to have taken the registration."""

    def __repr__(self) -> str:
        return "StoredAccount(<redacted>)"


class StoredContact(Struct):
    """A pinned account: its key, its mark, and the highest device list seen of it."""

    username: str
    account: bytes
    verified: bool
    added: int
    list_version: int
    list_digest: bytes
    changed_to: bytes | None = None

    def __repr__(self) -> str:
        return "StoredContact(<redacted>)"


class VaultContents(Struct):
    """All of it. Unknown members of a younger minor version are ignored."""

    format: int = 1
    account: StoredAccount | None = None
    contacts: list[StoredContact] = []

    def __repr__(self) -> str:
        return "VaultContents(<redacted>)"

    @classmethod
    def decode(cls, encoded: bytes | None) -> "VaultContents":
        """Parse what `encode` made; nothing at all is an empty vault. Raises DamagedVaultError."""
        if not encoded:
            return cls()
        try:
            contents = msgspec.msgpack.decode(encoded, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise DamagedVaultError from None
        if contents.format != 1:
            raise DamagedVaultError("This vault was written by a newer version of Whisp.")
        return contents

    def encode(self) -> bytes:
        """Return the bytes to seal."""
        return msgspec.msgpack.encode(self)

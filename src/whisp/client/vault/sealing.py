"""The vault file's layout: an authenticated header, one AES-256-GCM box, a checksum.

| len | field |
|---|---|
| 8 | ``WHISPVLT`` |
| 1 | format = 1 |
| 1 | key source: 1 passphrase, 2 keyring |
| 4 + 4 + 4 | Argon2id memory in KiB, passes, lanes; zeros with a keyring |
| 16 | salt, or the key's name in the keyring |
| 12 | nonce, fresh for every save |
| n | AES-256-GCM over u32 length ‖ contents ‖ zeros to a multiple of 4 KiB; AD = all before |
| 32 | SHA-256 of all before |

The checksum covers public bytes only. It tells a damaged file from a wrong passphrase without helping a
guesser; whoever alters the file on purpose can mend it, and then both look like a wrong passphrase.
"""

import os
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from whisp.client.errors import DamagedVaultError, WrongPassphraseError
from whisp.wire.encoding import Reader, u8, u32
from whisp.wire.errors import MalformedError

__all__ = [
    "DEFAULT_COST",
    "MAX_COST",
    "MAX_VAULT_BYTES",
    "Header",
    "KeySource",
    "PassphraseCost",
    "VaultKey",
    "derive_from_passphrase",
    "open_sealed",
    "read_header",
    "seal",
]

_MAGIC: Final = b"WHISPVLT"
_FORMAT: Final = 1
_HEADER_BYTES: Final = 8 + 1 + 1 + 12 + 16
_NONCE_BYTES: Final = 12
_CHECKSUM_BYTES: Final = 32
_BLOCK: Final = 4096
"""Sizes are rounded up to this, so that the file does not count contacts."""

MAX_VAULT_BYTES: Final = 16 * 1024 * 1024
"""Tens of thousands of contacts; bounds what opening a foreign file can cost."""


class KeySource(IntEnum):
    """Where the key comes from."""

    PASSPHRASE = 1
    KEYRING = 2


@dataclass(frozen=True, slots=True)
class PassphraseCost:
    """What one guess at the passphrase costs: Argon2id's parameters (RFC 9106)."""

    memory_kib: int
    passes: int
    lanes: int


DEFAULT_COST: Final = PassphraseCost(64 * 1024, 3, 4)
"""RFC 9106's second recommended choice: 64 MiB suits a small box and is far beyond a fast hash."""

MAX_COST: Final = PassphraseCost(1024 * 1024, 16, 16)
"""More than this is refused when read: a hostile file must not hang or exhaust the machine."""


class VaultKey:
    """The 32-byte key of a vault. Shows nothing in its repr."""

    __slots__ = ("secret",)

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return "VaultKey(<redacted>)"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in clear at the front, and is authenticated."""

    source: KeySource
    cost: PassphraseCost
    salt: bytes
    """16 random bytes."""

    def encode(self) -> bytes:
        """Return the 38 bytes before the nonce."""
        cost = self.cost
        return (
            _MAGIC
            + u8(_FORMAT)
            + u8(self.source)
            + u32(cost.memory_kib)
            + u32(cost.passes)
            + u32(cost.lanes)
            + self.salt
        )


def read_header(encoded: bytes) -> Header:
    """Check the file's outside: magic, format, bounds, checksum. Raises DamagedVaultError."""
    least = _HEADER_BYTES + _NONCE_BYTES + _BLOCK + 16 + _CHECKSUM_BYTES
    if not least <= len(encoded) <= MAX_VAULT_BYTES + least:
        raise DamagedVaultError
    if sha256(encoded[:-_CHECKSUM_BYTES]).digest() != encoded[-_CHECKSUM_BYTES:]:
        raise DamagedVaultError
    reader = Reader(encoded)
    try:
        if reader.take(8) != _MAGIC or reader.u8() != _FORMAT:
            raise DamagedVaultError("This is not a vault this version of Whisp can read.")
        source = reader.enum(KeySource)
    except MalformedError:
        raise DamagedVaultError from None
    cost = PassphraseCost(reader.u32(), reader.u32(), reader.u32())
    if source is KeySource.PASSPHRASE and not (
        8 * cost.lanes <= cost.memory_kib <= MAX_COST.memory_kib
        and 1 <= cost.passes <= MAX_COST.passes
        and 1 <= cost.lanes <= MAX_COST.lanes
    ):
        raise DamagedVaultError("The vault asks for more work than any vault should.")
    return Header(source, cost, reader.take(16))


def derive_from_passphrase(passphrase: str, header: Header) -> VaultKey:
    """Derive the key with Argon2id. Slow by design; blocks."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    cost = header.cost
    derivation = Argon2id(
        salt=header.salt,
        length=32,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
    )
    return VaultKey(derivation.derive(passphrase.encode("utf-8", "surrogatepass")))


def seal(key: VaultKey, header: Header, contents: bytes) -> bytes:
    """Return the whole file for `contents`, under a fresh nonce."""
    padded = u32(len(contents)) + contents
    padded += bytes(-len(padded) % _BLOCK)
    front = header.encode() + os.urandom(_NONCE_BYTES)
    sealed = front + AESGCM(key.secret).encrypt(front[_HEADER_BYTES:], padded, front)
    return sealed + sha256(sealed).digest()


def open_sealed(key: VaultKey, encoded: bytes) -> bytes:
    """Return the contents of a file whose header was read.

    Raises:
        WrongPassphraseError: the key does not open it.
        DamagedVaultError: it opens, but holds no length that fits.
    """
    front = encoded[: _HEADER_BYTES + _NONCE_BYTES]
    box = encoded[_HEADER_BYTES + _NONCE_BYTES : -_CHECKSUM_BYTES]
    try:
        padded = AESGCM(key.secret).decrypt(front[_HEADER_BYTES:], box, front)
    except InvalidTag:
        raise WrongPassphraseError from None
    length = int.from_bytes(padded[:4], "big")
    if length > len(padded) - 4:
        raise DamagedVaultError
    return padded[4 : 4 + length]

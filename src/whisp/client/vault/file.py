"""A vault in one file, sealed with a passphrase or a key from the operating system's keyring."""

import contextlib
import fcntl
import os
import weakref
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from whisp.client.errors import (
    DamagedVaultError,
    LockedError,
    VaultError,
    VaultExistsError,
    VaultInUseError,
    VaultMissingError,
    WrongPassphraseError,
)
from whisp.client.vault.disk import Disk, replace_atomically
from whisp.client.vault.sealing import (
    DEFAULT_COST,
    MAX_VAULT_BYTES,
    Header,
    KeySource,
    PassphraseCost,
    VaultKey,
    derive_from_passphrase,
    open_sealed,
    read_header,
    seal,
)

__all__ = ["FileVault"]

_KEYRING_SERVICE: Final = "whisp vault"
_NO_COST: Final = PassphraseCost(0, 0, 0)
_READ_LIMIT: Final = MAX_VAULT_BYTES + 64 * 1024


class FileVault:
    """One sealed file, mode 0600, open in one process at a time.

    `create` and `open` make one and take a moment, as deriving the key is slow on purpose; like `save`
    they block, so call them off the event loop.
    """

    def __init__(self, path: Path, header: Header, key: VaultKey, contents: bytes, disk: Disk) -> None:
        """Use `create` or `open` instead."""
        self.path = path
        self._header = header
        self._key: VaultKey | None = key
        self._contents: bytes | None = contents
        self._disk = disk
        # One process at a time: two would each undo what the other pinned.
        self._unlock = weakref.finalize(self, os.close, _lock(path))

    def __repr__(self) -> str:
        return "FileVault(<redacted>)"

    @classmethod
    def create(
        cls,
        path: Path | str,
        passphrase: str,
        *,
        cost: PassphraseCost = DEFAULT_COST,
        disk: Disk | None = None,
    ) -> "FileVault":
        """Make a new, empty vault sealed with `passphrase`.

        Raises:
            VaultExistsError: something is there already.
            VaultError: the place cannot be written, or the passphrase is empty.
        """
        if not passphrase:
            raise VaultError("A vault needs a passphrase.")
        header = Header(KeySource.PASSPHRASE, cost, os.urandom(16))
        return cls._create(Path(path), header, derive_from_passphrase(passphrase, header), disk or Disk())

    @classmethod
    def create_with_keyring(cls, path: Path | str, *, disk: Disk | None = None) -> "FileVault":
        """Make a new, empty vault whose random key lives in the operating system's keyring.

        Raises:
            VaultExistsError: something is there already.
            VaultError: no keyring, or the place cannot be written.
        """
        import keyring
        from keyring.errors import KeyringError

        header = Header(KeySource.KEYRING, _NO_COST, os.urandom(16))
        key = VaultKey(os.urandom(32))
        try:
            keyring.set_password(_KEYRING_SERVICE, header.salt.hex(), b64encode(key.secret).decode("ascii"))
        except KeyringError:
            raise VaultError("There is no usable keyring on this system.") from None
        return cls._create(Path(path), header, key, disk or Disk())

    @classmethod
    def open(cls, path: Path | str, passphrase: str, *, disk: Disk | None = None) -> "FileVault":
        """Open a vault sealed with `passphrase`.

        Raises:
            VaultMissingError, VaultInUseError, DamagedVaultError: as they say.
            WrongPassphraseError: this passphrase does not open it.
        """
        encoded = _read(Path(path))
        header = read_header(encoded)
        if header.source is not KeySource.PASSPHRASE:
            raise VaultError("This vault opens with the keyring, not with a passphrase.")
        return cls._open(Path(path), encoded, header, derive_from_passphrase(passphrase, header), disk)

    @classmethod
    def open_with_keyring(cls, path: Path | str, *, disk: Disk | None = None) -> "FileVault":
        """Open a vault whose key lives in the keyring.

        Raises:
            VaultMissingError, VaultInUseError, DamagedVaultError: as they say.
            VaultError: no keyring, or it does not hold this vault's key.
        """
        import keyring
        from keyring.errors import KeyringError

        encoded = _read(Path(path))
        header = read_header(encoded)
        if header.source is not KeySource.KEYRING:
            raise VaultError("This vault opens with a passphrase, not with the keyring.")
        try:
            kept = keyring.get_password(_KEYRING_SERVICE, header.salt.hex())
        except KeyringError:
            raise VaultError("There is no usable keyring on this system.") from None
        if kept is None:
            raise VaultError("The keyring does not hold this vault's key.")
        try:
            return cls._open(Path(path), encoded, header, VaultKey(b64decode(kept)), disk)
        except (WrongPassphraseError, ValueError):
            raise DamagedVaultError("The keyring's key does not open this vault.") from None

    @staticmethod
    def needs_passphrase(path: Path | str) -> bool:
        """Say whether a passphrase opens the vault at `path`. Raises VaultError."""
        return read_header(_read(Path(path))).source is KeySource.PASSPHRASE

    def change_passphrase(self, passphrase: str, *, cost: PassphraseCost = DEFAULT_COST) -> None:
        """Seal with another passphrase from now on, under a fresh salt, and save. Raises VaultError."""
        if self._contents is None:
            raise LockedError
        if not passphrase:
            raise VaultError("A vault needs a passphrase.")
        header = Header(KeySource.PASSPHRASE, cost, os.urandom(16))
        self._write(header, derive_from_passphrase(passphrase, header), self._contents)

    def load(self) -> bytes | None:
        """Return what was saved last, None if nothing was. Raises LockedError after `forget`."""
        if self._contents is None:
            raise LockedError
        return self._contents or None

    def save(self, contents: bytes) -> None:
        """Replace the file: after a crash at any moment the old or the new contents open.

        Raises:
            VaultError: the disk is full or failed. The old contents open, or the new ones: never neither.
            LockedError: after `forget`.
        """
        key = self._key
        if key is None:
            raise LockedError
        self._write(self._header, key, contents)

    def forget(self) -> None:
        """Drop key and contents from memory and let another process open the file."""
        self._key = self._contents = None
        self._unlock()

    @classmethod
    def _create(cls, path: Path, header: Header, key: VaultKey, disk: Disk) -> "FileVault":
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_atomically(disk, path, seal(key, header, b""), must_be_new=True)
        except FileExistsError:
            raise VaultExistsError from None
        except OSError as error:
            raise VaultError(f"The vault cannot be written: {error.strerror}.") from None
        return cls(path, header, key, b"", disk)

    @classmethod
    def _open(
        cls, path: Path, encoded: bytes, header: Header, key: VaultKey, disk: Disk | None
    ) -> "FileVault":
        contents = open_sealed(key, encoded)
        vault = cls(path, header, key, contents, disk or Disk())
        _remove_leftovers(path)
        return vault

    def _write(self, header: Header, key: VaultKey, contents: bytes) -> None:
        if len(contents) > MAX_VAULT_BYTES:
            raise VaultError("The vault is full.")
        try:
            replace_atomically(self._disk, self.path, seal(key, header, contents))
        except OSError as error:
            raise VaultError(f"The vault cannot be saved: {error.strerror}.") from None
        self._header, self._key, self._contents = header, key, contents


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_READ_LIMIT + 1)
    except FileNotFoundError:
        raise VaultMissingError from None
    except OSError as error:
        raise VaultError(f"The vault cannot be read: {error.strerror}.") from None


def _lock(path: Path) -> int:
    """Return a descriptor that holds the vault's lock until it is closed. Raises VaultInUseError."""
    descriptor = os.open(
        path.parent / f".{path.name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise VaultInUseError from None
    return descriptor


def _remove_leftovers(path: Path) -> None:
    """Remove what a crashed save left: sealed, but stale."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink()

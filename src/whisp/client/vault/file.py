"""A vault in one file, sealed with a passphrase or a key from the operating system's keyring."""

from pathlib import Path

__all__ = ["FileVault"]


class FileVault:
    """One sealed file, mode 0600. `create` and `open` make one; deriving the key takes about a second."""

    path: Path

    @classmethod
    def create(cls, path: Path | str, passphrase: str) -> "FileVault":
        """Make a new vault sealed with `passphrase`. Blocks; call it off the loop.

        Raises:
            VaultExistsError: something is there already.
            VaultError: the place cannot be written.
        """
        raise NotImplementedError

    @classmethod
    def open(cls, path: Path | str, passphrase: str) -> "FileVault":
        """Open a vault. Blocks; call it off the loop.

        Raises:
            VaultMissingError, WrongPassphraseError, DamagedVaultError, VaultError.
        """
        raise NotImplementedError

    @classmethod
    def create_with_keyring(cls, path: Path | str) -> "FileVault":
        """Make a new vault whose random key lives in the operating system's keyring."""
        raise NotImplementedError

    @classmethod
    def open_with_keyring(cls, path: Path | str) -> "FileVault":
        """Open a vault whose key lives in the keyring."""
        raise NotImplementedError

    @staticmethod
    def needs_passphrase(path: Path | str) -> bool:
        """Say whether a passphrase opens the vault at `path`. Raises VaultError."""
        raise NotImplementedError

    def change_passphrase(self, passphrase: str) -> None:
        """Seal with another passphrase from now on, with a fresh salt, and save."""
        raise NotImplementedError

    def load(self) -> bytes | None:
        """Return what was saved last, None if nothing was. Raises VaultError."""
        raise NotImplementedError

    def save(self, contents: bytes) -> None:
        """Replace the file atomically: after a crash at any moment the old or the new one opens."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop key and contents from memory."""
        raise NotImplementedError

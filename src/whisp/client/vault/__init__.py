"""Where keys and contacts live: sealed in a file, or in memory only."""

from whisp.client.vault.file import FileVault
from whisp.client.vault.memory import MemoryVault
from whisp.client.vault.vault import Vault

__all__ = ["FileVault", "MemoryVault", "Vault"]

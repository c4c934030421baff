"""Where this person's Whisp lives on disk: the sealed vault, and the server it belongs to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DEFAULT_SERVER", "Profile", "download_folder"]

DEFAULT_SERVER: Final = "http://127.0.0.1:8790"


@dataclass(frozen=True, slots=True)
class Profile:
    """One account on this device: a folder only its owner can enter."""

    folder: Path

    @classmethod
    def find(cls, folder: Path | None, environment: Mapping[str, str] | None = None) -> "Profile":
        """Return the profile asked for, or the one in the user's data folder (XDG Base Directory 0.8)."""
        environment = os.environ if environment is None else environment
        if folder is None:
            data = environment.get("XDG_DATA_HOME", "")
            base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
            folder = base / "whisp"
        return cls(folder.expanduser())

    @property
    def vault(self) -> Path:
        """The sealed file."""
        return self.folder / "vault"

    @property
    def exists(self) -> bool:
        """Say whether there is a vault here."""
        return self.vault.exists()

    def make(self) -> None:
        """Create the folder, for its owner only."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def server(self, asked: str | None) -> str:
        """Return the server's origin: what was asked for, else the one registered with, else the default."""
        if asked:
            return asked
        try:
            remembered = (self.folder / "server").read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            remembered = ""
        return remembered or DEFAULT_SERVER

    def remember_server(self, origin: str) -> None:
        """Keep `origin` as this account's server, so that it need not be named again."""
        self.make()
        note = self.folder / "server"
        note.touch(mode=0o600)
        note.write_text(f"{origin}\n", "utf-8")

    def erase(self) -> None:
        """Remove vault, its lock and the server note. Nothing happens if they are gone already."""
        self.vault.unlink(missing_ok=True)
        (self.folder / f".{self.vault.name}.lock").unlink(missing_ok=True)
        (self.folder / "server").unlink(missing_ok=True)


def download_folder() -> Path:
    """Return where a person expects saved files: the download folder if there is one, else here."""
    downloads = Path.home() / "Downloads"
    return downloads if downloads.is_dir() else Path.cwd()

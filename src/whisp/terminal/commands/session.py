"""What every command begins with: the options all share, and an account opened by them."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from whisp.terminal import words
from whisp.terminal.exits import UsageError
from whisp.terminal.opening import Opener, needs_passphrase
from whisp.terminal.output import Output
from whisp.terminal.passphrase import Passphrase, ask, from_file
from whisp.terminal.profile import Profile

if TYPE_CHECKING:
    from whisp.client.client import Client

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """The shared options of one command line, and where its words go."""

    opener: Opener
    profile: Profile
    asked_server: str | None
    passphrase_file: Path | None
    output: Output

    @property
    def server(self) -> str:
        """The server's origin in force."""
        return self.profile.server(self.asked_server)

    def passphrase(self, *, is_new: bool = False, in_keyring: bool = False) -> Passphrase | None:
        """Return the passphrase for the vault, from the file named or from the person; None for the keyring.

        Raises:
            UsageError: there is none to be had.
            VaultError: there is no vault.
        """
        if in_keyring or (not is_new and not needs_passphrase(self.profile)):
            return None
        return self.passphrase_on_file() or ask(twice=is_new)

    def passphrase_on_file(self) -> Passphrase | None:
        """Return the passphrase from the file named, None if none is. Raises UsageError."""
        named = self.passphrase_file or _from_environment()
        return from_file(named) if named else None

    @asynccontextmanager
    async def account(self, *, online: bool = True) -> AsyncIterator["Client"]:
        """Open this profile's account, go online if asked, and close it at the end.

        Raises:
            UsageError: there is none yet.
            VaultError, AccountError, TransportError: as the SDK does.
        """
        if not self.profile.exists:
            raise UsageError(words.NO_ACCOUNT)
        passphrase = self.passphrase()
        async with await self.opener(self.profile, self.server, passphrase, False) as client:
            if online:
                await client.login()
            warnings = asyncio.create_task(self._pass_on_warnings(client))
            try:
                yield client
            finally:
                warnings.cancel()

    async def _pass_on_warnings(self, client: "Client") -> None:
        from whisp.client.events import ServerWarned
        from whisp.terminal.inert import inert_line

        async for event in client.events():
            if isinstance(event, ServerWarned):
                sentence = inert_line(event.sentence)
                self.output.tell(sentence)
                self.output.record("server_warned", warning=str(event.warning), about=event.about)


def _from_environment() -> Path | None:
    named = os.environ.get("WHISP_PASSPHRASE_FILE")
    return Path(named) if named else None

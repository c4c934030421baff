"""Opening an account: from a profile and a passphrase to a client, and nothing else knows how."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from whisp.client.client import Client
from whisp.client.errors import AccountError, RateLimitedError
from whisp.client.vault import FileVault
from whisp.terminal.passphrase import Passphrase
from whisp.terminal.profile import Profile

__all__ = ["Opener", "make_account", "needs_passphrase", "open_account"]

Opener: TypeAlias = "Callable[[Profile, str, Passphrase | None, bool], Awaitable[Client]]"
"""Opens (or, if the flag says so, makes) the vault of a profile: profile, server, passphrase, is new."""


def needs_passphrase(profile: Profile) -> bool:
    """Say whether opening takes a passphrase, or the operating system's keyring holds the key.

    Raises:
        VaultError: there is no vault, or it cannot be read.
    """
    return FileVault.needs_passphrase(profile.vault)


async def make_account(
    opener: Opener, profile: Profile, server: str, passphrase: Passphrase | None, username: str
) -> Client:
    """Make a vault and an account in it; return the entered client, not online yet.

    A vault without an account, left by a try whose outcome never arrived, is taken up again. One made here
    goes again if the server refused the name, so that the next try may choose another passphrase.

    Raises:
        VaultError, AccountError, TransportError: as the SDK does.
    """
    is_new = not profile.exists
    client = await opener(profile, server, passphrase, is_new)
    try:
        await client.__aenter__()
        await client.register(username)
    except BaseException as error:
        client.panic()
        if is_new and isinstance(error, AccountError | RateLimitedError):
            profile.erase()
        raise
    await asyncio.to_thread(profile.remember_server, server)
    return client


async def open_account(
    profile: Profile,
    server: str,
    passphrase: Passphrase | None,
    is_new: bool = False,
    *,
    allow_direct: bool = False,
    auto_busy: bool = False,
) -> Client:
    """Open the vault, or make one, and return a client on it that is not online yet.

    Without a passphrase the key is in the operating system's keyring. The work is done off the loop: sealing
    takes about a second on purpose.

    Raises:
        VaultError: wrong passphrase, damaged, missing, or already there.
    """

    def vault() -> FileVault:
        if is_new:
            profile.make()
            if passphrase is None:
                return FileVault.create_with_keyring(profile.vault)
            return FileVault.create(profile.vault, passphrase.reveal())
        if passphrase is None:
            return FileVault.open_with_keyring(profile.vault)
        return FileVault.open(profile.vault, passphrase.reveal())

    opened = await asyncio.to_thread(vault)
    return Client(server, opened, allow_direct=allow_direct, auto_busy=auto_busy)

"""`whisp register`, `whisp account`, `whisp delete-account`: the account itself."""

import sys

from whisp.terminal import words
from whisp.terminal.commands.session import Session
from whisp.terminal.exits import Exit, UsageError
from whisp.terminal.inert import inert_line
from whisp.terminal.opening import make_account
from whisp.wire.certificate import Certificate
from whisp.wire.device_list import DeviceList
from whisp.wire.errors import MalformedError
from whisp.wire.username import canonical, is_reserved

__all__ = ["delete", "register", "show"]


async def register(session: Session, name: str, *, in_keyring: bool) -> Exit:
    """Make keys, claim `name`, and seal both in a new vault.

    Raises:
        UsageError: the name is not legal. UsernameTakenError, VaultExistsError, TransportError: as they say.
    """
    try:
        wanted = canonical(name)
    except MalformedError as error:
        raise UsageError(words.NAME_RULE) from error
    if is_reserved(wanted):
        raise UsageError(words.NAME_TAKEN)
    output = session.output
    is_new = not session.profile.exists
    passphrase = session.passphrase(is_new=is_new, in_keyring=in_keyring and is_new)
    client = await make_account(session.opener, session.profile, session.server, passphrase, wanted)
    await client.close()
    output.say(f"You are {wanted}. {words.ACCOUNT_EXPLAINED}")
    output.record("registered", name=wanted, server=session.server)
    return Exit.OK


async def show(session: Session) -> Exit:
    """Print all that the server stores of this account, as it says itself."""
    output = session.output
    async with session.account() as client:
        stored = await client.account_data()
        devices = DeviceList.decode(stored.device_list)
        certificates = [Certificate.decode(encoded) for encoded in stored.certificates]
    output.say(f"Name         {inert_line(stored.username)}")
    output.say(f"Server       {session.server}")
    output.say(f"Account key  {devices.account.hex()}")
    output.say(f"Device list  version {devices.version}, {words.count(len(devices.active), 'active device')}")
    for certificate in certificates:
        kind = certificate.kind.name.lower()
        until = words.on_day(certificate.expires, certificate.created)
        output.say(f"Device       {certificate.device.hex()} ({kind}), until {until}")
    output.tell("That is all this server stores about you.")
    output.record(
        "account",
        name=stored.username,
        server=session.server,
        account=devices.account.hex(),
        list_version=devices.version,
        devices=[certificate.device.hex() for certificate in certificates],
    )
    return Exit.OK


async def delete(session: Session, *, confirmed: bool) -> Exit:
    """Erase the account on the server and the vault here, after the person typed the name.

    Raises:
        UsageError: it was not confirmed.
    """
    output = session.output
    if not confirmed and not sys.stdin.isatty():
        raise UsageError("Say --yes to erase without being asked.")
    async with session.account() as client:
        name = client.username
        if not confirmed:
            output.ask(f"This erases the account for good. Type {name} to go on: ")
            if sys.stdin.readline().strip() != name:
                output.tell("Nothing was erased.")
                return Exit.FAILURE
        await client.delete_account()
    session.profile.erase()
    output.say(words.erased(name))
    output.record("erased", name=name)
    return Exit.OK

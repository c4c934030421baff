"""`whisp contacts`, `whisp lookup`, `whisp safety`: who is known, who is there, and is it really them."""

import time

from whisp.client.errors import NotFoundError
from whisp.terminal import words
from whisp.terminal.commands.session import Session
from whisp.terminal.exits import Exit, UsageError
from whisp.terminal.inert import inert_line
from whisp.terminal.qr import half_blocks

__all__ = ["accept_new_key", "contacts", "forget", "lookup", "safety"]


async def contacts(session: Session) -> Exit:
    """Print everyone pinned on this device. Asks the server nothing."""
    output = session.output
    async with session.account(online=False) as client:
        for contact in client.contacts:
            state = "compared" if contact.verified else "not compared"
            if contact.changed_to is not None:
                state = "new key, compare first"
            since = words.on_day(contact.added, time.time())
            output.say(f"{inert_line(contact.username):<32}  {state}, since {since}")
            output.record(
                "contact",
                name=contact.username,
                verified=contact.verified,
                new_key=contact.changed_to is not None,
                added=contact.added,
            )
        if not client.contacts:
            output.tell("No one yet. Whoever you talk to is kept here, on this device only.")
    return Exit.OK


async def forget(session: Session, name: str) -> Exit:
    """Remove a contact. The next contact is a first contact."""
    async with session.account(online=False) as client:
        await client.forget(name)
    session.output.say(f"{inert_line(name)} is forgotten on this device.")
    return Exit.OK


async def lookup(session: Session, name: str) -> Exit:
    """Ask the server whether an exact name is online. Raises NotFoundError."""
    async with session.account() as client:
        if not await client.discover(name):
            raise NotFoundError
    session.output.say(f"{inert_line(name)} is online.")
    session.output.record("online", name=name)
    return Exit.OK


async def safety(session: Session, name: str, *, verify: bool, show_qr: bool) -> Exit:
    """Print the safety number shared with a contact; with `verify`, note that it was compared.

    Raises:
        UsageError: there is no such contact.
    """
    output = session.output
    async with session.account(online=False) as client:
        contact = client.contact(name)
        if contact is None:
            raise UsageError("You have not been in touch with that name yet, so there is nothing to compare.")
        number = client.safety_number(name)
        if verify:
            await client.mark_verified(name)
        groups = number.digits.split(" ")
        for start in range(0, len(groups), 4):
            output.say("   ".join(groups[start : start + 4]))
        if show_qr and not output.glyphs.is_ascii:
            output.say("")
            for row in half_blocks(number.qr):
                output.say(f"\x1b[30;107m{row}\x1b[0m" if output.has_colour else row)
        compared = verify or contact.verified
        shown = inert_line(name)
        output.tell(f"Compared with {shown}." if compared else words.first_contact(shown))
        output.record("safety_number", name=contact.username, digits=number.digits, verified=compared)
    return Exit.OK


async def accept_new_key(session: Session, name: str) -> Exit:
    """Go on with the changed key of a contact. Raises NotFoundError if none changed."""
    shown = inert_line(name)
    async with session.account(online=False) as client:
        await client.accept_new_key(name)
    session.output.say(f"{shown}’s new key is kept. {words.first_contact(shown)}")
    return Exit.OK

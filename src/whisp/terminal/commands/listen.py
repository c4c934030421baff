"""`whisp listen`: wait for rings, answer those one wants to, and talk in lines."""

import asyncio
import sys
from collections.abc import AsyncIterator

from whisp.client.errors import CallError, IdentityError
from whisp.client.ring import Ring
from whisp.terminal import words
from whisp.terminal.commands.line_chat import LineChat
from whisp.terminal.commands.session import Session
from whisp.terminal.exits import Exit, UsageError, explain
from whisp.terminal.inert import inert_line
from whisp.terminal.screen_guard import ScreenGuard
from whisp.terminal.stdin import read_lines
from whisp.wire.username import canonical

__all__ = ["answers", "run"]


async def run(session: Session, *, accept_all: bool, accept_from: tuple[str, ...], once: bool) -> Exit:
    """Wait for rings until interrupted, or, with `once`, until one conversation is over.

    Raises:
        UsageError: nobody is there to ask, and no rule says whom to accept.
    """
    wanted = frozenset(canonical(name) for name in accept_from)
    is_asking = not accept_all and not wanted
    if is_asking and not sys.stdin.isatty():
        raise UsageError("Say whom to accept with --accept-from NAME or --accept, or run in a terminal.")
    output = session.output
    lines = read_lines()
    async with session.account() as client:
        output.tell(f"{client.username} can be rung. Press Ctrl+C to stop.")
        output.record("listening", name=client.username)
        async for ring in client.rings():
            caller = inert_line(ring.caller)
            verified = "compared" if ring.is_verified else "not compared"
            output.tell(f"{words.calling(caller)} (safety number {verified})")
            output.record("ring", name=ring.caller, verified=ring.is_verified)
            if is_asking:
                accepts = await answers(ring, session, lines)
            else:
                accepts = accept_all or ring.caller in wanted
            if not accepts:
                await ring.decline()
                continue
            try:
                conversation = await ring.accept()
            except (CallError, IdentityError) as error:
                output.tell(explain(error)[1])
                continue
            with ScreenGuard():
                code = await LineChat(conversation, output, stay=True).run(lines)
            output.tell(words.GONE)
            if once:
                return code
    return Exit.OK


async def answers(ring: Ring, session: Session, lines: AsyncIterator[str]) -> bool:
    """Ask the person whether to accept; a ring that ends by itself counts as no."""
    session.output.ask("Accept? [y/N] ")
    asking = asyncio.ensure_future(anext(lines, ""))
    over = asyncio.create_task(ring.ended())
    try:
        await asyncio.wait((asking, over), return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            session.output.tell("\nIt stopped ringing.")
            return False
        return asking.result().strip().lower() in ("y", "yes")
    finally:
        over.cancel()
        asking.cancel()

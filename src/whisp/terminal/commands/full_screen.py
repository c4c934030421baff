"""`whisp`: the full-screen app."""

import asyncio
import os
import signal
import sys
import threading
from typing import Final

from whisp.terminal import words
from whisp.terminal.app import WhispApp
from whisp.terminal.commands.session import Session
from whisp.terminal.driver import CleanDriver
from whisp.terminal.exits import Exit, UsageError
from whisp.terminal.glyphs import choose as choose_glyphs
from whisp.terminal.quiet import hush, hush_loop
from whisp.terminal.theme import LIGHT
from whisp.terminal.theme import choose as choose_theme

__all__ = ["run_app"]

_LEAVE_SECONDS: Final = 3.0
"""After a signal to end: then the process goes, whatever still holds it."""


def run_app(session: Session, *, light: bool, lock_after: float) -> int:
    """Run the app until the person leaves; the last words are on the ordinary screen.

    Raises:
        UsageError: there is no terminal. Whatever fault the app found is raised again, for one sentence.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("The app needs a terminal. In scripts use whisp chat, whisp listen or whisp send.")
    app = WhispApp(
        session.profile,
        session.server,
        session.opener,
        choose_glyphs(encoding=sys.stderr.encoding),
        passphrase=session.passphrase_on_file(),
        is_light=light or choose_theme() is LIGHT,
        lock_after=lock_after,
        driver_class=CleanDriver,
    )
    hush()
    asyncio.run(_run(app))
    if app.has_talked:
        print(app.glyphs.say(words.GONE), file=sys.stderr)
    if app.fault is not None:
        raise app.fault
    return app.return_value if app.return_value is not None else Exit.OK


async def _run(app: WhispApp) -> None:
    hush_loop(app.report_fault)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _leave, app)
    loop.add_signal_handler(signal.SIGHUP, _vanish, app)
    await app.run_async()


def _leave(app: WhispApp) -> None:
    """Leave in order, but not later than `_LEAVE_SECONDS`."""
    deadline = threading.Timer(_LEAVE_SECONDS, os._exit, (int(Exit.INTERRUPTED),))
    deadline.daemon = True
    deadline.start()
    app.exit(int(Exit.INTERRUPTED))


def _vanish(app: WhispApp) -> None:
    """The terminal is gone, and nothing can be put in order there: say goodbye to the peer, and end."""
    _leave(app)

    async def go() -> None:
        await app.calls.say_goodbye()
        os._exit(int(Exit.INTERRUPTED))

    app.goodbye = asyncio.create_task(go())

"""`whisp`: the full-screen app."""

import asyncio
import signal
import sys

from whisp.terminal import words
from whisp.terminal.app import WhispApp
from whisp.terminal.commands.session import Session
from whisp.terminal.driver import CleanDriver
from whisp.terminal.exits import Exit, UsageError
from whisp.terminal.glyphs import choose as choose_glyphs
from whisp.terminal.theme import LIGHT
from whisp.terminal.theme import choose as choose_theme

__all__ = ["run_app"]


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
        is_light=light or choose_theme() is LIGHT,
        lock_after=lock_after,
        driver_class=CleanDriver,
    )
    asyncio.run(_run(app))
    if app.has_talked:
        print(app.glyphs.say(words.GONE), file=sys.stderr)
    if app.fault is not None:
        raise app.fault
    return app.return_value if app.return_value is not None else Exit.OK


async def _run(app: WhispApp) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(number, lambda: app.exit(int(Exit.INTERRUPTED)))
    await app.run_async()

"""Runs the server: `whisp serve`, `python -m whisp.server`, and a server inside a test."""

import asyncio
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import uvicorn
import uvloop

from whisp.server.app import Application, build_app
from whisp.server.config import Settings
from whisp.server.errors import StartError

__all__ = ["RunningServer", "running", "serve"]

DRAIN_SECONDS: Final = 5
"""After a signal to stop: what is under way may finish for so long."""

BACKLOG: Final = 4096
"""Connections that wait to be accepted: what comes back at once after a restart."""

MAX_FILES: Final = 65_536
"""Open files asked for, if the system allows: one a connection, and some."""

_log = logging.getLogger("whisp.server")


def serve(
    *, host: str | None = None, port: int | None = None, data: Literal["none"] | Path | None = None
) -> None:
    """Run a server until it is told to stop (SIGINT, SIGTERM). What is not given comes from the environment.

    The word `none` keeps all data in memory; a folder of that name is `Path("none")`.

    Raises:
        StartError: it cannot start; the sentence says why.
    """
    settings = Settings.read(host=host, port=port, data=data)
    with _log_to(sys.stderr), _sole_user(settings.data), _listening(settings) as listener:
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        _raise_file_limit()
        application = build_app(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(application, settings, listener))


class RunningServer:
    """A server that listens: where, and what it is made of."""

    def __init__(self, settings: Settings, application: Application) -> None:
        self.port = settings.port
        self.origin = settings.known_origins[0]
        self.application = application


@asynccontextmanager
async def running(settings: Settings | None = None) -> AsyncIterator[RunningServer]:
    """Run a server in this loop, by default on a free port with nothing on disk.

    For tests and for programs that bring their own server. Signals stay with the caller.

    Raises:
        StartError: it cannot start.
    """
    settings = settings or Settings(port=0, data=None, origins=())
    with _listening(settings) as listener:
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        application = build_app(settings)
        server = _Server(_config(application))
        await application.start()
        task = asyncio.create_task(server.listen(listener))
        try:
            yield RunningServer(settings, application)
        finally:
            server.should_exit = True
            await task
            await application.stop()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers and lifespan: the caller has its own."""

    async def listen(self, listener: socket.socket) -> None:
        """Serve until `should_exit`."""
        await self._serve([listener])


async def _serve(application: Application, settings: Settings, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_shape)
    await application.start()
    server = _Server(_config(application))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.handle_exit, number, None)
    try:
        _greet(settings)
        await server.listen(listener)
    finally:
        await application.stop()


def _config(application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        **{**application.uvicorn_options, "lifespan": "off"},
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        _refuse_address(settings, error)
    with listener:
        listener.setblocking(False)
        yield listener


def _refuse_address(settings: Settings, error: OSError) -> NoReturn:
    reason = "it is in use by another program" if error.errno == 98 else (error.strerror or "it is not ours")
    raise StartError(f"Port {settings.port} of {settings.host} cannot be used: {reason}.") from None


@contextmanager
def _sole_user(data: Path | None) -> Iterator[None]:
    """Hold the data folder: two servers on one database would not know of each other's calls."""
    if data is None:
        yield
        return
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(f"The data folder {data} cannot be used: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartError(f"Another server uses the data folder {data}.") from None
    else:
        yield
    finally:
        os.close(lock)


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _greet(settings: Settings) -> None:
    where = "in memory; it ends with this process" if settings.data is None else str(settings.data.absolute())
    sys.stdout.write(
        f"Whisp answers at {settings.known_origins[0]}\nData: {where}\nCtrl+C stops the server.\n"
    )
    sys.stdout.flush()


@contextmanager
def _log_to(stream: Any) -> Iterator[None]:
    """Log shapes: what kind of thing happened, when. uvicorn's own lines name paths and addresses."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Shapes("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M"))
    ours, foreign = logging.getLogger("whisp"), [logging.getLogger(name) for name in _FOREIGN]
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    for logger in foreign:
        logger.disabled = True
    try:
        yield
    finally:
        ours.removeHandler(handler)
        for logger in foreign:
            logger.disabled = False


_FOREIGN: Final = ("uvicorn.error", "uvicorn.access", "asyncio", "sqlalchemy", "alembic")


class _Shapes(logging.Formatter):
    """Leaves tracebacks out: their last lines repeat what an error was about."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Say only the kind."""
        return f"({ei[0].__name__})"

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        """Say nothing."""
        return ""


def _log_shape(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of a callback by kind; asyncio would print what it worked on."""
    _log.error("an error in the loop: %s", type(context.get("exception")).__name__)

"""The one door to the database: reading, writing, and leaving nothing behind.

SQLite needs care that others do not: pages of deleted rows are overwritten (`secure_delete`), the write-ahead
log is emptied after an erasure and at the end, files are the owner's alone, and writers queue here, not
in SQLite's busy handler, which sleeps for up to a tenth of a second between tries.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from whisp.server.errors import StartError, UnavailableError
from whisp.server.storage.migrate import migrate

__all__ = ["Database"]

POOL_CONNECTIONS: Final = 4
"""One writer and a few readers; each is a thread of its own."""

BUSY_MILLISECONDS: Final = 5000
"""How long SQLite waits for another process, such as a backup, before a request is refused."""

MAX_CHECKED_BYTES: Final = 64 * 1024 * 1024
"""Databases up to this size (200,000 accounts) are checked for damage at every start; it takes 0.1 s."""

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # what was answered with 2xx survives a power cut
    "secure_delete=ON",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_MILLISECONDS}",
    "temp_store=MEMORY",
    "trusted_schema=OFF",
)


class Database:
    """A pool of connections. `start` it in the loop that uses it, and `close` it there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: AsyncEngine | None = None
        self._writing: AbstractAsyncContextManager[Any] = nullcontext()
        self._is_sqlite = False
        self._owes_emptying = False

    async def start(self) -> None:
        """Open the database, make it if there is none, and bring it to the newest revision.

        Raises:
            StartError: it cannot be opened, is damaged, or is from a newer version.
        """
        try:
            self._engine = self._open()
            async with self.write() as connection:
                if self._is_sqlite:
                    await _check(connection)
                await connection.run_sync(migrate)
        except UnavailableError:
            raise StartError("The database cannot be opened now. Is it in use by another program?") from None
        except (SQLAlchemyError, OSError) as error:
            raise StartError(_reason(error)) from None
        await self.empty_log()

    async def close(self) -> None:
        """Empty the write-ahead log and close every connection."""
        if self._engine is not None:
            await self.empty_log()
            await self._engine.dispose()
            self._engine = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection that sees one moment of the database.

        Raises:
            UnavailableError: the database does not answer.
        """
        async with _failing_plainly(), self._live().connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction, committed at the end, undone if the block raises.

        Raises:
            UnavailableError: the database does not answer, or has no room.
        """
        async with _failing_plainly(), self._writing, self._live().connect() as connection:
            await connection.execution_options(whisp_writes=True)
            async with connection.begin():
                yield connection

    async def is_ready(self) -> bool:
        """Say whether the database answers."""
        try:
            async with self.read() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except UnavailableError:
            return False
        return True

    async def empty_log(self) -> None:
        """Move the write-ahead log into the database and cut it to nothing, so that it keeps no old pages.

        While somebody reads it cannot be cut; `tidy` tries again.
        """
        if not self._is_sqlite:
            return
        try:
            async with self._writing, self._live().connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
                    is_busy, _, _ = await cursor.fetchone()
                self._owes_emptying = bool(is_busy)
        except (DBAPIError, sqlite3.Error):
            self._owes_emptying = True

    async def tidy(self) -> None:
        """Finish what `empty_log` could not."""
        if self._owes_emptying:
            await self.empty_log()

    def _live(self) -> AsyncEngine:
        if self._engine is None:
            raise UnavailableError("The database is closed.")
        return self._engine

    def _open(self) -> AsyncEngine:
        try:
            url = make_url(self._url)
            self._is_sqlite = url.get_backend_name() == "sqlite"
            if self._is_sqlite:
                self._writing = asyncio.Lock()
                _prepare_file(url.database)
            in_memory = self._is_sqlite and url.database in (None, "", ":memory:")
            engine = create_async_engine(
                url,
                hide_parameters=True,  # or an error's text would hold usernames and keys
                poolclass=AsyncAdaptedQueuePool,
                pool_size=1 if in_memory else POOL_CONNECTIONS,
                max_overflow=0,
            )
        except (ArgumentError, NoSuchModuleError, ImportError):
            raise StartError("WHISP_DATABASE is not the URL of a database that can be used here.") from None
        if self._is_sqlite:
            event.listen(engine.sync_engine, "connect", _prepare_connection)
            event.listen(engine.sync_engine, "begin", _begin)
        return engine


@asynccontextmanager
async def _failing_plainly() -> AsyncIterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError:
        raise UnavailableError("Storage cannot do this now.") from None
    except TimeoutError:
        raise UnavailableError("Storage is busy.") from None


def _prepare_file(database: str | None) -> None:
    """Make the file before SQLite does, so that nobody else can ever read it. The log takes after it."""
    if database in (None, "", ":memory:"):
        return
    file = Path(str(database))
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    file.chmod(0o600)


def _prepare_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, see `_begin`
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Any) -> None:
    # A transaction that begins by reading and then writes fails when another wrote in between.
    writes = connection.get_execution_options().get("whisp_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def _check(connection: AsyncConnection) -> None:
    pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar() or 0
    size = (await connection.exec_driver_sql("PRAGMA page_size")).scalar() or 0
    if pages * size <= MAX_CHECKED_BYTES:
        verdict = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar()
        if verdict != "ok":
            raise StartError(_DAMAGED)


_DAMAGED: Final = "The database is damaged. Restore a backup, or move the file away to begin anew."

_SENTENCES: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (lambda text: "not a database" in text or "malformed" in text, _DAMAGED),
    (lambda text: "disk is full" in text, "The disk is full."),
    (lambda text: "readonly" in text, "The database cannot be written to."),
)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The database cannot be opened: {error.strerror}."
    original = str(getattr(error, "orig", "")).lower()
    for fits, sentence in _SENTENCES:
        if fits(original):
            return sentence
    return "The database cannot be opened."

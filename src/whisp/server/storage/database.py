"""The one door to the database: reading, writing, and leaving nothing behind.

A transaction is a plain function that runs in a thread of its own, from its first statement to the commit
(docs/decisions/0004-the-gate.md has the figures). SQLite needs care that others do not: pages of deleted rows
are overwritten (`secure_delete`), the write-ahead log is emptied after an erasure and at the end, files are
the owner's alone, and writers queue here, not in SQLite's busy handler, which sleeps up to 0.1 s at a time.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.pool import QueuePool, StaticPool

from whisp.server.errors import StartError, UnavailableError
from whisp.server.storage.migrate import migrate

__all__ = ["Database"]

READERS: Final = 3
"""Threads that read, each with a connection; one more writes."""

MAX_WAITING: Final = 1024
"""Transactions that wait for a thread. Beyond it the answer is "not now", at once."""

BUSY_MILLISECONDS: Final = 5000
"""How long SQLite waits for another process, such as a backup, before a request is refused."""

MAX_CHECKED_BYTES: Final = 64 * 1024 * 1024
"""Databases up to this size (60,000 accounts) are checked for damage at every start; it takes 0.1 s."""

_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",  # what was answered with 2xx survives a power cut
    "secure_delete=ON",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_MILLISECONDS}",
    "temp_store=MEMORY",
    "trusted_schema=OFF",
)

_Result = TypeVar("_Result")


class Database:
    """Connections and threads. `start` it before use, and `close` it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._is_sqlite = False
        self._owes_emptying = False
        self._cannot_write = False
        self._waiting = 0
        self._writer = ThreadPoolExecutor(1, "whisp-write")
        self._readers = ThreadPoolExecutor(READERS, "whisp-read")

    async def start(self) -> None:
        """Open the database, make it if there is none, and bring it to the newest revision.

        Raises:
            StartError: it cannot be opened, is damaged, or is from a newer version.
        """
        try:
            self._engine = self._open()
            await self.write(self._prepare)
        except UnavailableError as error:
            raise StartError(_reason(error.__context__)) from None
        except (SQLAlchemyError, OSError) as error:
            raise StartError(_reason(error)) from None
        await self.empty_log()

    async def close(self) -> None:
        """Empty the write-ahead log and close every connection."""
        if self._engine is not None:
            await self.empty_log()
            self._engine.dispose()
            self._engine = None
        self._writer.shutdown(wait=False)
        self._readers.shutdown(wait=False)

    async def read(self, work: Callable[[Connection], _Result]) -> _Result:
        """Return what `work` finds, in a transaction that sees one moment of the database.

        Raises:
            UnavailableError: the database does not answer.
        """
        return await self._in_thread(self._readers, self._transact, work, False)

    async def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """Return what `work` returns once its changes are committed; if it raises, they are undone.

        Raises:
            UnavailableError: the database does not answer, or has no room.
        """
        return await self._in_thread(self._writer, self._transact, work, True)

    async def is_ready(self) -> bool:
        """Say whether the database answers, and takes changes: after one failed, another is tried here.

        A database that somebody else has locked is ready: writers wait for it, and readers go on.
        """
        try:
            await self.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())
            if self._cannot_write:
                await self.write(lambda connection: connection.exec_driver_sql(_CHANGE_NOTHING))
        except UnavailableError:
            return False
        return True

    async def empty_log(self) -> None:
        """Move the write-ahead log into the database and cut it to nothing, so that it keeps no old pages.

        While somebody reads it cannot be cut; `tidy` tries again.
        """
        if self._is_sqlite:
            await self._in_thread(self._writer, self._truncate)

    async def tidy(self) -> None:
        """Finish what `empty_log` could not."""
        if self._owes_emptying:
            await self.empty_log()

    async def _in_thread(
        self, threads: ThreadPoolExecutor, work: Callable[..., _Result], *arguments: Any
    ) -> _Result:
        if self._waiting >= MAX_WAITING or self._engine is None:
            raise UnavailableError("Storage is busy.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work, *arguments)
        finally:
            self._waiting -= 1

    # In a thread

    def _transact(self, work: Callable[[Connection], _Result], writes: bool) -> _Result:
        try:
            with self._live().execution_options(whisp_writes=writes).begin() as connection:
                result = work(connection)
        except IntegrityError:
            raise
        except DBAPIError as error:
            self._cannot_write |= writes and not _is_locked(error)
            raise UnavailableError("Storage cannot do this now.")  # noqa: B904 - `start` reads the context
        self._cannot_write &= not writes
        return result

    def _prepare(self, connection: Connection) -> None:
        if self._is_sqlite:
            _check(connection)
        migrate(connection)

    def _truncate(self) -> None:
        try:
            with self._live().connect() as connection:
                driver: Any = connection.connection.driver_connection
                is_busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._owes_emptying = bool(is_busy)
        except (DBAPIError, sqlite3.Error):
            self._owes_emptying = True

    def _live(self) -> Engine:
        if self._engine is None:
            raise UnavailableError("The database is closed.")
        return self._engine

    def _open(self) -> Engine:
        try:
            url = make_url(self._url)
            self._is_sqlite = url.get_backend_name() == "sqlite"
            in_memory = self._is_sqlite and url.database in (None, "", ":memory:")
            if in_memory:
                self._readers = self._writer  # one connection holds the database, one thread uses it
            elif self._is_sqlite:
                _prepare_file(Path(str(url.database)))
            pool: dict[str, Any] = (
                {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
                if in_memory
                else {"poolclass": QueuePool, "pool_size": READERS + 1, "max_overflow": 0}
            )
            # An error's text would hold usernames and keys, if it showed the parameters.
            engine = create_engine(url, hide_parameters=True, **pool)
        except (ArgumentError, NoSuchModuleError, ImportError):
            raise StartError("WHISP_DATABASE is not the URL of a database that can be used here.") from None
        if self._is_sqlite:
            event.listen(engine, "connect", _prepare_connection)
            event.listen(engine, "begin", _begin)
        return engine


def _prepare_file(file: Path) -> None:
    """Make the file before SQLite does, so that nobody else can ever read it. The log takes after it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    file.chmod(0o600)


def _prepare_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, see `_begin`
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes fails when another wrote in between.
    writes = connection.get_execution_options().get("whisp_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check(connection: Connection) -> None:
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar() or 0
    size = connection.exec_driver_sql("PRAGMA page_size").scalar() or 0
    if pages * size <= MAX_CHECKED_BYTES:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if verdict != "ok":
            raise StartError(_DAMAGED)


_CHANGE_NOTHING: Final = "UPDATE alembic_version SET version_num = version_num"
"""Writes a page, and leaves every value as it was."""


def _is_locked(error: DBAPIError) -> bool:
    code: int = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


_DAMAGED: Final = "The database is damaged. Restore a backup, or move the file away to begin anew."

_SENTENCES: Final = {
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "disk is full": "The disk is full.",
    "readonly": "The database cannot be written to.",
    "locked": "The database is locked by another program.",
}


def _reason(error: BaseException | None) -> str:
    if isinstance(error, OSError):
        return f"The database cannot be opened: {error.strerror}."
    original = str(getattr(error, "orig", "")).lower()
    fitting = (sentence for text, sentence in _SENTENCES.items() if text in original)
    return next(fitting, "The database cannot be opened.")

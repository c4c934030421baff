"""Storage: what it keeps, what it forgets, and what it says when it cannot."""

import asyncio
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select

from whisp.server.errors import StartError, UnavailableError
from whisp.server.storage import database as database_module
from whisp.server.storage.database import Database
from whisp.server.storage.tables import claimed_names


def add(digest: bytes) -> Callable[[Connection], None]:
    """Return a transaction that claims a name."""

    def work(connection: Connection) -> None:
        connection.execute(insert(claimed_names).values(digest=digest))

    return work


def names(connection: Connection) -> list[bytes]:
    """Return every claimed name."""
    return sorted(connection.execute(select(claimed_names.c.digest)).scalars())


async def opened(folder: Path, **_: object) -> Database:
    """Return a database on disk."""
    database = Database(f"sqlite:///{folder / 'whisp.db'}")
    await database.start()
    return database


async def test_what_is_written_is_there_after_a_restart(tmp_path: Path) -> None:
    database = await opened(tmp_path)
    await database.write(add(b"a"))
    await database.close()
    database = await opened(tmp_path)
    assert await database.read(names) == [b"a"]
    await database.close()


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = await opened(tmp_path)

    def work(connection: Connection) -> None:
        connection.execute(insert(claimed_names).values(digest=b"a"))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    assert await database.read(names) == []
    await database.close()


async def test_many_writers_and_readers_take_turns(tmp_path: Path) -> None:
    database = await opened(tmp_path)

    def count_up(connection: Connection) -> None:
        taken = names(connection)
        connection.execute(insert(claimed_names).values(digest=len(taken).to_bytes(2, "big")))

    await asyncio.gather(
        *(database.write(count_up) for _ in range(40)), *(database.read(names) for _ in range(40))
    )
    assert len(await database.read(names)) == 40
    await database.close()


async def test_memory_is_one_database_and_ends_with_it() -> None:
    database = Database("sqlite://")
    await database.start()
    await asyncio.gather(*(database.write(add(bytes([n]))) for n in range(20)))
    assert len(await database.read(names)) == 20
    await database.close()
    other = Database("sqlite://")
    await other.start()
    assert await other.read(names) == []
    await other.close()


async def test_its_files_are_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    database = await opened(folder)
    await database.write(add(b"a"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert len(files) >= 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await database.close()


async def test_a_file_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "whisp.db").touch(0o644)
    database = await opened(tmp_path)
    assert stat.S_IMODE((tmp_path / "whisp.db").stat().st_mode) == 0o600
    await database.close()


async def test_deleted_rows_are_in_no_file(tmp_path: Path) -> None:
    canary, control = b"CNRY-deleted-row-0123456789abcdef", b"CNRY-kept-row-0123456789abcdefgh"
    database = await opened(tmp_path)
    await database.write(add(canary))
    await database.write(add(control))
    await database.empty_log()
    await database.write(lambda c: c.execute(delete(claimed_names).where(claimed_names.c.digest == canary)))
    await database.empty_log()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert control in content
    assert canary not in content
    assert (tmp_path / "whisp.db-wal").stat().st_size == 0
    await database.close()


async def test_a_log_that_could_not_be_emptied_is_emptied_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_PRAGMAS", ("journal_mode=WAL", "busy_timeout=10"))
    database = await opened(tmp_path)
    reader = sqlite3.connect(tmp_path / "whisp.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM claimed_names").fetchall()
    await database.write(add(b"a"))
    await database.empty_log()
    assert (tmp_path / "whisp.db-wal").stat().st_size > 0
    reader.close()
    await database.tidy()
    assert (tmp_path / "whisp.db-wal").stat().st_size == 0
    await database.close()


async def test_a_locked_database_is_unavailable_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_PRAGMAS", ("journal_mode=WAL", "busy_timeout=10"))
    database = await opened(tmp_path)
    other = sqlite3.connect(tmp_path / "whisp.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError):
        await database.write(add(b"a"))
    assert await database.read(names) == []  # readers go on
    assert await database.is_ready()
    other.close()
    await database.write(add(b"a"))
    await database.close()


async def test_too_many_who_wait_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "MAX_WAITING", 3)
    database = Database("sqlite://")
    await database.start()
    may_go = threading.Event()
    waiting = [asyncio.create_task(database.write(lambda c: may_go.wait(5))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await database.read(names)
    may_go.set()
    await asyncio.gather(*waiting)
    assert await database.read(names) == []
    await database.close()


async def test_a_closed_database_is_unavailable() -> None:
    database = Database("sqlite://")
    assert not await database.is_ready()
    with pytest.raises(UnavailableError):
        await database.read(names)
    await database.close()


async def test_errors_show_no_values(tmp_path: Path) -> None:
    database = await opened(tmp_path)
    await database.write(add(b"CNRY-in-a-parameter"))
    with pytest.raises(Exception, match="UNIQUE") as caught:
        await database.write(add(b"CNRY-in-a-parameter"))
    assert "CNRY" not in str(caught.value) + repr(caught.value)
    await database.close()


def damaged(file: Path) -> None:
    file.write_bytes(b"not a database at all, but long enough to look at" * 100)


def torn(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 200)
    connection.commit()
    connection.close()
    content = bytearray(file.read_bytes())
    content[8192:16384] = b"\xff" * 8192
    file.write_bytes(content)


def newer(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.commit()
    connection.close()


def a_folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [(damaged, "damaged"), (torn, "damaged"), (newer, "newer Whisp"), (a_folder, "cannot be opened")],
)
async def test_a_database_that_cannot_be_used_is_told_in_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(tmp_path / "whisp.db")
    database = Database(f"sqlite:///{tmp_path / 'whisp.db'}")
    with pytest.raises(StartError, match=sentence) as caught:
        await database.start()
    assert str(caught.value).endswith(".")
    await database.close()


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://u:CNRY@h/d", "sqlite+nothing://", "postgresql+none://u:CNRY@h/d"]
)
async def test_a_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    database = Database(url)
    with pytest.raises(StartError, match="WHISP_DATABASE") as caught:
        await database.start()
    assert "CNRY" not in str(caught.value)
    await database.close()

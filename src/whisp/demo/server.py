"""The demo's server, in a process of its own: it prints its origin, and a census when asked for one.

Everything is as in `whisp serve`, with its data in a folder that is removed at the end.
"""

import asyncio
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import msgspec

from whisp.demo.script import Census
from whisp.server.config import Settings
from whisp.server.serve import RunningServer, running

__all__ = ["serve"]


async def serve(folder: Path) -> None:
    """Serve with the data in `folder` until stdin ends; answer each line on it with a census."""
    settings = Settings.read(port=0, data=folder)
    async with running(settings) as server:
        _answer(server.origin)
        while await asyncio.to_thread(sys.stdin.readline):
            _answer(_count(server, folder))


def _count(server: RunningServer, folder: Path) -> Census:
    """Count rows in the database file itself, and entries in the memory of every part."""
    with closing(sqlite3.connect(f"file:{folder / 'whisp.db'}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {
            name: int(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608 - own names
            for name in names
        }
    rows.pop("alembic_version", None)
    return Census(rows, dict(server.application.counts()))


def _answer(value: str | Census) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run until the parent is done."""
    with tempfile.TemporaryDirectory(prefix="whisp-demo-") as folder:
        asyncio.run(serve(Path(folder)))


if __name__ == "__main__":
    main()

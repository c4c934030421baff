"""Migrations: up, down and up again, the same tables as in the code, and nothing done by halves."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, inspect

from whisp.server.errors import StartError
from whisp.server.storage import migrations
from whisp.server.storage.migrate import current_revision, migrate
from whisp.server.storage.tables import metadata


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection to an empty database, in a transaction that holds what DDL does."""
    engine = create_engine(f"sqlite:///{tmp_path / 'm.db'}")
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as open_connection:
        yield open_connection
    engine.dispose()


def tables(connection: Connection) -> set[str]:
    """Return the tables there are, but Alembic's own."""
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again(connection: Connection) -> None:
    assert current_revision(connection) is None
    for _ in range(2):
        migrate(connection)
        assert current_revision(connection) == migrations.HEAD
        assert tables(connection) == set(metadata.tables)
        migrate(connection, "base")
        assert current_revision(connection) is None
        assert tables(connection) == set()


def test_the_steps_lead_to_the_tables_in_the_code(connection: Connection) -> None:
    migrate(connection)
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_step_is_known_without_alembic() -> None:
    folder = Path(migrations.__file__).parent
    steps = [step.revision for step in ScriptDirectory(str(folder)).walk_revisions()]
    assert tuple(reversed(steps)) == migrations.KNOWN


def test_a_start_at_the_newest_revision_loads_no_alembic(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    monkeypatch.setitem(sys.modules, "alembic", None)
    migrate(connection)


def test_a_step_that_fails_leaves_the_database_as_it_was(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.create_index", fail)
        with pytest.raises(RuntimeError), connection.begin():
            migrate(connection)
    assert tables(connection) == set()
    connection.rollback()
    with connection.begin():
        migrate(connection)
    assert tables(connection) == set(metadata.tables)


def test_a_newer_database_is_left_alone(connection: Connection) -> None:
    migrate(connection)
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartError, match="newer"):
        migrate(connection)
    assert tables(connection) == set(metadata.tables)

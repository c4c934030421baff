"""Brings a database to a revision, up or down, in one transaction: a crash half-way leaves it as it was."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from whisp.server.errors import StartError
from whisp.server.storage import migrations

__all__ = ["current_revision", "migrate"]


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database is at, None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def migrate(connection: Connection, target: str = migrations.HEAD) -> None:
    """Go to `target`, a revision or "base", unless the database is there already.

    Raises:
        StartError: the database was written by a newer version of Whisp.
    """
    current = current_revision(connection)
    if current == target:
        return
    if current is not None and current not in migrations.KNOWN:
        raise StartError("The database is from a newer Whisp. Install that one, or restore a backup.")
    # Alembic takes as long to load as all the rest of a start; most starts need none of it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    if target == "base" or (current in migrations.KNOWN and target < str(current)):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)

"""What Alembic runs: the steps, on the connection that `storage.migrate` passes in, in its transaction."""

from alembic import context

from whisp.server.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()

"""What Alembic runs: migrations on the connection that `cadenza.core.migrations.upgrade` was given."""

from alembic import context

from cadenza.core.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()

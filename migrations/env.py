"""What does Alembic run to apply revisions? Called by ``tradewind.metadata.migrate``, not by ``alembic``."""

from __future__ import annotations

from alembic import context

from tradewind.metadata.models import Base

connection = context.config.attributes.get("connection")

if connection is None:  # only the SQL is wanted
    url = context.config.attributes["url"]
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True, transactional_ddl=True)
else:
    # The caller holds the transaction and the lock; SQLite can roll back DDL, though Alembic does not count on it.
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
    )

with context.begin_transaction():
    context.run_migrations()

"""Alembic's entry: runs on the connection that :mod:`shared.kernel.migrations` opened."""

from alembic import context

from shared.kernel.database import Base
from shared.node.tiers import load_tables

load_tables()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

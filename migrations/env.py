"""Alembic's entry: runs on the connection that :mod:`shared.kernel.migrations` opened."""

import re
from typing import Any

from alembic import context

from shared.kernel.database import Base
from shared.node.tiers import load_tables

_VOLUME = re.compile(r"statistics_(fact|margin|aggregate_fact)_[dm]\d{4}_\d{2}")
"""Partitions that a node has made as it went: the models have their parents."""


def _is_modelled(name: str | None, kind: str, _: Any) -> bool:
    return kind != "table" or _VOLUME.fullmatch(name or "") is None


load_tables()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    include_name=_is_modelled,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

"""Marking customers of whom prospects know something else: triggers on what no other rule goes by.

The migration that made them has them too: what is changed here is changed by another migration.
"""

from sqlalchemy import DDL, event

import services.city_node.evaluation.marking  # noqa: F401 - its functions come first
from shared.kernel.database import Base

_AFTER = """
    CREATE TRIGGER {table}_{event} AFTER {act} ON {table} REFERENCING {rows}
    FOR EACH STATEMENT EXECUTE FUNCTION mark_customers_of_{which}_rows('customer_id')"""
_EVENTS = (
    ("inserted", "INSERT", "NEW TABLE AS new_rows", "new"),
    ("deleted", "DELETE", "OLD TABLE AS old_rows", "old"),
    ("updated", "UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows", "changed"),
)

for _table in ("competitor_use", "preference"):
    for _event, _act, _rows, _which in _EVENTS:
        _statement = _AFTER.format(table=_table, event=_event, act=_act, rows=_rows, which=_which)
        event.listen(Base.metadata, "after_create", DDL(_statement))  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types

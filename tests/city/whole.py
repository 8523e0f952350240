"""Everything that a city's database holds about customers, to compare before and after."""

from typing import Any

import orjson
from sqlalchemy import text

from shared.kernel.database import Base
from tests.conftest import TestNode

RECORDS = {
    "audit_record",
    "audit_seal",
    "customer_merge",
    "customer_merge_row",
    "customer_change",
    "idempotency_key",
    "duplicate_key",
    "duplicate_candidate",
    "points_due",
    "evaluation_mark",
    "rollup_mark",
    "level_migration",
}
"""What tells of an act rather than of a customer: it grows with every act."""
BOOKKEEPING = {"version", "updated_at", "updated_by"}


async def everything(city: TestNode) -> dict[str, Any]:
    """Return every row of every table, without records and bookkeeping of customers."""
    found: dict[str, Any] = {}
    async with city.database.transaction() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in RECORDS or table.name.startswith("staff"):
                continue
            rows = await session.execute(text(f"SELECT to_jsonb(t)::text FROM {table.name} t"))  # noqa: S608 - names of tables
            items = [orjson.loads(row[0]) for row in rows]
            if table.name == "customer":
                items = [
                    {name: value for name, value in item.items() if name not in BOOKKEEPING}
                    for item in items
                ]
            found[table.name] = sorted(
                items, key=lambda item: orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
            )
    return found

"""Deleting what imports keep of people, once its time is over.

An import is marked first, and whoever would undo or resume it is refused from then on; then its rows go, in portions,
each a transaction of its own. An interruption leaves marked imports with rows, which the next night deletes.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from shared.kernel.database import Database

PORTION = 10_000
"""Rows in one transaction."""
_MARK = """
    UPDATE customer_import SET {mark} = :now{more}
    WHERE {mark} IS NULL AND greatest(at, finished_at, undone_at) < :before AND state NOT IN ('queued', 'undoing')"""
_DELETE = """
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(
        SELECT r.ctid FROM customer_import i JOIN {table} r ON r.import_id = i.id
        WHERE i.{mark} IS NOT NULL LIMIT :portion))"""
_KINDS = {
    # The samples of a dry run tell values of customers, too.
    "rejects_deleted_at": (", samples = '[]'", ("customer_import_reject",)),
    "final_at": ("", ("customer_import_before", "customer_import_kept")),
}


async def delete_old(
    database: Database,
    *,
    now: datetime,
    rejects: timedelta,
    images: timedelta,
    portion: int = PORTION,
) -> int:
    """Delete rejected rows, and what undos would need, of imports that ended so long ago; return how many rows went."""
    deleted = 0
    for (mark, (more, tables)), kept in zip(_KINDS.items(), (rejects, images), strict=True):
        marking = _MARK.format(mark=mark, more=more)
        await _run(database, marking, {"now": now, "before": now - kept})
        for table in tables:
            statement = _DELETE.format(table=table, mark=mark)
            while rows := await _run(database, statement, {"portion": portion}):
                deleted += rows
    return deleted


async def _run(database: Database, statement: str, values: dict[str, Any]) -> int:
    async with database.transaction() as session:
        result: Any = await session.execute(text(statement), values)
        return int(result.rowcount)

"""Undoing a whole import: what it made is removed, and what it changed is as it was, in one transaction.

What somebody else has changed since, or has come to refer to, stays as it is and is listed in ``customer_import_kept``
with the reason; everything else is undone all the same. What a later import changed counts as untouched again once that
import is undone. Undone a second time, an import finds nothing to undo but what was kept then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, Text, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from services.city_node.customer_import import repository, undoing_customers, undoing_records
from services.city_node.customer_import.audited import UNDONE, record_import
from services.city_node.customer_import.line_records import LINE_RECORDS
from services.city_node.customer_import.models import CustomerImport, ImportState, Records
from services.city_node.customer_import.service import TURN, Desk, in_state

UNDOABLE = (
    ImportState.COMPLETED,
    ImportState.CANCELLED,
    ImportState.FAILED,
    ImportState.UNDOING,
    ImportState.UNDONE,
)
_TABLES = (
    "undo_record (record text, key text, customer_id uuid, before jsonb)",
    "undo_customer (customer_id uuid PRIMARY KEY, first bigint, created boolean, reason text)",
    "undo_charge (customer_id uuid PRIMARY KEY, moved bigint, monthly_then bigint, monthly_now bigint)",
)
_VALUES: Sequence[tuple[str, TypeEngine[Any]]] = (
    ("import_id", Uuid()),
    ("import_number", Integer()),
    ("now", DateTime(timezone=True)),
    ("by", Text()),
)
_COUNT_KEPT = "SELECT count(*) FROM customer_import_kept WHERE import_id = :import_id"
_REFERENCES = """
    SELECT CAST(CAST(k.conrelid AS regclass) AS text), quote_ident(a.attname), CAST(CAST(k.confrelid AS regclass) AS text)
    FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1
      AND k.confrelid IN (CAST('customer' AS regclass), CAST('subscription' AS regclass)) ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Undo:
    """One undo, in its transaction."""

    session: AsyncSession
    values: Sequence[object]

    async def run(self, statement: str) -> int:
        """Run a statement with the values of the import by name; returns how many rows it touched."""
        bound = [
            bindparam(name, value, kind)
            for (name, kind), value in zip(_VALUES, self.values, strict=True)
            if f":{name}" in statement
        ]
        result = await self.session.execute(text(statement).bindparams(*bound))
        touched: int = getattr(result, "rowcount", 0)
        return touched


async def undo(desk: Desk, import_id: UUID, by: str) -> CustomerImport:
    """Undo an import.

    Args:
        desk: what imports work with.
        import_id: which.
        by: who asked for it.

    Raises:
        ImportStateUnfit: if it is still under way, or was a dry run.
    """
    async with desk.database.reserved() as transactions:
        async with transactions() as session:
            await session.execute(text(f"SELECT pg_advisory_lock({TURN})"))
        async with transactions() as session:
            row = await in_state(session, import_id, UNDOABLE, "undone")
            now = desk.clock.now()
            for table in _TABLES:
                await session.execute(text(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP"))
            work = Undo(session, (row.id, row.number, now, by))
            await work.run("DELETE FROM customer_import_kept WHERE import_id = :import_id")
            records = Records(row.records)
            if records in LINE_RECORDS:
                row.undone += await _records(work, records)
            else:
                references = (await session.execute(text(_REFERENCES))).all()
                row.undone += await _customers(work, [tuple(found) for found in references])
            kept = await session.execute(text(_COUNT_KEPT), {"import_id": row.id})
            row.kept = kept.scalar_one()
            row.state, row.undone_at, row.undone_by = ImportState.UNDONE.value, now, by
            path = await repository.unit_path(session, row.unit_code)
            record_import(session, UNDONE, row, by, path, at=now)
            return row


async def _records(work: Undo, records: Records) -> int:
    statements = undoing_records.statements(LINE_RECORDS[records])
    for statement in statements.prepare:
        await work.run(statement)
    touched = 0
    for statement in statements.count:
        touched += await work.run(statement)
    if records is Records.BILLS:
        for statement in undoing_records.CHARGES:
            await work.run(statement)
    return touched


async def _customers(work: Undo, references: Sequence[tuple[str, str, str]]) -> int:
    for statement in (
        *undoing_customers.judge(references),
        *undoing_customers.JUDGE_RESTORED,
        *undoing_customers.REMOVE,
        *undoing_customers.RESTORE,
        *undoing_customers.KEEP,
    ):
        await work.run(statement)
    return await work.run("DELETE FROM undo_customer WHERE reason IS NULL")

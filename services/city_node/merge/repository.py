"""The queries about merges, and the running of their statements."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import (
    Customer,
    CustomerChange,
    CustomerFurtherKey,
    MergedCustomer,
)
from services.city_node.customer.privacy import mark_history
from services.city_node.customer.profile import SOURCE
from services.city_node.merge import statements
from services.city_node.merge.models import UNDO_DAYS, CustomerMerge
from services.city_node.merge.problems import MergeNotFound
from services.city_node.merge.references import Reference, references
from shared.kernel.listing import Listing, Sort

# ruff: noqa: S608 - put together from the names of tables and columns, never from input
_FIELDS = (
    "id",
    "survivor_id",
    "merged_id",
    "merged_number",
    "at",
    "by",
    "state",
    "note",
    "chosen",
    "moved",
    "set_aside",
    "undone_at",
    "undone_by",
)
_SURVIVOR = SOURCE.replace("customer c", "customer c ON c.id = coalesce(n.survivor_id, m.survivor_id)", 1)  # fmt: skip
_TABLES = """(
    SELECT coalesce(json_agg(t ORDER BY t."table"), '[]') FROM (
        SELECT table_name AS "table", count(*) FILTER (WHERE row IS NULL) AS moved, count(row) AS set_aside
        FROM customer_merge_row WHERE merge_id = m.id GROUP BY table_name) t)"""

merges = Listing(
    source=f"customer_merge m LEFT JOIN merged_customer n ON n.id = m.survivor_id JOIN {_SURVIVOR}",
    key=Sort("m.id", "uuid"),
    columns={**{name: f"m.{name}" for name in _FIELDS}, "tables": _TABLES},
    sorts={"at": Sort("m.at", "timestamptz")},
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "m.id = {}",
        "survivor": "m.survivor_id = {}",
        "merged": "m.merged_id = {}",
        "state": "m.state = {}",
    },
)
"""The merges of a node."""

changes = Listing(
    source=f"customer_change h JOIN customer_merge m ON m.merged_id = h.customer_id "
    f"LEFT JOIN merged_customer n ON n.id = m.survivor_id JOIN {_SURVIVOR}",
    key=Sort("h.id", "bigint"),
    columns={
        **{name: f"h.{name}" for name in ("id", "at", "by", "source", "action", "cause_id")},
        "changes": mark_history("h.changes"),
    },
    sorts={"id": Sort("h.id", "bigint")},
    filters={"scope": "starts_with(u.path, {})", "merge": "m.id = {}"},
)
"""The history of profiles that were merged, with marks for personal values."""


async def with_open_request(session: AsyncSession, customers: Sequence[UUID]) -> UUID | None:
    """Return one of these customers who waits for an answer about personal data, if any does."""
    query = text(
        "SELECT customer_id FROM subject_request WHERE customer_id = ANY(:ids) AND ended_at IS NULL LIMIT 1"
    )
    found: UUID | None = await session.scalar(query, {"ids": list(customers)})
    return found


async def image(session: AsyncSession, customer_id: UUID) -> dict[str, Any]:
    """Return a customer's row, whole."""
    found: str = (
        await session.execute(
            text("SELECT to_jsonb(c)::text FROM customer c WHERE id = :id"), {"id": customer_id}
        )
    ).scalar_one()
    row: dict[str, Any] = orjson.loads(found)
    return row


async def move_everything(session: AsyncSession, merge: CustomerMerge) -> tuple[int, int]:
    """Move what refers to the merged customer to the survivor; return how many rows moved, and were set aside."""
    values = _values(merge)
    moved = aside = 0
    for reference in references():
        statement = statements.set_aside(reference)
        if statement is not None:
            aside += await _run(session, statement, values)
        moved += await _run(session, statements.move(reference), values)
    return moved, aside


async def end_profile(session: AsyncSession, merge: CustomerMerge, number: str) -> None:
    """Delete the merged profile, and leave a redirect in its place."""
    await session.execute(
        text("DELETE FROM customer WHERE id = :merged"), {"merged": merge.merged_id}
    )
    session.add(
        MergedCustomer(
            id=merge.merged_id,
            customer_number=number,
            survivor_id=merge.survivor_id,
            at=merge.at,
        )
    )


async def keep_source_key(session: AsyncSession, merge: CustomerMerge) -> None:
    """Let the key under which a source knew the merged profile lead to the survivor, who has another."""
    profile = merge.profile or {}
    session.add(
        CustomerFurtherKey(
            source=profile["source"],
            source_key=profile["source_key"],
            customer_id=merge.survivor_id,
            at=merge.at,
        )
    )


async def changed_rows(
    session: AsyncSession, merge: CustomerMerge
) -> list[tuple[Reference, dict[str, Any]]]:
    """Return what the merge moved and somebody has changed, moved or deleted since."""
    found = []
    for reference in references():
        rows = await session.execute(text(statements.changed_since(reference)), _values(merge))
        found += [(reference, row.key) for row in rows]
    return found


async def moved_as_history_tells(
    session: AsyncSession, merge: CustomerMerge
) -> list[dict[str, Any]]:
    """Return the lines and contact media that came to the survivor by the merge, as changes of the survivor."""
    rows = await session.execute(
        text("""
            SELECT 'subscriptions/' || s.msisdn || '/status' AS field, s.status AS value
            FROM customer_merge_row r JOIN subscription s ON s.id = CAST(r.key ->> 'id' AS uuid)
            WHERE r.merge_id = :merge AND r.table_name = 'subscription'
            UNION ALL
            SELECT 'contacts/' || m.id, m.kind || ' ' || m.value_masked
            FROM customer_merge_row r JOIN contact_medium m ON m.id = CAST(r.key ->> 'id' AS uuid)
            WHERE r.merge_id = :merge AND r.table_name = 'contact_medium' AND r.row IS NULL"""),
        {"merge": merge.id},
    )
    return [{"field": row.field, "old": None, "new": row.value} for row in rows]


async def restore_profile(session: AsyncSession, merge: CustomerMerge) -> None:
    """Let the merged profile be again as it was, one version later; the redirect goes, and its key is its own."""
    await session.execute(
        text("DELETE FROM merged_customer WHERE id = :merged"), {"merged": merge.merged_id}
    )
    profile = {**(merge.profile or {})}
    await session.execute(
        text(
            "DELETE FROM customer_further_key WHERE source = :source AND source_key = :source_key"
        ),
        {name: profile[name] for name in ("source", "source_key")},
    )
    profile["version"] += 1
    await session.execute(
        text(
            "INSERT INTO customer SELECT * FROM jsonb_populate_record(CAST(NULL AS customer), CAST(:profile AS jsonb))"
        ),
        {"profile": orjson.dumps(profile).decode()},
    )


async def restore_fields(
    session: AsyncSession, customer_id: UUID, values: Mapping[str, Any]
) -> None:
    """Give some fields of a customer the values that they have in an image."""
    if values:
        names = ", ".join(values)
        await session.execute(
            text(
                f"UPDATE customer c SET ({names}) = (SELECT {', '.join(f'r.{name}' for name in values)} "
                "FROM jsonb_populate_record(c, CAST(:values AS jsonb)) r) WHERE c.id = :id"
            ),
            {"id": customer_id, "values": orjson.dumps(values).decode()},
        )


async def move_everything_back(session: AsyncSession, merge: CustomerMerge) -> None:
    """Move back what the merge moved, what came since for its lines, and what was set aside."""
    values = _values(merge)
    found = references()
    for reference in found:
        await _run(session, statements.move_back(reference), values)
    for reference in found:
        statement = statements.follow_lines(reference)
        if statement is not None:
            await _run(session, statement, values)
    for reference in found:
        await _run(session, statements.put_back(reference), values)


async def lock_merge(session: AsyncSession, merge_id: UUID) -> CustomerMerge:
    """Return a merge, locked.

    Raises:
        MergeNotFound: if there is none (404).
    """
    found = await session.get(CustomerMerge, merge_id, with_for_update=True)
    if found is None:
        raise MergeNotFound(merge=merge_id)
    return found


async def forget_copies(session: AsyncSession, *, now: datetime) -> int:
    """Make merges final that are too old to be undone, and delete what was kept for it; return how many."""
    merges_due = (
        "WITH due AS (UPDATE customer_merge SET state = CASE state WHEN 'done' THEN 'final' ELSE state END,"
        " profile = NULL, before = NULL, after = NULL WHERE at < :before AND profile IS NOT NULL RETURNING id)"
        " DELETE FROM customer_merge_row r USING due WHERE r.merge_id = due.id"
    )
    return await _run(session, merges_due, {"before": now - timedelta(days=UNDO_DAYS)})


def add(session: AsyncSession, row: CustomerMerge | CustomerChange) -> None:
    """Add a row, written with the next flush."""
    session.add(row)


def let_go(session: AsyncSession, customer: Customer) -> None:
    """Forget a customer whose row is about to be deleted."""
    session.expunge(customer)


def _values(merge: CustomerMerge) -> dict[str, Any]:
    return {"merge": merge.id, "survivor": merge.survivor_id, "merged": merge.merged_id}


async def _run(session: AsyncSession, statement: str, values: Mapping[str, Any]) -> int:
    result: Any = await session.execute(text(statement), dict(values))
    return int(result.rowcount)

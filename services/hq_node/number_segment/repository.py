"""Every query of changes of the number segments."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.hq_node.number_segment.models import NumberSegmentChange
from shared.kernel.listing import Listing, Sort

CHANGES = Listing(
    source="number_segment_change c",
    key=Sort("c.id", "uuid"),
    columns={
        **{
            name: f"c.{name}"
            for name in (
                "id", "state", "note", "conflicts", "conflict_count", "made_by", "made_at", "decided_by", "decided_at",
                "reason", "first_edition", "last_edition", "version",
            )
        },
        "segment_count": "(SELECT count(*) FROM jsonb_object_keys(c.segments))",
    },
    sorts={"made_at": Sort("c.made_at", "timestamptz")},
    filters={"state": "c.state = {}"},
)  # fmt: skip

_CONFLICTS = """
WITH asked AS (
    SELECT a.prefix, a.home
    FROM unnest(CAST(:prefixes AS text[]), CAST(:homes AS text[])) AS a (prefix, home)
)
SELECT a.prefix, a.home, s.prefix AS other, s.home AS present,
       CASE WHEN a.home IS NULL THEN 'withdrawn' ELSE 'moved' END AS kind
FROM asked a JOIN number_segment s ON s.prefix = a.prefix
WHERE s.home IS NOT NULL AND s.home IS DISTINCT FROM a.home
UNION ALL
SELECT a.prefix, a.home, s.prefix, s.home, 'within'
FROM asked a CROSS JOIN generate_series(3, length(a.prefix) - 1) AS n
     JOIN number_segment s ON s.prefix = left(a.prefix, n)
WHERE a.home IS NOT NULL AND s.home <> a.home
UNION ALL
SELECT a.prefix, a.home, s.prefix, s.home, 'around'
FROM asked a JOIN number_segment s
     ON s.prefix COLLATE "C" > a.prefix COLLATE "C" AND s.prefix COLLATE "C" < (a.prefix || ':') COLLATE "C"
WHERE a.home IS NOT NULL AND s.home <> a.home
ORDER BY 1, 3, 5
"""


async def conflicts(
    session: AsyncSession, segments: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """Return what a change contradicts in the table: segment, home asked for, the other segment and its home.

    Segments that a change names itself are judged by the home that it gives them, and not by the present one.
    """
    rows = await session.execute(
        text(_CONFLICTS), {"prefixes": list(segments), "homes": list(segments.values())}
    )
    found = [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    return [
        row
        for row in found
        if row["kind"] in {"moved", "withdrawn"} or row["other"] not in segments
    ]


async def lock(session: AsyncSession, change_id: UUID) -> NumberSegmentChange | None:
    """Return the change and keep everyone else from deciding about it until the transaction ends."""
    query = select(NumberSegmentChange).where(NumberSegmentChange.id == change_id)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))

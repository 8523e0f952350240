"""Which fields are sensitive on this node."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import CustomerKind
from services.city_node.proposal.models import SensitiveField, SensitiveName
from shared.capability import NodeContext
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import require_version

AT_FIRST = frozenset(
    {
        SensitiveName.NAME,
        SensitiveName.DOCUMENT,
        SensitiveName.BIRTH_DATE,
        SensitiveName.LEVEL,
    }
)
"""What is sensitive until a node says otherwise."""

MEMBERS = f"""(
    SELECT array_agg(member) FROM sensitive_field f CROSS JOIN unnest(
        CASE f.field WHEN '{SensitiveName.DOCUMENT}' THEN ARRAY['document_type', 'document_number'] ELSE ARRAY[f.field] END
    ) member WHERE f.kind = c.kind AND f.sensitive)"""  # noqa: S608 - no input
"""SQL of the members of a patch that need a second person for the customer ``c``."""

fields = Listing(
    source="sensitive_field f",
    key=Sort("(f.kind || '/' || f.field)", "text"),
    columns={
        name: f"f.{name}"
        for name in ("kind", "field", "sensitive", "version", "updated_at", "updated_by")
    },
    sorts={"field": Sort("f.field", "text")},
    filters={"kind": "f.kind = {}", "field": "f.field = {}"},
)
"""The fields that may be sensitive."""


async def ensure_fields(context: NodeContext) -> None:
    """Write the list that a node begins with; what it says already stays."""
    rows = [
        {
            "kind": kind.value,
            "field": name.value,
            "sensitive": name in AT_FIRST,
            "updated_at": context.clock.now(),
            "updated_by": "release",
        }
        for kind in CustomerKind
        for name in SensitiveName
    ]
    async with context.database.transaction() as session:
        await session.execute(insert(SensitiveField).on_conflict_do_nothing(), rows)


async def set_field(
    session: AsyncSession,
    key: tuple[CustomerKind, SensitiveName],
    *,
    sensitive: bool,
    expected: int,
    now: datetime,
    by: str,
) -> dict[str, Any]:
    """Say whether a field is sensitive; proposals that wait are not touched.

    Raises:
        VersionStale: if it was said otherwise since version ``expected`` (412).
    """
    kind, name = key
    row = await session.get_one(
        SensitiveField, {"kind": kind.value, "field": name.value}, with_for_update=True
    )
    require_version(row.version, expected)
    if row.sensitive != sensitive:
        row.sensitive = sensitive
        row.version += 1
        row.updated_at, row.updated_by = now, by
    return {
        "kind": row.kind,
        "field": row.field,
        "sensitive": row.sensitive,
        "version": row.version,
        "updated_at": row.updated_at,
        "updated_by": row.updated_by,
    }

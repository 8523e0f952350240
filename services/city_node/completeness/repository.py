"""Computing scores set-wise, and the queries about them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.completeness.elements import ELEMENTS
from services.city_node.completeness.models import CompletenessRule
from services.city_node.customer.models import CustomerKind, Level
from services.city_node.customer.parts import Part
from services.city_node.customer.profile import SOURCE
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import require_version

# ruff: noqa: S608 - put together from the expressions of elements, never from input
PORTION = 20_000
"""Customers in one statement of the nightly computation."""
OVERLAP = timedelta(minutes=10)
"""How much earlier than the last score changes are looked for: who was changing then had not committed."""

_PRESENT = ", ".join(f"('{code.value}', {element.present})" for code, element in ELEMENTS.items())
_SCORE = f"""
    SELECT coalesce(round(100.0 * sum(w.weight) FILTER (WHERE e.present) / nullif(sum(w.weight), 0)), 100)::bigint AS score,
           coalesce(jsonb_agg(e.element ORDER BY w.weight DESC, e.element) FILTER (WHERE NOT e.present), '[]') AS missing
    FROM (VALUES {_PRESENT}) e(element, present)
    JOIN completeness_rule w ON w.kind = c.kind AND w.level = c.level AND w.element = e.element AND w.weight > 0"""
_COMPUTE = f"""
    INSERT INTO customer_completeness AS k (customer_id, score, missing, computed_at)
    SELECT c.id, s.score, s.missing, CAST(:now AS timestamptz) FROM ({{which}}) c CROSS JOIN LATERAL ({_SCORE}) s
    ON CONFLICT (customer_id) DO UPDATE
    SET score = excluded.score, missing = excluded.missing, computed_at = excluded.computed_at
    WHERE {{unless}}"""
_CHANGED = _COMPUTE.format(
    which="""
        SELECT c.* FROM customer c LEFT JOIN customer_completeness p ON p.customer_id = c.id
        WHERE c.library IN ('in_network', 'retained') AND c.updated_at >= CAST(:since AS timestamptz)
          AND (p.customer_id IS NULL OR p.computed_at <= c.updated_at)""",
    unless="true",
)
_PORTION = _COMPUTE.format(
    which="""
        SELECT c.* FROM customer c
        WHERE c.id > :after AND c.id <= :last AND c.library IN ('in_network', 'retained')""",
    unless="(k.score, k.missing) IS DISTINCT FROM (excluded.score, excluded.missing)",
)

part = Part("completeness", f"(SELECT json_build_object('score', s.score, 'missing', s.missing) FROM ({_SCORE}) s)", versioned=False)  # fmt: skip
"""How complete the customer's profile is now, and what is missing."""

_FIELDS = ("customer_number", "kind", "library", "name", "level", "unit_code", "manager_id")
scores = Listing(
    source=f"customer_completeness k JOIN {SOURCE.replace('customer c', 'customer c ON c.id = k.customer_id', 1)}",
    key=Sort("k.customer_id", "uuid"),
    columns={
        "customer_id": "k.customer_id",
        **{name: f"c.{name}" for name in _FIELDS},
        **{name: f"k.{name}" for name in ("score", "missing", "computed_at")},
    },
    sorts={
        "score": Sort("k.score", "bigint"),
        "monthly_charge_fen": Sort("c.monthly_charge_fen", "bigint"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "library": "c.library = {}",
        "kind": "c.kind = {}",
        "level": "c.level = {}",
        "manager": "c.manager_id = {}",
        "missing": "k.missing ? {}",
        "min_score": "k.score >= {}",
        "max_score": "k.score <= {}",
    },
)
"""The customers of a city by how complete their profiles are."""

rules = Listing(
    source="completeness_rule w",
    key=Sort("(w.kind || '/' || w.level || '/' || w.element)", "text"),
    columns={
        name: f"w.{name}"
        for name in ("kind", "level", "element", "weight", "version", "updated_at", "updated_by")
    },
    sorts={"element": Sort("w.element", "text"), "weight": Sort("w.weight", "bigint")},
    filters={"kind": "w.kind = {}", "level": "w.level = {}", "element": "w.element = {}"},
)
"""What elements weigh."""


async def compute_changed(session: AsyncSession, *, now: datetime) -> int:
    """Compute the scores of those who changed since the last computation; return of how many."""
    latest = (
        await session.execute(text("SELECT max(computed_at) FROM customer_completeness"))
    ).scalar_one()
    since = latest - OVERLAP if latest else datetime.fromtimestamp(0, now.tzinfo)
    return await _run(session, _CHANGED, {"now": now, "since": since})


async def end_of_portion(session: AsyncSession, after: UUID) -> UUID | None:
    """Return the id of the last customer of the portion that follows ``after``."""
    found: UUID | None = (
        await session.execute(
            text(
                "SELECT id FROM (SELECT id FROM customer WHERE id > :after ORDER BY id LIMIT :size) p"
                " ORDER BY id DESC LIMIT 1"
            ),
            {"after": after, "size": PORTION},
        )
    ).scalar_one_or_none()
    return found


async def compute_portion(session: AsyncSession, after: UUID, last: UUID, *, now: datetime) -> int:
    """Compute the scores of a portion; return how many are new or changed."""
    return await _run(session, _PORTION, {"after": after, "last": last, "now": now})


async def set_weight(
    session: AsyncSession,
    key: tuple[CustomerKind, Level, str],
    weight: int,
    *,
    expected: int,
    now: datetime,
    by: str,
) -> CompletenessRule:
    """Say what an element weighs.

    Raises:
        VersionStale: if it was said otherwise since version ``expected`` (412).
    """
    kind, level, element = key
    row = await session.get_one(
        CompletenessRule,
        {"kind": kind.value, "level": level.value, "element": element},
        with_for_update=True,
    )
    require_version(row.version, expected)
    if row.weight != weight:
        row.weight = weight
        row.version += 1
        row.updated_at, row.updated_by = now, by
    return row


async def _run(session: AsyncSession, statement: str, values: dict[str, Any]) -> int:
    result: Any = await session.execute(text(statement), values)
    return int(result.rowcount)

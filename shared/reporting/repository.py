"""The board's queries: what was expected of a period, what came of it, and what is to be decided."""

# ruff: noqa: S608 - statements are put together from constants

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection
from shared.kernel.listing import Listing, Sort
from shared.reporting.models import (
    AlarmKind,
    ReportingAlarm,
    ReportingConfirmation,
    ReportingDifference,
    ReportingWatch,
)
from shared.statistics.privacy import rule_in_force

EFFECTIVE = """(
    SELECT DISTINCT ON (node, month, number, period, dataset, revision)
        node, month, number, period, dataset, revision, kind, reason, publisher, said_at, said_by
    FROM reporting_statement WHERE kind IN ('approved', 'rejected')
    ORDER BY node, month, number, period, dataset, revision, publisher <> '000000', said_at, digest)"""
"""Of several decisions about one restatement the one that counts: HQ's over the province's, of one node's the first."""

_CELLS = f"""
WITH kept AS (
    SELECT node, dataset, max(revision) AS newest,
        max(revision) FILTER (WHERE superseded_at IS NULL) AS revision,
        max(reason) FILTER (WHERE superseded_at IS NULL) AS reason,
        min(revision) FILTER (WHERE computed_at >= $2) AS complete_revision,
        min(received_at) FILTER (WHERE computed_at >= $2) AS complete_at
    FROM statistics_slice WHERE period = $1 AND node = ANY($5::text[]) GROUP BY node, dataset
), differing AS (
    SELECT node, dataset, count(*) AS differences FROM reporting_difference
    WHERE period = $1 AND repaired_at IS NULL GROUP BY node, dataset
), cell AS (
    SELECT d.dataset, d.place, n.node, k.revision, k.reason, k.newest,
        least(k.complete_at, CASE WHEN c.revision <= k.newest THEN c.received_at END) AS received_at,
        least(k.complete_revision, c.revision) AS complete_revision,
        l.closing, coalesce((l.revisions->$1::text->>d.dataset)::int, 0) AS greatest,
        coalesce(f.differences, 0) AS differences
    FROM unnest($5::text[]) n (node)
    CROSS JOIN unnest($6::text[]) WITH ORDINALITY d (dataset, place)
    LEFT JOIN kept k ON k.node = n.node AND k.dataset = d.dataset
    LEFT JOIN reporting_confirmation c ON c.period = $1 AND c.node = n.node AND c.dataset = d.dataset
    LEFT JOIN statistics_limit l ON l.month = left($1::text, 7) AND l.node = n.node
    LEFT JOIN differing f ON f.node = n.node AND f.dataset = d.dataset
), told AS (
    SELECT cell.*,
        CASE WHEN cell.received_at <= $3 THEN 'on_time' WHEN cell.received_at IS NOT NULL THEN 'late'
             WHEN $3 < $4 THEN 'missing' ELSE 'awaited' END AS state,
        cell.closing IS NOT NULL AND cell.revision IS NOT NULL AS final,
        coalesce(cell.revision > cell.complete_revision, false) AS restated,
        coalesce(cell.closing IS NOT NULL AND cell.newest > cell.greatest AND e.kind IS NULL, false) AS pending,
        coalesce(cell.closing IS NOT NULL AND cell.newest > cell.greatest AND e.kind = 'rejected', false) AS rejected
    FROM cell LEFT JOIN {EFFECTIVE} e ON e.node = cell.node AND e.month = left($1::text, 7)
        AND e.number = cell.closing AND e.period = $1 AND e.dataset = cell.dataset AND e.revision = cell.newest
)"""

_SUMMARY = (
    _CELLS
    + """
SELECT coalesce(json_agg(s ORDER BY array_position($6::text[], s.dataset)), '[]')::text FROM (
    SELECT dataset, count(*) AS expected, count(received_at) AS received,
        count(*) FILTER (WHERE state = 'on_time') AS on_time, count(*) FILTER (WHERE state = 'late') AS late,
        count(*) FILTER (WHERE state = 'awaited') AS awaited, count(*) FILTER (WHERE state = 'missing') AS missing,
        count(*) FILTER (WHERE final) AS final, count(*) FILTER (WHERE restated) AS restated,
        count(*) FILTER (WHERE pending) AS pending, count(*) FILTER (WHERE differences > 0) AS differing
    FROM told GROUP BY dataset) s"""
)
_ITEMS = (
    _CELLS
    + """
SELECT coalesce(json_agg(json_build_object(
    'dataset', dataset, 'node', node, 'state', state, 'revision', revision, 'received_at', received_at,
    'reason', reason, 'final', final, 'restated', restated, 'pending', CASE WHEN pending THEN newest END,
    'rejected', CASE WHEN rejected THEN newest END, 'differences', differences) ORDER BY place, node), '[]')::text
FROM told WHERE $7::text IS NULL OR state = $7 OR ($7 = 'final' AND final) OR ($7 = 'restated' AND restated)
    OR ($7 = 'pending' AND pending) OR ($7 = 'differing' AND differences > 0)"""
)
_MISSING = _CELLS + " SELECT node, dataset FROM told WHERE received_at IS NULL ORDER BY node, place"
_RECEIVED = (
    _CELLS
    + " SELECT node, dataset, received_at FROM told WHERE received_at IS NOT NULL ORDER BY node, place"
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a period.

    Attributes:
        period: the month or day.
        ends_at: when it is over: what was counted before is not the last word.
        due_at: when its slices are due.
        nodes: codes of the cities.
        datasets: codes, in the catalogue's order.
    """

    period: str
    ends_at: datetime
    due_at: datetime
    nodes: Sequence[str]
    datasets: Sequence[str]

    def values(self, now: datetime) -> tuple[Any, ...]:
        """Return the parameters of the board's statements."""
        return (self.period, self.ends_at, self.due_at, now, list(self.nodes), list(self.datasets))


async def summary(session: AsyncSession, expected: Expected, *, now: datetime) -> bytes:
    """Return, as JSON, what became of each dataset."""
    connection = await driver_connection(session)
    found: str = await connection.fetchval(_SUMMARY, *expected.values(now))
    return found.encode()


async def cells(
    session: AsyncSession, expected: Expected, *, state: str | None, now: datetime
) -> bytes:
    """Return, as JSON, what became of each slice that was expected; only of those in ``state`` if it is given."""
    connection = await driver_connection(session)
    found: str = await connection.fetchval(_ITEMS, *expected.values(now), state)
    return found.encode()


async def missing(
    session: AsyncSession, expected: Expected, *, now: datetime
) -> list[tuple[str, str]]:
    """Return city and dataset of what has not come."""
    connection = await driver_connection(session)
    return [tuple(row) for row in await connection.fetch(_MISSING, *expected.values(now))]


async def received(
    session: AsyncSession, expected: Expected, *, now: datetime
) -> dict[tuple[str, str], datetime]:
    """Return when what has come came, by city and dataset."""
    connection = await driver_connection(session)
    rows: list[asyncpg.Record] = await connection.fetch(_RECEIVED, *expected.values(now))
    return {(row["node"], row["dataset"]): row["received_at"] for row in rows}


# Confirmations


async def confirmed(session: AsyncSession, node: str, period: str) -> set[str]:
    """Return the datasets that a city has confirmed for a period."""
    found = await session.scalars(
        select(ReportingConfirmation.dataset).where(
            ReportingConfirmation.node == node, ReportingConfirmation.period == period
        )
    )
    return set(found)


async def confirm(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Keep confirmations; the first of a slice stays, for it tells whether the slice was on time."""
    if rows:
        await session.execute(insert(ReportingConfirmation).values(rows).on_conflict_do_nothing())


# Alarms


async def watched(session: AsyncSession, periods: Collection[str]) -> set[str]:
    """Return those of the periods whose time was up and noted before."""
    found = await session.scalars(
        select(ReportingWatch.period).where(ReportingWatch.period.in_(periods))
    )
    return set(found)


async def watch(session: AsyncSession, period: str, due_at: datetime, *, now: datetime) -> None:
    """Note that a period's time is up."""
    values = {"period": period, "due_at": due_at, "watched_at": now}
    await session.execute(insert(ReportingWatch).values(values).on_conflict_do_nothing())


async def raise_alarms(
    session: AsyncSession,
    period: str,
    cells_: Collection[tuple[str, str]],
    kind: AlarmKind,
    *,
    at: datetime,
) -> None:
    """Note that slices are overdue, or have come after that."""
    rows = [
        {"period": period, "node": node, "dataset": dataset, "kind": kind.value, "at": at}
        for node, dataset in sorted(cells_)
    ]
    if rows:
        await session.execute(insert(ReportingAlarm).values(rows).on_conflict_do_nothing())


_OVERDUE = """
    FROM reporting_alarm a WHERE a.kind = 'overdue' AND NOT EXISTS (
        SELECT FROM reporting_alarm r WHERE (r.period, r.node, r.dataset) = (a.period, a.node, a.dataset)
            AND r.kind = 'received')"""


async def overdue(session: AsyncSession) -> dict[str, list[tuple[str, str]]]:
    """Return city and dataset of what is overdue, by period."""
    rows = await session.execute(
        text(f"SELECT a.period, a.node, a.dataset {_OVERDUE} ORDER BY 1, 2, 3")
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for period, node, dataset in rows:
        found.setdefault(period, []).append((node, dataset))
    return found


async def overdue_by_dataset(session: AsyncSession) -> dict[str, int]:
    """Return how many slices of each dataset are overdue."""
    rows = await session.execute(text(f"SELECT a.dataset, count(*) {_OVERDUE} GROUP BY 1"))
    return dict(tuple(row) for row in rows)


async def differences_by_fault(session: AsyncSession) -> list[tuple[str, int, int]]:
    """Return, by fault, how many differences were ever found and how many are not repaired."""
    open_ = func.count().filter(ReportingDifference.repaired_at.is_(None))
    rows = await session.execute(
        select(ReportingDifference.fault, func.count(), open_).group_by(ReportingDifference.fault)
    )
    return [(fault, found, left) for fault, found, left in rows]


_GREATEST = "coalesce((l.revisions->s.period->>s.dataset)::int, 0)"
_RESTATEMENT_STATE = """CASE WHEN e.kind IS NOT NULL THEN e.kind
    WHEN EXISTS (SELECT FROM statistics_slice n WHERE (n.dataset, n.node, n.period) = (s.dataset, s.node, s.period)
                 AND n.revision > s.revision) THEN 'superseded' ELSE 'pending' END"""

RESTATEMENTS = Listing(
    source=f"""statistics_slice s JOIN statistics_limit l ON l.month = left(s.period, 7) AND l.node = s.node
        LEFT JOIN {EFFECTIVE} e ON e.node = s.node AND e.month = l.month AND e.number = l.closing
            AND e.period = s.period AND e.dataset = s.dataset AND e.revision = s.revision""",
    key=Sort("s.id", "bigint"),
    columns={
        **{
            name: f"s.{name}"
            for name in (
                "id", "node", "dataset", "period", "revision", "hash", "row_count", "control_totals", "reason",
                "computed_at", "received_at",
            )
        },
        "closing": "l.closing",
        "state": _RESTATEMENT_STATE,
        "in_force": """(SELECT json_build_object('revision', c.revision, 'hash', c.hash, 'control_totals', c.control_totals)
            FROM statistics_slice c WHERE (c.dataset, c.node, c.period) =
            (s.dataset, s.node, s.period) AND c.superseded_at IS NULL)""",
        "decided_at": "e.said_at",
        "decided_by": "e.said_by",
        "decided_at_node": "e.publisher",
        "decision_reason": "e.reason",
    },
    sorts={"received_at": Sort("s.received_at", "timestamptz")},
    filters={
        "within": f"s.node = ANY({{}}::text[]) AND (s.revision > {_GREATEST} OR e.kind IS NOT NULL)",
        "id": "s.id = {}::bigint",
        "node": "s.node = {}::text",
        "period": "s.period = {}::text",
        "dataset": "s.dataset = {}::text",
        "state": f"{_RESTATEMENT_STATE} = {{}}::text",
    },
)  # fmt: skip
"""Revisions that came after the close of their month: those that wait, and those that were decided."""
_WITHOUT_TOTALS = {
    "control_totals": "NULL::jsonb",
    "in_force": RESTATEMENTS.columns["in_force"].replace("c.control_totals)", "NULL)"),
}


async def restatements(session: AsyncSession, here: str, now: datetime) -> Listing:
    """Return what a node tells of restatements: no totals where small cells are withheld."""
    if await rule_in_force(session, here, now) is None:
        return RESTATEMENTS
    return replace(RESTATEMENTS, columns={**RESTATEMENTS.columns, **_WITHOUT_TOTALS})

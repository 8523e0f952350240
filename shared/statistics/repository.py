"""Keeping slices: which revisions there are, which was current when, and their facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
import orjson
from sqlalchemy import or_, select, text, update
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import copy_rows, driver_connection
from shared.kernel.listing import Listing, Sort
from shared.statistics.models import StatisticsFact, StatisticsMeasure, StatisticsSlice
from shared.statistics.slices import Content, Slice

SLICES = Listing(
    source="statistics_slice s",
    key=Sort("s.id", "bigint"),
    columns={
        "node": "s.node",
        "dataset": "s.dataset",
        "period": "s.period",
        "revision": "s.revision",
        "hash": "s.hash",
        "row_count": "s.row_count",
        "control_totals": "s.control_totals",
        "reason": "s.reason",
        "computed_at": "s.computed_at",
        "received_at": "s.received_at",
        "superseded_at": "s.superseded_at",
    },
    sorts={
        "received_at": Sort("s.received_at", "timestamptz"),
        "computed_at": Sort("s.computed_at", "timestamptz"),
        "period": Sort("s.period", "text"),
        "node": Sort("s.node", "text"),
    },
    filters={
        "within": "s.node = ANY({}::text[])",
        "node": "s.node = {}::text",
        "dataset": "s.dataset = {}::text",
        "period": "s.period = {}::text",
        "current": "(s.superseded_at IS NULL) = {}::boolean",
    },
)
"""The register of slices, over HTTP and on the command line."""


class RevisionConflict(Exception):
    """A city said two different things as one revision."""


class Outcome(StrEnum):
    """What became of a slice that was to be stored."""

    CURRENT = "current"
    HISTORY = "history"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class StoredSlice:
    """A slice as a question sees it: without its facts."""

    id: int
    dataset: str
    node: str
    period: str
    revision: int
    hash: str
    computed_at: datetime
    received_at: datetime
    row_count: int


async def current(session: AsyncSession, content: Content) -> tuple[int, str] | None:
    """Return revision and hash of what is current for the content's dataset, node and period."""
    row = (
        await session.execute(
            select(StatisticsSlice.revision, StatisticsSlice.hash).where(
                StatisticsSlice.dataset == content.dataset,
                StatisticsSlice.node == content.node,
                StatisticsSlice.period == str(content.period),
                StatisticsSlice.superseded_at.is_(None),
            )
        )
    ).one_or_none()
    return (row.revision, row.hash) if row else None


async def store(session: AsyncSession, slice_: Slice, *, received_at: datetime) -> Outcome:
    """Keep a slice; the newest revision becomes the current one in the same transaction.

    Storing it again changes nothing. A revision older than the current one is kept as history: it was never current
    here. Two transactions must not store slices of one city at once: a lane's cursor, or the city's roll-up lock,
    sees to that.

    Raises:
        RevisionConflict: if the revision is known with another hash; nothing is changed.
    """
    content = slice_.content
    of_period = (
        StatisticsSlice.dataset == content.dataset,
        StatisticsSlice.node == content.node,
        StatisticsSlice.period == str(content.period),
    )
    known = await session.scalar(
        select(StatisticsSlice.hash).where(*of_period, StatisticsSlice.revision == slice_.revision)
    )
    if known is not None:
        if known != content.hash:
            raise RevisionConflict(
                f"The slice {slice_.name} is known with the hash {known[:12]}…, and comes again with "
                f"{content.hash[:12]}…. The known one stays; {content.node} must compute a new revision."
            )
        return Outcome.KNOWN
    present = await current(session, content)
    is_late = present is not None and present[0] > slice_.revision
    if not is_late:
        await session.execute(
            update(StatisticsSlice)
            .where(*of_period, StatisticsSlice.superseded_at.is_(None))
            .values(superseded_at=received_at)
        )
    slice_id = await session.scalar(
        insert(StatisticsSlice)
        .values(
            dataset=content.dataset,
            node=content.node,
            period=str(content.period),
            revision=slice_.revision,
            hash=content.hash,
            row_count=content.row_count,
            control_totals=dict(content.control_totals),
            computed_at=slice_.computed_at,
            received_at=received_at,
            reason=slice_.reason,
            superseded_at=received_at if is_late else None,
        )
        .returning(StatisticsSlice.id)
    )
    await _load_facts(session, slice_id, content)
    return Outcome.HISTORY if is_late else Outcome.CURRENT


async def _load_facts(session: AsyncSession, slice_id: int | None, content: Content) -> None:
    measures = await _measure_ids(session, content.measures)
    cells = await _cell_ids(session, content)
    facts = (
        (slice_id, measures[measure], cell_id, value)
        for cell, cell_id in zip(content.cells, cells, strict=True)
        for measure, value in zip(content.measures, cell.values, strict=True)
        if value is not None
    )
    await copy_rows(
        session, StatisticsFact.__tablename__, ("slice_id", "measure_id", "cell_id", "value"), facts
    )


async def _measure_ids(session: AsyncSession, codes: Sequence[str]) -> dict[str, int]:
    known = await measure_ids(session, codes)
    missing = [{"code": code} for code in codes if code not in known]
    if missing:
        await session.execute(insert(StatisticsMeasure).values(missing).on_conflict_do_nothing())
        known = await measure_ids(session, codes)
    return known


async def measure_ids(session: AsyncSession, codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of those measures that any slice has brought, by code."""
    rows = await session.execute(
        select(StatisticsMeasure.code, StatisticsMeasure.id).where(
            StatisticsMeasure.code.in_(codes)
        )
    )
    return {row.code: row.id for row in rows}


async def _cell_ids(session: AsyncSession, content: Content) -> list[int]:
    """Return the ids of the content's cells in their order, adding cells that are new."""
    connection = await driver_connection(session)
    dims = [
        orjson.dumps(dict(zip(content.dimensions, cell.key, strict=True))).decode()
        for cell in content.cells
    ]
    found = await connection.fetch(_FIND_CELLS, dims)
    if any(row["id"] is None for row in found):
        # In the cells' order: two lanes that bring the same new cells wait for one another and do not deadlock.
        await connection.execute(_ADD_CELLS, dims)
        found = await connection.fetch(_FIND_CELLS, dims)
    return [row["id"] for row in found]


_FIND_CELLS = """
SELECT c.id
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (dims, position)
LEFT JOIN statistics_cell c ON c.dims = wanted.dims::jsonb
ORDER BY wanted.position
"""
_ADD_CELLS = """
INSERT INTO statistics_cell (dims)
SELECT wanted.dims::jsonb FROM unnest($1::text[]) WITH ORDINALITY AS wanted (dims, position)
WHERE NOT EXISTS (SELECT FROM statistics_cell c WHERE c.dims = wanted.dims::jsonb)
ORDER BY wanted.position
ON CONFLICT DO NOTHING
"""


async def chosen_slices(
    session: AsyncSession,
    measures: Mapping[str, Sequence[str]],
    periods: Sequence[str],
    nodes: Sequence[str],
    *,
    as_known_at: datetime | None,
) -> list[StoredSlice]:
    """Return the slices that a question is answered from, by dataset, period and node.

    Args:
        session: where to look.
        measures: what is needed, by dataset. A slice of a city whose program does not count one of them yet is not
            chosen, so that the city shows as missing and not as zero.
        periods: which months or days.
        nodes: codes of the cities.
        as_known_at: a moment: those that were current here then; ``None``: those that are now.
    """
    known = (
        StatisticsSlice.superseded_at.is_(None)
        if as_known_at is None
        else (StatisticsSlice.received_at <= as_known_at)
        & (StatisticsSlice.superseded_at.is_(None) | (StatisticsSlice.superseded_at > as_known_at))
    )
    rows = await session.execute(
        select(
            StatisticsSlice.id,
            StatisticsSlice.dataset,
            StatisticsSlice.node,
            StatisticsSlice.period,
            StatisticsSlice.revision,
            StatisticsSlice.hash,
            StatisticsSlice.computed_at,
            StatisticsSlice.received_at,
            StatisticsSlice.row_count,
        )
        .where(
            or_(
                *(
                    (StatisticsSlice.dataset == dataset)
                    & StatisticsSlice.control_totals.has_all(array(codes))
                    for dataset, codes in measures.items()
                )
            ),
            StatisticsSlice.period.in_(periods),
            StatisticsSlice.node.in_(nodes),
            known,
        )
        .order_by(StatisticsSlice.dataset, StatisticsSlice.period, StatisticsSlice.node)
    )
    return [StoredSlice(*row) for row in rows]


async def limit_time(session: AsyncSession, seconds: int) -> None:
    """Let no statement of the rest of the transaction take longer."""
    limit = text("SELECT set_config('statement_timeout', :milliseconds, true)")
    await session.execute(limit, {"milliseconds": str(seconds * 1000)})


async def fetch_json(session: AsyncSession, statement: str, *values: Any) -> bytes:
    """Return what a statement builds: one JSON text."""
    connection: asyncpg.Connection = await driver_connection(session)
    text_: str = await connection.fetchval(statement, *values)
    return text_.encode()

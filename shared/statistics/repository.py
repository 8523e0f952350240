"""Keeping slices: which revisions there are, which was current when, and their facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import driver_connection
from shared.kernel.listing import Listing, Sort
from shared.statistics import facts, standing
from shared.statistics.expectation import moment_of_end
from shared.statistics.models import StatisticsSlice
from shared.statistics.period import Period
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
        "in_force_at": "s.in_force_at",
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
SLICES_WITHOUT_TOTALS = replace(SLICES, columns={**SLICES.columns, "control_totals": "NULL::jsonb"})
"""The same where small cells are withheld: a total of a city is one of them, or gives one away."""


class RevisionConflict(Exception):
    """A city said two different things as one revision."""


class Outcome(StrEnum):
    """What became of a slice that was to be stored."""

    CURRENT = "current"
    HISTORY = "history"
    PENDING = "pending"
    """The month is closed: it waits for approval."""
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
    fingerprint: int
    """By which an answer that is made of it is recognised: what it says, and when it came, in 64 bits."""
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


async def newest(session: AsyncSession, content: Content) -> tuple[int, str] | None:
    """Return revision and hash of the last that was said of the content's dataset, node and period, in force or not."""
    row = (
        await session.execute(
            select(StatisticsSlice.revision, StatisticsSlice.hash)
            .where(
                StatisticsSlice.dataset == content.dataset,
                StatisticsSlice.node == content.node,
                StatisticsSlice.period == str(content.period),
            )
            .order_by(StatisticsSlice.revision.desc())
            .limit(1)
        )
    ).one_or_none()
    return (row.revision, row.hash) if row else None


async def counted_before(session: AsyncSession, node: str, period: Period) -> set[str]:
    """Return the datasets whose last slice of a period was counted before the period's end."""
    last = func.max(StatisticsSlice.computed_at)
    found = await session.scalars(
        select(StatisticsSlice.dataset)
        .where(StatisticsSlice.node == node, StatisticsSlice.period == str(period))
        .group_by(StatisticsSlice.dataset)
        .having(last < moment_of_end(period))
    )
    return set(found)


async def store(session: AsyncSession, slice_: Slice, *, received_at: datetime) -> Outcome:
    """Keep a slice; the newest revision becomes the current one in the same transaction, unless its month is closed.

    Storing it again changes nothing. A revision older than the current one is kept as history: it was never current
    here. One beyond the limit of a closed month is kept, and waits. Two transactions must not store slices of
    one city at once: a lane's cursor, or the city's roll-up lock, sees to that.

    Raises:
        RevisionConflict: if the revision is known with another hash; nothing is changed.
    """
    content = slice_.content
    connection = await driver_connection(session)
    await standing.take_turn(session)
    kept = await connection.fetchrow(
        _KEEP,
        content.dataset,
        content.node,
        str(content.period),
        slice_.revision,
        content.hash,
        content.row_count,
        orjson.dumps(content.control_totals).decode(),
        slice_.computed_at,
        received_at,
        slice_.reason,
    )
    if kept["known"] is not None:
        if kept["known"] != content.hash:
            raise RevisionConflict(
                f"The slice {slice_.name} is known with the hash {kept['known'][:12]}…, and comes again with "
                f"{content.hash[:12]}…. The known one stays; {content.node} must compute a new revision."
            )
        return Outcome.KNOWN
    await facts.load(session, kept["id"], content)
    if kept["waits"]:
        return Outcome.PENDING
    return Outcome.HISTORY if kept["is_late"] else Outcome.CURRENT


_OF_PERIOD = "dataset = $1::text AND node = $2::text AND period = $3::text"
# One statement, for a night has thousands of slices. The row is added after the one before has made way for it: both
# would be in the index of what is current otherwise.
_KEEP = f"""
WITH judged AS MATERIALIZED (
    SELECT k.known, k.is_late, k.waits, k.known IS NULL AND NOT k.is_late AND NOT k.waits AS counts FROM (SELECT
        (SELECT hash FROM statistics_slice WHERE {_OF_PERIOD} AND revision = $4::bigint) AS known,
        EXISTS (SELECT FROM statistics_slice
                WHERE {_OF_PERIOD} AND superseded_at IS NULL AND revision > $4::bigint) AS is_late,
        coalesce((SELECT $4::bigint > {standing.LIMIT} FROM statistics_limit
                  WHERE month = left($3::text, {standing.MONTH_LENGTH}) AND node = $2::text), false) AS waits
    ) k
), gone AS (
    UPDATE statistics_slice s SET superseded_at = $9::timestamptz FROM judged
    WHERE counts AND {_OF_PERIOD} AND superseded_at IS NULL
    RETURNING s.id
), added AS (
    INSERT INTO statistics_slice (dataset, node, period, revision, hash, row_count, control_totals, computed_at,
                                  received_at, reason, superseded_at, in_force_at)
    SELECT $1, $2, $3, $4, $5::text, $6::bigint, $7::text::jsonb, $8::timestamptz, $9, $10::text,
           CASE WHEN NOT counts THEN $9 END, CASE WHEN counts THEN $9 END
    FROM judged WHERE known IS NULL AND (SELECT count(*) FROM gone) >= 0
    RETURNING id
), noted AS (
    {standing.NOTE_CHANGE} SELECT $1, $3, left($2, 2) || '0000' FROM judged WHERE counts
)
SELECT known, is_late, waits, (SELECT id FROM added) FROM judged
"""  # noqa: S608 - constants alone


async def replace_facts(session: AsyncSession, slice_: Slice) -> None:
    """Write the facts of a slice that is known anew, for some of them were lost or altered; not of one rolled off."""
    content = slice_.content
    slice_id = await session.scalar(
        select(StatisticsSlice.id).where(
            StatisticsSlice.dataset == content.dataset,
            StatisticsSlice.node == content.node,
            StatisticsSlice.period == str(content.period),
            StatisticsSlice.revision == slice_.revision,
            StatisticsSlice.rolled_off_at.is_(None),
        )
    )
    if slice_id is None:
        return
    await facts.drop(session, [slice_id], content.period.volume)
    await facts.load(session, slice_id, content)
    await standing.note_change(session, content.dataset, str(content.period), content.node)


async def measure_ids(session: AsyncSession, codes: Sequence[str]) -> dict[str, int]:
    """Return the ids of those measures that any slice has brought, by code."""
    connection = await driver_connection(session)
    rows = await connection.fetch(_MEASURES, codes)
    return {row["code"]: row["id"] for row in rows}


_MEASURES = "SELECT code, id FROM statistics_measure WHERE code = ANY($1::text[])"


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
    # The datasets of a question are few, and conditions that differ would keep PostgreSQL from its index.
    connection = await driver_connection(session)
    rows: list[asyncpg.Record] = []
    for dataset, codes in sorted(measures.items()):
        asked = dataset, codes, periods, nodes
        if as_known_at is None:
            rows += await connection.fetch(_CURRENT, *asked)
        else:
            rows += await connection.fetch(_KNOWN_THEN, *asked, as_known_at)
    return [StoredSlice(*row) for row in rows]


async def slices_by_id(session: AsyncSession, ids: Sequence[int]) -> list[StoredSlice]:
    """Return these slices, by dataset, period and node."""
    connection = await driver_connection(session)
    return [StoredSlice(*row) for row in await connection.fetch(_BY_ID, ids)]


_STORED = f"""
SELECT s.id, s.dataset, s.node, s.period, s.revision, s.hash, s.computed_at, s.received_at,
       {standing.FINGERPRINT}, s.row_count
FROM statistics_slice s WHERE"""  # noqa: S608 - constants alone
_ORDER = "ORDER BY s.dataset, s.period, s.node"
_BY_ID = f"{_STORED} s.id = ANY($1::bigint[]) {_ORDER}"
_CHOSEN = f"""{_STORED} s.dataset = $1::text AND s.control_totals ?& $2::text[] AND s.period = ANY($3::text[])
    AND s.node = ANY($4::text[])"""
_CURRENT = f"{_CHOSEN} AND {standing.CURRENT} {_ORDER}"
_KNOWN_THEN = f"""{_CHOSEN} AND s.rolled_off_at IS NULL AND (
    s.in_force_at <= $5 AND (s.superseded_at IS NULL OR s.superseded_at > $5)
    OR s.id IN (SELECT f.slice_id FROM statistics_former_standing f WHERE f.since <= $5 AND f.until > $5)
) {_ORDER}"""  # noqa: S608 - constants alone


async def limit_time(session: AsyncSession, seconds: int) -> None:
    """Let no statement of the rest of the transaction take longer."""
    connection = await driver_connection(session)
    await connection.execute(_LIMIT_TIME, str(seconds * 1000))


_LIMIT_TIME = "SELECT set_config('statement_timeout', $1, true)"


async def fetch_json(session: AsyncSession, statement: str, *values: Any) -> bytes:
    """Return what a statement builds: one JSON text."""
    connection: asyncpg.Connection = await driver_connection(session)
    # To compile a statement costs more than it saves one that takes milliseconds.
    await connection.execute("SET LOCAL jit = off")
    text_: str = await connection.fetchval(statement, *values)
    return text_.encode()

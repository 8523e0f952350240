"""Keeping slices: which revisions there are, which was current when, and their facts."""

from collections.abc import Iterator, Mapping, Sequence
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


_OF_PERIOD = "s.dataset = n.dataset AND s.node = n.node AND s.period = n.period"


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
    """Keep a slice, as :func:`store_all` does."""
    (outcome,) = await store_all(session, [slice_], received_at=received_at)
    return outcome


async def store_all(
    session: AsyncSession, slices: Sequence[Slice], *, received_at: datetime
) -> list[Outcome]:
    """Keep slices; the newest revision becomes the current one in the same transaction, unless its month is closed.

    Storing one again changes nothing. A revision older than the current one is kept as history: it was never current
    here. One beyond the limit of a closed month is kept, and waits. Two transactions must not store slices of
    one city at once: a lane's cursor, or the city's roll-up lock, sees to that.

    Returns:
        What became of each, in their order.

    Raises:
        RevisionConflict: if the revision of one is known with another hash; the transaction has to be undone if there
            were several.
    """
    connection = await driver_connection(session)
    await standing.take_turn(session)
    outcomes: list[Outcome] = []
    for apart in _apart(slices):
        columns = zip(*map(_row, apart), strict=True)
        kept = await connection.fetch(_KEEP, received_at, *columns)
        for slice_, row in zip(apart, kept, strict=True):
            content = slice_.content
            if row["known"] not in {None, content.hash}:
                raise RevisionConflict(
                    f"The slice {slice_.name} is known with the hash {row['known'][:12]}…, and comes again with "
                    f"{content.hash[:12]}…. The known one stays; {content.node} must compute a new revision."
                )
            outcomes.append(Outcome(row["outcome"]))
        new = {
            row["id"]: slice_.content
            for slice_, row in zip(apart, kept, strict=True)
            if row["known"] is None
        }
        if new:
            await facts.load(session, new)
    return outcomes


def _apart(slices: Sequence[Slice]) -> Iterator[list[Slice]]:
    """Cut a list where a dataset of a city and period comes again: revisions make way for one another in order."""
    apart: dict[tuple[str, str, str], Slice] = {}
    for slice_ in slices:
        content = slice_.content
        key = content.dataset, content.node, str(content.period)
        if key in apart:
            yield list(apart.values())
            apart.clear()
        apart[key] = slice_
    if apart:
        yield list(apart.values())


def _row(slice_: Slice) -> tuple[Any, ...]:
    content = slice_.content
    return (
        content.dataset,
        content.node,
        str(content.period),
        slice_.revision,
        content.hash,
        content.row_count,
        orjson.dumps(content.control_totals).decode(),
        slice_.computed_at,
        slice_.reason,
    )


# One statement, for a night has thousands of slices. A row is added after the one before has made way for it: both
# would be in the index of what is current otherwise. Nothing is written if one contradicts what is known.
_KEEP = f"""
WITH judged AS MATERIALIZED (
    SELECT k.*, k.known IS NULL AND NOT k.is_late AND NOT k.waits AS counts,
           coalesce(bool_and(k.known = k.hash) OVER (), true) AS agree
    FROM (
        SELECT n.*,
            (SELECT s.hash FROM statistics_slice s WHERE {_OF_PERIOD} AND s.revision = n.revision) AS known,
            EXISTS (SELECT FROM statistics_slice s
                    WHERE {_OF_PERIOD} AND s.superseded_at IS NULL AND s.revision > n.revision) AS is_late,
            coalesce((SELECT n.revision > {standing.LIMIT} FROM statistics_limit l
                      WHERE l.month = left(n.period, {standing.MONTH_LENGTH}) AND l.node = n.node), false) AS waits
        FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::text[],
                    $9::timestamptz[], $10::text[])
             WITH ORDINALITY AS n (dataset, node, period, revision, hash, row_count, control_totals, computed_at, reason,
                                   place)
    ) k
), gone AS (
    UPDATE statistics_slice s SET superseded_at = $1::timestamptz FROM judged n
    WHERE n.counts AND n.agree AND {_OF_PERIOD} AND s.superseded_at IS NULL
    RETURNING s.id
), added AS (
    INSERT INTO statistics_slice (dataset, node, period, revision, hash, row_count, control_totals, computed_at,
                                  received_at, reason, superseded_at, in_force_at)
    SELECT dataset, node, period, revision, hash, row_count, control_totals::jsonb, computed_at, $1, reason,
           CASE WHEN NOT counts THEN $1 END, CASE WHEN counts THEN $1 END
    FROM judged WHERE known IS NULL AND agree AND (SELECT count(*) FROM gone) >= 0 ORDER BY place
    RETURNING id, dataset, node, period
), noted AS (
    {standing.NOTE_CHANGE} SELECT DISTINCT dataset, period, left(node, 2) || '0000' FROM judged WHERE counts AND agree
)
SELECT n.known, s.id,
       CASE WHEN n.known IS NOT NULL THEN '{Outcome.KNOWN}' WHEN n.waits THEN '{Outcome.PENDING}'
            WHEN n.is_late THEN '{Outcome.HISTORY}' ELSE '{Outcome.CURRENT}' END AS outcome
FROM judged n LEFT JOIN added s ON {_OF_PERIOD} ORDER BY n.place
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
    await facts.load(session, {slice_id: content})
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

"""Rolling off what is older than the rule says: days by whole partitions, and what earlier revisions said.

Figures by month are kept for ever. The register of slices is kept too, with hash and control totals: a slice whose
facts are gone is marked, and questions count its city as missing, never as zero.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.database import Database, driver_connection
from shared.statistics import facts
from shared.statistics.aggregate import take_all_lots
from shared.statistics.period import Period, PeriodKind, month_of_volume
from shared.statistics.standing import IN_FORCE, begin_generation

PORTION = 500
"""Revisions whose facts are dropped in one transaction."""
WAIT = "5s"
"""So long a partition's drop waits for a question that reads; then it is for the next night."""


@dataclass(frozen=True, slots=True)
class RolledOff:
    """What was dropped: months of days, and superseded revisions."""

    months: int
    revisions: int


async def roll_off(
    database: Database, *, day_months: int, history_months: int, now: datetime
) -> RolledOff:
    """Drop what the rule says.

    Args:
        database: the node's.
        day_months: so many months before the present one keep their days.
        history_months: revisions that were superseded before the same number of months ago lose their facts.
        now: the present moment.
    """
    present = Period.at(now).volume
    pool = await database.pool()
    days = await pool.fetch(
        "SELECT volume FROM statistics_volume WHERE volume < 0 AND -volume < $1 ORDER BY volume DESC",
        present - day_months,
    )
    dropped = [await _drop_days(database, row["volume"], now) for row in days]
    first = month_of_volume(present - history_months).start
    before = datetime(first.year, first.month, first.day, tzinfo=BUSINESS_ZONE)
    revisions = 0
    while portion := await _drop_history(database, before, now):
        revisions += portion
    return RolledOff(sum(dropped), revisions)


async def _drop_days(database: Database, volume: int, now: datetime) -> bool:
    """Take a month's days out of every answer, and in the next night drop them; tells whether they were dropped.

    A question that had chosen its slices before still finds their facts.
    """
    first = month_of_volume(volume)
    bounds = str(Period(PeriodKind.DAY, first.start)), str(Period(PeriodKind.DAY, first.end))
    async with database.transaction() as session:
        await take_all_lots(session)  # first, as whoever puts together does
        connection = await driver_connection(session)
        if await connection.fetch(_MARK_DAYS, *bounds, now):
            await begin_generation(connection)
            for table in ("statistics_aggregate", "statistics_change"):
                await connection.execute(f"DELETE FROM {table} WHERE {_IN_DAYS}", *bounds)  # noqa: S608 - constants
            return False
        await connection.execute(f"SET LOCAL lock_timeout = '{WAIT}'")
        await connection.execute("SELECT statistics_drop_volume($1::smallint)", volume)
    return True


async def _drop_history(database: Database, before: datetime, now: datetime) -> int:
    async with database.transaction() as session:
        connection = await driver_connection(session)
        rows = await connection.fetch(_MARK_HISTORY, before, PORTION, now)
        by_volume: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            by_volume[Period.parse(row["period"]).volume].append(row["id"])
        for volume, ids in by_volume.items():
            await facts.drop(session, ids, volume)
    return len(rows)


_IN_DAYS = "period >= $1 AND period < $2 AND length(period) = length($1)"
_MARK_DAYS = f"""
UPDATE statistics_slice SET rolled_off_at = $3 WHERE {_IN_DAYS} AND rolled_off_at IS NULL RETURNING id
"""  # noqa: S608 - a constant
# What waits for approval has been superseded by nothing: it is newer than what is in force.
_MARK_HISTORY = f"""
UPDATE statistics_slice SET rolled_off_at = $3 WHERE id IN (
    SELECT o.id FROM statistics_slice o WHERE o.superseded_at < $1 AND o.rolled_off_at IS NULL
      AND EXISTS (SELECT FROM statistics_slice s WHERE (s.dataset, s.node, s.period) = (o.dataset, o.node, o.period)
                  AND s.revision > o.revision AND {IN_FORCE})
    ORDER BY o.superseded_at LIMIT $2)
RETURNING id, period
"""  # noqa: S608 - a constant

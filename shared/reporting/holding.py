"""What a node holds of its cities' months, and digests of it, by which two nodes tell whether they hold the same.

Held is what is in force and what waits, of which the facts are all there, and what was said about the months.
"""

import hashlib

# ruff: noqa: S608 - statements are put together from constants
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import repository as federation
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.tier import Tier
from shared.organisation.division import division
from shared.reporting import difference
from shared.reporting.models import Fault
from shared.statistics import reading
from shared.statistics.period import Period, PeriodKind

RECENT_MONTHS = 13
"""So many months are compared every night."""
OLDER_EVERY = 28
"""An older month is compared once in so many nights."""
MOST_MONTHS = 120
CHECKED_MONTHS = 2
"""So many months' facts are added up every night, beside the older ones whose turn it is."""

Line = tuple[str, str, int, str]
"""Period, dataset, revision and hash of a slice."""

_HELD = """
WITH held AS (
    SELECT s.node, left(s.period, 7) AS month, s.period, s.dataset, s.revision, s.hash
    FROM statistics_slice s
    WHERE s.node = ANY($1::text[]) AND s.period = ANY($2::text[])
      AND s.revision >= coalesce((
          SELECT c.revision FROM statistics_slice c
          WHERE (c.dataset, c.node, c.period) = (s.dataset, s.node, s.period) AND c.superseded_at IS NULL), 0)
      AND NOT EXISTS (
          SELECT FROM reporting_difference d WHERE d.fault = 'damaged' AND d.repaired_at IS NULL
            AND (d.period, d.node, d.dataset, d.revision) = (s.period, s.node, s.dataset, s.revision))
)"""
_DIGESTS = (
    _HELD
    + """
SELECT month, node, encode(sha256(convert_to(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), 'UTF8')), 'hex') AS digest
FROM (
    SELECT month, node, concat_ws('|', period, dataset, revision, hash) AS line FROM held
    UNION ALL
    SELECT month, node, digest FROM reporting_statement WHERE node = ANY($1::text[]) AND month = ANY($3::text[])
) lines GROUP BY month, node"""
)
_LINES = (
    _HELD
    + " SELECT node, period, dataset, revision, hash FROM held ORDER BY node, period, dataset, revision"
)


def months_of(now: datetime) -> list[str]:
    """Return the months that are compared tonight: the recent ones, and those of the older whose turn it is."""
    today = business_day(now)
    month = Period.of(today, PeriodKind.MONTH)
    found = []
    for back in range(MOST_MONTHS):
        if back < RECENT_MONTHS or month.ordinal % OLDER_EVERY == today.toordinal() % OLDER_EVERY:
            found.append(str(month))
        month = month.previous
    return found


async def digests(
    session: AsyncSession, nodes: Collection[str], months: Collection[str]
) -> dict[str, dict[str, str]]:
    """Return digests of what is held, by month and city."""
    connection = await driver_connection(session)
    periods = _periods(months)
    found: dict[str, dict[str, str]] = {month: {} for month in months}
    for month, node, digest in await connection.fetch(_DIGESTS, list(nodes), periods, list(months)):
        found[month][node] = digest
    return found


def of_month(cities: Mapping[str, str]) -> str:
    """Return the digest of a month: of its cities' digests."""
    lines = "\n".join(f"{node} {digest}" for node, digest in sorted(cities.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


async def cities_held(session: AsyncSession, here: str) -> list[str]:
    """Return the cities for which a node speaks: itself, or those that belong to it."""
    if division(here).tier is Tier.CITY:
        return [here]
    return sorted(
        code
        for code in await federation.children_of(session, here)
        if division(code).tier is Tier.CITY
    )


async def lines_of(session: AsyncSession, node: str, month: str) -> list[Line]:
    """Return what is held of a city's month."""
    connection = await driver_connection(session)
    periods = _periods([month])
    return [tuple(row)[1:] for row in await connection.fetch(_LINES, [node], periods)]


async def kept(session: AsyncSession, node: str, month: str) -> dict[tuple[str, str, int], str]:
    """Return the hashes of all that is kept whole of a city's month."""
    rows = await session.execute(
        text(
            "SELECT s.period, s.dataset, s.revision, s.hash FROM statistics_slice s"
            " WHERE s.node = :node AND s.period = ANY(:periods) AND NOT EXISTS ("
            "  SELECT FROM reporting_difference d WHERE d.fault = 'damaged' AND d.repaired_at IS NULL"
            "  AND (d.period, d.node, d.dataset, d.revision) = (s.period, s.node, s.dataset, s.revision))"
        ),
        {"node": node, "periods": _periods([month])},
    )
    return {(period, dataset, revision): hash_ for period, dataset, revision, hash_ in rows}


def _periods(months: Collection[str]) -> list[str]:
    return [str(each) for month in months for each in Period.parse(month).with_days]


async def check(session: AsyncSession, *, here: str, now: datetime) -> None:
    """Note which slices are damaged, of the latest months and of the older ones whose turn it is."""
    months = months_of(now)
    checked = [*months[:CHECKED_MONTHS], *months[RECENT_MONTHS:]]
    damaged = [each for month in checked for each in await reading.damaged(session, month)]
    await difference.note(session, damaged, Fault.DAMAGED, peer=here, now=now)

"""Counting the live tables: one statement a dataset, and the snapshot that they are run in."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.database import Database, driver_connection
from shared.statistics.catalogue import Aggregation, Dataset, Indicator
from shared.statistics.period import Period

MEMORY = "64MB"
"""What one sort or hash of a count may use before it goes to disk."""

_MONTH_NUMBER = "date_part('year', {0})::int * 12 + date_part('month', {0})::int"
_TENURE = f"""greatest(0, {_MONTH_NUMBER.format("reference.day")} - ({_MONTH_NUMBER.format("c.entry_date")})
    - (date_part('day', reference.day) < date_part('day', c.entry_date))::int)"""
"""Whole months from entry to the reference day. ``extract`` would do it in decimals, which takes twice the time."""

_PROFILE = f"""
    SELECT c.id, c.kind, c.level, c.contract_term, c.sex, c.entry_date, c.left_on, c.monthly_charge_fen,
           coalesce(o.came_on, c.entry_date) AS came_on,
           c.left_on IS NULL OR c.left_on >= $2 AS present,
           c.left_on >= $1 AND c.left_on < $2 AS lost,
           c.level IN ('diamond', 'gold', 'silver') AS is_key,
           tenure.months AS tenure_months,
           CASE WHEN tenure.months <= 12 THEN '0-12'
                WHEN tenure.months <= 24 THEN '13-24'
                WHEN tenure.months <= 48 THEN '25-48'
                WHEN tenure.months <= 60 THEN '49-60'
                ELSE '61+' END AS tenure_band
    FROM customer c LEFT JOIN customer_ownership o ON o.customer_id = c.id
    CROSS JOIN LATERAL (SELECT CASE WHEN c.left_on < $2 THEN c.left_on ELSE $2 - 1 END AS day) reference
    CROSS JOIN LATERAL (SELECT {_TENURE} AS months) tenure
"""  # noqa: S608 - constants alone
"""Customers as the period from $1 up to, and without, $2 sees them.

Who came from another city has tenure from before, and is counted here from that day on: until then that city does.
"""

_STATEMENTS: Mapping[str, str] = {
    "customer": f"""
        WITH profile AS MATERIALIZED ({_PROFILE} WHERE coalesce(o.came_on, c.entry_date) < $2),
        lines AS (
            SELECT customer_id, count(*) AS subscriptions FROM subscription
            WHERE entry_date < $2 AND (ended_on IS NULL OR ended_on >= $2)
            GROUP BY customer_id
        )
        SELECT level, contract_term, tenure_band, sex,
               count(*) FILTER (WHERE present) AS customers,
               count(*) FILTER (WHERE present AND kind = 'group') AS group_customers,
               count(*) FILTER (WHERE present AND is_key) AS key_customers,
               count(*) FILTER (WHERE present AND contract_term IN ('one_year', 'two_year')) AS long_contract_customers,
               count(*) FILTER (WHERE NOT present) AS retained_customers,
               count(*) FILTER (WHERE came_on >= $1) AS new_customers,
               count(*) FILTER (WHERE lost) AS lost_customers,
               count(*) FILTER (WHERE lost AND is_key) AS lost_key_customers,
               count(*) FILTER (WHERE present OR lost) AS customers_exposed,
               sum(tenure_months) FILTER (WHERE present) AS tenure_months,
               sum(lines.subscriptions) FILTER (WHERE present) AS subscriptions,
               sum(monthly_charge_fen) FILTER (WHERE present) AS monthly_charge_fen,
               sum(monthly_charge_fen) FILTER (WHERE present AND is_key) AS key_monthly_charge_fen,
               max(monthly_charge_fen) FILTER (WHERE present) AS highest_monthly_charge_fen,
               sum(monthly_charge_fen) FILTER (WHERE lost) AS lost_monthly_charge_fen
        FROM profile LEFT JOIN lines ON lines.customer_id = profile.id
        GROUP BY level, contract_term, tenure_band, sex
    """,  # noqa: S608 - as above
    "revenue": f"""
        WITH profile AS MATERIALIZED ({_PROFILE}),
        billed AS (
            SELECT customer_id, count(*) AS bills, sum(charge_fen) AS charge_fen, max(charge_fen) AS highest_fen
            FROM bill LEFT JOIN customer_ownership o USING (customer_id)
            WHERE period >= $1 AND period < $2 AND (o.came_on IS NULL OR period >= date_trunc('month', o.came_on))
            GROUP BY customer_id
        )
        SELECT level, contract_term, tenure_band, sex,
               count(*) AS billed_customers,
               sum(bills) AS bills,
               sum(charge_fen) AS billed_revenue_fen,
               max(highest_fen) AS highest_bill_fen
        FROM billed JOIN profile ON profile.id = billed.customer_id
        GROUP BY level, contract_term, tenure_band, sex
    """,  # noqa: S608 - as above
}


@contextlib.asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[AsyncSession]:
    """Open a transaction that sees the tables as of one moment and is alone in making slices.

    The lock comes first, because a repeatable-read transaction sees the moment of its first query, and taking a table's
    lock is none: whoever waited sees what the one before has made.
    """
    async with database.transaction() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        await session.execute(text("LOCK TABLE statistics_slice IN SHARE ROW EXCLUSIVE MODE"))
        await session.execute(text(f"SET LOCAL work_mem = '{MEMORY}'"))
        yield session


async def count(
    session: AsyncSession, dataset: Dataset, measures: tuple[Indicator, ...], period: Period
) -> list[tuple[tuple[str, ...], tuple[int | None, ...]]]:
    """Count a dataset's cells for a period: dimension values and measures of each, in the catalogue's order."""
    connection = await driver_connection(session)
    rows = await connection.fetch(_STATEMENTS[dataset.code], period.start, period.end)
    return [
        (
            tuple(row[dimension] for dimension in dataset.dimensions),
            tuple(_value(measure, row[measure.code]) for measure in measures),
        )
        for row in rows
    ]


def _value(measure: Indicator, counted: Any) -> int | None:
    """Return a value as slices have it: what adds up and is zero is left out, a least or greatest of zero is not."""
    if counted is None or (
        counted == 0 and measure.aggregation in {Aggregation.SUM, Aggregation.SNAPSHOT}
    ):
        return None
    return int(counted)

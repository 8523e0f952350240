"""What a unit's customers had at the end of a day, by the month in which it expires: what the operator owes them.

It is read from the ledger, so that any day can be asked for, and comes out the same later. Customers count for the unit
that looks after them now.
"""

from datetime import date, datetime, time, timedelta

import asyncpg
import orjson

from services.city_node.points.chart import FIRST_CUSTOMER_ACCOUNT
from services.city_node.points.schemas import LiabilityOut
from shared.kernel.clock import BUSINESS_ZONE

# ruff: noqa: S608 - put together from the texts of this module, never from input
_OF_UNIT = """
    SELECT a.id FROM points_account a JOIN customer c ON c.id = a.customer_id
    JOIN organisation_unit u ON u.code = c.unit_code WHERE starts_with(u.path, $1)"""
_LIABILITY = f"""
    WITH account AS ({_OF_UNIT}),
    lot AS (
        SELECT l.account_id, date_trunc('month', l.expires_on - 1)::date AS month, sum(l.points) AS points FROM (
            SELECT credit_id AS account_id, expires_on, points FROM points_entry
            WHERE credit_id >= {FIRST_CUSTOMER_ACCOUNT} AND at < $2
            UNION ALL
            SELECT debit_id, expires_on, -points FROM points_entry
            WHERE debit_id >= {FIRST_CUSTOMER_ACCOUNT} AND at < $2) l
        JOIN account ON account.id = l.account_id GROUP BY 1, 2 HAVING sum(l.points) <> 0)
    SELECT json_build_object(
        'accounts', (SELECT count(DISTINCT account_id) FROM lot),
        'points', (SELECT coalesce(sum(points), 0) FROM lot),
        'months', (SELECT coalesce(json_agg(m), '[]') FROM (
            SELECT month, sum(points)::bigint AS points FROM lot GROUP BY month ORDER BY month) m))::text"""


def end_of(day: date) -> datetime:
    """Return the moment at which a business day ends."""
    return datetime.combine(day + timedelta(days=1), time(), BUSINESS_ZONE)


async def liability(pool: asyncpg.Pool, unit_code: str, unit_path: str, day: date) -> LiabilityOut:
    """Return what the customers of a unit and those below had at the end of a day."""
    found = orjson.loads(await pool.fetchval(_LIABILITY, unit_path, end_of(day)))
    return LiabilityOut(unit_code=unit_code, on=day, **found)

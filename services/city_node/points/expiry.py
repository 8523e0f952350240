"""Lots expire: set-wise, portion by portion. A frozen account's, too."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from services.city_node.points.chart import EntryKind, SystemAccount
from services.city_node.points.moving import NOT_LIVE_ACCOUNTS
from shared.kernel.clock import business_day
from shared.kernel.database import Database, driver_connection

# ruff: noqa: S608 - put together from the texts of this module, never from input
PORTION = 50_000
"""Lots in one transaction."""

_NEXT = f"""
    SELECT array_agg(account_id) FROM (
        SELECT DISTINCT account_id FROM (
            SELECT account_id FROM points_lot WHERE expires_on <= $1 AND account_id NOT IN ({NOT_LIVE_ACCOUNTS}) ORDER BY expires_on, account_id LIMIT $2) lots) accounts"""
_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM points_balance WHERE account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE) locked"""
_FREE = f"SELECT array_agg(id) FROM unnest($1::bigint[]) id WHERE id NOT IN ({NOT_LIVE_ACCOUNTS})"
"""Of accounts that are locked, those whose customers are not moving to another city."""
_EXPIRE = f"""
    WITH over AS (
        DELETE FROM points_lot WHERE account_id = ANY($1::bigint[]) AND expires_on <= $2
        RETURNING account_id, expires_on, remaining),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on)
        SELECT $3::timestamptz, '{EntryKind.EXPIRY.value}', account_id, {SystemAccount.EXPIRED:d}, remaining, expires_on
        FROM over WHERE remaining > 0 ORDER BY account_id, expires_on),
    lower AS (
        UPDATE points_balance b SET balance = b.balance - t.points
        FROM (SELECT account_id, sum(remaining) AS points FROM over GROUP BY account_id HAVING sum(remaining) > 0) t
        WHERE b.account_id = t.account_id)
    SELECT count(*) FILTER (WHERE remaining > 0) AS lots, coalesce(sum(remaining), 0)::bigint AS points FROM over"""


@dataclass
class Expired:
    """What a run did: lots that were not empty, and the points in them."""

    lots: int = 0
    points: int = 0


async def expire(
    database: Database,
    *,
    now: datetime,
    portion: int = PORTION,
    on_progress: Callable[[int], Awaitable[None]] | None = None,
) -> Expired:
    """Let every lot expire whose day has come; it may be interrupted anywhere and run again."""
    done, today = Expired(), business_day(now)
    while True:
        async with database.transaction() as session:
            connection = await driver_connection(session)
            accounts = await connection.fetchval(_NEXT, today, portion)
            if accounts is None:
                return done
            await connection.fetchval(_LOCK, accounts)
            accounts = await connection.fetchval(_FREE, accounts)
            row = await connection.fetchrow(_EXPIRE, accounts, today, now)
        done.lots += row["lots"]
        done.points += row["points"]
        if on_progress is not None:
            await on_progress(done.lots)

"""Bills earn points: set-wise, portion by portion, the whole city or what is due.

Each portion is a transaction: what it takes from :mod:`.due`, what those bills earn otherwise than the ledger has, and
the postings of the difference. So a run may be interrupted anywhere and the next one goes on; a bill that was judged
and has not changed since posts nothing, whatever became of the policy, of the customer's level or of anything else.

A bill that became smaller gives back what is left of the points that expire on the same day; what was used of them is
waived. A bill is judged by the policy of the day on which its points are issued, the first of the month after.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.points import due
from services.city_node.points.chart import EntryKind, SystemAccount
from services.city_node.points.moving import NOT_LIVE_ACCOUNTS
from services.city_node.points.terms import RATINGS, Terms, earned
from shared.kernel.clock import business_day
from shared.kernel.database import Database, driver_connection
from shared.policy.kinds.points import POINTS, issue_day
from shared.policy.service import in_force

# ruff: noqa: S608 - put together from the texts of this module, never from input
PORTION = 100_000
"""Bills in one transaction: what an interruption undoes, and for how long balances are locked."""
OLDEST_MONTHS = 72
"""Points live for no more than 60 months and the rest of a year: older bills cannot earn anything."""
LOCK = 0x67786A66
"""Key of the advisory lock of whoever takes a portion: two who had the same bill would both post it."""

_TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS points_portion (
        bill_id bigint, customer_id uuid, account_id bigint, charge_fen bigint, level text, rate_permille integer,
        campaign text, points bigint, was bigint, expires_on date, basis_id integer, waived bigint DEFAULT 0)
    ON COMMIT DELETE ROWS"""
_COLUMNS = "bill_id, customer_id, account_id, charge_fen, level, rate_permille, campaign, points, was, expires_on, basis_id"
_JUDGE = f"INSERT INTO points_portion ({_COLUMNS}) "
_GONE = """
    SELECT a.bill_id, NULL, a.account_id, 0, a.level, a.rate_permille, NULL, 0, a.points, a.expires_on, a.basis_id
    FROM {} AND a.points > 0
    JOIN points_account o ON o.id = a.account_id AND o.closed_at IS NULL
    WHERE NOT EXISTS (SELECT FROM bill b WHERE b.id = a.bill_id) AND a.expires_on > ${}"""
_OPEN = """
    WITH opened AS (
        INSERT INTO points_account (customer_id, opened_at)
        SELECT c.id, $1::timestamptz FROM customer c
        WHERE c.id IN (SELECT customer_id FROM points_portion WHERE account_id IS NULL AND points > 0)
          AND c.library <> 'erased' ORDER BY c.id FOR KEY SHARE OF c
        ON CONFLICT (customer_id) WHERE is_primary DO NOTHING RETURNING id)
    INSERT INTO points_balance (account_id) SELECT id FROM opened"""
_FIND = """
    UPDATE points_portion p SET account_id = a.id FROM points_account a
    WHERE p.account_id IS NULL AND a.customer_id = p.customer_id AND a.is_primary AND a.closed_at IS NULL"""
_LEAVE_OUT = f"""
    DELETE FROM points_portion
    WHERE customer_id IN ({NOT_LIVE}) OR account_id IN ({NOT_LIVE_ACCOUNTS})"""
"""Whoever moves to another city earns there, or is judged again when it is decided that nobody moves."""
_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM points_balance WHERE account_id IN (SELECT account_id FROM points_portion)
        ORDER BY account_id FOR UPDATE) locked"""
_WAIVE = """
    UPDATE points_portion p SET waived = w.waived FROM (
        SELECT f.bill_id, f.fall - least(f.fall, greatest(0, coalesce(l.remaining, 0) - f.before)) AS waived
        FROM (SELECT bill_id, account_id, expires_on, was - points AS fall,
                     sum(was - points) OVER (PARTITION BY account_id, expires_on ORDER BY bill_id) - (was - points) AS before
              FROM points_portion WHERE points < was) f
        LEFT JOIN points_lot l ON l.account_id = f.account_id AND l.expires_on = f.expires_on) w
    WHERE w.bill_id = p.bill_id"""
_POST = f"""
    WITH change AS (
        SELECT *, points + waived - was AS change FROM points_portion WHERE account_id IS NOT NULL),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, bill_id)
        SELECT $1::timestamptz, CASE WHEN change > 0 THEN '{EntryKind.ACCRUAL.value}' ELSE '{EntryKind.CORRECTION.value}' END,
               CASE WHEN change > 0 THEN {SystemAccount.ISSUED:d} ELSE account_id END,
               CASE WHEN change > 0 THEN account_id ELSE {SystemAccount.ISSUED:d} END, abs(change), expires_on, bill_id
        FROM change WHERE change <> 0),
    lot AS (
        SELECT account_id, expires_on, sum(change)::bigint AS change FROM change GROUP BY account_id, expires_on),
    gained AS (
        INSERT INTO points_lot (account_id, expires_on, remaining)
        SELECT account_id, expires_on, change FROM lot WHERE change > 0
        ON CONFLICT (account_id, expires_on) DO UPDATE SET remaining = points_lot.remaining + excluded.remaining),
    lost AS (
        UPDATE points_lot l SET remaining = l.remaining + t.change FROM lot t
        WHERE t.change < 0 AND l.account_id = t.account_id AND l.expires_on = t.expires_on),
    weighed AS (
        UPDATE points_balance b SET balance = b.balance + t.change
        FROM (SELECT account_id, sum(change) AS change FROM lot GROUP BY account_id) t
        WHERE b.account_id = t.account_id AND t.change <> 0),
    kept AS (
        INSERT INTO points_accrual AS a (bill_id, account_id, points, waived, charge_fen, rate_permille, expires_on, basis_id, level, campaign)
        SELECT bill_id, account_id, points + waived, waived, charge_fen, rate_permille, expires_on, basis_id, level, campaign
        FROM change WHERE points > 0 OR was > 0
        ON CONFLICT (bill_id) DO UPDATE SET
            points = excluded.points, waived = a.waived + excluded.waived, charge_fen = excluded.charge_fen,
            campaign = excluded.campaign, basis_id = excluded.basis_id)
    SELECT count(*) FILTER (WHERE change <> 0) AS bills, coalesce(sum(change) FILTER (WHERE change > 0), 0)::bigint AS issued,
           coalesce(-sum(change) FILTER (WHERE change < 0), 0)::bigint AS taken_back, coalesce(sum(waived), 0)::bigint AS waived
    FROM change"""
_TAKE_TURNS = "SELECT pg_advisory_xact_lock($1)"
_NAME_BASIS = "INSERT INTO points_basis (reference) VALUES ($1) ON CONFLICT (reference) DO NOTHING"
_BASIS = "SELECT id FROM points_basis WHERE reference = $1"


@dataclass
class Accrued:
    """What a run did.

    Attributes:
        judged: ids of bills that were due.
        bills: bills whose points changed.
        issued: points that were given.
        taken_back: points that bills gave back.
        waived: points that they could not give back.
    """

    judged: int = 0
    bills: int = 0
    issued: int = 0
    taken_back: int = 0
    waived: int = 0


async def accrue(
    database: Database,
    *,
    node: str,
    now: datetime,
    whole_city: bool = False,
    portion: int = PORTION,
    on_progress: Callable[[int, int], Awaitable[None]] | None = None,
    ratings: str = RATINGS,
) -> Accrued:
    """Judge the bills that are due, or all of the city, and post what they earn.

    Args:
        database: the city's.
        node: its division code, by whose policies it goes.
        now: the moment of the postings.
        whole_city: whether every bill is due.
        portion: bills in one transaction.
        on_progress: is told how many were judged, and of how many.
        ratings: where credit ratings come from.
    """
    done, today = Accrued(), business_day(now)
    async with database.reserved() as transaction:
        async with transaction() as session:
            connection = await driver_connection(session)
            await connection.execute(_TABLE)
            if whole_city:
                await connection.execute(_TAKE_TURNS, LOCK)
                await due.mark_city(connection)
            terms = await _terms(session, connection, node, today)
            total = await due.left(connection)
        while True:
            async with transaction() as session:
                connection = await driver_connection(session)
                await connection.execute(_TAKE_TURNS, LOCK)
                taken = await due.take(connection, portion)
                if taken is None:
                    return done
                await _judge(connection, taken, terms, today, ratings)
                await _post(connection, done, now)
            done.judged += taken.size
            if on_progress is not None:
                await on_progress(done.judged, max(total, done.judged))


async def _judge(
    connection: asyncpg.Connection,
    taken: due.Portion,
    terms: list[Terms],
    today: date,
    ratings: str,
) -> None:
    if taken.gone:
        accruals, given = taken.joined_to("points_accrual a", "a.bill_id")
        query = _GONE.format(accruals, len(given) + 1)
        await connection.execute(_JUDGE + query, *given, today)
        return
    for each in terms:
        query, values = earned(each, taken, today, ratings=ratings)
        await connection.execute(_JUDGE + query, *values)


async def _post(connection: asyncpg.Connection, done: Accrued, now: datetime) -> None:
    await connection.execute(_LEAVE_OUT)
    await connection.execute(_OPEN, now)
    await connection.execute(_FIND)
    await connection.fetchval(_LOCK)
    await connection.execute(_LEAVE_OUT)  # a transfer may have begun while the lock was waited for
    await connection.execute(_WAIVE)
    row = await connection.fetchrow(_POST, now)
    done.bills += row["bills"]
    done.issued += row["issued"]
    done.taken_back += row["taken_back"]
    done.waived += row["waived"]


async def _terms(
    session: AsyncSession, connection: asyncpg.Connection, node: str, today: date
) -> list[Terms]:
    """Return the policies by which the bills of each month that may still earn are judged."""
    found: list[Terms] = []
    month = _months_before(today.replace(day=1), OLDEST_MONTHS)
    while month <= today:
        issued = issue_day(month)
        policy = await in_force(session, POINTS, on=issued, node=node)
        if found and found[-1].reference == policy.reference:
            found[-1] = replace(found[-1], last=issued)
        else:
            await connection.execute(_NAME_BASIS, policy.reference)
            basis: int = await connection.fetchval(_BASIS, policy.reference)
            found.append(Terms(policy.document, policy.reference, basis, month, issued))
        month = issued
    return found


def _months_before(month: date, months: int) -> date:
    ordinal = month.year * 12 + month.month - 1 - months
    return date(ordinal // 12, ordinal % 12 + 1, 1)

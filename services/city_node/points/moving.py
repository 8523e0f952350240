"""Points of a customer who moves to another city: out of one city's ledger and into the other's, lot by lot.

What leaves goes to the system account *elsewhere*, what comes is taken from it, by entries that name the transfer. So
each city's ledger balances by itself, and over all cities together *elsewhere* holds what is on the way: nothing, once
the transfers have ended.

A bill earns once, in one of the two cities. Those that were judged before the record was sent have their points in the
lots; where the customer comes, they are noted as judged at a rate of nothing, whatever is corrected about them later.
The others (:func:`unjudged`) earn in the city to which they come.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.points.chart import EntryKind, SystemAccount

# ruff: noqa: S608 - put together from the texts of this module, never from input
NOT_LIVE_ACCOUNTS = f"SELECT a.id FROM points_account a WHERE a.customer_id IN ({NOT_LIVE})"
"""SQL of the accounts of customers who are not this city's to change."""

_LOCK = """
    SELECT count(*) FROM (
        SELECT FROM points_account a JOIN points_balance b ON b.account_id = a.id
        WHERE a.customer_id = $1 ORDER BY a.id FOR UPDATE OF a, b) locked"""
_LOTS = """
    SELECT coalesce(json_agg(l ORDER BY l.expires_on), '[]')::text FROM (
        SELECT l.expires_on, sum(l.remaining)::bigint AS points
        FROM points_lot l JOIN points_account a ON a.id = l.account_id
        WHERE a.customer_id = $1 AND l.remaining > 0 GROUP BY l.expires_on) l"""
_UNJUDGED = """
    SELECT b.id FROM bill b
    WHERE b.customer_id = $1
      AND EXISTS (SELECT FROM points_due d WHERE NOT d.gone AND b.id BETWEEN d.first_id AND d.last_id)
      AND NOT EXISTS (SELECT FROM points_accrual a WHERE a.bill_id = b.id AND a.points > 0)"""
_JUDGE_AGAIN = (
    "INSERT INTO points_due (first_id, last_id) SELECT id, id FROM bill WHERE customer_id = $1"
)
_OUT = f"""
    WITH gone AS (
        DELETE FROM points_lot l USING points_account a WHERE a.id = l.account_id AND a.customer_id = $1
        RETURNING l.account_id, l.expires_on, l.remaining),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
        SELECT $2::timestamptz, '{EntryKind.MOVE.value}', account_id, {SystemAccount.ELSEWHERE:d}, remaining, expires_on, $3::uuid
        FROM gone WHERE remaining > 0 ORDER BY account_id, expires_on),
    touched AS (UPDATE points_account SET version = version + 1 WHERE customer_id = $1)
    UPDATE points_balance b SET balance = 0 FROM points_account a WHERE a.id = b.account_id AND a.customer_id = $1"""
# Of an account that was closed when the copy of the customer was erased, nothing is left but its entries.
_CLOSED = "UPDATE points_account SET is_primary = false WHERE customer_id = $1 AND is_primary AND closed_at IS NOT NULL"
_OPEN = """
    WITH opened AS (
        INSERT INTO points_account (customer_id, opened_at) VALUES ($1, $2::timestamptz)
        ON CONFLICT (customer_id) WHERE is_primary DO NOTHING RETURNING id)
    INSERT INTO points_balance (account_id) SELECT id FROM opened"""
_ACCOUNT = "SELECT id FROM points_account WHERE customer_id = $1 AND is_primary"
_IN = f"""
    WITH came AS (
        SELECT expires_on, points FROM jsonb_to_recordset($2::text::jsonb) AS lot (expires_on date, points bigint)),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
        SELECT $3::timestamptz, '{EntryKind.MOVE.value}', {SystemAccount.ELSEWHERE:d}, $1::bigint, points, expires_on, $4::uuid
        FROM came ORDER BY expires_on),
    gained AS (
        INSERT INTO points_lot (account_id, expires_on, remaining) SELECT $1, expires_on, points FROM came
        ON CONFLICT (account_id, expires_on) DO UPDATE SET remaining = points_lot.remaining + excluded.remaining),
    touched AS (UPDATE points_account SET version = version + 1 WHERE id = $1)
    UPDATE points_balance SET balance = balance + (SELECT coalesce(sum(points), 0) FROM came) WHERE account_id = $1"""
_NAME_BASIS = "INSERT INTO points_basis (reference) VALUES ($1) ON CONFLICT (reference) DO NOTHING"
_JUDGED = """
    INSERT INTO points_accrual (bill_id, account_id, points, waived, charge_fen, rate_permille, expires_on, basis_id, level)
    SELECT b.id, $2::bigint, 0, 0, greatest(b.charge_fen, 0), 0, (b.period + interval '1 month')::date, p.id, c.level
    FROM jsonb_to_recordset($3::text::jsonb) AS judged (subscription_id uuid, period date)
    JOIN bill b ON b.subscription_id = judged.subscription_id AND b.period = judged.period
    JOIN customer c ON c.id = b.customer_id CROSS JOIN (SELECT id FROM points_basis WHERE reference = $4) p
    WHERE b.customer_id = $1
    ON CONFLICT (bill_id) DO NOTHING"""

Lots = Sequence[Mapping[str, Any]]


async def lock(connection: asyncpg.Connection, customer_id: UUID) -> None:
    """Lock the accounts of a customer who is locked, in the order in which everybody does."""
    await connection.fetchval(_LOCK, customer_id)


async def lots_of(connection: asyncpg.Connection, customer_id: UUID) -> Lots:
    """Return what a customer has, by the day on which it expires."""
    lots: Lots = orjson.loads(await connection.fetchval(_LOTS, customer_id))
    return lots


async def unjudged(connection: asyncpg.Connection, customer_id: UUID) -> frozenset[int]:
    """Return the bills of a customer that have not earned yet what they may."""
    return frozenset(row[0] for row in await connection.fetch(_UNJUDGED, customer_id))


async def judge_again(connection: asyncpg.Connection, customer_id: UUID) -> None:
    """Have the bills of a customer who stays looked at: while the record was frozen, none was judged."""
    await connection.execute(_JUDGE_AGAIN, customer_id)


async def move_out(
    connection: asyncpg.Connection, customer_id: UUID, *, transfer_id: UUID, at: datetime
) -> None:
    """Let everything that a customer has leave this city's ledger."""
    await lock(connection, customer_id)
    await connection.execute(_OUT, customer_id, at, transfer_id)


async def move_in(
    connection: asyncpg.Connection,
    customer_id: UUID,
    lots: Lots,
    *,
    transfer_id: UUID,
    at: datetime,
) -> None:
    """Let a customer have here what left the other city's ledger, each lot with its day of expiry."""
    if not lots:
        return
    account = await _account(connection, customer_id, at=at)
    await connection.execute(_IN, account, orjson.dumps(lots).decode(), at, transfer_id)


async def note_judged(
    connection: asyncpg.Connection,
    customer_id: UUID,
    bills: Sequence[Mapping[str, Any]],
    *,
    origin: str,
    at: datetime,
) -> None:
    """Note of bills that came with a customer that they have earned in the city where they come from."""
    if not bills:
        return
    account, basis = await _account(connection, customer_id, at=at), f"transferred from {origin}"
    await connection.execute(_NAME_BASIS, basis)
    given = orjson.dumps(bills).decode()
    await connection.execute(_JUDGED, customer_id, account, given, basis)


async def _account(connection: asyncpg.Connection, customer_id: UUID, *, at: datetime) -> int:
    await connection.execute(_CLOSED, customer_id)
    await connection.execute(_OPEN, customer_id, at)
    await lock(connection, customer_id)
    account: int = await connection.fetchval(_ACCOUNT, customer_id)
    return account

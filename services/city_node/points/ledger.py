"""Moving points: the few statements by which people's acts change accounts, lots and the ledger together.

Whoever moves points locks the accounts first, with their balances, in the order of their ids; only then does it look at
lots, with a statement of its own that sees what the lock waited for. Bulk work locks balances in the same order. A
reward is locked after the accounts. So nobody waits in a circle, and nothing is taken twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.city_node.customer.models import Library
from services.city_node.customer.problems import CustomerRetained
from services.city_node.customer.profile import SOURCE, absent
from services.city_node.points.chart import EntryKind, SystemAccount
from services.city_node.points.problems import PointsFrozen, PointsInsufficient

# ruff: noqa: S608 - put together from the texts of this module, never from input
_CUSTOMERS = f"""
    SELECT c.id, c.library, c.level, c.left_on, NULL::bigint AS account_id FROM {SOURCE} WHERE c.id = ANY($1::uuid[]) AND starts_with(u.path, $2)"""
_LOCK = f"""
    SELECT c.id, c.library, c.level, c.left_on, a.id AS account_id, a.is_primary, a.frozen_at IS NOT NULL AS frozen
    FROM {SOURCE} JOIN points_account a ON a.customer_id = c.id JOIN points_balance b ON b.account_id = a.id
    WHERE c.id = ANY($1::uuid[]) AND starts_with(u.path, $2) AND a.closed_at IS NULL ORDER BY a.id FOR UPDATE OF a, b"""
_OPEN = """
    WITH opened AS (
        INSERT INTO points_account (customer_id, opened_at)
        SELECT c.id, $2::timestamptz FROM customer c WHERE c.id = $1 AND c.library <> 'erased'
          AND NOT EXISTS (SELECT FROM points_account a WHERE a.customer_id = c.id AND a.is_primary)
        FOR KEY SHARE OF c
        ON CONFLICT (customer_id) WHERE is_primary DO NOTHING RETURNING id)
    INSERT INTO points_balance (account_id) SELECT id FROM opened"""
_CHOSEN = """
    WITH lot AS (
        SELECT account_id, expires_on, remaining,
               sum(remaining) OVER (ORDER BY expires_on, account_id) - remaining AS before
        FROM points_lot WHERE account_id = ANY($1::bigint[]) AND remaining > 0 AND expires_on > $2::date),
    taken AS (SELECT account_id, expires_on, least(remaining, $3::bigint - before)::bigint AS points FROM lot WHERE before < $3::bigint),
    used AS (
        UPDATE points_lot l SET remaining = l.remaining - t.points FROM taken t
        WHERE l.account_id = t.account_id AND l.expires_on = t.expires_on),
    touched AS (
        UPDATE points_account SET version = version + 1 WHERE id IN (SELECT account_id FROM taken)),
    lower AS (
        UPDATE points_balance b SET balance = b.balance - t.points
        FROM (SELECT account_id, sum(points) AS points FROM taken GROUP BY account_id) t
        WHERE b.account_id = t.account_id),
    entered AS (
        INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
        SELECT $4::timestamptz, $5::text, account_id, $6::bigint, points, expires_on, $7::uuid FROM taken ORDER BY expires_on, account_id)"""
"""Lots that together have what is needed, the first to expire first."""
_TOTAL = "SELECT coalesce(sum(points), 0)::bigint FROM taken"
FURTHER = 8
"""Number of the first parameter of what is written together with :func:`take`."""
_MOVE = f"""{_CHOSEN},
    gained AS (
        INSERT INTO points_lot (account_id, expires_on, remaining)
        SELECT $6::bigint, expires_on, sum(points) FROM taken GROUP BY expires_on
        ON CONFLICT (account_id, expires_on) DO UPDATE SET remaining = points_lot.remaining + excluded.remaining),
    seen AS (UPDATE points_account SET version = version + 1 WHERE id = $6),
    higher AS (
        UPDATE points_balance SET balance = balance + (SELECT sum(points) FROM taken)
        WHERE account_id = $6 AND EXISTS (SELECT FROM taken))
    {_TOTAL}"""
_GIVE = """
    WITH gained AS (
        INSERT INTO points_lot (account_id, expires_on, remaining) VALUES ($1::bigint, $2::date, $3::bigint)
        ON CONFLICT (account_id, expires_on) DO UPDATE SET remaining = points_lot.remaining + excluded.remaining),
    touched AS (UPDATE points_account SET version = version + 1 WHERE id = $1),
    higher AS (UPDATE points_balance SET balance = balance + $3 WHERE account_id = $1)
    INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
    VALUES ($4::timestamptz, $5::text, $6::bigint, $1, $3, $2, $7::uuid)"""
_GIVE_BACK = f"""
    WITH back AS (
        SELECT debit_id AS account_id, CASE WHEN expires_on > $2::date THEN expires_on ELSE $3::date END AS expires_on,
               sum(points)::bigint AS points
        FROM points_entry WHERE cause_id = $1::uuid AND kind = '{EntryKind.REDEMPTION.value}' GROUP BY 1, 2),
    gained AS (
        INSERT INTO points_lot (account_id, expires_on, remaining) SELECT account_id, expires_on, points FROM back
        ON CONFLICT (account_id, expires_on) DO UPDATE SET remaining = points_lot.remaining + excluded.remaining),
    touched AS (UPDATE points_account SET version = version + 1 WHERE id IN (SELECT account_id FROM back)),
    higher AS (
        UPDATE points_balance b SET balance = b.balance + t.points
        FROM (SELECT account_id, sum(points) AS points FROM back GROUP BY account_id) t
        WHERE b.account_id = t.account_id)
    INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on, cause_id)
    SELECT $4::timestamptz, '{EntryKind.REVERSAL.value}', {SystemAccount.REDEEMED:d}, account_id, points, expires_on, $1
    FROM back ORDER BY expires_on, account_id"""


@dataclass(frozen=True, slots=True)
class Holder:
    """A customer whose accounts are locked.

    Attributes:
        customer_id: the customer.
        library: where the profile is kept.
        level: the customer's level.
        left_on: when the customer left.
        accounts: ids of the customer's open accounts.
        primary: the account that earns; ``None`` before there is any.
        is_frozen: whether one of them is frozen.
    """

    customer_id: UUID
    library: str
    level: str
    left_on: date | None
    accounts: Sequence[int]
    primary: int | None
    is_frozen: bool

    def require_free(self) -> None:
        """Refuse if the customer may not use points.

        Raises:
            CustomerRetained: if the customer has left (409).
            PointsFrozen: if the points are frozen (409).
        """
        if self.library != Library.IN_NETWORK:
            raise CustomerRetained(str(self.customer_id), self.left_on)
        if self.is_frozen:
            raise PointsFrozen(customer=self.customer_id)


async def open_account(connection: asyncpg.Connection, customer_id: UUID, *, at: datetime) -> None:
    """Let a customer have an account; one who was erased gets none."""
    await connection.execute(_OPEN, customer_id, at)


async def lock(
    connection: asyncpg.Connection, customers: Sequence[UUID], unit_path: str
) -> Mapping[UUID, Holder]:
    """Lock the accounts of customers, all of whom are below the unit.

    Raises:
        CustomerNotFound: if one is not (404).
        CustomerErased, CustomerMerged: if one was (410).
    """
    # An account that was moved by a merge or closed by an erasure while its lock was waited for is not found any more.
    found: dict[UUID, list[asyncpg.Record]] = {}
    for row in await connection.fetch(_LOCK, customers, unit_path):
        found.setdefault(row["id"], []).append(row)
    if without := [customer for customer in customers if customer not in found]:
        for row in await connection.fetch(_CUSTOMERS, without, unit_path):
            found[row["id"]] = [row]
    for customer in without:
        if customer not in found:
            raise await absent(connection, customer, unit_path)
    return {customer: _holder(found[customer]) for customer in customers}


def _holder(rows: Sequence[asyncpg.Record]) -> Holder:
    customer, accounts = rows[0], [row for row in rows if row["account_id"] is not None]
    return Holder(
        customer["id"],
        customer["library"],
        customer["level"],
        customer["left_on"],
        [row["account_id"] for row in accounts],
        next((row["account_id"] for row in accounts if row["is_primary"]), None),
        any(row["frozen"] for row in accounts),
    )


async def take(
    connection: asyncpg.Connection,
    holder: Holder,
    points: int,
    *,
    kind: EntryKind,
    to: SystemAccount,
    cause_id: UUID,
    today: date,
    at: datetime,
    also: str = "",
    values: Sequence[object] = (),
) -> None:
    """Take points from a customer whose accounts are locked, the first to expire first.

    Everybody at a hot account waits for each round trip: ``also`` is what else is written in the same one, as common
    table expressions, with ``values`` as its parameters from number :data:`FURTHER` on.

    Raises:
        PointsInsufficient: if there are not enough that can be used (409); the transaction must then be undone.
    """
    statement = f"{_CHOSEN}{also} {_TOTAL}"
    own = (holder.accounts, today, points, at, kind.value, int(to), cause_id)
    _require(holder, points, await connection.fetchval(statement, *own, *values))


async def move(
    connection: asyncpg.Connection,
    giver: Holder,
    receiver: int,
    points: int,
    *,
    cause_id: UUID,
    today: date,
    at: datetime,
) -> None:
    """Move points to another account, each with the day on which it expires; both are locked.

    Raises:
        PointsInsufficient: as :func:`take`.
    """
    values = (giver.accounts, today, points, at, EntryKind.TRANSFER.value, receiver, cause_id)
    _require(giver, points, await connection.fetchval(_MOVE, *values))


async def give(
    connection: asyncpg.Connection,
    account_id: int,
    points: int,
    *,
    expires_on: date,
    cause_id: UUID,
    at: datetime,
) -> None:
    """Give points to a locked account, as an adjustment."""
    kind, debit = EntryKind.ADJUSTMENT.value, int(SystemAccount.ADJUSTED)
    await connection.execute(_GIVE, account_id, expires_on, points, at, kind, debit, cause_id)


async def give_back(
    connection: asyncpg.Connection,
    redemption_id: UUID,
    *,
    today: date,
    instead: date,
    at: datetime,
) -> None:
    """Give back what a redemption took, to the very lots; what has expired meanwhile, to one that lasts to ``instead``.

    The accounts are locked.
    """
    await connection.execute(_GIVE_BACK, redemption_id, today, instead, at)


def _require(holder: Holder, points: int, taken: int) -> None:
    if taken < points:
        raise PointsInsufficient(customer=holder.customer_id, available=taken, needed=points)

"""Every query of billing accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.billing_account.models import BillingAccount, BillingEntry, EntryKind
from services.city_node.customer.models import Bill
from shared.kernel.listing import Listing, Sort

_OF_CUSTOMER = (
    "subscription p JOIN customer c ON c.id = p.customer_id AND c.library <> 'erased' "
    "JOIN organisation_unit u ON u.code = c.unit_code"
)
_UNPAID = (
    "coalesce((SELECT sum(b.charge_fen) FROM bill b "
    "WHERE b.subscription_id = p.id AND b.paid_on IS NULL AND b.charge_fen > 0), 0)"
)
_BALANCE = "coalesce(a.balance_fen, 0)"

ACCOUNTS = Listing(
    source=f"{_OF_CUSTOMER} LEFT JOIN billing_account a ON a.subscription_id = p.id",
    key=Sort("p.id", "uuid"),
    columns={
        "subscription_id": "p.id",
        "balance_fen": _BALANCE,
        "unpaid_fen": _UNPAID,
        "owed_fen": f"greatest({_UNPAID} - {_BALANCE}, 0)",
        "suspended_at": "a.suspended_at",
    },
    sorts={"subscription_id": Sort("p.id", "uuid")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "p.customer_id = {}",
        "subscription": "p.id = {}",
    },
)
"""The billing account of every line, whether it has been paid into or not."""

ENTRIES = Listing(
    source=f"billing_entry e JOIN subscription p ON p.id = e.subscription_id JOIN {_OF_CUSTOMER.split('JOIN ', 1)[1]} "
    "LEFT JOIN bill b ON b.id = e.bill_id",
    key=Sort("e.id", "bigint"),
    columns={
        "id": "e.id",
        "at": "e.at",
        "kind": "e.kind",
        "amount_fen": "e.amount_fen",
        "period": "b.period",
        "cause_id": "e.cause_id",
    },
    sorts={"id": Sort("e.id", "bigint")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "p.customer_id = {}",
        "subscription": "e.subscription_id = {}",
    },
)
"""How balances came and went."""

_TOTALS = """
    WITH mine AS (
        SELECT a.subscription_id, a.balance_fen FROM billing_account a JOIN subscription p ON p.id = a.subscription_id
        JOIN customer c ON c.id = p.customer_id JOIN organisation_unit u ON u.code = c.unit_code
        WHERE starts_with(u.path, $1)),
    moved AS (
        SELECT coalesce(sum(e.amount_fen) FILTER (WHERE e.kind = 'credited'), 0)::bigint AS credited,
               coalesce(-sum(e.amount_fen) FILTER (WHERE e.kind = 'reversed'), 0)::bigint AS reversed,
               coalesce(-sum(e.amount_fen) FILTER (WHERE e.bill_id IS NOT NULL), 0)::bigint AS applied
        FROM billing_entry e JOIN mine USING (subscription_id))
    SELECT json_build_object('credited_fen', credited, 'reversed_fen', reversed, 'applied_fen', applied,
        'balance_fen', (SELECT coalesce(sum(balance_fen), 0)::bigint FROM mine))::text FROM moved"""


@dataclass(frozen=True, slots=True)
class PaidBill:
    """A bill that the balance has paid, and what it took."""

    bill: Bill
    amount_fen: int


async def totals(connection: asyncpg.Connection | asyncpg.Pool, unit_path: str) -> bytes:
    """Return what was credited to the lines of a unit and those below, and what became of it, as JSON."""
    found: str = await connection.fetchval(_TOTALS, unit_path)
    return found.encode()


async def lock_account(
    session: AsyncSession, subscription_id: UUID, *, now: datetime
) -> BillingAccount:
    """Return and lock the account of a line, made if it has none yet."""
    await session.execute(
        insert(BillingAccount)
        .values(subscription_id=subscription_id, updated_at=now)
        .on_conflict_do_nothing()
    )
    query = select(BillingAccount).where(BillingAccount.subscription_id == subscription_id)
    found = await session.scalars(query.with_for_update().execution_options(populate_existing=True))
    return found.one()


async def unpaid_bills(session: AsyncSession, subscription_id: UUID) -> Sequence[Bill]:
    """Return and lock what the line has not paid, the oldest first."""
    query = select(Bill).where(
        Bill.subscription_id == subscription_id, Bill.paid_on.is_(None), Bill.charge_fen > 0
    )
    found = await session.scalars(
        query.order_by(Bill.period).with_for_update().execution_options(populate_existing=True)
    )
    return found.all()


async def credited(session: AsyncSession, cause_id: UUID) -> BillingEntry | None:
    """Return the entry by which a payment was credited."""
    query = select(BillingEntry).where(
        BillingEntry.cause_id == cause_id, BillingEntry.kind == EntryKind.CREDITED
    )
    return await session.scalar(query)


async def paid_since(
    session: AsyncSession, subscription_id: UUID, entry_id: int
) -> Sequence[PaidBill]:
    """Return and lock the bills that the balance has paid since an entry, the newest first."""
    used = (
        select(BillingEntry.bill_id, func.sum(-BillingEntry.amount_fen).label("amount"))
        .where(
            BillingEntry.subscription_id == subscription_id,
            BillingEntry.bill_id.is_not(None),
        )
        .group_by(BillingEntry.bill_id)
        .having(func.sum(BillingEntry.amount_fen) < 0, func.max(BillingEntry.id) > entry_id)
        .subquery()
    )
    rows = await session.execute(
        select(Bill, used.c.amount)
        .join(used, used.c.bill_id == Bill.id)
        .where(Bill.paid_on.is_not(None))
        .order_by(Bill.period.desc())
        .with_for_update(of=Bill)
        .execution_options(populate_existing=True)
    )
    return [PaidBill(bill, int(amount)) for bill, amount in rows]


async def with_money_for_a_bill(
    session: AsyncSession, *, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """Return lines whose balance covers an unpaid bill, in the order of their ids, past ``after``."""
    query = (
        select(BillingAccount.subscription_id)
        .where(
            BillingAccount.balance_fen > 0,
            select(Bill.id)
            .where(
                Bill.subscription_id == BillingAccount.subscription_id,
                Bill.paid_on.is_(None),
                Bill.charge_fen > 0,
                Bill.charge_fen <= BillingAccount.balance_fen,
            )
            .exists(),
        )
        .order_by(BillingAccount.subscription_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(BillingAccount.subscription_id > after)
    return (await session.scalars(query)).all()

"""The ledger: what this node books when a payment is credited or a repair recorded, or the answer passes.

An entry is one row with two accounts, so that every node's ledger adds up to zero by its shape. It is written in the
transaction that credits, passes or hears, and once for each item, however often that comes. A payment is money that the
visited city has and the home city owns; of a repair the home city owes what it bears to the visited one.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clearing.models import CASH, CUSTOMERS, REPAIRS, ItemKind
from shared.federation import tree
from shared.federation.delivery import Delivery
from shared.kernel.clock import business_day
from shared.kernel.settings import HQ_CODE


@dataclass(frozen=True, slots=True)
class Item:
    """What is cleared between two cities.

    Attributes:
        request_id: the payment, reversal or repair.
        kind: which of them.
        amount_fen: how much; of nothing, nothing is booked.
        business_day: the day on which the home city credited it, took it back or recorded it.
        home: the home city.
        visited: the city whose till has the cash, or whose workshop did the work.
    """

    request_id: UUID
    kind: ItemKind
    amount_fen: int
    business_day: date
    home: str
    visited: str


HOLD_MONTHS = text("SELECT pg_advisory_xact_lock_shared(hashtextextended('clearing months', 0))")
"""What is late for its month is not booked while months are being closed; see :mod:`shared.clearing.month`."""
_BOOK = text(
    """
    INSERT INTO clearing_entry
        (request_id, kind, at, business_day, booked_on, debit, credit, amount_fen, home, visited)
    VALUES (:request_id, :kind, :at, :business_day,
            coalesce((SELECT (m.month + interval '1 month')::date FROM clearing_month m
                      WHERE m.closed_at IS NOT NULL AND m.month + interval '1 month' > CAST(:business_day AS date)
                      ORDER BY m.month DESC LIMIT 1), :business_day),
            :debit, :credit, :amount_fen, :home, :visited)
    ON CONFLICT (request_id, kind) DO NOTHING
    """
)


async def book_at_home(session: AsyncSession, item: Item, *, here: str, now: datetime) -> None:
    """Book at the home city: the neighbour towards the visited one owes what was credited, or is owed what it bears."""
    towards_visited = await _neighbour_towards(session, here, item.visited)
    own = REPAIRS if item.kind is ItemKind.REPAIR else CUSTOMERS
    await _book(session, item, towards_visited=towards_visited, towards_home=own, now=now)


async def book_at_visited(delivery: Delivery, item: Item) -> None:
    """Book at the visited city: it owes who brought the answer what is in its till, or is owed for its work by them."""
    came_from = delivery.hops[-2].node
    own = REPAIRS if item.kind is ItemKind.REPAIR else CASH
    await _book(
        delivery.session, item, towards_visited=own, towards_home=came_from, now=delivery.now
    )


async def book_in_between(delivery: Delivery, item: Item, *, here: str) -> None:
    """Book at a node that the answer passes: one neighbour owes it, and it owes the other as much."""
    goes_to = await _neighbour_towards(delivery.session, here, item.visited)
    came_from = delivery.hops[-2].node
    await _book(
        delivery.session, item, towards_visited=goes_to, towards_home=came_from, now=delivery.now
    )


async def _book(
    session: AsyncSession, item: Item, *, towards_visited: str, towards_home: str, now: datetime
) -> None:
    if item.amount_fen == 0:
        return
    if item.business_day < business_day(now).replace(day=1):
        await session.execute(HOLD_MONTHS)
    debit, credit = towards_visited, towards_home
    if item.kind is not ItemKind.PAYMENT:  # money goes from home to the visited city
        debit, credit = credit, debit
    await session.execute(
        _BOOK,
        {
            "request_id": item.request_id,
            "kind": item.kind.value,
            "at": now,
            "business_day": item.business_day,
            "debit": debit,
            "credit": credit,
            "amount_fen": item.amount_fen,
            "home": item.home,
            "visited": item.visited,
        },
    )


async def _neighbour_towards(session: AsyncSession, here: str, destination: str) -> str:
    """Return the neighbour through which a city is reached; before it is linked, the one that its code tells of."""
    hop = await tree.next_hop(session, here, destination)
    if hop is not None:
        return hop
    above = tree.division_parent(destination)
    if above == here or above is None:
        return destination
    return above if here == HQ_CODE else tree.division_parent(here) or above

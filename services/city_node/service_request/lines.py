"""The lines that requests are about, locked at their home node."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import (
    Customer,
    Library,
    Subscription,
    SubscriptionStatus,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line in use and whose it is, both locked."""

    customer: Customer
    subscription: Subscription


async def lock_line(session: AsyncSession, msisdn: str) -> Line | None:
    """Return and lock the line of that number that is not ended, of a customer in the network."""
    return await _lock(session, Subscription.msisdn == msisdn)


async def lock_subscription(session: AsyncSession, subscription_id: UUID) -> Line | None:
    """Return and lock that line if it is not ended and its customer is in the network."""
    return await _lock(session, Subscription.id == subscription_id)


async def _lock(session: AsyncSession, which: ColumnElement[bool]) -> Line | None:
    query = (
        select(Customer, Subscription)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(
            which,
            Subscription.status != SubscriptionStatus.ENDED,
            Customer.library == Library.IN_NETWORK,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(query)).one_or_none()
    return Line(row[0], row[1]) if row else None

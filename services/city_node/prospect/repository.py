"""The queries of those who work on prospects."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import Customer
from services.city_node.prospect.models import Prospect, ProspectEvent, ProspectStep
from services.city_node.prospect.problems import ProspectNotFound
from shared.organisation.models import OrganisationUnit


async def customer_of(session: AsyncSession, prospect_id: UUID, unit_path: str) -> UUID:
    """Return whose prospect it is.

    Raises:
        ProspectNotFound: if there is none of a customer of the unit (404).
    """
    found: UUID | None = await session.scalar(
        select(Prospect.customer_id)
        .join(Customer, Customer.id == Prospect.customer_id)
        .join(OrganisationUnit, OrganisationUnit.code == Customer.unit_code)
        .where(Prospect.id == prospect_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    if found is None:
        raise ProspectNotFound(prospect=prospect_id)
    return found


async def lock(session: AsyncSession, prospect_id: UUID) -> Prospect:
    """Return a prospect that there is, locked."""
    return await session.get_one(Prospect, prospect_id, with_for_update=True)


async def open_of(session: AsyncSession, customer_id: UUID) -> UUID | None:
    """Return the open prospect of a customer."""
    found: UUID | None = await session.scalar(
        select(Prospect.id).where(Prospect.customer_id == customer_id, Prospect.closed_at.is_(None))
    )
    return found


async def steps_of(session: AsyncSession, prospect_id: UUID) -> Sequence[ProspectStep]:
    """Return the steps of a prospect's plan, in order."""
    return (
        await session.scalars(
            select(ProspectStep)
            .where(ProspectStep.prospect_id == prospect_id)
            .order_by(ProspectStep.number)
        )
    ).all()


async def forget_plan(session: AsyncSession, prospect_id: UUID) -> None:
    """Delete the plan of a prospect that begins anew; its history keeps what was done."""
    await session.execute(delete(ProspectStep).where(ProspectStep.prospect_id == prospect_id))


def add_steps(session: AsyncSession, steps: Sequence[ProspectStep]) -> None:
    """Add the steps of a plan."""
    session.add_all(steps)


def add_event(session: AsyncSession, event: ProspectEvent) -> None:
    """Add what happened to a prospect."""
    session.add(event)

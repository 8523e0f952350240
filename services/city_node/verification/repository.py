"""The queries of those who work on tasks."""

from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import ContactMedium
from services.city_node.verification.models import (
    ContactBounce,
    CustomerVerification,
    VerificationTask,
)
from services.city_node.verification.problems import TaskNotFound


async def customer_of(session: AsyncSession, task_id: UUID) -> UUID:
    """Return whom a task is about.

    Raises:
        TaskNotFound: if there is none (404).
    """
    found: UUID | None = await session.scalar(
        select(VerificationTask.customer_id).where(VerificationTask.id == task_id)
    )
    if found is None:
        raise TaskNotFound(task=task_id)
    return found


async def lock_task(session: AsyncSession, task_id: UUID) -> VerificationTask:
    """Return a task, locked; its customer must be locked before."""
    return await session.get_one(VerificationTask, task_id, with_for_update=True)


async def verification_of(session: AsyncSession, customer_id: UUID) -> CustomerVerification | None:
    """Return when a customer was last verified."""
    return await session.get(CustomerVerification, customer_id)


async def has_contact(session: AsyncSession, customer_id: UUID, contact_id: UUID) -> bool:
    """Tell whether a contact medium is the customer's."""
    is_theirs = ContactMedium.id == contact_id, ContactMedium.customer_id == customer_id
    return bool(await session.scalar(select(exists().where(*is_theirs))))


async def forget_bounces(session: AsyncSession, customer_id: UUID) -> None:
    """Forget which contact media bounced."""
    await session.execute(delete(ContactBounce).where(ContactBounce.customer_id == customer_id))


async def put(session: AsyncSession, row: CustomerVerification | ContactBounce) -> None:
    """Write a row in the place of the one with its key, if there is one."""
    await session.merge(row)

"""Working on tasks."""

from uuid import UUID

from services.city_node.customer.history import plain
from services.city_node.customer.models import ChangeAction
from services.city_node.customer.service import Desk
from services.city_node.verification import repository
from services.city_node.verification.models import (
    ContactBounce,
    CustomerVerification,
    TaskState,
)
from services.city_node.verification.problems import ContactNotFound, TaskClosed
from shared.kernel.preconditions import require_version

STAMPING = {TaskState.VERIFIED, TaskState.CORRECTED}
"""Outcomes after which the profile is known to be right."""


async def close(
    desk: Desk, task_id: UUID, expected: int, outcome: TaskState, note: str | None
) -> None:
    """Close a task with what came of it.

    Raises:
        TaskNotFound, CustomerNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was closed since (412).
        TaskClosed: if it is not open (409).
    """
    # The customer first, as everybody who changes one does.
    customer_id = await repository.customer_of(desk.session, task_id)
    await desk.locked(customer_id)
    task = await repository.lock_task(desk.session, task_id)
    require_version(task.version, expected)
    if task.state != TaskState.OPEN:
        raise TaskClosed(state=task.state)
    task.state, task.note = outcome.value, note
    task.closed_at, task.closed_by = desk.now, desk.principal.username
    task.version += 1
    if outcome in STAMPING:
        await _stamp(desk, customer_id)


async def note_bounce(desk: Desk, customer_id: UUID, contact_id: UUID, note: str | None) -> None:
    """Note that a contact medium does not reach the customer; the next plan makes a task of it.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        ContactNotFound: if the customer has no such medium (404).
    """
    await desk.locked(customer_id)
    if not await repository.has_contact(desk.session, customer_id, contact_id):
        raise ContactNotFound(customer=customer_id, contact=contact_id)
    bounce = ContactBounce(
        contact_id=contact_id,
        customer_id=customer_id,
        at=desk.now,
        by=desk.principal.username,
        note=note,
    )
    await repository.put(desk.session, bounce)


async def _stamp(desk: Desk, customer_id: UUID) -> None:
    customer = await desk.locked(customer_id)
    before = await repository.verification_of(desk.session, customer_id)
    old = plain(before.verified_on) if before else None
    stamp = CustomerVerification(
        customer_id=customer_id, verified_on=desk.today, verified_by=desk.principal.username
    )
    await repository.put(desk.session, stamp)
    await repository.forget_bounces(desk.session, customer_id)
    change = {"field": "verification/verified_on", "old": old, "new": plain(desk.today)}
    await desk.keep(customer, ChangeAction.PART_CHANGED, [change])

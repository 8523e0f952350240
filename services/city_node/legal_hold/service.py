"""The rules of legal holds."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import ERASED, Customer
from services.city_node.customer.service import Desk
from services.city_node.legal_hold.models import LegalHold
from services.city_node.legal_hold.problems import (
    HoldLifted,
    HoldNotFound,
    LiftNotProposed,
)
from shared import audit
from shared.capability import Action
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.second_person import SecondPersonNeeded
from shared.organisation.models import OrganisationUnit

PLACED = Action("legal-hold.placed", Text("A legal hold was placed", "设置法律保全"))
LIFT_PROPOSED = Action(
    "legal-hold.lift-proposed", Text("To lift a legal hold was proposed", "申请解除法律保全")
)
LIFTED = Action("legal-hold.lifted", Text("A legal hold was lifted", "解除法律保全"))


async def place(desk: Desk, customer_id: UUID, reason: str) -> LegalHold:
    """Hold a customer's records. The customer is locked, so that nobody erases them at the same moment.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        CustomerErased: if it is too late (410).
    """
    customer = await desk.locked(customer_id)
    hold = LegalHold(
        id=new_id(),
        customer_id=customer.id,
        reason=reason,
        placed_at=desk.now,
        placed_by=desk.principal.username,
        version=1,
    )
    desk.session.add(hold)
    _record(desk, hold, PLACED)
    return hold


async def propose_lift(desk: Desk, hold_id: UUID, expected: int, reason: str) -> LegalHold:
    """Propose to lift a hold; a proposal that is there is replaced.

    Raises:
        HoldNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
        HoldLifted: if it is lifted (409).
    """
    hold = await _locked(desk, hold_id, expected)
    hold.lift_reason = reason
    hold.lift_proposed_at, hold.lift_proposed_by = desk.now, desk.principal.username
    hold.version += 1
    _record(desk, hold, LIFT_PROPOSED)
    return hold


async def approve_lift(desk: Desk, hold_id: UUID, expected: int) -> LegalHold:
    """Lift a hold as somebody else proposed.

    Raises:
        HoldNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
        HoldLifted, LiftNotProposed: if it cannot be lifted now (409).
        SecondPersonNeeded: if the caller proposed it (409).
    """
    hold = await _locked(desk, hold_id, expected)
    if hold.lift_proposed_by is None:
        raise LiftNotProposed(hold=hold.id)
    if hold.lift_proposed_by == desk.principal.username:
        raise SecondPersonNeeded(by=hold.lift_proposed_by)
    hold.lifted_at, hold.lifted_by = desk.now, desk.principal.username
    hold.version += 1
    _record(desk, hold, LIFTED)
    return hold


async def stands(session: AsyncSession, customer_id: UUID) -> bool:
    """Tell whether a customer's records are held."""
    found = await session.scalar(
        select(LegalHold.id)
        .where(LegalHold.customer_id == customer_id, LegalHold.lifted_at.is_(None))
        .limit(1)
    )
    return found is not None


async def _locked(desk: Desk, hold_id: UUID, expected: int) -> LegalHold:
    hold = await desk.session.scalar(
        select(LegalHold)
        .join(Customer, Customer.id == LegalHold.customer_id)
        .join(OrganisationUnit, OrganisationUnit.code == Customer.unit_code)
        .where(
            LegalHold.id == hold_id,
            Customer.library != ERASED,
            func.starts_with(OrganisationUnit.path, desk.principal.unit_path),
        )
        .with_for_update(of=LegalHold)
    )
    if hold is None:
        raise HoldNotFound(hold=hold_id)
    require_version(hold.version, expected)
    if hold.lifted_at is not None:
        raise HoldLifted(hold=hold.id)
    return hold


def _record(desk: Desk, hold: LegalHold, action: Action) -> None:
    audit.record(
        desk.session,
        audit.Actor.of(desk.principal),
        action,
        at=desk.now,
        subject=("customer", hold.customer_id),
        detail={"hold": str(hold.id)},
    )

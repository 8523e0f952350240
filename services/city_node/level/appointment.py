"""Levels by appointment: proposed by one person, approved by another, for a time."""

from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.profile import SOURCE
from services.city_node.customer.service import Desk
from services.city_node.level.access import DECIDED, PROPOSED
from services.city_node.level.models import AppointmentState, LevelAppointment
from services.city_node.level.problems import (
    AppointmentNotFound,
    AppointmentStateUnfit,
    AppointmentTermInvalid,
    LevelApproverIsProposer,
)
from services.city_node.level.schemas import AppointmentCreate, AppointmentOut
from shared import audit
from shared.capability import Action
from shared.kernel.ids import new_id
from shared.kernel.listing import Listing, Sort
from shared.kernel.preconditions import require_version
from shared.staff.repository import are_one_person

appointments = Listing(
    source=f"level_appointment p JOIN {SOURCE.replace('customer c', 'customer c ON c.id = p.customer_id', 1)}",
    key=Sort("p.id", "uuid"),
    columns={name: f"p.{name}" for name in AppointmentOut.model_fields},
    sorts={"id": Sort("p.id", "uuid"), "until": Sort("p.until", "date")},
    filters={
        "scope": "starts_with(u.path, {})",
        "id": "p.id = {}",
        "customer": "p.customer_id = {}",
        "state": "p.state = {}",
        "until_before": "p.until < {}",
    },
)
"""Appointments of customers in scope."""


async def propose(desk: Desk, customer_id: UUID, body: AppointmentCreate) -> LevelAppointment:
    """Propose to grant a customer a level.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        AppointmentTermInvalid: if it would be over before it begins (422).
    """
    customer = await desk.locked(customer_id)
    since = body.since or desk.today
    if body.until <= max(since, desk.today):
        raise AppointmentTermInvalid(today=desk.today)
    appointment = LevelAppointment(
        id=new_id(),
        customer_id=customer.id,
        level=body.level,
        reason=body.reason,
        since=since,
        until=body.until,
        state=AppointmentState.PROPOSED.value,
        proposed_at=desk.now,
        proposed_by=desk.principal.username,
        proposer_id=desk.principal.id,
        version=1,
    )
    desk.session.add(appointment)
    _record(desk, appointment, PROPOSED)
    return appointment


async def approve(desk: Desk, appointment_id: UUID, expected: int) -> LevelAppointment:
    """Let an appointment hold.

    Raises:
        AppointmentNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was decided about since (412).
        AppointmentStateUnfit: if it is not proposed (409).
        LevelApproverIsProposer: if the caller proposed it (403).
    """
    appointment = await _locked(desk, appointment_id, expected, AppointmentState.PROPOSED)
    await require_second_person(desk, appointment.proposer_id, appointment.proposed_by)
    return _decide(desk, appointment, AppointmentState.APPROVED, None)


async def reject(desk: Desk, appointment_id: UUID, expected: int, note: str) -> LevelAppointment:
    """Decide that an appointment does not hold; its proposer withdraws it so.

    Raises:
        AppointmentNotFound, VersionStale, AppointmentStateUnfit: as :func:`approve`.
    """
    appointment = await _locked(desk, appointment_id, expected, AppointmentState.PROPOSED)
    withdrawn = appointment.proposer_id == desk.principal.id
    state = AppointmentState.WITHDRAWN if withdrawn else AppointmentState.REJECTED
    return _decide(desk, appointment, state, note)


async def end(desk: Desk, appointment_id: UUID, expected: int, note: str) -> LevelAppointment:
    """End an appointment before its time.

    Raises:
        AppointmentNotFound, VersionStale: as :func:`approve`.
        AppointmentStateUnfit: if it is not approved (409).
    """
    appointment = await _locked(desk, appointment_id, expected, AppointmentState.APPROVED)
    return _decide(desk, appointment, AppointmentState.ENDED, note)


async def require_second_person(desk: Desk, proposer_id: UUID | None, by: str) -> None:
    """Refuse whoever proposed something to approve it.

    Raises:
        LevelApproverIsProposer: if they are one person, as far as the staff record tells (403).
    """
    if proposer_id is not None and await are_one_person(
        desk.session, desk.principal.id, proposer_id
    ):
        raise LevelApproverIsProposer(by=by)


def _decide(
    desk: Desk, appointment: LevelAppointment, state: AppointmentState, note: str | None
) -> LevelAppointment:
    appointment.state, appointment.note = state.value, note
    appointment.decided_at, appointment.decided_by = desk.now, desk.principal.username
    appointment.version += 1
    _record(desk, appointment, DECIDED)
    return appointment


async def _locked(
    desk: Desk, appointment_id: UUID, expected: int, needed: AppointmentState
) -> LevelAppointment:
    customer_id = await _customer_of(desk.session, appointment_id)
    await desk.locked(customer_id)  # the customer first, as everybody who changes one does
    appointment = await desk.session.get_one(LevelAppointment, appointment_id, with_for_update=True)
    require_version(appointment.version, expected)
    if appointment.state != needed:
        raise AppointmentStateUnfit(
            appointment=appointment_id, state=appointment.state, needed=needed.value
        )
    return appointment


async def _customer_of(session: AsyncSession, appointment_id: UUID) -> UUID:
    found: UUID | None = await session.scalar(
        select(LevelAppointment.customer_id).where(LevelAppointment.id == appointment_id)
    )
    if found is None:
        raise AppointmentNotFound(appointment=appointment_id)
    return found


def _record(desk: Desk, appointment: LevelAppointment, action: Action) -> None:
    until: date = appointment.until
    audit.record(
        desk.session,
        audit.Actor.of(desk.principal),
        action,
        at=desk.now,
        subject=("customer", appointment.customer_id),
        fields=["level"],
        detail={
            "appointment": str(appointment.id),
            "state": appointment.state,
            "level": appointment.level,
            "until": until.isoformat(),
        },
    )

"""The rules of the till: opening a shift, moving cash, cashing up, and confirming a difference."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.problems import UnitNotYours
from services.city_node.service_request.repository import active_unit
from services.city_node.till import repository
from services.city_node.till.models import INTO, EntryKind, ShiftState, TillEntry, TillShift
from services.city_node.till.problems import (
    ShiftAlreadyOpen,
    ShiftNotFound,
    ShiftNotOpen,
    ShiftNotYours,
    ShiftStateUnfit,
)
from shared import audit
from shared.access import Principal
from shared.capability import Action
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault
from shared.kernel.second_person import SecondPersonNeeded

OPENED = Action("till.opened", Text("A shift was opened", "开班"))
CASHED_UP = Action("till.cashed_up", Text("A shift was cashed up", "结班"))
CONFIRMED = Action("till.confirmed", Text("A difference was confirmed", "确认长短款"))
ACTIONS = (OPENED, CASHED_UP, CONFIRMED)


@dataclass(frozen=True, slots=True)
class Drawer:
    """What identifies a shift, for a node that has to recall it.

    Attributes:
        id: the shift.
        unit: its hall.
        cashier: who works at it.
        cashier_id: the account.
        float_fen: what it began with.
        opened_at: when.
    """

    id: UUID
    unit: str
    cashier: str
    cashier_id: UUID
    float_fen: int
    opened_at: datetime


async def open_shift(
    session: AsyncSession, principal: Principal, unit: str | None, float_fen: int, *, now: datetime
) -> UUID:
    """Open the caller's shift, with what was counted into the drawer.

    Raises:
        UnitNotYours: if the unit is not active, or not the caller's (422).
        ShiftAlreadyOpen: if the caller works at another (409).
    """
    hall = unit or principal.unit
    if await active_unit(session, hall, principal.unit_path) is None:
        raise UnitNotYours(faults=[Fault("/unit", "no active unit of yours")], unit=hall)
    await repository.hold_cashier(session, principal.id)
    present = await repository.lock_open(session, principal.id)
    if present is not None:
        since = present.opened_at.isoformat(timespec="seconds")
        raise ShiftAlreadyOpen(shift=present.id, since=since)
    shift = TillShift(
        id=new_id(),
        unit_code=hall,
        cashier=principal.username,
        cashier_id=principal.id,
        float_fen=float_fen,
        opened_at=now,
        state=ShiftState.OPEN.value,
        version=1,
    )
    session.add(shift)
    _tell(session, principal, OPENED, shift, now=now)
    await session.flush()  # the answer is read by SQL in this transaction
    return shift.id


async def require_open(session: AsyncSession, principal: Principal) -> TillShift:
    """Return the caller's open shift, locked, so that it is not cashed up under a payment.

    Raises:
        ShiftNotOpen: if there is none (409).
    """
    shift = await repository.lock_open(session, principal.id)
    if shift is None:
        raise ShiftNotOpen
    return shift


def move(
    session: AsyncSession,
    shift: TillShift,
    kind: EntryKind,
    amount_fen: int,
    *,
    payment_id: UUID | None = None,
    cause_id: UUID,
    by: str,
    now: datetime,
) -> None:
    """Put cash into the drawer of a locked open shift, or take it out.

    Args:
        session: the caller's transaction.
        shift: the shift.
        kind: why.
        amount_fen: how much, more than nothing whichever way it goes.
        payment_id: the payment that it belongs to; none of a deposit.
        cause_id: the payment, reversal or loan that moves it, once each way.
        by: who.
        now: when.
    """
    session.add(
        TillEntry(
            shift_id=shift.id,
            at=now,
            kind=kind.value,
            amount_fen=amount_fen if kind in INTO else -amount_fen,
            payment_id=payment_id,
            cause_id=cause_id,
            by=by,
        )
    )


def drawer_of(shift: TillShift) -> Drawer:
    """Return what identifies a shift."""
    return Drawer(
        id=shift.id,
        unit=shift.unit_code,
        cashier=shift.cashier,
        cashier_id=shift.cashier_id,
        float_fen=shift.float_fen,
        opened_at=shift.opened_at,
    )


async def cash_up(
    session: AsyncSession,
    principal: Principal,
    shift_id: UUID,
    counted_fen: int,
    *,
    expected_version: int,
    now: datetime,
) -> None:
    """End the caller's shift with what was counted; a difference waits for a second person.

    Raises:
        ShiftNotFound: if there is none in the caller's units (404).
        ShiftNotYours: if it is another cashier's (403).
        VersionStale: if it was changed since (412).
        ShiftStateUnfit: if it is not open (409).
    """
    shift = await _locked(session, principal, shift_id, expected_version, ShiftState.OPEN)
    if shift.cashier_id != principal.id:
        raise ShiftNotYours(cashier=shift.cashier)
    shift.expected_fen = shift.float_fen + await repository.moved(session, shift.id)
    shift.counted_fen = counted_fen
    shift.closed_at = now
    agrees = shift.counted_fen == shift.expected_fen
    shift.state = (ShiftState.CLOSED if agrees else ShiftState.COUNTED).value
    shift.version += 1
    _tell(session, principal, CASHED_UP, shift, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def confirm(
    session: AsyncSession,
    principal: Principal,
    shift_id: UUID,
    note: str,
    *,
    expected_version: int,
    now: datetime,
) -> None:
    """Confirm the difference of a shift that somebody else counted.

    Raises:
        ShiftNotFound: if there is none in the caller's units (404).
        VersionStale: if it was changed since (412).
        ShiftStateUnfit: if there is no difference to be confirmed (409).
        SecondPersonNeeded: if the caller counted it (403).
    """
    shift = await _locked(session, principal, shift_id, expected_version, ShiftState.COUNTED)
    if shift.cashier_id == principal.id:
        raise SecondPersonNeeded(by=principal.username)
    shift.state = ShiftState.CLOSED.value
    shift.confirmed_at, shift.confirmed_by, shift.note = now, principal.username, note
    shift.version += 1
    _tell(session, principal, CONFIRMED, shift, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def recall(session: AsyncSession, drawer: Drawer) -> TillShift:
    """Return the shift whose drawer has what a restored node recalls, locked.

    The backup may not know it; it is then open again, to be counted once more. If its cashier has meanwhile opened
    another, the cash lies in that one's drawer: a cashier has one at a time.
    """
    known = await repository.lock_within(session, drawer.id, "")
    if known is not None:
        return known
    await repository.hold_cashier(session, drawer.cashier_id)
    present = await repository.lock_open(session, drawer.cashier_id)
    if present is not None:
        return present
    shift = TillShift(
        id=drawer.id,
        unit_code=drawer.unit,
        cashier=drawer.cashier,
        cashier_id=drawer.cashier_id,
        float_fen=drawer.float_fen,
        opened_at=drawer.opened_at,
        state=ShiftState.OPEN.value,
        version=1,
    )
    session.add(shift)
    await session.flush()  # entries refer to it
    return shift


async def _locked(
    session: AsyncSession,
    principal: Principal,
    shift_id: UUID,
    expected: int,
    needed: ShiftState,
) -> TillShift:
    shift = await repository.lock_within(session, shift_id, principal.unit_path)
    if shift is None:
        raise ShiftNotFound(shift=shift_id)
    require_version(shift.version, expected)
    if shift.state != needed:
        raise ShiftStateUnfit(state=shift.state, needed=needed.value)
    return shift


def _tell(
    session: AsyncSession, principal: Principal, action: Action, shift: TillShift, *, now: datetime
) -> None:
    detail = {
        "float_fen": shift.float_fen,
        "expected_fen": shift.expected_fen,
        "counted_fen": shift.counted_fen,
    }
    audit.record(
        session,
        audit.Actor.of(principal),
        action,
        at=now,
        subject=("till_shift", shift.id),
        detail={name: value for name, value in detail.items() if value is not None},
    )

"""The rules of lending handsets: loading, lending, taking back, and what becomes of a deposit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.loan_handset import repository
from services.city_node.loan_handset.models import (
    HandsetLoan,
    HandsetState,
    LoanEnding,
    LoanHandset,
)
from services.city_node.loan_handset.problems import (
    DepositExceeded,
    LoanHandsetNotAvailable,
    LoanHandsetNotFound,
    LoanHandsetsInConflict,
    LoanOut,
    NoLoanHandset,
    NoLoanOut,
)
from services.city_node.loan_handset.schemas import LoanHandsetIn
from services.city_node.service_request.problems import UnitNotYours
from services.city_node.service_request.repository import active_unit
from shared.access import Principal
from shared.kernel.ids import new_id
from shared.kernel.preconditions import require_version
from shared.kernel.problems import Fault

MOST_FAULTS = 20
"""Faults named in one answer: whoever loads the wrong list sees so after the first."""

AFTER = {
    LoanEnding.RETURNED: HandsetState.IN_STOCK,
    LoanEnding.DAMAGED: HandsetState.DAMAGED,
    LoanEnding.LOST: HandsetState.LOST,
}
"""What a handset is when its loan has ended."""
_RESTOCKED = frozenset({HandsetState.DAMAGED, HandsetState.LOST, HandsetState.WITHDRAWN})
_WITHDRAWN = frozenset({HandsetState.IN_STOCK, HandsetState.DAMAGED, HandsetState.LOST})


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loading did."""

    unit: str
    loaded: int
    known: int


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a handset is lent, and to which request.

    Attributes:
        request_id: the request.
        deposit_fen: what is taken.
        due_on: the day by which it is to come back.
        by: the member of staff.
        at: when.
    """

    request_id: UUID
    deposit_fen: int
    due_on: date
    by: str
    at: datetime


async def load(
    session: AsyncSession,
    unit: str,
    handsets: Sequence[LoanHandsetIn],
    *,
    unit_path: str,
    now: datetime,
) -> Loaded:
    """Put handsets into a unit's stock, all or none; those that it has already are left as they are.

    Args:
        session: the caller's transaction.
        unit: the unit that has them.
        handsets: the handsets.
        unit_path: the part of the organisation that the caller may load for.
        now: the present moment.

    Raises:
        UnitNotYours: if the unit is not active, or not the caller's (422).
        LoanHandsetsInConflict: if a handset is twice among them, or in another unit's stock (409).
    """
    if await active_unit(session, unit, unit_path) is None:
        raise UnitNotYours(faults=[Fault("/unit", "no active unit of yours")], unit=unit)
    rows = [(new_id(), each.imei, each.make, each.model) for each in handsets]
    added = await repository.add(session, unit, rows, now=now)
    having = await repository.units_of(session, [each.imei for each in handsets])
    faults: list[Fault] = []
    seen: set[str] = set()
    for place, each in enumerate(handsets):
        pointer = f"/handsets/{place}/imei"
        if each.imei in seen:
            faults.append(Fault(pointer, f"{each.imei} is twice in this list"))
        elif having[each.imei] != unit:
            faults.append(Fault(pointer, f"{each.imei} is in the stock of {having[each.imei]}"))
        seen.add(each.imei)
    if faults:
        raise LoanHandsetsInConflict(
            faults=faults[:MOST_FAULTS], count=len(faults), most=MOST_FAULTS
        )
    return Loaded(unit, len(added), len(handsets) - len(added))


async def restock(
    session: AsyncSession,
    principal: Principal,
    handset_id: UUID,
    *,
    expected: int,
    now: datetime,
) -> int:
    """Put a handset that was mended, found or taken out too early back into stock; returns its new version.

    Raises:
        LoanHandsetNotFound: if no unit of the caller's has it (404).
        shared.kernel.preconditions.VersionStale: if it was changed since it was read (412).
        LoanHandsetNotAvailable: if it is in stock, or lent (409).
    """
    handset = await _lock(session, principal, handset_id, expected, among=_RESTOCKED)
    _become(handset, HandsetState.IN_STOCK, now)
    return handset.version


async def withdraw(
    session: AsyncSession,
    principal: Principal,
    handset_id: UUID,
    *,
    expected: int,
    now: datetime,
) -> int:
    """Lend a handset no more; returns its new version.

    Raises:
        LoanHandsetNotFound: if no unit of the caller's has it (404).
        shared.kernel.preconditions.VersionStale: if it was changed since it was read (412).
        LoanHandsetNotAvailable: if it is lent, or withdrawn already (409).
    """
    handset = await _lock(session, principal, handset_id, expected, among=_WITHDRAWN)
    _become(handset, HandsetState.WITHDRAWN, now)
    return handset.version


async def _lock(
    session: AsyncSession,
    principal: Principal,
    handset_id: UUID,
    expected: int,
    *,
    among: frozenset[HandsetState],
) -> LoanHandset:
    handset = await repository.lock(session, handset_id, principal.unit_path)
    if handset is None:
        raise LoanHandsetNotFound(handset_id)
    require_version(handset.version, expected)
    if handset.state not in among:
        raise LoanHandsetNotAvailable(handset=handset.id, state=handset.state)
    return handset


async def lend(
    session: AsyncSession,
    terms: Terms,
    *,
    unit: str,
    handset_id: UUID | None,
    unit_path: str,
) -> tuple[HandsetLoan, LoanHandset]:
    """Hand a handset over: the named one, or the next of the unit's stock.

    Raises:
        LoanOut: if the request has one that has not come back (409).
        LoanHandsetNotFound: if no unit of the caller's has the named one (404).
        LoanHandsetNotAvailable: if it is not in stock (409).
        NoLoanHandset: if the unit has none in stock (409).
    """
    await require_none_out(session, terms.request_id)
    if handset_id is None:
        handset = await repository.pick(session, unit)
        if handset is None:
            raise NoLoanHandset(unit)
    else:
        handset = await repository.lock(session, handset_id, unit_path)
        if handset is None:
            raise LoanHandsetNotFound(handset_id)
        if handset.state != HandsetState.IN_STOCK:
            raise LoanHandsetNotAvailable(handset=handset.id, state=handset.state)
    _become(handset, HandsetState.LENT, terms.at)
    loan = HandsetLoan(
        id=new_id(),
        handset_id=handset.id,
        request_id=terms.request_id,
        deposit_fen=terms.deposit_fen,
        due_on=terms.due_on,
        lent_at=terms.at,
        lent_by=terms.by,
    )
    session.add(loan)
    await session.flush()  # whatever reads the loans next goes past the session
    return loan, handset


async def end(
    session: AsyncSession,
    request_id: UUID,
    ending: LoanEnding,
    *,
    kept_fen: int | None,
    note: str | None,
    by: str,
    now: datetime,
) -> HandsetLoan:
    """Take a handset back, or give it up for lost; without ``kept_fen`` the deposit of a damaged or lost one is kept.

    Raises:
        NoLoanOut: if the request has none (409).
        DepositExceeded: if more is to be kept than the deposit, or anything of one that came back whole (422).
    """
    loan = await repository.loan_out(session, request_id)
    if loan is None:
        raise NoLoanOut(request_id)
    most = 0 if ending == LoanEnding.RETURNED else loan.deposit_fen
    kept = most if kept_fen is None else kept_fen
    if kept > most:
        raise DepositExceeded(most)
    loan.ending, loan.ended_at, loan.ended_by = ending, now, by
    loan.kept_fen, loan.refunded_fen, loan.note = kept, loan.deposit_fen - kept, note
    handset = await repository.lock(session, loan.handset_id, "")
    assert handset is not None  # noqa: S101 - the loan refers to it
    _become(handset, AFTER[ending], now)
    await session.flush()  # whatever reads the loans next goes past the session
    return loan


async def require_none_out(session: AsyncSession, request_id: UUID) -> None:
    """Do nothing while a request has no loan handset.

    Raises:
        LoanOut: if it has one that has not come back (409).
    """
    loan = await repository.loan_out(session, request_id)
    if loan is not None:
        raise LoanOut(request=request_id, handset=loan.handset_id)


def _become(handset: LoanHandset, state: HandsetState, now: datetime) -> None:
    handset.state = state
    handset.updated_at = now
    handset.version += 1

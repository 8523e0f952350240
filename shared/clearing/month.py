"""Closing months: what was owed is frozen, and what comes late is counted to the first day that is open.

One person proposes and another closes. A month is closed once it is over, after those before it, and once every day of
it is agreed with every neighbour; with a reason it is closed all the same, and the days stay named as they are.
"""

from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.access import Principal
from shared.capability import Action
from shared.clearing import repository
from shared.clearing.models import ClearingEntry, ClearingMonth
from shared.clearing.problems import (
    ClosingNotProposed,
    EarlierMonthOpen,
    MonthClosed,
    MonthNotOver,
    MonthUnsettled,
)
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.language import Text
from shared.kernel.listing import Listing, Sort
from shared.kernel.second_person import SecondPersonNeeded

PROPOSED = Action("clearing.closing_proposed", Text("Closing a month was proposed", "提出月结"))
CLOSED = Action("clearing.month_closed", Text("A month was closed", "清算月结"))
ACTIONS = (PROPOSED, CLOSED)

MONTHS = Listing(
    source="clearing_month m",
    key=Sort("m.month", "date"),
    columns={
        "month": "to_char(m.month, 'YYYY-MM')",
        **{
            name: f"m.{name}"
            for name in (
                "proposed_by",
                "proposed_at",
                "reason",
                "closed_by",
                "closed_at",
                "positions",
            )
        },
    },
    sorts={"month": Sort("m.month", "date")},
    filters={"month": "m.month = {}", "closed": "(m.closed_at IS NOT NULL) = {}"},
)
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended('clearing months', 0))")
"""Waits for what is late and being booked, and keeps more of it waiting: the ledger takes the same lock, shared."""


async def propose(
    session: AsyncSession, principal: Principal, month: date, reason: str | None, *, now: datetime
) -> None:
    """Propose to close a month; proposing again replaces the reason.

    Raises:
        MonthNotOver: if it is not over (409).
        MonthClosed: if it is closed (409).
        EarlierMonthOpen: if an earlier one with entries is open (409).
        MonthUnsettled: if days are not agreed, and there is no reason (409).
    """
    await session.execute(_HOLD)
    row = await _checked(session, month, now=now)
    if reason is None:
        await _require_settled(session, month)
    if row is None:
        row = ClearingMonth(month=month)
        session.add(row)
    row.proposed_by, row.proposed_at, row.reason = principal.username, now, reason
    _tell(session, principal, PROPOSED, row, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


async def close(session: AsyncSession, principal: Principal, month: date, *, now: datetime) -> None:
    """Close a month that somebody else has proposed to close, with what each account came to.

    Raises:
        MonthNotOver, MonthClosed, EarlierMonthOpen, MonthUnsettled: as :func:`propose` (409).
        ClosingNotProposed: if nobody has (409).
        SecondPersonNeeded: if the caller has (403).
    """
    await session.execute(_HOLD)
    row = await _checked(session, month, now=now)
    if row is None:
        raise ClosingNotProposed(month=_name(month))
    if row.proposed_by == principal.username:
        raise SecondPersonNeeded(by=row.proposed_by)
    if row.reason is None:
        await _require_settled(session, month)
    connection = await driver_connection(session)
    came_to = await repository.positions(connection, month, next_month(month))
    row.positions = [asdict(position) for position in came_to]
    row.closed_by, row.closed_at = principal.username, now
    _tell(session, principal, CLOSED, row, now=now)
    await session.flush()  # the answer is read by SQL in this transaction


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _name(month: date) -> str:
    return f"{month:%Y-%m}"


async def _checked(session: AsyncSession, month: date, *, now: datetime) -> ClearingMonth | None:
    if next_month(month) > business_day(now):
        raise MonthNotOver(month=_name(month))
    row = await session.get(ClearingMonth, month, populate_existing=True)
    if row is not None and row.closed_at is not None:
        at = row.closed_at.isoformat(timespec="seconds")
        raise MonthClosed(month=_name(month), by=row.closed_by, at=at)
    last = await session.scalar(
        select(func.max(ClearingMonth.month)).where(ClearingMonth.closed_at.is_not(None))
    )
    earliest = select(func.min(ClearingEntry.booked_on)).where(ClearingEntry.booked_on < month)
    if last is not None:
        earliest = earliest.where(ClearingEntry.booked_on >= next_month(last))
    earlier = await session.scalar(earliest)
    if earlier is not None:
        raise EarlierMonthOpen(earlier=_name(earlier))
    return row


async def _require_settled(session: AsyncSession, month: date) -> None:
    unsettled = await repository.unsettled_days(session, month, next_month(month))
    if unsettled:
        day, neighbour = unsettled[0]
        raise MonthUnsettled(month=_name(month), count=len(unsettled), neighbour=neighbour, day=day)


def _tell(
    session: AsyncSession,
    principal: Principal,
    action: Action,
    row: ClearingMonth,
    *,
    now: datetime,
) -> None:
    audit.record(
        session,
        audit.Actor.of(principal),
        action,
        at=now,
        subject=("clearing_month", _name(row.month)),
        detail={"reason": row.reason} if row.reason else {},
    )

"""Attempts as something that customers hold: noted and corrected, and never removed."""

from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import exists, inspect, select, update

from services.city_node.customer.models import Customer, Library
from services.city_node.customer.problems import DatesContradict
from services.city_node.customer.schemas import Moment
from services.city_node.customer.service import Desk
from services.city_node.held.declaration import Held
from services.city_node.held.problems import HeldAlready
from services.city_node.preference.models import Preference, PreferenceTopic
from services.city_node.win_back.models import AttemptResult, WinBackAttempt
from services.city_node.win_back.problems import ContactRefused, NotLost, ReturnedByRestoring
from services.city_node.win_back.schemas import AttemptCreate, AttemptOut
from shared.kernel.clock import business_day
from shared.kernel.listing import Sort

REFUSED = "refused"
"""The value of the preference ``marketing`` of who wishes no offers."""


async def _filters(
    result: AttemptResult | None = None,
    at_from: Annotated[Moment | None, Query(description="At this moment or later.")] = None,
    at_before: Annotated[Moment | None, Query(description="Before this moment.")] = None,
) -> dict[str, Any]:
    return {"result": result, "at_from": at_from, "at_before": at_before}


async def _check(desk: Desk, customer: Customer, row: WinBackAttempt) -> None:
    if customer.library != Library.RETAINED or customer.left_on is None:
        raise NotLost(customer=customer.customer_number)
    with desk.session.no_autoflush:
        await _require_welcome(desk, customer)
        if row.result == AttemptResult.RETURNED:
            raise ReturnedByRestoring(customer.id, row.id)
        given: dict[str, Any] = attempts.values(row)
        row.at, row.staff = given["at"] or desk.now, given["staff"] or desk.principal.username
        if row.result != AttemptResult.PLANNED and row.at > desk.now:
            raise DatesContradict("at", business_day(row.at), "after", desk.today)
        if inspect(row).transient:
            row.left_on, row.left_reason = customer.left_on, customer.left_reason
            row.left_competitor = customer.left_competitor
            row.lost_monthly_charge_fen = customer.monthly_charge_fen
        if row.next_due is not None:
            await forget_due(desk, customer, but=row)


async def _require_welcome(desk: Desk, customer: Customer) -> None:
    refused = exists().where(
        Preference.customer_id == customer.id,
        Preference.topic == PreferenceTopic.MARKETING.value,
        Preference.value == REFUSED,
    )
    if await desk.session.scalar(select(refused)):
        raise ContactRefused(customer=customer.customer_number)


async def forget_due(desk: Desk, customer: Customer, but: WinBackAttempt) -> None:
    """Let no other attempt of the customer say when to try again."""
    await desk.session.execute(
        update(WinBackAttempt)
        .where(
            WinBackAttempt.customer_id == customer.id,
            WinBackAttempt.id != but.id,
            WinBackAttempt.next_due.is_not(None),
        )
        .values(next_due=None)
    )


attempts = Held(
    name="win_back_attempts",
    title="win-back attempt",
    model=WinBackAttempt,
    body=AttemptCreate,
    out=AttemptOut,
    sorts={"at": Sort("p.at", "timestamptz")},
    newest_first=True,
    removable=False,
    check=_check,
    refusals={"win_back_attempt_due_key": lambda: HeldAlready("next attempt", "/next_due")},
    filters=_filters,
    conditions={"result": "p.result = {}", "at_from": "p.at >= {}", "at_before": "p.at < {}"},
)

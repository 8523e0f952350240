"""Working on prospects: moves from state to state, the steps of a plan, and whose they are.

The customer is locked first, as by everybody who changes one, then the prospect. The search locks no customer.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.city_node.customer.models import Customer
from services.city_node.customer.rules import require_manager
from services.city_node.customer.service import Desk
from services.city_node.prospect import repository
from services.city_node.prospect.access import ASSIGNED, DONE, STEPPED
from services.city_node.prospect.life import MOVES, OPEN
from services.city_node.prospect.models import (
    Act,
    Ending,
    Outcome,
    Prospect,
    ProspectEvent,
    ProspectStep,
    State,
)
from services.city_node.prospect.problems import (
    ProspectOpen,
    ProspectStateUnfit,
    StepDone,
    StepNotFound,
)
from shared import audit
from shared.capability import Action
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.preconditions import require_version
from shared.policy.kinds.prospect import PROSPECT, PlanStep
from shared.policy.service import in_force


async def move(
    desk: Desk,
    prospect_id: UUID,
    expected: int,
    act: Act,
    *,
    ending: Ending | None = None,
    note: str | None = None,
) -> None:
    """Bring a prospect into the state that an act leads to.

    Raises:
        ProspectNotFound: if there is none in the caller's scope (404).
        VersionStale: if it was changed since (412).
        ProspectStateUnfit: if the act does not lead from its state (409).
        ProspectOpen: if one is taken up again whose customer is an open one meanwhile (409).
    """
    way = MOVES[act]
    customer, prospect = await _locked(desk, prospect_id, expected, way.sources)
    if act is Act.REOPEN:
        other = await repository.open_of(desk.session, prospect.customer_id)
        if other is not None:
            raise ProspectOpen(prospect=other)
    was, prospect.state = prospect.state, way.to.value
    prospect.closed_at = None if way.to in OPEN else desk.now
    prospect.ending = None if ending is None else ending.value
    prospect.note = note
    prospect.next_due_on = await _next_due(desk, prospect) if way.to is State.NURTURED else None
    if act is Act.REOPEN:
        await repository.forget_plan(desk.session, prospect.id)
    prospect.version += 1
    _note(desk, customer, prospect, act, was)
    _record(desk, prospect, DONE[act], ending=prospect.ending)


async def complete(
    desk: Desk,
    prospect_id: UUID,
    number: int,
    expected: int,
    *,
    outcome: Outcome,
    note: str | None,
) -> None:
    """Say what came of a step.

    Raises:
        ProspectNotFound, VersionStale: as :func:`move`.
        ProspectStateUnfit: if the prospect has no plan that runs (409).
        StepNotFound: if the plan has no such step (404).
        StepDone: if somebody said it already (409).
    """
    nurtured = frozenset({State.NURTURED})
    customer, prospect = await _locked(desk, prospect_id, expected, nurtured)
    steps = await repository.steps_of(desk.session, prospect.id)
    step = next((each for each in steps if each.number == number), None)
    if step is None:
        raise StepNotFound(number=number)
    if step.done_at is not None:
        raise StepDone(number=number, at=business_day(step.done_at), outcome=step.outcome)
    step.outcome, step.note = outcome.value, note
    step.done_at, step.done_by = desk.now, desk.principal.username
    prospect.next_due_on = min((each.due_on for each in steps if each.done_at is None), default=None)  # fmt: skip
    prospect.version += 1
    _note(desk, customer, prospect, Act.STEP, prospect.state, note=f"{number} {step.code}: {outcome.value}")  # fmt: skip
    _record(desk, prospect, STEPPED, step=step.code, outcome=outcome.value)


async def assign(desk: Desk, prospect_id: UUID, expected: int, manager_id: UUID | None) -> None:
    """Give a prospect to an account manager, or back to the customer's without one.

    Raises:
        ProspectNotFound, VersionStale: as :func:`move`.
        ProspectStateUnfit: if it is closed (409).
        ManagerUnknown: if the manager is nobody on the node's staff (422).
    """
    customer, prospect = await _locked(desk, prospect_id, expected, OPEN)
    await require_manager(await driver_connection(desk.session), manager_id)
    prospect.manager_id = manager_id
    prospect.version += 1
    _note(desk, customer, prospect, Act.ASSIGN, prospect.state, note=None)
    _record(desk, prospect, ASSIGNED, manager=str(prospect.manager_id))


async def _next_due(desk: Desk, prospect: Prospect) -> Any:
    """Begin the plan of the policy in force, with the steps that are for the prospect, and return when one is due."""
    policy = await in_force(desk.session, PROSPECT, on=desk.today, node=desk.node)
    steps = [
        ProspectStep(
            prospect_id=prospect.id,
            number=number,
            code=step.code,
            title_zh=step.title_zh,
            title_en=step.title_en,
            responsible=step.responsible,
            due_on=desk.today + timedelta(days=step.days),
        )
        for number, step in enumerate(_steps_for(policy.document.plan, prospect.signals), start=1)
    ]
    repository.add_steps(desk.session, steps)
    return min((step.due_on for step in steps), default=None)


def _steps_for(plan: Sequence[PlanStep], signals: Sequence[str]) -> list[PlanStep]:
    return [step for step in plan if not step.only_for or set(step.only_for) & set(signals)]


async def _locked(
    desk: Desk, prospect_id: UUID, expected: int, needed: frozenset[State]
) -> tuple[Customer, Prospect]:
    customer_id = await repository.customer_of(desk.session, prospect_id, desk.principal.unit_path)
    customer = await desk.locked(customer_id)
    prospect = await repository.lock(desk.session, prospect_id)
    require_version(prospect.version, expected)
    if prospect.state not in needed:
        raise ProspectStateUnfit(state=prospect.state, needed=", ".join(sorted(needed)))
    return customer, prospect


def _note(
    desk: Desk,
    customer: Customer,
    prospect: Prospect,
    act: Act,
    was: str,
    **given: str | None,
) -> None:
    closed = prospect.closed_at
    days = (business_day(closed) - business_day(prospect.found_at)).days if closed else None
    event = ProspectEvent(
        prospect_id=prospect.id,
        customer_id=prospect.customer_id,
        at=desk.now,
        by=desk.principal.username,
        act=act.value,
        from_state=was,
        to_state=prospect.state,
        unit_code=customer.unit_code,
        target=prospect.target,
        score=prospect.score,
        signals=prospect.signals,
        ending=prospect.ending,
        days=days,
        note=given.get("note", prospect.note),
    )
    repository.add_event(desk.session, event)


def _record(desk: Desk, prospect: Prospect, action: Action, **detail: Any) -> None:
    audit.record(
        desk.session,
        audit.Actor.of(desk.principal),
        action,
        at=desk.now,
        subject=("customer", prospect.customer_id),
        detail={"prospect": str(prospect.id), "state": prospect.state, **detail},
    )

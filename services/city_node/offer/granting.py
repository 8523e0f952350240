"""Granting offers: at once or with a second person, and taking back what is not used."""

from datetime import date
from uuid import UUID

from sqlalchemy import select, text

from services.city_node.customer.models import Customer, Library
from services.city_node.customer.problems import CustomerRetained
from services.city_node.offer import repository
from services.city_node.offer.counter import Counter
from services.city_node.offer.judging import Terms
from services.city_node.offer.life import Act, GrantState, charged, follow
from services.city_node.offer.models import Offer, OfferGrant
from services.city_node.offer.problems import (
    GrantNotFound,
    GrantOver,
    OfferNotForCustomer,
    OfferUnknown,
    QuotaShort,
)
from services.city_node.offer.reading import GRANTS
from services.city_node.offer.standing import look_at, policy_of
from shared.capability import Action
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.language import Text
from shared.kernel.preconditions import require_version
from shared.kernel.second_person import SecondPersonNeeded
from shared.policy.kinds.offer import OfferPolicy
from shared.staff.repository import are_one_person

GRANTED = Action("offer.granted", Text("An offer was granted", "发放优惠"))
PROPOSED = Action("offer.proposed", Text("A grant of an offer was proposed", "提交优惠发放申请"))
APPROVED = Action("offer.approved", Text("A grant of an offer was approved", "批准优惠发放"))
REFUSED = Action("offer.refused", Text("A grant of an offer was refused", "驳回优惠发放"))
CANCELLED = Action("offer.cancelled", Text("A grant of an offer was cancelled", "取消优惠发放"))
ACTIONS = (GRANTED, PROPOSED, APPROVED, REFUSED, CANCELLED)


async def grant(counter: Counter, customer_id: UUID, code: str, uses: int) -> UUID:
    """Grant an offer, or propose to if it takes a second person; return the grant's id.

    Either holds its uses against entitlement, quota and budget from this moment.

    Raises:
        CustomerNotFound: if there is none in scope (404).
        OfferUnknown: if the catalogue has no such offer (422).
        OfferNotForCustomer: if a rule says no (409).
        QuotaShort: if others were granted the rest of the quota at this moment (409).
    """
    customer = await counter.locked(customer_id)
    offers = await repository.named(counter.session, [code])
    if not offers:
        raise OfferUnknown(code)
    policy = await policy_of(counter)
    (view,) = await look_at(counter, customer, offers, policy)
    reasons = view.reasons(uses)
    if reasons:
        raise OfferNotForCustomer(code, [(each.rule.value, each.speak) for each in reasons])
    offer, quota = view.offer, view.standing.room
    needs_second = uses * offer.cost_fen > _limit(offer, policy.document)
    row = OfferGrant(
        id=new_id(),
        offer_code=code,
        customer_id=customer_id,
        unit_code=customer.unit_code,
        quota_year=quota and quota.year,
        quota_unit=quota and quota.unit,
        uses=uses,
        used=0,
        cost_fen=offer.cost_fen,
        state=(GrantState.PROPOSED if needs_second else GrantState.GRANTED).value,
        level=customer.level,
        policy=policy.reference,
        granted_on=counter.today,
        valid_until=_last_day(offer, view.terms),
        granted_at=counter.now,
        granted_by=counter.actor.by,
        granter_id=counter.actor.user_id,
        version=1,
    )
    if quota is not None:
        connection = await driver_connection(counter.session)
        if not await repository.reserve(
            connection, code, quota, uses=uses, cost_fen=offer.cost_fen
        ):
            raise QuotaShort(unit=quota.unit, code=code, year=quota.year, wanted=uses)
    counter.session.add(row)
    record(counter, PROPOSED if needs_second else GRANTED, row)
    await counter.session.flush()  # what is answered is read by SQL
    return row.id


def _limit(offer: Offer, policy: OfferPolicy) -> int:
    own = offer.approval_above_fen
    return policy.approval_above_fen if own is None else min(own, policy.approval_above_fen)


def _last_day(offer: Offer, terms: Terms) -> date:
    until = terms.period[1]
    return until if offer.valid_until is None else min(until, offer.valid_until)


async def approve(counter: Counter, grant_id: UUID, expected: int) -> None:
    """Let a proposed grant hold. Rules were asked when it was proposed, and its uses are held since.

    Raises:
        GrantNotFound, CustomerNotFound: if there is none in scope (404).
        VersionStale: if it was changed since (412).
        GrantStateUnfit, GrantOver: if it is not proposed, or its last day has passed (409).
        CustomerRetained: if the customer has left (409).
        SecondPersonNeeded: if the caller proposed it (403).
    """
    customer, row = await locked(counter, grant_id, expected)
    state = follow(Act.APPROVE, row.state, used=row.used, uses=row.uses)
    require_usable(counter, customer, row)
    await _require_second_person(counter, row)
    await _decide(counter, row, state, APPROVED)


async def refuse(counter: Counter, grant_id: UUID, expected: int, reason: str) -> None:
    """Decide that a proposed grant does not come about.

    Raises:
        GrantNotFound, CustomerNotFound, VersionStale, GrantStateUnfit, SecondPersonNeeded: as :func:`approve`.
    """
    _, row = await locked(counter, grant_id, expected)
    state = follow(Act.REFUSE, row.state, used=row.used, uses=row.uses)
    await _require_second_person(counter, row)
    await _decide(counter, row, state, REFUSED, reason)


async def cancel(counter: Counter, grant_id: UUID, expected: int, reason: str) -> None:
    """Take back what is not used of a grant, or a proposal.

    Raises:
        GrantNotFound, CustomerNotFound, VersionStale, GrantStateUnfit: as :func:`approve`.
    """
    _, row = await locked(counter, grant_id, expected)
    state = follow(Act.CANCEL, row.state, used=row.used, uses=row.uses)
    await _decide(counter, row, state, CANCELLED, reason)


async def _decide(
    counter: Counter, row: OfferGrant, state: GrantState, action: Action, reason: str | None = None
) -> None:
    before = charged(row.state, uses=row.uses, used=row.used)
    row.state, row.reason = state.value, reason
    row.decided_at, row.decided_by = counter.now, counter.actor.by
    row.version += 1
    await give_back(counter, row, before - charged(row.state, uses=row.uses, used=row.used))
    record(counter, action, row)
    await counter.session.flush()  # what is answered is read by SQL


async def _require_second_person(counter: Counter, row: OfferGrant) -> None:
    mine, theirs = counter.actor.user_id, row.granter_id
    if row.granted_by == counter.actor.by or (
        mine is not None
        and theirs is not None
        and await are_one_person(counter.session, mine, theirs)
    ):
        raise SecondPersonNeeded(by=row.granted_by)


async def give_back(counter: Counter, row: OfferGrant, uses: int) -> None:
    """Give uses that a grant does not hold any more back to its quota."""
    if uses and row.quota_unit is not None:
        await repository.release(await driver_connection(counter.session), row, uses=uses)


async def locked(
    counter: Counter, grant_id: UUID, expected: int | None = None
) -> tuple[Customer, OfferGrant]:
    """Return a grant and its customer, who is locked first.

    Raises:
        GrantNotFound, CustomerNotFound: if there is none in scope (404).
        VersionStale: if it was changed since version ``expected`` (412).
    """
    of = text(f"SELECT g.customer_id FROM {GRANTS} WHERE g.id = :id AND starts_with(u.path, :path)")  # noqa: S608 - a text of the program
    given = {"id": grant_id, "path": counter.scope}
    customer_id: UUID | None = await counter.session.scalar(of, given)
    if customer_id is None:
        raise GrantNotFound(grant=grant_id)
    customer = await counter.locked(customer_id)
    query = select(OfferGrant).where(
        OfferGrant.id == grant_id, OfferGrant.customer_id == customer_id
    )
    query = query.with_for_update().execution_options(populate_existing=True)
    row = await counter.session.scalar(query)
    if row is None:  # merged away at this moment
        raise GrantNotFound(grant=grant_id)
    if expected is not None:
        require_version(row.version, expected)
    return customer, row


def require_usable(counter: Counter, customer: Customer, row: OfferGrant) -> None:
    """Refuse what takes a customer in the network and a grant that is not over.

    Raises:
        CustomerRetained, GrantOver: if it is not so (409).
    """
    if customer.library != Library.IN_NETWORK:
        raise CustomerRetained(customer.customer_number, customer.left_on)
    if row.valid_until <= counter.today:
        raise GrantOver(until=row.valid_until, today=counter.today)


def record(counter: Counter, action: Action, row: OfferGrant, **more: object) -> None:
    """Leave a record of what was done with a grant."""
    detail = {"offer": row.offer_code, "uses": row.uses, "used": row.used, **more}
    counter.record(action, ("customer", row.customer_id), cause_id=row.id, detail=detail)

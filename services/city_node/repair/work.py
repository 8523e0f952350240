"""What the visited node does about the handset: estimates, asks the customer, repairs, and hands it back."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.loan_handset.service import require_none_out
from services.city_node.repair import cost, kind, repository
from services.city_node.repair.counter import Counter
from services.city_node.repair.kind import KIND
from services.city_node.repair.models import (
    Decision,
    RepairEstimate,
    RepairResult,
    RepairTicket,
)
from services.city_node.repair.problems import (
    CostAboveAgreed,
    EstimateOutdated,
    GoodwillTooHigh,
    ReceiptMissing,
    TooManyEstimates,
)
from services.city_node.repair.schemas import Cost, Device, GoodwillIn, RepairedIn, ReturnIn
from services.city_node.repair.telling import END, require_possible
from services.city_node.service_request import service
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import Step
from services.city_node.service_request.visited import require_time
from shared.capability import NodeContext
from shared.kernel.encryption import mask
from shared.kernel.language import Text

MOST_ESTIMATES = 10
CLOSED = "closed"
"""What the replacement's numbers are sealed for."""


async def estimate(
    desk: Counter,
    request_id: UUID,
    given: Cost,
) -> None:
    """Say what the repair will cost, and who would bear what; after the customer's consent: that it costs otherwise.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless home has confirmed and it is not repaired (409).
        RequestTimedOut: if its time is over before anything was agreed (409).
        TooManyEstimates: if it was estimated too often (409).
    """
    request = await desk.lock(request_id)
    ticket = await repository.ticket_of(desk.session, request.id)
    anew = request.state in kind.AT_WORK
    if request.state in {"confirmed", "estimated"}:
        require_time(request, desk.now)
    event = "revised" if anew else "estimated"
    number = len(await repository.estimates_of(desk.session, request.id)) + 1
    total = given.total_fen
    words = Text(
        f"Estimate {number}: {total} fen, to be agreed by the customer.",
        f"第 {number} 次报价：{total} 分，待客户同意。",
    )
    step = desk.step(event, words)
    await service.advance(desk.session, KIND, request, step)
    if number > MOST_ESTIMATES:
        raise TooManyEstimates(id=request.id, most=MOST_ESTIMATES)
    parts = cost.split(total, **_bearing(ticket))
    desk.session.add(
        RepairEstimate(
            request_id=request.id,
            number=number,
            parts=_plain(given),
            labour_fen=given.labour_fen,
            total_fen=total,
            customer_fen=parts.customer_fen,
            home_fen=parts.home_fen,
            estimated_at=desk.now,
            estimated_by=desk.principal.username,
        )
    )
    await desk.tell_progress(request, event)


async def agree(
    desk: Counter,
    request_id: UUID,
    number: int,
) -> None:
    """Note that the customer agrees to the last estimate, at what time and before which clerk.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless an estimate waits for the customer's word (409).
        RequestTimedOut: if its time is over before anything was agreed (409).
        EstimateOutdated: if it is not the last one (409).
    """
    request = await desk.lock(request_id)
    if request.state == "estimated":
        require_time(request, desk.now)
    words = Text(f"The customer agrees to estimate {number}.", f"客户同意第 {number} 次报价。")
    step = desk.step("agreed", words)
    await service.advance(desk.session, KIND, request, step)
    await _decide(desk.session, request, number, Decision.AGREED, step)
    await desk.tell_progress(request, "agreed")


async def decline(
    desk: Counter,
    request_id: UUID,
    number: int,
) -> None:
    """Note that the customer does not want it for that: all is over, and nobody owes anything.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        LoanOut: if a loan handset has not come back (409).
        RequestNotInState: unless an estimate waits for the customer's word (409).
        EstimateOutdated: if it is not the last one (409).
    """
    request = await desk.lock(request_id)
    await require_none_out(desk.session, request.id)
    words = Text(f"The customer declines estimate {number}.", f"客户不同意第 {number} 次报价。")
    step = desk.step("declined", words)
    await service.advance(desk.session, KIND, request, step)
    await _decide(desk.session, request, number, Decision.DECLINED, step)
    await desk.tell(request, kind.DECLINED, {})


async def _decide(
    session: AsyncSession, request: ServiceRequest, number: int, decision: Decision, step: Step
) -> None:
    last = (await repository.estimates_of(session, request.id))[-1]
    if last.number != number:
        raise EstimateOutdated(id=request.id, last=last.number, given=number)
    last.decision, last.decided_at, last.decided_by = decision, step.at, step.by


async def repaired(
    desk: Counter,
    request_id: UUID,
    done: RepairedIn,
) -> None:
    """Note what was done: the handset can be picked up.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless the customer has agreed, or it cannot be repaired (409).
        CostAboveAgreed: if it costs more than the customer has agreed to (409).
    """
    request = await desk.lock(request_id)
    ticket = await repository.ticket_of(desk.session, request.id)
    in_vain = done.result == RepairResult.NOT_REPAIRABLE
    event = "not-repairable" if in_vain else "repaired"
    words = kind.PROGRESS[event]
    step = desk.step(event, words)
    await service.advance(desk.session, KIND, request, step)
    agreed = next(
        (
            each
            for each in reversed(await repository.estimates_of(desk.session, request.id))
            if each.decision == Decision.AGREED
        ),
        None,
    )
    final: Cost = done
    if not done.states_cost and not in_vain and agreed is not None:
        final = Cost.model_validate({"parts": agreed.parts, "labour_fen": agreed.labour_fen})
    most = agreed.total_fen if agreed is not None else 0
    total = final.total_fen
    if total > most:
        raise CostAboveAgreed(agreed=most, given=total)
    ticket.result = done.result
    ticket.parts, ticket.labour_fen, ticket.total_fen = _plain(final), final.labour_fen, total
    ticket.repaired_at, ticket.repaired_by = desk.now, desk.principal.username
    if done.replacement is not None:
        await _note_replacement(desk.context, desk.session, request, ticket, done.replacement)
    await desk.tell_progress(request, event)


async def _note_replacement(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    ticket: RepairTicket,
    replacement: Device,
) -> None:
    ticket.replacement = f"{replacement.make} {replacement.model}"
    ticket.replacement_masked = mask(replacement.imei, 0, 4)
    ticket.replacement_sealed = await END.seal(context, session, request, CLOSED, replacement)


async def let_off(
    desk: Counter,
    request_id: UUID,
    given: GoodwillIn,
) -> None:
    """Let the customer off a part of what they would have to pay, at this city's cost; said again, it is replaced.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestNotInState: unless it is repaired and not returned (409).
        GoodwillTooHigh: if it is more than the customer has to pay (422).
    """
    request = await desk.lock(request_id)
    require_possible(request, "returned")
    ticket = await repository.ticket_of(desk.session, request.id)
    assert ticket.total_fen is not None  # noqa: S101 - the state says so
    most = cost.split(ticket.total_fen, **_bearing(ticket)).customer_fen
    if given.goodwill_fen > most:
        raise GoodwillTooHigh(most)
    ticket.goodwill_fen = given.goodwill_fen
    words = Text(
        f"This city bears {given.goodwill_fen} fen by goodwill: {given.note}",
        f"受理地酌情承担 {given.goodwill_fen} 分：{given.note}",
    )
    await desk.note(request, "goodwill", words)


async def hand_back(
    desk: Counter,
    request_id: UUID,
    given: ReturnIn,
) -> None:
    """Give the handset back to the customer, who pays their part; home is told what it bears.

    From here on the outcome is the home node's word: its own figure counts.

    Raises:
        RequestNotFound: if there is no such request in the caller's units (404).
        LoanOut: if a loan handset has not come back (409).
        RequestNotInState: unless it is repaired (409).
        ReceiptMissing: if the customer pays and no receipt is named (422).
    """
    request = await desk.lock(request_id)
    await require_none_out(desk.session, request.id)
    words = Text(
        f"The handset is back with the customer; {request.home} is to record the repair.",
        f"客户已取机，待 {request.home} 登记维修。",
    )
    step = desk.step("returned", words)
    await service.advance(desk.session, KIND, request, step)
    ticket = await repository.ticket_of(desk.session, request.id)
    assert ticket.total_fen is not None  # noqa: S101 - the state says so
    parts = cost.split(ticket.total_fen, goodwill_fen=ticket.goodwill_fen, **_bearing(ticket))
    if parts.customer_fen and given.receipt is None:
        raise ReceiptMissing(parts.customer_fen)
    ticket.customer_fen, ticket.home_fen = parts.customer_fen, parts.home_fen
    ticket.visited_fen, ticket.promised_fen = parts.visited_fen, parts.home_fen
    # The clock may have been set back since it was asked.
    ticket.days = max((desk.now - request.created_at).days, 0)
    ticket.receipt = given.receipt
    ticket.returned_at, ticket.returned_by = desk.now, desk.principal.username
    closed = {
        "result": ticket.result,
        "parts": ticket.parts,
        "labour_fen": ticket.labour_fen,
        "total_fen": ticket.total_fen,
        "customer_fen": parts.customer_fen,
        "home_fen": parts.home_fen,
        "visited_fen": parts.visited_fen,
        "days": ticket.days,
        "sealed": ticket.replacement_sealed,
    }
    await desk.tell(request, kind.CLOSED, closed)


def _plain(given: Cost) -> list[dict[str, object]]:
    return [part.model_dump() for part in given.parts]


def _bearing(ticket: RepairTicket) -> dict[str, int]:
    """Return what home promised, of a ticket that home has confirmed."""
    assert ticket.home_share_permille is not None  # noqa: S101 - the state says so
    assert ticket.cap_fen is not None  # noqa: S101 - as above
    return {"share_permille": ticket.home_share_permille, "cap_fen": ticket.cap_fen}

"""The work on a repair over HTTP: estimates, the customer's word, the loan, the repair, and handing back."""

from uuid import UUID

from fastapi import APIRouter, Response

from services.city_node.repair import lending, work
from services.city_node.repair.access import AtSupervisorsDesk, AtWorkbench
from services.city_node.repair.answers import answered
from services.city_node.repair.representations import RepairOut
from services.city_node.repair.schemas import (
    AnswerIn,
    Cost,
    GoodwillIn,
    LoanEndIn,
    LoanIn,
    RepairedIn,
    ReturnIn,
)
from shared.access import OnceDependency

router = APIRouter(prefix="/repairs/{request_id}")


@router.post("/estimates", summary="Estimate the cost", response_model=RepairOut)
async def estimate(
    request_id: UUID,
    body: Cost,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """Say what it will cost, and who would bear what; a higher cost than the customer agreed to needs a new one."""
    await work.estimate(desk, request_id, body)
    return await answered(desk, request_id, once)


@router.post("/agree", summary="The customer agrees to an estimate", response_model=RepairOut)
async def agree(
    request_id: UUID,
    body: AnswerIn,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """Keep the customer's consent, with its time and the clerk; the work may begin."""
    await work.agree(desk, request_id, body.estimate)
    return await answered(desk, request_id, once)


@router.post("/decline", summary="The customer declines an estimate", response_model=RepairOut)
async def decline(
    request_id: UUID,
    body: AnswerIn,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """End the request: nobody owes anything. A loan handset has to be back first."""
    await work.decline(desk, request_id, body.estimate)
    return await answered(desk, request_id, once)


@router.post("/loan", summary="Lend the customer a handset", response_model=RepairOut)
async def lend(
    request_id: UUID,
    body: LoanIn,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """Lend a handset of the hall's stock while the customer's own is repaired, against the promised deposit."""
    await lending.lend(desk, request_id, body.handset_id)
    return await answered(desk, request_id, once)


@router.post("/loan/end", summary="Take the loan handset back", response_model=RepairOut)
async def end_loan(
    request_id: UUID,
    body: LoanEndIn,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """Note that it came back, whole or damaged, or is lost, and what of the deposit is kept."""
    await lending.end(desk, request_id, body)
    return await answered(desk, request_id, once)


@router.post("/repaired", summary="The handset is ready", response_model=RepairOut)
async def repaired(
    request_id: UUID,
    body: RepairedIn,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """Note the result, and the cost where it is less than was agreed."""
    await work.repaired(desk, request_id, body)
    return await answered(desk, request_id, once)


@router.post("/goodwill", summary="Let the customer off a part", response_model=RepairOut)
async def let_off(
    request_id: UUID,
    body: GoodwillIn,
    desk: AtSupervisorsDesk,
    once: OnceDependency,
) -> Response:
    """Let this city bear a part of what the customer would pay."""
    await work.let_off(desk, request_id, body)
    return await answered(desk, request_id, once)


@router.post("/return", summary="Hand the handset back", response_model=RepairOut)
async def hand_back(
    request_id: UUID,
    body: ReturnIn,
    desk: AtWorkbench,
    once: OnceDependency,
) -> Response:
    """Give the handset to the customer, who pays their part, and have the home city record the repair."""
    await work.hand_back(desk, request_id, body)
    return await answered(desk, request_id, once)

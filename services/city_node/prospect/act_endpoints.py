"""Acts on prospects over HTTP: each against the prospect's ETag, answered with the prospect as it is then."""

from uuid import UUID

from fastapi import APIRouter, Response

from services.city_node.customer.service import Desk
from services.city_node.prospect import reading, service
from services.city_node.prospect.access import AtAssigning, AtWork
from services.city_node.prospect.models import Act, Ending, Outcome
from services.city_node.prospect.schemas import (
    Assignment,
    Closing,
    ProspectWhole,
    Remark,
    StepDone,
)
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/prospects/{prospect_id}")


@router.post("/qualify", summary="Qualify a prospect")
async def qualify(
    prospect_id: UUID, desk: AtWork, expected: ExpectedVersion, body: Remark, response: Response
) -> ProspectWhole:
    """Decide that a prospect is worth working on: from then on it is not closed because it is no longer found."""
    await service.move(desk, prospect_id, expected, Act.QUALIFY, note=body.note)
    return await _after(desk, prospect_id, response)


@router.post("/disqualify", summary="Disqualify a prospect")
async def disqualify(
    prospect_id: UUID, desk: AtWork, expected: ExpectedVersion, body: Closing, response: Response
) -> ProspectWhole:
    """Decide that a prospect is none, and why; the customer is not found again for the months of the policy."""
    ending = Ending(body.ending)
    await service.move(desk, prospect_id, expected, Act.DISQUALIFY, ending=ending, note=body.note)
    return await _after(desk, prospect_id, response)


@router.post("/nurture", summary="Begin a prospect's plan")
async def nurture(
    prospect_id: UUID, desk: AtWork, expected: ExpectedVersion, body: Remark, response: Response
) -> ProspectWhole:
    """Begin the plan of the policy in force, with the steps that are for the prospect's reasons."""
    await service.move(desk, prospect_id, expected, Act.NURTURE, note=body.note)
    return await _after(desk, prospect_id, response)


@router.post("/drop", summary="Drop a prospect")
async def drop(
    prospect_id: UUID, desk: AtWork, expected: ExpectedVersion, body: Closing, response: Response
) -> ProspectWhole:
    """Give up a prospect that was worked on, and say why."""
    ending = Ending(body.ending)
    await service.move(desk, prospect_id, expected, Act.DROP, ending=ending, note=body.note)
    return await _after(desk, prospect_id, response)


@router.post("/reopen", summary="Take up a prospect again")
async def reopen(
    prospect_id: UUID, desk: AtWork, expected: ExpectedVersion, body: Remark, response: Response
) -> ProspectWhole:
    """Work again on a prospect that was closed without success; it is qualified then."""
    await service.move(desk, prospect_id, expected, Act.REOPEN, note=body.note)
    return await _after(desk, prospect_id, response)


@router.post("/assign", summary="Assign a prospect")
async def assign(
    prospect_id: UUID,
    desk: AtAssigning,
    expected: ExpectedVersion,
    body: Assignment,
    response: Response,
) -> ProspectWhole:
    """Give a prospect to an account manager; without one it follows the customer's manager."""
    await service.assign(desk, prospect_id, expected, body.manager_id)
    return await _after(desk, prospect_id, response)


@router.post("/steps/{step}/complete", summary="Say what came of a step")
async def complete_step(
    prospect_id: UUID,
    step: int,
    *,
    desk: AtWork,
    expected: ExpectedVersion,
    body: StepDone,
    response: Response,
) -> ProspectWhole:
    """Say what came of a step of the plan."""
    await service.complete(
        desk, prospect_id, step, expected, outcome=Outcome(body.outcome), note=body.note
    )
    return await _after(desk, prospect_id, response)


async def _after(desk: Desk, prospect_id: UUID, response: Response) -> ProspectWhole:
    await desk.session.flush()  # what is read next is read by SQL
    connection = await driver_connection(desk.session)
    found = await reading.one(connection, {"scope": desk.principal.unit_path, "id": prospect_id})
    shown = ProspectWhole.model_validate(found)
    response.headers["etag"] = entity_tag(shown.version)
    return shown

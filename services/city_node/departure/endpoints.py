"""The catalogue of departures over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.city_node.departure import service
from services.city_node.departure.access import MANAGE
from services.city_node.departure.models import Competitor, DepartureReason
from services.city_node.departure.schemas import (
    CompetitorCreate,
    CompetitorList,
    CompetitorOut,
    CompetitorPatch,
    DepartureReasonCreate,
    DepartureReasonList,
    DepartureReasonOut,
    DepartureReasonPatch,
    Word,
)
from shared.access import CurrentPrincipal, Principal, require
from shared.kernel.edge import ExpectedVersion, Now, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter()

Keeper = Annotated[Principal, Depends(require(MANAGE))]


@router.get("/departure-reasons", summary="List the reasons why customers leave")
async def list_reasons(_: CurrentPrincipal, session: Transaction) -> DepartureReasonList:
    """Return every reason, in Chinese and English; those out of use, too, for the customers who left for them."""
    items = await service.entries(session, DepartureReason)
    return DepartureReasonList(items=[DepartureReasonOut.model_validate(each) for each in items])


@router.post("/departure-reasons", status_code=201, summary="Add a reason why customers leave")
async def add_reason(
    keeper: Keeper, session: Transaction, now: Now, body: DepartureReasonCreate, response: Response
) -> DepartureReasonOut:
    """Add a reason, with the days after which the records of those who leave for it are erased."""
    reason = await service.add(
        session, DepartureReason, body.model_dump(), by=keeper.username, now=now
    )
    response.headers["etag"] = entity_tag(reason.version)
    return DepartureReasonOut.model_validate(reason)


@router.patch("/departure-reasons/{code}", summary="Change a reason why customers leave")
async def change_reason(
    code: Word,
    keeper: Keeper,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
    body: DepartureReasonPatch,
    response: Response,
) -> DepartureReasonOut:
    """Change names, retention or use; a changed retention counts for those, too, who have left already."""
    reason = await service.change(
        session,
        DepartureReason,
        code,
        body.model_dump(exclude_unset=True),
        expected=expected,
        by=keeper.username,
        now=now,
    )
    response.headers["etag"] = entity_tag(reason.version)
    return DepartureReasonOut.model_validate(reason)


@router.get("/competitors", summary="List competitors")
async def list_competitors(_: CurrentPrincipal, session: Transaction) -> CompetitorList:
    """Return every other operator that customers of this node may have gone to."""
    items = await service.entries(session, Competitor)
    return CompetitorList(items=[CompetitorOut.model_validate(each) for each in items])


@router.post("/competitors", status_code=201, summary="Add a competitor")
async def add_competitor(
    keeper: Keeper, session: Transaction, now: Now, body: CompetitorCreate, response: Response
) -> CompetitorOut:
    """Add another operator."""
    competitor = await service.add(
        session, Competitor, body.model_dump(), by=keeper.username, now=now
    )
    response.headers["etag"] = entity_tag(competitor.version)
    return CompetitorOut.model_validate(competitor)


@router.patch("/competitors/{code}", summary="Change a competitor")
async def change_competitor(
    code: Word,
    keeper: Keeper,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
    body: CompetitorPatch,
    response: Response,
) -> CompetitorOut:
    """Change an operator's names, or whether it may be named from now on."""
    competitor = await service.change(
        session,
        Competitor,
        code,
        body.model_dump(exclude_unset=True),
        expected=expected,
        by=keeper.username,
        now=now,
    )
    response.headers["etag"] = entity_tag(competitor.version)
    return CompetitorOut.model_validate(competitor)

"""The board, months and restatements over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from shared.kernel.edge import ExpectedVersion, NodeDatabase, NodeSettings, Now, Page, Transaction
from shared.kernel.ids import new_id
from shared.kernel.listing import known_parameters
from shared.kernel.preconditions import entity_tag, holds
from shared.organisation.division import cities_of
from shared.reporting import closing, restatement
from shared.reporting.access import (
    AtDecidingDesk,
    AtProposingDesk,
    AtRestatementDesk,
    Reader,
)
from shared.reporting.models import Act
from shared.reporting.repository import restatements
from shared.reporting.schemas import (
    BoardOut,
    DecisionIn,
    MonthOut,
    ProposalIn,
    ProposalOut,
    ReasonIn,
    RestatementOut,
    RestatementPage,
    RestatementState,
    State,
)
from shared.reporting.service import board, last_over, region_seen
from shared.statistics.analysis import offered
from shared.statistics.asking import scope_of, split
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period

router = APIRouter(prefix="/statistics")

_MonthName = Annotated[str, Path(alias="period", description="A month.", examples=["2026-10"])]


@router.get(
    "/board",
    summary="What was expected of a period, and what came",
    response_model=BoardOut,
    response_model_exclude_none=True,
    responses={304: {"description": "The board is the one that the caller has."}},
    dependencies=[Depends(known_parameters)],
)
async def read_board(
    request: Request,
    session: Transaction,
    principal: Reader,
    settings: NodeSettings,
    now: Now,
    period: Annotated[
        str | None,
        Query(description="A month or a day; the last month without it.", examples=["2026-10"]),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        Query(
            description="Only these datasets: repeated, or between commas.", examples=[["customer"]]
        ),
    ] = None,
    region: Annotated[
        str | None,
        Query(description="Division code; the caller's own without it.", examples=["440000"]),
    ] = None,
    state: Annotated[
        State | None, Query(description="Only slices of this state; the summary counts all.")
    ] = None,
    slices: Annotated[bool, Query(description="Whether to tell the slices one by one.")] = True,
) -> Response:
    """Return the board of one period, whole: a summary of each dataset, and each slice that is expected."""
    scope = scope_of(principal, settings.code)
    asked = region_seen(region, scope) if region else scope
    kept = {each.code: each for each in CATALOGUE.dataset_list}
    datasets = [offered("dataset", code, kept).code for code in split(dataset)]
    found = await board(
        session,
        Period.parse(period) if period else last_over(now),
        here=settings.code,
        region=asked,
        datasets=datasets or None,
        state=state,
        with_slices=slices,
        now=now,
    )
    headers = {
        "ETag": found.entity_tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization",
    }
    if holds(request.headers.get("if-none-match", ""), found.entity_tag):
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type="application/json")


@router.get("/periods/{period}", summary="Whether a month is closed")
async def read_month(
    period: _MonthName, session: Transaction, _: Reader, response: Response
) -> MonthOut:
    """Return what HQ said of a month last, as far as this node has heard, and what is proposed."""
    month = str(closing.month_named(period))
    proposal = await closing.proposal(session, month)
    if proposal is not None:
        response.headers["etag"] = entity_tag(proposal.version)
    return MonthOut.of(month, await closing.last_act(session, month), proposal)


@router.post("/periods/{period}/close", status_code=201, summary="Propose to close a month")
async def propose_close(
    period: _MonthName, desk: AtProposingDesk, body: ProposalIn, response: Response
) -> ProposalOut:
    """Propose that a month and its days be closed; a second person approves."""
    month = closing.month_named(period)
    made = await closing.propose(desk, new_id(), month, Act.CLOSE, body.reason)
    response.headers["etag"] = entity_tag(made.version)
    return ProposalOut.model_validate(made)


@router.post("/periods/{period}/reopen", status_code=201, summary="Propose to reopen a month")
async def propose_reopen(
    period: _MonthName, desk: AtProposingDesk, body: ReasonIn, response: Response
) -> ProposalOut:
    """Propose that a closed month be open again, so that what cities say counts at once; a second person approves."""
    month = closing.month_named(period)
    made = await closing.propose(desk, new_id(), month, Act.REOPEN, body.reason)
    response.headers["etag"] = entity_tag(made.version)
    return ProposalOut.model_validate(made)


@router.post("/periods/{period}/approve", summary="Close or reopen a month as proposed")
async def approve_proposal(
    period: _MonthName, desk: AtDecidingDesk, expected: ExpectedVersion
) -> ProposalOut:
    """Do what somebody else proposed; what is in force at this moment is what a closed month is made of."""
    month = closing.month_named(period)
    return ProposalOut.model_validate(await closing.approve(desk, month, expected))


@router.post("/periods/{period}/reject", summary="Reject what is proposed for a month")
async def reject_proposal(
    period: _MonthName, desk: AtDecidingDesk, expected: ExpectedVersion, body: ReasonIn
) -> ProposalOut:
    """Decide that what somebody else proposed is not done, and say why."""
    month = closing.month_named(period)
    return ProposalOut.model_validate(await closing.reject(desk, month, expected, body.reason))


@router.post("/periods/{period}/withdraw", summary="Take back what one proposed for a month")
async def withdraw_proposal(
    period: _MonthName, desk: AtProposingDesk, expected: ExpectedVersion, body: DecisionIn
) -> ProposalOut:
    """Take back a proposal of one's own before anybody has decided it; it is kept as rejected by its proposer."""
    month = closing.month_named(period)
    return ProposalOut.model_validate(await closing.withdraw(desk, month, expected, body.reason))


@router.get("/restatements", summary="What came after the close", response_model=RestatementPage)
async def list_restatements(
    database: NodeDatabase,
    session: Transaction,
    principal: Reader,
    settings: NodeSettings,
    now: Now,
    page: Page,
    node: Annotated[
        str | None, Query(description="Only of this city.", examples=["440300"])
    ] = None,
    period: Annotated[str | None, Query(description="Only of this month or day.")] = None,
    dataset: Annotated[str | None, Query(description="Only of this dataset.")] = None,
    state: Annotated[RestatementState | None, Query(description="Only of this state.")] = None,
) -> Response:
    """List the revisions that came after their month was closed, those that wait and those that were decided."""
    filters = {
        "within": [city.code for city in cities_of(scope_of(principal, settings.code))],
        "node": node,
        "period": str(Period.parse(period)) if period else None,
        "dataset": dataset,
        "state": state,
    }
    listing = await restatements(session, settings.code, now)
    body = await listing.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.post(
    "/restatements/{id}/approve", summary="Approve a restatement", response_model=RestatementOut
)
async def approve_restatement(
    number: Annotated[int, Path(alias="id", ge=1, le=2**31 - 1)],
    desk: AtRestatementDesk,
    principal: Reader,
    body: DecisionIn,
) -> Response:
    """Let a revision that came after the close count, at its city, its province and HQ."""
    found = await restatement.decide(
        desk, number, scope_of(principal, desk.here), approved=True, reason=body.reason
    )
    return Response(found, media_type="application/json")


@router.post(
    "/restatements/{id}/reject", summary="Reject a restatement", response_model=RestatementOut
)
async def reject_restatement(
    number: Annotated[int, Path(alias="id", ge=1, le=2**31 - 1)],
    desk: AtRestatementDesk,
    principal: Reader,
    body: ReasonIn,
) -> Response:
    """Decide that a revision which came after the close does not count, and tell the city why."""
    found = await restatement.decide(
        desk, number, scope_of(principal, desk.here), approved=False, reason=body.reason
    )
    return Response(found, media_type="application/json")

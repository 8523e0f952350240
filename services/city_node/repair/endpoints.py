"""Repairs over HTTP, for the clerk at the visited node; and how satisfied customers are, at either end."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.repair import repository, satisfaction, visited
from services.city_node.repair.access import Analyst, AtCounter, Reader
from services.city_node.repair.answers import answered
from services.city_node.repair.kind import KIND
from services.city_node.repair.representations import (
    RepairOut,
    RepairPage,
    SatisfactionLine,
    SatisfactionReport,
)
from services.city_node.repair.schemas import RepairCancelIn, RepairIn, SatisfactionIn
from services.city_node.service_request.endpoints import WORD
from services.city_node.service_request.repository import read
from services.city_node.service_request.schemas import DivisionCode
from services.city_node.service_request.service import RequestNotFound
from shared.access import OnceDependency
from shared.kernel.clock import Moment
from shared.kernel.edge import NodeDatabase, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/repairs")
report_router = APIRouter(prefix="/repair-satisfaction")


@router.post(
    "",
    status_code=201,
    summary="Open a repair for another city's customer",
    response_model=RepairOut,
)
async def ask(
    body: RepairIn,
    desk: AtCounter,
    once: OnceDependency,
) -> Response:
    """Open a ticket and ask the customer's home city; the answer comes later, and the trail shows it."""
    request_id = await visited.ask(desk, body)
    return await answered(desk, request_id, once, made_at=router.prefix)


@router.get("", summary="Repairs of this node, at either end", response_model=RepairPage)
async def list_repairs(
    database: NodeDatabase,
    principal: Reader,
    page: Page,
    state: Annotated[
        str | None,
        Query(pattern=WORD, description="State of this end's record.", examples=["agreed"]),
    ] = None,
    role: Annotated[
        Literal["visited", "home"] | None, Query(description="Which end this node is.")
    ] = None,
    home: Annotated[
        DivisionCode | None, Query(description="Division code of the home node.")
    ] = None,
    visited_by: Annotated[
        DivisionCode | None,
        Query(alias="visited", description="Division code of the visited node."),
    ] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="`true`: not ended yet; `false`: ended.")
    ] = None,
    deadline_before: Annotated[
        Moment | None, Query(description="Deadline before that moment.")
    ] = None,
    differs: Annotated[
        bool | None,
        Query(description="Whether the two cities computed different parts for the home city."),
    ] = None,
) -> Response:
    """List the repairs that belong to the caller's units, oldest first unless sorted otherwise."""
    filters = {
        "unit_path": principal.unit_path,
        "kind": KIND.code,
        "state": state,
        "role": role,
        "home": home,
        "visited": visited_by,
        "open": is_open,
        "deadline_before": deadline_before,
        "differs": differs,
    }
    body = await repository.REPAIRS.page(await database.pool(), page, filters)
    return Response(body, media_type="application/json")


@router.get(
    "/{request_id}", summary="A repair with all that belongs to it", response_model=RepairOut
)
async def read_one(
    request_id: UUID,
    database: NodeDatabase,
    principal: Reader,
    fields: Annotated[
        str | None,
        Query(description="Fields to return, separated by commas.", examples=["state,estimates"]),
    ] = None,
) -> Response:
    """Return this end's record: the handset, home's promise, estimates, loans, the outcome and the trail."""
    found = await read(
        await database.pool(),
        request_id,
        unit_path=principal.unit_path,
        kind=KIND.code,
        listing=repository.WHOLE,
        fields=fields,
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    return Response(
        found.json, media_type="application/json", headers={"ETag": entity_tag(found.version)}
    )


@router.post(
    "/{request_id}/cancel",
    summary="Give up before the handset is repaired",
    response_model=RepairOut,
)
async def cancel(
    request_id: UUID,
    body: RepairCancelIn,
    desk: AtCounter,
    once: OnceDependency,
) -> Response:
    """Release the home city's promise: nobody owes anything. A loan handset has to be back first."""
    await visited.cancel(desk, request_id, body.note)
    return await answered(desk, request_id, once)


@router.post(
    "/{request_id}/satisfaction",
    summary="Note how satisfied the customer is",
    response_model=RepairOut,
)
async def rate(
    request_id: UUID,
    body: SatisfactionIn,
    desk: AtCounter,
    once: OnceDependency,
) -> Response:
    """Note the answer once, at pick-up or later; the words go to the home city sealed, and are kept there alone."""
    await satisfaction.rate(desk, request_id, body)
    return await answered(desk, request_id, once)


@report_router.get("", summary="How satisfied customers are with repairs")
async def report(
    database: NodeDatabase,
    principal: Analyst,
    since: Annotated[Moment | None, Query(description="Answers given from that moment.")] = None,
    until: Annotated[Moment | None, Query(description="Answers given before it.")] = None,
) -> SatisfactionReport:
    """Return counts, sums and means by unit, by level, by both and in all, of the caller's units."""
    lines = await repository.satisfaction(
        await database.pool(), principal.unit_path, since=since, until=until
    )
    return SatisfactionReport(items=[SatisfactionLine.model_validate(line) for line in lines])

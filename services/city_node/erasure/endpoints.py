"""Proofs of erasure, and what is due, over HTTP."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.city_node.customer.schemas import Moment
from services.city_node.erasure import service
from services.city_node.erasure.access import ERASE
from services.city_node.erasure.models import ErasureCause
from services.city_node.erasure.problems import ErasureUnknown
from services.city_node.erasure.schemas import DueList, DueOut, ErasureOut, ErasurePage
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.edge import NodeDatabase, Now, Page
from shared.kernel.listing import Listing, Sort

router = APIRouter(prefix="/erasures")

Reader = Annotated[Principal, Depends(require(ERASE))]

LISTING = Listing(
    source="erasure p JOIN customer c ON c.id = p.customer_id JOIN organisation_unit u ON u.code = c.unit_code",
    key=Sort("p.customer_id", "uuid"),
    columns={name: f"p.{name}" for name in ErasureOut.model_fields},
    sorts={"at": Sort("p.at", "timestamptz")},
    filters={
        "scope": "starts_with(u.path, {})",
        "cause": "p.cause = {}",
        "from": "p.at >= {}",
        "before": "p.at < {}",
    },
)


@router.get(
    "", summary="List proofs of erasure", response_model=ErasurePage, response_class=Response
)
async def list_erasures(
    principal: Reader,
    database: NodeDatabase,
    page: Page,
    cause: ErasureCause | None = None,
    at_from: Annotated[Moment | None, Query(description="At this moment or later.")] = None,
    at_before: Annotated[Moment | None, Query(description="Before this moment.")] = None,
) -> Response:
    """Return a page of proofs, the latest first: who was erased by whom, when and why, and no content."""
    filters = {
        "scope": principal.unit_path,
        "cause": cause,
        "from": at_from,
        "before": at_before,
    }
    latest_first = replace(page, sort=page.sort or "-at")
    body = await LISTING.page(await database.pool(), latest_first, filters)
    return Response(body, media_type="application/json")


@router.get("/due", summary="Count the customers who are due for erasure")
async def read_due(principal: Reader, context: Context, now: Now) -> DueList:
    """Return how many customers of the caller's unit the next run would erase, by reason and kind."""
    items = await service.due(
        context.database,
        days=context.settings.retention_days,
        now=now,
        unit_path=principal.unit_path,
    )
    return DueList(items=[DueOut.model_validate(each) for each in items])


@router.get(
    "/{customer_id}",
    summary="Read the proof of an erasure",
    response_model=ErasureOut,
    response_class=Response,
)
async def read_erasure(customer_id: UUID, principal: Reader, database: NodeDatabase) -> Response:
    """Return who erased a customer, when, why, and which classes of data went."""
    pool = await database.pool()
    found: str | None = await pool.fetchval(
        f"SELECT {LISTING.item(None)}::text FROM {LISTING.source} "  # noqa: S608 - declared expressions alone
        "WHERE p.customer_id = $1 AND starts_with(u.path, $2)",
        customer_id,
        principal.unit_path,
    )
    if found is None:
        raise ErasureUnknown(customer=customer_id)
    return Response(found, media_type="application/json")

"""The agreements of a whole unit over HTTP; those of one customer have the form that everything held has."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from services.city_node.agreement.held import agreements, filters
from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.held.endpoints import page_in_scope, page_of
from shared.capability import Context
from shared.kernel.edge import Page

router = APIRouter(prefix="/agreements")


@router.get(
    "",
    summary="List agreements",
    responses=documented(page_of(agreements), 400, 422),
    response_class=Response,
)
async def list_agreements(
    principal: Reader,
    context: Context,
    page: Page,
    asked: Annotated[dict[str, Any], Depends(filters)],
) -> Response:
    """Return a page of the agreements of the caller's unit and those below; `expiring_within=90` for what ends soon."""
    pool = await context.database.pool()
    return Response(await page_in_scope(pool, agreements, principal, page, asked), media_type=JSON)

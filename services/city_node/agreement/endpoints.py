"""The agreements of a whole unit over HTTP; those of one customer have the form that everything held has."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from services.city_node.agreement.held import agreements, filters
from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.held.endpoints import page_in_scope, page_of
from shared.capability import Context
from shared.kernel.edge import Now, Page

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
    now: Now,
    asked: Annotated[dict[str, Any], Depends(filters)],
) -> Response:
    """Return a page of the agreements of the caller's unit and those below; `expiring_within=90` for what ends soon."""
    body = await page_in_scope(
        await context.database.pool(), agreements, principal, naming(page, "customer_id"), asked
    )
    await look_at_list(context, principal, "agreement", body, filters=asked, now=now)
    return Response(body, media_type=JSON)

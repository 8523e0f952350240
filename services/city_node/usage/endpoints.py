"""Usage over HTTP."""

from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.customer import profile
from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.usage import reading
from services.city_node.usage.models import UsageKind
from services.city_node.usage.schemas import UsagePage
from shared.capability import Context
from shared.kernel.edge import Page

router = APIRouter(prefix="/customers/{customer_id}/usage")


@router.get(
    "",
    summary="List the usage of a customer",
    responses=documented(UsagePage, 400, 404, 422),
    response_class=Response,
)
async def list_usage(
    customer_id: UUID,
    principal: Reader,
    context: Context,
    page: Page,
    subscription: UUID | None = None,
    kind: UsageKind | None = None,
    period_from: Annotated[date | None, Query(description="This month or later.")] = None,
    period_before: Annotated[date | None, Query(description="Before this month.")] = None,
) -> Response:
    """Return a page of what a customer's lines used, by month, kind and band of hours, the latest month first."""
    pool = await context.database.pool()
    await profile.require_in_scope(pool, customer_id, principal.unit_path)
    filters = {
        "scope": principal.unit_path,
        "customer": customer_id,
        "subscription": subscription,
        "kind": kind,
        "from": period_from,
        "before": period_before,
    }
    latest_first = replace(page, sort=page.sort or "-period")
    return Response(await reading.usage.page(pool, latest_first, filters), media_type=JSON)

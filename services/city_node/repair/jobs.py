"""The clock's part in repairs: what nobody decides about in time."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.repair import visited
from services.city_node.repair.kind import KIND
from services.city_node.service_request.jobs import expiry
from services.city_node.service_request.models import ServiceRequest
from shared.capability import NodeContext


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, now: datetime
) -> None:
    """End an overdue record; the clock ends none at home, where only the visited node knows how far it is."""
    await visited.expire(context, session, request, now=now)


EXPIRY = expiry(KIND, expire)

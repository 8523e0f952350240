"""The clock's part in card replacements."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.card_replacement import home, visited
from services.city_node.card_replacement.kind import KIND
from services.city_node.service_request.jobs import expiry
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from shared.capability import NodeContext


async def expire(
    context: NodeContext, session: AsyncSession, request: ServiceRequest, now: datetime
) -> None:
    """End an overdue record as its end of the request does."""
    if request.role == Party.VISITED:
        await visited.expire(context, session, request, now=now)
    else:
        await home.expire(context, session, request, now=now)


EXPIRY = expiry(KIND, expire)

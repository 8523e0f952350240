"""What both kinds post: everything about one payment and its reversals stays in one order."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.models import ServiceRequest
from shared.capability import NodeContext
from shared.federation.models import Lane

MEMO = "memo"
"""What a memo is sealed as."""


async def tell(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    type_: str,
    data: Mapping[str, Any],
    *,
    payment_id: UUID,
    now: datetime,
) -> None:
    """Post a message to the home city; it never loses its use, so it has no deadline."""
    await context.post.post(
        session,
        type_,
        request.home,
        {"request_id": str(request.id), **data},
        lane=Lane.REQUEST,
        partition_key=str(payment_id),
        now=now,
        subject=f"{request.kind}/{request.id}",
        correlation_id=request.id,
    )

"""How a change of a repair is answered."""

from uuid import UUID

from fastapi import Response

from services.city_node.repair.counter import Counter
from services.city_node.repair.kind import KIND
from services.city_node.repair.repository import WHOLE
from services.city_node.service_request import answers
from shared.access import OnceDependency


async def answered(
    desk: Counter, request_id: UUID, once: OnceDependency, *, made_at: str | None = None
) -> Response:
    """Return the whole of this end's record, as the transaction will leave it."""
    return await answers.answered(
        desk.session, desk.principal, once, request_id, kind=KIND, listing=WHOLE, made_at=made_at
    )

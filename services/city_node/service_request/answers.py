"""How a change of a request is answered: with the whole of this end's record, as the transaction will leave it."""

from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.kind import Kind
from services.city_node.service_request.repository import read
from services.city_node.service_request.service import RequestNotFound
from shared.access import OnceDependency, Principal
from shared.kernel.database import driver_connection
from shared.kernel.listing import Listing
from shared.kernel.preconditions import entity_tag


async def answered(
    session: AsyncSession,
    principal: Principal,
    once: OnceDependency,
    request_id: UUID,
    *,
    kind: Kind,
    listing: Listing,
    made_at: str | None = None,
) -> Response:
    """Return the answer, the same to whoever repeats the request.

    Args:
        session: the transaction.
        principal: who changed it.
        once: what keeps the answer.
        request_id: the request.
        kind: of request.
        listing: what is shown of it.
        made_at: the path of its kind, if it was made just now: then the answer is 201.

    Raises:
        RequestNotFound: if there is no such request of that kind in the caller's units (404).
    """
    await session.flush()  # the statement below goes past the session
    found = await read(
        await driver_connection(session),
        request_id,
        unit_path=principal.unit_path,
        kind=kind.code,
        listing=listing,
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    tag = entity_tag(found.version)
    if made_at is None:
        return await once.answer(200, found.json, ETag=tag)
    return await once.answer(201, found.json, ETag=tag, Location=f"{made_at}/{request_id}")

"""How a change of a repair is answered: with the whole of this end's record, as the transaction will leave it."""

from uuid import UUID

from fastapi import Response

from services.city_node.repair.counter import Counter
from services.city_node.repair.kind import KIND
from services.city_node.repair.repository import WHOLE
from services.city_node.service_request.repository import read
from services.city_node.service_request.service import RequestNotFound
from shared.access import OnceDependency
from shared.kernel.database import driver_connection
from shared.kernel.preconditions import entity_tag


async def answered(
    desk: Counter,
    request_id: UUID,
    once: OnceDependency,
    *,
    status: int = 200,
) -> Response:
    """Return the answer, the same to whoever repeats the request."""
    await desk.session.flush()  # the statement below goes past the session
    found = await read(
        await driver_connection(desk.session),
        request_id,
        unit_path=desk.principal.unit_path,
        kind=KIND.code,
        listing=WHOLE,
    )
    if found is None:
        raise RequestNotFound(id=request_id)
    headers = {"ETag": entity_tag(found.version)}
    if status == 201:  # noqa: PLR2004 - Created (RFC 9110, 15.3.2)
        headers["Location"] = f"/repairs/{request_id}"
    return await once.answer(status, found.json, **headers)

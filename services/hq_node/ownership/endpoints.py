"""The directory over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from services.hq_node.ownership import repository
from services.hq_node.ownership.problems import OwnershipNeverMoved
from services.hq_node.ownership.schemas import OwnershipOut
from shared.access import Principal, require
from shared.kernel.edge import NodeDatabase

router = APIRouter(prefix="/ownership")

READ = "ownership:read"


@router.get(
    "/{customer_id}",
    summary="Whose a customer is, and was",
    response_model=OwnershipOut,
    response_class=Response,
)
async def read_ownership(
    customer_id: UUID, database: NodeDatabase, _: Annotated[Principal, Depends(require(READ))]
) -> Response:
    """Return the owner by the directory, with every move; an id is all that HQ knows of the customer."""
    found = await repository.read(await database.pool(), customer_id)
    if found is None:
        raise OwnershipNeverMoved(customer=customer_id)
    return Response(found, media_type="application/json")

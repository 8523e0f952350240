"""Enterprises and industries over HTTP."""

from uuid import UUID

import orjson
from fastapi import APIRouter, Response

from services.city_node.customer import profile
from services.city_node.customer.access import AtDesk, Reader
from services.city_node.customer.answers import documented, profile_response, reading_for
from services.city_node.customer.looks import look
from services.city_node.customer.privacy import seen, sight_of
from services.city_node.group.enterprise import enterprise_part, write_enterprise
from services.city_node.group.problems import EnterpriseUnknown
from services.city_node.group.schemas import EnterpriseOut, EnterpriseWrite, IndustryList
from shared.access import Principal
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now
from shared.statistics.industry import industries

router = APIRouter()


@router.get(
    "/customers/{customer_id}/enterprise",
    summary="Read a group's enterprise",
    responses=documented(EnterpriseOut, 404, 422),
    response_class=Response,
)
async def read_enterprise(
    customer_id: UUID, principal: Reader, context: Context, now: Now
) -> Response:
    """Return what is known of a group; the ETag is the customer's."""
    pool = await context.database.pool()
    read = await profile.read(pool, _reading(principal), customer_id, principal.unit_path)
    shown = seen(enterprise_part.name, enterprise_part.sql, sight_of(principal))
    await look(context, principal, customer_id, [shown], now=now)
    return _answer(customer_id, read)


@router.put(
    "/customers/{customer_id}/enterprise",
    summary="Replace a group's enterprise",
    responses=documented(EnterpriseOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def put_enterprise(
    customer_id: UUID, desk: AtDesk, expected: ExpectedVersion, body: EnterpriseWrite
) -> Response:
    """Replace what is known of a group, against the customer's ETag."""
    await write_enterprise(desk, customer_id, expected, body)
    connection = await driver_connection(desk.session)
    reading = _reading(desk.principal)
    read = await profile.read(connection, reading, customer_id, desk.principal.unit_path)
    return _answer(customer_id, read)


def _reading(principal: Principal) -> profile.Reading:
    return reading_for(principal, "id", enterprise_part.name, (enterprise_part,))


def _answer(customer_id: UUID, read: tuple[int, str]) -> Response:
    version, body = read
    enterprise = orjson.loads(body)[enterprise_part.name]
    if enterprise is None:
        raise EnterpriseUnknown(customer=customer_id)
    return profile_response(version, orjson.dumps(enterprise))


@router.get("/industries", summary="List industries")
async def list_industries(_: Reader) -> IndustryList:
    """Return the sections and divisions of GB/T 4754-2017."""
    return IndustryList.model_validate({"items": industries()})

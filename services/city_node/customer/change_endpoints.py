"""Changing customers over HTTP. Each change is one transaction, committed before the answer.

What is asked for most, a change of the profile, is a hot write, and most of those are one statement, which is a
transaction by itself; the rest goes through a session.
"""

from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response

from services.city_node.customer import holdings, lifecycle, service
from services.city_node.customer.access import AtDesk, Writer
from services.city_node.customer.answers import (
    JSON,
    after_change,
    documented,
    profile_response,
    reading_for,
)
from services.city_node.customer.changing import Change
from services.city_node.customer.representations import CustomerOut
from services.city_node.customer.review import review_offered
from services.city_node.customer.schemas import (
    ContactCreate,
    CustomerCreate,
    CustomerPatch,
    Departure,
    SubscriptionCreate,
    SubscriptionPatch,
)
from shared.access import OnceDependency
from shared.kernel.edge import ExpectedVersion, database_of
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/customers")


@router.post(
    "",
    status_code=201,
    summary="Make a customer",
    responses=documented(CustomerOut, 409, 422, status=201),
    response_class=Response,
)
async def create_customer(desk: AtDesk, body: CustomerCreate) -> Response:
    """Make a customer of the in-network library."""
    customer_id = await service.create_customer(desk, body)
    return _created(await after_change(desk, customer_id), f"/customers/{customer_id}")


@router.patch(
    "/{customer_id}",
    summary="Change a customer",
    responses={
        **documented(CustomerOut, 400, 404, 409, 412, 422, 428),
        202: {"model": CustomerOut, "description": "Sensitive fields wait for a second person."},
    },
    response_class=Response,
)
async def change_customer(
    request: Request,
    customer_id: UUID,
    author: Writer,
    expected: ExpectedVersion,
    body: CustomerPatch,
) -> Response:
    """Merge a JSON merge patch (RFC 7396) into a customer; a patch that changes nothing makes no version.

    If it changes sensitive fields, those become a proposal that a second person approves or rejects: the answer is
    202 with the profile as it is now, `proposal_id`, and the proposal's address in `Location`. The other fields take
    effect at once.
    """
    review, how = review_offered(request), reading_for(author.principal)
    change = Change(author, customer_id, expected, body, review, how)
    async with database_of(request).writer() as connection:
        changed = await change.at_once(connection)
        if changed is None:
            async with connection.transaction():
                changed = await change.make(connection)
    if changed.proposal_id is None:
        return profile_response(changed.version, changed.shown)
    profile = {**orjson.loads(changed.shown), "proposal_id": changed.proposal_id}
    location = f"{review.path}/{changed.proposal_id}"
    headers = {"location": location, "etag": entity_tag(changed.version)}
    return Response(orjson.dumps(profile), 202, headers, media_type=JSON)


@router.post(
    "/{customer_id}/retire",
    summary="Move a customer who leaves to the retained library",
    responses=documented(CustomerOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def retire_customer(
    customer_id: UUID, desk: AtDesk, expected: ExpectedVersion, body: Departure
) -> Response:
    """Note why, when and where a customer went, and end the customer's lines and SIMs; the profile is kept whole."""
    await lifecycle.retire(desk, customer_id, expected, body)
    return await after_change(desk, customer_id)


@router.post(
    "/{customer_id}/restore",
    summary="Bring a retained customer back",
    responses=documented(CustomerOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def restore_customer(customer_id: UUID, desk: AtDesk, expected: ExpectedVersion) -> Response:
    """Move a customer back to the in-network library; ended lines stay ended."""
    await lifecycle.restore(desk, customer_id, expected)
    return await after_change(desk, customer_id)


@router.post(
    "/{customer_id}/subscriptions",
    status_code=201,
    summary="Give a customer a line",
    responses=documented(CustomerOut, 400, 404, 409, 422, status=201),
    response_class=Response,
)
async def subscribe(
    customer_id: UUID, desk: AtDesk, once: OnceDependency, body: SubscriptionCreate
) -> Response:
    """Give a customer a line, with its SIM if the card is at hand; takes effect once for each `Idempotency-Key`."""
    await holdings.subscribe(desk, customer_id, body)
    changed = await after_change(desk, customer_id)
    headers = {
        "location": f"/customers/{customer_id}/subscriptions",
        "etag": changed.headers["etag"],
    }
    return await once.answer(201, changed.body, **headers)


@router.patch(
    "/{customer_id}/subscriptions/{subscription_id}",
    summary="Change a customer's line",
    responses=documented(CustomerOut, 400, 404, 412, 422, 428),
    response_class=Response,
)
async def change_subscription(
    customer_id: UUID,
    subscription_id: UUID,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: SubscriptionPatch,
) -> Response:
    """Merge a JSON merge patch (RFC 7396) into a line, against the customer's ETag."""
    await holdings.change_subscription(desk, customer_id, subscription_id, expected, body)
    return await after_change(desk, customer_id)


@router.post(
    "/{customer_id}/contacts",
    status_code=201,
    summary="Note a way to reach a customer",
    responses=documented(CustomerOut, 404, 409, 422, status=201),
    response_class=Response,
)
async def add_contact(customer_id: UUID, desk: AtDesk, body: ContactCreate) -> Response:
    """Note a telephone number, an e-mail or a postal address."""
    await holdings.add_contact(desk, customer_id, body)
    return _created(
        await after_change(desk, customer_id), f"/customers/{customer_id}?include=contacts"
    )


def _created(response: Response, location: str) -> Response:
    response.status_code = 201
    response.headers["location"] = location
    return response

"""How customers are answered: bytes as PostgreSQL made them, with their entity tag, and how that is documented."""

from functools import lru_cache
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel

from services.city_node.customer import profile
from services.city_node.customer.parts import Part
from services.city_node.customer.privacy import sight_of
from services.city_node.customer.service import Desk
from shared.access import Principal
from shared.kernel.database import driver_connection
from shared.kernel.preconditions import entity_tag

JSON = "application/json"
_NOT_MODIFIED, _NOT_FOUND, _GONE = 304, 404, 410
_PROBLEMS = {
    _NOT_MODIFIED: "Not changed since the ETag of `If-None-Match`.",
    400: "The query or a header is malformed.",
    401: "Not signed in.",
    403: "The permission is missing.",
    404: "No such customer within the caller's unit.",
    409: "It contradicts what is there: a number in use, or the wrong library.",
    410: "The customer was erased, or merged into another: `survivor` names it.",
    412: "Changed since the ETag of `If-Match`.",
    422: "The input is invalid; `errors` names each place.",
    428: "`If-Match` is missing.",
}


def documented(
    model: type[BaseModel], *problems: int, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of an endpoint that answers with ready JSON of ``model``."""
    answers: dict[int | str, dict[str, Any]] = {status: {"model": model}}
    for code in (401, 403, *problems, *((_GONE,) if _NOT_FOUND in problems else ())):
        answers[code] = {"description": _PROBLEMS[code]}
        if code != _NOT_MODIFIED:
            answers[code]["content"] = {"application/problem+json": {}}
    return answers


def parts_offered(request: Request) -> tuple[Part, ...]:
    """Return the parts that a customer's page has on this node: this package's, and those of other capabilities."""
    offers: tuple[object, ...] = request.app.state.offers
    return _parts_among(offers)


@lru_cache
def _parts_among(offers: tuple[object, ...]) -> tuple[Part, ...]:
    return (*profile.OWN_PARTS, *(offer for offer in offers if isinstance(offer, Part)))


def reading_for(
    principal: Principal,
    fields: str | None = None,
    include: str | None = None,
    parts: tuple[Part, ...] = profile.OWN_PARTS,
) -> profile.Reading:
    """Return how ``principal`` reads a customer."""
    return profile.reading(fields, include, sight_of(principal), parts)


def profile_response(version: int, body: str | bytes, if_none_match: str | None = None) -> Response:
    """Return a customer, or 304 if the caller has that version."""
    tag = entity_tag(version)
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if if_none_match is not None and (
        if_none_match == "*"
        or tag in [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    ):
        return Response(status_code=_NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


async def after_change(desk: Desk, customer_id: UUID) -> Response:
    """Return the customer as the change of this transaction leaves it."""
    connection = await driver_connection(desk.session)
    version, body = await profile.read(
        connection, reading_for(desk.principal), customer_id, desk.principal.unit_path
    )
    return profile_response(version, body)

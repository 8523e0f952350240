"""Queries over HTTP."""

from fastapi import APIRouter, Response

from services.city_node.customer.access import Reader
from services.city_node.query import service
from services.city_node.query.schemas import (
    CatalogueOut,
    ConditionIn,
    ConditionOut,
    QueryIn,
    QueryPage,
)
from services.city_node.query.selection import read_condition
from services.city_node.query.writing import to_json, to_text
from shared.capability import Context
from shared.kernel.edge import Now, Speech
from shared.work.service import requester_of

router = APIRouter(prefix="/customers/query")


@router.post(
    "",
    summary="Query customers",
    responses={200: {"model": QueryPage}},
    response_class=Response,
)
async def query_customers(body: QueryIn, principal: Reader, context: Context, now: Now) -> Response:
    """Return a page of the customers of the caller's unit and those below that meet a condition, of both libraries."""
    page = await service.query(context, body, requester_of(principal), principal.unit_path, now=now)
    return Response(page, media_type="application/json")


@router.get("/fields", summary="List what conditions may ask about")
async def list_fields(principal: Reader, language: Speech) -> CatalogueOut:
    """Return every field, relation and measure with its type, unit, operators and name, for user interfaces."""
    return service.describe(language, principal.permissions)


@router.post("/read", summary="Read a condition")
async def read(body: ConditionIn, principal: Reader) -> ConditionOut:
    """Check a condition in either form, and return it in both."""
    condition = read_condition(body.condition, permissions=principal.permissions)
    return ConditionOut(text=to_text(condition), form=to_json(condition))

"""Completeness over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.city_node.completeness import repository
from services.city_node.completeness.access import MaySetWeights
from services.city_node.completeness.elements import ElementCode
from services.city_node.completeness.schemas import (
    RuleOut,
    RulePage,
    ScorePage,
    WeightSet,
)
from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.models import CustomerKind, Level, Library
from services.city_node.customer.schemas import Code
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter()
_Score = Annotated[int | None, Query(ge=0, le=100)]


@router.get(
    "/customer-completeness",
    summary="List customers by completeness",
    responses=documented(ScorePage, 400, 422),
    response_class=Response,
)
async def list_scores(
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    library: Library | None = None,
    kind: CustomerKind | None = None,
    level: Level | None = None,
    unit: Code | None = None,
    manager: UUID | None = None,
    missing: Annotated[ElementCode | None, Query(description="Who lacks this element.")] = None,
    min_score: _Score = None,
    max_score: _Score = None,
) -> Response:
    """Return a page of the customers of the caller's unit and those below, the least complete first.

    Sorts: `score`, `monthly_charge_fen`; `-` before one for descending.
    """
    filters = {
        "scope": principal.unit_path,
        "library": library,
        "kind": kind,
        "level": level,
        "unit": unit,
        "manager": manager,
        "missing": missing,
        "min_score": min_score,
        "max_score": max_score,
    }
    pool = await context.database.pool()
    body = await repository.scores.page(pool, naming(page, "customer_id"), filters)
    await look_at_list(context, principal, "customer_completeness", body, filters=filters, now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/completeness-rules",
    summary="List what elements weigh",
    responses=documented(RulePage, 400, 422),
    response_class=Response,
)
async def list_rules(
    principal: Reader,  # noqa: ARG001 - a permission, and the rules are the same for everybody
    context: Context,
    page: Page,
    kind: CustomerKind | None = None,
    level: Level | None = None,
    element: ElementCode | None = None,
) -> Response:
    """Return the rules by which completeness is computed on this node."""
    filters = {"kind": kind, "level": level, "element": element}
    pool = await context.database.pool()
    return Response(await repository.rules.page(pool, page, filters), media_type=JSON)


@router.put(
    "/completeness-rules/{kind}/{level}/{element}",
    summary="Say what an element weighs",
    responses=documented(RuleOut, 400, 412, 422, 428),
)
async def set_weight(
    kind: CustomerKind,
    level: Level,
    element: ElementCode,
    principal: MaySetWeights,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
    body: WeightSet,
    response: Response,
) -> RuleOut:
    """Say what an element weighs from now on: pages show it at once, lists from the next morning."""
    row = await repository.set_weight(
        session,
        (kind, level, element.value),
        body.weight,
        expected=expected,
        now=now,
        by=principal.username,
    )
    response.headers["etag"] = entity_tag(row.version)
    return RuleOut.model_validate(row, from_attributes=True)

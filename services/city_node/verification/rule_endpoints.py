"""The rules of verification over HTTP."""

from fastapi import APIRouter, Response

from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.models import Level
from services.city_node.verification.access import MaySetRules
from services.city_node.verification.plan import set_days
from services.city_node.verification.reading import rules
from services.city_node.verification.schemas import DaysSet, RuleOut, RulePage
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/verification-rules")


@router.get(
    "",
    summary="List after how many days profiles are stale",
    responses=documented(RulePage, 400, 422),
    response_class=Response,
)
async def list_rules(
    principal: Reader,  # noqa: ARG001 - a permission, and the rules are the same for everybody
    context: Context,
    page: Page,
) -> Response:
    """Return the rules by which tasks are planned on this node."""
    return Response(await rules.page(await context.database.pool(), page, {}), media_type=JSON)


@router.put(
    "/{level}",
    summary="Say after how many days a profile is stale",
    responses=documented(RuleOut, 400, 412, 422, 428),
)
async def set_rule(  # noqa: PLR0917 - FastAPI calls it by name
    level: Level,
    principal: MaySetRules,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
    body: DaysSet,
    response: Response,
) -> RuleOut:
    """Say after how many days profiles of a level are stale, from the next plan on."""
    row = await set_days(
        session, level, body.days, expected=expected, now=now, by=principal.username
    )
    response.headers["etag"] = entity_tag(row.version)
    return RuleOut.model_validate(row, from_attributes=True)

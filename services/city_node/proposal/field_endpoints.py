"""The list of sensitive fields over HTTP."""

from fastapi import APIRouter, Response

from services.city_node.customer.access import Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.models import CustomerKind
from services.city_node.proposal.access import MaySetFields
from services.city_node.proposal.models import SensitiveName
from services.city_node.proposal.schemas import (
    SensitiveFieldOut,
    SensitiveFieldPage,
    SensitiveFieldSet,
)
from services.city_node.proposal.sensitive import fields, set_field
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, Now, Page, Transaction
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/sensitive-fields")


@router.get(
    "",
    summary="List the fields that may be sensitive",
    responses=documented(SensitiveFieldPage, 400, 422),
    response_class=Response,
)
async def list_sensitive_fields(
    principal: Reader,  # noqa: ARG001 - a permission, and the list is the same for everybody
    context: Context,
    page: Page,
    kind: CustomerKind | None = None,
) -> Response:
    """Return which fields of customers need a second person on this node."""
    pool = await context.database.pool()
    return Response(await fields.page(pool, page, {"kind": kind}), media_type=JSON)


@router.put(
    "/{kind}/{field}",
    summary="Say whether a field is sensitive",
    responses=documented(SensitiveFieldOut, 400, 412, 422, 428),
)
async def set_sensitive_field(  # noqa: PLR0917 - FastAPI calls it by name
    kind: CustomerKind,
    field: SensitiveName,
    principal: MaySetFields,
    session: Transaction,
    now: Now,
    expected: ExpectedVersion,
    body: SensitiveFieldSet,
    response: Response,
) -> SensitiveFieldOut:
    """Say whether changes of a field need a second person from now on."""
    set_to = await set_field(
        session,
        (kind, field),
        sensitive=body.sensitive,
        expected=expected,
        now=now,
        by=principal.username,
    )
    answer = SensitiveFieldOut.model_validate(set_to)
    response.headers["etag"] = entity_tag(answer.version)
    return answer

"""Candidates over HTTP."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Response

from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.models import CustomerKind
from services.city_node.customer.privacy import sight_of, visible_columns
from services.city_node.duplicate import repository, service
from services.city_node.duplicate.models import CandidateState
from services.city_node.duplicate.problems import CandidateNotFound
from services.city_node.duplicate.schemas import CandidateOut, CandidatePage, Dismissal
from services.city_node.merge import repository as merges
from services.city_node.merge.access import AtMergingDesk, MayMerge
from services.city_node.merge.problems import MergeNotFound
from services.city_node.merge.schemas import MergeCreate, MergeOut
from shared.access import OnceDependency, Principal
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/duplicate-candidates")
_PAIR = ("left.id", "right.id")


@router.get(
    "",
    summary="List candidates",
    responses=documented(CandidatePage, 400, 422),
    response_class=Response,
)
async def list_candidates(
    principal: MayMerge,
    context: Context,
    page: Page,
    now: Now,
    state: CandidateState = CandidateState.OPEN,
    customer: Annotated[UUID | None, Query(description="Pairs with this customer.")] = None,
    kind: CustomerKind | None = None,
    min_score: Annotated[int | None, Query(ge=0, le=100)] = None,
) -> Response:
    """Return a page of pairs that may be of one customer, of the caller's unit and those below, the likeliest first."""
    filters = {
        "scope": principal.unit_path,
        "state": state,
        "customer": customer,
        "kind": kind,
        "min_score": min_score,
    }
    likeliest_first = replace(naming(page, "left", "right"), sort=page.sort or "-score")
    pool = await context.database.pool()
    body = await repository.candidates.page(
        pool, likeliest_first, filters, columns=_columns(principal)
    )
    await look_at_list(
        context, principal, "duplicate_candidate", body, whose=_PAIR, filters=filters, now=now
    )
    return Response(body, media_type=JSON)


@router.get(
    "/{candidate_id}",
    summary="Read a candidate",
    responses=documented(CandidateOut, 404, 422),
    response_class=Response,
)
async def read_candidate(
    candidate_id: UUID, principal: MayMerge, context: Context, now: Now
) -> Response:
    """Return one pair, with why it is one."""
    answer = await _read(await context.database.pool(), principal, candidate_id)
    await look_at_list(
        context, principal, "duplicate_candidate", bytes(answer.body), whose=_PAIR, now=now
    )
    return answer


@router.post(
    "/{candidate_id}/dismiss",
    summary="Dismiss a candidate",
    responses=documented(CandidateOut, 400, 404, 409, 412, 422, 428),
    response_class=Response,
)
async def dismiss_candidate(
    candidate_id: UUID, desk: AtMergingDesk, expected: ExpectedVersion, body: Dismissal
) -> Response:
    """Note why the two are two customers; the pair is found again only when what was compared changes."""
    await service.dismiss(desk, candidate_id, expected, body)
    return await _read(await driver_connection(desk.session), desk.principal, candidate_id)


@router.post(
    "/{candidate_id}/merge",
    status_code=201,
    summary="Merge the two profiles of a candidate",
    responses=documented(MergeOut, 400, 404, 409, 412, 422, 428, status=201),
    response_class=Response,
)
async def merge_candidate(
    candidate_id: UUID,
    desk: AtMergingDesk,
    once: OnceDependency,
    expected: ExpectedVersion,
    body: MergeCreate,
) -> Response:
    """Merge as `POST /customer-merges` does; takes effect once for each `Idempotency-Key`."""
    merge_id = await service.merge(desk, candidate_id, expected, body)
    connection = await driver_connection(desk.session)
    scope = {"scope": desk.principal.unit_path, "id": merge_id}
    found = await merges.merges.one(connection, scope)
    if found is None:
        raise MergeNotFound(merge=merge_id)
    return await once.answer(201, found, location=f"/customer-merges/{merge_id}")


def _columns(principal: Principal) -> dict[str, str]:
    return visible_columns(repository.candidates.columns, sight_of(principal))


async def _read(
    connection: asyncpg.Connection | asyncpg.Pool, principal: Principal, candidate_id: UUID
) -> Response:
    scope = {"scope": principal.unit_path, "id": candidate_id}
    found = await repository.candidates.one(connection, scope, columns=_columns(principal))
    if found is None:
        raise CandidateNotFound(candidate=candidate_id)
    version = CandidateOut.model_validate_json(found).version
    return Response(found, media_type=JSON, headers={"etag": entity_tag(version)})

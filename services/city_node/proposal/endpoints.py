"""Proposals over HTTP."""

from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query, Response

from services.city_node.customer.access import AtDesk, Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.customer.privacy import sight_of, visible_columns
from services.city_node.customer.schemas import Line
from services.city_node.customer.service import Desk
from services.city_node.proposal import service
from services.city_node.proposal.access import AtApprovingDesk
from services.city_node.proposal.models import ProposalState
from services.city_node.proposal.problems import ProposalNotFound
from services.city_node.proposal.reading import proposals
from services.city_node.proposal.schemas import ProposalOut, ProposalPage, Rejection
from shared.access import Principal
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import ExpectedVersion, Now, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix=service.PATH)
_DECIDING = documented(ProposalOut, 400, 404, 409, 412, 422, 428)


@router.get(
    "",
    summary="List proposals",
    responses=documented(ProposalPage, 400, 422),
    response_class=Response,
)
async def list_proposals(
    principal: Reader,
    context: Context,
    page: Page,
    now: Now,
    state: ProposalState | None = None,
    customer: UUID | None = None,
    proposer: Annotated[Line | None, Query(description="Username of who proposed.")] = None,
) -> Response:
    """Return a page of the proposals about customers of the caller's unit and those below, the oldest first."""
    filters = {
        "scope": principal.unit_path,
        "state": state,
        "customer": customer,
        "proposer": proposer,
    }
    pool = await context.database.pool()
    columns = visible_columns(proposals.columns, sight_of(principal))
    body = await proposals.page(pool, naming(page, "customer_id"), filters, columns=columns)
    await look_at_list(context, principal, "customer_proposal", body, filters=filters, now=now)
    return Response(body, media_type=JSON)


@router.get(
    "/{proposal_id}",
    summary="Read a proposal",
    responses=documented(ProposalOut, 404, 422),
    response_class=Response,
)
async def read_proposal(
    proposal_id: UUID, principal: Reader, context: Context, now: Now
) -> Response:
    """Return one proposal, document numbers masked."""
    answer = await _read(await context.database.pool(), principal, proposal_id)
    await look_at_list(context, principal, "customer_proposal", bytes(answer.body), now=now)
    return answer


@router.post(
    "/{proposal_id}/approve",
    summary="Approve a proposal",
    responses=_DECIDING,
    response_class=Response,
)
async def approve_proposal(
    proposal_id: UUID, desk: AtApprovingDesk, expected: ExpectedVersion
) -> Response:
    """Let it take effect, as somebody else than the proposer, against the proposal's ETag."""
    await service.approve(desk, proposal_id, expected)
    return await _after(desk, proposal_id)


@router.post(
    "/{proposal_id}/reject",
    summary="Reject a proposal",
    responses=_DECIDING,
    response_class=Response,
)
async def reject_proposal(
    proposal_id: UUID, desk: AtApprovingDesk, expected: ExpectedVersion, body: Rejection
) -> Response:
    """Decide that it does not take effect, and say why."""
    await service.reject(desk, proposal_id, expected, body.reason)
    return await _after(desk, proposal_id)


@router.post(
    "/{proposal_id}/withdraw",
    summary="Withdraw a proposal of one's own",
    responses=_DECIDING,
    response_class=Response,
)
async def withdraw_proposal(proposal_id: UUID, desk: AtDesk, expected: ExpectedVersion) -> Response:
    """Take it back before it is decided."""
    await service.withdraw(desk, proposal_id, expected)
    return await _after(desk, proposal_id)


async def _after(desk: Desk, proposal_id: UUID) -> Response:
    return await _read(await driver_connection(desk.session), desk.principal, proposal_id)


async def _read(
    connection: asyncpg.Connection | asyncpg.Pool, principal: Principal, proposal_id: UUID
) -> Response:
    scope = {"scope": principal.unit_path, "id": proposal_id}
    columns = visible_columns(proposals.columns, sight_of(principal))
    found = await proposals.one(connection, scope, columns=columns)
    if found is None:
        raise ProposalNotFound(proposal=proposal_id)
    version = ProposalOut.model_validate_json(found).version
    return Response(found, media_type=JSON, headers={"etag": entity_tag(version)})

"""Drafts of policies over HTTP."""

from dataclasses import replace
from uuid import UUID

from fastapi import APIRouter, Response

from shared.access import OnceDependency
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Page, Speech, Transaction
from shared.kernel.ids import new_id
from shared.kernel.preconditions import entity_tag
from shared.policy import drafting, repository
from shared.policy.access import AtDraftingDesk, AtPublishingDesk, Kind, Reader
from shared.policy.draft_schemas import (
    DifferenceOut,
    DraftOut,
    DraftPage,
    NewDraft,
    PreviewOut,
    Rejection,
    SetAsideOut,
)
from shared.policy.models import DraftState, PolicyDraft
from shared.policy.preview import preview
from shared.policy.schemas import InForceOut, LayerOut

router = APIRouter(prefix="/policies/{kind}/drafts")


def _answer(response: Response, draft: PolicyDraft) -> DraftOut:
    response.headers["etag"] = entity_tag(draft.version)
    return DraftOut.of(draft)


@router.post("", status_code=201, summary="Draft a policy", response_model=DraftOut)
async def create_draft(desk: AtDraftingDesk, once: OnceDependency, body: NewDraft) -> Response:
    """Keep what this node is to publish, for a second person; it is checked now and again when it is published."""
    draft = await drafting.draft(desk, new_id(), body)
    place = f"/policies/{desk.kind.name}/drafts/{draft.id}"
    shown = DraftOut.of(draft).model_dump_json().encode()
    return await once.answer(201, shown, location=place, etag=entity_tag(draft.version))


@router.get("", summary="List drafts", response_model=DraftPage, response_class=Response)
async def list_drafts(
    _: Reader,
    kind: Kind,
    database: NodeDatabase,
    page: Page,
    state: DraftState | None = None,
) -> Response:
    """Return a page of this node's drafts, the latest first."""
    filters = {"kind": kind.name, "state": state}
    latest_first = replace(page, sort=page.sort or "-drafted_at")
    body = await repository.DRAFTS.page(await database.pool(), latest_first, filters)
    return Response(body, media_type="application/json")


@router.get("/{draft_id}", summary="Read a draft")
async def read_draft(
    _: Reader,
    kind: Kind,
    draft_id: UUID,
    session: Transaction,
    response: Response,
) -> DraftOut:
    """Return a draft, whole."""
    return _answer(response, await repository.draft(session, draft_id, kind.name))


@router.get("/{draft_id}/preview", summary="What a draft would do")
async def preview_draft(draft_id: UUID, desk: AtDraftingDesk, language: Speech) -> PreviewOut:
    """Return the document that would be in force, how it differs, and which overrides below it would set aside."""
    given = drafting.given_in(await repository.draft(desk.session, draft_id, desk.kind.name))
    found = await preview(desk, given)
    return PreviewOut(
        in_force=InForceOut.of(found.found, desk.here, found.on, language),
        differences=[DifferenceOut.of(each) for each in found.changed],
        sets_aside=[
            SetAsideOut(node=node, layer=LayerOut.of(layer, language))
            for node, layer in found.sets_aside
        ],
        set_aside_from=found.set_aside_from,
    )


@router.put("/{draft_id}", summary="Change a draft")
async def revise_draft(
    draft_id: UUID,
    desk: AtDraftingDesk,
    expected: ExpectedVersion,
    body: NewDraft,
    response: Response,
) -> DraftOut:
    """Put another draft in the place of one's own."""
    return _answer(response, await drafting.revise(desk, draft_id, expected, body))


@router.post("/{draft_id}/reject", summary="Reject a draft")
async def reject_draft(
    draft_id: UUID,
    desk: AtPublishingDesk,
    expected: ExpectedVersion,
    body: Rejection,
    response: Response,
) -> DraftOut:
    """Decide that somebody else's draft is not published, and say why."""
    found = await drafting.reject(desk, draft_id, expected, body.reason)
    return _answer(response, found)


@router.post("/{draft_id}/withdraw", summary="Take a draft back")
async def withdraw_draft(
    draft_id: UUID,
    desk: AtDraftingDesk,
    expected: ExpectedVersion,
    response: Response,
) -> DraftOut:
    """Take one's own draft back before it is decided."""
    return _answer(response, await drafting.take_back(desk, draft_id, expected))

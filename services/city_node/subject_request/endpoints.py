"""People's requests over HTTP."""

from dataclasses import replace
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from services.city_node.customer.access import AtDesk
from services.city_node.customer.looks import look_at_list, naming
from services.city_node.erasure.access import ERASE
from services.city_node.subject_request import repository, service
from services.city_node.subject_request.access import EXPORT, REQUEST
from services.city_node.subject_request.exporting import export
from services.city_node.subject_request.kind import REFUSALS
from services.city_node.subject_request.models import SubjectRequest, SubjectRequestKind
from services.city_node.subject_request.problems import not_found
from services.city_node.subject_request.schemas import (
    Note,
    Refusal,
    RefusalList,
    RefusalOut,
    SubjectRequestCreate,
    SubjectRequestOut,
    SubjectRequestPage,
    SubjectRequestWithTrail,
    Verification,
)
from shared.access import OnceDependency, Principal, require
from shared.capability import Context
from shared.kernel.edge import ExpectedVersion, NodeSettings, Now, Page
from shared.kernel.preconditions import entity_tag

router = APIRouter(prefix="/subject-requests")

Handler = Annotated[Principal, Depends(require(REQUEST))]
Eraser = Annotated[Principal, Depends(require(ERASE))]
Exporter = Annotated[Principal, Depends(require(EXPORT))]

WORD = r"^[a-z][a-z_]{0,60}$"


@router.get(
    "",
    summary="List people's requests",
    response_model=SubjectRequestPage,
    response_class=Response,
)
async def list_requests(
    handler: Handler,
    context: Context,
    page: Page,
    now: Now,
    customer: UUID | None = None,
    kind: SubjectRequestKind | None = None,
    state: Annotated[str | None, Query(pattern=WORD)] = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="`true`: not settled; `false`: settled.")
    ] = None,
    deadline_before: date | None = None,
) -> Response:
    """Return a page of the requests of customers of the caller's unit and those below, the next deadline first."""
    filters = {
        "scope": handler.unit_path,
        "customer": customer,
        "kind": kind,
        "state": state,
        "open": is_open,
        "deadline_before": deadline_before,
    }
    next_first = replace(naming(page, "customer_id"), sort=page.sort or "deadline")
    body = await repository.LISTING.page(await context.database.pool(), next_first, filters)
    await look_at_list(context, handler, "subject_request", body, filters=filters, now=now)
    return Response(body, media_type="application/json")


@router.get("/refusals", summary="List the reasons why a request may be refused")
async def list_refusals(_: Handler) -> RefusalList:
    """Return each reason in words for the person, in Chinese and English."""
    return RefusalList(
        items=[RefusalOut(code=code, zh=text.zh, en=text.en) for code, text in REFUSALS.items()]
    )


@router.get(
    "/{request_id}",
    summary="Read a person's request",
    response_model=SubjectRequestWithTrail,
    response_class=Response,
)
async def read_request(request_id: UUID, handler: Handler, context: Context, now: Now) -> Response:
    """Return a request with its trail, and for a correction where it is proposed."""
    listing = repository.LISTING
    columns = {
        **listing.columns,
        "trail": repository.TRAIL,
        "proposal_path": repository.PROPOSAL_PATH,
    }
    pool = await context.database.pool()
    row = await pool.fetchrow(
        f"SELECT p.version, ({listing.item(None, columns)})::text FROM {listing.source} "  # noqa: S608 - declared expressions alone
        "WHERE p.id = $1 AND starts_with(u.path, $2)",
        request_id,
        handler.unit_path,
    )
    if row is None:
        raise not_found(request_id)
    await look_at_list(context, handler, "subject_request", row[1], now=now)
    return Response(row[1], media_type="application/json", headers={"etag": entity_tag(row[0])})


@router.post(
    "",
    status_code=201,
    summary="Take a person's request",
    response_model=SubjectRequestOut,
    response_class=Response,
)
async def receive(
    _: Handler,
    desk: AtDesk,
    once: OnceDependency,
    settings: NodeSettings,
    body: SubjectRequestCreate,
) -> Response:
    """Take a request; it has to be answered by its deadline. Takes effect once for each `Idempotency-Key`."""
    request = await service.receive(desk, body, settings.subject_request_working_days)
    return await once.answer(
        201,
        SubjectRequestOut.model_validate(request, from_attributes=True).model_dump_json().encode(),
        location=f"/subject-requests/{request.id}",
        etag=entity_tag(request.version),
    )


@router.post("/{request_id}/verify", summary="Note how the identity was checked")
async def verify(
    request_id: UUID,
    _: Handler,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: Verification,
    response: Response,
) -> SubjectRequestOut:
    """Note how it was established that it is the person; nothing is given out or erased before."""
    return _answer(response, await service.verify(desk, request_id, expected, body.identity_check))


@router.post(
    "/{request_id}/export",
    summary="Give out everything that is held about the person",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Everything, machine-readable: `tables` by name, each with its rows.",
            "content": {"application/json": {}},
        }
    },
)
async def give_out(
    request_id: UUID, _: Exporter, desk: AtDesk, context: Context
) -> StreamingResponse:
    """Stream everything that is held about the person, numbers in clear; noted in the trail before the first byte."""
    request = await service.note_export(desk, request_id)
    url, cipher = context.database.url, context.cipher
    return StreamingResponse(
        export(url, cipher, request.id, request.customer_id, at=desk.now),
        media_type="application/json",
        headers={
            "content-disposition": f'attachment; filename="subject-{request.id}.json"',
            "cache-control": "no-store",
        },
    )


@router.post("/{request_id}/fulfil", summary="Close a request that was fulfilled")
async def fulfil(
    request_id: UUID,
    _: Handler,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: Note,
    response: Response,
) -> SubjectRequestOut:
    """Close a request whose person was shown the data, or whose data was corrected."""
    return _answer(response, await service.fulfil(desk, request_id, expected, body.note))


@router.post("/{request_id}/propose", summary="Propose to erase the person")
async def propose(
    request_id: UUID,
    _: Eraser,
    desk: AtDesk,
    settings: NodeSettings,
    expected: ExpectedVersion,
    body: Note,
    response: Response,
) -> SubjectRequestOut:
    """Propose it, as the first of two people; refused while the law or a contract stands against it."""
    request = await service.propose(
        desk, request_id, expected, body.note, legal_days=settings.legal_retention_days
    )
    return _answer(response, request)


@router.post("/{request_id}/approve", summary="Erase the person as proposed")
async def approve(
    request_id: UUID,
    _: Eraser,
    desk: AtDesk,
    settings: NodeSettings,
    expected: ExpectedVersion,
    response: Response,
) -> SubjectRequestOut:
    """Erase the person at once, as the second of two people; `GET /erasures/{customer}` has the proof."""
    request = await service.approve(
        desk, request_id, expected, legal_days=settings.legal_retention_days
    )
    return _answer(response, request)


@router.post("/{request_id}/send-back", summary="Send a proposal to erase back")
async def send_back(
    request_id: UUID,
    _: Eraser,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: Note,
    response: Response,
) -> SubjectRequestOut:
    """Reject the proposal, so that it can be made anew or the person be refused."""
    return _answer(response, await service.send_back(desk, request_id, expected, body.note))


@router.post("/{request_id}/refuse", summary="Refuse a person's request")
async def refuse(
    request_id: UUID,
    _: Handler,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: Refusal,
    response: Response,
) -> SubjectRequestOut:
    """Refuse it for one of the declared reasons, which the person is told."""
    return _answer(response, await service.refuse(desk, request_id, expected, body.code, body.note))


@router.post("/{request_id}/withdraw", summary="Close a request that the person takes back")
async def withdraw(
    request_id: UUID,
    _: Handler,
    desk: AtDesk,
    expected: ExpectedVersion,
    body: Note,
    response: Response,
) -> SubjectRequestOut:
    """Close it without having done anything."""
    return _answer(response, await service.withdraw(desk, request_id, expected, body.note))


def _answer(response: Response, request: SubjectRequest) -> SubjectRequestOut:
    response.headers["etag"] = entity_tag(request.version)
    return SubjectRequestOut.model_validate(request, from_attributes=True)

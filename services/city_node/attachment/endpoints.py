"""Attachments over HTTP, for the clerk at either end."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.city_node.attachment import service
from services.city_node.attachment.content import (
    EXTENSIONS,
    MOST_BYTES,
    SIGNATURES,
    AttachmentTooLarge,
)
from services.city_node.attachment.models import AttachmentKind
from services.city_node.attachment.schemas import AttachmentOut, AttachmentsOut
from shared.access import Principal, require
from shared.capability import Context
from shared.kernel.edge import Now, Transaction

router = APIRouter(prefix="/service-requests/{request_id}/attachments")

Reader = Annotated[Principal, Depends(require("attachment:read"))]
Adder = Annotated[Principal, Depends(require("attachment:add"))]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": dict.fromkeys(SIGNATURES, _BINARY)}
}
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The content.", "content": dict.fromkeys(SIGNATURES, _BINARY)}
}


async def content_of(request: Request) -> bytes:
    """Return the request's body, read no further than an attachment may be large."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise AttachmentTooLarge(most=MOST_BYTES)
    return bytes(body)


@router.post(
    "",
    status_code=201,
    summary="Attach a photo, signature or form",
    responses={200: {"model": AttachmentOut, "description": "It was attached already."}},
    openapi_extra=_BODY,
)
async def add(
    *,
    request_id: UUID,
    request: Request,
    response: Response,
    principal: Adder,
    session: Transaction,
    context: Context,
    now: Now,
    kind: Annotated[AttachmentKind, Query(description="What it shows.")] = AttachmentKind.OTHER,
) -> AttachmentOut:
    """Take a JPEG, PNG or PDF of at most 2 MB as the body, keep it encrypted, and send it to the other end."""
    body = await content_of(request)
    said = request.headers.get("content-type")
    attachment, is_new = await service.add(
        context, session, principal, request_id, kind=kind, body=body, said=said, now=now
    )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = (
        f"/service-requests/{request_id}/attachments/{attachment.id}/content"
    )
    return AttachmentOut.model_validate(attachment)


@router.get("", summary="The attachments of a request")
async def list_attachments(
    request_id: UUID, principal: Reader, session: Transaction
) -> AttachmentsOut:
    """Return what both ends have attached, and whether its content is here."""
    found = await service.listed(session, principal, request_id)
    return AttachmentsOut(items=[AttachmentOut.model_validate(each) for each in found])


@router.get(
    "/{attachment_id}/content",
    summary="The content of an attachment",
    response_class=Response,
    responses=_CONTENT,
)
async def read_content(
    *,
    request_id: UUID,
    attachment_id: UUID,
    principal: Reader,
    session: Transaction,
    context: Context,
    now: Now,
) -> Response:
    """Return the bytes as they were attached; who looked is recorded."""
    attachment, body = await service.read(
        context, session, principal, request_id, attachment_id, now=now
    )
    name = f"{attachment.kind}-{attachment_id}.{EXTENSIONS[attachment.media_type]}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": f'"{attachment.sha256}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body, media_type=attachment.media_type, headers=headers)


@router.post("/{attachment_id}/ask-again", summary="Ask the other end for the content again")
async def ask_again(
    *,
    request_id: UUID,
    attachment_id: UUID,
    principal: Adder,
    session: Transaction,
    context: Context,
    now: Now,
) -> AttachmentOut:
    """Have the other end send content that has not come, or that came spoiled."""
    attachment = await service.ask_again(
        context, session, principal, request_id, attachment_id, now=now
    )
    return AttachmentOut.model_validate(attachment)

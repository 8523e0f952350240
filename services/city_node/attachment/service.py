"""What is done with attachments at either end: adding, hearing, putting together, asking again, looking."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.attachment import repository
from services.city_node.attachment.content import (
    digest,
    pieces,
    require_taken,
)
from services.city_node.attachment.models import Attachment, AttachmentKind, AttachmentState
from services.city_node.attachment.problems import (
    AttachmentHeldHere,
    AttachmentNotFound,
    AttachmentNotHeld,
    RequestEnded,
    TooManyAttachments,
)
from services.city_node.attachment.schemas import Announced, Chunk, Wanted, chunk_context
from services.city_node.service_request import attention
from services.city_node.service_request import repository as requests
from services.city_node.service_request import service as engine
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.problems import HomeNodeUnknown
from services.city_node.service_request.service import RequestNotFound, Step
from shared import audit
from shared.access import Principal
from shared.capability import Action, NodeContext
from shared.federation.models import Lane
from shared.federation.post import DestinationUnknown
from shared.kernel.ids import derived_id, new_id
from shared.kernel.language import Text

log = structlog.get_logger("attachment")

ADDED = "guanxi.attachment.added.v1"
CHUNK = "guanxi.attachment.chunk.v1"
WANTED = "guanxi.attachment.wanted.v1"
LOOKED = Action(
    "attachment.looked", Text("Somebody looked at an attachment of a request", "查看请求附件")
)
SPOILED: Final = "attachment-spoiled"
MOST_OF_ONE_END = 8
"""Attachments that each end may add to a request."""

_CHUNKS = UUID("3a1e2f64-5d0b-5a1c-8f0e-6a4b2c9d7e11")


def other_end(request: ServiceRequest) -> str:
    """Return the node that has the other record of a request."""
    return request.home if request.role == Party.VISITED else request.visited


def words_of(attachment: Attachment) -> Text:
    """Return what an attachment is, for a trail."""
    names = {
        AttachmentKind.DOCUMENT_PHOTO: Text("photo of a document", "证件照片"),
        AttachmentKind.SIGNATURE: Text("signature", "签名"),
        AttachmentKind.FORM: Text("form", "表单"),
        AttachmentKind.OTHER: Text("other", "其他"),
    }
    name = names[AttachmentKind(attachment.kind)]
    short = attachment.sha256[:12]
    return Text(
        f"{name.en}, {attachment.size} bytes, SHA-256 {short}…",
        f"{name.zh}，{attachment.size} 字节，SHA-256 {short}…",
    )


async def note(
    session: AsyncSession,
    request: ServiceRequest,
    event: str,
    words: Text,
    *,
    here: str,
    now: datetime,
    by: str | None = None,
) -> None:
    """Write a line into the trail of something that this node did, or somebody there."""
    step = Step(event, Party(request.role), now, here, by or here, words)
    await engine.note(session, request, step)


async def _locked(session: AsyncSession, principal: Principal, request_id: UUID) -> ServiceRequest:
    request = await requests.lock_of_any_kind(session, request_id, unit_path=principal.unit_path)
    if request is None:
        raise RequestNotFound(id=request_id)
    return request


async def add(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    *,
    kind: AttachmentKind,
    body: bytes,
    said: str | None,
    now: datetime,
) -> tuple[Attachment, bool]:
    """Attach content to a request of the caller's units, and send it to the other end.

    Returns:
        The attachment, and whether it is new: the same content added again is the same attachment.

    Raises:
        AttachmentTooLarge, AttachmentTypeRefused: if it cannot be attached (413, 415).
        RequestNotFound: if there is no such request in the caller's units (404).
        RequestEnded: if it has ended (409).
        TooManyAttachments: if this end has added too many to it (409).
        HomeNodeUnknown: if the other end is not known to the federation (422).
    """
    request = await _locked(session, principal, request_id)
    media_type = require_taken(body, said)
    here, sha256 = context.settings.code, digest(body)
    own = [a for a in await repository.of_request(session, request_id) if a.node == here]
    for known in own:
        if known.sha256 == sha256:
            return known, False
    if request.ended_at is not None:
        raise RequestEnded(id=request_id, state=request.state)
    if len(own) >= MOST_OF_ONE_END:
        raise TooManyAttachments(id=request_id, most=MOST_OF_ONE_END)
    cut = list(enumerate(pieces(body)))
    attachment = Attachment(
        id=new_id(),
        request_id=request_id,
        node=here,
        kind=kind,
        media_type=media_type,
        size=len(body),
        sha256=sha256,
        chunks=len(cut),
        state=AttachmentState.HELD,
        created_by=principal.username,
        created_at=now,
        held_at=now,
    )
    session.add(attachment)
    await repository.add_chunks(session, context.cipher, attachment.id, here, cut, now=now)
    words = Text(f"Attached: {words_of(attachment).en}", f"已添加附件：{words_of(attachment).zh}")
    await note(
        session,
        request,
        "attachment-added",
        words,
        here=context.settings.code,
        now=now,
        by=principal.username,
    )
    await announce(context, session, request, attachment, now=now)
    await send(context, session, request, attachment, cut, because=attachment.id, now=now)
    return attachment, True


async def announce(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    attachment: Attachment,
    *,
    now: datetime,
) -> None:
    """Tell the other end of an attachment, and note who was told."""
    attachment.sent_to = other_end(request)
    announced = Announced(
        request_id=request.id,
        attachment_id=attachment.id,
        kind=AttachmentKind(attachment.kind),
        media_type=attachment.media_type,
        size=attachment.size,
        sha256=attachment.sha256,
        chunks=attachment.chunks,
    )
    await context.post.post(
        session,
        ADDED,
        attachment.sent_to,
        announced.model_dump(mode="json"),
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=now,
        subject=f"{request.kind}/{request.id}",
        correlation_id=request.id,
    )


async def forward(
    context: NodeContext, session: AsyncSession, attachment_id: UUID, *, now: datetime
) -> None:
    """Send an attachment of this end to where its request's other end is by now."""
    attachment = await session.get(Attachment, attachment_id)
    if attachment is None:
        return
    request = await requests.lock_of_any_kind(session, attachment.request_id)
    locked = await repository.lock(session, attachment_id)
    if (
        request is None
        or request.ended_at is not None
        or locked is None
        or locked.state != AttachmentState.HELD
        or locked.sent_to == other_end(request)
    ):
        return
    await announce(context, session, request, locked, now=now)
    source = await repository.source_of(session, attachment_id)
    body = await repository.content(session, context.cipher, attachment_id, source)
    because = derived_id(_CHUNKS, str(attachment_id), other_end(request))
    cut = list(enumerate(pieces(body)))
    await send(context, session, request, locked, cut, because=because, now=now)


async def send(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    attachment: Attachment,
    cut: Sequence[tuple[int, bytes]],
    *,
    because: UUID,
    now: datetime,
) -> None:
    """Post the content of an attachment to the other end, piece by piece; ``because`` makes the messages' ids."""
    destination = other_end(request)
    for number, piece in cut:
        where = chunk_context(attachment.id, number)
        try:
            sealed = await context.post.seal_for(session, destination, piece, context=where)
        except DestinationUnknown:
            raise HomeNodeUnknown(home=destination) from None
        await context.post.post(
            session,
            CHUNK,
            destination,
            Chunk(
                request_id=request.id, attachment_id=attachment.id, number=number, sealed=sealed
            ).model_dump(mode="json"),
            lane=Lane.BULK,
            partition_key=str(attachment.id),
            now=now,
            subject=f"{request.kind}/{request.id}",
            message_id=derived_id(_CHUNKS, str(because), str(attachment.id), str(number)),
            correlation_id=request.id,
        )


async def ask_again(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    attachment_id: UUID,
    *,
    now: datetime,
) -> Attachment:
    """Ask the other end for content that has not come, or came spoiled.

    Raises:
        RequestNotFound, AttachmentNotFound: if there is none in the caller's units (404).
        AttachmentHeldHere: if this node has it, or has erased it (409).
    """
    request = await _locked(session, principal, request_id)
    attachment = await repository.lock(session, attachment_id)
    if attachment is None or attachment.request_id != request_id:
        raise AttachmentNotFound(id=attachment_id, request=request_id)
    if attachment.state in {AttachmentState.HELD, AttachmentState.ERASED}:
        raise AttachmentHeldHere(id=attachment_id, state=attachment.state)
    attachment.state = AttachmentState.EXPECTED
    attention.settle(request, SPOILED)
    words = Text(
        f"Asked again for: {words_of(attachment).en}", f"重新索取：{words_of(attachment).zh}"
    )
    await note(
        session,
        request,
        "attachment-wanted",
        words,
        here=context.settings.code,
        now=now,
        by=principal.username,
    )
    await want(context, session, request, attachment, now=now)
    return attachment


async def want(
    context: NodeContext,
    session: AsyncSession,
    request: ServiceRequest,
    attachment: Attachment,
    *,
    now: datetime,
) -> None:
    """Ask the other end for the content of an attachment."""
    await context.post.post(
        session,
        WANTED,
        other_end(request),
        Wanted(request_id=request.id, attachment_id=attachment.id).model_dump(mode="json"),
        lane=Lane.REQUEST,
        partition_key=str(request.id),
        now=now,
        correlation_id=request.id,
    )


async def read(
    context: NodeContext,
    session: AsyncSession,
    principal: Principal,
    request_id: UUID,
    attachment_id: UUID,
    *,
    now: datetime,
) -> tuple[Attachment, bytes]:
    """Return an attachment of a request of the caller's units with its content; the look is recorded first.

    Raises:
        RequestNotFound, AttachmentNotFound: if there is none in the caller's units (404).
        AttachmentNotHeld: if its content is not here (409).
    """
    attachment = next(
        (a for a in await listed(session, principal, request_id) if a.id == attachment_id), None
    )
    if attachment is None:
        raise AttachmentNotFound(id=attachment_id, request=request_id)
    if attachment.state != AttachmentState.HELD:
        raise AttachmentNotHeld(id=attachment_id, state=attachment.state)
    await audit.record_now(
        context.database,
        audit.Actor.of(principal),
        LOOKED,
        at=now,
        subject=("service-request", request_id),
        fields=[attachment.kind],
        detail={"attachment": str(attachment_id)},
    )
    source = await repository.source_of(session, attachment_id)
    return attachment, await repository.content(session, context.cipher, attachment_id, source)


async def listed(
    session: AsyncSession, principal: Principal, request_id: UUID
) -> Sequence[Attachment]:
    """Return the attachments of a request of the caller's units.

    Raises:
        RequestNotFound: if there is none (404).
    """
    if not await repository.visible_request(session, request_id, principal.unit_path):
        raise RequestNotFound(id=request_id)
    return await repository.of_request(session, request_id)

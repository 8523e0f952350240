"""What comes from the other end: announcements, pieces of content, and questions for content."""

from uuid import UUID

import structlog

from services.city_node.attachment import repository
from services.city_node.attachment.content import CHUNK_BYTES, digest, media_type_of, pieces
from services.city_node.attachment.models import Attachment, AttachmentState
from services.city_node.attachment.schemas import Announced, Chunk, Wanted, chunk_context
from services.city_node.attachment.service import (
    MOST_OF_ONE_END,
    SPOILED,
    note,
    other_end,
    send,
    want,
    words_of,
)
from services.city_node.service_request import attention
from services.city_node.service_request import repository as requests
from services.city_node.service_request import service as engine
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.service import Step
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, MessageRefused
from shared.federation.keys import SealError
from shared.kernel.language import Text

log = structlog.get_logger("attachment")


async def find_request(delivery: Delivery, request_id: UUID) -> ServiceRequest:
    """Return and lock the request, of whatever kind, whose other end the sender is.

    Raises:
        MessageRefused: if there is none between the sender and this node.
    """
    request = await requests.lock_of_any_kind(delivery.session, request_id)
    if request is None or other_end(request) != delivery.message.source:
        raise MessageRefused(
            f"This node has no request {request_id} with {delivery.message.source} to attach anything to."
        )
    return request


async def hear_added(context: NodeContext, delivery: Delivery, data: Announced) -> None:
    """Hear that the other end has attached something: expect it, or put it together if it has come already."""
    session = delivery.session
    request = await find_request(delivery, data.request_id)
    if await repository.lock(session, data.attachment_id) is not None:
        return
    attachment = Attachment(
        id=data.attachment_id,
        request_id=request.id,
        node=delivery.message.source,
        kind=data.kind,
        media_type=data.media_type,
        size=data.size,
        sha256=data.sha256,
        chunks=data.chunks,
        state=AttachmentState.EXPECTED,
        created_by=delivery.message.source,
        created_at=delivery.message.time,
    )
    known = await repository.of_request(session, request.id)
    if sum(each.node == attachment.node for each in known) >= MOST_OF_ONE_END:
        raise MessageRefused(
            f"Request {request.id} has {MOST_OF_ONE_END} attachments of {attachment.node} already."
        )
    session.add(attachment)
    await session.flush()  # what comes next looks for it
    engine.record_journey(session, request, delivery.hops)
    words = Text(
        f"{attachment.node} attached: {words_of(attachment).en}",
        f"{attachment.node} 添加附件：{words_of(attachment).zh}",
    )
    step = Step(
        "attachment-added",
        Party(request.role).other,
        delivery.now,
        attachment.node,
        attachment.node,
        words,
        delivery.message.id,
    )
    await engine.note(session, request, step)
    await _put_together(context, delivery, request, attachment, attachment.node)


async def hear_chunk(context: NodeContext, delivery: Delivery, data: Chunk) -> None:
    """Keep a piece of content; with the last one, put the attachment together."""
    session, source = delivery.session, delivery.message.source
    where = chunk_context(data.attachment_id, data.number)
    try:
        piece = context.post.open_sealed(data.sealed, context=where)
    except SealError as error:
        raise MessageRefused(
            f"Chunk {data.number} of attachment {data.attachment_id} does not open: {error}"
        ) from None
    if len(piece) > CHUNK_BYTES:
        raise MessageRefused(f"A chunk has at most {CHUNK_BYTES} bytes; this one has {len(piece)}.")
    request = await requests.lock_of_any_kind(session, data.request_id)
    attachment = await repository.lock(session, data.attachment_id)
    expected = {AttachmentState.EXPECTED, AttachmentState.SPOILED}
    if attachment is not None and (request is None or attachment.state not in expected):
        return  # it is here already, or erased
    await repository.add_chunks(
        session,
        context.cipher,
        data.attachment_id,
        source,
        [(data.number, piece)],
        now=delivery.now,
    )
    if attachment is not None and request is not None and source == other_end(request):
        await _put_together(context, delivery, request, attachment, source)


async def _put_together(
    context: NodeContext,
    delivery: Delivery,
    request: ServiceRequest,
    attachment: Attachment,
    source: str,
) -> None:
    """Hold the attachment if all of it has come from ``source`` and is what was announced."""
    session = delivery.session
    if await repository.count_chunks(session, attachment.id, source) < attachment.chunks:
        return
    body = await repository.content(session, context.cipher, attachment.id, source)
    is_whole = (len(body), digest(body), media_type_of(body)) == (
        attachment.size,
        attachment.sha256,
        attachment.media_type,
    )
    here = context.settings.code
    if not is_whole:
        attachment.state = AttachmentState.SPOILED
        await repository.keep_only(session, attachment.id, None)
        words = Text(
            f"What came of attachment {attachment.id} is not what was announced: ask for it again.",
            f"附件 {attachment.id} 的内容与声明不符，请重新索取。",
        )
        await attention.call(session, request, SPOILED, words, node=here, now=delivery.now)
        return
    attention.settle(request, SPOILED)
    attachment.state, attachment.held_at = AttachmentState.HELD, delivery.now
    await repository.keep_only(session, attachment.id, source)
    words = Text(
        f"Received whole: {words_of(attachment).en}", f"附件已完整收到：{words_of(attachment).zh}"
    )
    await note(session, request, "attachment-received", words, here=here, now=delivery.now)


async def hear_wanted(context: NodeContext, delivery: Delivery, data: Wanted) -> None:
    """Send the content that the other end lacks, if it is held here; the trail says so either way."""
    session = delivery.session
    request = await find_request(delivery, data.request_id)
    attachment = await repository.lock(session, data.attachment_id)
    if await requests.has_heard(session, request.id, delivery.message.id):
        return
    source = delivery.message.source
    held = attachment is not None and attachment.state == AttachmentState.HELD
    said = Text("sent again", "已重新发送") if held else Text("not held here", "本节点没有内容")
    words = Text(
        f"{source} asks for attachment {data.attachment_id}: {said.en}.",
        f"{source} 索取附件 {data.attachment_id}：{said.zh}。",
    )
    step = Step(
        "attachment-wanted",
        Party(request.role).other,
        delivery.now,
        source,
        source,
        words,
        delivery.message.id,
    )
    await engine.note(session, request, step)
    if attachment is None or not held:
        return
    kept_from = await repository.source_of(session, attachment.id)
    body = await repository.content(session, context.cipher, attachment.id, kept_from)
    cut = list(enumerate(pieces(body)))
    await send(
        context, session, request, attachment, cut, because=delivery.message.id, now=delivery.now
    )


async def recall_added(context: NodeContext, delivery: Delivery, data: Announced) -> None:
    """At a node restored from a backup: know again what it had attached, and ask the other end for the content."""
    session = delivery.session
    request = await requests.lock_of_any_kind(session, data.request_id)
    if request is None or await repository.lock(session, data.attachment_id) is not None:
        if request is None:
            log.warning("an attachment cannot be recalled", request_id=str(data.request_id))
        return
    attachment = Attachment(
        id=data.attachment_id,
        request_id=request.id,
        node=context.settings.code,
        kind=data.kind,
        media_type=data.media_type,
        size=data.size,
        sha256=data.sha256,
        chunks=data.chunks,
        state=AttachmentState.EXPECTED,
        created_by=context.settings.code,
        created_at=delivery.message.time,
    )
    session.add(attachment)
    words = Text(
        f"This node was restored from a backup and recalls: {words_of(attachment).en}",
        f"本节点由备份恢复，据已发报文补记：{words_of(attachment).zh}",
    )
    here = context.settings.code
    await note(session, request, "attachment-recalled", words, here=here, now=delivery.now)
    await want(context, session, request, attachment, now=delivery.now)

"""Every query of attachments."""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.attachment.models import Attachment, AttachmentChunk, AttachmentState
from services.city_node.service_request.kind import Party
from services.city_node.service_request.models import ServiceRequest
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.organisation.models import OrganisationUnit


async def visible_request(session: AsyncSession, request_id: UUID, unit_path: str) -> bool:
    """Tell whether there is such a request of a unit at or below ``unit_path``."""
    query = (
        select(ServiceRequest.id)
        .join(OrganisationUnit, OrganisationUnit.code == ServiceRequest.unit_code)
        .where(ServiceRequest.id == request_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    return await session.scalar(query) is not None


async def of_request(session: AsyncSession, request_id: UUID) -> Sequence[Attachment]:
    """Return the attachments of a request, in the order in which they came."""
    query = select(Attachment).where(Attachment.request_id == request_id)
    return (await session.scalars(query.order_by(Attachment.created_at, Attachment.id))).all()


async def lock(session: AsyncSession, attachment_id: UUID) -> Attachment | None:
    """Return the attachment and keep everyone else from changing it until the transaction ends."""
    query = select(Attachment).where(Attachment.id == attachment_id)
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def add_chunks(
    session: AsyncSession,
    cipher: Cipher,
    attachment_id: UUID,
    source: str,
    pieces: Iterable[tuple[int, bytes]],
    *,
    now: datetime,
) -> None:
    """Keep pieces of content, encrypted; those that are there already stay as they are."""
    rows = [
        {
            "id": new_id(),
            "attachment_id": attachment_id,
            "source": source,
            "number": number,
            "content_cipher": cipher.encrypt(base64.b64encode(piece).decode()),
            "received_at": now,
        }
        for number, piece in pieces
    ]
    await session.execute(insert(AttachmentChunk).values(rows).on_conflict_do_nothing())


async def count_chunks(session: AsyncSession, attachment_id: UUID, source: str) -> int:
    """Return how many pieces have come from ``source``."""
    query = select(func.count()).where(
        AttachmentChunk.attachment_id == attachment_id, AttachmentChunk.source == source
    )
    return await session.scalar(query) or 0


async def content(session: AsyncSession, cipher: Cipher, attachment_id: UUID, source: str) -> bytes:
    """Return the content that came from ``source``."""
    query = (
        select(AttachmentChunk.content_cipher)
        .where(AttachmentChunk.attachment_id == attachment_id, AttachmentChunk.source == source)
        .order_by(AttachmentChunk.number)
    )
    stored = await session.scalars(query)
    return b"".join(base64.b64decode(cipher.decrypt(piece)) for piece in stored)


async def keep_only(session: AsyncSession, attachment_id: UUID, source: str | None) -> None:
    """Delete the pieces of an attachment that are not from ``source``; all of them without it."""
    query = delete(AttachmentChunk).where(AttachmentChunk.attachment_id == attachment_id)
    await session.execute(
        query if source is None else query.where(AttachmentChunk.source != source)
    )


async def to_forward(session: AsyncSession, here: str, *, limit: int) -> Sequence[UUID]:
    """Return what was attached here to open requests whose other end is not the node that was told of it."""
    other_end = case(
        (ServiceRequest.role == Party.VISITED, ServiceRequest.home), else_=ServiceRequest.visited
    )
    query = (
        select(Attachment.id)
        .join(ServiceRequest, ServiceRequest.id == Attachment.request_id)
        .where(
            ServiceRequest.ended_at.is_(None),
            Attachment.erased_at.is_(None),
            Attachment.node == here,
            Attachment.state == AttachmentState.HELD,
            Attachment.sent_to != other_end,
        )
    )
    return (await session.scalars(query.limit(limit))).all()


async def to_erase(session: AsyncSession, *, ended_before: datetime, limit: int) -> Sequence[UUID]:
    """Return attachments, locked, that are kept of requests that ended before a moment."""
    query = (
        select(Attachment.id)
        .join(ServiceRequest, ServiceRequest.id == Attachment.request_id)
        .where(Attachment.erased_at.is_(None), ServiceRequest.ended_at < ended_before)
        .limit(limit)
        .with_for_update(of=Attachment, skip_locked=True)
    )
    return (await session.scalars(query)).all()


async def erase(session: AsyncSession, attachment_ids: Sequence[UUID], *, now: datetime) -> None:
    """Delete the content of attachments, and note that it was."""
    await session.execute(
        delete(AttachmentChunk).where(AttachmentChunk.attachment_id.in_(attachment_ids))
    )
    await session.execute(
        update(Attachment)
        .where(Attachment.id.in_(attachment_ids))
        .values(state=AttachmentState.ERASED, erased_at=now)
    )


async def forget_strays(session: AsyncSession, *, before: datetime) -> None:
    """Delete pieces that came before a moment and that no announcement has followed."""
    known = select(Attachment.id).where(Attachment.id == AttachmentChunk.attachment_id)
    await session.execute(
        delete(AttachmentChunk).where(AttachmentChunk.received_at < before, ~known.exists())
    )


async def source_of(session: AsyncSession, attachment_id: UUID) -> str:
    """Return from which node the content that is held came."""
    query = select(AttachmentChunk.source).where(AttachmentChunk.attachment_id == attachment_id)
    return await session.scalar(query.limit(1)) or ""

"""Looks at document numbers in clear: recorded first, answered when the record is committed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer import repository
from services.city_node.customer.models import CustomerLook, DocumentType
from services.city_node.customer.representations import DocumentOut
from shared.access import Principal
from shared.kernel.encryption import Cipher


async def look_at_document(
    session: AsyncSession, cipher: Cipher, principal: Principal, customer_id: UUID, *, now: datetime
) -> DocumentOut:
    """Record that ``principal`` looks at a customer's document number, and return it.

    The caller answers only after the transaction of ``session`` is committed.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        DecryptionFailed: if the node's key is not the one it was stored with.
    """
    document_type, stored = await repository.stored_document(
        session, customer_id, principal.unit_path
    )
    repository.add(
        session,
        CustomerLook(
            at=now,
            by=principal.username,
            user_id=principal.id,
            customer_id=customer_id,
            fields=["document_number"],
        ),
    )
    number = None if stored is None else cipher.decrypt(stored)
    return DocumentOut(
        document_type=None if document_type is None else DocumentType(document_type),
        document_number=number,
    )

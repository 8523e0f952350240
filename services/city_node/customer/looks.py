"""Looks at customers: on disk in the audit log before they are answered, and not answered if they cannot be written.

Every read of a profile is a look, masked or not: it tells whom somebody was interested in. ``fields`` says what of it
was seen: ``profile``, or the fields that were asked for; the parts besides, ``contacts`` with values in clear and
``contacts_masked`` without; ``document_number`` for the number in clear. An answer to one's own change is not a look:
the change itself is recorded. A page of a list is one record, ``customer.searched``, with the ids that were shown and
the filters; a filter that is personal (name, number, document) is kept as a blind index, so that an auditor can find
who searched for somebody without the log holding whom.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from services.city_node.customer import profile
from services.city_node.customer.models import DocumentType
from services.city_node.customer.representations import DocumentOut
from shared import audit
from shared.access import Principal
from shared.capability import Action, NodeContext
from shared.kernel.encryption import Cipher
from shared.kernel.language import Text

LOOKED = Action("customer.looked", Text("Somebody looked at a customer", "查看客户档案"))
SEARCHED = Action(
    "customer.searched", Text("Somebody searched for or listed customers", "查询客户列表")
)
_PERSONAL = ("name", "sound", "msisdn")


async def look(
    context: NodeContext,
    principal: Principal,
    customer_id: UUID,
    fields: Iterable[str],
    *,
    now: datetime,
) -> None:
    """Record that ``principal`` looks at a customer who was found; answer only after this."""
    await audit.record_now(
        context.database,
        audit.Actor.of(principal),
        LOOKED,
        at=now,
        subject=("customer", customer_id),
        fields=fields,
    )


async def look_at_document(
    context: NodeContext, principal: Principal, customer_id: UUID, *, now: datetime
) -> DocumentOut:
    """Record that ``principal`` looks at a customer's document number, and return it.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
        DecryptionFailed: if the node's key is not the one it was stored with.
    """
    document_type, stored = await profile.stored_document(
        await context.database.pool(), customer_id, principal.unit_path
    )
    await look(context, principal, customer_id, [profile.DOCUMENT_NUMBER], now=now)
    return DocumentOut(
        document_type=None if document_type is None else DocumentType(document_type),
        document_number=None if stored is None else context.cipher.decrypt(stored),
    )


async def search(
    context: NodeContext,
    principal: Principal,
    filters: Mapping[str, Any],
    page: bytes,
    *,
    now: datetime,
    key: str = "id",
) -> None:
    """Record that ``principal`` is shown a page of customers, whose ids are its ``key``; answer only after this."""
    items = orjson.loads(page)["items"]
    shown = [item[key] for item in items if key in item]
    detail = {"filters": _safe(filters, context.cipher), "count": len(items), "ids": shown}
    await audit.record_now(
        context.database,
        audit.Actor.of(principal),
        SEARCHED,
        at=now,
        subject=("customer", "list"),
        fields=items[0].keys() if items else (),
        detail=detail,
    )


def _safe(filters: Mapping[str, Any], cipher: Cipher) -> dict[str, Any]:
    """Return the filters as the log may keep them."""
    safe: dict[str, Any] = {}
    for name, value in filters.items():
        if value is None:
            continue
        if name in _PERSONAL:
            safe[name] = cipher.index(str(value)).hex()
        elif isinstance(value, list):  # blind indexes already, that of the newest key first
            safe[name] = value[0].hex()
        else:
            safe[name] = value.value if isinstance(value, Enum) else value
    return safe

"""Looks at customers: on disk in the audit log before they are answered, and not answered if they cannot be written.

Every read of a profile is a look, masked or not: it tells whom somebody was interested in. ``fields`` says what of it
was seen: ``profile``, or the fields that were asked for; the parts besides, ``contacts`` with values in clear and
``contacts_masked`` without; ``document_number`` for the number in clear. An answer to one's own change is not a look:
the change itself is recorded. A page of a list is one record, ``customer.searched``, with the ids that were shown and
the filters, whether it lists customers or what several of them hold or wait for; a filter that is personal (name,
number, document) is kept as a blind index, so that an auditor can find who searched for somebody without the log
holding whom.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
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
from shared.kernel.listing import Beside, PageRequest

LOOKED = Action("customer.looked", Text("Somebody looked at a customer", "查看客户档案"))
SEARCHED = Action(
    "customer.searched", Text("Somebody searched for or listed customers", "查询客户列表")
)
_PERSONAL = ("name", "sound", "msisdn")
_SHOWN = {
    "fields": "CASE WHEN count(*) > 0 THEN {}::jsonb ELSE '[]' END",
    "detail": "{}::jsonb || jsonb_build_object('count', count(*), 'ids', coalesce(jsonb_agg(key), '[]'))",
}
"""What a record of a page says of the keys that are shown."""


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


def searched(
    context: NodeContext,
    principal: Principal,
    filters: Mapping[str, Any],
    fields: Iterable[str],
    *,
    now: datetime,
) -> Beside:
    """Return the record that ``principal`` is shown a page of customers, to be written with the page."""
    values = audit.values_of(
        audit.Actor.of(principal),
        SEARCHED,
        at=now,
        subject=("customer", "list"),
        fields=fields,
        detail={"filters": _safe(filters, context.cipher)},
    )
    return Beside(lambda first: audit.insertion("shown", first, _SHOWN), values)


def naming(page: PageRequest, *columns: str) -> PageRequest:
    """Return a request for a page that has these columns whatever was asked for: a look is recorded by its ids."""
    if page.fields is None:
        return page
    asked = [name.strip() for name in page.fields.split(",")]
    more = [name for name in columns if name not in asked]
    return replace(page, fields=",".join([*asked, *more]))


async def look_at_list(
    context: NodeContext,
    principal: Principal,
    subject: str,
    page: bytes,
    *,
    now: datetime,
    filters: Mapping[str, Any] | None = None,
    whose: Iterable[str] = ("customer_id",),
) -> None:
    """Record that ``principal`` is shown a page of something of several customers; answer only after this.

    Args:
        context: the node.
        principal: who is shown it.
        subject: what the page lists, such as ``agreement``.
        page: the page, or one item of it.
        now: when.
        filters: what was asked for; nothing personal.
        whose: where an item has the ids of its customers, such as ``left.id``.
    """
    read = orjson.loads(page)
    items = read.get("items", [read])
    paths = [path.split(".") for path in whose]
    shown = dict.fromkeys(_value(item, path) for item in items for path in paths)
    detail = {
        "filters": _safe({**(filters or {}), "scope": None}, context.cipher),
        "count": len(items),
        "ids": [customer for customer in shown if customer is not None],
    }
    await audit.record_now(
        context.database,
        audit.Actor.of(principal),
        SEARCHED,
        at=now,
        subject=(subject, "list" if "items" in read else str(read["id"])),
        fields=items[0].keys() if items else (),
        detail=detail,
    )


def _value(item: Any, path: Iterable[str]) -> Any:
    for name in path:
        item = None if item is None else item.get(name)
    return item


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

"""What a profile must be, however it comes to be so: made or changed, at once or after a second person's approval.

Values are columns of the customer by name. A rule that needs the node's data asks on the transaction's connection.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from services.city_node.custom_attribute.declarations import declarations
from services.city_node.customer import repository
from services.city_node.customer.author import Author
from services.city_node.customer.identity import document_indexes, seal_document
from services.city_node.customer.problems import (
    DatesContradict,
    DocumentTaken,
    ManagerUnknown,
    UnitOutOfScope,
)

Values = Mapping[str, Any]
NO_DOCUMENT: Values = dict.fromkeys(
    ("document_type", "document_cipher", "document_index", "document_masked")
)


async def document_columns(
    connection: asyncpg.Connection,
    author: Author,
    customer_id: UUID,
    present: Values,
    *,
    kind: str | None,
    number: str | None,
) -> Values:
    """Return the columns of a document that is given to a customer; none, if it is the ``present`` one.

    Asks within a transaction: the keys that seal the number must be the node's until it is written.

    Raises:
        DocumentTaken: if another customer of the city has it (409).
    """
    if kind is None or number is None:
        return NO_DOCUMENT
    await repository.hold_keys_on(connection)
    indexes = document_indexes(author.cipher, number)
    if kind == present["document_type"] and present["document_index"] in indexes:
        return {}
    document = seal_document(author.cipher, kind, number)
    holder = await repository.holder_of_document(connection, indexes)
    if holder is not None and holder[0] != customer_id:
        covered = author.principal.covers(holder[1])
        raise DocumentTaken(str(holder[0]) if covered else "of another unit")
    return {
        "document_type": document.type,
        "document_cipher": document.cipher,
        "document_index": document.index,
        "document_masked": document.masked,
    }


async def require_attributes(
    connection: asyncpg.Connection, author: Author, kind: str, given: Values
) -> None:
    """Refuse attributes that do not fit what the node declares.

    Raises:
        AttributesRefused: with a fault for each of them (422).
    """
    # What is given, and not what is there: a declaration comes later than many profiles.
    if given:
        declared = await declarations(connection, strict=author.strict)
        declared.require(kind, given)


async def require_unit(connection: asyncpg.Connection, author: Author, code: str) -> None:
    """Refuse a unit that the author may not give a customer to.

    Raises:
        UnitOutOfScope: if it is not at or below the author's (422).
    """
    if not await repository.unit_in_scope(connection, code, author.principal.unit_path):
        raise UnitOutOfScope(code)


async def require_manager(connection: asyncpg.Connection, manager_id: UUID | None) -> None:
    """Refuse a manager who is nobody on the node's staff.

    Raises:
        ManagerUnknown: if so (422).
    """
    if manager_id is not None and not await repository.is_on_staff(connection, manager_id):
        raise ManagerUnknown(str(manager_id))


def require_days(today: date, values: Values) -> None:
    """Refuse days that contradict one another, or the present one.

    Raises:
        DatesContradict: if they do (422).
    """
    birth_date, entry_date = values["birth_date"], values["entry_date"]
    left_on = values.get("left_on")
    days: Sequence[tuple[str, date | None]] = (
        ("birth_date", birth_date),
        ("entry_date", entry_date),
    )
    for name, day in days:
        if day is not None and day > today:
            raise DatesContradict(name, day, "after", today)
    if birth_date is not None and birth_date > entry_date:
        raise DatesContradict("birth_date", birth_date, "after", entry_date)
    if left_on is not None and left_on < entry_date:
        raise DatesContradict("entry_date", entry_date, "after", left_on)


def merge_patch(target: Values, patch: Values) -> dict[str, Any]:
    """Return ``target`` with ``patch`` merged into it (RFC 7396)."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            present = merged.get(name)
            merged[name] = merge_patch(present if isinstance(present, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged

"""A customer's row as a change reads and writes it: on a bare connection, in one statement each.

Both statements hold by themselves: what is written counts only if the version is still the one that was read. So a
change of a single customer needs no lock and no transaction around it, and waits for the database twice; whoever has to
do more at once locks the row when reading it, as everybody else does (:mod:`~services.city_node.customer.repository`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.city_node.customer.history import COLUMNS, Entry, Values
from services.city_node.customer.models import ERASED
from services.city_node.customer.problems import CustomerErased
from services.city_node.customer.profile import absent
from services.city_node.customer.repository import refused_if_taken
from shared import audit

# ruff: noqa: S608 - put together from declarations, never from input
_READ = ", ".join(f"c.{name}" for name in (*COLUMNS, "document_cipher") if name != "attributes")
_FIRST_COLUMN = 9
"""The first parameter of a change that is a column of the customer."""


class Outrun(Exception):
    """Somebody else changed the customer after it was read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A customer as a change finds it.

    Attributes:
        id: which.
        version: the present one.
        values: its columns by name, as far as rules and history ask for them.
        sensitive: members of a patch that need a second person.
    """

    id: UUID
    version: int
    values: Values
    sensitive: frozenset[str]


@lru_cache
def _finding(sensitive: str, *, lock: bool) -> str:
    return (
        f"SELECT c.id, c.version, c.updated_at, {sensitive} AS sensitive, c.attributes::text AS attributes, {_READ} "
        "FROM customer c JOIN organisation_unit u ON u.code = c.unit_code "
        f"WHERE c.id = $1 AND starts_with(u.path, $2){' FOR UPDATE OF c' if lock else ''}"
    )


async def find(
    connection: asyncpg.Connection,
    customer_id: UUID,
    unit_path: str,
    sensitive: str = "NULL::text[]",
    *,
    lock: bool,
) -> Stored:
    """Return a customer.

    Args:
        connection: where to ask.
        customer_id: which customer.
        unit_path: the unit that it must be below.
        sensitive: SQL of the members that need a second person, as a ``text[]``; refers to the customer as ``c``.
        lock: whether nobody else changes it until the transaction ends.

    Raises:
        CustomerNotFound: if there is none below the unit.
        CustomerErased, CustomerMerged: if there was one.
    """
    row = await connection.fetchrow(_finding(sensitive, lock=lock), customer_id, unit_path)
    if row is None:
        raise await absent(connection, customer_id, unit_path)
    if row["library"] == ERASED:
        raise CustomerErased(row["id"], row["updated_at"])
    values = {**row, "attributes": orjson.loads(row["attributes"])}
    return Stored(row["id"], row["version"], values, frozenset(row["sensitive"] or ()))


@lru_cache(maxsize=1000)
def _keeping(columns: tuple[str, ...], shown: str) -> str:
    sets = "".join(f", {name} = ${nth}" for nth, name in enumerate(columns, _FIRST_COLUMN))
    return f"""
        WITH changed AS (
            UPDATE customer SET version = version + 1, updated_at = $3, updated_by = $4{sets}
            WHERE id = $1 AND version = $2 RETURNING *),
        history AS (
            INSERT INTO customer_change (customer_id, at, by, source, action, changes, cause_id)
            SELECT $1, $3, $4, $5, $6, $7, $8 FROM changed),
        record AS ({audit.insertion("changed", _FIRST_COLUMN + len(columns))})
        SELECT c.version, row_to_json(p)::text FROM changed c CROSS JOIN LATERAL (SELECT {shown}) p"""


async def keep(
    connection: asyncpg.Connection,
    customer: Stored,
    new: Values,
    *,
    entry: Entry,
    record: Sequence[Any],
    shown: str,
) -> tuple[Stored, str]:
    """Change columns of a customer, with the history of it and the audit record.

    Args:
        connection: where to write.
        customer: the customer as it was found.
        new: the columns that change, by name.
        entry: the same as the history keeps it.
        record: the audit record, as :func:`shared.audit.values_of` gives it.
        shown: what the JSON is made of, as the select list of one customer ``c``.

    Returns:
        The customer as it is now, and the JSON.

    Raises:
        Outrun: if it is not as it was found, and nothing is written.
        DocumentTaken: if another customer of the city has taken the document just now (409).
    """
    columns = new if "attributes" not in new else {**new, "attributes": _json(new["attributes"])}
    async with refused_if_taken():
        written = await connection.fetchrow(
            _keeping(tuple(columns), shown),
            customer.id, customer.version, entry.at, entry.by, entry.source.value, entry.action.value,
            _json(entry.changes), entry.cause_id, *columns.values(), *record,
        )  # fmt: skip
    if written is None:
        raise Outrun
    version, json = written
    return replace(customer, version=version, values={**customer.values, **new}), json


def _json(value: object) -> str:
    return orjson.dumps(value).decode()

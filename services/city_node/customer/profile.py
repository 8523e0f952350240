"""Reading customers: one statement in which PostgreSQL checks the scope, masks and builds the JSON.

What a reader gets depends on three things, all of them in the SQL: the unit below which a customer must be
(otherwise there is no such customer), the fields and parts asked for, and whether the reader may use contact media
(otherwise they are masked). A document number is never in it: it is encrypted, and each look at it is recorded.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg

from services.city_node.customer.problems import CustomerNotFound
from shared.kernel.listing import Listing, QueryInvalid, Sort

DOCUMENT_NUMBER = "document_number"
BILLS_SHOWN = 24
CHANGES_SHOWN = 20

_SOURCE = "customer c JOIN organisation_unit u ON u.code = c.unit_code"
FIELDS = [
    "id",
    "customer_number",
    "kind",
    "library",
    "name",
    "sex",
    "birth_date",
    "document_type",
    "document_masked",
    "level",
    "unit_code",
    "manager_id",
    "contract_term",
    "payment_method",
    "monthly_charge_fen",
    "total_charge_fen",
    "entry_date",
    "left_on",
    "left_reason",
    "left_destination",
    "attributes",
    "source",
    "source_key",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
]
_COLUMNS = {name: f"c.{name}" for name in FIELDS}


# ruff: noqa: S608 - every statement here is put together from the expressions declared here, never from input
_CHANGE_FIELDS = ["id", "at", "by", "source", "action", "cause_id", "changes"]


def _list(query: str) -> str:
    """Return the expression of the JSON array of what ``query`` gives, in its order."""
    return f"(SELECT coalesce(json_agg(item), '[]') FROM ({query}) item)"


def _contacts(value: str) -> str:
    return _list(f"""
        SELECT id, kind, {value} AS value, preferred, preferred_hours
        FROM contact_medium WHERE customer_id = c.id ORDER BY id""")


_SUBSCRIPTIONS = _list("""
    SELECT s.id, s.msisdn, s.brand, s.plan, s.contract_term, s.status, s.entry_date, s.ended_on, m.iccid, m.imsi
    FROM subscription s LEFT JOIN sim m ON m.subscription_id = s.id AND m.state = 'active'
    WHERE s.customer_id = c.id ORDER BY s.entry_date, s.id""")
_BILLS = _list(f"""
    SELECT subscription_id, period, charge_fen, paid_on
    FROM bill WHERE customer_id = c.id ORDER BY period DESC, id LIMIT {BILLS_SHOWN}""")
_CHANGES = _list(f"""
    SELECT {", ".join(_CHANGE_FIELDS)}
    FROM customer_change WHERE customer_id = c.id ORDER BY id DESC LIMIT {CHANGES_SHOWN}""")
_PARTS = {
    "subscriptions": _SUBSCRIPTIONS,
    "contacts": _contacts("value_masked"),
    "bills": _BILLS,
    "changes": _CHANGES,
}

# Letters sort before every Chinese character in byte order, and nothing after the last code point: a prefix is
# a range, which an index answers whatever plan the server keeps.
_BEGINS = r"{column} >= {{}}::text AND {column} < {{}}::text || E'\U0010FFFF'"
_ON_LINE = "EXISTS (SELECT FROM subscription s WHERE s.customer_id = c.id AND s.status <> 'ended' AND s.{column} = {{}})"

customers = Listing(
    source=_SOURCE,
    key=Sort("c.id", "uuid"),
    columns=_COLUMNS,
    sorts={
        "id": Sort("c.id", "uuid"),
        "name": Sort("c.name_sort", "text"),
        "monthly_charge_fen": Sort("c.monthly_charge_fen", "bigint"),
        "entry_date": Sort("c.entry_date", "date"),
        "updated_at": Sort("c.updated_at", "timestamptz"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "library": "c.library = {}",
        "kind": "c.kind = {}",
        "level": "c.level = {}",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
        "manager": "c.manager_id = {}",
        "contract_term": "c.contract_term = {}",
        "name": _BEGINS.format(column="c.name"),
        "sound": _BEGINS.format(column="c.name_sort"),
        "document": "c.document_index = {}",
        "brand": _ON_LINE.format(column="brand"),
        # Two partial indexes, one for live and one for ended lines.
        "msisdn": "c.id IN (SELECT customer_id FROM subscription WHERE msisdn = {} AND status <> 'ended'"
        " UNION ALL SELECT customer_id FROM subscription WHERE msisdn = {} AND status = 'ended')",
        "min_monthly_charge_fen": "c.monthly_charge_fen >= {}",
        "max_monthly_charge_fen": "c.monthly_charge_fen <= {}",
        "entered_from": "c.entry_date >= {}",
        "entered_before": "c.entry_date < {}",
    },
)
"""The customers of a city."""

changes = Listing(
    source=f"customer_change h JOIN {_SOURCE.replace('customer c', 'customer c ON c.id = h.customer_id', 1)}",
    key=Sort("h.id", "bigint"),
    columns={name: f"h.{name}" for name in _CHANGE_FIELDS},
    sorts={"id": Sort("h.id", "bigint")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "h.customer_id = {}",
        "action": "h.action = {}",
        "source": "h.source = {}",
    },
)
"""The history of customers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to read one customer.

    Attributes:
        sql: takes the id and the reader's unit path, and gives version and JSON.
        with_document_number: whether the number in clear was asked for, too.
        shows: what the reader sees, as the audit log names it.
    """

    sql: str
    with_document_number: bool
    shows: tuple[str, ...]


@lru_cache(maxsize=1000)
def reading(fields: str | None, include: str | None, clear_contacts: bool) -> Reading:  # noqa: FBT001 - the key of a cache
    """Return how to read one customer.

    Args:
        fields: names separated by commas; all without it.
        include: parts to add, separated by commas.
        clear_contacts: whether the reader may use contact media.

    Raises:
        QueryInvalid: for a field or part that a customer does not have.
    """
    names = [name.strip() for name in fields.split(",")] if fields else list(_COLUMNS)
    wanted = [name for name in names if name != DOCUMENT_NUMBER]
    for name in wanted:
        if name not in _COLUMNS:
            raise QueryInvalid("fields", name, ", ".join([*_COLUMNS, DOCUMENT_NUMBER]))
    columns = {name: _COLUMNS[name] for name in wanted}
    shows = dict.fromkeys(names if fields else ["profile"])
    for part in (name.strip() for name in include.split(",")) if include else ():
        if part not in _PARTS:
            raise QueryInvalid("include", part, ", ".join(_PARTS))
        masked = part == "contacts" and not clear_contacts
        columns[part] = (
            _contacts("value") if part == "contacts" and clear_contacts else _PARTS[part]
        )
        shows[f"{part}_masked" if masked else part] = None
    values = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    sql = (
        f"SELECT c.version, row_to_json(p)::text FROM {_SOURCE} CROSS JOIN LATERAL (SELECT {values}) p "
        "WHERE c.id = $1 AND starts_with(u.path, $2)"
    )
    return Reading(sql, len(wanted) < len(names), tuple(shows))


async def read(
    connection: asyncpg.Connection | asyncpg.Pool, how: Reading, customer_id: UUID, unit_path: str
) -> tuple[int, str]:
    """Return the version and the JSON of one customer.

    Raises:
        CustomerNotFound: if there is none below the unit.
    """
    row = await connection.fetchrow(how.sql, customer_id, unit_path)
    if row is None:
        raise CustomerNotFound(customer=customer_id)
    return row[0], row[1]


async def read_part(
    connection: asyncpg.Connection | asyncpg.Pool, part: str, customer_id: UUID, unit_path: str
) -> str:
    """Return the JSON of one part of a customer: ``{"items": [...]}``.

    Raises:
        CustomerNotFound: if there is none below the unit.
    """
    sql = (
        f"SELECT json_build_object('items', {_PARTS[part]})::text "
        f"FROM {_SOURCE} WHERE c.id = $1 AND starts_with(u.path, $2)"
    )
    found: str | None = await connection.fetchval(sql, customer_id, unit_path)
    if found is None:
        raise CustomerNotFound(customer=customer_id)
    return found


async def stored_document(
    connection: asyncpg.Connection | asyncpg.Pool, customer_id: UUID, unit_path: str
) -> tuple[str | None, bytes | None]:
    """Return the type and the encrypted number of a customer's document.

    Raises:
        CustomerNotFound: if there is none below the unit.
    """
    row = await connection.fetchrow(
        f"SELECT c.document_type, c.document_cipher FROM {_SOURCE} WHERE c.id = $1 AND starts_with(u.path, $2)",
        customer_id,
        unit_path,
    )
    if row is None:
        raise CustomerNotFound(customer=customer_id)
    return row[0], row[1]


async def require_in_scope(
    connection: asyncpg.Connection | asyncpg.Pool, customer_id: UUID, unit_path: str
) -> None:
    """Refuse with 404 unless the customer is below the unit.

    Raises:
        CustomerNotFound: if it is not.
    """
    sql = f"SELECT FROM {_SOURCE} WHERE c.id = $1 AND starts_with(u.path, $2)"
    found: Any = await connection.fetchrow(sql, customer_id, unit_path)
    if found is None:
        raise CustomerNotFound(customer=customer_id)

"""Reading customers: one statement in which PostgreSQL checks the scope, masks and builds the JSON.

What a reader gets depends on three things, all of them in the SQL: the unit below which a customer must be
(otherwise there is no such customer), the fields and parts asked for, and which personal values the reader may see
(others are masked, see :mod:`~services.city_node.customer.privacy`). A document number is never in it: it is
encrypted, and each look at it is recorded.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg

from services.city_node.customer.models import ERASED
from services.city_node.customer.parts import TODAY, Part, json_list
from services.city_node.customer.privacy import (
    Sight,
    birth_date,
    is_sealed,
    mark_history,
    mark_medium,
    seen,
    visible,
)
from services.city_node.customer.problems import (
    CustomerErased,
    CustomerMerged,
    CustomerNotFound,
)
from shared.kernel.listing import Listing, QueryInvalid, Sort
from shared.kernel.problems import Problem

DOCUMENT_NUMBER = "document_number"
SUBSCRIPTIONS_SHOWN, CONTACTS_SHOWN = 100, 50
BILLS_SHOWN = 24
CHANGES_SHOWN = 20

SOURCE = f"customer c JOIN organisation_unit u ON u.code = c.unit_code AND c.library <> '{ERASED}'"
"""Customers with the unit that looks after them. Who was erased is nobody here, whatever is asked."""
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
    "left_competitor",
    "left_note",
    "attributes",
    "source",
    "source_key",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
]
_COLUMNS = {name: f"c.{name}" for name in FIELDS} | {"birth_date": birth_date.mark("c.birth_date")}


# ruff: noqa: S608 - every statement here is put together from the expressions declared here, never from input
def _change_columns(table: str) -> dict[str, str]:
    plain = ("id", "at", "by", "source", "action", "cause_id")
    columns = {name: f"{table}.{name}" for name in plain}
    return columns | {"changes": mark_history(f"{table}.changes")}


_CONTACTS = json_list(f"""
    SELECT p.id, p.kind, {mark_medium("p")} AS value, p.preferred, p.preferred_hours
    FROM contact_medium p WHERE p.customer_id = c.id ORDER BY p.id LIMIT {CONTACTS_SHOWN}""")
_LINE = [
    *(
        "p.id",
        "p.msisdn",
        "p.brand",
        "p.plan",
        "p.contract_term",
        "p.status",
        "p.entry_date",
        "p.ended_on",
    ),
    *("p.handset", "p.imei", "m.iccid", "m.imsi"),
]
_SIM_IN_USE = "LEFT JOIN sim m ON m.subscription_id = p.id AND m.state = 'active'"
_SUBSCRIPTIONS = json_list(f"""
    SELECT {", ".join(_LINE)} FROM subscription p {_SIM_IN_USE}
    WHERE p.customer_id = c.id ORDER BY p.status = 'ended', p.entry_date, p.id LIMIT {SUBSCRIPTIONS_SHOWN}""")
_BILLS = json_list(f"""
    SELECT subscription_id, period, charge_fen, paid_on
    FROM bill WHERE customer_id = c.id ORDER BY period DESC, id LIMIT {BILLS_SHOWN}""")
_CHANGES = json_list(f"""
    SELECT {", ".join(f"{sql} AS {name}" for name, sql in _change_columns("h").items())}
    FROM customer_change h WHERE customer_id = c.id ORDER BY id DESC LIMIT {CHANGES_SHOWN}""")
_DUE = "(period + interval '2 months')::date"
_ARREARS = f"""(
    SELECT json_build_object('amount_fen', coalesce(sum(charge_fen), 0), 'bills', count(*),
                             'oldest_period', min(period), 'days_overdue', coalesce({TODAY}::date - min({_DUE}) + 1, 0))
    FROM bill WHERE customer_id = c.id AND paid_on IS NULL AND charge_fen > 0 AND {_DUE} <= {TODAY}::date)"""
"""A bill falls due on the last day of the month after the billed one; what is unpaid after that day is in arrears."""
_MANAGER = """(
    SELECT json_build_object('id', m.id, 'username', m.username, 'display_name', m.display_name,
                             'unit_code', m.unit_code, 'active', m.active)
    FROM staff_member m WHERE m.id = c.manager_id)"""

OWN_PARTS = (
    Part("subscriptions", _SUBSCRIPTIONS, told=True),
    Part("contacts", _CONTACTS, told=True),
    Part("bills", _BILLS),
    Part("changes", _CHANGES),
    Part("arrears", _ARREARS, versioned=False),
    Part("manager", _MANAGER, versioned=False),
)
"""What every customer's page can show; other packages offer more."""

# Letters sort before every Chinese character in byte order, and nothing after the last code point: a prefix is
# a range, which an index answers whatever plan the server keeps.
_BEGINS = r"{column} >= {{}}::text AND {column} < {{}}::text || E'\U0010FFFF'"
_ON_LINE = "EXISTS (SELECT FROM subscription s WHERE s.customer_id = c.id AND s.status <> 'ended' AND s.{column} = {{}})"

customers = Listing(
    source=SOURCE,
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
        "document": "c.document_index = ANY({}::bytea[])",
        "contact": "c.id IN (SELECT customer_id FROM contact_medium WHERE value_index = ANY({}::bytea[]))",
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
    source=f"customer_change h JOIN {SOURCE.replace('customer c', 'customer c ON c.id = h.customer_id', 1)}",
    key=Sort("h.id", "bigint"),
    columns=_change_columns("h"),
    sorts={"id": Sort("h.id", "bigint")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "h.customer_id = {}",
        "action": "h.action = {}",
        "source": "h.source = {}",
    },
)
"""The history of customers."""


_CUSTOMER_OF = SOURCE.replace("customer c", "customer c ON c.id = p.customer_id", 1)
bills = Listing(
    source=f"bill p JOIN {_CUSTOMER_OF}",
    key=Sort("p.id", "bigint"),
    columns={name: f"p.{name}" for name in ("subscription_id", "period", "charge_fen", "paid_on")},
    sorts={"period": Sort("p.period", "date")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "p.customer_id = {}",
        "subscription": "p.subscription_id = {}",
        "unpaid": "(p.paid_on IS NULL) = {}",
        "from": "p.period >= {}",
        "before": "p.period < {}",
    },
)
"""The bills of customers."""

subscriptions = Listing(
    source=f"subscription p JOIN {_CUSTOMER_OF} {_SIM_IN_USE}",
    key=Sort("p.id", "uuid"),
    columns={column.split(".")[1]: column for column in _LINE},
    sorts={"entry_date": Sort("p.entry_date", "date"), "msisdn": Sort("p.msisdn", "text")},
    filters={
        "scope": "starts_with(u.path, {})",
        "customer": "p.customer_id = {}",
        "status": "p.status = {}",
    },
)
"""The lines of customers, each with the SIM in use."""

contacts = Listing(
    source=f"contact_medium p JOIN {_CUSTOMER_OF}",
    key=Sort("p.id", "uuid"),
    columns={
        **{name: f"p.{name}" for name in ("id", "kind")},
        "value": mark_medium("p"),
        **{name: f"p.{name}" for name in ("preferred", "preferred_hours")},
    },
    sorts={"id": Sort("p.id", "uuid")},
    filters={"scope": "starts_with(u.path, {})", "customer": "p.customer_id = {}"},
)
"""The contact media of customers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A way to read one customer.

    Attributes:
        sql: takes the id and the reader's unit path, and gives version and JSON.
        columns: what the JSON is made of, as the select list of one customer ``c``.
        with_document_number: whether the number in clear was asked for, too.
        shows: what the reader sees, as the audit log names it.
        at_day: whether ``sql`` takes the business day, too.
        sealed: whether there are values to open in what ``sql`` gives.
        versioned: whether nothing of it changes while the version stays.
    """

    sql: str
    columns: str
    with_document_number: bool
    shows: tuple[str, ...]
    at_day: bool = False
    sealed: bool = False
    versioned: bool = True


EVERY_PART = "all"


@lru_cache(maxsize=1000)
def reading(
    fields: str | None,
    include: str | None,
    sight: Sight,
    parts: tuple[Part, ...] = OWN_PARTS,
) -> Reading:
    """Return how to read one customer.

    Args:
        fields: names separated by commas; all without it.
        include: parts to add, separated by commas, or ``all``.
        sight: what the reader sees in clear.
        parts: the parts that there are.

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
    offered = {part.name: part for part in parts}
    asked = [name.strip() for name in include.split(",")] if include else []
    asked = list(offered) if asked == [EVERY_PART] else asked
    for name in asked:
        if name not in offered:
            raise QueryInvalid("include", name, ", ".join([EVERY_PART, *offered]))
        columns[name] = offered[name].sql
        shows[seen(name, columns[name], sight)] = None
    values = visible(
        ", ".join(f"{expression} AS {name}" for name, expression in columns.items()), sight
    )
    sql = (
        f"SELECT c.version, row_to_json(p)::text FROM {SOURCE} CROSS JOIN LATERAL (SELECT {values}) p "
        "WHERE c.id = $1 AND starts_with(u.path, $2)"
    )
    versioned = all(offered[name].versioned for name in asked)
    return Reading(
        sql, values, len(wanted) < len(names), tuple(shows), TODAY in sql, is_sealed(sql), versioned
    )


async def read(
    connection: asyncpg.Connection | asyncpg.Pool,
    how: Reading,
    customer_id: UUID,
    unit_path: str,
    *,
    today: date | None = None,
) -> tuple[int, str]:
    """Return the version and the JSON of one customer; ``today`` is for what depends on the day.

    Raises:
        CustomerNotFound: if there is none below the unit.
        CustomerErased: if there was one.
    """
    values = (customer_id, unit_path, today) if how.at_day else (customer_id, unit_path)
    row = await connection.fetchrow(how.sql, *values)
    if row is None:
        raise await absent(connection, customer_id, unit_path)
    return row[0], row[1]


async def stored_document(
    connection: asyncpg.Connection | asyncpg.Pool, customer_id: UUID, unit_path: str
) -> tuple[str | None, bytes | None]:
    """Return the type and the encrypted number of a customer's document.

    Raises:
        CustomerNotFound: if there is none below the unit.
        CustomerErased: if there was one.
    """
    row = await connection.fetchrow(
        f"SELECT c.document_type, c.document_cipher FROM {SOURCE} WHERE c.id = $1 AND starts_with(u.path, $2)",
        customer_id,
        unit_path,
    )
    if row is None:
        raise await absent(connection, customer_id, unit_path)
    return row[0], row[1]


async def absent(
    connection: asyncpg.Connection | asyncpg.Pool, customer_id: UUID, unit_path: str
) -> Problem:
    """Return why there is no customer of this id: never was in scope, was merged into another one, or was erased."""
    survivor: UUID | None = await connection.fetchval(
        f"SELECT m.survivor_id FROM merged_customer m JOIN {SOURCE.replace('customer c', 'customer c ON c.id = m.survivor_id', 1)} "
        "WHERE m.id = $1 AND starts_with(u.path, $2)",
        customer_id,
        unit_path,
    )
    if survivor is not None:
        return CustomerMerged(customer_id, survivor)
    erased_at = await connection.fetchval(
        "SELECT c.updated_at FROM customer c JOIN organisation_unit u ON u.code = c.unit_code "
        f"WHERE c.id = $1 AND starts_with(u.path, $2) AND c.library = '{ERASED}'",
        customer_id,
        unit_path,
    )
    if erased_at is not None:
        return CustomerErased(customer_id, erased_at)
    return CustomerNotFound(customer=customer_id)


async def require_in_scope(
    connection: asyncpg.Connection | asyncpg.Pool, customer_id: UUID, unit_path: str
) -> None:
    """Refuse with 404 unless the customer is below the unit.

    Raises:
        CustomerNotFound: if it is not.
        CustomerErased: if it was, until it was erased.
    """
    sql = f"SELECT FROM {SOURCE} WHERE c.id = $1 AND starts_with(u.path, $2)"
    found: Any = await connection.fetchrow(sql, customer_id, unit_path)
    if found is None:
        raise await absent(connection, customer_id, unit_path)

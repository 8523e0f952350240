"""What can be exported of a customer: columns, their types and their SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.city_node.customer.profile import FIELDS
from services.city_node.export.models import Format
from shared.kernel.listing import QueryInvalid


class Kind(StrEnum):
    """The type of a column, as a file keeps it."""

    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, its SQL, and whether people type what is in it.

    ``clear`` is the SQL for those who may see contact media.
    """

    kind: Kind
    sql: str
    is_typed: bool = False
    clear: str | None = None


_KINDS = {
    **dict.fromkeys(("birth_date", "entry_date", "left_on"), Kind.DATE),
    **dict.fromkeys(("created_at", "updated_at"), Kind.INSTANT),
    **dict.fromkeys(("monthly_charge_fen", "total_charge_fen", "version"), Kind.INTEGER),
}
_TYPED = {
    *("name", "payment_method", "left_reason", "left_destination", "source", "source_key"),
    *("created_by", "updated_by"),
}


# ruff: noqa: S608 - every expression here is declared, never from input


def _medium(kind: str) -> Column:
    """Return the column of the customer's medium of a kind: the preferred one, or else the first."""
    found = (
        "(SELECT m.{} FROM contact_medium m WHERE m.customer_id = c.id "
        f"AND m.kind = '{kind}' ORDER BY m.preferred DESC, m.id LIMIT 1)"
    )
    return Column(
        Kind.TEXT, found.format("value_masked"), is_typed=True, clear=found.format("value")
    )


_LINES = (
    "(SELECT string_agg(s.msisdn, ' ' ORDER BY s.entry_date, s.id) FROM subscription s "
    "WHERE s.customer_id = c.id AND s.status <> 'ended')"
)

COLUMNS: Mapping[str, Column] = {
    **{name: Column(_KINDS.get(name, Kind.TEXT), f"c.{name}", name in _TYPED) for name in FIELDS},
    "attributes": Column(Kind.TEXT, "c.attributes::text"),
    "msisdns": Column(Kind.TEXT, _LINES),
    "phone": _medium("phone"),
    "email": _medium("email"),
    "address": _medium("postal"),
}
"""Every column that can be asked for. A document number is there masked, and never in clear."""
DEFAULT = tuple(FIELDS)


def check_columns(names: Iterable[str] | None) -> list[str]:
    """Return the columns that are asked for; the profile's without any.

    Raises:
        QueryInvalid: for one that there is not.
    """
    asked = list(dict.fromkeys(names)) if names is not None else list(DEFAULT)
    for name in asked:
        if name not in COLUMNS:
            raise QueryInvalid("columns", name, ", ".join(COLUMNS))
    return asked


def row_sql(names: Iterable[str], format_: Format, *, shows_contacts: bool) -> str:
    """Return the SQL of a row."""
    parts = []
    for name in names:
        column = COLUMNS[name]
        sql = column.clear if shows_contacts and column.clear else column.sql
        parts.append(_harmless(sql) if column.is_typed and format_ is Format.CSV else sql)
    return ", ".join(parts)


# = + - @, tab, line feed and carriage return, and the full-width forms of the first four.
_BEGIN_FORMULAS = "61, 43, 45, 64, 9, 10, 13, 65309, 65291, 65293, 65312"


def _harmless(sql: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe goes before what begins like one."""
    return f"CASE WHEN ascii({sql}) IN ({_BEGIN_FORMULAS}) THEN '''' || {sql} ELSE {sql} END"

"""What can be exported of a customer: columns, their types and their SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.city_node.customer.privacy import (
    SHOWING,
    Sight,
    birth_date,
    mark_medium,
    visible,
)
from services.city_node.customer.profile import FIELDS
from services.city_node.export.models import Format
from shared.kernel.listing import QueryInvalid
from shared.kernel.tabular import Kind, Layout


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, its SQL with marks for personal values, and whether people type what is in it."""

    kind: Kind
    sql: str
    is_typed: bool = False


_KINDS = {
    **dict.fromkeys(("entry_date", "left_on"), Kind.DATE),
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
        f"(SELECT {mark_medium('m')} FROM contact_medium m WHERE m.customer_id = c.id "
        f"AND m.kind = '{kind}' ORDER BY m.preferred DESC, m.id LIMIT 1)"
    )
    return Column(Kind.TEXT, found, is_typed=True)


_LINES = (
    "(SELECT string_agg(s.msisdn, ' ' ORDER BY s.entry_date, s.id) FROM subscription s "
    "WHERE s.customer_id = c.id AND s.status <> 'ended')"
)

COLUMNS: Mapping[str, Column] = {
    **{name: Column(_KINDS.get(name, Kind.TEXT), f"c.{name}", name in _TYPED) for name in FIELDS},
    "birth_date": Column(Kind.DATE, birth_date.mark("c.birth_date")),
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


def layout(names: Iterable[str], sight: Sight) -> Layout:
    """Return the columns of a file as somebody sees them: what is masked is text, whatever it is in clear."""
    return {name: _kind(COLUMNS[name], sight) for name in names}


def _kind(column: Column, sight: Sight) -> Kind:
    is_clear = visible(column.sql, sight) == visible(column.sql, SHOWING)
    return column.kind if is_clear else Kind.TEXT


def row_sql(names: Iterable[str], format_: Format, sight: Sight) -> str:
    """Return the SQL of a row as somebody sees it; sealed values are opened in the rows."""
    parts = []
    for name in names:
        column = COLUMNS[name]
        sql = visible(column.sql, sight)
        parts.append(_harmless(sql) if column.is_typed and format_ is Format.CSV else sql)
    return ", ".join(parts)


# = + - @, tab, line feed and carriage return, and the full-width forms of the first four.
_BEGIN_FORMULAS = "61, 43, 45, 64, 9, 10, 13, 65309, 65291, 65293, 65312"


def _harmless(sql: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe goes before what begins like one."""
    return f"CASE WHEN ascii({sql}) IN ({_BEGIN_FORMULAS}) THEN '''' || {sql} ELSE {sql} END"

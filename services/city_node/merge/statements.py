"""The SQL of moving what refers to one customer to another, and of moving it back."""

from sqlalchemy.dialects import postgresql

from services.city_node.merge.references import MOVES_UNDECLARED, Reference

# ruff: noqa: S608 - put together from the names of tables and columns, never from input


_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's own has no types


def set_aside(reference: Reference) -> str | None:
    """Return the statement that sets aside what the survivor's own rows contradict, if anything can.

    It takes ``merge``, ``survivor`` and ``merged``.
    """
    table, column = reference.table.name, reference.column
    key = ", ".join(each.name for each in reference.key)
    found = [
        f"SELECT {key} FROM {table} WHERE {column} = :merged AND {other} = :survivor"
        for other in reference.others
    ]
    for rival in reference.rivals:
        rows = f"(SELECT * FROM {table}{f' WHERE {rival.where}' if rival.where else ''})"
        same = "".join(f" AND s.{name} = m.{name}" for name in rival.columns)
        found.append(
            f"SELECT {', '.join(f'm.{each.name}' for each in reference.key)} FROM {rows} m "
            f"JOIN {rows} s ON s.{column} = :survivor{same} WHERE m.{column} = :merged"
        )
    if not found:
        return None
    return f"""
        WITH gone AS (DELETE FROM {table} WHERE ({key}) IN ({" UNION ".join(found)}) RETURNING *)
        INSERT INTO customer_merge_row (merge_id, table_name, column_name, key, row)
        SELECT CAST(:merge AS uuid), '{table}', '{column}', {_key(reference, "gone")}, to_jsonb(gone) FROM gone"""


def move(reference: Reference) -> str:
    """Return the statement that moves what refers to ``merged`` to ``survivor``, and remembers it for ``merge``."""
    table, column = reference.table.name, reference.column
    marks = "".join(f", {mark}" for mark in reference.marks)
    keeps = "".join(
        f", {mark} = t.{mark} AND NOT EXISTS (SELECT FROM {table} s WHERE s.{column} = :survivor AND s.{mark})"
        for mark in reference.marks
    )
    was = "".join(f", was.{mark} AS was_{mark}" for mark in reference.marks)
    given_up = ", ".join(f"'{mark}', moved.was_{mark}" for mark in reference.marks)
    extra = "".join(f" - 'was_{mark}'" for mark in reference.marks)
    return f"""
        WITH was AS (
            SELECT {", ".join(each.name for each in reference.key)}{marks} FROM {table}
            WHERE {column} = :merged{_through_lines(reference)}),
        moved AS (
            UPDATE {table} t SET {column} = :survivor{keeps} FROM was
            WHERE {_same_key(reference, "was")} RETURNING t.*{was})
        INSERT INTO customer_merge_row (merge_id, table_name, column_name, key, before, digest)
        SELECT CAST(:merge AS uuid), '{table}', '{column}', {_key(reference, "moved")}, jsonb_build_object({given_up}),
               {_digest(reference, f"(to_jsonb(moved){extra})")} FROM moved"""


def changed_since(reference: Reference) -> str:
    """Return the query for the rows that ``merge`` moved and that are not as it left them."""
    return f"""
        SELECT r.key FROM customer_merge_row r
        LEFT JOIN LATERAL (
            SELECT {_digest(reference, "to_jsonb(t)")} AS digest FROM {reference.table.name} t
            WHERE {_keyed(reference)} AND t.{reference.column} = :survivor) t ON true
        WHERE {_rows_of(reference)} AND r.row IS NULL AND t.digest IS DISTINCT FROM r.digest"""


def move_back(reference: Reference) -> str:
    """Return the statement that moves back what ``merge`` had moved."""
    table, column = reference.table.name, reference.column
    marks = "".join(
        f", {mark} = CAST(r.before ->> '{mark}' AS boolean)" for mark in reference.marks
    )
    return f"""
        UPDATE {table} t SET {column} = :merged{marks} FROM customer_merge_row r
        WHERE {_rows_of(reference)} AND r.row IS NULL AND {_keyed(reference)}"""


def follow_lines(reference: Reference) -> str | None:
    """Return the statement that lets what came since for a line that goes back go with it, if rows belong to lines."""
    if reference.line is None:
        return None
    return f"""
        UPDATE {reference.table.name} t SET {reference.column} = :merged FROM subscription l
        WHERE l.customer_id = :merged AND t.{reference.line} = l.id AND t.{reference.column} = :survivor"""


def put_back(reference: Reference) -> str:
    """Return the statement that puts back what ``merge`` had set aside."""
    table = reference.table.name
    return f"""
        INSERT INTO {table} OVERRIDING SYSTEM VALUE
        SELECT t.* FROM customer_merge_row r CROSS JOIN LATERAL jsonb_populate_record(CAST(NULL AS {table}), r.row) t
        WHERE {_rows_of(reference)} AND r.row IS NOT NULL"""


def _through_lines(reference: Reference) -> str:
    """Return how rows are found that have no index by customer: by the customer's lines, which have moved by then."""
    if reference.name not in MOVES_UNDECLARED or reference.line is None:
        return ""
    lines = "SELECT id FROM subscription WHERE customer_id IN (:survivor, :merged)"
    return f" AND {reference.line} IN ({lines})"


def _rows_of(reference: Reference) -> str:
    return (
        f"r.merge_id = :merge AND r.table_name = '{reference.table.name}' "
        f"AND r.column_name = '{reference.column}'"
    )


def _key(reference: Reference, row: str) -> str:
    pairs = ", ".join(f"'{each.name}', {row}.{each.name}" for each in reference.key)
    return f"jsonb_build_object({pairs})"


def _same_key(reference: Reference, row: str) -> str:
    return " AND ".join(f"t.{each.name} = {row}.{each.name}" for each in reference.key)


def _keyed(reference: Reference) -> str:
    """Return the condition that ``t`` is the row that ``r`` remembers, as the primary key's index answers it."""
    return " AND ".join(
        f"t.{each.name} = CAST(r.key ->> '{each.name}' AS {each.type.compile(_DIALECT)})"
        for each in reference.key
    )


def _digest(reference: Reference, row: str) -> str:
    # Without what is empty, so that a column that a later release adds changes no digest.
    hidden = "".join(f" - '{name}'" for name in reference.hidden)
    return f"md5(CAST(jsonb_strip_nulls({row}){hidden} AS text))"

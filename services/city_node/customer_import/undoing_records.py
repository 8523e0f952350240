"""The statements that undo an import of bills, usage or interactions.

``import_number`` tells which records an import wrote last. One that it corrected is restored; one that was corrected
since by another import carries that one's number, and is kept; the rest was made by the import, and is removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.city_node.customer_import.line_records import LineRecord

# ruff: noqa: S608 - put together from the texts of this package; values are bound


@dataclass(frozen=True, slots=True)
class RecordStatements:
    """What is run first, and what is counted."""

    prepare: Sequence[str]
    count: Sequence[str]


def statements(record: LineRecord) -> RecordStatements:
    """Return the statements for one kind of record."""
    table = record.table
    key = (
        "k.id"
        if table != "usage_month"
        else "concat_ws('/', k.subscription_id, k.period, k.kind, k.band)"
    )
    own = (
        "k.id = p.id"
        if table != "usage_month"
        else " AND ".join(f"k.{name} = p.{name}" for name in ("subscription_id", *record.key))
    )
    image = f"CROSS JOIN LATERAL jsonb_populate_record(CAST(NULL AS {table}), r.before) p"
    sets = ", ".join(f"{name} = p.{name}" for name in (*record.values, "import_number"))
    earliest = f"""
        INSERT INTO undo_record
        SELECT DISTINCT ON (b.key) b.record, b.key, b.customer_id, b.before FROM customer_import_before b
        WHERE b.import_id = :import_id AND b.record = '{table}' ORDER BY b.key, b.id"""
    kept = f"""
        INSERT INTO customer_import_kept (import_id, customer_id, record, key, reason)
        SELECT DISTINCT CAST(:import_id AS uuid), b.customer_id, '{table}', b.key, 'was changed since by import ' || k.import_number
        FROM customer_import_before b CROSS JOIN LATERAL jsonb_populate_record(CAST(NULL AS {table}), b.before) p JOIN {table} k ON {own}
        WHERE b.record = '{table}' AND (p.import_number = :import_number OR b.import_id = :import_id)
          AND k.import_number > :import_number"""
    mine = "k.import_number = :import_number"
    moved = f"""
        INSERT INTO undo_charge (customer_id, moved)
        SELECT k.customer_id, CAST(sum(k.charge_fen - coalesce(CAST(r.before ->> 'charge_fen' AS bigint), 0)) AS bigint)
        FROM {table} k LEFT JOIN undo_record r ON r.key = CAST({key} AS text) WHERE {mine} GROUP BY k.customer_id"""
    restore = f"UPDATE {table} k SET {sets} FROM undo_record r {image} WHERE {own} AND {mine}"
    remove = f"DELETE FROM {table} k WHERE {mine}"
    prepare = [earliest, kept]
    if table == "bill":
        prepare.append(moved)
    return RecordStatements(prepare, [restore, remove])


CHARGES = (
    """
    UPDATE undo_charge u SET monthly_then = h.first, monthly_now = h.last
    FROM (SELECT c.customer_id,
                 (array_agg(CAST(e.item ->> 'old' AS bigint) ORDER BY c.id))[1] AS first,
                 (array_agg(CAST(e.item ->> 'new' AS bigint) ORDER BY c.id DESC))[1] AS last
          FROM customer_change c CROSS JOIN LATERAL jsonb_array_elements(c.changes) e(item)
          WHERE c.cause_id = :import_id AND c.action = 'changed' AND e.item ->> 'field' = 'monthly_charge_fen' GROUP BY c.customer_id) h
    WHERE h.customer_id = u.customer_id""",
    """
    INSERT INTO customer_change (customer_id, at, by, source, action, changes, cause_id)
    SELECT c.id, :now, :by, 'import', 'import_undone', d.changes, :import_id
    FROM undo_charge u JOIN customer c ON c.id = u.customer_id
    CROSS JOIN LATERAL (SELECT
        CASE WHEN c.monthly_charge_fen = u.monthly_now AND u.monthly_then <> u.monthly_now THEN jsonb_build_array(jsonb_build_object(
            'field', 'monthly_charge_fen', 'old', c.monthly_charge_fen, 'new', u.monthly_then)) ELSE '[]' END
        || CASE WHEN u.moved <> 0 THEN jsonb_build_array(jsonb_build_object(
            'field', 'total_charge_fen', 'old', c.total_charge_fen, 'new', c.total_charge_fen - u.moved)) ELSE '[]' END AS changes) d
    WHERE d.changes <> '[]'""",
    """
    UPDATE customer c SET total_charge_fen = c.total_charge_fen - u.moved,
        monthly_charge_fen = CASE WHEN c.monthly_charge_fen = u.monthly_now THEN u.monthly_then ELSE c.monthly_charge_fen END,
        version = c.version + 1, updated_at = :now, updated_by = :by
    FROM undo_charge u WHERE u.customer_id = c.id AND (u.moved <> 0 OR c.monthly_charge_fen = u.monthly_now)""",
)
"""Taking back what bills did to the charges of their customers."""

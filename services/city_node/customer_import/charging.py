"""What bills change about their customers: the charge of a month, and of all months.

A customer's total moves by what is billed, so that it stays right whatever it began with, in whatever order bills
arrive, and when they are taken back. The monthly charge is that of the customer's latest month, summed over the lines,
once a bill of that month arrives. Both are part of the profile: changed under the customer's lock, with history.
"""

from services.city_node.customer_import.staging import Staging

CHARGE_TABLE = "import_charge (customer_id uuid, monthly bigint, total bigint, changes jsonb)"
_CORRECTIONS = """coalesce(jsonb_agg(jsonb_build_object(
    'field', 'bills/' || f.msisdn || '/' || to_char(f.period, 'YYYY-MM') || '/charge_fen', 'old', f.before_charge_fen, 'new', f.charge_fen))
    FILTER (WHERE f.before_charge_fen <> f.charge_fen), '[]')"""
_WORK_OUT = """
    INSERT INTO import_charge
    SELECT c.id, l.monthly, c.total_charge_fen + m.moved,
           m.corrections
           || CASE WHEN c.monthly_charge_fen <> l.monthly THEN jsonb_build_array(jsonb_build_object(
                'field', 'monthly_charge_fen', 'old', c.monthly_charge_fen, 'new', l.monthly)) ELSE '[]' END
           || CASE WHEN m.moved <> 0 THEN jsonb_build_array(jsonb_build_object(
                'field', 'total_charge_fen', 'old', c.total_charge_fen, 'new', c.total_charge_fen + m.moved)) ELSE '[]' END
    FROM (SELECT f.customer_id, CAST(sum(f.charge_fen - coalesce(f.before_charge_fen, 0)) AS bigint) AS moved, max(f.period) AS latest,
                 {corrections} AS corrections
          FROM import_found f WHERE NOT (f.known AND f.same) GROUP BY f.customer_id) m
    JOIN customer c ON c.id = m.customer_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN b.period <= m.latest THEN CAST(sum(b.charge_fen) AS bigint) ELSE c.monthly_charge_fen END AS monthly
        FROM bill b WHERE b.customer_id = c.id GROUP BY b.period ORDER BY b.period DESC LIMIT 1) l"""
_APPLY = """
    UPDATE customer c SET monthly_charge_fen = g.monthly, total_charge_fen = g.total,
        version = c.version + 1, updated_at = :now, updated_by = :by
    FROM import_charge g WHERE g.customer_id = c.id AND g.changes <> '[]'"""
_KEEP = """
    INSERT INTO customer_change (customer_id, at, by, source, action, changes, cause_id)
    SELECT g.customer_id, :now, :by, 'import', 'changed', g.changes, :import_id FROM import_charge g WHERE g.changes <> '[]'"""


async def charge(staging: Staging, *, corrected: bool) -> None:
    """Bring the charges of the customers up to date whose bills a portion has written.

    Args:
        staging: the portion.
        corrected: whether bills are among them that were known otherwise: they go into the history, too.
    """
    work_out = _WORK_OUT.format(corrections=_CORRECTIONS if corrected else "jsonb '[]'")
    for statement in ("TRUNCATE import_charge", work_out, _APPLY, _KEEP):
        await staging.run(statement)

"""The statements that undo an import of customers or of their lines.

``undo_customer`` has every customer that the import made or changed, with the reason if the customer is kept;
``undo_record`` the records of known customers as they were.
"""

from collections.abc import Sequence

# ruff: noqa: S608 - put together from the texts of this module and names of the catalogue; values are bound
_OWN = {
    "customer": ("subscription", "bill", "contact_medium", "customer_change"),
    "subscription": ("sim", "bill"),
}
"""What an import itself makes below a customer and a line."""
_CUSTOMERS = """
    INSERT INTO undo_customer
    SELECT h.customer_id, min(h.id), bool_or(h.action = 'created'), NULL FROM customer_change h
    WHERE h.cause_id = :import_id AND NOT EXISTS (
        SELECT FROM customer_change z WHERE z.customer_id = h.customer_id AND z.cause_id = :import_id AND z.action = 'import_undone')
    GROUP BY h.customer_id"""
_LOCK = """
    SELECT FROM customer c WHERE c.id IN (SELECT u.customer_id FROM undo_customer u) ORDER BY c.id FOR UPDATE"""
_CHANGED_SINCE = """
    UPDATE undo_customer u SET reason = 'was changed since' WHERE EXISTS (
        SELECT FROM customer_change h WHERE h.customer_id = u.customer_id AND h.id > u.first AND h.cause_id IS DISTINCT FROM :import_id
        AND NOT EXISTS (SELECT FROM customer_change z WHERE z.customer_id = h.customer_id AND z.cause_id = h.cause_id AND z.action = 'import_undone'))"""
_NEW_LINES = """
    SELECT b.customer_id, CAST(b.key AS uuid) AS id FROM customer_import_before b
    WHERE b.import_id = :import_id AND b.record = 'subscription' AND b.before IS NULL"""
_LINES = f"""
    SELECT s.customer_id, s.id FROM subscription s JOIN undo_customer u ON u.customer_id = s.customer_id WHERE u.created
    UNION ALL {_NEW_LINES}"""
_BILLED = f"""
    UPDATE undo_customer u SET reason = 'has bills from elsewhere' FROM ({_LINES}) l, bill b
    WHERE l.customer_id = u.customer_id AND u.reason IS NULL AND b.subscription_id = l.id AND b.import_number IS DISTINCT FROM :import_number"""
_RECORDS = """
    INSERT INTO undo_record
    SELECT DISTINCT ON (b.record, b.key) b.record, b.key, b.customer_id, b.before
    FROM customer_import_before b JOIN undo_customer u ON u.customer_id = b.customer_id
    WHERE b.import_id = :import_id AND u.reason IS NULL AND NOT u.created ORDER BY b.record, b.key, b.id"""


def judge(references: Sequence[tuple[str, str, str]]) -> Sequence[str]:
    """Return the statements that find what is to be undone, and what of it cannot be.

    Args:
        references: table and column of every foreign key, and the table that it refers to: customer or subscription.
    """
    found = [_CUSTOMERS, _LOCK, _CHANGED_SINCE, _BILLED]
    for table, column, referred in references:
        if table in _OWN[referred]:
            continue
        reason = f"UPDATE undo_customer u SET reason = 'is referred to by {table}' FROM"
        if referred == "customer":
            found.append(
                f"{reason} {table} t WHERE u.created AND u.reason IS NULL AND t.{column} = u.customer_id"
            )
        else:
            found.append(
                f"{reason} ({_LINES}) l, {table} t WHERE l.customer_id = u.customer_id AND u.reason IS NULL AND t.{column} = l.id"
            )
    return (*found, _RECORDS)


_GONE = "u.created AND u.reason IS NULL"
_ADDED = "r.before IS NULL AND r.record"
REMOVE = (
    f"DELETE FROM sim m USING subscription s, undo_customer u WHERE m.subscription_id = s.id AND s.customer_id = u.customer_id AND {_GONE}",
    *(
        f"DELETE FROM {table} t USING undo_customer u WHERE t.customer_id = u.customer_id AND {_GONE}"
        for table in ("bill", "contact_medium", "subscription", "customer_change")
    ),
    f"DELETE FROM customer c USING undo_customer u WHERE c.id = u.customer_id AND {_GONE}",
    f"DELETE FROM sim m USING undo_record r WHERE {_ADDED} = 'sim' AND m.iccid = r.key",
    """
    DELETE FROM bill b USING undo_customer u WHERE b.customer_id = u.customer_id AND u.reason IS NULL
      AND b.import_number = :import_number AND NOT EXISTS (SELECT FROM undo_record r WHERE r.record = 'bill' AND r.key = CAST(b.id AS text))""",
    f"DELETE FROM subscription s USING undo_record r WHERE {_ADDED} = 'subscription' AND s.id = CAST(r.key AS uuid)",
    f"DELETE FROM contact_medium m USING undo_record r WHERE {_ADDED} = 'contact_medium' AND m.id = CAST(r.key AS uuid)",
)
"""Removing what was made, the youngest first."""
_FORGET_KEPT = "DELETE FROM undo_record r USING undo_customer u WHERE u.customer_id = r.customer_id AND u.reason IS NOT NULL"
JUDGE_RESTORED = (
    """
    UPDATE undo_customer u SET reason = 'had a document that another customer has now' FROM undo_record r, customer c
    WHERE r.customer_id = u.customer_id AND r.record = 'customer' AND c.document_index = CAST(r.before ->> 'document_index' AS bytea)
      AND c.id NOT IN (SELECT o.customer_id FROM undo_record o WHERE o.record = 'customer')
      AND c.id NOT IN (SELECT g.customer_id FROM undo_customer g WHERE g.created AND g.reason IS NULL)""",
    """
    UPDATE undo_customer u SET reason = 'had a number that is on another line now' FROM undo_record r, subscription s
    WHERE r.customer_id = u.customer_id AND r.record = 'subscription' AND r.before ->> 'status' <> 'ended'
      AND s.msisdn = r.before ->> 'msisdn' AND s.status <> 'ended' AND s.id <> CAST(r.key AS uuid)
      AND NOT EXISTS (SELECT FROM undo_record a WHERE a.record = 'subscription' AND a.key = CAST(s.id AS text)
                      AND coalesce(a.before ->> 'status', 'ended') = 'ended')
      AND s.customer_id NOT IN (SELECT g.customer_id FROM undo_customer g WHERE g.created AND g.reason IS NULL)""",
    _FORGET_KEPT,
)
"""Finding what cannot be as it was, because another has it."""
_PROFILE = (
    "name", "name_sort", "kind", "library", "sex", "birth_date", "document_type", "document_cipher", "document_index",
    "document_masked", "level", "unit_code", "contract_term", "payment_method", "monthly_charge_fen", "total_charge_fen",
    "entry_date", "left_on", "left_reason", "left_destination", "left_competitor", "left_note", "attributes",
)  # fmt: skip


def _restore(table: str, key: str, kind: str, columns: Sequence[str]) -> str:
    sets = ", ".join(f"{name} = p.{name}" for name in columns)
    return f"""
        UPDATE {table} k SET {sets} FROM undo_record r CROSS JOIN LATERAL jsonb_populate_record(CAST(NULL AS {table}), r.before) p
        WHERE r.record = '{table}' AND r.before IS NOT NULL AND k.{key} = CAST(r.key AS {kind})"""


RESTORE = (
    # Two customers may have come by one another's documents: nobody has any for a moment.
    """
    UPDATE customer c SET document_type = NULL, document_cipher = NULL, document_index = NULL, document_masked = NULL
    FROM undo_record r WHERE r.record = 'customer' AND c.id = CAST(r.key AS uuid)""",
    _restore("customer", "id", "uuid", _PROFILE),
    _restore(
        "subscription",
        "id",
        "uuid",
        ("brand", "plan", "contract_term", "status", "entry_date", "ended_on"),
    ),
    _restore("sim", "iccid", "text", ("state", "ended_at")),
    _restore("bill", "id", "bigint", ("charge_fen", "paid_on", "import_number")),
    """
    INSERT INTO customer_change (customer_id, at, by, source, action, changes, cause_id)
    SELECT u.customer_id, :now, :by, 'import', 'import_undone',
           jsonb_agg(jsonb_build_object('field', e.item -> 'field', 'old', e.item -> 'new', 'new', e.item -> 'old') ORDER BY h.id DESC),
           :import_id
    FROM undo_customer u JOIN customer_change h ON h.customer_id = u.customer_id AND h.cause_id = :import_id
    CROSS JOIN LATERAL jsonb_array_elements(h.changes) e(item)
    WHERE u.reason IS NULL AND NOT u.created GROUP BY u.customer_id""",
    """
    UPDATE customer c SET version = c.version + 1, updated_at = :now, updated_by = :by
    FROM undo_customer u WHERE u.customer_id = c.id AND u.reason IS NULL AND NOT u.created""",
)
"""Bringing back what was changed, with a row of history."""
KEEP = (
    """
    INSERT INTO customer_import_kept (import_id, customer_id, record, key, reason)
    SELECT CAST(:import_id AS uuid), u.customer_id, 'customer', c.customer_number, u.reason
    FROM undo_customer u JOIN customer c ON c.id = u.customer_id WHERE u.reason IS NOT NULL ORDER BY c.customer_number""",
)
"""Listing what was kept."""

"""What a batch of rows contradicts: itself, the rows before it, or customers of the node.

Each check is a ``SELECT`` of line, column, value and reason, over the whole batch at once. A row that fails one is
reported and taken out of the batch with all that it holds.
"""

from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.staging import Staging

# ruff: noqa: S608 - put together from the texts of this module; values are bound
_OTHERS = "(c.source, c.source_key) IS DISTINCT FROM (:source, r.key)"
_HOLDER = "CASE WHEN starts_with(u.path, :scope) THEN 'customer ' || c.customer_number ELSE 'a customer of another unit' END"
_HELD = "JOIN customer c ON c.id = s.customer_id JOIN organisation_unit u ON u.code = c.unit_code"
_ON_A_LINE = "r.library = 'in_network'"


def _twice(column: str, label: str, shown: str, *, where: str = "true") -> str:
    return f"""
        SELECT line, {label}, shown, 'is on line ' || first || ' too'
        FROM (SELECT r.line, {shown} AS shown, min(r.line) OVER (PARTITION BY r.{column}) AS first
              FROM import_claim r WHERE r.{column} IS NOT NULL AND {where}) repeated
        WHERE first < line"""


_KEY = [
    _twice("key", ":key_column", "r.key"),
    "SELECT r.line, :key_column, r.key, 'is on line ' || k.line || ' too' FROM import_claim r JOIN import_key k ON k.key = r.key",
]
_PRESENT = [
    """SELECT r.line, :key_column, r.key,
            CASE WHEN starts_with(u.path, :scope) THEN 'belongs to a customer who left on ' || c.left_on || ': restore the profile first'
                 ELSE 'belongs to a customer of another unit' END
        FROM import_claim r JOIN customer c ON c.source = :source AND c.source_key = r.key
        JOIN organisation_unit u ON u.code = c.unit_code
        WHERE NOT starts_with(u.path, :scope) OR (c.library = 'retained' AND r.library = 'in_network')""",
]
_UNIT = [
    """SELECT r.line, :of_unit_code, r.unit_code, 'is not an active unit within the importer''s scope'
        FROM import_claim r LEFT JOIN organisation_unit u ON u.code = r.unit_code AND u.active AND starts_with(u.path, :scope)
        WHERE u.code IS NULL"""
]
_UNKNOWN = [
    """SELECT r.line, :key_column, r.key, 'belongs to no customer, and the mapping fills too little to make one: customer.name and customer.entry_date'
        FROM import_claim r WHERE NOT EXISTS (SELECT FROM customer c WHERE c.source = :source AND c.source_key = r.key)"""
]
_DOCUMENT = [
    _twice("document_index", ":of_document_number", "r.document_masked"),
    f"""SELECT r.line, :of_document_number, r.document_masked, 'belongs to ' || {_HOLDER}
        FROM import_claim r JOIN customer c ON c.document_index = r.document_index
        JOIN organisation_unit u ON u.code = c.unit_code WHERE {_OTHERS}""",
]
_MSISDN = [
    _twice("msisdn", ":of_msisdn", "r.msisdn", where=_ON_A_LINE),
    f"""SELECT r.line, :of_msisdn, r.msisdn, 'is on a line of ' || {_HOLDER}
        FROM import_claim r JOIN subscription s ON s.msisdn = r.msisdn AND s.status <> 'ended' {_HELD}
        WHERE {_OTHERS} AND {_ON_A_LINE}""",
]
_SIM = [
    _twice("iccid", ":of_iccid", "r.iccid"),
    _twice("imsi", ":of_imsi", "r.imsi"),
    f"""SELECT r.line, :of_iccid, r.iccid,
            CASE WHEN m.imsi <> r.imsi THEN 'has another IMSI' ELSE 'is or was the SIM of ' || s.msisdn || ', a line of ' || {_HOLDER} END
        FROM import_claim r JOIN sim m ON m.iccid = r.iccid JOIN subscription s ON s.id = m.subscription_id {_HELD}
        WHERE {_OTHERS} OR s.msisdn <> r.msisdn OR m.imsi <> r.imsi""",
    """SELECT r.line, :of_imsi, r.imsi, 'is of SIM ' || m.iccid
        FROM import_claim r JOIN sim m ON m.imsi = r.imsi WHERE m.iccid <> r.iccid""",
]


def checks(mapping: ImportMapping) -> str:
    """Return the one statement that reports every contradiction of a batch."""
    selects = [*_KEY, *_PRESENT, *_UNIT]
    if not mapping.makes_customers:
        selects += _UNKNOWN
    for name, more in (
        ("customer.document_number", _DOCUMENT),
        ("subscription.msisdn", _MSISDN),
        ("sim.iccid", _SIM),
    ):
        if mapping.fills(name):
            selects += more
    found = "\nUNION ALL ".join(selects)
    return (
        'INSERT INTO customer_import_reject (import_id, line, "column", value, reason)\n'
        f'SELECT CAST(:import_id AS uuid), wrong.* FROM ({found}) wrong (line, "column", value, reason) ORDER BY line'
    )


async def contradicted(staging: Staging, statement: str) -> frozenset[int]:
    """Report what the batch contradicts; returns the lines that are therefore not loaded."""
    faults = await staging.run(statement)
    await staging.run(
        "INSERT INTO import_key SELECT key, min(line) FROM import_claim GROUP BY key ON CONFLICT DO NOTHING"
    )
    if not faults:
        return frozenset()
    return await staging.lines(
        "SELECT DISTINCT r.line FROM import_claim r JOIN customer_import_reject f ON f.line = r.line WHERE f.import_id = :import_id"
    )

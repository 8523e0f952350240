"""What an import keeps of the records that it changes, so that it can be undone.

For a customer who was known, ``customer_import_before`` gets each record as it was before it was changed, and the name
of each record that was added. Of new customers, and of the bills, usage and interactions that were added, it gets
nothing: the history names the one, and their own column ``import_number`` the others.
"""

# ruff: noqa: S608 - put together from the texts of this module
_KEEP = "INSERT INTO customer_import_before (import_id, customer_id, record, key, before)"


def images(record: str, key: str, source: str) -> str:
    """Return the statement that keeps rows as they are.

    Args:
        record: their table.
        key: SQL of their key.
        source: what follows ``FROM``: ``k`` are the rows, ``r`` has the customer's id.
    """
    return f"{_KEEP} SELECT CAST(:import_id AS uuid), r.customer_id, '{record}', CAST({key} AS text), to_jsonb(k) FROM {source}"


def added(record: str, key: str, insert: str, *, through: str | None = None) -> str:
    """Return an ``INSERT`` that also notes which rows it adds.

    Args:
        record: their table.
        key: its key column.
        insert: the statement, without ``RETURNING``.
        through: column of ``import_row`` that equals the key, for a table without the customer's id.
    """
    returned, source = f"{key}, customer_id", "made r"
    if through is not None:
        returned, source = key, f"made JOIN import_row r ON r.{through} = made.{key}"
    return f"""
        WITH made AS ({insert} RETURNING {returned})
        {_KEEP} SELECT CAST(:import_id AS uuid), r.customer_id, '{record}', CAST(r.{through or key} AS text), NULL FROM {source}"""

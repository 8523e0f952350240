"""Which customer a row is about: the one to whom its key leads.

A customer has the key of the row that made the profile, and, after merges, the keys of the profiles that were merged
into it (``customer_further_key``). Several rows of one file may so lead to one customer. One of these keys *governs*:
the customer's own, or where that is of another source, the one that came first. What the file says under it about the
profile is loaded; rows of the other keys only bring what hangs on the customer: lines, SIMs, bills, contact media.
So a person's choice of whose values stay is not undone by the next extract, and the same file twice changes nothing.
"""

from uuid import UUID

from services.city_node.customer_import.problems import ImportDisturbed
from services.city_node.customer_import.staging import Staging

BY_KEY = """(
    SELECT o.id FROM customer o WHERE o.source = :customers AND o.source_key = r.key
    UNION ALL SELECT f.customer_id FROM customer_further_key f WHERE f.source = :customers AND f.source_key = r.key)"""
"""The customer to whom the key of a row ``r`` leads."""
ELSEWHERE = "belongs to a customer who is moving or has moved to another city"
_BY_OWN = """
    UPDATE import_claim r SET customer_id = c.id FROM customer c WHERE c.source = :customers AND c.source_key = r.key"""
_BY_FURTHER = """
    UPDATE import_claim r SET customer_id = k.customer_id,
        governs = c.source IS DISTINCT FROM k.source AND NOT EXISTS (
            SELECT FROM customer_further_key e WHERE e.customer_id = k.customer_id AND e.source = k.source
              AND (e.at, e.source_key) < (k.at, k.source_key))
    FROM customer_further_key k JOIN customer c ON c.id = k.customer_id
    WHERE k.source = :customers AND k.source_key = r.key"""
_BY_ANOTHER_KEY = """
    SELECT min(a.line) FROM (
        SELECT r.line, r.key, first_value(r.key) OVER (PARTITION BY r.customer_id ORDER BY r.line) AS first
        FROM import_claim r WHERE r.customer_id IS NOT NULL) a
    WHERE a.key <> a.first HAVING min(a.line) IS NOT NULL"""
_FIRST = "SELECT customer_id, min(line) FROM import_claim WHERE customer_id IS NOT NULL GROUP BY customer_id"
# In the order of ids, so that the locks of two who change several customers never cross.
_LOCK = "SELECT r.line FROM import_claim r JOIN customer c ON c.id = r.customer_id ORDER BY c.id FOR UPDATE OF c"
_KNOWN = "SELECT line FROM import_claim WHERE customer_id IS NOT NULL"


async def know(staging: Staging) -> list[int]:
    """Find the customers of the portion; return the first line that an earlier one makes wait, if there is one."""
    await staging.run(_BY_OWN)
    if await staging.run(_BY_FURTHER):
        return [line for (line,) in await staging.rows(_BY_ANOTHER_KEY)]
    return []


async def first_lines(staging: Staging) -> dict[UUID, int]:
    """Return the first line of the portion about each customer."""
    return {row[0]: row[1] for row in await staging.rows(_FIRST)}


async def known_lines(staging: Staging) -> frozenset[int]:
    """Return the lines of the portion that are about customers of the node."""
    return await staging.lines(_KNOWN)


async def lock_known(staging: Staging) -> frozenset[int]:
    """Lock the customers of the portion, and return the lines about them.

    Raises:
        ImportDisturbed: if one of them was merged into another at this moment.
    """
    lines = await staging.lines(_LOCK)
    if lines != await known_lines(staging):
        raise ImportDisturbed(constraint="merged_customer")
    return lines

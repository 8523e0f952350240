"""From rows to customers.

A batch has rows of customers who are new and of customers who are known by source and key. The new ones are copied
straight into the tables; the known ones are compared first (:mod:`~services.city_node.customer_import.changing`), so
that the same file again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.city_node.customer.repository import NUMBER_DIGITS
from services.city_node.customer_import.changing import Changes
from services.city_node.customer_import.layout import COPIES, SLOTS, Row
from services.city_node.customer_import.staging import Staging

LINE, CUSTOMER_NUMBER = SLOTS["line"], SLOTS["customer_number"]
# In the order of ids, so that the locks of two who change several customers never cross.
_KNOWN = """
    SELECT r.line FROM import_claim r JOIN customer c ON c.source = :source AND c.source_key = r.key ORDER BY c.id FOR UPDATE OF c"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of the rows of a batch."""

    created: int
    changed: int
    unchanged: int


async def load(staging: Staging, changes: Changes, node: str, rows: Sequence[Row]) -> Loaded:
    """Load rows of the batch that contradict nothing.

    Args:
        staging: where the batch has made its claims.
        changes: how rows of known customers are applied.
        node: division code of the node, with which customer numbers begin.
        rows: what is loaded.
    """
    lines = await staging.lines(_KNOWN)
    new = [row for row in rows if row[LINE] not in lines]
    known = [row for row in rows if row[LINE] in lines]
    if new:
        await _create(staging, node, new)
    changed = await changes.apply(staging, known) if known else 0
    return Loaded(created=len(new), changed=changed, unchanged=len(known) - changed)


async def _create(staging: Staging, node: str, rows: Sequence[Row]) -> None:
    for row, running in zip(rows, await staging.numbers(len(rows)), strict=True):
        row[CUSTOMER_NUMBER] = f"{node}{running:0{NUMBER_DIGITS}d}"
    for copy in COPIES:
        await staging.copy(copy, rows)

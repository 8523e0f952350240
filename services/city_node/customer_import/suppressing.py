"""Rows that would make somebody anew who was erased.

A row about a customer whom the node knows is no matter of erasure. The others are compared with what is kept of those
who were erased (:mod:`~services.city_node.erasure.suppression`), and rejected if their key or document is among it:
who finds that the person is a customer again imports the rows once more with ``allow_erased``. That is a word about
this one file, with its own permission and in the audit log, and not about the mapping, which serves every night.
"""

from collections.abc import Sequence

from services.city_node.customer_import.knowing import known_lines
from services.city_node.customer_import.layout import DOCUMENT_NUMBER, SLOTS, Row
from services.city_node.customer_import.rejecting import KEY, RowFault
from services.city_node.customer_import.staging import Staging
from services.city_node.erasure import suppression
from shared.kernel.database import driver_connection

_LINE, _KEY, _DOCUMENT = SLOTS["line"], SLOTS["key"], SLOTS[DOCUMENT_NUMBER]


async def of_erased(staging: Staging, rows: Sequence[Row]) -> list[RowFault]:
    """Return what is to be said against rows of customers who were erased."""
    run = staging.of
    connection = await driver_connection(staging.session)
    if run.allow_erased or not await suppression.is_any(connection):
        return []
    known = await known_lines(staging)
    claims = dict[bytes, list[tuple[int, str]]]()
    for row in rows:
        if row[_LINE] in known:
            continue
        index = suppression.index_of_key(run.cipher, run.mapping.customers, row[_KEY])
        claims.setdefault(index, []).append((row[_LINE], KEY))
        if row[_DOCUMENT] is not None:
            index = suppression.index_of_document(run.cipher, row[_DOCUMENT])
            claims.setdefault(index, []).append((row[_LINE], "customer.document_number"))
    found = await suppression.suppressed(connection, claims)
    return [
        RowFault(line, target, f"is of a customer who was erased on {found[index]}")
        for index, places in claims.items()
        if index in found
        for line, target in places
    ]

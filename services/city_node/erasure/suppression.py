"""Who was erased is not made anew by an old extract: what is kept to tell, and how it is asked.

Kept are blind indexes of the source's keys and of the document number, under a key that is never rotated, with the
day; nothing leads from there to a person without the very number and the node's key.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg
import structlog

from services.city_node.customer.identity import document_form
from shared.kernel.clock import business_day
from shared.kernel.encryption import Cipher, DecryptionFailed

log = structlog.get_logger("erasure")

_KEYS = """
    SELECT source, source_key FROM customer WHERE id = ANY($1::uuid[]) AND source IS NOT NULL
    UNION ALL SELECT source, source_key FROM customer_further_key WHERE customer_id = ANY($1::uuid[])"""
_DOCUMENTS = "SELECT id, document_cipher FROM customer WHERE id = ANY($1::uuid[]) AND document_cipher IS NOT NULL"
_KEEP = """
    INSERT INTO suppression (index, erased_on) SELECT DISTINCT index, $2::date FROM unnest($1::bytea[]) index
    ON CONFLICT (index) DO UPDATE SET erased_on = excluded.erased_on"""
_FIND = "SELECT index, erased_on FROM suppression WHERE index = ANY($1::bytea[])"
_IS_ANY = "SELECT EXISTS (SELECT FROM suppression)"


def index_of_key(cipher: Cipher, source: str, key: str) -> bytes:
    """Return what stands for a source's key."""
    return cipher.lasting_index(f"key\x1f{source}\x1f{key}")


def index_of_document(cipher: Cipher, number: str) -> bytes:
    """Return what stands for a document number."""
    return cipher.lasting_index(f"document\x1f{document_form(number)}")


async def remember(
    connection: asyncpg.Connection, customers: Sequence[UUID], cipher: Cipher, *, at: datetime
) -> None:
    """Keep by what an extract would name customers who are about to be erased."""
    keys = await connection.fetch(_KEYS, customers)
    indexes = [index_of_key(cipher, key["source"], key["source_key"]) for key in keys]
    for row in await connection.fetch(_DOCUMENTS, customers):
        try:
            indexes.append(index_of_document(cipher, cipher.decrypt(row["document_cipher"])))
        except DecryptionFailed:  # what cannot be read can be erased all the same
            log.warning("document not suppressed", customer=str(row["id"]))
    await connection.execute(_KEEP, indexes, business_day(at))


async def is_any(connection: asyncpg.Connection) -> bool:
    """Tell whether anybody was erased."""
    found: bool = await connection.fetchval(_IS_ANY)
    return found


async def suppressed(
    connection: asyncpg.Connection, indexes: Iterable[bytes]
) -> Mapping[bytes, date]:
    """Return which of these stand for somebody who was erased, and when that was."""
    return {row["index"]: row["erased_on"] for row in await connection.fetch(_FIND, list(indexes))}

"""The record of a customer on the way: packed at the old home, in chunks that only the new one can read.

A *record* is one JSON document, compressed (zstd) and cut into *chunks*; each is sealed for the addressee and sent by
the ``bulk`` lane. Its hash, size and the number of chunks go with the answer that announces it, so that the addressee
knows when it has all of it, and that it is what was sent.
"""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import Table

from services.city_node.points import moving
from services.city_node.transfer.record import (
    Carried,
    Record,
    carried_tables,
    columns_of,
    sealed_in,
)
from shared.federation.compression import CompressionRefused, compress, decompress
from shared.kernel.encryption import Cipher

# ruff: noqa: S608 - put together from the register and the tables' own columns, never from input
FORMAT = 1
CHUNK_BYTES = 30_000
"""What fits into one sealed text."""
MOST_CHUNKS = 512
MOST_BYTES = 512 * 1024 * 1024
"""What a record may open into."""

_FORMER = "SELECT json_build_object('unit_code', unit_code, 'manager_id', manager_id)::text FROM customer WHERE id = $1"
_BILLS = "SELECT id, subscription_id::text, period::text FROM bill WHERE customer_id = $1"


class RecordTooLarge(Exception):
    """The record needs more chunks than are sent."""


class RecordDamaged(Exception):
    """The chunks are not the record that was announced."""


async def pack(
    connection: asyncpg.Connection,
    cipher: Cipher,
    customer_id: UUID,
    *,
    unjudged: frozenset[int],
) -> Record:
    """Return the record of a customer who is locked, with what is sealed in clear; the caller seals the whole."""
    tables: dict[str, Any] = {}
    for table, carried in carried_tables():
        found = await connection.fetchval(_selecting(table, carried), customer_id)
        tables[str(table.name)] = [_opened(cipher, table.name, row) for row in orjson.loads(found)]
    bills = await connection.fetch(_BILLS, customer_id)
    return {
        "format": FORMAT,
        "customer_id": str(customer_id),
        "tables": tables,
        "former": orjson.loads(await connection.fetchval(_FORMER, customer_id)),
        "points": await moving.lots_of(connection, customer_id),
        "judged": [
            {"subscription_id": bill[1], "period": bill[2]}
            for bill in bills
            if bill[0] not in unjudged
        ],
    }


def _selecting(table: Table, carried: Carried) -> str:
    values = [f"{carried.instead.get(name, f'p.{name}')} AS {name}" for name in columns_of(table)]
    values += [f"{column.kind} AS {column.name}_form" for column in sealed_in(table.name)]
    order = ", ".join(f"p.{column.name}" for column in table.primary_key.columns)
    return (
        f"SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]')::text FROM "
        f"(SELECT {', '.join(values)} FROM {table.name} p WHERE {carried.of} ORDER BY {order}) r"
    )


def _opened(cipher: Cipher, table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Replace what is sealed by the value itself: the other city has other keys."""
    for column in sealed_in(table):
        sealed = row.pop(f"{column.name}_cipher")
        row.pop(f"{column.name}_index")
        clear = None if column.clear == "NULL" else row.pop(column.clear)
        row[f"{column.name}_plain"] = (
            clear if sealed is None else cipher.decrypt(bytes.fromhex(sealed.removeprefix("\\x")))
        )
    return row


def to_chunks(record: Record) -> tuple[str, list[bytes]]:
    """Return the hash of a record and the pieces that it is sent in.

    Raises:
        RecordTooLarge: if they would be too many.
    """
    whole = compress(orjson.dumps(record))
    chunks = [whole[at : at + CHUNK_BYTES] for at in range(0, len(whole), CHUNK_BYTES)]
    if len(chunks) > MOST_CHUNKS:
        raise RecordTooLarge
    return hashlib.sha256(whole).hexdigest(), chunks


def from_chunks(chunks: Sequence[bytes], sha256: str) -> Record:
    """Return the record that was cut into these chunks.

    Raises:
        RecordDamaged: if they are not what has that hash.
    """
    whole = b"".join(chunks)
    if hashlib.sha256(whole).hexdigest() != sha256:
        raise RecordDamaged
    try:
        record: Record = orjson.loads(decompress(whole, limit=MOST_BYTES))
    except (CompressionRefused, orjson.JSONDecodeError) as error:
        raise RecordDamaged from error
    return record

"""Everything that is held about a person, as one stream of JSON.

What is given out is what the register of personal data lists (:mod:`~services.city_node.erasure.register`), table by
table and row by row from a cursor, so that memory stays flat however much there is; all of it as of one moment.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson

from services.city_node.erasure.declaration import Column, PersonalTable
from services.city_node.erasure.register import REGISTER
from shared.kernel.database import SESSION
from shared.kernel.encryption import Cipher

# ruff: noqa: S608 - put together from declarations, never from input
FORMAT = "guanxi-subject-export/1"
_SEALED = {"document_cipher": "document_number", "value_cipher": "value"}
"""Columns that hold a value of the person's own encrypted, and what the export calls it."""
_CHUNK = 64 * 1024


async def export(
    url: str, cipher: Cipher, request_id: UUID, customer_id: UUID, *, at: datetime
) -> AsyncIterator[bytes]:
    """Give everything about a customer: ``{"format", ..., "classes": {...}, "tables": {name: [rows]}}``.

    Args:
        url: the node's database: a connection of its own, so that a slow reader holds up nobody.
        cipher: the node's keys for personal numbers.
        request_id: the request that it answers.
        customer_id: about whom.
        at: when.
    """
    head = {
        "format": FORMAT,
        "request_id": str(request_id),
        "customer_id": str(customer_id),
        "exported_at": at.isoformat(),
        "classes": {
            name: {column: given.data.value for column, given in _exported(table).items()}
            for name, table in REGISTER.items()
        },
    }
    pending = bytearray(orjson.dumps(head)[:-1] + b',"tables":{')
    connection = await asyncpg.connect(url, server_settings=SESSION)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for place, (name, table) in enumerate(REGISTER.items()):
                pending += (b"," if place else b"") + orjson.dumps(name) + b":["
                first = True
                async for row in connection.cursor(_statement(name, table), [customer_id]):
                    pending += b"" if first else b","
                    pending += _opened(row[0], cipher)
                    first = False
                    if len(pending) >= _CHUNK:
                        yield bytes(pending)
                        pending.clear()
                pending += b"]"
        yield bytes(pending + b"}}")
    finally:
        await connection.close()


def _exported(table: PersonalTable) -> dict[str, Column]:
    return {name: column for name, column in table.columns.items() if column.exported}


def _statement(name: str, table: PersonalTable) -> str:
    shown = ", ".join(f'p."{column}"' for column in _exported(table))
    return f"SELECT row_to_json(x)::text FROM (SELECT {shown} FROM {name} p WHERE {table.of}) x"


def _opened(row: str, cipher: Cipher) -> bytes:
    values = orjson.loads(row)
    for column, name in _SEALED.items():
        stored = values.pop(column, None)
        if stored is not None:
            values[name] = cipher.decrypt(bytes.fromhex(stored.removeprefix("\\x")))
    return orjson.dumps(values)

"""Every query of sealing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, LargeBinary, Uuid, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.repository import KEYS_LOCK
from services.city_node.personal_data.columns import SealedColumn
from services.city_node.personal_data.models import KeyRotation

# ruff: noqa: S608 - put together from the declared columns alone; values are bound
Portion = Sequence[Any]
"""Rows with ``id``, ``kind``, ``clear`` and ``cipher``."""


async def open_rotation(session: AsyncSession) -> KeyRotation | None:
    """Return the rotation that is under way."""
    found: KeyRotation | None = await session.scalar(
        select(KeyRotation).where(KeyRotation.ended_at.is_(None))
    )
    return found


async def hold_alone(session: AsyncSession) -> bool:
    """Hold the keys alone until the transaction ends; tell whether nobody is sealing."""
    # Tried and not waited for: whoever came after a waiting one would wait, too.
    return bool(await session.scalar(select(func.pg_try_advisory_xact_lock(KEYS_LOCK))))


async def portion(
    session: AsyncSession, column: SealedColumn, key_id: int, after: Any, limit: int
) -> Portion:
    """Return the next rows that are not sealed with a key, locked; rows that others have locked are left out."""
    name = column.name
    rows = await session.execute(
        text(
            f"SELECT id, {column.kind} AS kind, {column.clear} AS clear, {name}_cipher AS cipher "
            f"FROM {column.table} WHERE id > coalesce(:after, '00000000-0000-0000-0000-000000000000') "
            f"AND ({column.clear} IS NOT NULL OR get_byte({name}_cipher, 0) <> :key) "
            "ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED"
        ).bindparams(bindparam("after", after, Uuid()), key=key_id, limit=limit)
    )
    return rows.all()


async def replace(
    session: AsyncSession, column: SealedColumn, sealed: Sequence[tuple[Any, bytes, bytes]]
) -> None:
    """Write ids, ciphers and indexes of rows that are locked."""
    name = column.name
    ids, ciphers, indexes = zip(*sealed, strict=True)
    cleared = "" if column.clear == "NULL" else f", {column.clear} = NULL"
    await session.execute(
        text(
            f"UPDATE {column.table} t SET {name}_cipher = n.cipher, {name}_index = n.index{cleared} "
            "FROM unnest(:ids, :ciphers, :indexes) n (id, cipher, index) WHERE t.id = n.id"
        ).bindparams(
            bindparam("ids", list(ids), ARRAY(Uuid())),
            bindparam("ciphers", list(ciphers), ARRAY(LargeBinary())),
            bindparam("indexes", list(indexes), ARRAY(LargeBinary())),
        )
    )


async def is_any_clear(session: AsyncSession, column: SealedColumn) -> bool:
    """Tell whether a value is not sealed at all."""
    query = f"SELECT EXISTS (SELECT FROM {column.table} WHERE {column.clear} IS NOT NULL)"
    return column.clear != "NULL" and bool(await session.scalar(text(query)))


async def keys_in_use(session: AsyncSession, column: SealedColumn) -> dict[int, int]:
    """Return how many rows are sealed with each key."""
    rows = await session.execute(
        text(
            f"SELECT get_byte({column.name}_cipher, 0) AS key, count(*) AS count_ FROM {column.table} "
            f"WHERE {column.name}_cipher IS NOT NULL GROUP BY 1"
        )
    )
    return {row.key: row.count_ for row in rows}

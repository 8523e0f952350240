"""Rotating keys: begun alone, carried out in portions, ended when no row is left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.ownership import fence_open
from services.city_node.customer.repository import hold_keys, hold_keys_while_connected
from services.city_node.personal_data import copies, repository
from services.city_node.personal_data.columns import COLUMNS, SealedColumn
from services.city_node.personal_data.copies import COPIES, SealedCopy
from services.city_node.personal_data.models import KeyRotation
from services.city_node.personal_data.problems import (
    KeyInUse,
    KeysRotating,
    SealingUnderWay,
    ValuesInClear,
)
from shared.kernel.database import Database, driver_connection
from shared.kernel.encryption import Cipher

GRACE = timedelta(seconds=5)
"""How long after a new key rows are sealed with it: longer than a search that began before it takes."""
PORTION = 1000
"""Rows in one transaction."""
TRIES = 50
PAUSE_SECONDS = 0.1


_Sealed = tuple[UUID, bytes, bytes, bytes]
"""Id, cipher, index, and an index that no other row has."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a portion did."""

    column: str
    rows: int
    of: int
    """Rows of the column that were to be sealed when it was begun."""


async def hold_keys_for_bulk(session: AsyncSession) -> None:
    """Let no rotation begin before the transaction ends: for those who compare many rows by one index.

    Raises:
        KeysRotating: if one is under way (409).
        ValuesInClear: if values from an earlier release are not sealed yet (409).
    """
    await hold_keys(session)
    await _require_settled(session)


async def hold_keys_for_run(session: AsyncSession) -> None:
    """Do the same until the connection is closed: for work that seals in one transaction and writes in another.

    Raises:
        KeysRotating, ValuesInClear: as :func:`hold_keys_for_bulk`.
    """
    await hold_keys_while_connected(session)
    await _require_settled(session)


async def _require_settled(session: AsyncSession) -> None:
    if await _is_any_clear(session):
        raise ValuesInClear
    rotation = await repository.open_rotation(session)
    if rotation is not None:
        raise KeysRotating(since=rotation.began_at.isoformat(timespec="seconds"))


async def begin(database: Database, cipher: Cipher, *, by: str, now: datetime) -> KeyRotation:
    """Begin a rotation, or go on beginning the one that is under way.

    First it is noted that one is under way, then its key is made: whatever comes in between, the next call goes on.

    Raises:
        SealingUnderWay: if an import does not end (409).
        KeysExhausted: if there is no id left for another key.
    """
    async with _alone(database) as session:
        rotation = await repository.open_rotation(session)
        if rotation is None:
            rotation = KeyRotation(key_id=cipher.current.id + 1, began_at=now, began_by=by)
            session.add(rotation)
    if rotation.ready_at is None:
        async with _alone(database) as session:
            rotation = await session.merge(rotation)
            if cipher.current.id < rotation.key_id:
                cipher.add_key()
            rotation.ready_at = now
    return rotation


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[AsyncSession]:
    """Open a transaction in which nobody seals anything."""
    for _ in range(TRIES):
        async with database.transaction() as session:
            if await repository.hold_alone(session):
                yield session
                return
        await asyncio.sleep(PAUSE_SECONDS)
    raise SealingUnderWay


async def is_due(database: Database, *, now: datetime) -> bool:
    """Tell whether there are values to be sealed: in clear, or, once a rotation is ready, under an older key."""
    async with database.transaction() as session:
        if await _is_any_clear(session):
            return True
        rotation = await repository.open_rotation(session)
    return (
        rotation is not None and rotation.ready_at is not None and now >= rotation.ready_at + GRACE
    )


async def _is_any_clear(session: AsyncSession) -> bool:
    for column in COLUMNS:
        if await repository.is_any_clear(session, column):
            return True
    return False


async def seal(
    database: Database, cipher: Cipher, *, portion_rows: int = PORTION
) -> AsyncIterator[Progress]:
    """Seal anew whatever is not sealed with the newest key, portion by portion."""
    for column in COLUMNS:
        async with database.transaction() as session:
            used = await repository.keys_in_use(session, column)
            clear = await repository.is_any_clear(session, column)
        total = sum(used.values()) - used.get(cipher.current.id, 0)
        passed = total + clear
        while passed:
            passed, after = 0, None
            while True:
                rows, after = await _seal_portion(database, cipher, column, after, portion_rows)
                if not rows:
                    break
                passed += rows
                yield Progress(column.label, rows, total)
    for copy in COPIES:
        async for progress in _seal_copies(database, cipher, copy, portion_rows):
            yield progress


async def _seal_copies(
    database: Database, cipher: Cipher, copy: SealedCopy, portion_rows: int
) -> AsyncIterator[Progress]:
    async with database.transaction() as session:
        used = await copies.keys_in_use(session, copy)
    total = sum(used.values()) - used.get(cipher.current.id, 0)
    rows, after = total, None
    while rows:
        async with database.transaction() as session:
            rows, after = await copies.seal_portion(session, cipher, copy, after, portion_rows)
        if rows:
            yield Progress(copy.label, rows, total)


async def _seal_portion(
    database: Database, cipher: Cipher, column: SealedColumn, after: UUID | None, limit: int
) -> tuple[int, UUID | None]:
    async with database.transaction() as session:
        rows = await repository.portion(session, column, cipher.current.id, after, limit)
        if not rows:
            return 0, after
        sealed = []
        for row in rows:
            value = cipher.decrypt(row.cipher) if row.clear is None else row.clear
            index = cipher.index(column.form(row.kind, value))
            sealed.append(
                (row.id, cipher.encrypt(value), index, cipher.index(f"{value}\n{row.id}"))
            )
        await _replace(session, column, sealed)
        return len(rows), rows[-1].id


async def _replace(session: AsyncSession, column: SealedColumn, rows: Sequence[_Sealed]) -> None:
    """Write a portion; of two spellings of one value that a customer has, the search finds the first alone."""
    # Another key changes nothing of what a transfer has sent.
    async with fence_open(await driver_connection(session)):
        await _replace_each(session, column, rows)


async def _replace_each(
    session: AsyncSession, column: SealedColumn, rows: Sequence[_Sealed]
) -> None:
    try:
        async with session.begin_nested():
            await repository.replace(session, column, [row[:3] for row in rows])
    except IntegrityError:
        for key, cipher, index, alone in rows:
            try:
                async with session.begin_nested():
                    await repository.replace(session, column, [(key, cipher, index)])
            except IntegrityError:
                await repository.replace(session, column, [(key, cipher, alone)])


async def end(database: Database, *, now: datetime) -> bool:
    """Note that the rotation under way has ended, if no row is left of an older key; tell whether none is under way."""
    async with database.transaction() as session:
        rotation = await repository.open_rotation(session)
        if rotation is None:
            return True
        used = await _keys_by_column(session)
        if any(keys.keys() - {rotation.key_id} for keys in used.values()):
            return False
        rotation.ended_at = now
        return True


async def keys_in_use(database: Database) -> dict[int, dict[str, int]]:
    """Return how many values each key seals, by column."""
    used: dict[int, dict[str, int]] = {}
    async with database.transaction() as session:
        for label, keys in (await _keys_by_column(session)).items():
            for key, count in keys.items():
                used.setdefault(key, {})[label] = count
    return used


async def _keys_by_column(session: AsyncSession) -> dict[str, dict[int, int]]:
    """Return how many values each key seals, by column; copies, too."""
    return {
        **{each.label: await repository.keys_in_use(session, each) for each in COLUMNS},
        **{each.label: await copies.keys_in_use(session, each) for each in COPIES},
    }


async def drop(database: Database, cipher: Cipher, key_id: int) -> None:
    """Remove an old key.

    Raises:
        KeyInUse: if it is the newest, a rotation is under way, or a row is sealed with it (409).
    """
    async with _alone(database) as session:
        if await repository.open_rotation(session) is not None:
            raise KeyInUse(key=key_id, reason="a rotation is under way")
        if key_id == cipher.current.id:
            raise KeyInUse(key=key_id, reason="it is the newest")
        for label, keys in (await _keys_by_column(session)).items():
            if count := keys.get(key_id, 0):
                raise KeyInUse(key=key_id, reason=f"{count} values of {label} need it")
        cipher.drop_key(key_id)

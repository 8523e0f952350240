"""Every query about organisation units."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

_FIELDS = (
    "code",
    "parent_code",
    "path",
    "kind",
    "name_zh",
    "name_en",
    "active",
    "version",
    "created_at",
    "updated_at",
)

LISTING = Listing(
    source="organisation_unit u",
    key=Sort("u.code", "text"),
    columns={name: f"u.{name}" for name in _FIELDS},
    sorts={
        "path": Sort("u.path", "text"),
        "code": Sort("u.code", "text"),
        "updated_at": Sort("u.updated_at", "timestamptz"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "kind": "u.kind = {}",
        "parent": "u.parent_code = {}",
        "active": "u.active = {}",
        "within": "starts_with(u.path, (SELECT w.path FROM organisation_unit w WHERE w.code = {}))",
    },
)


class FoundUnit(NamedTuple):
    """A unit as PostgreSQL wrote it."""

    json: str
    version: int


async def read(
    connection: asyncpg.Connection | asyncpg.Pool, code: str, *, scope: str, fields: str | None
) -> FoundUnit | None:
    """Return unit ``code`` as JSON if it lies within ``scope``, a path.

    Raises:
        shared.kernel.listing.QueryInvalid: for a field that units do not have.
    """
    row = await connection.fetchrow(
        f"SELECT ({LISTING.item(fields)})::text, u.version FROM {LISTING.source} "  # noqa: S608 - built from declared expressions alone
        "WHERE u.code = $1 AND starts_with(u.path, $2)",
        code,
        scope,
    )
    return None if row is None else FoundUnit(*row)


async def find(session: AsyncSession, code: str) -> OrganisationUnit | None:
    """Return unit ``code``."""
    return await session.get(OrganisationUnit, code)


async def lock(session: AsyncSession, code: str) -> OrganisationUnit | None:
    """Return unit ``code``, and let nobody change it or put something below it before the end."""
    query = select(OrganisationUnit).where(OrganisationUnit.code == code).with_for_update()
    return (await session.scalars(query)).one_or_none()


async def active_unit_below(session: AsyncSession, code: str) -> str | None:
    """Return the code of an active unit directly below ``code``, if there is one."""
    query = select(OrganisationUnit.code).where(
        OrganisationUnit.parent_code == code, OrganisationUnit.active
    )
    return (await session.scalars(query.order_by(OrganisationUnit.code).limit(1))).one_or_none()


async def add(session: AsyncSession, unit: OrganisationUnit) -> bool:
    """Add ``unit``; ``False`` if its code is taken."""
    values = {name: getattr(unit, name) for name in _FIELDS}
    statement = insert(OrganisationUnit).values(values).on_conflict_do_nothing()
    return await session.scalar(statement.returning(OrganisationUnit.code)) is not None


async def put_divisions(
    session: AsyncSession, units: Sequence[OrganisationUnit], now: datetime
) -> None:
    """Add the divisions that are missing, and give the others the names of this release.

    The rows come in the same order in every worker: they may all do it at once. One statement with a parameter for
    each value of each row would take longer to be written than PostgreSQL needs for all of it.
    """
    given = insert(OrganisationUnit)
    new, present = given.excluded, OrganisationUnit
    await session.execute(
        given.on_conflict_do_update(
            index_elements=[OrganisationUnit.code],
            set_={
                "name_zh": new.name_zh,
                "name_en": new.name_en,
                "version": present.version + 1,
                "updated_at": now,
            },
            where=or_(present.name_zh != new.name_zh, present.name_en != new.name_en),
        ),
        [{name: getattr(unit, name) for name in _FIELDS} for unit in units],
    )

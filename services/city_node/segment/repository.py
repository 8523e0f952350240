"""Every query about segments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.profile import SOURCE
from services.city_node.query.selection import Selection
from services.city_node.query.statement import Binder, Numbered
from services.city_node.segment.models import Segment, SegmentVersion
from shared.kernel.database import flush_unless_taken
from shared.kernel.encryption import Cipher
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

# ruff: noqa: S608 - every statement here is put together from declared expressions, never from input

LISTING = Listing(
    source="segment g JOIN organisation_unit u ON u.code = g.unit_code AND g.deleted_at IS NULL",
    key=Sort("g.id", "uuid"),
    columns={
        name: f"g.{name}"
        for name in ("id", "name", "unit_code", "mode", "member_count", "version", "updated_at")
    },
    sorts={
        "id": Sort("g.id", "uuid"),
        "name": Sort("g.name", "text"),
        "updated_at": Sort("g.updated_at", "timestamptz"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "mode": "g.mode = {}",
        "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
    },
)

VERSIONS = Listing(
    source="segment_version v",
    key=Sort("v.version", "bigint"),
    columns={
        name: f"v.{name}"
        for name in (
            *("version", "act", "name", "condition", "mode", "list_version", "member_count"),
            *("at", "by"),
        )
    },
    sorts={"version": Sort("v.version", "bigint")},
    filters={"segment": "v.segment_id = {}"},
)


@dataclass(frozen=True, slots=True)
class OnList:
    """Being on a list that was locked."""

    segment_id: UUID
    list_version: int

    def sql(self, binder: Binder) -> str:
        """Return it as a condition on customer ``c``."""
        return (
            "EXISTS (SELECT FROM segment_member sm WHERE sm.customer_id = c.id "
            f"AND sm.segment_id = {binder.bind(self.segment_id, 'uuid')} "
            f"AND sm.list_version = {binder.bind(self.list_version, 'bigint')})"
        )


async def segment_in_scope(
    session: AsyncSession, segment_id: UUID, scope: str, *, lock: bool = False
) -> tuple[Segment, str] | None:
    """Return a segment whose unit lies below ``scope``, and the unit's path."""
    question = (
        select(Segment, OrganisationUnit.path)
        .join(OrganisationUnit, OrganisationUnit.code == Segment.unit_code)
        .where(
            Segment.id == segment_id,
            Segment.deleted_at.is_(None),
            OrganisationUnit.path.startswith(scope, autoescape=True),
        )
    )
    if lock:
        question = question.with_for_update(of=Segment)
    row = (await session.execute(question)).one_or_none()
    return None if row is None else (row[0], row[1])


async def unit_path(session: AsyncSession, code: str, scope: str) -> str | None:
    """Return the path of an active unit below ``scope``."""
    found: str | None = await session.scalar(
        select(OrganisationUnit.path).where(
            OrganisationUnit.code == code,
            OrganisationUnit.active,
            OrganisationUnit.path.startswith(scope, autoescape=True),
        )
    )
    return found


def add(session: AsyncSession, row: Segment | SegmentVersion) -> None:
    """Keep a new row."""
    session.add(row)


async def write(session: AsyncSession) -> bool:
    """Write what was changed; tells whether the name was free."""
    return await flush_unless_taken(session, "segment_name_key")


async def keep_list(
    connection: asyncpg.Connection,
    segment_id: UUID,
    list_version: int,
    selection: Selection,
    cipher: Cipher,
) -> int:
    """Write the customers of a selection as a list, in one statement; returns how many there are."""
    binder = Numbered()
    segment, version = binder.bind(segment_id, "uuid"), binder.bind(list_version, "bigint")
    status = await connection.execute(
        "INSERT INTO segment_member (segment_id, list_version, customer_id) "
        f"SELECT {segment}, {version}, c.id FROM {SOURCE} WHERE {selection.where(binder, cipher)}",
        *binder.values,
    )
    return int(status.split()[-1])


async def count(
    connection: asyncpg.Connection | asyncpg.Pool, selection: Selection, cipher: Cipher
) -> int:
    """Return how many customers a selection has."""
    binder = Numbered()
    where = selection.where(binder, cipher)
    number: int = await connection.fetchval(
        f"SELECT count(*) FROM {SOURCE} WHERE {where}", *binder.values
    )
    return number


async def compare(
    connection: asyncpg.Connection | asyncpg.Pool,
    first: Selection,
    second: Selection,
    cipher: Cipher,
) -> Mapping[str, Any]:
    """Return how many two selections have, share, and have alone, in one pass over the customers."""
    binder = Numbered()
    one = f"(({first.where(binder, cipher)}) IS TRUE)"
    other = f"(({second.where(binder, cipher)}) IS TRUE)"
    row: Mapping[str, Any] = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE a) AS first, count(*) FILTER (WHERE b) AS second, "
        "count(*) FILTER (WHERE a AND b) AS both, count(*) FILTER (WHERE a AND NOT b) AS only_first, "
        "count(*) FILTER (WHERE b AND NOT a) AS only_second, count(*) FILTER (WHERE a OR b) AS either "
        f"FROM (SELECT {one} AS a, {other} AS b FROM {SOURCE}) x",
        *binder.values,
    )
    return row

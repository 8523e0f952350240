"""Every query of policies."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import and_, func, select, text, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import Bound
from shared.kernel.listing import Listing, Sort
from shared.policy.models import PolicyDraft, PolicyVersion, PolicyWithdrawal
from shared.policy.problems import DraftNotFound, VersionNotFound
from shared.policy.resolution import Version
from shared.policy.statement import Published, Statement, Withdrawn

_LOCK = 0x706F6C
"""First key of the advisory locks that order the publications of a kind."""

_WITHDRAWN = """(SELECT w.reason, w.withdrawn_at, w.withdrawn_by FROM policy_withdrawal w
     WHERE w.version = v.digest AND w.publisher = v.publisher ORDER BY w.withdrawn_at, w.digest LIMIT 1)"""
_COUNTED = """NOT EXISTS (SELECT FROM policy_version o
     WHERE (o.kind, o.publisher, o.number) = (v.kind, v.publisher, v.number)
       AND (o.published_at, o.digest) < (v.published_at, v.digest))"""
_STATE = f"CASE WHEN w.withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN {_COUNTED} THEN 'published' ELSE 'contradicted' END"

VERSIONS = Listing(
    source=f"policy_version v LEFT JOIN LATERAL {_WITHDRAWN} w ON true",
    key=Sort("v.digest", "text"),
    columns={
        **{
            name: f"v.{name}"
            for name in (
                "kind", "publisher", "number", "effective_from", "note", "drafted_by", "published_at", "published_by",
                "digest", "received_at",
            )
        },
        "state": _STATE,
        "withdrawn_at": "w.withdrawn_at",
        "withdrawn_by": "w.withdrawn_by",
        "withdrawn_because": "w.reason",
    },
    sorts={
        "published_at": Sort("v.published_at", "timestamptz"),
        "effective_from": Sort("v.effective_from", "date"),
        "number": Sort("v.number", "bigint"),
    },
    filters={"kind": "v.kind = {}", "publisher": "v.publisher = {}", "state": f"{_STATE} = {{}}"},
)  # fmt: skip
"""Versions of every publisher that this node knows."""

DRAFTS = Listing(
    source="policy_draft d",
    key=Sort("d.id", "uuid"),
    columns={
        name: f"d.{name}"
        for name in (
            "id", "kind", "effective_from", "retroactive", "note", "state", "drafted_by", "drafted_at", "decided_by",
            "decided_at", "reason", "number", "version",
        )
    },
    sorts={"drafted_at": Sort("d.drafted_at", "timestamptz")},
    filters={"kind": "d.kind = {}", "state": "d.state = {}"},
)  # fmt: skip
"""This node's drafts."""


async def lock(session: AsyncSession, kind: str) -> None:
    """Let nobody else publish or withdraw a policy of this kind until the transaction ends."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(:lock, hashtext(:kind))"), {"lock": _LOCK, "kind": kind}
    )


async def next_number(session: AsyncSession, kind: str, publisher: str) -> int:
    """Return the number of a publisher's next version; under the lock of the kind."""
    last = await session.scalar(
        select(func.max(PolicyVersion.number)).where(
            PolicyVersion.kind == kind, PolicyVersion.publisher == publisher
        )
    )
    return (last or 0) + 1


async def add_published(
    session: AsyncSession, statement: Statement, said: Published, *, now: datetime
) -> bool:
    """Keep a version; tells whether it is new here."""
    values: Mapping[str, Any] = {
        **{name: getattr(said, name) for name in _PUBLISHED},
        "bounds": None if said.bounds is None else _bounds_json(said.bounds),
        **_signed(statement, now),
    }
    return await _add(session, PolicyVersion, values)


async def add_withdrawn(
    session: AsyncSession, statement: Statement, said: Withdrawn, *, now: datetime
) -> bool:
    """Keep a withdrawal; tells whether it is new here."""
    values = {name: getattr(said, name) for name in _WITHDRAWN_FIELDS}
    return await _add(session, PolicyWithdrawal, {**values, **_signed(statement, now)})


_PUBLISHED = (
    "kind", "publisher", "number", "effective_from", "document", "note", "drafted_by", "published_at", "published_by",
)  # fmt: skip
_WITHDRAWN_FIELDS = ("kind", "publisher", "version", "reason", "withdrawn_at", "withdrawn_by")


def _signed(statement: Statement, now: datetime) -> Mapping[str, Any]:
    return {
        "digest": statement.digest,
        "content": statement.content,
        "statement": statement.signature,
        "received_at": now,
    }


async def _add(
    session: AsyncSession,
    table: type[PolicyVersion] | type[PolicyWithdrawal],
    values: Mapping[str, Any],
) -> bool:
    added = await session.scalar(
        insert(table).values(values).on_conflict_do_nothing().returning(table.digest)
    )
    return added is not None


async def versions(
    session: AsyncSession, kind: str, publishers: Collection[str] | None = None
) -> list[Version]:
    """Return the versions of a kind that are known here, of some publishers or of all."""
    withdrawn = (
        select(func.min(PolicyWithdrawal.withdrawn_at))
        .where(
            PolicyWithdrawal.version == PolicyVersion.digest,
            PolicyWithdrawal.publisher == PolicyVersion.publisher,
        )
        .scalar_subquery()
    )
    query = select(PolicyVersion, withdrawn).where(PolicyVersion.kind == kind)
    if publishers is not None:
        query = query.where(PolicyVersion.publisher.in_(publishers))
    return [_version(row, withdrawn_at) for row, withdrawn_at in await session.execute(query)]


def _version(row: PolicyVersion, withdrawn_at: datetime | None) -> Version:
    return Version(
        publisher=row.publisher,
        number=row.number,
        digest=row.digest,
        effective_from=row.effective_from,
        document=row.document,
        bounds=None if row.bounds is None else bounds_of(row.bounds),
        published_at=row.published_at,
        published_by=row.published_by,
        withdrawn_at=withdrawn_at,
    )


def bounds_of(bounds: Iterable[Mapping[str, Any]]) -> tuple[Bound, ...]:
    """Return bounds as they are kept in a column."""
    return tuple(
        Bound(**{**each, "one_of": None if each["one_of"] is None else tuple(each["one_of"])})
        for each in bounds
    )


def _bounds_json(bounds: Iterable[Bound]) -> list[dict[str, Any]]:
    return [
        {
            "pointer": each.pointer,
            "minimum": each.minimum,
            "maximum": each.maximum,
            "one_of": None if each.one_of is None else list(each.one_of),
        }
        for each in bounds
    ]


async def fingerprint(connection: asyncpg.Connection, kind: str, node: str) -> str:
    """Return what is the same as long as the known statements of a kind, and the line to a node, are the same."""
    (found,) = await fingerprints(connection, (kind,), node)
    return found


async def fingerprints(
    connection: asyncpg.Connection, kinds: Collection[str], node: str
) -> list[str]:
    """Return the fingerprints of several kinds, in their order."""
    rows = await connection.fetch(_FINGERPRINTS, list(kinds), node)
    return [row[0] for row in rows]


_FINGERPRINTS = """
    SELECT concat_ws(' ',
        (SELECT parent FROM federation_registry WHERE code = $2),
        (SELECT md5(string_agg(digest, '' ORDER BY digest)) FROM policy_version v WHERE v.kind = k.kind),
        (SELECT md5(string_agg(digest, '' ORDER BY digest)) FROM policy_withdrawal w WHERE w.kind = k.kind))
    FROM unnest($1::text[]) WITH ORDINALITY AS k (kind, place) ORDER BY k.place"""


async def version(
    session: AsyncSession, kind: str, publisher: str, number: int
) -> tuple[PolicyVersion, PolicyWithdrawal | None]:
    """Return one version, of contradicting ones that which counts, and its withdrawal.

    Raises:
        VersionNotFound: if it is not known here (404).
    """
    query = (
        select(PolicyVersion, PolicyWithdrawal)
        .outerjoin(
            PolicyWithdrawal,
            and_(
                PolicyWithdrawal.version == PolicyVersion.digest,
                PolicyWithdrawal.publisher == PolicyVersion.publisher,
            ),
        )
        .where(
            PolicyVersion.kind == kind,
            PolicyVersion.publisher == publisher,
            PolicyVersion.number == number,
        )
        .order_by(PolicyVersion.published_at, PolicyVersion.digest, PolicyWithdrawal.withdrawn_at)
        .limit(1)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise VersionNotFound(kind=kind, publisher=publisher, number=number)
    return found[0], found[1]


async def digests(
    session: AsyncSession, publishers: Collection[str] | None = None
) -> list[tuple[str, str]]:
    """Return publisher and digest of every statement that is known here, of some publishers or of all."""
    both = union_all(
        *(select(table.publisher, table.digest) for table in (PolicyVersion, PolicyWithdrawal))
    ).subquery()
    query = select(both.c.publisher, both.c.digest).order_by(both.c.digest)
    if publishers is not None:
        query = query.where(both.c.publisher.in_(publishers))
    return [(row.publisher, row.digest) for row in await session.execute(query)]


async def statements(session: AsyncSession, wanted: Collection[str]) -> Sequence[Statement]:
    """Return the statements with these digests, as far as they are known here, versions first."""
    found = []
    for table in (PolicyVersion, PolicyWithdrawal):
        rows = await session.execute(
            select(table.content, table.statement)
            .where(table.digest.in_(wanted))
            .order_by(table.digest)
        )
        found += [Statement(content, signature) for content, signature in rows]
    return found


async def add_draft(session: AsyncSession, draft: PolicyDraft) -> None:
    """Keep a draft."""
    session.add(draft)
    await session.flush()  # its columns' defaults are part of the answer


async def draft(
    session: AsyncSession, draft_id: UUID, kind: str | None = None, *, locked: bool = False
) -> PolicyDraft:
    """Return a draft, of a kind or of any.

    Raises:
        DraftNotFound: if there is none (404).
    """
    found = await session.get(PolicyDraft, draft_id, with_for_update=locked, populate_existing=True)
    if found is None or kind not in {None, found.kind}:
        raise DraftNotFound(draft=draft_id)
    return found

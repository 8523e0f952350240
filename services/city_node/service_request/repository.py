"""Every query of requests and their trails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.service_request.kind import Kind, Party
from services.city_node.service_request.models import ServiceRequest, ServiceRequestEvent
from services.city_node.service_request.trail import ENTRY
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit

TRAIL = f"""
    (SELECT coalesce(json_agg({ENTRY} ORDER BY e.id), '[]')
     FROM service_request_event e WHERE e.request_id = r.id)
"""  # noqa: S608 - built from declared expressions alone

REFUSAL = """
    CASE WHEN r.refusal_code IS NOT NULL THEN json_build_object('code', r.refusal_code, 'text', r.refusal_text) END
"""

ATTENTION = """
    CASE WHEN r.attention_code IS NOT NULL THEN json_build_object(
        'code', r.attention_code, 'text', r.attention_text, 'since', r.attention_since
    ) END
"""

LISTING = Listing(
    source="service_request r JOIN organisation_unit u ON u.code = r.unit_code",
    key=Sort("r.id", "uuid"),
    columns={
        "id": "r.id",
        "kind": "r.kind",
        "role": "r.role",
        "home": "r.home",
        "visited": "r.visited",
        "state": "r.state",
        "awaiting": "r.awaiting",
        "subject": "r.subject",
        "deadline": "r.deadline",
        "data": "r.data",
        "refusal": REFUSAL,
        "unit": "r.unit_code",
        "created_by": "r.created_by",
        "created_at": "r.created_at",
        "updated_at": "r.updated_at",
        "ended_at": "r.ended_at",
        "version": "r.version",
        "attention": ATTENTION,
    },
    sorts={
        "created_at": Sort("r.created_at", "timestamptz"),
        "updated_at": Sort("r.updated_at", "timestamptz"),
        "deadline": Sort("r.deadline", "timestamptz"),
    },
    filters={
        "unit_path": "starts_with(u.path, {})",
        "kind": "r.kind = {}",
        "state": "r.state = {}",
        "role": "r.role = {}",
        "home": "r.home = {}",
        "visited": "r.visited = {}",
        "awaiting": "r.awaiting = {}",
        "open": "(r.ended_at IS NULL) = {}",
        "deadline_before": "r.deadline < {}",
        "attention": "(r.attention_code IS NOT NULL) = {}",
    },
)

WITH_TRAIL = Listing(
    LISTING.source, LISTING.key, {**LISTING.columns, "trail": TRAIL}, LISTING.sorts, LISTING.filters
)


@dataclass(frozen=True, slots=True)
class Document:
    """One request as JSON, and its version."""

    json: bytes
    version: int


async def read(
    connection: asyncpg.Connection | asyncpg.Pool,
    request_id: UUID,
    *,
    unit_path: str,
    kind: str | None = None,
    listing: Listing = WITH_TRAIL,
    fields: str | None = None,
) -> Document | None:
    """Return the request as JSON if it belongs to a unit at or below ``unit_path``.

    Raises:
        shared.kernel.listing.QueryInvalid: for a field that it does not have.
    """
    row = await connection.fetchrow(
        f"SELECT ({listing.item(fields)})::text, r.version FROM {listing.source} "  # noqa: S608 - built from declared expressions alone
        "WHERE r.id = $1 AND starts_with(u.path, $2) AND r.kind = coalesce($3, r.kind)",
        request_id,
        unit_path,
        kind,
    )
    return Document(row[0].encode(), row[1]) if row else None


async def lock(session: AsyncSession, kind: Kind, request_id: UUID) -> ServiceRequest | None:
    """Return the request and keep everyone else from moving it until the transaction ends."""
    query = select(ServiceRequest).where(
        ServiceRequest.id == request_id, ServiceRequest.kind == kind.code
    )
    return await session.scalar(query.with_for_update().execution_options(populate_existing=True))


async def lock_within(
    session: AsyncSession, kind: Kind, role: Party, request_id: UUID, unit_path: str
) -> ServiceRequest | None:
    """Return and lock this end's request if it belongs to a unit at or below ``unit_path``."""
    query = (
        select(ServiceRequest)
        .join(OrganisationUnit, OrganisationUnit.code == ServiceRequest.unit_code)
        .where(
            ServiceRequest.id == request_id,
            ServiceRequest.kind == kind.code,
            ServiceRequest.role == role,
            func.starts_with(OrganisationUnit.path, unit_path),
        )
    )
    return await session.scalar(
        query.with_for_update(of=ServiceRequest).execution_options(populate_existing=True)
    )


async def lock_of_any_kind(
    session: AsyncSession, request_id: UUID, *, unit_path: str = ""
) -> ServiceRequest | None:
    """Return and lock the request, of whatever kind, if it belongs to a unit at or below ``unit_path``."""
    query = (
        select(ServiceRequest)
        .join(OrganisationUnit, OrganisationUnit.code == ServiceRequest.unit_code)
        .where(ServiceRequest.id == request_id, func.starts_with(OrganisationUnit.path, unit_path))
    )
    return await session.scalar(
        query.with_for_update(of=ServiceRequest).execution_options(populate_existing=True)
    )


async def to_attend(
    session: AsyncSession,
    *,
    now: datetime,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[tuple[datetime, UUID]]:
    """Return when and about which requests a person is to be called by ``now``, in that order, past ``after``."""
    query = select(ServiceRequest.attend_at, ServiceRequest.id).where(
        ServiceRequest.attend_at <= now
    )
    if after is not None:
        query = query.where(tuple_(ServiceRequest.attend_at, ServiceRequest.id) > tuple_(*after))
    rows = await session.execute(
        query.order_by(ServiceRequest.attend_at, ServiceRequest.id).limit(limit)
    )
    return [(due, request_id) for due, request_id in rows if due is not None]


async def exists(session: AsyncSession, request_id: UUID) -> bool:
    """Tell whether this node has any record of that id."""
    found = await session.scalar(select(ServiceRequest.id).where(ServiceRequest.id == request_id))
    return found is not None


async def overdue(
    session: AsyncSession,
    kind: Kind,
    *,
    now: datetime,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[tuple[datetime, UUID]]:
    """Return deadline and id of what the clock may end by ``now``, in that order, past ``after``."""
    key = tuple_(ServiceRequest.deadline, ServiceRequest.id)
    ends = [
        tuple_(ServiceRequest.role, ServiceRequest.state).in_(
            [(role.value, state) for role in Party for state in sorted(kind.expirable(role))]
        )
    ]
    query = select(ServiceRequest.deadline, ServiceRequest.id).where(
        ServiceRequest.kind == kind.code,
        ServiceRequest.ended_at.is_(None),
        ServiceRequest.deadline <= now,
        *ends,
    )
    if after is not None:
        query = query.where(key > tuple_(*after))
    rows = await session.execute(
        query.order_by(ServiceRequest.deadline, ServiceRequest.id).limit(limit)
    )
    return [(deadline, request_id) for deadline, request_id in rows]


async def has_heard(session: AsyncSession, request_id: UUID, message_id: UUID) -> bool:
    """Tell whether the trail already has that message."""
    query = select(ServiceRequestEvent.id).where(
        ServiceRequestEvent.request_id == request_id, ServiceRequestEvent.message_id == message_id
    )
    return await session.scalar(query) is not None


async def active_unit(session: AsyncSession, code: str, unit_path: str) -> OrganisationUnit | None:
    """Return the unit of that code if it is active and lies at or below ``unit_path``."""
    query = select(OrganisationUnit).where(
        OrganisationUnit.code == code,
        OrganisationUnit.active,
        func.starts_with(OrganisationUnit.path, unit_path),
    )
    return await session.scalar(query)

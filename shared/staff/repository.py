"""Every query about staff and their sign-ins."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access.revocation import LONGEST_LIFE
from shared.capability import Role
from shared.kernel.listing import Listing, Sort
from shared.organisation.models import OrganisationUnit
from shared.staff.models import RefreshToken, SignInSession, StaffChange, StaffKind, StaffMember

_FIELDS = (
    "id",
    "username",
    "kind",
    "display_name",
    "role",
    "unit_code",
    "active",
    "version",
    "created_at",
    "updated_at",
)

STAFF = Listing(
    source="staff_member s JOIN organisation_unit u ON u.code = s.unit_code",
    key=Sort("s.id", "uuid"),
    columns={name: f"s.{name}" for name in _FIELDS},
    sorts={
        "username": Sort("s.username", "text"),
        "display_name": Sort("s.display_name", "text"),
        "created_at": Sort("s.created_at", "timestamptz"),
        "updated_at": Sort("s.updated_at", "timestamptz"),
    },
    filters={
        "scope": "starts_with(u.path, {})",
        "username": "s.username = lower({})",
        "kind": "s.kind = {}",
        "role": "s.role = {}",
        "unit": "s.unit_code = {}",
        "within": "starts_with(u.path, (SELECT w.path FROM organisation_unit w WHERE w.code = {}))",
        "active": "s.active = {}",
    },
)

CHANGES = Listing(
    source="staff_change c",
    key=Sort("c.id", "uuid"),
    columns={name: f"c.{name}" for name in ("id", "changed_at", "changed_by", "action", "changes")},
    sorts={"changed_at": Sort("c.changed_at", "timestamptz")},
    filters={"staff": "c.staff_id = {}"},
)


class FoundMember(NamedTuple):
    """A member of staff as PostgreSQL wrote it."""

    json: str
    version: int


class Placed(NamedTuple):
    """A member of staff, and where in the tree its unit is."""

    member: StaffMember
    unit_path: str


async def are_one_person(session: AsyncSession, one: UUID, other: UUID) -> bool:
    """Tell whether two accounts are of one person, as far as the staff record tells: they are one, or of one name."""
    if one == other:
        return True
    names = (
        await session.scalars(
            select(StaffMember.display_name).where(StaffMember.id.in_([one, other]))
        )
    ).all()
    return len({name.strip().casefold() for name in names}) < len(names)


async def read(
    connection: asyncpg.Connection | asyncpg.Pool,
    staff_id: UUID,
    *,
    scope: str,
    fields: str | None = None,
) -> FoundMember | None:
    """Return a member of staff as JSON, if its unit lies within ``scope``, a path.

    Raises:
        shared.kernel.listing.QueryInvalid: for a field that staff do not have.
    """
    row = await connection.fetchrow(
        f"SELECT ({STAFF.item(fields)})::text, s.version FROM {STAFF.source} "  # noqa: S608 - built from declared expressions alone
        "WHERE s.id = $1 AND starts_with(u.path, $2)",
        staff_id,
        scope,
    )
    return None if row is None else FoundMember(*row)


async def find(session: AsyncSession, username: str) -> Placed | None:
    """Return the account of that username, in lower case."""
    return await _placed(session, StaffMember.username == username)


async def lock(session: AsyncSession, staff_id: UUID) -> Placed | None:
    """Return an account, and let nobody else change it or sign in to it before the end."""
    return await _placed(session, StaffMember.id == staff_id, locked=True)


async def active_roles_of(session: AsyncSession, display_name: str, *, but: UUID) -> Sequence[Role]:
    """Return the roles of a person's active accounts, the account ``but`` left out."""
    query = select(StaffMember.role).where(
        StaffMember.display_name == display_name,
        StaffMember.kind == StaffKind.PERSON,
        StaffMember.active,
        StaffMember.id != but,
    )
    return [Role(role) for role in await session.scalars(query.distinct())]


async def lock_by_name(session: AsyncSession, username: str) -> Placed | None:
    """Return the account of that username, locked as :func:`lock` does."""
    return await _placed(session, StaffMember.username == username, locked=True)


async def _placed(
    session: AsyncSession, condition: object, *, locked: bool = False
) -> Placed | None:
    query = (
        select(StaffMember, OrganisationUnit.path)
        .join(OrganisationUnit, OrganisationUnit.code == StaffMember.unit_code)
        .where(condition)  # type: ignore[arg-type]
    )
    if locked:
        query = query.with_for_update(of=StaffMember, key_share=True)
    row = (await session.execute(query.execution_options(populate_existing=True))).one_or_none()
    return None if row is None else Placed(row[0], row[1])


async def add(session: AsyncSession, member: StaffMember) -> bool:
    """Add an account; ``False`` if its username is taken."""
    values = {name: getattr(member, name) for name in (*_FIELDS, "password_hash")}
    statement = insert(StaffMember).values(values).on_conflict_do_nothing()
    return await session.scalar(statement.returning(StaffMember.id)) is not None


def add_change(session: AsyncSession, change: StaffChange) -> None:
    """Add an entry to an account's history."""
    session.add(change)


async def end_sessions(session: AsyncSession, staff_id: UUID, *, now: datetime) -> list[UUID]:
    """Mark every session of an account as revoked; return those that were not."""
    return await _end(session, SignInSession.staff_id == staff_id, now)


async def end_session(session: AsyncSession, session_id: UUID, *, now: datetime) -> list[UUID]:
    """Mark one session as revoked; return it if it was there and was not."""
    return await _end(session, SignInSession.id == session_id, now)


async def _end(session: AsyncSession, condition: object, now: datetime) -> list[UUID]:
    statement = (
        update(SignInSession)
        .where(condition, SignInSession.revoked_at.is_(None))  # type: ignore[arg-type]
        .values(revoked_at=now)
        .returning(SignInSession.id)
    )
    return list(await session.scalars(statement))


async def use_refresh_token(
    session: AsyncSession, token_hash: bytes, *, now: datetime
) -> UUID | None:
    """Mark a refresh token as used and return its session; ``None`` if it was used before, or never given."""
    statement = (
        update(RefreshToken)
        .where(RefreshToken.token_hash == token_hash, RefreshToken.used_at.is_(None))
        .values(used_at=now)
        .returning(RefreshToken.session_id)
    )
    return (await session.scalars(statement)).one_or_none()


async def session_of_refresh_token(session: AsyncSession, token_hash: bytes) -> UUID | None:
    """Return the session that a refresh token was given to, used or not."""
    query = select(RefreshToken.session_id).where(RefreshToken.token_hash == token_hash)
    return (await session.scalars(query)).one_or_none()


async def lock_open_session(
    session: AsyncSession, session_id: UUID, *, now: datetime
) -> SignInSession | None:
    """Return a session that is neither revoked nor expired, locked."""
    query = select(SignInSession).where(
        SignInSession.id == session_id,
        SignInSession.revoked_at.is_(None),
        SignInSession.expires_at > now,
    )
    return (await session.scalars(query.with_for_update(key_share=True))).one_or_none()


async def member_of(session: AsyncSession, staff_id: UUID) -> Placed | None:
    """Return an account as it is now, without locking it."""
    return await _placed(session, StaffMember.id == staff_id)


async def owner_of_session(session: AsyncSession, session_id: UUID) -> UUID | None:
    """Return the account that a session is of."""
    owner: UUID | None = await session.scalar(
        select(SignInSession.staff_id).where(SignInSession.id == session_id)
    )
    return owner


async def add_session(session: AsyncSession, started: SignInSession) -> None:
    """Add a session; its refresh token refers to it, so it is written at once."""
    session.add(started)
    await session.flush()


def add_refresh_token(session: AsyncSession, token: RefreshToken) -> None:
    """Add a refresh token."""
    session.add(token)


async def forget_old_sessions(session: AsyncSession, *, now: datetime) -> None:
    """Delete sessions, with their refresh tokens, of which no access token can live any more."""
    await session.execute(
        delete(SignInSession).where(SignInSession.expires_at <= now - LONGEST_LIFE)
    )


async def unit_for_staff(session: AsyncSession, code: str) -> OrganisationUnit | None:
    """Return unit ``code`` if it is in use."""
    query = select(OrganisationUnit).where(OrganisationUnit.code == code, OrganisationUnit.active)
    return (await session.scalars(query)).one_or_none()

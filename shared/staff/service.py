"""The rules of staff: who can be what, where. Who may decide it is in :mod:`~shared.staff.management`."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import TokenKeeper
from shared.access.revocation import revoke_sessions
from shared.capability import Role
from shared.kernel.ids import new_id
from shared.kernel.problems import Fault
from shared.kernel.tier import Tier
from shared.organisation.models import OrganisationUnit, UnitKind
from shared.staff import repository
from shared.staff.models import StaffAction, StaffChange, StaffKind, StaffMember
from shared.staff.passwords import hash_password, require_fit
from shared.staff.problems import (
    RoleNotOfThisTier,
    UnitUnusable,
    UsernameInvalid,
    UsernameTaken,
)
from shared.staff.throttle import clear_failures

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")

ROLES: Mapping[Tier, tuple[Role, ...]] = {
    Tier.CITY: (
        Role.CLERK,
        Role.ACCOUNT_MANAGER,
        Role.SUPERVISOR,
        Role.OPERATOR,
        Role.AUDITOR,
        Role.INTEGRATION,
    ),
    Tier.PROVINCE: (Role.PROVINCE_COORDINATOR, Role.OPERATOR, Role.AUDITOR, Role.INTEGRATION),
    Tier.HQ: (Role.HQ_ANALYST, Role.OPERATOR, Role.AUDITOR, Role.INTEGRATION),
}
"""The roles that there are in a node of each tier."""


async def add_staff_member(
    session: AsyncSession,
    *,
    username: str,
    password: str,
    role: Role,
    unit_code: str,
    by: str,
    now: datetime,
    tier: Tier,
    kind: StaffKind = StaffKind.PERSON,
    display_name: str | None = None,
) -> StaffMember:
    """Make an account, on the authority of the caller.

    Args:
        session: the transaction.
        username: name to sign in with; upper case is taken as lower.
        password: its password.
        role: what it is to the node.
        unit_code: the unit it belongs to.
        by: who makes it, for the history.
        now: the present moment.
        tier: the node's.
        kind: whether somebody or something signs in.
        display_name: how it is called; the username without one.

    Raises:
        UsernameInvalid, UsernameTaken: if the name has another form, or there is such an account.
        shared.staff.passwords.PasswordUnfit: if the password would be guessed.
        RoleNotOfThisTier: if the node's tier has no such role.
        UnitUnusable: if there is no such unit in use in this node.
    """
    name = username.lower()
    if not USERNAME.fullmatch(name):
        raise UsernameInvalid(faults=[Fault("/username", "invalid")], username=username[:100])
    require_fit(password, name)
    require_role(role, tier)
    unit = await usable_unit(session, unit_code, tier)
    member = StaffMember(
        id=new_id(),
        username=name,
        kind=kind.value,
        display_name=display_name or name,
        role=role.value,
        unit_code=unit.code,
        password_hash=await hash_password(password),
        active=True,
        version=1,
        created_at=now,
        updated_at=now,
    )
    if not await repository.add(session, member):
        raise UsernameTaken(faults=[Fault("/username", "taken")], username=name)
    said = ("username", "kind", "display_name", "role", "unit_code")
    created = {field: {"old": None, "new": getattr(member, field)} for field in said}
    _note(session, member, StaffAction.CREATED, created, by=by, now=now)
    return member


async def change_staff_member(
    session: AsyncSession,
    member: StaffMember,
    changes: Mapping[str, Any],
    *,
    by: str,
    now: datetime,
    tokens: TokenKeeper | None = None,
) -> bool:
    """Change a locked account's fields, on the authority of the caller.

    A new role, unit or state ends the account's sessions, for their tokens say what it was before.

    Returns:
        Whether anything changed.
    """
    differing = {
        field: value for field, value in changes.items() if getattr(member, field) != value
    }
    if not differing:
        return False
    noted = {f: {"old": getattr(member, f), "new": value} for f, value in differing.items()}
    for field, value in differing.items():
        setattr(member, field, value)
    member.version += 1
    member.updated_at = now
    _note(session, member, StaffAction.CHANGED, noted, by=by, now=now)
    if differing.keys() & {"role", "unit_code", "active"}:
        await sign_out_everywhere(session, member.id, now=now, tokens=tokens)
    return True


async def set_password(
    session: AsyncSession,
    member: StaffMember,
    password: str,
    *,
    by: str,
    now: datetime,
    tokens: TokenKeeper | None = None,
) -> None:
    """Give an account a new password, on the authority of the caller; its sessions and sign-in delays end.

    Raises:
        shared.staff.passwords.PasswordUnfit: if the password would be guessed.
    """
    require_fit(password, member.username)
    member.password_hash = await hash_password(password)
    _note(session, member, StaffAction.PASSWORD, {}, by=by, now=now)
    await clear_failures(session, member.username)
    await sign_out_everywhere(session, member.id, now=now, tokens=tokens)


async def sign_out_everywhere(
    session: AsyncSession, staff_id: UUID, *, now: datetime, tokens: TokenKeeper | None
) -> None:
    """End every session of an account."""
    ended = await repository.end_sessions(session, staff_id, now=now)
    await revoke_sessions(session, ended, now=now, tokens=tokens)


def require_role(role: Role, tier: Tier) -> None:
    """Refuse a role that nodes of this tier do not have.

    Raises:
        RoleNotOfThisTier: naming those there are.
    """
    if role not in ROLES[tier]:
        raise RoleNotOfThisTier(
            faults=[Fault("/role", "not of this tier")],
            role=role.value,
            tier=tier.value,
            roles=", ".join(ROLES[tier]),
        )


async def usable_unit(session: AsyncSession, code: str, tier: Tier) -> OrganisationUnit:
    """Return a unit that staff of this node can belong to: its division, or a team or hall, which are all its own.

    Raises:
        UnitUnusable: if it is another's, closed, or not there.
    """
    unit = await repository.unit_for_staff(session, code)
    if unit is None or unit.kind not in {tier.value, UnitKind.TEAM, UnitKind.HALL}:
        raise UnitUnusable(faults=[Fault("/unit_code", "unusable")], code=code)
    return unit


def _note(
    session: AsyncSession,
    member: StaffMember,
    action: StaffAction,
    changes: dict[str, Any],
    *,
    by: str,
    now: datetime,
) -> None:
    repository.add_change(
        session,
        StaffChange(
            id=new_id(),
            staff_id=member.id,
            changed_at=now,
            changed_by=by,
            action=action.value,
            changes=changes,
        ),
    )

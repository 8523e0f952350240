"""Who may manage which accounts, over HTTP; the command line answers to whoever may use the machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.access import DutiesConflict, Grants, Principal, TokenKeeper
from shared.capability import Action, Role
from shared.kernel.preconditions import require_version
from shared.kernel.tier import Tier
from shared.staff import repository
from shared.staff.audited import CHANGED, CREATED, DISABLED, PASSWORD_SET
from shared.staff.models import StaffKind, StaffMember
from shared.staff.problems import (
    OwnAccount,
    PersonDutiesConflict,
    StaffBeyondAuthority,
    StaffMemberNotFound,
)
from shared.staff.schemas import NewStaffMember, StaffMemberChange
from shared.staff.service import (
    add_staff_member,
    change_staff_member,
    require_role,
    set_password,
    usable_unit,
)

_BELOW_SUPERVISOR = frozenset({Role.CLERK, Role.ACCOUNT_MANAGER})


def may_manage(principal: Principal, role: Role, kind: StaffKind, unit_path: str) -> bool:
    """Tell whether ``principal`` may make or change an account of that role and kind in that place.

    An operator may all within the own scope. A supervisor may persons below the own rank, and supervisors of units
    below the own, so that nobody makes themselves, or a peer, more than they are.
    """
    if not principal.covers(unit_path):
        return False
    if principal.role is Role.OPERATOR:
        return True
    if principal.role is not Role.SUPERVISOR or kind is StaffKind.SERVICE:
        return False
    return role in _BELOW_SUPERVISOR or (
        role is Role.SUPERVISOR and unit_path != principal.unit_path
    )


@dataclass(frozen=True, slots=True)
class Staff:
    """The accounts, as one principal may manage them in one transaction.

    Attributes:
        session: the transaction.
        principal: who asks.
        tier: the node's.
        tokens: the answering worker's token keeper.
        now: the present moment.
        grants: who may do what in the node.
    """

    session: AsyncSession
    principal: Principal
    tier: Tier
    tokens: TokenKeeper
    now: datetime
    grants: Grants

    async def create(self, new: NewStaffMember) -> StaffMember:
        """Make an account.

        Raises:
            StaffBeyondAuthority: if the principal may not manage such accounts there.
            PersonDutiesConflict: if another account of the person has duties to be kept apart from it.
            shared.kernel.problems.Problem: as :func:`add_staff_member`.
        """
        require_role(new.role, self.tier)
        unit = await usable_unit(self.session, new.unit_code, self.tier)
        self._require_authority(new.role, new.kind, unit.path)
        member = await add_staff_member(
            self.session,
            username=new.username,
            password=new.password.get_secret_value(),
            role=new.role,
            unit_code=unit.code,
            by=self.principal.username,
            now=self.now,
            tier=self.tier,
            kind=new.kind,
            display_name=new.display_name,
        )
        await self._require_duties_apart(member)
        self._record(CREATED, member.id, ["role", "unit_code"], role=member.role)
        return member

    async def change(self, staff_id: UUID, change: StaffMemberChange, expected: int) -> StaffMember:
        """Change an account; a change that changes nothing keeps the version.

        Raises:
            StaffMemberNotFound: if there is none in the principal's scope.
            shared.kernel.preconditions.VersionStale: if ``expected`` is not its version.
            StaffBeyondAuthority: if the principal may not manage it as it is, or as it would be.
            OwnAccount: if it is the principal's own, and more than its display name is changed.
            PersonDutiesConflict: if another account of the person has duties to be kept apart from it.
            RoleNotOfThisTier, UnitUnusable: if role or unit are not of this node.
        """
        member, path = await self._managed(staff_id)
        require_version(member.version, expected)
        changes = change.model_dump(exclude_none=True, mode="json")
        if staff_id == self.principal.id and changes.keys() - {"display_name"}:
            raise OwnAccount
        if change.role is not None:
            require_role(change.role, self.tier)
        if change.unit_code is not None:
            path = (await usable_unit(self.session, change.unit_code, self.tier)).path
        role = change.role or Role(member.role)
        self._require_authority(role, StaffKind(member.kind), path)
        by = self.principal.username
        changed = await change_staff_member(
            self.session, member, changes, by=by, now=self.now, tokens=self.tokens
        )
        await self._require_duties_apart(member)
        if changed:
            action = DISABLED if changes.get("active") is False else CHANGED
            self._record(action, member.id, sorted(changes), role=member.role)
        return member

    async def set_password(self, staff_id: UUID, password: str) -> None:
        """Give an account a new password.

        Raises:
            StaffMemberNotFound: if there is none in the principal's scope.
            StaffBeyondAuthority: if the principal may not manage it.
            OwnAccount: if it is the principal's own, whose present password has to be proved.
            shared.staff.passwords.PasswordUnfit: if the password would be guessed.
        """
        if staff_id == self.principal.id:
            raise OwnAccount
        member, _ = await self._managed(staff_id)
        await self._set_password(member, password)

    async def set_own_password(self, password: str) -> None:
        """Give the principal's own account a new password; the present one was proved before.

        Raises:
            StaffMemberNotFound: if the account went away meanwhile.
            shared.staff.passwords.PasswordUnfit: if the password would be guessed.
        """
        placed = await repository.lock(self.session, self.principal.id)
        if placed is None:
            raise StaffMemberNotFound(id=self.principal.id)
        await self._set_password(placed.member, password)

    async def _set_password(self, member: StaffMember, password: str) -> None:
        by = self.principal.username
        await set_password(self.session, member, password, by=by, now=self.now, tokens=self.tokens)
        self._record(PASSWORD_SET, member.id, [])

    def _record(
        self, action: Action, staff_id: UUID, fields: Sequence[str], **detail: object
    ) -> None:
        audit.record(
            self.session,
            audit.Actor.of(self.principal),
            action,
            at=self.now,
            subject=("user", staff_id),
            fields=fields,
            detail=detail,
        )

    async def _managed(self, staff_id: UUID) -> repository.Placed:
        placed = await repository.lock(self.session, staff_id)
        if placed is None or not self.principal.covers(placed.unit_path):
            raise StaffMemberNotFound(id=staff_id)
        member = placed.member
        self._require_authority(Role(member.role), StaffKind(member.kind), placed.unit_path)
        return placed

    async def _require_duties_apart(self, member: StaffMember) -> None:
        """Refuse an account to a person of whom another one has duties that are to be kept apart from it.

        A person's accounts are known by their name: two people of one name are told apart by it.
        """
        if member.kind != StaffKind.PERSON or not member.active:
            return
        role, name = Role(member.role), member.display_name
        for other in await repository.active_roles_of(self.session, name, but=member.id):
            try:
                self.grants.require_apart(role, other)
            except DutiesConflict as conflict:
                raise PersonDutiesConflict(name, role, other) from conflict

    def _require_authority(self, role: Role, kind: StaffKind, unit_path: str) -> None:
        if not may_manage(self.principal, role, kind, unit_path):
            own = self.principal.role.value
            raise StaffBeyondAuthority(own=own, role=role.value, kind=kind.value)

"""Who may do what: the permissions of each role, put together from what a node's capabilities declare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from shared.capability import Conflict, Permission, Role


class PermissionDeclaredTwice(Exception):
    """Two capabilities of one node declare the same permission."""


class DutiesConflict(Exception):
    """A role would hold permissions that are declared to be kept apart."""


@dataclass(frozen=True, slots=True)
class Grants:
    """The permissions that each role holds in one node, and which duties are kept apart."""

    by_role: Mapping[Role, frozenset[str]]
    conflicts: tuple[Conflict, ...] = ()

    @classmethod
    def of(cls, permissions: Iterable[Permission], conflicts: Iterable[Conflict] = ()) -> Self:
        """Collect what the capabilities of a node declare.

        Raises:
            PermissionDeclaredTwice: if two of them declare the same code, for one could then
                silently widen what the other grants.
            DutiesConflict: if a role would hold permissions that are to be kept apart.
        """
        declared: dict[str, frozenset[Role]] = {}
        for permission in permissions:
            if permission.code in declared:
                raise PermissionDeclaredTwice(
                    f"Permission {permission.code} is declared twice: declare it in the one "
                    "capability that asks for it, with all the roles that hold it."
                )
            declared[permission.code] = permission.roles
        grants = cls(
            MappingProxyType(
                {
                    role: frozenset(code for code, roles in declared.items() if role in roles)
                    for role in Role
                }
            ),
            tuple(conflict for conflict in conflicts if not conflict.of_one_change),
        )
        for role in Role:
            grants.require_apart(role, role)
        return grants

    def require_apart(self, role: Role, other: Role) -> None:
        """Refuse two roles that one person may not have, or a role that nobody may have.

        Raises:
            DutiesConflict: if one holds what is to be kept apart from what the other holds.
        """
        for conflict in self.conflicts:
            pair = conflict.between(self.held_by(role), self.held_by(other))
            if pair is not None:
                raise DutiesConflict(
                    f"{pair[0]} of role {role} and {pair[1]} of role {other} are kept apart: {conflict.reason.en}."
                )

    def held_by(self, role: Role) -> frozenset[str]:
        """Return the codes of the permissions that ``role`` holds."""
        return self.by_role.get(role, frozenset())

    def holders_of(self, permission: str) -> tuple[Role, ...]:
        """Return the roles that hold ``permission``."""
        return tuple(role for role in Role if permission in self.held_by(role))

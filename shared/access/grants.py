"""Who may do what: the permissions of each role, put together from what a node's capabilities declare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from shared.capability import Permission, Role


class PermissionDeclaredTwice(Exception):
    """Two capabilities of one node declare the same permission."""


@dataclass(frozen=True, slots=True)
class Grants:
    """The permissions that each role holds in one node."""

    by_role: Mapping[Role, frozenset[str]]

    @classmethod
    def of(cls, permissions: Iterable[Permission]) -> Self:
        """Collect what the capabilities of a node declare.

        Raises:
            PermissionDeclaredTwice: if two of them declare the same code, for one could then
                silently widen what the other grants.
        """
        declared: dict[str, frozenset[Role]] = {}
        for permission in permissions:
            if permission.code in declared:
                raise PermissionDeclaredTwice(
                    f"Permission {permission.code} is declared twice: declare it in the one "
                    "capability that asks for it, with all the roles that hold it."
                )
            declared[permission.code] = permission.roles
        return cls(
            MappingProxyType(
                {
                    role: frozenset(code for code, roles in declared.items() if role in roles)
                    for role in Role
                }
            )
        )

    def held_by(self, role: Role) -> frozenset[str]:
        """Return the codes of the permissions that ``role`` holds."""
        return self.by_role.get(role, frozenset())

    def holders_of(self, permission: str) -> tuple[Role, ...]:
        """Return the roles that hold ``permission``."""
        return tuple(role for role in Role if permission in self.held_by(role))

"""Who is asking."""

from dataclasses import dataclass
from uuid import UUID

from shared.capability import Role


@dataclass(frozen=True, slots=True)
class Principal:
    """The member of staff, person or program, that a request speaks for.

    Attributes:
        id: the member's id.
        username: the name signed in with, in lower case.
        role: what the member is to this node.
        unit: code of the organisation unit, such as ``440300`` or the team ``440300-01``.
        unit_path: the unit's place in the tree, ``000000/440000/440300/440300-01/``.
        permissions: what the member may do here.
        session_id: the sign-in that the request belongs to.
    """

    id: UUID
    username: str
    role: Role
    unit: str
    unit_path: str
    permissions: frozenset[str]
    session_id: UUID

    def may(self, permission: str) -> bool:
        """Tell whether the principal holds ``permission``."""
        return permission in self.permissions

    def covers(self, unit_path: str) -> bool:
        """Tell whether a unit lies in the principal's data scope: its own unit and all below."""
        return unit_path.startswith(self.unit_path)

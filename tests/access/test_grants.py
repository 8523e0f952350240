"""What each role may do follows from what the capabilities declare."""

import pytest

from shared.access import Grants
from shared.access.grants import PermissionDeclaredTwice
from shared.capability import Permission, Role
from shared.kernel.language import Text

NAMELESS = Text("x", "x")
READ = Permission("customer:read", NAMELESS, frozenset({Role.CLERK, Role.SUPERVISOR}))
WRITE = Permission("customer:write", NAMELESS, frozenset({Role.SUPERVISOR}))


def test_a_role_holds_what_names_it_and_nothing_else() -> None:
    grants = Grants.of([READ, WRITE])
    assert grants.held_by(Role.CLERK) == {"customer:read"}
    assert grants.held_by(Role.SUPERVISOR) == {"customer:read", "customer:write"}
    assert grants.held_by(Role.OPERATOR) == frozenset()


def test_the_holders_of_a_permission_are_named_in_the_order_of_the_roles() -> None:
    grants = Grants.of([WRITE, READ])
    assert grants.holders_of("customer:read") == (Role.CLERK, Role.SUPERVISOR)
    assert grants.holders_of("customer:burn") == ()


def test_a_permission_declared_twice_is_refused() -> None:
    with pytest.raises(PermissionDeclaredTwice, match="customer:read"):
        Grants.of([READ, WRITE, READ])

"""What each role may do follows from what the capabilities declare."""

import pytest

from shared.access import Grants
from shared.access.grants import DutiesConflict, PermissionDeclaredTwice
from shared.capability import Conflict, Permission, Role
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


APART = Conflict(frozenset({"customer:*"}), frozenset({"keys:hold"}), Text("x", "x"))
KEYS = Permission("keys:hold", NAMELESS, frozenset({Role.OPERATOR}))


def test_a_role_that_would_hold_both_sides_is_refused() -> None:
    assert Grants.of([READ, KEYS], [APART]).held_by(Role.OPERATOR) == {"keys:hold"}
    both = Permission("customer:burn", NAMELESS, frozenset({Role.OPERATOR}))
    with pytest.raises(DutiesConflict, match=r"customer:burn of role operator and keys:hold"):
        Grants.of([READ, both, KEYS], [APART])


def test_roles_that_one_person_may_not_have_are_kept_apart_either_way() -> None:
    grants = Grants.of([READ, KEYS], [APART])
    grants.require_apart(Role.CLERK, Role.SUPERVISOR)
    for pair in ((Role.CLERK, Role.OPERATOR), (Role.OPERATOR, Role.CLERK)):
        with pytest.raises(DutiesConflict):
            grants.require_apart(*pair)


def test_duties_of_one_change_may_be_held_together() -> None:
    one = frozenset({"customer:write"})
    of_one_change = Conflict(one, one, NAMELESS, of_one_change=True)
    assert Grants.of([WRITE], [of_one_change]).conflicts == ()

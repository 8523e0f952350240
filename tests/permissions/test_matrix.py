"""Every route of each tier, asked by nobody and by every role: what is let in is what the capabilities declare."""

import pytest

from services.city_node.customer.privacy import SHOWING
from services.city_node.customer_import.endpoints import IMPORT_ERASED
from shared.access import guards
from shared.capability import Role
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import (
    ANYBODY_SIGNED_IN,
    METHODS,
    OPEN,
    SIGNED,
    filled,
    guarded,
    problem_of,
    token,
)

TIERS = {"440300": "000000/440000/440300/", "440000": "000000/440000/", "000000": "000000/"}
WIDENING = SHOWING | {"work:supervise", IMPORT_ERASED}
"""Permissions that no route asks for, because they decide what is seen in an answer and of whom, or what it may do."""


def holders(node: TestNode) -> dict[str, frozenset[Role]]:
    """Who holds each permission, as the node's capabilities declare it."""
    return {
        permission.code: permission.roles
        for capability in node.node.capabilities
        for permission in capability.permissions
    }


@pytest.mark.parametrize("code", TIERS)
async def test_each_role_is_let_in_where_it_should_be_and_nowhere_else(
    make_node: MakeNode, code: str
) -> None:
    node = await make_node(code)
    declared = holders(node)
    callers = {role: token(node, role, code, TIERS[code]) for role in Role}
    wrong: list[str] = []
    for guard in guarded(node):
        path = filled(guard.path)
        answer = await node.client.request(guard.method, path)
        if answer.status_code != 401:
            wrong.append(f"{guard.method} {guard.path} by nobody: {answer.status_code}")
        for role, headers in callers.items():
            answer = await node.client.request(guard.method, path, headers=headers)
            may = all(role in declared[permission] for permission in guard.permissions)
            refused = problem_of(answer) == "permission-missing"
            if may is refused or answer.status_code in (401, 500, 502, 503):
                wrong.append(
                    f"{guard.method} {guard.path} by {role}: {answer.status_code}, may {may}"
                )
    assert wrong == []


@pytest.mark.parametrize("code", TIERS)
async def test_no_route_is_without_a_guard(make_node: MakeNode, code: str) -> None:
    node = await make_node(code)
    declared = holders(node)
    asked = [(guard, (guard.method, guard.path)) for guard in guarded(node)]
    unguarded = {what for guard, what in asked if not guard.permissions} - ANYBODY_SIGNED_IN
    assert unguarded == set(), "name the permission that it needs, or why it needs none"
    assert {what for guard, what in asked if not guard.signed_in} == set()
    needed = {permission for guard, _ in asked for permission in guard.permissions}
    assert needed <= declared.keys()
    assert declared.keys() - needed <= WIDENING, "a permission that nothing asks for"


@pytest.mark.parametrize("code", TIERS)
async def test_what_is_open_is_there_and_what_is_signed_refuses_the_unsigned(
    make_node: MakeNode, code: str
) -> None:
    node = await make_node(code)
    there = {(guard.method, guard.path) for guard in guards(node.app)}
    assert OPEN.keys() <= there
    assert {path for _, path in there} >= SIGNED
    everything = {"Authorization": token(node, Role.OPERATOR, code, TIERS[code])["Authorization"]}
    for path in SIGNED:
        for headers in ({}, everything):
            answer = await node.client.post(filled(path), headers=headers, content=b"{}")
            assert 400 <= answer.status_code < 500, (path, answer.text)


@pytest.mark.parametrize("code", TIERS)
async def test_nothing_answers_that_is_no_route(make_node: MakeNode, code: str) -> None:
    node = await make_node(code)
    listed: dict[str, set[str]] = {}
    for guard in guards(node.app):
        listed.setdefault(guard.path, set()).add(guard.method)
    listed.pop("/docs/assets")
    headers = token(node, Role.OPERATOR, code, TIERS[code])
    for path, methods in listed.items():
        for method in set(METHODS) - methods:
            unsigned = await node.client.request(method, filled(path))
            assert unsigned.status_code in (401, 404, 405), (method, path)
        deeper = await node.client.get(f"{filled(path)}/x/y/z", headers=headers)
        assert deeper.status_code in (404, 405), path

"""Asking every route of a node as anybody: the routes, and tokens of roles and units that need no account."""

import re
from collections.abc import Iterator
from uuid import UUID

import httpx

from shared.access import Guard, Principal, guards
from shared.capability import Role
from tests.conftest import TestNode

NIL = "00000000-0000-0000-0000-000000000000"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER = re.compile(r"{([a-z_]+)(?::path)?}")

OPEN = {
    ("GET", "/openapi.json"): "the interface's description of itself",
    ("HEAD", "/openapi.json"): "the same",
    ("", "/docs/assets"): "scripts of the interactive description",
    ("GET", "/docs"): "the interactive description",
    ("GET", "/health/live"): "for what watches the process",
    ("GET", "/health/ready"): "for what sends it requests",
    ("POST", "/oauth/token"): "signing in",
    ("POST", "/oauth/revoke"): "signing out, by the token that ends",
    ("GET", "/oauth/jwks"): "the public token key",
    ("GET", "/glossary/terms"): "words, for any interface before sign-in",
    ("GET", "/glossary/terms/{code}"): "the same",
}
"""What anybody may ask without a token, and why."""
SIGNED = {
    "/federation/v1/lanes/{lane}/batches",
    "/federation/v1/poll",
    "/federation/v1/reconciliations",
    "/federation/v1/clock",
    "/federation/v1/enrolments",
}
"""What nodes ask one another: every request is signed with a node's key (RFC 9421), and no token is."""
ANYBODY_SIGNED_IN = {
    ("GET", "/staff/me"),
    ("POST", "/staff/me/password"),
    ("GET", "/custom-attributes"),
    ("GET", "/custom-attributes/{name}"),
    ("GET", "/departure-reasons"),
    ("GET", "/competitors"),
}
"""What needs a token and no permission: one's own account, and the catalogues that forms are made of."""


def guarded(node: TestNode) -> Iterator[Guard]:
    """Give the routes that are neither open nor between nodes."""
    for guard in guards(node.app):
        if (guard.method, guard.path) not in OPEN and guard.path not in SIGNED:
            yield guard


def filled(path: str, **values: object) -> str:
    """Return a path with a value for each of its parameters: those given, and otherwise one that names nothing."""
    unknown = {"lane": "request", "code": "440399", "peer": "440000", "step": "1"}
    return _PARAMETER.sub(lambda found: str(values.get(found[1], unknown.get(found[1], NIL))), path)


def token(node: TestNode, role: Role, unit: str, path: str, *, number: int = 7) -> dict[str, str]:
    """Return the headers of a principal of that role and unit, whether the node has such an account or not.

    Two of different ``number`` are two people.
    """
    principal = Principal(
        id=UUID(int=number),
        username=f"{role}.{unit}",
        role=role,
        unit=unit,
        unit_path=path,
        permissions=node.node.grants.held_by(role),
        session_id=UUID(int=8),
    )
    signed = node.app.state.tokens.sign(principal, now=node.clock.now())
    return {"Authorization": f"Bearer {signed}"}


def problem_of(answer: httpx.Response) -> str:
    """Return the type of a refusal, without what is common to all; nothing for another answer."""
    if answer.headers.get("content-type") != "application/problem+json":
        return ""
    return str(answer.json()["type"]).rpartition(":")[2]

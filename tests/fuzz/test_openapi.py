"""Requests made up from each tier's own description: none fails the node, and every answer is as described.

Tools that make up requests rarely guess what is there, so half of them are sent to something that is: paths are filled
with ids of what the node holds, and updates carry the version that they need. ``make fuzz`` sends many more.
"""

import itertools
import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.access import Principal, guards
from shared.capability import Role
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.settings import load_settings
from shared.node.app import Node
from shared.node.tiers import composition
from tests.city.drafts import line, person
from tests.fuzz.served import served

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "4"))
"""Requests for each operation."""
TIERS = {"440300": "000000/440000/440300/", "440000": "000000/440000/", "000000": "000000/"}
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = {"/docs", "/federation/v1/poll"}
"""Pages for people, and what waits for news."""
GROUP = {
    "kind": "group",
    "name": "南山精密",
    "document_type": "business_licence",
    "document_number": "91440300MA00000001",
}


def token(node: Node, role: Role) -> dict[str, str]:
    """Return the headers of somebody with that role and the whole node as scope."""
    code = node.settings.code
    principal = Principal(
        id=UUID(int=7),
        username=f"{role}.fuzz",
        role=role,
        unit=code,
        unit_path=TIERS[code],
        permissions=node.grants.held_by(role),
        session_id=UUID(int=8),
    )
    signed = node.app.state.tokens.sign(principal, now=node.context.clock.now())
    return {"Authorization": f"Bearer {signed}"}


def inhabit(client: httpx.Client, headers: dict[str, str]) -> dict[str, list[str]]:
    """Make a person and a group; return the ids that paths are filled with."""

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = client.post(path, json=body, headers={**headers, "Idempotency-Key": path})
        assert answer.status_code == 201, answer.text
        return answer.json()

    one, group = post("/customers", person(1)), post("/customers", GROUP)
    post(f"/customers/{one['id']}/subscriptions", line(1))
    post(f"/customers/{one['id']}/contacts", {"kind": "phone", "value": "13911112222"})
    tie = post(f"/customers/{one['id']}/ties", {"kind": "spouse", "person_name": "王芳"})
    key = post(f"/customers/{group['id']}/key-persons", {"name": "李娜", "phone": "13733334444"})
    return {"customer_id": [one["id"], group["id"]], "item": [tie["id"], key["id"]]}


@pytest.mark.parametrize("code", TIERS)
def test_no_request_fails_the_node_and_every_answer_is_as_described(
    code: str, postgres: EmbeddedPostgres, tmp_path: Any
) -> None:
    name = f"fuzz_{code}"
    postgres.create_database(name)
    node = _node(code, postgres.database_url(name), tmp_path)
    with served(node) as address, httpx.Client(base_url=address, timeout=60) as client:
        known: dict[str, list[str]] = {"code": [code], "lane": ["request"]}
        if code == "440300":
            known |= inhabit(client, token(node, Role.SUPERVISOR))
        described = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        headers = _headers(node)
        wrong: list[str] = []
        for found in described.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr] # what is no operation fails here
            if operation.path not in ENDLESS:
                as_who = headers[operation.method.upper(), operation.path]
                try:
                    _ask(operation, address, as_who, known)
                except (Failure, FailureGroup) as failure:
                    wrong.append(f"{operation.label}: {_told(failure)}")
    assert not wrong, "\n".join(wrong)


def _told(failure: Any) -> str:
    return "; ".join(
        f"{one.title}: {one.message[:600]}" for one in getattr(failure, "exceptions", [failure])
    )


def _node(code: str, database_url: str, home: Any) -> Node:
    chosen = load_settings(
        code=code, home=home, database_url=database_url, scheduler=False, log_level="error"
    )
    made: Node = composition(chosen.tier)(chosen)
    return made


def _headers(node: Node) -> dict[tuple[str, str], dict[str, str]]:
    """Return, for each operation, the headers of somebody who may ask for it."""
    return {
        (guard.method, guard.path): token(
            node, next(role for role in Role if guard.permissions <= node.grants.held_by(role))
        )
        if guard.signed_in
        else {}
        for guard in guards(node.app)
    }


def _ask(operation: Any, address: str, headers: dict[str, str], known: dict[str, Any]) -> None:
    turns: Iterator[int] = itertools.count()

    @settings(
        max_examples=EXAMPLES,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        turn = next(turns)
        for name, values in known.items():
            if turn % 2 and name in case.path_parameters:
                case.path_parameters[name] = values[turn // 2 % len(values)]
        version = {"If-Match": f'"{turn}"'} if turn % 2 else {}
        response = case.call(base_url=address, headers={**headers, **version}, timeout=20)
        case.validate_response(response, checks=CHECKS)

    ask()

"""A city that has staff and nothing else, accounts in it, and ways to sign in."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from shared import organisation, staff
from shared.capability import Capability, Permission, Role
from shared.kernel.language import Text
from shared.staff.models import StaffKind, StaffMember
from shared.staff.service import add_staff_member
from tests.conftest import MakeNode, TestNode

PASSWORD = "correct-horse-battery"
BUSINESS = Capability(
    name="business",
    summary=Text("Permissions that staff may hold", "业务权限"),
    permissions=(
        Permission(
            "customer:read",
            Text("See customers", "查看客户"),
            frozenset({Role.CLERK, Role.ACCOUNT_MANAGER, Role.INTEGRATION}),
        ),
        Permission(
            "customer:write",
            Text("Change customers", "修改客户"),
            frozenset({Role.ACCOUNT_MANAGER, Role.INTEGRATION}),
        ),
    ),
)
CAPABILITIES = (organisation.capability, staff.capability, BUSINESS)
Account = Callable[..., Awaitable[StaffMember]]


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    """Shenzhen, with teams 440300-01 (and a part of it) and 440300-02."""
    node = await make_node("440300", CAPABILITIES)
    await add_teams(node, "440300-01", "440300-01-aa", "440300-02")
    return node


async def add_teams(node: TestNode, *codes: str) -> None:
    """Make teams, each below the unit that its code says."""
    async with node.database.transaction() as session:
        operator = await add_staff_member(
            session,
            username="founder",
            password=PASSWORD,
            role=Role.OPERATOR,
            unit_code=node.code,
            by="test",
            now=node.clock.now(),
            tier=node.node.settings.tier,
        )
    headers = await bearer(node, operator.username)
    for code in codes:
        unit = {"code": code, "parent_code": code.rpartition("-")[0], "kind": "team"}
        names = {"name_zh": code, "name_en": code}
        answer = await node.client.post(
            "/organisation/units", json={**unit, **names}, headers=headers
        )
        assert answer.status_code == 201, answer.text


@pytest.fixture
def account(city: TestNode) -> Account:
    """Make an account in the city: ``await account("li.wei", Role.CLERK, "440300-01")``."""

    async def account(
        username: str,
        role: Role = Role.CLERK,
        unit: str = "440300",
        kind: StaffKind = StaffKind.PERSON,
    ) -> StaffMember:
        async with city.database.transaction() as session:
            return await add_staff_member(
                session,
                username=username,
                password=PASSWORD,
                role=role,
                unit_code=unit,
                by="test",
                now=city.clock.now(),
                tier=city.node.settings.tier,
                kind=kind,
            )

    return account


async def ask(
    node: TestNode, headers: dict[str, str] | None = None, /, **form: str
) -> httpx.Response:
    """Ask the token endpoint."""
    return await node.client.post("/oauth/token", data=form, headers=headers)


async def with_password(
    node: TestNode, username: str, password: str = PASSWORD, **form: str
) -> httpx.Response:
    """Ask for a token with a password."""
    return await ask(node, grant_type="password", username=username, password=password, **form)


async def refresh(node: TestNode, token: str, **form: str) -> httpx.Response:
    """Ask for a token with a refresh token."""
    return await ask(node, grant_type="refresh_token", refresh_token=token, **form)


async def tokens_of(node: TestNode, username: str, **form: str) -> dict[str, Any]:
    """Sign in and return what the token endpoint gave."""
    answer = await with_password(node, username, **form)
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json()
    return given


async def bearer(node: TestNode, username: str) -> dict[str, str]:
    """Sign in and return the header for it."""
    return {"Authorization": f"Bearer {(await tokens_of(node, username))['access_token']}"}


async def me(node: TestNode, access_token: str) -> httpx.Response:
    """Ask who a token speaks for."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return await node.client.get("/staff/me", headers=headers)

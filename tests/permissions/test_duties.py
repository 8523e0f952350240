"""Duties that are kept apart: in what a node is made of, and in the accounts that a person has."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.city_node import customer
from services.city_node.app import CAPABILITIES
from shared.access import DutiesConflict
from shared.capability import Role
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.app import create_node
from tests.city.drafts import CITY
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import token

PATH = f"000000/440000/{CITY}/"


def test_a_node_whose_operator_could_look_at_customers_is_not_made(tmp_path: Path) -> None:
    widened = tuple(
        replace(permission, roles=permission.roles | {Role.OPERATOR})
        if permission.code == "customer:read"
        else permission
        for permission in customer.capability.permissions
    )
    others = [each for each in CAPABILITIES if each is not customer.capability]
    capabilities = (replace(customer.capability, permissions=widened), *others)
    settings = Settings(code=CITY, home=tmp_path, database_url="postgresql://nowhere/x")
    create_node(Tier.CITY, CAPABILITIES, settings)
    with pytest.raises(DutiesConflict, match=r"customer:read of role operator and operations:"):
        create_node(Tier.CITY, capabilities, settings)


def account(username: str, role: str, name: str, **given: Any) -> dict[str, Any]:
    return {
        "username": username,
        "display_name": name,
        "role": role,
        "unit_code": CITY,
        "password": "tide-lantern-orchard-nine",
        **given,
    }


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node(CITY)


async def test_a_person_is_not_given_two_accounts_whose_duties_are_kept_apart(
    node: TestNode,
) -> None:
    headers = token(node, Role.OPERATOR, CITY, PATH)

    async def create(*given: str, **more: Any) -> Any:
        return await node.client.post("/staff", json=account(*given, **more), headers=headers)

    operator = await create("li.wei.ops", "operator", "李伟")
    assert operator.status_code == 201
    refused = await create("li.wei", "clerk", "李伟")
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:guanxi:problem:person-duties-conflict",
    )
    assert (await create("li.wei.two", "operator", "李伟")).status_code == 201
    assert (await create("li.wei.feed", "integration", "李伟", kind="service")).status_code == 201
    clerk = await create("li.wei", "clerk", "李伟（前台）")
    assert clerk.status_code == 201
    who = f"/staff/{clerk.json()['id']}"
    fresh = {**headers, "If-Match": '"1"'}
    for change in ({"role": "operator"}, {"role": "account_manager"}, {"display_name": "王芳"}):
        answer = await node.client.patch(who, json=change, headers=fresh)
        assert answer.status_code == 200, answer.text
        fresh = {**headers, "If-Match": answer.headers["etag"]}
    named = await node.client.patch(who, json={"display_name": "李伟"}, headers=fresh)
    assert named.status_code == 409


async def test_a_disabled_account_stands_in_nobodys_way(node: TestNode) -> None:
    headers = token(node, Role.OPERATOR, CITY, PATH)
    first = await node.client.post(
        "/staff", json=account("li.wei", "clerk", "李伟"), headers=headers
    )
    second = account("li.wei.ops", "operator", "李伟")
    assert (await node.client.post("/staff", json=second, headers=headers)).status_code == 409
    who = f"/staff/{first.json()['id']}"
    closed = await node.client.patch(
        who, json={"active": False}, headers={**headers, "If-Match": '"1"'}
    )
    assert closed.status_code == 200
    assert (await node.client.post("/staff", json=second, headers=headers)).status_code == 201
    reopened = await node.client.patch(
        who, json={"active": True}, headers={**headers, "If-Match": '"2"'}
    )
    assert reopened.status_code == 409

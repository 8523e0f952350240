"""Four eyes: what is sensitive waits for a second person, and nothing of it shows before."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.city_node import proposal
from shared.capability import Role
from shared.staff.service import add_staff_member
from tests.city.drafts import (
    CAPABILITIES,
    OTHER_TEAM,
    TEAM,
    Headers,
    SignIn,
    fresh,
    id_card,
    make_city,
    settle,
)
from tests.conftest import PASSWORD, MakeNode, TestNode


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node, (*CAPABILITIES, proposal.capability))


@pytest.fixture
async def customer(city: TestNode, clerk: Headers) -> dict[str, Any]:
    return await settle(city, clerk)


async def patch(
    city: TestNode, headers: Headers, customer: dict[str, Any], body: dict[str, Any]
) -> Any:
    return await city.client.patch(
        f"/customers/{customer['id']}", json=body, headers=fresh(headers, customer)
    )


async def read(city: TestNode, headers: Headers, path: str) -> Any:
    answer = await city.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def decide(
    city: TestNode, headers: Headers, path: str, word: str, body: Any = None, version: int = 1
) -> Any:
    tagged = {**headers, "If-Match": f'"{version}"'}
    return await city.client.post(f"{path}/{word}", json=body, headers=tagged)


async def test_the_sensitive_part_waits_and_the_rest_takes_effect(
    city: TestNode, clerk: Headers, supervisor: Headers, customer: dict[str, Any]
) -> None:
    document = {"document_type": "id_card", "document_number": id_card(9)}
    body = {"level": "diamond", "payment_method": "代扣", **document}
    answer = await patch(city, clerk, customer, body)
    assert answer.status_code == 202, answer.text
    now = answer.json()
    assert (now["level"], now["payment_method"], now["version"]) == ("gold", "代扣", 2)
    assert now["document_masked"] == customer["document_masked"]
    assert answer.headers["etag"] == '"2"'
    path = answer.headers["location"]
    assert path == f"/customer-proposals/{now['proposal_id']}"
    made = await read(city, clerk, path)
    assert made["changes"] == [
        {"field": "level", "old": "gold", "new": "diamond"},
        {
            "field": "document_number",
            "old": customer["document_masked"],
            "new": f"4403{'*' * 10}{id_card(9)[-4:]}",
        },
    ]
    page = await read(city, clerk, f"/customers/{customer['id']}?include=proposals")
    assert [one["id"] for one in page["proposals"]] == [made["id"]]
    approved = await decide(city, supervisor, path, "approve")
    assert approved.status_code == 200, approved.text
    assert approved.json()["state"] == "approved"
    changed = await read(city, clerk, f"/customers/{customer['id']}?include=changes,proposals")
    assert (changed["level"], changed["version"], changed["proposals"]) == ("diamond", 3, [])
    assert changed["document_masked"].endswith(id_card(9)[-4:])
    assert changed["changes"][0]["cause_id"] == made["id"]
    assert changed["changes"][0]["changes"] == made["changes"]
    assert changed["changes"][0]["by"] == approved.json()["decided_by"] != made["proposed_by"]
    again = await decide(city, supervisor, path, "approve", version=2)
    assert (again.status_code, again.json()["title"]) == (409, "Proposal decided")


async def test_what_is_not_sensitive_or_no_change_needs_nobody(
    city: TestNode, clerk: Headers, customer: dict[str, Any]
) -> None:
    same = {"level": "gold", "name": "张伟", "document_type": "id_card"}
    answer = await patch(city, clerk, customer, {**same, "document_number": id_card(1)})
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    answer = await patch(city, clerk, customer, {"sex": "female"})
    assert (answer.status_code, answer.json()["sex"]) == (200, "female")


async def test_what_would_be_refused_is_refused_at_once(
    city: TestNode, clerk: Headers, customer: dict[str, Any]
) -> None:
    await settle(city, clerk, 2)
    taken = {"document_type": "id_card", "document_number": id_card(2)}
    for body, status in (({"birth_date": "2999-01-01"}, 422), (taken, 409)):
        answer = await patch(city, clerk, customer, {**body, "payment_method": "代扣"})
        assert answer.status_code == status
    page = await read(city, clerk, f"/customers/{customer['id']}?include=proposals")
    assert (page["payment_method"], page["version"], page["proposals"]) == (None, 1, [])


async def test_a_proposer_never_approves(
    city: TestNode, supervisor: Headers, sign_in: SignIn, customer: dict[str, Any]
) -> None:
    path = (await patch(city, supervisor, customer, {"name": "张玮"})).headers["location"]
    for word, body in (("approve", None), ("reject", {"reason": "x"})):
        answer = await decide(city, supervisor, path, word, body)
        assert (answer.status_code, answer.json()["title"]) == (403, "A second person is needed")
    proposer = (await read(city, supervisor, path))["proposed_by"]
    async with city.database.transaction() as session:
        await session.execute(
            text("UPDATE staff_member SET display_name = '王 芳' WHERE username = :name"),
            {"name": proposer},
        )
        await add_staff_member(
            session,
            username="second",
            password=PASSWORD,
            role=Role.SUPERVISOR,
            unit_code=city.code,
            by="test",
            now=city.clock.now(),
            tier=city.node.settings.tier,
        )
        await session.execute(
            text("UPDATE staff_member SET display_name = '王 芳 ' WHERE username = 'second'")
        )
    form = {"grant_type": "password", "username": "second", "password": PASSWORD}
    token = (await city.client.post("/oauth/token", data=form)).json()["access_token"]
    answer = await decide(city, {"Authorization": f"Bearer {token}"}, path, "approve")
    assert answer.status_code == 403
    another = await sign_in(city, Role.SUPERVISOR)
    assert (await decide(city, another, path, "approve")).status_code == 200


async def test_rejecting_withdrawing_and_proposing_anew(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn, customer: dict[str, Any]
) -> None:
    first = (await patch(city, clerk, customer, {"name": "张玮"})).headers["location"]
    colleague = await sign_in(city, Role.CLERK)
    other = await patch(city, colleague, customer, {"level": "diamond", "sex": "female"})
    assert (other.status_code, other.json()["title"]) == (409, "Another proposal waits")
    assert (await read(city, clerk, f"/customers/{customer['id']}"))["sex"] == "male"
    assert (await decide(city, colleague, first, "withdraw")).status_code == 403
    second = (await patch(city, clerk, customer, {"name": "张蔚"})).headers["location"]
    assert (await read(city, clerk, first))["state"] == "withdrawn"
    assert (await decide(city, clerk, second, "approve")).status_code == 403
    rejected = await decide(city, supervisor, second, "reject", {"reason": "无证件"})
    assert (rejected.json()["state"], rejected.json()["decision"]) == ("rejected", "无证件")
    third = (await patch(city, clerk, customer, {"name": "张卫"})).headers["location"]
    assert (await decide(city, clerk, third, "withdraw", version=7)).status_code == 412
    assert (await decide(city, clerk, third, "withdraw")).json()["state"] == "withdrawn"
    listed = await read(city, clerk, f"/customer-proposals?customer={customer['id']}")
    assert [one["state"] for one in listed["items"]] == ["withdrawn", "rejected", "withdrawn"]
    waiting = await read(city, clerk, "/customer-proposals?state=pending")
    assert waiting["items"] == []
    async with city.database.transaction() as session:
        kept = await session.execute(text("SELECT count(sealed) FROM customer_proposal"))
        assert kept.scalar_one() == 0


async def test_a_stale_proposal_must_be_made_anew(
    city: TestNode, clerk: Headers, supervisor: Headers, customer: dict[str, Any]
) -> None:
    path = (await patch(city, clerk, customer, {"name": "张玮"})).headers["location"]
    await patch(city, clerk, customer, {"sex": "female"})  # another field makes nothing stale
    async with city.database.transaction() as session:
        await session.execute(
            text("UPDATE customer SET name = '张威' WHERE id = :id"), {"id": UUID(customer["id"])}
        )
    stale = await decide(city, supervisor, path, "approve")
    assert (stale.status_code, stale.json()["title"]) == (409, "Proposal is stale")
    assert (await read(city, clerk, path))["state"] == "pending"
    now = await read(city, clerk, f"/customers/{customer['id']}")
    anew = await patch(city, clerk, now, {"name": "张玮"})
    assert anew.status_code == 202
    approved = await decide(city, supervisor, anew.headers["location"], "approve")
    assert approved.status_code == 200
    now = await read(city, clerk, f"/customers/{customer['id']}")
    assert (now["name"], now["sex"]) == ("张玮", "female")


async def test_proposals_expire(city: TestNode, clerk: Headers, customer: dict[str, Any]) -> None:
    path = (await patch(city, clerk, customer, {"name": "张玮"})).headers["location"]
    await city.run_job("expire-proposals")
    assert (await read(city, clerk, path))["state"] == "pending"
    city.clock.advance(timedelta(days=30))
    for _ in range(2):
        await city.run_job("expire-proposals")
    async with city.database.transaction() as session:
        row = (
            await session.execute(text("SELECT state, version, sealed FROM customer_proposal"))
        ).one()
    assert tuple(row) == ("expired", 2, None)


async def test_scope_and_permissions(city: TestNode, clerk: Headers, sign_in: SignIn) -> None:
    customer = await settle(city, clerk, 3, unit_code=TEAM)
    path = (await patch(city, clerk, customer, {"name": "张玮"})).headers["location"]
    elsewhere = await sign_in(city, Role.SUPERVISOR, OTHER_TEAM)
    assert (await city.client.get(path, headers=elsewhere)).status_code == 404
    assert (await decide(city, elsewhere, path, "approve")).status_code == 404
    assert (await read(city, elsewhere, "/customer-proposals"))["items"] == []
    assert (await decide(city, clerk, path, "approve")).status_code == 403


async def test_a_node_says_what_is_sensitive(
    city: TestNode, clerk: Headers, sign_in: SignIn, customer: dict[str, Any]
) -> None:
    listed = await read(city, clerk, "/sensitive-fields?kind=individual")
    sensitive = {one["field"] for one in listed["items"] if one["sensitive"]}
    assert sensitive == {"name", "document", "birth_date", "level"}
    operator = await sign_in(city, Role.OPERATOR)
    path = "/sensitive-fields/individual/level"
    headers = {**operator, "If-Match": '"1"'}
    assert (
        await city.client.put(path, json={"sensitive": False}, headers={**clerk, "If-Match": '"1"'})
    ).status_code == 403
    answer = await city.client.put(path, json={"sensitive": False}, headers=headers)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    stale = await city.client.put(path, json={"sensitive": True}, headers=headers)
    assert stale.status_code == 412
    for start in proposal.capability.on_start:
        await start(city.context)
    at_once = await patch(city, clerk, customer, {"level": "diamond"})
    assert (at_once.status_code, at_once.json()["level"]) == (200, "diamond")

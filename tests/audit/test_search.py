"""Who may search the log, what each of them finds, and that the search itself is found."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from shared.capability import Role
from tests.city.drafts import Headers, make_city, person
from tests.conftest import MakeNode, TestNode

SignIn = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node)


async def found(city: TestNode, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await city.client.get(f"/audit/records?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_who_looked_at_whom(city: TestNode, sign_in: SignIn) -> None:
    clerk, auditor = await sign_in(city, Role.CLERK), await sign_in(city, Role.AUDITOR)
    made = [
        (await city.client.post("/customers", json=person(n), headers=clerk)).json() for n in (1, 2)
    ]
    path = f"/customers/{made[0]['id']}"
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    await city.client.get(path, headers=clerk | trace)
    await city.client.get(f"{path}?fields=name,level&include=contacts,bills", headers=clerk)
    await city.client.get(f"{path}/changes", headers=clerk)
    await city.client.get(f"{path}/subscriptions", headers=clerk)
    await city.client.get(f"/customers/{made[1]['id']}", headers=clerk)
    about = await found(city, auditor, f"subject={made[0]['id']}")
    assert [(one["action"], one["fields"]) for one in about[:-1]] == [
        ("customer.looked", ["subscriptions"]),
        ("customer.looked", ["changes"]),
        ("customer.looked", ["name", "level", "contacts", "bills"]),
        ("customer.looked", ["profile"]),
    ]
    assert about[-1]["action"] == "customer.created"
    look = about[3]
    assert look["by"].startswith("clerk-")
    assert (look["role"], look["unit_code"], look["source"]) == ("clerk", "440300", "rest")
    assert look["trace_id"] == trace["traceparent"].split("-")[1]
    assert await found(city, auditor, f"trace={look['trace_id']}&action=customer.looked") == [look]
    assert len(await found(city, auditor, f"by={look['by']}&subject_type=customer")) == 7
    assert len(await found(city, auditor, f"user={look['user_id']}&action=customer.looked")) == 5


async def test_many_looks_at_once_share_commits(city: TestNode, sign_in: SignIn) -> None:
    clerk = await sign_in(city, Role.CLERK)
    path = (await city.client.post("/customers", json=person(1), headers=clerk)).headers["location"]
    answers = await asyncio.gather(*(city.client.get(path, headers=clerk) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    async with city.database.transaction() as session:
        counted = "SELECT count(*), count(DISTINCT xid) FROM audit_record WHERE action = 'customer.looked'"
        looks, commits = (await session.execute(text(counted))).one()
    assert looks == 100
    assert commits < 50


async def test_what_was_not_found_was_not_looked_at(city: TestNode, sign_in: SignIn) -> None:
    clerk, auditor = await sign_in(city, Role.CLERK), await sign_in(city, Role.AUDITOR)
    nobody = "019ac0de-7000-7000-8000-000000000002"
    for way in ("", "/changes", "/subscriptions", "?fields=name"):
        answer = await city.client.get(f"/customers/{nobody}{way}", headers=clerk)
        assert answer.status_code == 404
    assert await found(city, auditor, f"subject={nobody}") == []


async def test_a_list_is_one_record_with_whom_it_showed_and_no_personal_filter(
    city: TestNode, sign_in: SignIn
) -> None:
    clerk, auditor = await sign_in(city, Role.CLERK), await sign_in(city, Role.AUDITOR)
    ids = {
        (await city.client.post("/customers", json=person(n), headers=clerk)).json()["id"]
        for n in (1, 2)
    }
    await city.client.get("/customers?kind=individual", headers=clerk)
    await city.client.get(
        "/customers", params={"name": "张", "msisdn": "13800138000"}, headers=clerk
    )
    second, first = await found(city, auditor, "action=customer.searched")
    assert set(first["detail"]["ids"]) == ids
    assert first["detail"]["filters"] == {
        "kind": "individual",
        "library": "in_network",
    }
    index = city.context.cipher.index("13800138000").hex()
    assert second["detail"]["filters"]["msisdn"] == index
    assert len(second["detail"]["filters"]["name"]) == 64
    assert second["detail"]["count"] == 0


async def test_a_change_is_recorded_without_values_or_numbers(
    city: TestNode, sign_in: SignIn
) -> None:
    clerk, auditor = await sign_in(city, Role.CLERK), await sign_in(city, Role.AUDITOR)
    made = await city.client.post("/customers", json=person(1), headers=clerk)
    path = made.headers["location"]
    line = {"msisdn": "13800138000", "iccid": "89860026110000000001", "imsi": "460000000000001"}
    once = {"Idempotency-Key": "one"}
    answer = await city.client.post(f"{path}/subscriptions", json=line, headers=clerk | once)
    assert answer.status_code == 201
    tag = {"If-Match": answer.headers["etag"]}
    await city.client.patch(path, json={"level": "gold"}, headers=clerk | tag)
    await city.client.patch(path, json={"level": "silver"}, headers=clerk | tag)  # stale: refused
    changed, subscribed, _ = await found(city, auditor, f"subject={made.json()['id']}")
    assert (changed["action"], changed["fields"]) == ("customer.changed", ["level"])
    assert subscribed["action"] == "customer.subscribed"
    assert subscribed["fields"] == ["subscriptions/status", "sims/state"]
    async with city.database.transaction() as session:
        everything = await session.scalar(
            text("SELECT string_agg(r::text, '') FROM audit_record r")
        )
    for personal in (made.json()["name"], *line.values()):
        assert personal not in everything


async def test_everyone_finds_what_the_own_unit_and_those_below_did(
    city: TestNode, sign_in: SignIn
) -> None:
    units = ("440300", "440300-01", "440300-02")
    for unit in units:
        await city.client.get("/customers", headers=await sign_in(city, Role.CLERK, unit))
    for unit in units:
        supervisor = await sign_in(city, Role.SUPERVISOR, unit)
        seen = {
            one["unit_code"] for one in await found(city, supervisor, "action=customer.searched")
        }
        assert seen == (set(units) if unit == "440300" else {unit})
    auditor = await sign_in(city, Role.AUDITOR)
    below = await found(city, auditor, "unit=440300-01&action=customer.searched")
    assert {one["unit_code"] for one in below} == {"440300-01"}


async def test_who_may_search_and_who_may_check(city: TestNode, sign_in: SignIn) -> None:
    may_read = {Role.AUDITOR, Role.SUPERVISOR}
    may_check = {Role.AUDITOR, Role.OPERATOR}
    for role in (
        Role.CLERK,
        Role.ACCOUNT_MANAGER,
        Role.SUPERVISOR,
        Role.OPERATOR,
        Role.AUDITOR,
        Role.INTEGRATION,
    ):
        who = await sign_in(city, role)
        read = await city.client.get("/audit/records", headers=who)
        check = await city.client.post("/audit/verification", headers=who)
        seals = await city.client.get("/audit/seals", headers=who)
        assert read.status_code == (200 if role in may_read else 403)
        assert check.status_code == seals.status_code == (200 if role in may_check else 403)
    auditor = await sign_in(city, Role.AUDITOR)
    for path in ("/customers", "/staff"):
        assert (await city.client.get(path, headers=auditor)).status_code == 403


async def test_searching_and_checking_are_recorded(city: TestNode, sign_in: SignIn) -> None:
    auditor, operator = await sign_in(city, Role.AUDITOR), await sign_in(city, Role.OPERATOR)
    await found(city, auditor, "by=li.wei")
    await city.client.post("/audit/verification", headers=operator)
    verified, searched = await found(city, auditor, "subject=audit_log")
    assert (verified["action"], verified["detail"]) == (
        "audit.verified",
        {"first": 1, "intact": True},
    )
    assert verified["by"].startswith("operator-")
    assert (searched["action"], searched["detail"]) == ("audit.searched", {"by": "li.wei"})


async def test_the_chain_over_http(city: TestNode, sign_in: SignIn) -> None:
    auditor = await sign_in(city, Role.AUDITOR)
    await city.run_job("seal-audit")
    seals = (await city.client.get("/audit/seals", headers=auditor)).json()["items"]
    assert [seal["number"] for seal in seals] == [1]
    answer = await city.client.post("/audit/verification", headers=auditor)
    assert (answer.json()["intact"], answer.json()["rewritable"]) == (True, [])
    assert answer.json()["head"] == f"1:{seals[0]['link']}"
    head = {"head": f"1:{'0' * 64}"}
    answer = await city.client.post("/audit/verification", params=head, headers=auditor)
    assert (answer.json()["intact"], answer.json()["broken"]["tampering"]) == (False, "forged")
    answer = await city.client.post("/audit/verification?head=nonsense", headers=auditor)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:guanxi:problem:head-invalid")


async def test_pages_of_the_log_follow_one_another(city: TestNode, sign_in: SignIn) -> None:
    clerk, auditor = await sign_in(city, Role.CLERK), await sign_in(city, Role.AUDITOR)
    for _ in range(5):
        await city.client.get("/customers", headers=clerk)
    query: str | None = "action=customer.searched&limit=2"
    seen: list[int] = []
    while query:
        page = (await city.client.get(f"/audit/records?{query}", headers=auditor)).json()
        seen += [one["id"] for one in page["items"]]
        query = page["next"] and f"action=customer.searched&limit=2&cursor={page['next']}"
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)

"""Verification: who is due becomes one task, whose outcome is stamped and counted."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.city_node.verification import plan as planning
from services.city_node.verification.plan import DUE_DAYS, REST_DAYS, plan
from shared.capability import Role
from tests.city.drafts import OTHER_TEAM, TEAM, Headers, SignIn, fresh, settle
from tests.conftest import TestNode


async def grow_old(city: TestNode, customer: dict[str, Any], days: int) -> None:
    """Let a profile have been made, and verified if it was, so many days earlier."""
    async with city.database.transaction() as session:
        for statement in (
            "UPDATE customer SET created_at = created_at - make_interval(days => CAST(:days AS integer)) WHERE id = :id",
            "UPDATE customer_verification SET verified_on = verified_on - CAST(:days AS integer) WHERE customer_id = :id",
        ):
            await session.execute(text(statement), {"days": days, "id": UUID(customer["id"])})


async def tasks(city: TestNode, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await city.client.get(f"/verification-tasks{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def close(city: TestNode, headers: Headers, task: dict[str, Any], outcome: str) -> Any:
    return await city.client.post(
        f"/verification-tasks/{task['id']}/close",
        json={"outcome": outcome},
        headers=fresh(headers, task),
    )


async def planned(city: TestNode) -> int:
    return (await plan(city.database, now=city.clock.now())).created


async def test_who_is_due_by_level_gets_one_task(
    city: TestNode, clerk: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PORTION", 2)
    people = {}
    for running, level in enumerate(("diamond", "gold", "silver", "standard"), 1):
        people[level] = await settle(city, clerk, running, level=level)
        await grow_old(city, people[level], 269)
    assert await planned(city) == 1
    assert await planned(city) == 0
    (task,) = await tasks(city, clerk)
    assert (task["customer_id"], task["reason"]) == (people["diamond"]["id"], "never")
    assert task["due_on"] == str(date(2026, 11, 23) + timedelta(days=DUE_DAYS))
    await grow_old(city, people["gold"], 1)
    await city.run_job("plan-verification")
    assert {one["level"] for one in await tasks(city, clerk)} == {"diamond", "gold"}


@pytest.mark.parametrize("outcome", ["verified", "corrected"])
async def test_a_verified_profile_is_stamped_and_due_again_later(
    city: TestNode, clerk: Headers, outcome: str
) -> None:
    customer = await settle(city, clerk)
    await grow_old(city, customer, 270)
    await planned(city)
    (task,) = await tasks(city, clerk)
    closed = await close(city, clerk, task, outcome)
    assert (closed.status_code, closed.json()["state"]) == (200, outcome)
    assert (await close(city, clerk, task, outcome)).status_code == 412
    again = await close(city, clerk, closed.json(), outcome)
    assert (again.status_code, again.json()["title"]) == (409, "Task is closed")
    path = f"/customers/{customer['id']}?include=verification,changes"
    page = (await city.client.get(path, headers=clerk)).json()
    assert page["verification"]["verified_on"] == "2026-11-23"
    assert page["verification"]["stale_on"] == str(date(2026, 11, 23) + timedelta(days=270))
    assert page["verification"]["open_task"] is None
    assert page["changes"][0]["changes"] == [
        {"field": "verification/verified_on", "old": None, "new": "2026-11-23"}
    ]
    assert await planned(city) == 0
    await grow_old(city, customer, 270)
    assert await planned(city) == 1
    assert (await tasks(city, clerk))[0]["reason"] == "stale"


async def test_an_unreachable_customer_is_left_in_peace_for_a_while(
    city: TestNode, clerk: Headers
) -> None:
    customer = await settle(city, clerk)
    await grow_old(city, customer, 270)
    await planned(city)
    (task,) = await tasks(city, clerk)
    await close(city, clerk, task, "unreachable")
    assert await planned(city) == 0
    city.clock.advance(timedelta(days=REST_DAYS))
    assert await planned(city) == 1


async def test_a_bounced_contact_makes_a_task_of_a_new_profile(
    city: TestNode, clerk: Headers
) -> None:
    customer, other = [await settle(city, clerk, running) for running in (1, 2)]
    body = {"kind": "phone", "value": "13912345678"}
    path = f"/customers/{customer['id']}"
    await city.client.post(f"{path}/contacts", json=body, headers=clerk)
    listed = await city.client.get(f"{path}/contacts", headers=clerk)
    contact = listed.json()["items"][0]["id"]
    wrong = await city.client.put(
        f"/customers/{other['id']}/contacts/{contact}/bounce", json={}, headers=clerk
    )
    assert wrong.status_code == 404
    for _ in range(2):
        noted = await city.client.put(
            f"{path}/contacts/{contact}/bounce", json={"note": "空号"}, headers=clerk
        )
        assert noted.status_code == 200, noted.text
    page = (await city.client.get(f"{path}?include=verification", headers=clerk)).json()
    assert page["verification"]["bounced_contacts"] == [contact]
    assert await planned(city) == 1
    (task,) = await tasks(city, clerk, "?reason=bounced")
    await close(city, clerk, task, "corrected")
    assert await planned(city) == 0


async def test_tasks_are_found_by_unit_manager_and_day_and_counted(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    async with city.database.transaction() as session:
        manager = (await session.execute(text("SELECT id::text FROM staff_member"))).scalar()
    people = [
        await settle(city, clerk, 1, unit_code=TEAM, manager_id=manager),
        await settle(city, clerk, 2, unit_code=TEAM),
        await settle(city, clerk, 3, unit_code=OTHER_TEAM),
    ]
    for customer in people:
        await grow_old(city, customer, 400)
    assert await planned(city) == 3
    assert len(await tasks(city, clerk, f"?unit={TEAM}")) == 2
    (mine,) = await tasks(city, clerk, f"?manager={manager}")
    assert mine["customer_id"] == people[0]["id"]
    assert await tasks(city, clerk, "?overdue=true") == []
    await close(city, clerk, mine, "verified")
    narrow = await sign_in(city, Role.CLERK, OTHER_TEAM)
    assert [one["customer_id"] for one in await tasks(city, narrow)] == [people[2]["id"]]
    hidden = await city.client.get(f"/verification-tasks/{mine['id']}", headers=narrow)
    assert hidden.status_code == 404
    assert (await close(city, narrow, {**mine, "version": 2}, "verified")).status_code == 404
    nothing = {
        "open": 0,
        "overdue": 0,
        "verified": 0,
        "corrected": 0,
        "unreachable": 0,
        "in_time": 0,
    }
    counted = await city.client.get("/verification-tasks/statistics", headers=clerk)
    assert counted.json()["items"] == [
        {**nothing, "group": TEAM, "open": 1, "verified": 1, "in_time": 1},
        {**nothing, "group": OTHER_TEAM, "open": 1},
    ]
    by_manager = await city.client.get("/verification-tasks/statistics?by=manager", headers=narrow)
    assert by_manager.json()["items"] == [{**nothing, "group": None, "open": 1}]
    async with city.database.transaction() as session:
        await session.execute(text("UPDATE verification_task SET due_on = '2026-11-22'"))
    assert len(await tasks(city, clerk, "?overdue=true")) == 2


async def test_the_task_of_one_who_leaves_is_cancelled(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    await grow_old(city, customer, 400)
    await planned(city)
    await city.client.post(
        f"/customers/{customer['id']}/retire",
        json={"reason": "price"},
        headers=fresh(clerk, customer),
    )
    done = await plan(city.database, now=city.clock.now())
    assert (done.created, done.cancelled) == (0, 1)
    assert len(await tasks(city, clerk, "?state=cancelled")) == 1


async def test_a_node_says_when_a_profile_is_stale(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    customer = await settle(city, clerk)
    await grow_old(city, customer, 40)
    operator = await sign_in(city, Role.OPERATOR)
    tagged = {"If-Match": '"1"'}
    path = "/verification-rules/gold"
    assert (
        await city.client.put(path, json={"days": 40}, headers={**clerk, **tagged})
    ).status_code == 403
    answer = await city.client.put(path, json={"days": 40}, headers={**operator, **tagged})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert await planned(city) == 1
    listed = await city.client.get("/verification-rules", headers=clerk)
    assert {one["level"]: one["days"] for one in listed.json()["items"]}["gold"] == 40

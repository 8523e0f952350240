"""Whose prospects are, who sees them, what is recorded of it, and what is counted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.city_node.prospect.finding import Finder
from services.city_node.prospect.trial import Draft, compare
from shared.capability import Role
from tests.city.drafts import CITY, OTHER_TEAM, TEAM, Headers, SignIn
from tests.conftest import TestNode
from tests.prospect.acting import act, done, found, search, set_level, with_bills


async def test_what_is_needed_to_act(
    city: TestNode, clerk: Headers, manager: Headers, customer: dict[str, Any]
) -> None:
    prospect = await found(city, manager, customer)
    assert (await act(city, clerk, prospect, "qualify")).status_code == 403
    assert (await act(city, manager, prospect, "assign", manager_id=None)).status_code == 403
    blind = await city.client.post(f"/prospects/{prospect['id']}/qualify", json={}, headers=manager)
    assert blind.status_code == 428
    asked = await city.client.post("/prospect-searches", json={}, headers=manager)
    assert asked.status_code == 403


async def test_another_team_has_no_such_prospect(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    customer = await with_bills(city, supervisor, 28_000, unit_code=TEAM)
    prospect = await found(city, supervisor, customer)
    for team, status in ((TEAM, 200), (OTHER_TEAM, 404)):
        them = await sign_in(city, Role.ACCOUNT_MANAGER, team)
        for path in (f"/prospects/{prospect['id']}", f"/prospects/{prospect['id']}/history", f"/customers/{customer['id']}/prospect"):  # fmt: skip
            assert (await city.client.get(path, headers=them)).status_code == status, path
        listed = (await city.client.get("/prospects", headers=them)).json()["items"]
        counted = (await city.client.get("/prospects/statistics", headers=them)).json()["items"]
        assert (len(listed), len(counted)) == ((1, 1) if status == 200 else (0, 0))
    assert (await act(city, them, prospect, "qualify")).status_code == 404


async def test_the_worklist_is_by_manager_and_unit_the_best_first_and_pages(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    theirs = await sign_in(city, Role.ACCOUNT_MANAGER)
    me = (await city.client.get("/staff/me", headers=theirs)).json()["id"]
    for running, charge in enumerate((25_000, 28_000, 29_000, 65_000), start=1):
        owner = {"manager_id": me} if running == 1 else {}
        await with_bills(city, supervisor, charge, running, unit_code=TEAM, **owner)
    await with_bills(city, supervisor, 1_000, 5)
    assert (await search(city)).made == 4

    async def listed(**asked: Any) -> list[Any]:
        answer = await city.client.get("/prospects", params=asked, headers=supervisor)
        assert answer.status_code == 200, answer.text
        items: list[Any] = answer.json()["items"]
        return items

    everybody = await listed(open="true")
    scores = [item["score"] for item in everybody]
    assert scores == sorted(scores, reverse=True)
    assert everybody[0]["target"] == "gold"
    answer = await city.client.get("/prospects", params={"limit": 3}, headers=supervisor)
    following = await city.client.get(
        "/prospects", params={"limit": 3, "cursor": answer.json()["next"]}, headers=supervisor
    )
    assert [*answer.json()["items"], *following.json()["items"]] == everybody
    (mine,) = await listed(manager=me)
    assert (mine["assigned"], len(await listed(unassigned="true"))) == (False, 3)

    given = await done(city, supervisor, everybody[0], "assign", manager_id=me)
    assert (given["assigned"], given["manager_id"]) == (True, me)
    assert {item["id"] for item in await listed(manager=me)} == {mine["id"], given["id"]}
    nobody = str(UUID(int=5))
    assert (await act(city, supervisor, given, "assign", manager_id=nobody)).status_code == 422
    given = await done(city, supervisor, given, "assign", manager_id=None)
    assert (given["assigned"], given["manager_id"]) == (False, None)

    assert await listed(overdue="true") == []
    given = await done(city, supervisor, given, "qualify")
    given = await done(city, supervisor, given, "nurture")
    city.clock.advance(timedelta(days=8))
    supervisor = await sign_in(city, Role.SUPERVISOR)
    assert [item["id"] for item in await listed(overdue="true")] == [given["id"]]
    assert [item["id"] for item in await listed(sort="next_due_on", limit=1)] == [given["id"]]
    assert await listed(signal="competitor") == []
    assert [item["state"] for item in await listed(target="gold", state="nurtured")] == ["nurtured"]

    async with city.database.transaction() as session:
        found = await session.execute(
            text("SELECT detail FROM audit_record WHERE action = 'customer.searched' ORDER BY id")
        )
        details = [row[0] for row in found]
    assert details[0]["ids"] == [item["customer_id"] for item in everybody]


async def test_a_look_at_a_prospect_is_recorded(
    city: TestNode, manager: Headers, customer: dict[str, Any]
) -> None:
    prospect = await found(city, manager, customer)
    await city.client.get(f"/prospects/{prospect['id']}", headers=manager)
    page = await city.client.get(
        f"/customers/{customer['id']}", params={"include": "prospect"}, headers=manager
    )
    assert page.json()["prospect"]["id"] == prospect["id"]
    async with city.database.transaction() as session:
        looks = await session.execute(
            text("SELECT fields FROM audit_record WHERE action = 'customer.looked' AND subject_id = :id"),
            {"id": customer["id"]},
        )  # fmt: skip
        assert ["prospect"] in [row[0] for row in looks]


async def test_what_happened_is_counted_by_month_unit_and_reason(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    customers = [
        await with_bills(city, supervisor, 28_000, running, unit_code=TEAM) for running in (1, 2, 3)
    ]
    other = await with_bills(city, supervisor, 10_000, 4, step=2_000)
    won, dropped, alone = [await found(city, supervisor, each) for each in customers]
    await found(city, supervisor, other)
    city.clock.advance(timedelta(days=10))
    supervisor = await sign_in(city, Role.SUPERVISOR)
    await done(city, supervisor, won, "qualify")
    dropped = await done(city, supervisor, dropped, "qualify")
    await done(city, supervisor, dropped, "drop", ending="not_interested")
    assert alone["state"] == "found"
    await set_level(city, customers[0], "silver")
    await set_level(city, customers[2], "silver")
    await search(city)

    async def counted(**asked: Any) -> list[Any]:
        answer = await city.client.get("/prospects/statistics", params=asked, headers=supervisor)
        assert answer.status_code == 200, answer.text
        items: list[Any] = answer.json()["items"]
        return [{name: value for name, value in item.items() if value} for item in items]

    assert await counted() == [
        {"month": "2026-11", "found": 4},
        {
            "month": "2026-12",
            "qualified": 2,
            "converted": 2,
            "converted_by_work": 1,
            "dropped": 1,
            "conversion_rate": 0.5,
            "mean_days_to_convert": 10.0,
            "lapsed": 1,  # who grew, and has no bill for November
        },
    ]
    by_unit = await counted(by=["unit", "signal"], before="2026-12-01")
    assert by_unit == [
        {"unit": "440300", "signal": "growing", "found": 1},
        {"unit": TEAM, "signal": "near", "found": 3},
    ]
    endings = await counted(by="ending", **{"from": "2026-12-01"})
    assert {"ending": "not_interested", "dropped": 1} in endings


async def test_a_search_is_asked_for_and_made_in_the_background(
    city: TestNode, supervisor: Headers, customer: dict[str, Any]
) -> None:
    answer = await city.client.post(
        "/prospect-searches", json={"scope": "city"}, headers=supervisor
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["kind"] == "find-prospects"
    await search(city)
    listed = await city.client.get("/prospect-searches", headers=supervisor)
    assert [item["rule"] for item in listed.json()["items"]] == ["prospect"]
    assert customer["id"]


async def test_a_draft_is_tried_before_it_is_published(
    city: TestNode, supervisor: Headers, customer: dict[str, Any]
) -> None:
    await with_bills(city, supervisor, 20_000, running=2)
    draft = {"near": {"within_permille": 400}}
    refused = await city.client.post(
        "/prospect-trials", json={"draft": {"near": {"within_permille": 401}}}, headers=supervisor
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/near/within_permille")  # fmt: skip
    asked = await city.client.post("/prospect-trials", json={"draft": draft}, headers=supervisor)
    assert asked.status_code == 202, asked.text
    await found(city, supervisor, customer)  # an open prospect counts as any
    finder = Finder(city.context, city.clock.now(), "test")
    async with city.database.transaction() as session:
        lines = await compare(session, finder, Draft(draft), CITY)
        nowhere = await compare(session, finder, Draft(draft), TEAM)
    assert lines == [
        {
            "unit_code": CITY,
            "target": "silver",
            "prospects": 1,
            "would_be": 2,
            "gained": 1,
            "lost": 0,
        }
    ]
    assert nowhere == []
    async with city.database.transaction() as session:
        lines = await compare(session, finder, Draft({"near": {"within_permille": 50}}), CITY)
    assert [(line["would_be"], line["lost"]) for line in lines] == [(0, 1)]
    assert (await search(city)).made == 0, "only tried"

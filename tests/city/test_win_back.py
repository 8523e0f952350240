"""Attempts to win customers back: whom to try, who may not be tried, and what came of it."""

from datetime import timedelta
from typing import Any

import pytest

from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn, fresh, settle
from tests.city.retained import leave, post, read
from tests.conftest import TestNode


async def lost(city: TestNode, headers: Headers, running: int = 1, **given: Any) -> dict[str, Any]:
    """Make a customer who has left."""
    profile = await settle(city, headers, running)
    return await leave(city, headers, profile, **{"on": "2026-11-03", **given})


def attempts(customer: dict[str, Any]) -> str:
    return f"/customers/{customer['id']}/win-back-attempts"


async def worklist(city: TestNode, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await city.client.get(f"/win-back/worklist?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_an_attempt_carries_the_departure_that_it_is_about(
    city: TestNode, clerk: Headers
) -> None:
    gone = await lost(city, clerk, destination="中国联通")
    body = {
        "channel": "call_centre",
        "offer": "半价",
        "result": "interested",
        "next_due": "2026-12-01",
    }
    made = await post(city, attempts(gone), body, clerk)
    assert {name: made[name] for name in made if name not in {"id", "staff"}} == {
        **body, "at": "2026-11-23T04:00:00+00:00", "note": None, "left_on": "2026-11-03", "left_reason": "price",
        "left_competitor": "china_unicom", "lost_monthly_charge_fen": 0,
    }  # fmt: skip
    history = await city.client.get(f"/customers/{gone['id']}/changes?limit=1", headers=clerk)
    assert history.json()["items"][0]["action"] == "part_added"


async def test_nobody_is_won_back_who_has_not_left(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    answer = await city.client.post(
        attempts(profile), json={"channel": "hall"}, headers={**clerk, "Idempotency-Key": "1"}
    )
    assert answer.json()["type"] == "urn:guanxi:problem:not-lost"


async def test_only_a_plan_lies_in_the_future(city: TestNode, clerk: Headers) -> None:
    gone = await lost(city, clerk)
    body = {"channel": "hall", "at": "2026-11-24T04:00:00+00:00"}
    planned = await post(city, attempts(gone), body, clerk)
    for headers, result in ((clerk, "contacted"), (clerk, "declined")):
        answer = await city.client.post(
            attempts(gone),
            json={**body, "result": result},
            headers={**headers, "Idempotency-Key": result},
        )
        assert answer.json()["type"] == "urn:guanxi:problem:dates-contradict"
    made = await city.client.patch(
        f"{attempts(gone)}/{planned['id']}",
        json={"result": "contacted", "at": "2026-11-23T03:00:00+00:00"},
        headers=fresh(clerk, await read(city, clerk, gone["id"])),
    )
    assert (made.status_code, made.json()["result"]) == (200, "contacted")


async def test_who_asked_to_be_left_alone_is_left_alone(city: TestNode, clerk: Headers) -> None:
    gone, other = await lost(city, clerk, 1), await lost(city, clerk, 2)
    planned = await post(city, attempts(gone), {"channel": "hall"}, clerk)
    for value, left in (("welcome", [gone["id"], other["id"]]), ("refused", [other["id"]])):
        listed = await city.client.get(f"/customers/{gone['id']}/preferences", headers=clerk)
        for each in listed.json()["items"]:
            present = await read(city, clerk, gone["id"])
            path = f"/customers/{gone['id']}/preferences/{each['id']}"
            removed = await city.client.delete(path, headers=fresh(clerk, present))
            assert removed.status_code == 204
        wish = {"topic": "marketing", "value": value}
        await post(city, f"/customers/{gone['id']}/preferences", wish, clerk)
        assert sorted(each["customer_id"] for each in await worklist(city, clerk)) == sorted(left)
    for answer in (
        await city.client.post(
            attempts(gone), json={"channel": "hall"}, headers={**clerk, "Idempotency-Key": "2"}
        ),
        await city.client.patch(
            f"{attempts(gone)}/{planned['id']}",
            json={"result": "contacted"},
            headers=fresh(clerk, await read(city, clerk, gone["id"])),
        ),
    ):
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:guanxi:problem:contact-refused"


async def test_the_worklist_shows_value_and_time_and_the_last_attempt(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    team = await sign_in(city, Role.CLERK, TEAM)
    gone = await lost(city, clerk, 1, destination="中国联通")
    below = await lost(city, team, 2, reason="service")
    await settle(city, clerk, 3)
    pool = await city.database.pool()
    await pool.execute("UPDATE customer SET monthly_charge_fen = 5000 WHERE id = $1", below["id"])
    await post(
        city,
        attempts(gone),
        {"channel": "hall", "result": "unreachable", "next_due": "2026-11-25"},
        clerk,
    )
    city.clock.advance(timedelta(minutes=5))
    await post(
        city,
        attempts(gone),
        {"channel": "sms", "result": "contacted", "next_due": "2026-12-05"},
        clerk,
    )
    first, second = await worklist(city, clerk)
    assert (first["customer_id"], first["lost_monthly_charge_fen"]) == (below["id"], 5000)
    assert (first["attempts"], first["last_result"], first["next_due"]) == (0, None, None)
    assert (second["days_since_leaving"], second["attempts"]) == (20, 2)
    assert (second["last_result"], second["next_due"]) == ("contacted", "2026-12-05")

    async def found(query: str, headers: Headers = clerk) -> list[str]:
        return [each["customer_id"] for each in await worklist(city, headers, query)]

    assert await found("", team) == [below["id"]]
    assert await found(f"unit={TEAM}") == [below["id"]]
    assert await found("due_by=2026-12-04") == []
    assert await found("due_by=2026-12-05") == [gone["id"]]
    assert await found("tried=false") == [below["id"]]
    assert await found("reason=service") == [below["id"]]
    assert await found("competitor=china_unicom") == [gone["id"]]
    assert await found("min_lost_monthly_charge_fen=5000") == [below["id"]]
    assert await found("left_before=2026-11-03") == []
    assert await found("sort=left_on") == [gone["id"], below["id"]]
    page = await city.client.get("/win-back/worklist?limit=1&sort=-left_on", headers=clerk)
    assert [each["customer_id"] for each in page.json()["items"]] == [below["id"]]
    assert await found(f"sort=-left_on&cursor={page.json()['next']}") == [gone["id"]]
    again = {"channel": "hall", "result": "contacted", "next_due": "2026-12-01"}
    await post(city, attempts(below), again, clerk)
    assert await found("due_by=2026-12-31&sort=next_due") == [below["id"], gone["id"]]
    unordered = await city.client.get("/win-back/worklist?sort=next_due", headers=clerk)
    assert unordered.status_code == 400
    assert await found(f"manager={gone['id']}") == []


async def test_returning_restores_the_customer_and_marks_the_attempt(
    city: TestNode, clerk: Headers
) -> None:
    gone = await lost(city, clerk)
    made = await post(
        city,
        attempts(gone),
        {"channel": "manager", "result": "interested", "next_due": "2026-12-01"},
        clerk,
    )
    won = f"{attempts(gone)}/{made['id']}"
    by_hand = await city.client.patch(
        won,
        json={"result": "returned", "next_due": None},
        headers=fresh(clerk, await read(city, clerk, gone["id"])),
    )
    assert by_hand.json()["type"] == "urn:guanxi:problem:returned-by-restoring"
    stale = await city.client.post(f"{won}/returned", headers=fresh(clerk, gone))
    assert stale.status_code == 412
    present = await read(city, clerk, gone["id"])
    answer = await city.client.post(f"{won}/returned", headers=fresh(clerk, present))
    assert answer.status_code == 200, answer.text
    back = answer.json()
    assert (back["library"], back["left_on"], back["left_reason"]) == ("in_network", None, None)
    assert back["entry_date"] == "2020-05-01"
    shown = (await city.client.get(won, headers=clerk)).json()
    assert (shown["result"], shown["next_due"], shown["left_on"]) == (
        "returned",
        None,
        "2026-11-03",
    )
    again = await city.client.post(f"{won}/returned", headers=fresh(clerk, back))
    assert again.json()["type"] == "urn:guanxi:problem:customer-in-network"
    actions = await city.client.get(f"/customers/{gone['id']}/changes", headers=clerk)
    assert [each["action"] for each in actions.json()["items"][:2]] == ["restored", "part_changed"]


async def test_an_attempt_about_an_earlier_departure_wins_nobody(
    city: TestNode, clerk: Headers
) -> None:
    gone = await lost(city, clerk)
    old = await post(city, attempts(gone), {"channel": "hall"}, clerk)
    restored = await city.client.post(
        f"/customers/{gone['id']}/restore",
        headers=fresh(clerk, await read(city, clerk, gone["id"])),
    )
    again = await leave(city, clerk, restored.json(), on="2026-11-22")
    answer = await city.client.post(
        f"{attempts(gone)}/{old['id']}/returned", headers=fresh(clerk, again)
    )
    assert answer.json()["type"] == "urn:guanxi:problem:attempt-of-earlier-departure"


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("reason", [("price", 2, 3, 1, 0.5), ("service", 1, 1, 0, 0.0)]),
        ("competitor", [("china_unicom", 1, 2, 1, 1.0), (None, 2, 2, 0, 0.0)]),
        ("channel", [("hall", 2, 2, 0, 0.0), ("sms", 1, 2, 1, 1.0)]),
    ],
)
async def test_success_is_counted_by_departure(
    city: TestNode, clerk: Headers, by: str, expected: list[tuple[Any, ...]]
) -> None:
    first = await lost(city, clerk, 1, destination="中国联通")
    await post(city, attempts(first), {"channel": "sms", "result": "contacted"}, clerk)
    last = await post(city, attempts(first), {"channel": "sms", "result": "interested"}, clerk)
    present = await read(city, clerk, first["id"])
    won = await city.client.post(
        f"{attempts(first)}/{last['id']}/returned", headers=fresh(clerk, present)
    )
    assert won.status_code == 200
    for running, reason in ((2, "price"), (3, "service")):
        gone = await lost(city, clerk, running, reason=reason)
        await post(city, attempts(gone), {"channel": "hall", "result": "declined"}, clerk)
    planned = await lost(city, clerk, 4)
    await post(city, attempts(planned), {"channel": "hall"}, clerk)
    answer = await city.client.get(f"/win-back/rates?by={by}", headers=clerk)
    names = ("value", "departures", "attempts", "returned", "success_rate")
    found = [tuple(each[name] for name in names) for each in answer.json()["items"]]
    assert found == expected
    none = await city.client.get("/win-back/rates?left_before=2026-11-03", headers=clerk)
    assert none.json() == {"items": []}

"""What people do to points over HTTP: adjust, transfer, freeze, read; and who may."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn
from tests.conftest import NOON, TestNode
from tests.points.city import (
    Somebody,
    add_bill,
    add_customer,
    add_reward,
    balance_of,
    judge,
    lots_of,
    require_right,
    run,
    send,
)


@pytest.fixture
async def holder(city: TestNode) -> Somebody:
    """A customer with 500 points."""
    made = await add_customer(city.database, NOON)
    await add_bill(city.database, made, 50_000)
    await judge(city)
    return made


@pytest.fixture
async def other(city: TestNode) -> Somebody:
    return await add_customer(city.database, NOON)


async def adjust(city: TestNode, headers: Headers, of: Somebody, points: int) -> Any:
    body = {"points": points, "reason": "补偿"}
    return await send(city, headers, f"/customers/{of.id}/points/adjustments", body)


async def decide(city: TestNode, headers: Headers, row: Any, act: str, body: Any = None) -> Any:
    headers = {**headers, "If-Match": f'"{row["version"]}"'}
    path = f"/points-adjustments/{row['id']}/{act}"
    return await city.client.post(path, json=body, headers=headers)


async def test_a_few_points_are_adjusted_at_once_and_many_with_a_second_person(
    city: TestNode, clerk: Headers, supervisor: Headers, second: Headers, holder: Somebody
) -> None:
    assert (await adjust(city, clerk, holder, 10)).status_code == 403
    assert (await adjust(city, supervisor, holder, 0)).status_code == 422
    few = await adjust(city, supervisor, holder, -1_000)
    assert few.json()["type"] == "urn:guanxi:problem:points-insufficient"
    few = await adjust(city, supervisor, holder, 1_000)
    assert (few.status_code, few.json()["state"]) == (201, "done")
    assert await balance_of(city, holder) == 1_500
    many = (await adjust(city, supervisor, holder, 1_001)).json()
    assert many["state"] == "pending"
    assert await balance_of(city, holder) == 1_500
    own = await decide(city, supervisor, many, "approve")
    assert (own.status_code, own.json()["type"]) == (403, "urn:guanxi:problem:second-person-needed")
    approved = await decide(city, second, many, "approve")
    assert approved.json()["state"] == "done"
    assert await balance_of(city, holder) == 2_501
    twice = await decide(city, second, many, "approve")
    assert twice.status_code == 412
    twice = await decide(city, second, approved.json(), "approve")
    assert twice.json()["type"] == "urn:guanxi:problem:adjustment-decided"
    away = (await adjust(city, supervisor, holder, -2_000)).json()
    rejected = await decide(city, second, away, "reject", {"reason": "无依据"})
    assert (rejected.json()["state"], rejected.json()["decision"]) == ("rejected", "无依据")
    listed = await city.client.get(
        f"/points-adjustments?customer={holder.id}&state=done", headers=clerk
    )
    assert sorted(one["points"] for one in listed.json()["items"]) == [1_000, 1_001]
    await require_right(city.database)


async def test_points_are_given_to_another_with_the_day_on_which_they_expire(
    city: TestNode, clerk: Headers, holder: Somebody, other: Somebody
) -> None:
    path = f"/customers/{holder.id}/points/transfers"
    before = await lots_of(city, holder)
    done = await send(city, clerk, path, {"receiver_id": str(other.id), "points": 200})
    assert done.status_code == 201, done.text
    (day,) = before
    assert await lots_of(city, holder) == {day: 300}
    assert await lots_of(city, other) == {day: 200}
    for receiver, points, problem in (
        (holder.id, 100, "transfer-to-itself"),
        (other.id, 99, "points-few"),
        (other.id, 301, "points-insufficient"),
        (UUID(int=1), 100, "customer-not-found"),
    ):
        body = {"receiver_id": str(receiver), "points": points}
        refused = await send(city, clerk, path, body)
        assert refused.json()["type"] == f"urn:guanxi:problem:{problem}"
    # The other way round, before the giver ever had anything.
    nobody = await add_customer(city.database, NOON)
    refused = await send(
        city, clerk, f"/customers/{nobody.id}/points/transfers", {"receiver_id": str(other.id), "points": 100}
    )  # fmt: skip
    assert refused.json()["type"] == "urn:guanxi:problem:points-insufficient"
    await require_right(city.database)


async def test_frozen_points_are_not_used_and_go_on_growing(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody, other: Somebody
) -> None:
    await add_reward(city, supervisor)
    path = f"/customers/{holder.id}/points"
    assert (
        await city.client.post(f"{path}/freeze", json={"reason": "x"}, headers=clerk)
    ).status_code == 403
    for _ in "12":
        frozen = await city.client.post(
            f"{path}/freeze", json={"reason": "核实"}, headers=supervisor
        )
        assert frozen.status_code == 200, frozen.text
    assert (frozen.json()["frozen_reason"], frozen.json()["available"]) == ("核实", 0)
    for act, body in (
        ("redemptions", {"reward": "umbrella"}),
        ("transfers", {"receiver_id": str(other.id), "points": 100}),
    ):
        refused = await send(city, clerk, f"{path}/{act}", body)
        assert refused.json()["type"] == "urn:guanxi:problem:points-frozen"
    await run(city.database, "UPDATE bill SET charge_fen = charge_fen + 10000")
    await judge(city)
    thawed = await city.client.post(f"{path}/unfreeze", headers=supervisor)
    assert (thawed.json()["frozen"], thawed.json()["available"]) == (False, 600)
    records = await run(
        city.database, "SELECT action FROM audit_record WHERE action LIKE 'points.%' ORDER BY id"
    )
    assert [row[0] for row in records] == ["points.frozen", "points.unfrozen"]


async def test_the_statement_runs_and_the_page_has_its_part(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody, other: Somebody
) -> None:
    await add_reward(city, supervisor)
    await send(city, clerk, f"/customers/{holder.id}/points/redemptions", {"reward": "umbrella"})
    await adjust(city, supervisor, holder, 50)
    body = {"receiver_id": str(other.id), "points": 150}
    await send(city, clerk, f"/customers/{holder.id}/points/transfers", body)
    path = f"/customers/{holder.id}/points"
    lines: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await city.client.get(f"{path}/entries?limit=2{cursor}", headers=clerk)
        assert answer.status_code == 200, answer.text
        lines += answer.json()["items"]
        following = answer.json()["next"]
        cursor = following and f"&cursor={following}"
    assert [(one["kind"], one["points"], one["balance"]) for one in lines] == [
        ("transfer", -150, 300),
        ("adjustment", 50, 450),
        ("redemption", -100, 400),
        ("accrual", 500, 500),
    ]
    only = await city.client.get(f"{path}/entries?kind=redemption", headers=clerk)
    assert [one["balance"] for one in only.json()["items"]] == [400]
    received = await city.client.get(f"/customers/{other.id}/points/entries", headers=clerk)
    assert [(one["points"], one["balance"]) for one in received.json()["items"]] == [(150, 150)]
    shown = (await city.client.get(path, headers=clerk)).json()
    assert (shown["balance"], shown["available"], shown["frozen"]) == (300, 300, False)
    assert shown["expiries"] == [{"expires_on": "2029-01-01", "points": 300}]
    page = await city.client.get(f"/customers/{holder.id}?include=points", headers=clerk)
    assert page.json()["points"] == shown
    nothing = await city.client.get(f"/customers/{(await add_customer(city.database, NOON)).id}/points", headers=clerk)  # fmt: skip
    assert (nothing.json()["balance"], nothing.json()["expiries"]) == (0, [])


async def test_what_a_bill_earned_explains_itself(
    city: TestNode, clerk: Headers, holder: Somebody
) -> None:
    answer = await city.client.get(f"/customers/{holder.id}/points/accruals", headers=clerk)
    (one,) = answer.json()["items"]
    assert (one["points"], one["policy"], one["rate_permille"]) == (500, "points default", 1000)
    assert one["explanation"] == {
        "zh": "2026-10 账单 500.00 元，按积分规则“points default”、standard级倍率 1000‰，得 500 分。",
        "en": 'The bill of 2026-10 for 500.00 yuan earned 500 points by the policy "points default": '
        "as standard customer at 1000 per mille.",
    }


async def test_others_see_nothing(city: TestNode, holder: Somebody, sign_in: SignIn) -> None:
    narrow = await sign_in(city, Role.SUPERVISOR, TEAM)
    for path in ("", "/entries", "/accruals"):
        answer = await city.client.get(f"/customers/{holder.id}/points{path}", headers=narrow)
        assert answer.status_code == 404
    for path, body in (("freeze", {"reason": "x"}), ("unfreeze", None)):
        answer = await city.client.post(
            f"/customers/{holder.id}/points/{path}", json=body, headers=narrow
        )
        assert answer.status_code == 404
    assert (await adjust(city, narrow, holder, 5)).status_code == 404


async def test_liability_of_a_unit_at_any_day(
    city: TestNode, sign_in: SignIn, holder: Somebody
) -> None:
    theirs = await add_customer(city.database, NOON, unit=TEAM)
    await add_bill(city.database, theirs, 7_000)
    city.clock.advance(timedelta(days=1))
    supervisor = await sign_in(city, Role.SUPERVISOR)
    await judge(city)
    await adjust(city, supervisor, holder, -200)

    async def owed(query: str, headers: Headers = supervisor) -> Any:
        answer = await city.client.get(f"/points-liability{query}", headers=headers)
        return answer.json() if answer.status_code == 200 else answer.status_code

    now = await owed("")
    assert (now["points"], now["accounts"]) == (370, 2)
    assert now["months"] == [{"month": "2028-12-01", "points": 370}]
    assert (await owed("?on=2026-11-23"))["points"] == 500
    assert (await owed("?on=2026-11-22"))["points"] == 0
    assert (await owed(f"?unit={TEAM}"))["points"] == 70
    narrow = await sign_in(city, Role.SUPERVISOR, TEAM)
    assert (await owed("", narrow))["points"] == 70
    assert await owed("?unit=440300", narrow) == 422
    assert await owed("", await sign_in(city, Role.CLERK)) == 403

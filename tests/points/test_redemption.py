"""Redemptions over HTTP: points and stock go together and come back together."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.capability import Role
from tests.city.drafts import OTHER_TEAM, Headers, SignIn
from tests.conftest import NOON, PASSWORD, TestNode
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
    """A customer with 300 points that expire at the end of 2026, and 500 more at the end of 2028."""
    made = await add_customer(city.database, NOON)
    await add_bill(city.database, made, 30_000, date(2024, 6, 1))
    await add_bill(city.database, made, 50_000)
    await judge(city)
    assert await lots_of(city, made) == {"2027-01-01": 300, "2029-01-01": 500}
    return made


async def redeem(city: TestNode, headers: Headers, of: Somebody, **body: Any) -> Any:
    return await send(
        city, headers, f"/customers/{of.id}/points/redemptions", {"reward": "umbrella", **body}
    )


async def settle(city: TestNode, headers: Headers, done: Any, act: str, body: Any = None) -> Any:
    row = done.json()
    headers = {**headers, "If-Match": f'"{row["version"]}"'}
    return await city.client.post(
        f"/points-redemptions/{row['id']}/{act}", json=body, headers=headers
    )


async def stock_of(city: TestNode, headers: Headers) -> int:
    left: int = (await city.client.get("/rewards/umbrella", headers=headers)).json()["stock"]
    return left


async def test_what_expires_first_is_used_first_and_comes_back_to_its_lot(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody
) -> None:
    await add_reward(city, supervisor)
    done = await redeem(city, clerk, holder, quantity=4)
    assert (done.status_code, done.json()["points"], done.json()["state"]) == (201, 400, "open")
    assert await lots_of(city, holder) == {"2029-01-01": 400}
    assert await stock_of(city, clerk) == 6
    cancelled = await settle(city, clerk, done, "cancel", {"reason": "不要了"})
    assert cancelled.json()["state"] == "cancelled"
    assert await lots_of(city, holder) == {"2027-01-01": 300, "2029-01-01": 500}
    assert await stock_of(city, clerk) == 10
    again = await settle(city, clerk, cancelled, "cancel", {"reason": "x"})
    assert (again.status_code, again.json()["type"]) == (
        409,
        "urn:guanxi:problem:redemption-state-unfit",
    )
    await require_right(city.database)


async def test_a_reward_that_was_handed_over_is_only_reversed(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody
) -> None:
    await add_reward(city, supervisor)
    done = await redeem(city, clerk, holder, quantity=4)
    handed = await settle(city, clerk, done, "fulfil")
    assert handed.json()["state"] == "fulfilled"
    stale = await settle(city, clerk, done, "cancel", {"reason": "x"})
    assert stale.status_code == 412
    assert (await settle(city, clerk, handed, "cancel", {"reason": "x"})).status_code == 409
    body = {"reason": "损坏", "returned": False}
    assert (await settle(city, clerk, handed, "reverse", body)).status_code == 403
    # The first lot expires before the reversal: its points come back for the days of grace.
    city.clock.advance(timedelta(days=60))
    await city.run_job("expire-points")
    supervisor = await fresh_token(city, supervisor)
    reversed_ = await settle(city, supervisor, handed, "reverse", body)
    assert reversed_.json()["state"] == "reversed", reversed_.text
    today = date(2027, 1, 22)
    assert await lots_of(city, holder) == {
        (today + timedelta(days=31)).isoformat(): 300,
        "2029-01-01": 500,
    }
    assert await stock_of(city, supervisor) == 6
    await require_right(city.database)


async def fresh_token(city: TestNode, headers: Headers) -> Headers:
    """Tokens are short; the clock was moved by months."""
    rows = await run(
        city.database, "SELECT username FROM staff_member WHERE role = 'supervisor' LIMIT 1"
    )
    form = {"grant_type": "password", "username": rows[0][0], "password": PASSWORD}
    answer = await city.client.post("/oauth/token", data=form)
    return {**headers, "Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_request_takes_effect_once(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody
) -> None:
    await add_reward(city, supervisor)
    headers = {**clerk, "Idempotency-Key": "once"}
    path = f"/customers/{holder.id}/points/redemptions"
    first, second = [
        await city.client.post(path, json={"reward": "umbrella"}, headers=headers) for _ in "12"
    ]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    other = await city.client.post(
        path, json={"reward": "umbrella", "quantity": 2}, headers=headers
    )
    assert other.status_code == 422
    without = await city.client.post(path, json={"reward": "umbrella"}, headers=clerk)
    assert without.status_code == 400
    assert await balance_of(city, holder) == 700


@pytest.mark.parametrize(
    ("reward", "quantity", "status", "problem"),
    [
        ({"points": 801}, 1, 409, "points-insufficient"),
        ({"stock": 1}, 2, 409, "stock-short"),
        ({"valid_from": "2026-11-24"}, 1, 409, "reward-not-offered"),
        ({"valid_until": "2026-11-23"}, 1, 409, "reward-not-offered"),
        ({"levels": ["diamond"]}, 1, 409, "reward-not-offered"),
        ({"points": 99}, 1, 422, "points-few"),
        ({"code": "other"}, 1, 404, "reward-not-found"),
    ],
)
async def test_what_cannot_be_had_is_refused_and_changes_nothing(
    city: TestNode,
    clerk: Headers,
    supervisor: Headers,
    holder: Somebody,
    reward: dict[str, Any],
    quantity: int,
    status: int,
    problem: str,
) -> None:
    made = await add_reward(city, supervisor, **reward)
    refused = await redeem(city, clerk, holder, quantity=quantity)
    assert refused.status_code == status, refused.text
    assert refused.json()["type"] == f"urn:guanxi:problem:{problem}"
    assert await balance_of(city, holder) == 800
    left = await city.client.get(f"/rewards/{made['code']}", headers=clerk)
    assert left.json()["stock"] == made["stock"]
    await require_right(city.database)


async def test_points_that_are_over_cannot_be_used_though_they_are_still_there(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody
) -> None:
    await add_reward(city, supervisor)
    await run(
        city.database, "UPDATE points_lot SET expires_on = '2026-11-23' WHERE remaining = 500"
    )
    refused = await redeem(city, clerk, holder, quantity=4)
    assert refused.status_code == 409
    assert "300" in refused.json()["detail"]


async def test_who_left_or_is_of_another_unit_redeems_nothing(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody, sign_in: SignIn
) -> None:
    await add_reward(city, supervisor)
    narrow = await sign_in(city, Role.CLERK, OTHER_TEAM)
    assert (await redeem(city, narrow, holder)).status_code == 404
    auditor = await sign_in(city, Role.AUDITOR)
    assert (await redeem(city, auditor, holder)).status_code == 403
    await run(city.database, "UPDATE customer SET library = 'retained', left_on = '2026-11-01'")
    refused = await redeem(city, clerk, holder)
    assert refused.json()["type"] == "urn:guanxi:problem:customer-retained"


async def test_the_catalogue_is_kept(city: TestNode, clerk: Headers, supervisor: Headers) -> None:
    await add_reward(city, supervisor, code="flow", stock=None, points=50)
    made = await add_reward(city, supervisor, levels=["gold"], valid_until="2026-12-01")
    assert (
        await city.client.post("/rewards", json={**made}, headers=supervisor)
    ).status_code == 422
    twice = {
        "code": "flow",
        "name_zh": "x",
        "name_en": "x",
        "points": 1,
        "valid_from": "2026-01-01",
    }
    assert (await city.client.post("/rewards", json=twice, headers=supervisor)).status_code == 409
    assert (await city.client.post("/rewards", json=twice, headers=clerk)).status_code == 403
    listed = await city.client.get("/rewards?on=2026-11-23&level=silver", headers=clerk)
    assert [one["code"] for one in listed.json()["items"]] == ["flow"]
    headers = {**supervisor, "If-Match": '"1"'}
    changed = await city.client.patch("/rewards/umbrella", json={"points": 120}, headers=headers)
    assert (changed.json()["points"], changed.headers["etag"]) == (120, '"2"')
    assert changed.json()["stock"] == 10
    stale = await city.client.patch("/rewards/umbrella", json={"points": 1}, headers=headers)
    assert stale.status_code == 412
    headers = {**supervisor, "If-Match": '"2"'}
    wrong = await city.client.patch(
        "/rewards/umbrella", json={"valid_until": "2025-01-01"}, headers=headers
    )
    assert wrong.status_code == 422
    for change, status, left in ((5, 200, 15), (-16, 409, 15), (-15, 200, 0)):
        done = await send(city, supervisor, "/rewards/umbrella/stock", {"change": change})
        assert done.status_code == status, done.text
        assert await stock_of(city, clerk) == left
    uncounted = await send(city, supervisor, "/rewards/flow/stock", {"change": 1})
    assert uncounted.json()["type"] == "urn:guanxi:problem:stock-unlimited"


async def test_redemptions_are_listed(
    city: TestNode, clerk: Headers, supervisor: Headers, holder: Somebody
) -> None:
    await add_reward(city, supervisor)
    done = [await redeem(city, clerk, holder) for _ in range(3)]
    await settle(city, clerk, done[0], "cancel", {"reason": "x"})
    listed = await city.client.get(
        f"/points-redemptions?customer={holder.id}&state=open&limit=1", headers=clerk
    )
    page = listed.json()
    assert [one["id"] for one in page["items"]] == [done[2].json()["id"]]
    following = await city.client.get(
        f"/points-redemptions?customer={holder.id}&state=open&limit=1&cursor={page['next']}",
        headers=clerk,
    )
    assert [one["id"] for one in following.json()["items"]] == [done[1].json()["id"]]
    one = await city.client.get(f"/points-redemptions/{done[1].json()['id']}", headers=clerk)
    assert one.headers["etag"] == '"1"'

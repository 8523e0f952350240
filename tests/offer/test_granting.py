"""Offers over HTTP: granted, approved, used, given back, and never more than there is."""

from datetime import timedelta
from typing import Any

import pytest

from shared.capability import Role
from tests.city.drafts import CITY, OTHER_TEAM, TEAM, Headers, SignIn
from tests.conftest import NOON, TestNode
from tests.offer.city import (
    act,
    add_customer,
    add_offer,
    grant,
    problem_of,
    reasons_of,
    require_right,
    reverse,
    run,
    send,
    set_quota,
    use,
)


async def test_what_is_granted_is_used_and_given_back(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    assert (await set_quota(city, supervisor, uses=10, budget_fen=80_000)).status_code == 200
    customer = await add_customer(city.database, NOON)
    granted = await grant(city, clerk, customer, uses=2)
    assert granted.status_code == 201, granted.text
    shown = granted.json()
    assert (shown["state"], shown["uses"], shown["used"]) == ("granted", 2, 0)
    assert (shown["valid_until"], shown["quota_unit"]) == ("2027-01-01", CITY)
    assert (shown["policy"], shown["level"]) == ("offer default", "gold")
    uses = [await use(city, clerk, granted) for _ in range(3)]
    assert [answer.status_code for answer in uses] == [201, 201, 409]
    assert problem_of(uses[2]) == "grant-state-unfit"
    back = await reverse(city, clerk, uses[0])
    assert (back.json()["uses"], back.json()["cost_fen"]) == (-1, -8_000)
    again = await reverse(city, clerk, uses[0])
    assert (again.status_code, problem_of(again)) == (409, "use-reversed")
    assert problem_of(await reverse(city, clerk, back)) == "use-reversed"
    path = f"/offer-grants/{shown['id']}"
    now = await city.client.get(path, headers=clerk)
    assert (now.json()["state"], now.json()["used"]) == ("used_in_part", 1)
    listed = await city.client.get(f"{path}/uses", headers=clerk)
    assert [each["uses"] for each in listed.json()["items"]] == [-1, 1, 1]
    cancelled = await act(city, clerk, now, "cancel", {"reason": "客户放弃"})
    assert cancelled.json()["state"] == "cancelled"
    quota = await city.client.get(f"/offers/lounge/quotas/2026/{CITY}", headers=clerk)
    assert (quota.json()["reserved"], quota.json()["reserved_fen"]) == (1, 8_000)
    assert (await reverse(city, clerk, uses[1])).status_code == 201
    quota = await city.client.get(f"/offers/lounge/quotas/2026/{CITY}", headers=clerk)
    assert (quota.json()["reserved"], quota.json()["reserved_fen"]) == (0, 0)
    await require_right(city.database)


async def test_a_request_takes_effect_once(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    customer = await add_customer(city.database, NOON)
    once = {**clerk, "Idempotency-Key": "once"}
    path = f"/customers/{customer}/offer-grants"
    first, second = [
        await city.client.post(path, json={"offer": "lounge"}, headers=once) for _ in "12"
    ]
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert second.headers["etag"] == '"1"'
    path = f"/offer-grants/{first.json()['id']}/uses"
    assert (await city.client.post(path, json={}, headers=clerk)).status_code == 400
    once["Idempotency-Key"] = "use"
    used = [await city.client.post(path, json={}, headers=once) for _ in "12"]
    assert [answer.json() for answer in used] == [used[0].json()] * 2
    path = f"/offer-uses/{used[0].json()['id']}/reverse"
    once["Idempotency-Key"] = "back"
    body = {"reason": "not_delivered"}
    back = [await city.client.post(path, json=body, headers=once) for _ in "12"]
    assert [answer.status_code for answer in back] == [201, 201]
    rows = await run(city.database, "SELECT uses FROM offer_use ORDER BY id")
    assert [row.uses for row in rows] == [1, -1]


async def test_a_grant_that_costs_much_takes_a_second_person(
    city: TestNode, supervisor: Headers, second: Headers, clerk: Headers
) -> None:
    await add_offer(city, supervisor, cost_fen=30_000)
    await add_offer(city, supervisor, "gift", cost_fen=100, approval_above_fen=100)
    await set_quota(city, supervisor, uses=4)
    customer = await add_customer(city.database, NOON, level="diamond")
    assert (await grant(city, supervisor, customer)).json()["state"] == "granted"
    assert (await grant(city, supervisor, customer, "gift")).json()["state"] == "granted"
    assert (await grant(city, supervisor, customer, "gift", uses=2)).json()["state"] == "proposed"
    proposed = await grant(city, supervisor, customer, uses=2)
    assert proposed.json()["state"] == "proposed"
    assert problem_of(await use(city, clerk, proposed)) == "grant-state-unfit"
    mine = await act(city, supervisor, proposed, "approve")
    assert (mine.status_code, problem_of(mine)) == (403, "second-person-needed")
    assert (await act(city, clerk, proposed, "approve")).status_code == 403
    # It is held while it waits: one use is left of four.
    assert await reasons_of(city, clerk, customer, "lounge") == []
    assert problem_of(await grant(city, clerk, customer, uses=2)) == "offer-not-for-customer"
    refused = await act(city, second, proposed, "refuse", {"reason": "无预算"})
    assert (refused.json()["state"], refused.json()["reason"]) == ("refused", "无预算")
    proposed = await grant(city, supervisor, customer, uses=3)
    approved = await act(city, second, proposed, "approve")
    assert approved.json()["state"] == "granted", approved.text
    stale = await act(city, second, proposed, "approve")
    assert stale.status_code == 412
    assert problem_of(await act(city, second, approved, "approve")) == "grant-state-unfit"
    assert (await use(city, clerk, approved)).status_code == 201
    await require_right(city.database)


@pytest.mark.parametrize(
    ("offer", "customer", "rule"),
    [
        ({}, {"left": True}, "in_network"),
        ({"valid_from": "2026-11-24"}, {}, "validity"),
        ({"units": [TEAM]}, {}, "unit"),
        ({"units": [TEAM]}, {"unit": OTHER_TEAM}, "unit"),
        ({"levels": ["diamond", "silver"]}, {}, "level"),
        ({"condition": "monthly_charge > 300 yuan"}, {"charge": 30_000}, "condition"),
        ({}, {"level": "standard"}, "entitlement"),
    ],
)
async def test_each_rule_is_told_in_both_languages(
    city: TestNode,
    clerk: Headers,
    supervisor: Headers,
    offer: dict[str, Any],
    customer: dict[str, Any],
    rule: str,
) -> None:
    await add_offer(city, supervisor, **offer)
    of = await add_customer(city.database, NOON, **customer)
    assert await reasons_of(city, clerk, of, "lounge") == [rule]
    refused = await grant(city, clerk, of)
    assert problem_of(refused) == "offer-not-for-customer"
    (told,) = refused.json()["reasons"]
    assert told["rule"] == rule
    assert refused.json()["detail"] == f"Offer lounge cannot be granted. {told['sentence']}"
    chinese = await grant(city, {**clerk, "Accept-Language": "zh"}, of)
    (said,) = chinese.json()["reasons"]
    assert said["sentence"] != told["sentence"]
    assert said["sentence"].endswith("。")
    assert "{" not in said["sentence"] + told["sentence"]
    assert not {"gold", "silver", "diamond", "standard"} & set(said["sentence"].split())
    assert await run(city.database, "SELECT FROM offer_grant") == []


async def test_who_meets_every_rule_may_have_it(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(
        city,
        supervisor,
        units=[TEAM, OTHER_TEAM],
        levels=["gold"],
        condition={"field": "monthly_charge", "operator": ">", "value": {"fen": 30_000}},
        valid_until="2026-11-24",
    )
    customer = await add_customer(city.database, NOON, unit=TEAM, charge=30_001)
    granted = await grant(city, clerk, customer)
    assert granted.json()["valid_until"] == "2026-11-24", granted.text
    assert granted.json()["unit_code"] == TEAM
    page = await city.client.get(f"/customers/{customer}?include=offers", headers=clerk)
    (shown,) = page.json()["offers"]
    assert (shown["offer_code"], shown["state"], shown["uses"]) == ("lounge", "granted", 1)


async def test_what_was_granted_stays_when_the_level_or_the_offer_changes(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    customer = await add_customer(city.database, NOON, level="gold")
    granted = await grant(city, clerk, customer, uses=2)
    await run(city.database, "UPDATE customer SET level = 'silver'")
    headers = {**supervisor, "If-Match": '"1"'}
    ended = {"valid_until": "2026-11-23", "cost_fen": 9_000}
    assert (
        await city.client.patch("/offers/lounge", json=ended, headers=headers)
    ).status_code == 200
    assert (await use(city, clerk, granted)).json()["cost_fen"] == 8_000
    headers["If-Match"] = '"2"'
    on = {"valid_until": None}
    await city.client.patch("/offers/lounge", json=on, headers=headers)
    assert await reasons_of(city, clerk, customer, "lounge") == ["entitlement"]
    await run(city.database, "UPDATE customer SET level = 'diamond'")
    assert (await grant(city, clerk, customer, uses=2)).status_code == 201
    assert await reasons_of(city, clerk, customer, "lounge") == ["entitlement"]


async def test_what_is_over_ends_in_the_night(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor, valid_until="2026-11-25")
    await add_offer(city, supervisor, "data")
    await set_quota(city, supervisor, uses=10)
    customer, gone = [await add_customer(city.database, NOON) for _ in "12"]
    granted = await grant(city, clerk, customer, uses=2)
    used = await use(city, clerk, granted)
    lost = await grant(city, clerk, gone)
    kept = await grant(city, clerk, customer, "data")
    leave = "UPDATE customer SET library = 'retained', left_on = '2026-11-23' WHERE id = :id"
    await run(city.database, leave, id=gone)
    assert problem_of(await use(city, clerk, lost)) == "customer-retained"
    await city.run_job("expire-offers")
    states = "SELECT id::text, state FROM offer_grant"
    assert dict([tuple(row) for row in await run(city.database, states)]) == {
        granted.json()["id"]: "used_in_part",
        lost.json()["id"]: "expired",
        kept.json()["id"]: "granted",
    }
    await run(city.database, "UPDATE offer_grant SET valid_until = '2026-11-24' WHERE state = 'used_in_part'")  # fmt: skip
    city.clock.advance(timedelta(hours=12))  # midnight in Beijing
    assert problem_of(await use(city, clerk, granted)) in {"grant-over", "token-expired"}
    await city.run_job("expire-offers")
    await city.run_job("expire-offers")
    await require_right(city.database)
    rows = await run(city.database, "SELECT reserved FROM offer_quota")
    assert [row.reserved for row in rows] == [1]
    assert used.status_code == 201


async def test_scope_and_permissions(city: TestNode, supervisor: Headers, sign_in: SignIn) -> None:
    await add_offer(city, supervisor)
    customer = await add_customer(city.database, NOON, unit=TEAM)
    team, narrow, wide = [
        await sign_in(city, role, unit)
        for role, unit in ((Role.CLERK, TEAM), (Role.CLERK, OTHER_TEAM), (Role.SUPERVISOR, TEAM))
    ]
    granted = await grant(city, team, customer)
    used = await use(city, team, granted)
    assert used.json()["place_code"] == TEAM
    assert (await grant(city, narrow, customer)).status_code == 404
    assert (await use(city, narrow, granted)).status_code == 404
    assert (await reverse(city, narrow, used)).status_code == 404
    assert (await act(city, narrow, granted, "cancel", {"reason": "x"})).status_code == 404
    for path in ("", "/uses"):
        answer = await city.client.get(
            f"/offer-grants/{granted.json()['id']}{path}", headers=narrow
        )
        assert answer.status_code == 404
    assert (await city.client.get("/offer-grants", headers=narrow)).json()["items"] == []
    listed = await city.client.get("/offer-grants?state=used_in_part", headers=team)
    assert listed.json()["items"] == []
    listed = await city.client.get("/offer-grants?state=used_up", headers=team)
    assert [each["id"] for each in listed.json()["items"]] == [granted.json()["id"]]
    assert (
        await city.client.get(f"/customers/{customer}/offers", headers=narrow)
    ).status_code == 404
    auditor = await sign_in(city, Role.AUDITOR)
    assert (await grant(city, auditor, customer)).status_code == 403
    assert (await send(city, team, "/offers", {})).status_code == 403
    headers = {**wide, "If-Match": '"1"'}
    mine = await city.client.patch("/offers/lounge", json={"cost_fen": 1}, headers=headers)
    assert (mine.status_code, problem_of(mine)) == (403, "offer-out-of-scope")
    await add_offer(city, wide, "own")
    await run(city.database, "UPDATE organisation_unit SET active = false WHERE code = :c", c=TEAM)
    own = await city.client.patch("/offers/own", json={"cost_fen": 1}, headers=headers)
    assert (own.status_code, own.json()["units"]) == (200, [TEAM])
    assert problem_of(await set_quota(city, wide, TEAM, "own", uses=1)) == "unit-out-of-scope"
    outside = await set_quota(city, wide, CITY, uses=1)
    assert (outside.status_code, problem_of(outside)) == (422, "unit-out-of-scope")
    for path in (
        f"/customers/{customer}/offers",
        f"/offer-grants/{granted.json()['id']}",
        f"/offer-grants/{granted.json()['id']}/uses",
    ):
        assert (await city.client.get(path, headers=team)).status_code == 200
    looks = await run(
        city.database,
        "SELECT action FROM audit_record WHERE action LIKE 'customer.%' AND fields @> '[\"offers\"]'",
    )
    assert sorted(row.action for row in looks) == [
        *["customer.looked"] * 3,
        *["customer.searched"] * 3,
    ]


async def test_costs_are_told_by_month_unit_and_offer(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    await add_offer(city, supervisor)
    await add_offer(city, supervisor, "data", cost_fen=100)
    for unit, level in ((TEAM, "diamond"), (OTHER_TEAM, "silver")):
        customer = await add_customer(city.database, NOON, unit=unit, level=level)
        for code in ("lounge", "data"):
            granted = await grant(city, clerk, customer, code, uses=4 if unit == TEAM else 1)
            used = await use(city, clerk, granted)
    await reverse(city, clerk, used)
    # Two rows were used a month before.
    await run(
        city.database,
        "UPDATE offer_use SET used_on = '2026-10-31' WHERE unit_code = :unit",
        unit=TEAM,
    )
    answer = await city.client.get("/offer-costs?since=2026-10-01", headers=clerk)
    assert [tuple(each.values()) for each in answer.json()["items"]] == [
        ("2026-10-01", TEAM, "data", 1, 0, 100),
        ("2026-10-01", TEAM, "lounge", 1, 0, 8_000),
        ("2026-11-01", OTHER_TEAM, "data", 1, 1, 0),
        ("2026-11-01", OTHER_TEAM, "lounge", 1, 0, 8_000),
    ]
    narrow = await sign_in(city, Role.CLERK, TEAM)
    mine = await city.client.get("/offer-costs?offer=data&until=2026-11-01", headers=narrow)
    assert [each["cost_fen"] for each in mine.json()["items"]] == [100]
    first = await city.client.get("/offer-costs?limit=3", headers=clerk)
    rest = await city.client.get(
        f"/offer-costs?limit=3&cursor={first.json()['next']}", headers=clerk
    )
    assert [each["offer_code"] for each in rest.json()["items"]] == ["lounge"]

"""What limits grants: quotas of units, the policy, and offers that do not go together."""

from datetime import date
from typing import Any

from shared.policy.kinds.offer import OFFER
from shared.policy.models import PolicyVersion
from shared.policy.reading import written
from tests.city.drafts import CITY, OTHER_TEAM, TEAM, Headers
from tests.conftest import NOON, TestNode
from tests.offer.city import (
    add_customer,
    add_offer,
    grant,
    problem_of,
    reasons_of,
    require_right,
    set_quota,
    use,
)


async def test_quotas_are_of_the_nearest_unit(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    mine = await add_customer(city.database, NOON, unit=TEAM, level="diamond")
    other = await add_customer(city.database, NOON, unit=OTHER_TEAM, level="diamond")
    early = await grant(city, clerk, mine)
    assert early.json()["quota_unit"] is None
    await set_quota(city, supervisor, uses=1)
    await set_quota(city, supervisor, TEAM, budget_fen=16_000)
    granted = await grant(city, clerk, mine, uses=2)
    assert granted.json()["quota_unit"] == TEAM
    assert await reasons_of(city, clerk, mine, "lounge") == ["budget"]
    refused = await grant(city, {**clerk, "Accept-Language": "zh"}, mine)
    assert f"单位 {TEAM} 的预算剩余 0.00 元，申请 80.00 元。" in refused.json()["detail"]
    assert (await grant(city, clerk, other)).json()["quota_unit"] == CITY
    assert await reasons_of(city, clerk, other, "lounge") == ["quota"]
    less = await set_quota(city, supervisor, TEAM, version=1, budget_fen=15_999)
    assert (less.status_code, problem_of(less)) == (409, "quota-below-reserved")
    assert (await set_quota(city, supervisor, TEAM, uses=9)).status_code == 412
    more = await set_quota(city, supervisor, TEAM, version=1, uses=3)
    assert (more.status_code, more.headers["etag"]) == (200, '"2"')
    assert await reasons_of(city, clerk, mine, "lounge") == []
    listed = await city.client.get("/offer-quotas?offer=lounge&year=2026", headers=clerk)
    assert [(each["unit_code"], each["reserved"]) for each in listed.json()["items"]] == [
        (CITY, 1),
        (TEAM, 2),
    ]
    await require_right(city.database)


async def test_a_city_says_how_often_its_own_offer_may_be_used(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    uses = {"diamond": 9, "gold": 3, "silver": 0, "standard": 1}
    national = written(OFFER.default) | {"approval_above_fen": 24_000}
    own = {"offers": {"lounge": {"period": "month", "uses": uses}}}
    async with city.database.transaction() as session:
        session.add_all(
            PolicyVersion(
                digest=publisher,
                kind="offer",
                publisher=publisher,
                number=number,
                effective_from=date(2026, 11, 1),
                document=document,
                bounds=None,
                drafted_by="zhao",
                published_at=NOON,
                published_by="qian",
                content="",
                statement="",
                received_at=NOON,
            )
            for publisher, number, document in (("000000", 3, national), (CITY, 1, own))
        )
    customer = await add_customer(city.database, NOON)
    granted = await grant(city, clerk, customer, uses=3)
    shown = granted.json()
    assert (shown["policy"], shown["valid_until"]) == ("offer 3 + 440300:1", "2026-12-01")
    assert shown["state"] == "granted"
    answer = await city.client.get(f"/customers/{customer}/offers", headers=clerk)
    (told,) = answer.json()["items"]
    assert (told["period"], told["entitled"], told["taken"], told["left"]) == ("month", 3, 3, 0)
    assert (
        await reasons_of(
            city, clerk, await add_customer(city.database, NOON, level="standard"), "lounge"
        )
        == []
    )


async def test_offers_that_do_not_go_together(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    await add_offer(city, supervisor, "fee", conflicts_with=["lounge"], exclusive_group="rebate")
    await add_offer(city, supervisor, "data", exclusive_group="rebate")
    shown = await city.client.get("/offers/lounge", headers=clerk)
    assert (shown.json()["conflicts_with"], shown.headers["etag"]) == (["fee"], '"2"')
    customer = await add_customer(city.database, NOON)
    fee = await grant(city, clerk, customer, "fee")
    for code in ("lounge", "data"):
        assert await reasons_of(city, clerk, customer, code) == ["conflict"]
        assert problem_of(await grant(city, clerk, customer, code)) == "offer-not-for-customer"
    await use(city, clerk, fee)  # what is used up may come back, and so it counts
    assert await reasons_of(city, clerk, customer, "data") == ["conflict"]
    other = await add_customer(city.database, NOON)
    assert (await grant(city, clerk, other, "lounge")).status_code == 201
    assert await reasons_of(city, clerk, other, "fee") == ["conflict"]
    assert await reasons_of(city, clerk, other, "data") == []
    headers = {**supervisor, "If-Match": '"2"'}
    body: dict[str, Any] = {"conflicts_with": []}
    parted = await city.client.patch("/offers/lounge", json=body, headers=headers)
    assert parted.json()["conflicts_with"] == []
    assert await reasons_of(city, clerk, other, "fee") == []

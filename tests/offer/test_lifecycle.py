"""What becomes of grants when customers are merged, unmerged and erased."""

from typing import Any

import orjson

from tests.city.drafts import Headers, settle
from tests.city.erasing import erase
from tests.conftest import TestNode
from tests.offer.city import (
    act,
    add_offer,
    grant,
    problem_of,
    reasons_of,
    require_right,
    run,
    send,
    set_quota,
    use,
)


async def merge(city: TestNode, headers: Headers, survivor: Any, merged: Any) -> Any:
    """Merge two customers."""
    body = {
        "survivor_id": survivor["id"],
        "merged_id": merged["id"],
        "survivor_version": survivor["version"],
        "merged_version": merged["version"],
    }
    answer = await send(city, headers, "/customer-merges", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_the_survivor_of_a_merge_has_the_grants_of_both(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    await add_offer(city, supervisor, "data", conflicts_with=["lounge"])
    await set_quota(city, supervisor, uses=10)
    one, other = [await settle(city, clerk, n) for n in (1, 2)]
    mine = await grant(city, clerk, one["id"], uses=2)
    theirs = await grant(city, clerk, other["id"], "data")
    done = await merge(city, supervisor, one, other)
    assert problem_of(await grant(city, clerk, other["id"])) == "customer-merged"
    for code in ("lounge", "data"):  # both stay, and nothing comes to them
        expected = ["entitlement", "conflict"] if code == "lounge" else ["conflict"]
        assert await reasons_of(city, clerk, one["id"], code) == expected
    listed = await city.client.get(f"/offer-grants?customer={one['id']}", headers=clerk)
    assert {each["id"] for each in listed.json()["items"]} == {
        mine.json()["id"],
        theirs.json()["id"],
    }
    undone = await send(city, supervisor, f"/customer-merges/{done['id']}/undo")
    assert undone.status_code == 200, undone.text
    assert (await use(city, clerk, theirs)).status_code == 201
    listed = await city.client.get(f"/offer-grants?customer={other['id']}", headers=clerk)
    assert [each["id"] for each in listed.json()["items"]] == [theirs.json()["id"]]
    await require_right(city.database)


async def test_of_somebody_erased_counts_and_costs_stay(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    await set_quota(city, supervisor, uses=10)
    customer = await settle(city, clerk)
    granted = await grant(city, clerk, customer["id"], uses=2)
    used = await use(city, clerk, granted)
    path = f"/offer-grants/{granted.json()['id']}"
    now = await city.client.get(path, headers=clerk)
    cancelled = await act(city, clerk, now, "cancel", {"reason": "张伟的母亲住院"})
    assert cancelled.json()["state"] == "cancelled"
    costs = await city.client.get("/offer-costs", headers=clerk)
    await run(city.database, "UPDATE customer SET library = 'retained', left_on = '2021-01-01'")
    assert await erase(city) == 1
    assert (await city.client.get(path, headers=clerk)).status_code == 404
    refused = await send(city, clerk, f"/offer-uses/{used.json()['id']}/reverse", {"reason": "mistake"})  # fmt: skip
    assert refused.status_code == 404
    assert (await city.client.get("/offer-costs", headers=clerk)).json() == costs.json()
    rows = await run(city.database, "SELECT to_jsonb(g)::text AS row FROM offer_grant g")
    (row,) = [orjson.loads(each.row) for each in rows]
    assert (row["used"], row["state"], row["reason"]) == (1, "cancelled", None)
    await require_right(city.database)

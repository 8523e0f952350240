"""Cards that are lost on their way, as the staff who write them off see it: over REST."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from shared.capability import Role
from tests.city.drafts import SignIn
from tests.city.test_card_order import Hall, hall, node, outside
from tests.city.two_cities import OTHER_HALL

__all__ = ["hall", "node", "outside"]
REASON = "The carrier found no parcel. 承运商未找到包裹。"


@pytest.fixture
async def other(hall: Hall, sign_in: SignIn) -> Hall:
    """Return the same hall, with another supervisor."""
    return replace(hall, headers=await sign_in(hall.node, Role.SUPERVISOR, hall.unit))


async def proposed(hall: Hall, order: dict[str, Any], *cards: str) -> dict[str, Any]:
    named: dict[str, Any] = {"cards": list(cards)} if cards else {}
    loss: dict[str, Any] = await hall.post(
        f"/card-orders/{order['id']}/losses", 201, reason=REASON, **named
    )
    return loss


async def decide(hall: Hall, loss: dict[str, Any], how: str, **what: Any) -> httpx.Response:
    tag = what.pop("tag", f'"{loss["version"]}"')
    body = {"reason": "It is still looked for."} if how == "reject" else None
    return await hall.node.client.post(
        f"/card-losses/{loss['id']}/{how}",
        json=body,
        headers={**hall.headers, "If-Match": tag, **what},
    )


async def test_two_people_write_off_what_never_arrived(hall: Hall, other: Hall) -> None:
    order = await hall.shipped(3)
    first, *rest = await hall.cards(order)
    await hall.post(f"/card-orders/{order['id']}/receive", cards=[first])
    loss = await proposed(hall, order)
    assert (loss["cards"], loss["state"], loss["lost"]) == (rest, "proposed", None)
    assert (await hall.get(f"/card-orders/{order['id']}"))["in_transit"] == 2

    own = await decide(hall, loss, "approve", **{"Accept-Language": "zh"})
    assert (own.status_code, own.json()["title"]) == (403, "须由他人审批")
    decided = await decide(other, loss, "approve")
    assert decided.status_code == 200, decided.text
    assert (decided.json()["state"], decided.json()["lost"]) == ("written_off", 2)
    shown = await hall.get(f"/card-orders/{order['id']}")
    assert [shown[name] for name in ("state", "received", "in_transit", "lost")] == [
        *("received", 1, 0, 2)
    ]
    assert await hall.cards(order, "?state=lost") == rest
    again = await decide(other, decided.json(), "approve")
    assert again.json()["type"] == "urn:guanxi:problem:card-loss-decided"
    assert (await decide(other, loss, "approve")).status_code == 412
    assert (await hall.get(f"/card-losses?order={order['id']}"))["items"] == [decided.json()]


async def test_a_lost_card_that_turns_up_is_received_if_it_is_named(
    hall: Hall, other: Hall
) -> None:
    order = await hall.shipped(2)
    found, _ = await hall.cards(order)
    await decide(other, await proposed(hall, order), "approve")
    path = f"/card-orders/{order['id']}/receive"
    problem = await hall.post(path, 409)
    assert problem["type"] == "urn:guanxi:problem:nothing-in-transit"
    received = await hall.post(path, cards=[found])
    assert (received["received"], received["lost"]) == (1, 1)
    assert await hall.in_stock() == 1


async def test_what_arrives_before_it_is_approved_is_not_written_off(
    hall: Hall, other: Hall
) -> None:
    order = await hall.shipped(2)
    first, _ = await hall.cards(order)
    loss = await proposed(hall, order)
    await hall.post(f"/card-orders/{order['id']}/receive", cards=[first])
    assert (await decide(other, loss, "approve")).json()["lost"] == 1
    assert await hall.in_stock() == 1


async def test_a_loss_of_which_everything_has_arrived_is_not_approved(
    hall: Hall, other: Hall
) -> None:
    order = await hall.shipped(2)
    first, second = await hall.cards(order)
    loss = await proposed(hall, order, first)
    await hall.post(f"/card-orders/{order['id']}/receive", cards=[first])
    problem = (await decide(other, loss, "approve")).json()
    assert (problem["type"], problem["status"]) == ("urn:guanxi:problem:lost-cards-arrived", 409)
    assert await hall.cards(order, "?state=in_transit") == [second], "others are on their way"
    assert (await decide(hall, loss, "reject")).status_code == 200


async def test_a_loss_is_rejected_with_a_reason_and_nothing_is_written_off(
    hall: Hall, other: Hall
) -> None:
    order = await hall.shipped(1)
    loss = await proposed(hall, order)
    problem = await hall.post(f"/card-orders/{order['id']}/losses", 409, reason=REASON)
    assert problem["type"] == "urn:guanxi:problem:card-loss-proposed"
    rejected = (await decide(other, loss, "reject")).json()
    assert (rejected["state"], rejected["decision"]) == ("rejected", "It is still looked for.")
    assert (await hall.get(f"/card-orders/{order['id']}"))["in_transit"] == 1
    taken_back = await decide(hall, await proposed(hall, order), "reject")
    assert taken_back.json()["state"] == "rejected"


async def test_only_whoever_manages_the_stock_writes_off_and_only_their_own(
    hall: Hall, sign_in: SignIn
) -> None:
    order = await hall.shipped(1)
    clerk = replace(hall, headers=await sign_in(hall.node, Role.CLERK, hall.unit))
    await clerk.post(f"/card-orders/{order['id']}/losses", 403, reason=REASON)
    loss = await proposed(hall, order)
    assert (await decide(clerk, loss, "approve")).status_code == 403
    await clerk.get(f"/card-losses/{loss['id']}")
    far = replace(hall, headers=await sign_in(hall.node, Role.SUPERVISOR, OTHER_HALL))
    assert (await far.get("/card-losses"))["items"] == []
    for how in ("approve", "reject"):
        assert (await decide(far, loss, how)).status_code == 404
    await far.get(f"/card-losses/{loss['id']}", 404)


async def test_cards_that_are_not_on_their_way_are_no_loss(hall: Hall) -> None:
    order = await hall.shipped(1)
    path = f"/card-orders/{order['id']}/losses"
    problem = await hall.post(path, 409, reason=REASON, cards=["89860000000000000000"])
    assert problem["type"] == "urn:guanxi:problem:cards-not-in-transit"
    await hall.post(path, 422)
    await hall.post(path, 422, reason=REASON, cards=[])
    await hall.post(f"/card-orders/{order['id']}/receive")
    problem = await hall.post(path, 409, reason=REASON)
    assert problem["type"] == "urn:guanxi:problem:nothing-in-transit"


async def test_the_faults_of_a_loading_are_told_in_chinese(hall: Hall) -> None:
    order = await hall.shipped(1)
    (card,) = (await hall.get(f"/card-orders/{order['id']}/cards"))["items"]
    answer = await hall.node.client.post(
        "/sim-cards",
        json={"cards": [{"iccid": card["iccid"], "imsi": card["imsi"]}]},
        headers={**hall.headers, "Idempotency-Key": "box", "Accept-Language": "zh"},
    )
    assert "请在该订购单收货" in answer.json()["errors"][0]["detail"]

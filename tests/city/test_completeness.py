"""Completeness: on the page as it is read, in lists as it was computed, by the node's own weights."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.city_node import completeness
from services.city_node.completeness.elements import ELEMENTS, first_weight
from services.city_node.customer.models import CustomerKind, Level
from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn, fresh, settle
from tests.conftest import TestNode


async def page(city: TestNode, headers: Headers, customer: dict[str, Any]) -> dict[str, Any]:
    answer = await city.client.get(
        f"/customers/{customer['id']}?include=completeness", headers=headers
    )
    found: dict[str, Any] = answer.json()["completeness"]
    return found


async def listed(city: TestNode, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await city.client.get(f"/customer-completeness{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def score(kind: CustomerKind, level: Level, present: set[str]) -> int:
    """The score by hand."""
    weights = {code.value: first_weight(element, kind, level) for code, element in ELEMENTS.items()}
    return round(100 * sum(weights[code] for code in present) / sum(weights.values()))


async def test_a_page_shows_what_is_missing_at_once(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    first = await page(city, clerk, customer)
    present = {"document", "birth_date", "sex"}
    assert first["score"] == score(CustomerKind.INDIVIDUAL, Level.GOLD, present)
    assert first["missing"][0] == "phone"
    assert (
        set(first["missing"])
        == {code for code, element in ELEMENTS.items() if element.individual} - present
    )
    body = {"kind": "phone", "value": "13912345678", "preferred": True}
    await city.client.post(f"/customers/{customer['id']}/contacts", json=body, headers=clerk)
    now = await page(city, clerk, customer)
    present |= {"phone", "preferred_contact"}
    assert now["score"] == score(CustomerKind.INDIVIDUAL, Level.GOLD, present)


async def test_what_counts_differs_by_kind_and_level(city: TestNode, clerk: Headers) -> None:
    standard = await settle(city, clerk, 1, level="standard")
    licence = {"document_type": "business_licence", "document_number": "91440300MA00000001"}
    group = await settle(city, clerk, 2, kind="group", birth_date=None, **licence)
    assert "manager" not in (await page(city, clerk, standard))["missing"]
    missing = (await page(city, clerk, group))["missing"]
    assert {"industry", "decider", "manager"} <= set(missing)
    assert not {"birth_date", "sex", "preference"} & set(missing)


async def test_lists_are_refreshed_for_those_who_changed(city: TestNode, clerk: Headers) -> None:
    poor = await settle(city, clerk, 1, document_type=None, document_number=None)
    rich = await settle(city, clerk, 2, unit_code=TEAM, payment_method="代扣")
    await city.run_job("compute-changed-completeness")
    assert [one["customer_id"] for one in await listed(city, clerk)] == [poor["id"], rich["id"]]
    backwards = await listed(city, clerk, "?sort=-score")
    assert [one["customer_id"] for one in backwards] == [rich["id"], poor["id"]]
    lacking = await listed(city, clerk, "?missing=document&kind=individual&level=gold")
    assert [one["customer_id"] for one in lacking] == [poor["id"]]
    assert [one["customer_id"] for one in await listed(city, clerk, f"?unit={TEAM}")] == [
        rich["id"]
    ]
    limit = (await listed(city, clerk))[0]["score"]
    assert len(await listed(city, clerk, f"?min_score={limit + 1}")) == 1
    assert len(await listed(city, clerk, f"?max_score={limit}")) == 1
    city.clock.advance(timedelta(minutes=1))
    await city.client.patch(
        f"/customers/{poor['id']}", json={"payment_method": "代扣"}, headers=fresh(clerk, poor)
    )
    before = await listed(city, clerk)
    await city.run_job("compute-changed-completeness")
    after = await listed(city, clerk)
    assert after[0]["score"] > before[0]["score"]
    assert after[0]["score"] == (await page(city, clerk, poor))["score"]
    assert after[1] == before[1] | {"computed_at": after[1]["computed_at"]}


async def test_the_night_computes_everybody_in_portions(
    city: TestNode, clerk: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness.repository, "PORTION", 2)
    people = [await settle(city, clerk, running) for running in range(1, 6)]
    for _ in range(2):
        await city.run_job("compute-completeness")
    assert len(await listed(city, clerk)) == 5
    async with city.database.transaction() as session:
        await session.execute(
            text("UPDATE customer SET document_type = NULL, document_cipher = NULL,"
                 " document_index = NULL, document_masked = NULL WHERE id = :id"),
            {"id": UUID(people[3]["id"])},
        )  # fmt: skip
    await city.run_job("compute-completeness")
    first = (await listed(city, clerk))[0]
    assert (first["customer_id"], first["missing"][0]) == (people[3]["id"], "document")


async def test_weights_are_the_nodes_own(city: TestNode, clerk: Headers, sign_in: SignIn) -> None:
    customer = await settle(city, clerk)
    before = await page(city, clerk, customer)
    operator = await sign_in(city, Role.OPERATOR)
    path = "/completeness-rules/individual/gold/document"
    tagged = {"If-Match": '"1"'}
    refused = await city.client.put(path, json={"weight": 0}, headers={**clerk, **tagged})
    assert refused.status_code == 403
    answer = await city.client.put(path, json={"weight": 0}, headers={**operator, **tagged})
    assert (answer.status_code, answer.json()["weight"]) == (200, 0)
    stale = await city.client.put(path, json={"weight": 9}, headers={**operator, **tagged})
    assert stale.status_code == 412
    wrong = await city.client.put(path, json={"weight": 101}, headers={**operator, **tagged})
    assert wrong.status_code == 422
    for start in completeness.capability.on_start:
        await start(city.context)
    assert (await page(city, clerk, customer))["score"] < before["score"]
    rules = await city.client.get("/completeness-rules?kind=individual&level=gold", headers=clerk)
    assert {one["element"]: one["weight"] for one in rules.json()["items"]}["document"] == 0


async def test_scores_of_other_units_are_not_shown(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    await settle(city, clerk)
    await city.run_job("compute-changed-completeness")
    assert await listed(city, await sign_in(city, Role.CLERK, TEAM)) == []

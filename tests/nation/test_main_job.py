"""The main job through real nodes of three tiers, over their own HTTP, with links that fail."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.capability import Role
from tests.conftest import Nation, TestNode

SignIn = Callable[..., Awaitable[dict[str, str]]]

CUSTOMER = {
    "name": "张伟",
    "sex": "male",
    "document_type": "id_card",
    "document_number": "11010519491231002X",
    "entry_date": "2020-01-01",
    "level": "gold",
}
SUBSCRIPTION = {
    "msisdn": "13800005678",
    "brand": "全球通",
    "iccid": "89860000000000000001",
    "imsi": "460001234567890",
}
CARD = {"iccid": "89860026440300000017", "imsi": "460002644030001"}
QUESTION = {"home": "110100", "msisdn": "13800005678", "document_type": "id_card", "reason": "lost"}


class City:
    """A city as its staff use it."""

    def __init__(self, node: TestNode, headers: dict[str, str]) -> None:
        self.node = node
        self.headers = headers

    @classmethod
    async def of(cls, nation: Nation, code: str, sign_in: SignIn) -> "City":
        return cls(nation[code], await sign_in(nation[code], Role.SUPERVISOR))

    async def get(self, path: str, **parameters: Any) -> Any:
        response = await self.node.client.get(path, params=parameters, headers=self.headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(
        self, path: str, body: Any = None, *, expect: int = 201, key: str | None = None
    ) -> Any:
        headers = {**self.headers, "Idempotency-Key": key or str(uuid4())}
        response = await self.node.client.post(path, json=body, headers=headers)
        assert response.status_code == expect, response.text
        return response.json() if response.content else None

    async def cards(self) -> dict[str, str]:
        return {card["iccid"]: card["state"] for card in (await self.get("/sim-cards"))["items"]}

    async def active_sims(self, customer: str) -> list[str]:
        subscriptions = (await self.get(f"/customers/{customer}/subscriptions"))["items"]
        return [subscription["iccid"] for subscription in subscriptions]


@pytest.fixture
async def beijing(nation: Nation, sign_in: SignIn) -> City:
    return await City.of(nation, "110100", sign_in)


@pytest.fixture
async def shenzhen(nation: Nation, sign_in: SignIn) -> City:
    city = await City.of(nation, "440300", sign_in)
    await city.post("/sim-cards", {"cards": [CARD]})
    return city


@pytest.fixture
async def customer(beijing: City) -> str:
    made = await beijing.post("/customers", CUSTOMER)
    await beijing.post(f"/customers/{made['id']}/subscriptions", SUBSCRIPTION)
    identifier: str = made["id"]
    return identifier


async def test_a_card_is_replaced_across_two_provinces(
    nation: Nation, beijing: City, shenzhen: City, customer: str
) -> None:
    asked = await shenzhen.post(
        "/card-replacements", {**QUESTION, "document_number": CUSTOMER["document_number"]}
    )
    path = f"/card-replacements/{asked['id']}"
    assert (await shenzhen.cards())[CARD["iccid"]] == "reserved"
    await nation.settle()
    assert (await shenzhen.get(path))["state"] == "approved"
    assert await beijing.active_sims(customer) == [SUBSCRIPTION["iccid"]]
    await shenzhen.post(f"{path}/write-card", expect=200)
    await nation.settle()
    ended = await shenzhen.get(path)
    assert ended["state"] == "completed"
    assert await beijing.active_sims(customer) == [CARD["iccid"]]
    assert (await shenzhen.cards())[CARD["iccid"]] == "issued"
    passed = [entry["node"] for entry in ended["trail"]]
    assert {"440300", "440000", "000000", "110000", "110100"} <= set(passed), (
        "the trail names every node on the way"
    )
    assert (await beijing.get(f"/service-requests/{asked['id']}"))["state"] == "completed"


async def test_nothing_personal_stands_open_in_what_passes_the_provinces(
    nation: Nation, shenzhen: City, customer: str
) -> None:
    await shenzhen.post(
        "/card-replacements", {**QUESTION, "document_number": CUSTOMER["document_number"]}
    )
    await nation.settle()
    for code in ("440000", "000000", "110000", "440300"):
        pool = await nation[code].database.pool()
        seen = await pool.fetchval(
            "SELECT string_agg(convert_from(envelope, 'UTF8'), '') FROM (SELECT envelope FROM federation_inbox UNION ALL SELECT envelope FROM federation_outbox) all_messages"
        )
        assert CUSTOMER["document_number"] not in seen, code


async def test_a_wrong_identity_is_refused_and_the_card_goes_back(
    nation: Nation, shenzhen: City, beijing: City, customer: str
) -> None:
    foreign = {**QUESTION, "document_type": "passport", "document_number": "E12345678"}
    asked = await shenzhen.post("/card-replacements", foreign)
    await nation.settle()
    ended = await shenzhen.get(f"/card-replacements/{asked['id']}")
    assert ended["state"] == "refused"
    assert ended["refusal"]["code"] == "identity-mismatch"
    assert (await shenzhen.cards())[CARD["iccid"]] == "in_stock"
    assert await beijing.active_sims(customer) == [SUBSCRIPTION["iccid"]]


async def test_a_cancelled_request_releases_the_card_at_both_ends(
    nation: Nation, shenzhen: City, beijing: City, customer: str
) -> None:
    asked = await shenzhen.post(
        "/card-replacements", {**QUESTION, "document_number": CUSTOMER["document_number"]}
    )
    await nation.settle()
    await shenzhen.post(
        f"/card-replacements/{asked['id']}/cancel", {"note": "found the old one"}, expect=200
    )
    await nation.settle()
    assert (await shenzhen.cards())[CARD["iccid"]] == "in_stock"
    assert (await beijing.get(f"/service-requests/{asked['id']}"))["state"] == "cancelled"


@pytest.mark.parametrize("cut", ["440000", "000000"])
async def test_a_request_waits_for_a_cut_link_and_goes_on_when_it_heals(
    nation: Nation, shenzhen: City, beijing: City, customer: str, cut: str
) -> None:
    nation.network.cut.add(cut)
    asked = await shenzhen.post(
        "/card-replacements", {**QUESTION, "document_number": CUSTOMER["document_number"]}
    )
    await nation.settle()
    assert (await shenzhen.get(f"/card-replacements/{asked['id']}"))["state"] == "asked"
    nation.network.cut.clear()
    await nation.settle()
    assert (await shenzhen.get(f"/card-replacements/{asked['id']}"))["state"] == "approved"


@pytest.mark.thorough
async def test_every_exchange_delivered_twice_changes_nothing(
    nation: Nation, shenzhen: City, beijing: City, customer: str
) -> None:
    """Each push is received, its answer thrown away, and the same batch sent again under a new signature."""
    through = nation.network.handle_async_request
    lost: set[bytes] = set()

    async def twice(request: httpx.Request) -> httpx.Response:
        response = await through(request)
        body = request.content
        if request.url.path.endswith("/batches") and body not in lost:
            lost.add(body)
            await response.aread()
            raise httpx.ReadError("the answer was lost", request=request)
        return response

    nation.network.handle_async_request = twice  # type: ignore[method-assign]
    asked = await shenzhen.post(
        "/card-replacements", {**QUESTION, "document_number": CUSTOMER["document_number"]}
    )
    for _ in range(12):
        await nation.settle()
    await shenzhen.post(f"/card-replacements/{asked['id']}/write-card", expect=200)
    for _ in range(12):
        await nation.settle()
    assert len(lost) >= 8
    assert (await shenzhen.get(f"/card-replacements/{asked['id']}"))["state"] == "completed"
    assert await beijing.active_sims(customer) == [CARD["iccid"]]


async def test_a_city_serves_its_own_customers_while_its_province_is_gone(
    nation: Nation, beijing: City
) -> None:
    nation.network.cut.update({"110000", "000000"})
    made = await beijing.post("/customers", CUSTOMER)
    await beijing.post(f"/customers/{made['id']}/subscriptions", SUBSCRIPTION)
    assert (await beijing.get(f"/customers/{made['id']}"))["name"] == "张伟"
    assert (await beijing.get("/customers"))["items"][0]["id"] == made["id"]
    ready = await beijing.node.client.get("/health/ready")
    assert ready.status_code == 200


async def test_the_national_figure_is_made_of_the_cities_and_names_what_is_missing(
    nation: Nation, beijing: City, shenzhen: City, customer: str, sign_in: SignIn
) -> None:
    analyst = City(nation["000000"], await sign_in(nation["000000"], Role.HQ_ANALYST))
    nation.network.cut.add("440000")
    for city in (beijing, shenzhen):
        await city.post("/statistics/rollups", {"period": "2026-11"}, expect=200)
    await nation.settle()
    question = {"indicator": "customers", "period": "2026-11"}
    figure = await analyst.get("/statistics/values", **question)
    assert figure["rows"][0]["values"] == {"customers": 1}
    (provenance,) = figure["provenance"]
    assert provenance["missing"] == ["440100", "440300"]
    assert [city["node"] for city in provenance["cities"]] == ["110100"]
    nation.network.cut.clear()
    await nation.settle()
    (provenance,) = (await analyst.get("/statistics/values", **question))["provenance"]
    assert provenance["missing"] == ["440100"]
    province = City(nation["110000"], await sign_in(nation["110000"], Role.PROVINCE_COORDINATOR))
    assert (await province.get("/statistics/values", **question))["rows"][0]["values"] == {
        "customers": 1
    }

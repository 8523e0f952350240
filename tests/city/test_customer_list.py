"""Lists: what they filter, how they sort, and pages that neither repeat nor skip."""

import base64
import json
from typing import Any

import pytest

from tests.city.drafts import OTHER_TEAM, TEAM, Headers, fresh, id_card, line, settle
from tests.conftest import TestNode

PEOPLE = [
    {"name": "张伟", "level": "diamond", "entry_date": "2019-01-01", "unit_code": TEAM},
    {"name": "章威", "level": "gold", "entry_date": "2020-01-01", "contract_term": "one_year"},
    {"name": "曾国藩", "level": "gold", "entry_date": "2021-01-01", "unit_code": OTHER_TEAM},
    {"name": "Alice Zhang", "level": "standard", "entry_date": "2022-01-01"},
    {"name": "中国银行", "kind": "group", "level": "silver", "entry_date": "2023-01-01", "sex": "unknown"},
]  # fmt: skip


@pytest.fixture
async def people(city: TestNode, supervisor: Headers) -> list[dict[str, Any]]:
    made = [
        await settle(city, supervisor, running, **given)
        for running, given in enumerate(PEOPLE, start=1)
    ]
    await city.client.post(
        f"/customers/{made[0]['id']}/subscriptions",
        json=line(),
        headers={**supervisor, "Idempotency-Key": "a"},
    )
    gone = await settle(city, supervisor, 9, name="张离", level="gold")
    left = {"reason": "price", "on": "2026-11-01"}
    await city.client.post(
        f"/customers/{gone['id']}/retire", json=left, headers=fresh(supervisor, gone)
    )
    return made


async def names(city: TestNode, headers: Headers, query: str) -> list[str]:
    answer = await city.client.get(f"/customers?fields=name&sort=name&{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_filters_find_what_they_say_and_nothing_else(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    for query, expected in (
        ("", ["Alice Zhang", "曾国藩", "张伟", "章威", "中国银行"]),
        ("library=retained", ["张离"]),
        ("library=all&level=gold", ["曾国藩", "张离", "章威"]),
        ("kind=group", ["中国银行"]),
        (f"unit={TEAM}", ["张伟"]),
        ("unit=440300", ["Alice Zhang", "曾国藩", "张伟", "章威", "中国银行"]),
        ("unit=110100", []),
        ("contract_term=one_year", ["章威"]),
        ("brand=全球通", ["张伟"]),
        ("brand=神州行", []),
        ("name=张", ["张伟"]),
        ("name=张伟伟", []),
        ("name=zhangwei", ["张伟", "章威"]),
        ("name=zhang w", ["张伟", "章威"]),
        ("name=zeng", ["曾国藩"]),
        ("name=ceng", []),
        ("name=zhongguoyinhang", ["中国银行"]),
        ("name=alice", ["Alice Zhang"]),
        ("name=%25", []),
        ("msisdn=13800000001", ["张伟"]),
        ("msisdn=13900000001", []),
        (f"document={id_card(2).lower()}", ["章威"]),
        (f"document={id_card(8)}", []),
        ("entered_from=2021-01-01&entered_before=2022-01-01", ["曾国藩"]),
        ("min_monthly_charge_fen=1", []),
        ("max_monthly_charge_fen=0&level=diamond", ["张伟"]),
        ("manager=00000000-0000-0000-0000-000000000000", []),
    ):
        assert await names(city, supervisor, query) == expected, query


async def test_a_number_that_ended_still_finds_who_had_it(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    path = f"/customers/{people[0]['id']}"
    profile = (await city.client.get(path, headers=supervisor)).json()
    await city.client.post(
        f"{path}/retire", json={"reason": "moved"}, headers=fresh(supervisor, profile)
    )
    assert await names(city, supervisor, "library=all&msisdn=13800000001") == ["张伟"]
    assert await names(city, supervisor, "msisdn=13800000001") == []


async def test_pages_follow_one_another_without_gap_or_repeat(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    names = ("id", "name", "entry_date", "monthly_charge_fen", "updated_at")
    for sort in (*names, *(f"-{name}" for name in names)):
        whole = await city.client.get(f"/customers?sort={sort}", headers=supervisor)
        found = await _page_by_page(city, supervisor, sort)
        assert found == [item["id"] for item in whole.json()["items"]], sort
        assert len(found) == 5


async def test_pages_of_those_whose_names_begin_alike(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]]
) -> None:
    made = [
        await settle(city, supervisor, running, name=name)
        for running, name in ((11, "张三"), (12, "张安"), (13, "张丽"))
    ]
    for sort, expected in (("name", "安丽三伟"), ("-name", "伟三丽安"), ("id", "伟三安丽")):
        asked = f"{sort}&name=张&library=in_network"
        found = await _page_by_page(city, supervisor, asked, limit=1)
        ids = {profile["name"][1]: profile["id"] for profile in (*made, people[0])}
        assert found == [ids[letter] for letter in expected], sort


async def _page_by_page(
    city: TestNode, headers: Headers, sort: str, *, limit: int = 2
) -> list[str]:
    found: list[str] = []
    query = f"/customers?sort={sort}&limit={limit}&fields=id"
    page = (await city.client.get(query, headers=headers)).json()
    while page["next"] is not None:
        found += [item["id"] for item in page["items"]]
        page = (await city.client.get(f"{query}&cursor={page['next']}", headers=headers)).json()
    return found + [item["id"] for item in page["items"]]


async def test_a_query_that_is_not_offered_is_refused(city: TestNode, clerk: Headers) -> None:
    for query, status in (
        ("sort=salary", 400),
        ("fields=id,document_cipher", 400),
        ("fields=document_number", 400),
        ("limit=0", 422),
        ("level=platinum", 422),
        ("msisdn=110", 422),
        ("name=%00", 422),
        ("unit=%00", 422),
        ("brand=%00", 422),
        ("document=%00", 422),
        ("min_monthly_charge_fen=99999999999999999999", 422),
    ):
        answer = await city.client.get(f"/customers?{query}", headers=clerk)
        assert answer.status_code == status, (query, answer.text)


async def test_every_wrong_parameter_is_named_and_so_is_one_that_is_not_offered(
    city: TestNode, clerk: Headers
) -> None:
    wrong = await city.client.get("/customers?limit=0&level=platinum&unit=1", headers=clerk)
    assert [error["pointer"] for error in wrong.json()["errors"]] == [
        "query:limit",
        "query:level",
        "query:unit",
    ]
    unknown = await city.client.get("/customers?levle=gold&limit=0", headers=clerk)
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (400, "query:levle")
    assert "min_monthly_charge_fen" in unknown.json()["detail"]


async def test_a_parameter_given_twice_is_refused(city: TestNode, supervisor: Headers) -> None:
    answer = await city.client.get("/customers?level=silver&level=diamond", headers=supervisor)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:guanxi:problem:parameter-repeated"
    assert answer.json()["errors"][0]["pointer"] == "query:level"


async def test_what_is_read_at_once_is_described_all_the_same(city: TestNode) -> None:
    described = (await city.client.get("/openapi.json")).json()["paths"]["/customers"]["get"]
    parameters = {each["name"]: each for each in described["parameters"]}
    assert list(parameters)[:6] == ["limit", "cursor", "sort", "fields", "count", "library"]
    assert parameters["library"]["schema"]["enum"] == ["in_network", "retained", "all"]
    assert parameters["limit"]["schema"]["maximum"] == 500
    assert parameters["name"]["description"].startswith("Beginning of the name")
    assert {each["in"] for each in parameters.values()} == {"query"}
    assert "security" in described


async def test_no_query_however_hostile_breaks_the_node(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    for path in (
        f"/customers?cursor={_cursor('id', 0, 'x', 'y')}",
        f"/customers?sort=name&cursor={_cursor('name', 0, chr(0), profile['id'])}",
        f"/customers?sort=entry_date&cursor={_cursor('entry_date', 0, '2026-02-30', profile['id'])}",
        "/customers?cursor=%ff",
        "/customers?fields=%00",
        "/customers?sort=%00",
        "/customers?name=%ED%A0%80",
        "/customers?name=%F4%8F%BF%BF",
        "/customers?entered_from=0001-01-01&entered_before=9999-12-31",
        f"/customers/{profile['id']}?fields=,",
        f"/customers/{profile['id']}?include=%00",
        f"/customers/{profile['id']}/changes?cursor={_cursor('id', 1, 'x', 'y')}",
    ):
        assert (await city.client.get(path, headers=clerk)).status_code < 500, path


def _cursor(sort: str, descending: int, value: str, key: str) -> str:
    content = [sort, bool(descending), value, key]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()

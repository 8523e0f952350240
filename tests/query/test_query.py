"""Queries over HTTP: pages, forms, scope, explanations, refusals."""

import asyncio
from typing import Any

import pytest

from services.city_node import customer as customers
from services.city_node import customer_import, query
from services.city_node.query import service
from shared import organisation, staff, work
from shared.capability import Role
from tests.city.drafts import CITY, TEAM, Headers, SignIn, _team, id_card, settle
from tests.conftest import MakeNode, TestNode

CAPABILITIES = (
    *(organisation.capability, staff.capability, customers.capability, work.capability),
    *(customer_import.capability, query.capability),
)


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    node = await make_node(CITY, CAPABILITIES)
    async with node.database.transaction() as session:
        session.add(_team(TEAM, node.clock.now()))
    return node


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


async def ask(city: TestNode, headers: Headers, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = await city.client.post("/customers/query", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def test_pages_follow_one_another_in_any_sort(city: TestNode, supervisor: Headers) -> None:
    made = [await settle(city, supervisor, at, level="gold") for at in range(5)]
    await settle(city, supervisor, 9, level="silver")
    for sort, order in (("customer_number", 1), ("-customer_number", -1), ("-updated_at", 0)):
        asked: dict[str, Any] = {
            "condition": "level = gold",
            "sort": sort,
            "limit": 2,
            "fields": ["id"],
        }
        page = await ask(city, supervisor, count=True, **asked)
        assert page["count"] == 5
        found = page["items"]
        while page["next"]:
            page = await ask(city, supervisor, cursor=page["next"], **asked)
            found += page["items"]
        ids = [item["id"] for item in found]
        if order:
            assert ids == [each["id"] for each in made][::order]
        assert sorted(ids) == sorted(each["id"] for each in made)


async def test_either_form_and_no_form(city: TestNode, supervisor: Headers) -> None:
    gold = await settle(city, supervisor, 1, level="gold")
    await settle(city, supervisor, 2, level="silver")
    form = {"field": "level", "operator": "=", "value": "gold"}
    for condition in ("level = gold", form):
        page = await ask(city, supervisor, condition=condition, fields=["id"])
        assert page["items"] == [{"id": gold["id"]}]
    assert len((await ask(city, supervisor))["items"]) == 2


async def test_the_explanation_shows_both_forms_and_the_plan(
    city: TestNode, supervisor: Headers
) -> None:
    explained = (await ask(city, supervisor, condition="level=gold", explain=True))["explain"]
    assert explained["text"] == "level = gold"
    assert explained["form"] == {"field": "level", "operator": "=", "value": "gold"}
    assert explained["today"] == "2026-11-23"
    assert explained["estimated_cost"] > 0


async def test_a_unit_finds_its_own(city: TestNode, supervisor: Headers, sign_in: SignIn) -> None:
    ours = await settle(city, supervisor, 1, unit_code=TEAM)
    await settle(city, supervisor, 2)
    team = await sign_in(city, Role.CLERK, TEAM)
    wide = f'unit within "{CITY}" or not level = gold or level = gold'
    page = await ask(city, team, condition=wide, fields=["id"], count=True)
    assert (page["items"], page["count"]) == ([{"id": ours["id"]}], 1)


async def test_a_document_number_is_found_by_who_may_see_it(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    person = await settle(city, supervisor, 7)
    condition = f'document = "{id_card(7).lower()}"'
    page = await ask(city, supervisor, condition=condition, fields=["id"])
    assert page["items"] == [{"id": person["id"]}]
    clerk = await sign_in(city, Role.CLERK)
    for hidden in (condition, f"not {condition}", f"level = gold or {condition}"):
        refused = await ask(city, clerk, 403, condition=hidden)
        assert refused["type"] == "urn:guanxi:problem:condition-forbidden"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"condition": "level = platin"}, 422, "/condition"),
        ({"condition": {"and": [{"field": "x"}]}}, 422, "/condition/and/0/field"),
        ({"condition": {"field": "level", "operator": "=", "value": "x"}}, 422, "/condition/value"),
        ({"fields": ["document_cipher"]}, 400, "query:fields"),
        ({"sort": "birth_date"}, 400, "query:sort"),
        ({"cursor": "x"}, 400, None),
        ({"limit": 501}, 422, "/limit"),
        ({"where": "level = gold"}, 422, "/where"),
    ],
)
async def test_a_mistake_is_told_with_its_place(
    city: TestNode, supervisor: Headers, body: Any, status: int, pointer: str | None
) -> None:
    refused = await ask(city, supervisor, status, **body)
    if pointer:
        assert refused["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "body",
    [
        b'{"condition": ' + b'{"not": ' * 20_000 + b"{}" + b"}" * 20_000 + b"}",
        b'{"condition": {"field": "name", "operator": "=", "value": "\\ud800"}}',
        b'{"condition": {"field": "name", "operator": "=", "value": "\\u0000"}}',
        b'{"condition": {"field": "age", "operator": "=", "value": 1e999}}',
        b'{"condition": {"field": "age", "operator": "=", "value": NaN}}',
        b'{"condition": 7}',
        b"not json",
        b'{"condition": "name = \\"' + b"x" * 100_000 + b'\\""}',
    ],
)
async def test_a_hostile_body_is_refused_and_no_more(
    city: TestNode, supervisor: Headers, body: bytes
) -> None:
    headers = {**supervisor, "content-type": "application/json"}
    answer = await city.client.post("/customers/query", content=body, headers=headers)
    assert answer.status_code in {400, 422}, answer.text


async def test_a_query_that_takes_too_long_is_given_up(
    city: TestNode, supervisor: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LONGEST_SECONDS", 0.0)
    refused = await ask(city, supervisor, 503, condition="level = gold")
    assert refused["type"] == "urn:guanxi:problem:query-took-too-long"
    monkeypatch.undo()
    async with asyncio.timeout(10):
        await ask(city, supervisor, condition="level = gold")


async def test_the_catalogue_speaks_the_readers_language(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    path = "/customers/query/fields"
    english = (await city.client.get(path, headers=supervisor)).json()
    chinese = (await city.client.get(path, headers={**supervisor, "Accept-Language": "zh"})).json()
    named = {field["name"]: field for field in chinese["fields"]}
    assert named["level"]["label"] == "级别"
    assert named["level"]["choices"] == ["diamond", "gold", "silver", "standard"]
    assert {field["name"] for field in english["fields"]} == set(named)
    assert named["document"]["allowed"]
    clerk = (await city.client.get(path, headers=await sign_in(city, Role.CLERK))).json()
    assert not next(f for f in clerk["fields"] if f["name"] == "document")["allowed"]
    assert {relation["name"] for relation in english["relations"]} >= {"subscription", "bill"}


async def test_a_condition_is_read_into_both_forms(city: TestNode, supervisor: Headers) -> None:
    body = {"condition": "charge(last 3 months)>300 yuan"}
    answer = await city.client.post("/customers/query/read", json=body, headers=supervisor)
    both = answer.json()
    assert both["text"] == "charge(last 3 months) > 300 yuan"
    body = {"condition": both["form"]}
    again = await city.client.post("/customers/query/read", json=body, headers=supervisor)
    assert again.json() == both

"""A profile over REST: made, read, changed against the version that was read."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from tests.city.drafts import Headers, fresh, id_card, line, person, settle
from tests.conftest import TestNode


async def test_a_new_customer_is_answered_as_it_is_read(city: TestNode, clerk: Headers) -> None:
    made = await city.client.post("/customers", json=person(), headers=clerk)
    assert made.status_code == 201
    profile = made.json()
    assert made.headers["location"] == f"/customers/{profile['id']}"
    assert made.headers["etag"] == '"1"'
    read = await city.client.get(made.headers["location"], headers=clerk)
    assert read.json() == profile
    assert profile["customer_number"] == "44030000000001"
    assert profile["library"] == "in_network"
    assert profile["unit_code"] == "440300"
    assert profile["document_masked"] == f"4403{'*' * 10}{id_card(1)[-4:]}"
    assert profile["attributes"] == {"vip": True}


async def test_numbers_run_on(city: TestNode, clerk: Headers) -> None:
    numbers = [(await settle(city, clerk, running))["customer_number"] for running in (1, 2, 3)]
    assert numbers == ["44030000000001", "44030000000002", "44030000000003"]


async def test_fields_and_parts_are_given_as_asked(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    await city.client.post(
        f"/customers/{profile['id']}/subscriptions",
        json=line(),
        headers={**clerk, "Idempotency-Key": "line-1"},
    )
    query = "fields=name,level&include=subscriptions,contacts,bills,changes"
    read = (await city.client.get(f"/customers/{profile['id']}?{query}", headers=clerk)).json()
    assert list(read) == ["name", "level", "subscriptions", "contacts", "bills", "changes"]
    assert read["subscriptions"][0] | {"id": None} == {
        "id": None,
        "msisdn": "13800000001",
        "brand": "全球通",
        "plan": "128",
        "contract_term": "none",
        "status": "active",
        "entry_date": "2026-11-23",
        "ended_on": None,
        "iccid": "89860026110000000001",
        "handset": None,
        "imei": None,
        "imsi": "460000000000001",
    }
    assert read["contacts"] == read["bills"] == []
    assert [change["action"] for change in read["changes"]] == ["subscribed", "created"]


@pytest.mark.parametrize("query", ["fields=name,secret", "include=wallet", "fields="])
async def test_an_unknown_field_is_refused_with_those_there_are(
    city: TestNode, clerk: Headers, query: str
) -> None:
    profile = await settle(city, clerk)
    answer = await city.client.get(f"/customers/{profile['id']}?{query}", headers=clerk)
    if query == "fields=":
        assert answer.status_code == 200
        assert answer.json() == profile
    else:
        assert answer.status_code == 400
        assert "name" in answer.json()["detail"] or "bills" in answer.json()["detail"]


async def test_what_the_caller_has_is_not_sent_again(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    same = await city.client.get(path, headers={**clerk, "If-None-Match": 'W/"9", "1"'})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == '"1"'
    other = await city.client.get(path, headers={**clerk, "If-None-Match": '"2"'})
    assert other.status_code == 200


async def test_a_patch_merges_and_keeps_the_rest(city: TestNode, clerk: Headers) -> None:
    profile = await settle(
        city, clerk, attributes={"vip": True, "hobby": {"golf": 1, "tea": 2}, "old": "x"}
    )
    patch = {
        "level": "diamond",
        "birth_date": None,
        "attributes": {"old": None, "hobby": {"tea": None, "chess": 3}, "new": {"deep": None}},
    }
    answer = await city.client.patch(
        f"/customers/{profile['id']}",
        json=patch,
        headers={**fresh(clerk, profile), "Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert answer.headers["etag"] == '"2"'
    assert changed["attributes"] == {"vip": True, "hobby": {"golf": 1, "chess": 3}, "new": {}}
    assert {name for name in changed if changed[name] != profile[name]} <= {
        "level",
        "birth_date",
        "attributes",
        "version",
        "updated_at",
        "updated_by",
    }
    assert (changed["level"], changed["birth_date"]) == ("diamond", None)


async def test_a_patch_that_changes_nothing_makes_no_version(
    city: TestNode, clerk: Headers
) -> None:
    profile = await settle(city, clerk)
    same = {
        "name": "张伟",
        "document_type": "id_card",
        "document_number": id_card(1),
        "attributes": {"vip": True},
    }
    answer = await city.client.patch(
        f"/customers/{profile['id']}", json=same, headers=fresh(clerk, profile)
    )
    assert answer.json() == profile


async def test_an_update_needs_the_version_that_was_read(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    blind = await city.client.patch(path, json={"level": "gold"}, headers=clerk)
    assert blind.status_code == 428
    await city.client.patch(path, json={"level": "silver"}, headers=fresh(clerk, profile))
    stale = await city.client.patch(path, json={"level": "gold"}, headers=fresh(clerk, profile))
    assert stale.status_code == 412
    assert (await city.client.get(path, headers=clerk)).json()["level"] == "silver"


async def test_of_two_at_once_one_is_told_that_it_came_late(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    answers = await asyncio.gather(
        *(
            city.client.patch(
                f"/customers/{profile['id']}",
                json={"payment_method": method},
                headers=fresh(clerk, profile),
            )
            for method in ("cash", "card")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    kept = (await city.client.get(f"/customers/{profile['id']}", headers=clerk)).json()
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert kept == winner.json()
    assert kept["version"] == 2


WRONG: list[tuple[dict[str, Any], str]] = [
        ({"name": "  "}, "/name"),
        ({"name": "a\u0000b"}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"sex": "other"}, "/sex"),
        ({"level": "platinum"}, "/level"),
        ({"document_number": id_card(1)[:-1] + ("0" if id_card(1)[-1] != "0" else "1")}, "/document_number"),
        ({"document_number": "440300199013011237"}, "/document_number"),
        ({"document_number": "12345"}, "/document_number"),
        ({"document_type": "passport", "document_number": "?"}, "/document_number"),
        ({"document_type": None}, ""),
        ({"birth_date": "1799-01-01"}, "/birth_date"),
        ({"birth_date": "2030-01-01"}, "/birth_date"),
        ({"birth_date": 0}, "/birth_date"),
    ({"entry_date": "2027-01-01"}, "/entry_date"),
        ({"birth_date": "2021-01-01"}, "/birth_date"),
        ({"unit_code": "440300-99"}, "/unit_code"),
        ({"unit_code": "440000"}, "/unit_code"),
        ({"manager_id": str(uuid4())}, "/manager_id"),
        ({"attributes": {"n": 2**63}}, "/attributes"),
        ({"attributes": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}, "/attributes"),
        ({"attributes": {"a": "\u0000"}}, "/attributes"),
        ({"wallet": 1}, "/wallet"),
]  # fmt: skip


async def test_bad_input_is_pointed_at_and_makes_nobody(city: TestNode, clerk: Headers) -> None:
    headers = {**clerk, "Content-Type": "application/json"}
    for wrong, pointer in WRONG:
        # json's own encoder sends halves of characters, which httpx's refuses to.
        body = json.dumps(person(**wrong)).encode()
        answer = await city.client.post("/customers", content=body, headers=headers)
        assert answer.status_code == 422, (wrong, answer.text)
        assert pointer in [fault["pointer"] for fault in answer.json()["errors"]], wrong
    everybody = await city.client.get("/customers?count=true", headers=clerk)
    assert everybody.json()["count"] == 0


async def test_what_must_be_there_cannot_be_emptied(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    for wrong in (
        {"name": None},
        {"level": None},
        {"entry_date": None},
        {"attributes": None},
        {"document_type": None},
        {"document_number": id_card(3)},
        {"document_type": "id_card", "document_number": None},
    ):
        answer = await city.client.patch(path, json=wrong, headers=fresh(clerk, profile))
        assert answer.status_code == 422, wrong
    assert (await city.client.get(path, headers=clerk)).json() == profile


async def test_a_document_can_be_taken_off(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    answer = await city.client.patch(
        f"/customers/{profile['id']}",
        json={"document_type": None, "document_number": None},
        headers=fresh(clerk, profile),
    )
    assert answer.json()["document_masked"] is None
    await settle(city, clerk, name="李娜")  # the number is free again


async def test_one_document_makes_one_customer(city: TestNode, clerk: Headers) -> None:
    first = await settle(city, clerk)
    number = id_card(1).lower()
    again = await city.client.post(
        "/customers", json=person(name="李娜", document_number=f" {number}"), headers=clerk
    )
    assert again.status_code == 409
    assert first["id"] in again.json()["detail"]
    second = await settle(city, clerk, 2)
    changed = await city.client.patch(
        f"/customers/{second['id']}",
        json={"document_type": "id_card", "document_number": number},
        headers=fresh(clerk, second),
    )
    assert changed.status_code == 409


async def test_one_document_makes_one_customer_also_at_the_same_moment(
    city: TestNode, clerk: Headers
) -> None:
    answers = await asyncio.gather(
        *(city.client.post("/customers", json=person(), headers=clerk) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_nobody_is_found_by_a_made_up_id(city: TestNode, clerk: Headers) -> None:
    for path in (
        f"/customers/{uuid4()}",
        f"/customers/{uuid4()}/changes",
        f"/customers/{uuid4()}/subscriptions",
    ):
        assert (await city.client.get(path, headers=clerk)).status_code == 404
    assert (await city.client.get("/customers/not-an-id", headers=clerk)).status_code == 422

"""Duplicates: found by what they share and not by what they do not, reviewed once, merged."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from services.city_node.duplicate.scoring import (
    LARGEST_BLOCK,
    normalised_name,
    normalised_sound,
)
from services.city_node.duplicate.service import scan
from shared.capability import Role
from tests.city.drafts import OTHER_TEAM, TEAM, Headers, SignIn, fresh, line, settle
from tests.conftest import TestNode

NOBODY: dict[str, Any] = {"document_type": None, "document_number": None}


async def reach(city: TestNode, headers: Headers, customer: dict[str, Any], value: str) -> None:
    body = {"kind": "email" if "@" in value else "phone", "value": value}
    answer = await city.client.post(
        f"/customers/{customer['id']}/contacts", json=body, headers=headers
    )
    assert answer.status_code == 201, answer.text


async def found(city: TestNode, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await city.client.get(f"/duplicate-candidates{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def look(city: TestNode, *, full: bool = False) -> Any:
    return await scan(city.database, city.context.cipher, full=full, now=city.clock.now())


def pair(item: dict[str, Any]) -> set[str]:
    return {item["left"]["id"], item["right"]["id"]}


async def test_people_are_found_by_name_sound_and_numbers(
    city: TestNode, supervisor: Headers
) -> None:
    zhang = await settle(city, supervisor, 1)
    same = await settle(city, supervisor, 2, **NOBODY)
    sound = await settle(city, supervisor, 3, name="章伟", **NOBODY)
    phone = await settle(city, supervisor, 4, birth_date=None, **NOBODY)
    await settle(city, supervisor, 5, name="李娜", **NOBODY)  # of the same day alone
    await settle(city, supervisor, 6)  # the same name and day, but another identity card
    body = {**line(7), "msisdn": "13812345678"}
    await city.client.post(
        f"/customers/{zhang['id']}/subscriptions",
        json=body,
        headers={**supervisor, "Idempotency-Key": "line"},
    )
    for customer in (sound, phone):
        await reach(city, supervisor, customer, "+86 138-1234-5678")
    done = await look(city)
    assert (done.full, done.customers) == (True, 6)
    by_pair = {frozenset(pair(item)): item for item in await found(city, supervisor)}
    expected = {
        frozenset({zhang["id"], same["id"]}): {"name": 70},
        frozenset({zhang["id"], sound["id"]}): {"sound": 55, "phone": 40},
        frozenset({zhang["id"], phone["id"]}): {"same_name": 30, "phone": 40},
    }
    for key, reasons in expected.items():
        assert by_pair[key]["reasons"] == reasons
        assert by_pair[key]["score"] == sum(reasons.values())
    same_six = [item for item in by_pair.values() if item["reasons"].get("document_differs")]
    assert same_six == []
    assert [item["score"] for item in await found(city, supervisor)] == sorted(
        (item["score"] for item in by_pair.values()), reverse=True
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("华南科技有限公司", "华南科技"),
        ("华南科技（深圳）有限公司", "华南科技(深圳)股份有限公司"),
        ("ＡＢＣ贸易有限责任公司", "abc 贸易公司"),
        ("Nanshan Precision Co., Ltd.", "NANSHAN PRECISION"),
        ("南山集团", "南山集团有限公司"),
    ],
)
async def test_a_companys_legal_form_width_and_case_do_not_count(
    city: TestNode, one: str, other: str
) -> None:
    async with city.database.transaction() as session:
        names = [
            (
                await session.execute(
                    text(
                        f"SELECT {normalised_name('c')} FROM (SELECT CAST(:name AS text) AS name, 'group' AS kind) c"  # noqa: S608
                    ),
                    {"name": name},
                )
            ).scalar_one()
            for name in (one, other)
        ]
    assert names[0] == names[1] != ""


async def test_the_expression_of_sound(city: TestNode) -> None:
    async with city.database.transaction() as session:
        sound = await session.execute(
            text(
                f"SELECT {normalised_sound('c')} FROM (SELECT 'huanankejiyouxiangongsi 华' AS name_sort, 'group' AS kind) c"  # noqa: S608
            )
        )
        assert sound.scalar_one() == "huanankeji"


async def test_a_dismissed_pair_stays_so_until_it_changes(
    city: TestNode, supervisor: Headers
) -> None:
    one = await settle(city, supervisor, 1)
    other = await settle(city, supervisor, 2, **NOBODY)
    await look(city)
    (item,) = await found(city, supervisor)
    path = f"/duplicate-candidates/{item['id']}"
    headers = {**supervisor, "If-Match": f'"{item["version"]}"'}
    dismissed = await city.client.post(
        f"{path}/dismiss", json={"reason": "同名同日"}, headers=headers
    )
    assert dismissed.json()["state"] == "dismissed"
    stale = await city.client.post(f"{path}/dismiss", json={"reason": "x"}, headers=headers)
    assert stale.status_code == 412
    for full in (True, False):
        assert (await look(city, full=full)).opened == 0
    assert await found(city, supervisor) == []
    await reach(city, supervisor, one, "a@example.com")
    assert (await look(city)).opened == 0
    await reach(city, supervisor, other, "A@example.com")
    assert (await look(city)).opened == 1
    (again,) = await found(city, supervisor)
    assert again["reasons"] == {"name": 70, "email": 40}
    assert (again["id"], again["score"]) == (item["id"], 100)


async def test_a_pair_whose_reason_has_gone_is_obsolete(
    city: TestNode, supervisor: Headers
) -> None:
    one = await settle(city, supervisor, 1)
    await settle(city, supervisor, 2, **NOBODY)
    await look(city)
    async with city.database.transaction() as session:
        await session.execute(
            text("UPDATE customer SET birth_date = '1991-02-03' WHERE id = CAST(:id AS uuid)"),
            {"id": one["id"]},
        )
    await look(city)
    assert await found(city, supervisor) == []
    assert len(await found(city, supervisor, "?state=obsolete")) == 1


async def test_a_pair_is_merged_and_after_the_undo_found_again(
    city: TestNode, supervisor: Headers
) -> None:
    one = await settle(city, supervisor, 1)
    other = await settle(city, supervisor, 2, **NOBODY)
    third = await settle(city, supervisor, 3, name="李娜")
    await look(city)
    (item,) = await found(city, supervisor)
    body = {"survivor_id": one["id"], "survivor_version": 1, "merged_version": 1}
    path = f"/duplicate-candidates/{item['id']}/merge"
    headers = {**fresh(supervisor, item), "Idempotency-Key": str(uuid4())}
    wrong = await city.client.post(path, json={**body, "merged_id": third["id"]}, headers=headers)
    assert wrong.status_code == 422
    body["merged_id"] = other["id"]
    done = await city.client.post(path, json=body, headers=headers)
    assert done.status_code == 201, done.text
    repeated = await city.client.post(path, json=body, headers=headers)
    assert (repeated.status_code, repeated.json()) == (201, done.json())
    await look(city)
    assert await found(city, supervisor) == []
    undone = await city.client.post(
        f"/customer-merges/{done.json()['id']}/undo", headers=supervisor
    )
    assert undone.status_code == 200, undone.text
    assert (await look(city)).opened == 1
    assert [pair(item) for item in await found(city, supervisor)] == [{one["id"], other["id"]}]


async def test_a_number_that_everybody_has_makes_no_pairs(
    city: TestNode, supervisor: Headers
) -> None:
    async with city.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO customer (id, customer_number, kind, name, name_sort, birth_date, unit_code, entry_date,"
                " created_at, created_by, updated_at, updated_by)"
                " SELECT gen_random_uuid(), 'n' || i, 'individual', '某人', 'mouren 某人', '1990-01-01', '440300',"
                " '2020-01-01', now(), 'test', :now, 'test' FROM generate_series(1, :many) i"
            ),
            {"many": LARGEST_BLOCK + 1, "now": city.clock.now()},
        )
    done = await look(city)
    assert (done.candidates, done.blocks_left_out) == (0, 2)


async def test_both_profiles_must_be_in_scope(
    city: TestNode, supervisor: Headers, clerk: Headers, sign_in: SignIn
) -> None:
    await settle(city, supervisor, 1, unit_code=TEAM)
    await settle(city, supervisor, 2, unit_code=OTHER_TEAM, **NOBODY)
    await city.run_job("scan-duplicates")
    (item,) = await found(city, supervisor)
    narrow = await sign_in(city, Role.SUPERVISOR, TEAM)
    assert await found(city, narrow) == []
    path = f"/duplicate-candidates/{item['id']}"
    assert (await city.client.get(path, headers=narrow)).status_code == 404
    outside = await city.client.post(
        f"{path}/dismiss", json={"reason": "x"}, headers=fresh(narrow, item)
    )
    assert outside.status_code == 404
    assert (await city.client.get(path, headers=clerk)).status_code == 403
    read = await city.client.get(path, headers=supervisor)
    assert (read.status_code, read.headers["etag"]) == (200, '"1"')

"""Why customers leave and to whom they go is counted by codes, whatever people write."""

import pytest

from services.city_node.customer_import.mapping import read_mapping
from tests.city.drafts import Headers, fresh, settle
from tests.city.extracts import HEADER, MAPPING_TEXT, extract, load, row
from tests.city.retained import leave
from tests.conftest import TestNode


@pytest.mark.parametrize(
    ("written", "code", "note"),
    [
        ("price", "price", None),
        ("Price", "price", None),
        ("资费过高", "price", None),
        ("搬回老家了", "other", "搬回老家了"),
        ("other", "other", None),
    ],
)
async def test_a_reason_is_known_by_code_and_names(
    city: TestNode, clerk: Headers, written: str, code: str, note: str | None
) -> None:
    left = await leave(city, clerk, await settle(city, clerk), reason=written)
    assert (left["left_reason"], left["left_note"]) == (code, note)


async def test_what_else_is_said_is_the_note(city: TestNode, clerk: Headers) -> None:
    left = await leave(city, clerk, await settle(city, clerk), reason="太远", note="下月搬家")
    assert (left["left_reason"], left["left_note"]) == ("other", "太远\n下月搬家")


async def test_a_destination_that_is_a_competitor_is_counted_as_one(
    city: TestNode, clerk: Headers
) -> None:
    for running, (given, expected) in enumerate(
        (
            ({"destination": "中国联通"}, "china_unicom"),
            ({"destination": "China Telecom"}, "china_telecom"),
            ({"destination": "北京"}, None),
            ({"destination": "北京", "competitor": "china_mobile"}, "china_mobile"),
        )
    ):
        left = await leave(city, clerk, await settle(city, clerk, running), **given)
        assert left["left_competitor"] == expected
        assert left["left_destination"] == given["destination"]


async def test_an_unknown_competitor_is_refused(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    body = {"reason": "price", "competitor": "nobody"}
    answer = await city.client.post(
        f"/customers/{profile['id']}/retire", json=body, headers=fresh(clerk, profile)
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/competitor"


@pytest.mark.parametrize("path", ["departure-reasons", "competitors"])
async def test_the_catalogue_is_extended_as_data(
    city: TestNode, clerk: Headers, supervisor: Headers, path: str
) -> None:
    entry = {"code": "pets", "name_zh": "宠物", "name_en": "Pets"}
    refused = await city.client.post(f"/{path}", json=entry, headers=clerk)
    assert refused.status_code == 403
    made = await city.client.post(f"/{path}", json=entry, headers=supervisor)
    assert made.status_code == 201, made.text
    again = await city.client.post(f"/{path}", json=entry, headers=supervisor)
    assert again.json()["type"] == "urn:guanxi:problem:catalogue-entry-taken"
    body = {"reason": "宠物", "destination": "宠物"}
    left = await leave(city, clerk, await settle(city, clerk, 1), **body)
    field, other = (
        ("left_reason", "other") if path == "departure-reasons" else ("left_competitor", None)
    )
    assert left[field] == "pets"
    changed = await city.client.patch(
        f"/{path}/pets", json={"active": False}, headers={**supervisor, "If-Match": '"1"'}
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    later = await leave(city, clerk, await settle(city, clerk, 2), **body)
    assert later[field] == other
    listed = await city.client.get(f"/{path}", headers=clerk)
    assert [one["active"] for one in listed.json()["items"] if one["code"] == "pets"] == [False]
    stale = await city.client.patch(
        f"/{path}/pets", json={"active": True}, headers={**supervisor, "If-Match": '"1"'}
    )
    assert stale.status_code == 412
    none = await city.client.patch(
        f"/{path}/none", json={"active": True}, headers={**supervisor, "If-Match": '"1"'}
    )
    assert none.status_code == 404
    hostile = await city.client.patch(
        f"/{path}/%00", json={"active": True}, headers={**supervisor, "If-Match": '"1"'}
    )
    assert hostile.status_code == 422


async def test_other_stays_in_use(city: TestNode, supervisor: Headers) -> None:
    answer = await city.client.patch(
        "/departure-reasons/other",
        json={"active": False},
        headers={**supervisor, "If-Match": '"1"'},
    )
    assert answer.json()["type"] == "urn:guanxi:problem:reason-other-needed"


async def test_what_a_file_says_is_coded_and_the_same_file_changes_nothing(city: TestNode) -> None:
    mapping = read_mapping(
        MAPPING_TEXT
        + '[customer.left_reason]\ncolumn = "why"\n[customer.left_destination]\ncolumn = "whereto"\n'
    )
    content = extract(
        [
            {**row(1, gone="y"), "why": "Price", "whereto": "中国电信"},
            {**row(2, gone="y"), "why": "客户经理态度差", "whereto": "外省"},
            {**row(3), "why": "price", "whereto": ""},
        ],
        [*HEADER, "why", "whereto"],
    )
    loaded = await load(city, content, mapping=mapping)
    assert (loaded.created, loaded.rejected) == (3, 0)
    pool = await city.database.pool()
    rows = await pool.fetch(
        "SELECT left_reason, left_note, left_destination, left_competitor FROM customer ORDER BY source_key"
    )
    assert [tuple(each) for each in rows] == [
        ("price", None, "中国电信", "china_telecom"),
        ("other", "客户经理态度差", "外省", None),
        (None, None, None, None),
    ]
    again = await load(city, content, mapping=mapping)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)
    mended = content.replace("客户经理态度差".encode(), b"service")
    changed = await load(city, mended, mapping=mapping)
    assert (changed.changed, changed.unchanged) == (1, 2)
    second = await pool.fetchrow(
        "SELECT left_reason, left_note FROM customer WHERE source_key = 'C2'"
    )
    assert tuple(second) == ("service", None)

"""Attributes that a node declares: checked wherever a value is given, and never behind the back of what is there."""

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.city_node.custom_attribute.declarations import Declarations, misfit
from services.city_node.custom_attribute.models import AttributeType, CustomAttribute
from shared.capability import Role
from tests.city.drafts import CAPABILITIES, CITY, Headers, SignIn, fresh, person, settle
from tests.city.extracts import load, row
from tests.conftest import MakeNode, TestNode

GRADE = {
    "type": "integer",
    "label_zh": "星级",
    "label_en": "Stars",
    "minimum": 1,
    "maximum": 5,
}
CHANNEL = {
    "type": "enum",
    "applies_to": "group",
    "label_zh": "采购方式",
    "label_en": "Purchasing",
    "choices": ["招标", "直购"],
}


async def declare(
    city: TestNode, headers: Headers, name: str, body: dict[str, Any], **more: str
) -> Any:
    return await city.client.put(
        f"/custom-attributes/{name}", json=body, headers={**headers, **more}
    )


async def test_a_declaration_lives_its_life(
    city: TestNode, supervisor: Headers, clerk: Headers
) -> None:
    made = await declare(city, supervisor, "stars", GRADE)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"'), made.text
    assert GRADE.items() <= made.json().items()
    assert (await city.client.get(made.headers["location"], headers=clerk)).json() == made.json()
    assert (await declare(city, supervisor, "stars", GRADE)).status_code == 428
    wider = await declare(city, supervisor, "stars", {**GRADE, "maximum": 9}, **{"If-Match": '"1"'})
    assert (wider.status_code, wider.json()["maximum"], wider.headers["etag"]) == (200, 9, '"2"')
    assert (
        await declare(city, supervisor, "stars", GRADE, **{"If-Match": '"1"'})
    ).status_code == 412
    listed = await city.client.get("/custom-attributes", headers=clerk)
    assert [each["name"] for each in listed.json()["items"]] == ["stars"]
    gone = await city.client.delete(
        "/custom-attributes/stars", headers={**supervisor, "If-Match": '"2"'}
    )
    assert gone.status_code == 204
    missing = await city.client.get("/custom-attributes/stars", headers=clerk)
    assert missing.status_code == 404


async def test_clerks_declare_nothing(city: TestNode, clerk: Headers) -> None:
    assert (await declare(city, clerk, "stars", GRADE)).status_code == 403
    answer = await city.client.delete(
        "/custom-attributes/stars", headers={**clerk, "If-Match": '"1"'}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"choices": ["a"]},
        {"type": "enum"},
        {"type": "enum", "choices": ["a", "a"], "minimum": None, "maximum": None},
        {"minimum": 6},
        {"type": "text"},
        {"max_length": 10},
        {"label_zh": ""},
        {"colour": "red"},
    ],
)
async def test_a_declaration_must_make_sense(
    city: TestNode, supervisor: Headers, wrong: dict[str, Any]
) -> None:
    assert (await declare(city, supervisor, "stars", {**GRADE, **wrong})).status_code == 422
    listed = await city.client.get("/custom-attributes", headers=supervisor)
    assert listed.json() == {"items": []}


async def test_values_are_checked_at_the_desk(city: TestNode, supervisor: Headers) -> None:
    before = await settle(city, supervisor, attributes={"stars": "many", "free": [1]})
    await declare(city, supervisor, "stars", GRADE)
    await declare(city, supervisor, "purchasing", CHANNEL)
    refused = await city.client.post(
        "/customers",
        json=person(2, attributes={"stars": 6, "purchasing": "招标", "free": 1}),
        headers=supervisor,
    )
    assert refused.status_code == 422
    assert [(fault["pointer"], fault["detail"]) for fault in refused.json()["errors"]] == [
        ("/attributes/stars", "lies above 5"),
        ("/attributes/purchasing", "applies to customers of kind group"),
    ]
    await settle(city, supervisor, 3, attributes={"stars": 5, "free": {"any": "thing"}})

    path, mine = f"/customers/{before['id']}", fresh(supervisor, before)
    elsewhere = await city.client.patch(path, json={"attributes": {"free": 2}}, headers=mine)
    assert elsewhere.status_code == 200
    mine = fresh(supervisor, elsewhere.json())
    wrong = await city.client.patch(path, json={"attributes": {"stars": "few"}}, headers=mine)
    assert wrong.status_code == 422
    emptied = await city.client.patch(path, json={"attributes": {"stars": None}}, headers=mine)
    assert emptied.json()["attributes"] == {"free": 2}


async def test_values_are_checked_in_files(city: TestNode, supervisor: Headers) -> None:
    hobby = {"type": "enum", "label_zh": "爱好", "label_en": "Hobby", "choices": ["茶", "棋"]}
    await declare(city, supervisor, "hobby", hobby)
    loaded = await load(city, [row(1), row(2, hobby="酒"), row(3, hobby="棋"), row(4, hobby="")])
    assert (loaded.created, loaded.rejected) == (3, 1)
    rejects = await (await city.database.pool()).fetch(
        'SELECT line, "column", reason FROM customer_import_reject'
    )
    assert [tuple(reject) for reject in rejects] == [(3, "hobby", "must be one of: 茶, 棋")]


async def test_a_strict_node_takes_what_it_declares(make_node: MakeNode, sign_in: SignIn) -> None:
    city = await make_node(CITY, CAPABILITIES, undeclared_attributes="refuse")
    supervisor = await sign_in(city, Role.SUPERVISOR)
    await declare(city, supervisor, "stars", GRADE)
    await settle(city, supervisor, 1, attributes={"stars": 3})
    refused = await city.client.post(
        "/customers", json=person(2, attributes={"free": 1}), headers=supervisor
    )
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/attributes/free"


def attribute(kind: AttributeType, **given: Any) -> CustomAttribute:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    plain = {"applies_to": "both", "label_zh": "甲", "label_en": "A", "updated_at": moment}
    return CustomAttribute(name="a", type=kind.value, updated_by="test", **plain, **given)


VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.dates().map(date.isoformat),
    st.sampled_from(["甲", "乙"]),
    st.lists(st.integers()),
)


@given(value=VALUES, low=st.integers(-50, 0), high=st.integers(0, 50))
def test_a_value_fits_exactly_if_it_is_of_the_type_and_within_bounds(
    value: object, low: int, high: int
) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = whole or isinstance(value, float)
    within = number and low <= value <= high  # type: ignore[operator] # a number, as just asked
    bounds = {"minimum": low, "maximum": high}
    assert (misfit(attribute(AttributeType.INTEGER, **bounds), value) is None) == (whole and within)
    assert (misfit(attribute(AttributeType.NUMBER, **bounds), value) is None) == bool(within)
    assert (misfit(attribute(AttributeType.BOOLEAN), value) is None) == isinstance(value, bool)
    text = isinstance(value, str)
    assert (misfit(attribute(AttributeType.TEXT, max_length=3), value) is None) == (
        text and len(str(value)) <= 3
    )
    assert (misfit(attribute(AttributeType.ENUM, choices=["甲", "乙"]), value) is None) == (
        value in ("甲", "乙")
    )
    day = misfit(attribute(AttributeType.DATE), value) is None
    assert not day or date.fromisoformat(str(value)).isoformat() == value
    assert not math.isnan(low)


@given(st.dictionaries(st.text(min_size=1), VALUES | st.none()))
def test_an_open_node_takes_anything_and_a_strict_one_nothing(attributes: dict[str, Any]) -> None:
    assert list(Declarations().faults("group", attributes)) == []
    refused = {name for name, _ in Declarations(strict=True).faults("group", attributes)}
    assert refused == {name for name, value in attributes.items() if value is not None}

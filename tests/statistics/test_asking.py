"""Who may ask what, how a mistaken question is refused, and what a repeated one costs."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared import organisation, staff, statistics
from shared.access import Principal
from shared.capability import Role
from shared.kernel.problems import Problem
from shared.statistics.asking import scope_of
from shared.statistics.indicators import CATALOGUE
from shared.statistics.question import Words, read_question
from tests.conftest import MakeNode, TestNode
from tests.statistics.registered_cities import CITIES, Headers, ask, enter, get, keep, table
from tests.statistics.slices_by_hand import GOLD_MAN, STANDARD_MAN, slice_of

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
CAPABILITIES = (organisation.capability, staff.capability, statistics.capability)
SignIn = Callable[..., Awaitable[Headers]]

MISTAKES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"indicators": ["custmers"]}, "query-invalid", "query:indicator", "customers, "),
    ({"indicators": []}, "query-invalid", "query:indicator", "customers, "),
    ({"by": ["leval"]}, "query-invalid", "query:by", "period, region, level"),
    ({"filters": {"level": ["golden"]}}, "query-invalid", "query:level", "diamond, gold"),
    ({"filters": {"leval": ["gold"]}}, "filter-unknown", "query:leval", "level, contract_term"),
    ({"filters": {"brand": ["x"]}}, "filter-unknown", "query:brand", "level, contract_term"),
    (
        {"indicators": ["arpu_fen"], "share": ["arpu_fen"]},
        "query-invalid",
        "query:share",
        "nothing",
    ),
    ({"filters": {"level": []}}, "query-invalid", "query:level", "diamond, gold"),
    ({"filters": {"brand": []}, "indicators": ["lines"]}, "query-invalid", "query:brand", ""),
    ({"region_level": "county"}, "query-invalid", "query:region_level", "nation, province, city"),
    (
        {"region": "440300", "region_level": "province"},
        "query-invalid",
        "query:region_level",
        "offers: city.",
    ),
    ({"region": "440399"}, "unknown-division", "query:region", "440300 深圳市 Shenzhen"),
    ({"period": "2026-13"}, "period-invalid", "query:period", "2026-11-23"),
    ({"first": "2026-1", "last": "2026-11"}, "period-invalid", "query:from", "2026-11-23"),
    ({"first": "2026-10", "last": "soon"}, "period-invalid", "query:to", "2026-11-23"),
    ({"first": "2026-11", "last": "2026-10"}, "period-range-invalid", "query:from", "the earlier"),
    ({"first": "2026-10", "last": "2026-11-01"}, "period-range-invalid", "query:to", "two days"),
    ({"first": "2026-10"}, "period-range-invalid", "query:to", "`from` and `to`"),
    ({"last": "2026-10"}, "period-range-invalid", "query:from", "`from` and `to`"),
    ({"first": "1970-01", "last": "2026-10"}, "period-range-invalid", "query:to", "at most 400"),
    (
        {"period": "2026-10", "first": "2026-10", "last": "2026-11"},
        "period-range-invalid",
        "query:from",
        "either `period`",
    ),
    (
        {"indicators": ["customers", "bills"], "period": "2026-11-23"},
        "query-invalid",
        "query:period",
        "bills: month",
    ),
]


@pytest.mark.parametrize(("wrong", "type_", "pointer", "offer"), MISTAKES)
def test_a_mistake_is_pointed_at_with_what_could_be_asked_instead(
    wrong: dict[str, Any], type_: str, pointer: str, offer: str
) -> None:
    words = Words(**({"indicators": ["customers"]} | wrong))

    with pytest.raises(Problem) as refused:
        read_question(words, CATALOGUE, scope="000000", now=NOON)

    assert refused.value.slug() == type_
    assert pointer in [fault.pointer for fault in refused.value.faults]
    assert offer in str(refused.value)


def test_a_question_that_is_too_large_is_refused_with_its_size() -> None:
    words = Words(
        ["customers"],
        first="2026-01-01",
        last="2026-06-30",
        by=["period", "region", "level", "sex"],
        region_level="city",
    )

    with pytest.raises(Problem, match=r"could have 731964 rows") as refused:
        read_question(words, CATALOGUE, scope="000000", now=NOON)
    assert refused.value.slug() == "question-too-large"

    smaller = Words(["customers"], by=["region", "level", "sex"], region_level="city")
    assert read_question(smaller, CATALOGUE, scope="000000", now=NOON).most_rows == 337 * 12


def test_without_a_period_the_present_month_in_china_is_meant() -> None:
    last_hours = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)

    question = read_question(Words(["customers"]), CATALOGUE, scope="440300", now=last_hours)

    assert [str(each) for each in question.periods] == ["2026-12"]
    assert question.region.code == "440300"


async def test_mistakes_over_http_are_problem_details(hq: TestNode, analyst: Headers) -> None:
    unknown = await get(hq, analyst, indicator="custmers")
    misspelt = await get(
        hq, analyst | {"Accept-Language": "zh"}, indicator="customers", leval="gold"
    )
    timeless = await get(hq, analyst, indicator="customers", as_known_at="2026-11-23T00:00:00")
    nothing = await get(hq, analyst)
    twice = [
        await get(hq, analyst, indicator="customers", **{name: list(values)})
        for name, values in (("period", ("2026-10", "2026-11")), ("region", ("110100", "440300")))
    ]
    catalogue = await hq.client.get("/statistics/indicators?family=volume", headers=analyst)
    beyond = [
        await get(
            hq, analyst | {"Accept-Language": "zh"}, indicator="customers", as_known_at=moment
        )
        for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")
    ]

    assert (unknown.status_code, unknown.headers["content-type"]) == (
        400,
        "application/problem+json",
    )
    assert unknown.json()["errors"][0]["pointer"] == "query:indicator"
    assert misspelt.json()["errors"][0]["pointer"] == "query:leval"
    assert "既不是查询参数" in misspelt.json()["detail"]
    assert [answer.json()["type"] for answer in twice] == [
        "urn:guanxi:problem:parameter-repeated"
    ] * 2
    assert catalogue.json()["type"] == "urn:guanxi:problem:parameter-unknown"
    assert timeless.json()["errors"][0]["pointer"] == "query:as_known_at"
    assert nothing.json()["errors"][0]["pointer"] == "query:indicator"
    assert [
        (answer.status_code, *answer.json()["errors"][0].values()) for answer in beyond
    ] == 2 * [(422, "query:as_known_at", "须在公元 1 年至 9999 年之间")]


async def test_one_sees_ones_own_region_alone(make_node: MakeNode, sign_in: SignIn) -> None:
    province = await make_node("440000", CAPABILITIES)
    coordinator = await sign_in(province, Role.PROVINCE_COORDINATOR)
    await enter(province, *CITIES)
    await keep(
        province,
        slice_of("440300", {GOLD_MAN: {"customers": 2}}),
        slice_of("440100", {GOLD_MAN: {"customers": 3}}),
        slice_of("110100", {GOLD_MAN: {"customers": 50}}),
    )

    own = await ask(province, coordinator, indicator="customers", by="region", region_level="city")
    elsewhere = await get(province, coordinator, indicator="customers", region="110000")
    above = await get(province, coordinator, indicator="customers", region="000000")
    listed = await province.client.get("/statistics/slices", headers=coordinator)
    asked_for = await province.client.get(
        "/statistics/slices", headers=coordinator, params={"node": "110100"}
    )

    assert table(own, "customers", "region") == {"440100": 3, "440300": 2}
    assert own["provenance"][0]["expected"] == 2
    for refused in (elsewhere, above):
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:guanxi:problem:region-out-of-scope"
        assert refused.json()["errors"][0]["pointer"] == "query:region"
    assert {each["node"] for each in listed.json()["items"]} == {"440100", "440300"}
    assert asked_for.json()["items"] == []


@pytest.mark.parametrize(
    ("unit", "here", "scope"),
    [
        ("000000", "000000", "000000"),
        ("440000", "000000", "440000"),
        ("440300", "440300", "440300"),
        ("440300-01", "440300", "440300"),
        ("440000", "440300", "440300"),
    ],
)
def test_a_units_scope_is_its_division_as_far_as_the_node_covers_it(
    unit: str, here: str, scope: str
) -> None:
    principal = Principal(
        UUID(int=1), "somebody", Role.HQ_ANALYST, unit, f"{unit}/", frozenset(), UUID(int=2)
    )

    assert scope_of(principal, here) == scope


async def test_a_clerk_and_a_stranger_see_nothing(make_node: MakeNode, sign_in: SignIn) -> None:
    city = await make_node("440300", CAPABILITIES)
    clerk = await sign_in(city, Role.CLERK)

    for path in ("values?indicator=customers", "slices", "indicators", "dimensions"):
        assert (await city.client.get(f"/statistics/{path}", headers=clerk)).status_code == 403
        assert (await city.client.get(f"/statistics/{path}")).status_code == 401


async def test_a_city_answers_for_itself_and_expects_itself(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    city = await make_node("440300", CAPABILITIES)
    supervisor = await sign_in(city, Role.SUPERVISOR)
    await enter(city, "440100")

    empty = await ask(city, supervisor, indicator="customers")
    await keep(city, slice_of("440300", {GOLD_MAN: {"customers": 2}}))
    full = await ask(city, supervisor, indicator="customers", by="region")

    assert empty["provenance"][0]["missing"] == ["440300"]
    assert full["provenance"][0]["expected"] == 1
    assert table(full, "customers", "region") == {"440300": 2}
    assert (await get(city, supervisor, indicator="customers", region="440000")).status_code == 403


async def test_a_repeated_question_is_answered_with_304_until_something_changes(
    hq: TestNode, analyst: Headers
) -> None:
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 2}}))
    first = await get(hq, analyst, indicator="customers")
    held = analyst | {"If-None-Match": f'"other", W/{first.headers["etag"]}'}

    again = await get(hq, held, indicator="customers")
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]

    for other in (
        {"indicator": "lost_customers"},
        {"indicator": "customers", "by": "level"},
        {"indicator": "customers", "level": "gold"},
        {"indicator": "customers", "region": "440000"},
        {"indicator": "customers", "provenance": "summary"},
    ):
        assert (await get(hq, held, **other)).status_code == 200
    chinese = await get(hq, held | {"Accept-Language": "zh"}, indicator="customers")
    assert chinese.status_code == 200

    # Another month's figures change nothing here; a restatement and a new city do.
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 1}}, period="2026-10"))
    assert (await get(hq, held, indicator="customers")).status_code == 304
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 3}}, revision=2))
    restated = await get(hq, held, indicator="customers")
    assert restated.status_code == 200
    await enter(hq, "320100")
    joined = await get(
        hq, analyst | {"If-None-Match": restated.headers["etag"]}, indicator="customers"
    )
    assert joined.json()["provenance"][0]["expected"] == 5


async def test_the_register_tells_revisions_apart(hq: TestNode, analyst: Headers) -> None:
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 2}}))
    hq.clock.advance(timedelta(minutes=5))
    await keep(hq, slice_of("440300", {STANDARD_MAN: {"customers": 2}}, revision=2))
    await keep(hq, slice_of("440300", {}, dataset="revenue"))

    async def listed(**filters: Any) -> list[tuple[str, int]]:
        page = await hq.client.get("/statistics/slices", headers=analyst, params=filters)
        assert page.status_code == 200, page.text
        return [(each["dataset"], each["revision"]) for each in page.json()["items"]]

    assert await listed() == [("customer", 1), ("customer", 2), ("revenue", 1)]
    assert await listed(current="true", dataset="customer") == [("customer", 2)]
    assert await listed(current="false") == [("customer", 1)]
    assert await listed(period="2026-10") == []
    page = await hq.client.get(
        "/statistics/slices", headers=analyst, params={"sort": "-received_at"}
    )
    newest = page.json()["items"][0]
    assert newest["control_totals"]["bills"] == 0
    assert newest["row_count"] == 0


async def test_the_catalogue_is_served_in_both_languages(hq: TestNode, analyst: Headers) -> None:
    indicators = (await hq.client.get("/statistics/indicators", headers=analyst)).json()["items"]
    dimensions = (await hq.client.get("/statistics/dimensions", headers=analyst)).json()["items"]

    assert [each["code"] for each in indicators] == list(CATALOGUE.indicators)
    arpu = next(each for each in indicators if each["code"] == "arpu_fen")
    assert arpu["name"] == {"en": "Monthly charge per customer", "zh": "户均月应收"}
    assert arpu["ratio"] == {
        "numerator": "monthly_charge_fen",
        "denominator": "customers",
        "scale": 1,
    }
    assert arpu["periods"] == ["day", "month"]
    level = dimensions[0]
    assert (level["code"], level["name"]["zh"]) == ("level", "级别")
    assert level["values"][1] == {
        "code": "gold",
        "name": {"en": "Gold", "zh": "金"},
        "parts": [],
    }
    section = next(each for each in dimensions if each["code"] == "industry_section")
    assert (section["of"], section["version"]) == ("industry", "GB/T 4754-2017")
    assert section["values"][0]["parts"] == ["A", "01", "02", "03", "04", "05"]


async def test_one_indicator_is_served_with_what_it_means(hq: TestNode, analyst: Headers) -> None:
    complaints = await hq.client.get("/statistics/indicators/complaints", headers=analyst)
    unknown = await hq.client.get("/statistics/indicators/complaint", headers=analyst)

    found = complaints.json()
    assert found["sql"] == "count(*) FILTER (WHERE interaction_kind = 'complaint')"
    assert found["owner"] == {"en": "Customer service", "zh": "客户服务"}
    assert found["dimensions"] == ["level", "channel", "interaction_kind"]
    assert (found["valid_from"], found["valid_until"]) == (None, None)
    assert (unknown.status_code, unknown.json()["type"]) == (
        404,
        "urn:guanxi:problem:indicator-unknown",
    )


async def test_the_filters_are_in_the_description_of_the_interface(hq: TestNode) -> None:
    described = (await hq.client.get("/openapi.json")).json()
    parameters = described["paths"]["/statistics/values"]["get"]["parameters"]
    names = {each["name"]: each for each in parameters}

    assert set(CATALOGUE.dimensions) | {"indicator", "from", "to", "by"} <= set(names)
    assert names["level"]["schema"]["items"]["enum"] == ["diamond", "gold", "silver", "standard"]

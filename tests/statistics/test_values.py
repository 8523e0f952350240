"""Questions over HTTP: figures, and what they are made of."""

from datetime import timedelta
from typing import Any

import pytest

from shared.statistics.slices import Content, Slice
from tests.conftest import TestNode
from tests.statistics.registered_cities import CITIES, Headers, ask, keep, table
from tests.statistics.slices_by_hand import (
    COMPUTED,
    GOLD_MAN,
    GOLD_WOMAN,
    STANDARD_MAN,
    slice_of,
)


async def keep_three_cities(node: TestNode) -> None:
    await keep(
        node,
        slice_of("440300", {GOLD_MAN: {"customers": 2}, STANDARD_MAN: {"customers": 10}}),
        slice_of("440100", {GOLD_MAN: {"customers": 3}, GOLD_WOMAN: {"customers": 4}}),
        slice_of("110100", {GOLD_WOMAN: {"customers": 5}}),
        # What no question below asks about.
        slice_of("440300", {GOLD_MAN: {"customers": 1000}}, period="2026-10"),
        slice_of("440300", {GOLD_MAN: {"customers": 1000}}, period="2026-11-23"),
        slice_of("440300", {GOLD_MAN: {"bills": 1000}}, dataset="revenue"),
    )


async def test_the_nation_is_the_sum_of_its_cities_and_says_which(
    hq: TestNode, analyst: Headers
) -> None:
    await keep_three_cities(hq)

    answer = await ask(hq, analyst, indicator="customers", period="2026-11")

    assert answer["rows"] == [
        {
            "period": "2026-11",
            "region": {"code": "000000", "name": "Nation"},
            "values": {"customers": 24},
        }
    ]
    assert answer["indicators"] == [
        {
            "code": "customers",
            "name": "Customers in the network",
            "unit": "customers",
            "aggregation": "snapshot",
            "snapshot_period": None,
        }
    ]
    (made_of,) = answer["provenance"]
    assert (made_of["dataset"], made_of["period"]) == ("customer", "2026-11")
    assert (made_of["expected"], made_of["included"], made_of["missing"]) == (4, 3, ["310100"])
    assert [each["node"] for each in made_of["cities"]] == ["110100", "440100", "440300"]
    assert {each["revision"] for each in made_of["cities"]} == {1}
    assert (
        made_of["cities"][2]["hash"]
        == slice_of(
            "440300", {GOLD_MAN: {"customers": 2}, STANDARD_MAN: {"customers": 10}}
        ).content.hash
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("nation", {"000000": 24}),
        ("province", {"110000": 5, "440000": 19}),
        ("city", {"110100": 5, "440100": 7, "440300": 12}),
    ],
)
async def test_it_is_drilled_from_nation_to_province_to_city(
    hq: TestNode, analyst: Headers, level: str, expected: dict[str, int]
) -> None:
    await keep_three_cities(hq)

    answer = await ask(hq, analyst, indicator="customers", by="region", region_level=level)

    assert table(answer, "customers", "region") == expected


async def test_by_region_alone_means_one_level_below(hq: TestNode, analyst: Headers) -> None:
    await keep_three_cities(hq)

    nation = await ask(hq, analyst, indicator="customers", by="region")
    province = await ask(hq, analyst, indicator="customers", by="region", region="440000")
    city = await ask(hq, analyst, indicator="customers", by="region", region="440300")

    assert table(nation, "customers", "region") == {"110000": 5, "440000": 19}
    assert table(province, "customers", "region") == {"440100": 7, "440300": 12}
    assert table(city, "customers", "region") == {"440300": 12}
    assert province["provenance"][0]["expected"] == 2


async def test_dimensions_divide_and_filter(hq: TestNode, analyst: Headers) -> None:
    await keep_three_cities(hq)

    levels = await ask(hq, analyst, indicator="customers", by="level")
    both = await ask(hq, analyst, indicator="customers", by="region,level", sex="male")
    women = await ask(hq, analyst, indicator="customers", by="region", sex=["female", "unknown"])

    assert table(levels, "customers", "level") == {"gold": 14, "standard": 10}
    assert [row["level"] for row in levels["rows"]] == ["gold", "standard"]
    assert table(both, "customers", "region", "level") == {
        ("440000", "gold"): 5,
        ("440000", "standard"): 10,
    }
    assert table(women, "customers", "region") == {"110000": 5, "440000": 4}


async def test_where_nothing_fits_a_filter_the_figure_is_zero(
    hq: TestNode, analyst: Headers
) -> None:
    await keep_three_cities(hq)

    answer = await ask(hq, analyst, indicator=["customers", "arpu_fen"], level="diamond")

    assert answer["rows"][0]["values"] == {"customers": 0, "arpu_fen": None}


async def test_a_city_that_said_zero_counts_and_one_that_said_nothing_is_missing(
    hq: TestNode, analyst: Headers
) -> None:
    await keep(hq, slice_of("440300", {}))

    answer = await ask(hq, analyst, indicator="customers", by="region", region_level="city")

    assert table(answer, "customers", "region") == {"440300": 0}
    assert answer["provenance"][0]["included"] == 1
    assert answer["provenance"][0]["missing"] == ["110100", "310100", "440100"]


async def test_of_nothing_known_nothing_is_said(hq: TestNode, analyst: Headers) -> None:
    answer = await ask(hq, analyst, indicator="customers", period="2031-01")

    assert answer["rows"] == []
    assert answer["provenance"] == [
        {
            "dataset": "customer",
            "period": "2031-01",
            "expected": 4,
            "included": 0,
            "as_of": None,
            "missing": list(CITIES),
            "cities": [],
        }
    ]


async def test_a_dataset_that_is_missing_leaves_its_figures_empty_beside_the_other(
    hq: TestNode, analyst: Headers
) -> None:
    await keep(
        hq,
        slice_of("440300", {GOLD_MAN: {"customers": 2}}),
        slice_of("440100", {GOLD_MAN: {"customers": 3}}),
        slice_of("440100", {GOLD_MAN: {"billed_revenue_fen": 7}}, dataset="revenue"),
    )

    answer = await ask(
        hq,
        analyst,
        indicator="customers,billed_revenue_fen",
        by="region,level",
        region_level="city",
    )

    assert table(answer, "customers", "region", "level") == {
        ("440100", "gold"): 3,
        ("440300", "gold"): 2,
    }
    assert table(answer, "billed_revenue_fen", "region", "level") == {
        ("440100", "gold"): 7,
        ("440300", "gold"): None,
    }
    included = {each["dataset"]: each["included"] for each in answer["provenance"]}
    assert included == {"customer": 2, "revenue": 1}


async def test_a_ratio_is_divided_from_sums_and_never_averaged(
    hq: TestNode, analyst: Headers
) -> None:
    await keep(
        hq,
        slice_of("440300", {GOLD_MAN: {"customers": 1, "monthly_charge_fen": 900}}),
        slice_of("440100", {GOLD_MAN: {"customers": 3, "monthly_charge_fen": 300}}),
        slice_of("110100", {}),
    )

    nation = await ask(hq, analyst, indicator="arpu_fen")
    cities = await ask(hq, analyst, indicator="arpu_fen", by="region", region_level="city")

    assert table(cities, "arpu_fen", "region") == {"110100": None, "440100": 100, "440300": 900}
    assert nation["rows"][0]["values"] == {"arpu_fen": 300}  # and not (900 + 100) / 2


async def test_over_months_sums_add_snapshots_close_and_extrema_compare(
    hq: TestNode, analyst: Headers
) -> None:
    figures = {
        "2026-09": {"customers": 10, "lost_customers": 2, "highest_monthly_charge_fen": 90},
        "2026-10": {"customers": 9, "lost_customers": 1, "highest_monthly_charge_fen": 80},
        "2026-11": {"customers": 7, "lost_customers": 3, "highest_monthly_charge_fen": 70},
    }
    await keep(
        hq,
        *(
            slice_of(
                "440300",
                {
                    GOLD_MAN: values
                    | {"customers_exposed": values["customers"] + values["lost_customers"]}
                },
                period=period,
            )
            for period, values in figures.items()
        ),
    )
    asked = {
        "indicator": "customers,lost_customers,highest_monthly_charge_fen,churn_rate",
        "from": "2026-09",
        "to": "2026-12",
    }

    apart = await ask(hq, analyst, **asked)
    together = await ask(hq, analyst, by="level", **asked)

    assert table(apart, "lost_customers", "period") == {"2026-09": 2, "2026-10": 1, "2026-11": 3}
    assert table(apart, "customers", "period") == {"2026-09": 10, "2026-10": 9, "2026-11": 7}
    (row,) = together["rows"]
    assert row["period"] == "2026-09/2026-12"
    assert row["values"] == {
        "customers": 7,
        "lost_customers": 6,
        "highest_monthly_charge_fen": 90,
        "churn_rate": 18.75,  # 6 of 12 + 10 + 10
    }
    closed_by = {each["code"]: each["snapshot_period"] for each in together["indicators"]}
    assert closed_by["customers"] == "2026-11"
    assert closed_by["lost_customers"] is None
    assert [each["included"] for each in together["provenance"]] == [1, 1, 1, 0]


async def test_a_city_that_is_missing_from_the_closing_month_has_no_snapshot(
    hq: TestNode, analyst: Headers
) -> None:
    values = {GOLD_MAN: {"customers": 5, "lost_customers": 1}}
    await keep(
        hq,
        slice_of("440300", values, period="2026-10"),
        slice_of("440100", values, period="2026-10"),
        slice_of("440100", values, period="2026-11"),
    )

    answer = await ask(
        hq,
        analyst,
        **{"from": "2026-10", "to": "2026-11"},
        indicator="customers,lost_customers",
        by="region",
        region_level="city",
    )

    assert table(answer, "customers", "region") == {"440100": 5, "440300": None}
    assert table(answer, "lost_customers", "region") == {"440100": 2, "440300": 1}


async def test_a_restatement_is_seen_at_once_and_what_was_known_before_can_be_read(
    hq: TestNode, analyst: Headers
) -> None:
    before = hq.clock.now() - timedelta(seconds=1)
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 2}}))
    first = hq.clock.now()
    hq.clock.advance(timedelta(minutes=5))
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 3}}, revision=2))
    hq.clock.advance(timedelta(minutes=5))
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 99}}, revision=1, period="2026-10"))

    async def known_at(moment: Any) -> list[tuple[int, int]]:
        question = {"as_known_at": moment.isoformat()} if moment else {}
        answer = await ask(hq, analyst, indicator="customers", **question)
        revisions = [each["revision"] for each in answer["provenance"][0]["cities"]]
        values = [row["values"]["customers"] for row in answer["rows"]]
        return list(zip(revisions, values, strict=True))

    assert await known_at(None) == [(2, 3)]
    assert await known_at(first + timedelta(minutes=5)) == [(2, 3)]
    assert await known_at(first + timedelta(minutes=4, seconds=59)) == [(1, 2)]
    assert await known_at(first) == [(1, 2)]
    assert await known_at(before) == []


async def test_a_late_older_revision_was_never_current(hq: TestNode, analyst: Headers) -> None:
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 3}}, revision=2))
    hq.clock.advance(timedelta(minutes=5))
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 2}}, revision=1))

    now = await ask(hq, analyst, indicator="customers")
    then = await ask(hq, analyst, indicator="customers", as_known_at=hq.clock.now().isoformat())

    assert now["rows"][0]["values"] == then["rows"][0]["values"] == {"customers": 3}


async def test_a_city_that_does_not_count_an_indicator_yet_is_missing_and_not_zero(
    hq: TestNode, analyst: Headers
) -> None:
    whole = slice_of("440300", {GOLD_MAN: {"customers": 2, "lost_customers": 1}})
    older = Content.of(
        "customer",
        "440100",
        whole.content.period,
        dimensions=["level"],
        measures=["customers"],
        cells=[(["gold"], [3])],
    )
    await keep(hq, whole, Slice(older, 1, None, COMPUTED))

    old = await ask(hq, analyst, indicator="customers")
    new = await ask(hq, analyst, indicator="customers,lost_customers")

    assert old["rows"][0]["values"] == {"customers": 5}
    assert new["rows"][0]["values"] == {"customers": 2, "lost_customers": 1}
    assert "440100" in new["provenance"][0]["missing"]


async def test_as_of_is_the_oldest_of_the_slices(hq: TestNode, analyst: Headers) -> None:
    older = COMPUTED - timedelta(days=3)
    await keep(hq, slice_of("440300", {}), slice_of("440100", {}, computed_at=older))

    answer = await ask(hq, analyst, indicator="customers", provenance="summary")

    assert answer["provenance"][0]["as_of"] == older.isoformat()
    assert "cities" not in answer["provenance"][0]


async def test_names_are_in_the_language_that_was_asked_for(hq: TestNode, analyst: Headers) -> None:
    await keep(hq, slice_of("440300", {}))

    answer = await ask(
        hq,
        analyst | {"Accept-Language": "zh-CN"},
        indicator="customers",
        by="region",
    )

    assert answer["indicators"][0]["name"] == "在网客户数"
    assert answer["rows"][0]["region"] == {"code": "440000", "name": "广东省"}

"""Top rows with the others together, what goes across, and comparisons are what one works out by hand."""

from fractions import Fraction
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.language import Text
from shared.statistics.aggregation import Aggregation, Difference, Ratio
from shared.statistics.analysis import parts
from shared.statistics.catalogue import (
    Catalogue,
    Change,
    Dataset,
    Earlier,
    Growth,
    Indicator,
    MovingSum,
    Rank,
    Share,
)
from shared.statistics.combining import Combining
from shared.statistics.period import PeriodKind
from shared.statistics.vocabulary import Family, Unit
from tests.conftest import TestNode
from tests.statistics.registered_cities import Headers, ask, get, keep, table
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, STANDARD_MAN, slice_of

WORDS = Text("word", "词")


def indicator(code: str, how: Any) -> Indicator:
    return Indicator(code, WORDS, Unit.FEN, Family.REVENUE, "money", how, WORDS)


FLOW, BASE = indicator("flow", Aggregation.SUM), indicator("base", Aggregation.SUM)
RATE = indicator("rate", Ratio("flow", "base", 100))
CATALOGUE = Catalogue(
    (),
    (Dataset("money", WORDS, (), frozenset(PeriodKind)),),
    (
        *(FLOW, BASE, RATE),
        *(indicator("dearest", Aggregation.MAX), indicator("least", Aggregation.MIN)),
    ),
)
DERIVED = (
    *(RATE, indicator("net", Difference("flow", "base")), indicator("part", Share(FLOW))),
    *(
        indicator("more", Change(FLOW, Earlier.PERIOD)),
        indicator("rise", Change(RATE, Earlier.YEAR)),
    ),
    *(
        indicator("up", Growth(FLOW, Earlier.PERIOD)),
        indicator("up_rate", Growth(RATE, Earlier.YEAR)),
    ),
)
amounts = st.integers(0, 50)
states = st.fixed_dictionaries(dict.fromkeys(["flow", "base"], amounts))
"""What one row is made of in one period."""


def divided(above: Any, below: Any, scale: int = 1) -> Fraction | None:
    return Fraction(above) * scale / Fraction(below) if above is not None and below else None


def figures(now: dict[str, int], then: dict[str, int], whole: int) -> dict[str, Fraction | None]:
    """What the database says of something that is this now and was that then."""
    rate, before = (divided(each["flow"], each["base"], 100) for each in (now, then))
    rise = None if rate is None or before is None else rate - before
    found = {
        "flow": now["flow"],
        "base": now["base"],
        "rate": rate,
        "net": now["flow"] - now["base"],
        "part": divided(now["flow"], whole, 100),
        "more": now["flow"] - then["flow"],
        "rise": rise,
        "up": divided(now["flow"] - then["flow"], then["flow"], 100),
        "up_rate": divided(rise, before, 100),
        **{f"{code}__{x}change": now[code] - then[code] for x in ("", "year_") for code in now},
    }
    return {code: None if x is None else Fraction(x) for code, x in found.items()}


@given(st.lists(st.tuples(states, states), min_size=2), st.integers(2, 5))
def test_rows_together_are_what_all_that_they_are_made_of_would_be(
    rows: list[tuple[dict[str, int], dict[str, int]]], many: int
) -> None:
    whole = sum(now["flow"] for now, _ in rows)
    everybody = [figures(now, then, whole) for now, then in rows]
    now, then = (
        {code: sum(row[at][code] for row in rows[:many]) for code in ("flow", "base")}
        for at in (0, 1)
    )
    expected = figures(now, then, whole)

    combining = Combining(CATALOGUE, everybody)

    for each in (FLOW, BASE, *DERIVED):
        found, wanted = combining.together(each, everybody[:many]), expected[each.code]
        assert (found is None) is (wanted is None), each.code
        assert found is None or abs(Fraction(str(found)) - (wanted or 0)) <= Fraction(1, 10**6)


def test_what_is_needed_to_put_together_is_computed_with_it() -> None:
    needed = {each.code for each in parts(DERIVED, CATALOGUE)}

    assert needed == {"flow", "base", "flow__change"} | {
        f"{x}__year_change" for x in ("flow", "base")
    }


def test_ranks_cannot_be_put_together_and_what_is_not_known_is_left_out_of_sums_alone() -> None:
    rank, quarter = indicator("rank", Rank(FLOW)), indicator("quarter", MovingSum(FLOW, 3))
    rows = [
        {"flow": 3, "rank": 1, "quarter": 9, "dearest": 5, "least": None, "flow__change": 1},
        {
            "flow": None,
            "rank": 2,
            "quarter": None,
            "dearest": 7,
            "least": None,
            "flow__change": None,
        },
    ]
    together = Combining(CATALOGUE, rows)

    assert together.together(rank, rows) is None
    assert together.together(quarter, rows) is None
    assert together.together(FLOW, rows) == 3
    assert together.together(CATALOGUE.indicators["dearest"], rows) == 7
    assert together.together(CATALOGUE.indicators["least"], rows) is None
    assert together.together(indicator("more", Change(FLOW, Earlier.PERIOD)), rows) is None


def people(customers: int, charge: int = 0) -> dict[str, int]:
    return {"customers": customers, "monthly_charge_fen": charge}


CITIES = {"440300": (30, 300), "440100": (20, 900), "310100": (7, 70), "110100": (5, 200)}


@pytest.fixture
async def two_months(hq: TestNode) -> TestNode:
    """Four cities in November, and in October the same with one customer less in each of two cells."""
    for period, less in (("2026-11", 0), ("2026-10", 1)):
        await keep(
            hq,
            *(
                slice_of(
                    city,
                    {
                        GOLD_MAN: people(count - less, charge),
                        STANDARD_MAN: people(2 * count - less),
                    },
                    period=period,
                )
                for city, (count, charge) in CITIES.items()
            ),
        )
    return hq


async def test_the_top_rows_are_told_and_all_others_in_one(
    two_months: TestNode, analyst: Headers
) -> None:
    asked = {
        "indicator": "customers,arpu_fen",
        "by": "region",
        "region_level": "city",
        "compare": "previous",
        "share": "customers",
        "top": 2,
    }
    answer = await ask(two_months, analyst, **asked)

    first, second, others = answer["rows"]
    assert [row["region"]["code"] for row in (first, second)] == ["440300", "440100"]
    assert first["values"]["customers"] == 90
    assert others["region"] == {"code": None, "name": "Others"}
    assert others["others"] == 2
    customers, before = 3 * (7 + 5), 3 * (7 + 5) - 4
    assert others["values"] == pytest.approx(
        {
            "customers": customers,
            "arpu_fen": 270 / customers,
            "customers__change": 4,
            "customers__growth": 400 / before,
            "customers__share": 100 * customers / 186,
            "arpu_fen__change": 270 / customers - 270 / before,
            "arpu_fen__growth": 100 * (before / customers - 1),
        },
        abs=1e-6,
    )
    assert [each["code"] for each in answer["indicators"]] == list(first["values"])
    # It says the same as the rest of the nation asked for at once.
    plain = await ask(two_months, analyst, **(asked | {"top": 4}))
    assert all("others" not in row for row in plain["rows"])
    by_charge = await ask(two_months, analyst, **(asked | {"top": 1, "top_by": "arpu_fen"}))
    assert by_charge["rows"][0]["region"]["code"] == "440100"
    assert by_charge["rows"][1]["others"] == 3


async def test_each_period_has_its_own_top_and_its_own_others(
    two_months: TestNode, analyst: Headers
) -> None:
    answer = await ask(
        two_months,
        analyst,
        **{"from": "2026-10", "to": "2026-11"},
        indicator="customers",
        by="period,level",
        top=1,
    )

    told = [
        (r["period"], r["level"], r.get("others"), r["values"]["customers"]) for r in answer["rows"]
    ]
    assert told == [
        ("2026-10", "standard", None, 120),
        ("2026-10", None, 1, 58),
        ("2026-11", "standard", None, 124),
        ("2026-11", None, 1, 62),
    ]
    assert all(row["region"]["code"] == "000000" for row in answer["rows"])


@pytest.mark.parametrize("pivot", ["period", "region", "level"])
async def test_what_goes_across_has_the_values_that_rows_would_have(
    two_months: TestNode, analyst: Headers, pivot: str
) -> None:
    names = ("period", "region", "level")
    asked = {
        "from": "2026-10",
        "to": "2026-11",
        "indicator": ["customers", "arpu_fen"],
        "by": ",".join(names),
    }
    plain = await ask(two_months, analyst, **asked)
    answer = await ask(two_months, analyst, **asked, pivot=pivot)

    codes = [each["code"] for each in answer["columns"]]
    down = [name for name in names if name != pivot]
    for code in ("customers", "arpu_fen"):
        expected = table(plain, code, *names)
        found: dict[tuple[str, ...], Any] = {}
        for row in answer["rows"]:
            for column in codes:
                keys = {x: row["region"]["code"] if x == "region" else row.get(x) for x in down}
                keys[pivot] = column
                found[tuple(keys[name] for name in names)] = row["values"][code][column]
        assert found == expected
    columns = {"period": ["2026-10", "2026-11"], "level": ["gold", "standard"]}
    assert codes == columns.get(pivot, ["110000", "310000", "440000"])
    if pivot == "period":
        assert {row["period"] for row in answer["rows"]} == {"2026-10/2026-11"}
    if pivot == "region":
        assert {row["region"]["name"] for row in answer["rows"]} == {"Nation"}


async def test_top_rows_of_a_pivot_are_whole_rows(two_months: TestNode, analyst: Headers) -> None:
    answer = await ask(
        two_months,
        analyst,
        indicator="customers",
        by="region,level",
        region_level="city",
        pivot="level",
        top=1,
    )

    assert [(row["region"]["code"], row.get("others")) for row in answer["rows"]] == [
        ("440300", None),
        (None, 3),
    ]
    assert answer["rows"][1]["values"] == {"customers": {"gold": 32, "standard": 64}}


async def test_comparing_minds_cities_that_are_missing(hq: TestNode, analyst: Headers) -> None:
    await keep(
        hq,
        slice_of("440300", {GOLD_MAN: people(12)}),
        slice_of("440100", {GOLD_WOMAN: people(5)}),
        slice_of("110100", {GOLD_MAN: people(8)}),
        slice_of("440300", {GOLD_MAN: people(10)}, period="2026-10"),
        slice_of("110100", {GOLD_MAN: people(10)}, period="2026-10"),
        slice_of("110100", {GOLD_MAN: people(4)}, period="2025-11"),
    )

    answer = await ask(hq, analyst, indicator="customers", by="region", compare="previous,year")

    assert {row["region"]["code"]: row["values"] for row in answer["rows"]} == {
        "110000": {
            "customers": 8,
            "customers__change": -2,
            "customers__growth": -20,
            "customers__year_change": 4,
            "customers__year_growth": 100,
        },
        "440000": {
            "customers": 17,
            **dict.fromkeys(["customers__change", "customers__growth"]),
            **dict.fromkeys(["customers__year_change", "customers__year_growth"]),
        },
    }
    assert {x["period"] for x in answer["provenance"]} == {"2025-11", "2026-10", "2026-11"}


async def test_a_figure_leads_to_finer_and_coarser_ones(
    two_months: TestNode, analyst: Headers
) -> None:
    async def followed(query: str, **row: str) -> dict[str, Any]:
        filled = {name: values[0].format(**row) for name, values in parse_qs(query).items()}
        return await ask(two_months, analyst, **filled)

    nation = await ask(two_months, analyst, indicator="customers", by="level")
    provinces = await followed(nation["drill"]["down"]["region"], region="000000")
    cities = await followed(provinces["drill"]["down"]["region"], region="440000")
    back = await followed(cities["drill"]["up"]["region"])

    assert table(provinces, "customers", "region", "level")["440000", "gold"] == 50
    assert table(cities, "customers", "region", "level")["440300", "gold"] == 30
    assert table(back, "customers", "region", "level") == {
        ("440000", level): count for level, count in (("gold", 50), ("standard", 100))
    }
    assert "region" not in cities["drill"]["down"]
    assert nation["drill"]["up"] == {}
    sections = await ask(two_months, analyst, indicator="groups", by="industry_section,period")
    finer = parse_qs(sections["drill"]["down"]["industry_section"])
    assert (finer["by"], finer["industry_section"]) == (["period,industry"], ["{industry_section}"])
    assert (await followed(sections["drill"]["down"]["industry_section"], industry_section="A"))[
        "rows"
    ] == []


MISTAKES = [
    ({"compare": "decade"}, 400, "query:compare", "previous, year"),
    ({"share": "arpu_fen"}, 400, "query:share", "customers"),
    ({"top": 0}, 400, "query:top", "1 – 1000"),
    ({"top": 3, "top_by": "bills"}, 400, "query:top_by", "customers, arpu_fen"),
    ({"pivot": "level"}, 400, "query:pivot", "period, region"),
    (
        {"from": "2026-01", "to": "2026-03", "by": "region", "compare": "year"},
        400,
        "query:by",
        ": period",
    ),
    (
        {
            "indicator": "customers,arpu_fen,lost_customers",
            "by": "period,region",
            "pivot": "period",
            "from": "2026-01-01",
            "to": "2026-11-01",
            "compare": "previous,year",
        },
        422,
        "query:pivot",
        "fewer values",
    ),
]


@pytest.mark.parametrize(("wrong", "status", "pointer", "offer"), MISTAKES)
async def test_mistakes_are_pointed_at(
    hq: TestNode, analyst: Headers, wrong: dict[str, Any], status: int, pointer: str, offer: str
) -> None:
    asked = {"indicator": "customers,arpu_fen", "by": "period,region"} | wrong
    refused = await get(hq, analyst, **asked)

    assert refused.status_code == status, refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert offer in refused.text

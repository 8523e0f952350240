"""How answers show what is withheld, in every form; and what is withheld where."""

import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from shared import audit, organisation, policy, staff, statistics
from shared.capability import Role
from shared.kernel.language import Language
from shared.statistics.commands import _lines, made_of
from shared.statistics.plotting import plot
from shared.statistics.slices import Slice
from tests.conftest import MakeNode, Nation, TestNode
from tests.statistics.disclosure_policy import SignIn, draft, set_threshold
from tests.statistics.registered_cities import CITIES, Headers, ask, enter, get, keep, table
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, STANDARD_MAN, Key, slice_of

CAPABILITIES = (
    organisation.capability,
    staff.capability,
    audit.capability,
    policy.capability,
    statistics.capability,
)
SILVER_WOMAN: Key = ("silver", "two_year", "61+", "female")


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    node = await make_node("000000", CAPABILITIES)
    await enter(node, *CITIES)
    return node


@pytest.fixture
async def analyst(hq: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(hq, Role.HQ_ANALYST)


def figures(**more: Any) -> tuple[Slice, ...]:
    """Of Shenzhen two golden men among many others; nobody there is silver, and in Beijing there is."""
    return (
        slice_of(
            "440300",
            {
                GOLD_MAN: {"customers": 2, "monthly_charge_fen": 9},
                STANDARD_MAN: {"customers": 30, "monthly_charge_fen": 90},
            },
            **more,
        ),
        slice_of("440100", {GOLD_MAN: {"customers": 40}, GOLD_WOMAN: {"customers": 50}}, **more),
        slice_of("110100", {SILVER_WOMAN: {"customers": 60}}, **more),
    )


BY_LEVEL = {"indicator": "customers,arpu_fen", "by": "region,level", "region_level": "city"}


async def test_a_withheld_row_is_empty_and_marked(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await keep(hq, *figures())
    await set_threshold(hq, sign_in, 5)

    answer = await ask(hq, analyst, **BY_LEVEL)

    assert table(answer, "customers", "region", "level") == {
        ("110100", "silver"): 60,
        ("440100", "gold"): None,
        ("440100", "standard"): None,
        ("440300", "gold"): None,
        ("440300", "standard"): None,
    }
    marks = {row["region"]["code"]: row["withheld"] for row in answer["rows"]}
    assert marks == {
        "110100": [],
        "440100": ["customers", "arpu_fen"],
        "440300": ["customers", "arpu_fen"],
    }
    (entry,) = answer["provenance"]
    rule = {"least_people": 5, "policy": "disclosure 1"}
    assert entry["withheld"] == {"cells": 4, **rule, "always": []}


async def test_the_provenance_names_what_is_withheld_in_every_row(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await set_threshold(hq, sign_in, 5)
    asked = "median_monthly_charge_fen,p90_monthly_charge_fen,customers,highest_monthly_charge_fen"

    answer = await ask(hq, analyst, indicator=asked, compare="previous")

    always = {each["dataset"]: each["withheld"]["always"] for each in answer["provenance"]}
    p90, highest = "p90_monthly_charge_fen", "highest_monthly_charge_fen"
    told = {
        each["code"]
        for each in answer["indicators"]
        if each["code"].partition("__")[0] in {p90, highest}
    }
    assert {code for codes in always.values() for code in codes} == told
    assert {p90, f"{p90}__growth"} <= set(always["people"])
    assert highest in always["customer"]


async def test_nobody_is_in_a_row_and_it_is_withheld_all_the_same(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    """Guangzhou has no standard customers: without its row whoever knows the province's would know Shenzhen's."""
    await keep(hq, *figures())
    before = await ask(hq, analyst, **BY_LEVEL)
    assert ("440100", "standard") not in table(before, "customers", "region", "level")
    await set_threshold(hq, sign_in, 5)
    after = await ask(hq, analyst, **BY_LEVEL)
    assert ("440100", "standard") in table(after, "customers", "region", "level")


async def test_the_entity_tag_changes_with_the_policy_and_with_other_cities(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await keep(hq, *figures())
    question = {"indicator": "customers", "region": "440000", "by": "level"}

    async def tag() -> str:
        return (await get(hq, analyst, **question)).headers["etag"]

    whole = await tag()
    await set_threshold(hq, sign_in, 5)
    first = await tag()
    held = await get(hq, analyst | {"If-None-Match": first}, **question)
    assert (first == whole, held.status_code) == (False, 304)
    await set_threshold(hq, sign_in, 6)
    second = await tag()
    # What is withheld in Guangdong depends on Beijing too.
    await keep(hq, slice_of("110100", {GOLD_MAN: {"customers": 1}}, revision=2))
    assert len({whole, first, second, await tag()}) == 4
    await set_threshold(hq, sign_in, 0)
    assert "withheld" not in (await ask(hq, analyst, **question))["rows"][0]


async def test_every_file_says_what_is_withheld(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await keep(hq, *figures())
    await set_threshold(hq, sign_in, 5)

    async def file(form: str, **more: str) -> bytes:
        return (await get(hq, analyst, **BY_LEVEL, format=form, **more)).content

    rows = list(csv.DictReader(io.StringIO((await file("csv")).decode())))
    expected = [(x["region_code"], x["customers"], x["withheld"]) for x in rows]
    assert expected[:2] == [("110100", "60", ""), ("440100", "", "customers arpu_fen")]
    book = openpyxl.load_workbook(io.BytesIO(await file("xlsx")))
    head, *lines = book["values"].iter_rows(values_only=True)
    assert head.index("withheld") == head.index("customers") - 1
    assert lines[1][head.index("withheld")] == "customers arpu_fen"
    made = [dict(zip(*pair, strict=True)) for pair in _rows(book["provenance"])]
    assert {(str(x["withheld_cells"]), str(x["least_people"]), x["policy"]) for x in made} == {
        ("4", "5", "disclosure 1")
    }
    tables = [
        parquet.read_table(io.BytesIO(await file("parquet"))),
        pa.ipc.open_stream(await file("arrow")).read_all(),
    ]
    for each in tables:
        assert each["customers"].to_pylist()[:2] == [60, None]
        assert each["withheld"].to_pylist()[:2] == ["", "customers arpu_fen"]
        assert b'"policy":"disclosure 1"' in each.schema.metadata[b"guanxi.provenance"]
    across = list(csv.DictReader(io.StringIO((await file("csv", pivot="level")).decode())))
    assert across[1]["withheld"].split() == [
        "customers.gold", "customers.standard", "arpu_fen.gold", "arpu_fen.standard",
    ]  # fmt: skip


def _rows(sheet: Any) -> list[tuple[Any, Any]]:
    head, *rows = sheet.iter_rows(values_only=True)
    return [(head, row) for row in rows]


async def test_the_terminal_marks_what_is_withheld(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await keep(hq, *figures())
    await set_threshold(hq, sign_in, 5)
    for more in ({}, {"pivot": "level"}):
        answer = await ask(hq, analyst, **BY_LEVEL, **more)
        lines = [line for row in answer["rows"] for line in _lines(row, answer)]
        assert "×" in lines[-1].values()
        assert "withheld" not in lines[-1]
        drawing = plot(answer)[0]
        assert "×" in list(drawing.columns[1].cells)
        assert "4 cells withheld (disclosure 1)" in made_of(
            answer["provenance"][0], Language.ENGLISH
        )


async def test_others_shares_and_comparisons_are_withheld_with_their_members(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await keep(hq, *figures(), *figures(period="2026-10"))
    await set_threshold(hq, sign_in, 5)
    answer = await ask(hq, analyst, **BY_LEVEL, share="customers", compare="previous", top=1)
    first, others = answer["rows"]
    assert first["values"]["customers"] == 60
    assert first["withheld"] == ["customers__share"]
    assert (first["values"]["customers__change"], first["values"]["customers__growth"]) == (0, 0)
    assert set(others["withheld"]) == set(others["values"])
    assert set(others["values"].values()) == {None}


async def test_a_day_does_not_follow_from_its_month(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    """Who left on one day would be the month's less those of all other days."""
    days = {"2026-11-01": 3, "2026-11-02": 8, "2026-11-03": 20}
    key = ("moved", "none", "gold")
    for period, count in (days | {"2026-11": sum(days.values())}).items():
        cells: Any = {key: {"departures": count, "departed_charge_fen": 100 * count}}
        await keep(hq, slice_of("440300", cells, period=period, dataset="departure"))
    await set_threshold(hq, sign_in, 5)
    question = {"indicator": "departures,departed_charge_fen"}
    month = await ask(hq, analyst, **question, period="2026-11")
    assert month["rows"][0]["values"]["departures"] == 31
    for first, last in (
        ("2026-11-01", "2026-11-03"),
        ("2026-11-02", "2026-11-03"),
        ("2026-11-01", "2026-11-30"),
    ):
        span = {"from": first, "to": last}
        told = await ask(hq, analyst, **question, **span, by="period")
        shown = {x["period"]: x["values"]["departures"] for x in told["rows"]}
        expected = {"2026-11-01": None, "2026-11-02": None, "2026-11-03": 20}
        assert shown == {day: count for day, count in expected.items() if day >= first}
        together = await ask(hq, analyst, **question, **span, by="region")
        assert together["rows"][0]["values"] == {"departures": None, "departed_charge_fen": None}


async def test_those_who_are_gone_are_counted_by_themselves(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    """The charge of the one customer who left is not told, though many are there."""
    cells = {
        GOLD_MAN: {
            "customers": 90,
            "lost_customers": 1,
            "lost_monthly_charge_fen": 777,
            "customers_exposed": 91,
        }
    }
    await keep(hq, slice_of("440300", cells))
    await set_threshold(hq, sign_in, 5)
    codes = "customers,lost_customers,lost_monthly_charge_fen,customers_exposed,churn_rate"
    (row,) = (await ask(hq, analyst, indicator=codes))["rows"]
    assert [code for code, value in row["values"].items() if value is not None] == ["customers"]


async def test_a_greatest_value_is_never_told(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    cells = {GOLD_MAN: {"customers": 90, "highest_monthly_charge_fen": 777}}
    await keep(hq, slice_of("440300", cells))
    await set_threshold(hq, sign_in, 5)
    (row,) = (await ask(hq, analyst, indicator="customers,highest_monthly_charge_fen"))["rows"]
    assert row["values"] == {"customers": 90, "highest_monthly_charge_fen": None}
    assert row["withheld"] == ["highest_monthly_charge_fen"]


async def test_the_register_tells_no_totals(
    hq: TestNode, analyst: Headers, sign_in: SignIn
) -> None:
    await keep(hq, *figures())

    async def totals() -> list[Any]:
        listed = await hq.client.get("/statistics/slices", headers=analyst)
        return [each["control_totals"] for each in listed.json()["items"]]

    assert None not in await totals()
    await set_threshold(hq, sign_in, 5)
    assert await totals() == [None, None, None]


async def test_too_many_cells_to_decide_are_refused(
    hq: TestNode, analyst: Headers, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(hq, *figures())
    await set_threshold(hq, sign_in, 5)
    monkeypatch.setattr("shared.statistics.service.MOST_CELLS", 5)
    refused = await get(hq, analyst, **BY_LEVEL)
    assert (refused.status_code, refused.json()["type"]) == (
        422,
        "urn:guanxi:problem:disclosure-too-costly",
    )


async def test_the_threshold_goes_down_and_a_city_sees_its_own(
    joined: Callable[..., Awaitable[Nation]], sign_in: SignIn
) -> None:
    """HQ and the province withhold what the city itself tells whole; no province sets another threshold."""
    nation = await joined(("000000", "440000", "440300", "440100"), CAPABILITIES)
    await set_threshold(nation["000000"], sign_in, 5)
    await nation.settle()
    shenzhen, guangzhou, _ = figures()
    for node in nation.nodes.values():
        await keep(
            node,
            *(
                x
                for x in (shenzhen, guangzhou)
                if node.code in {x.content.node, "440000", "000000"}
            ),
        )
    roles = {
        "000000": Role.HQ_ANALYST,
        "440000": Role.PROVINCE_COORDINATOR,
        "440300": Role.SUPERVISOR,
    }
    shown = {}
    for code, role in roles.items():
        headers = await sign_in(nation[code], role)
        answer = await ask(
            nation[code],
            headers,
            indicator="customers",
            by="level",
            region="440300",
            period="2026-11",
        )
        shown[code] = table(answer, "customers", "level")
    assert shown["440300"] == {"gold": 2, "standard": 30}
    assert shown["440000"] == shown["000000"] == {"gold": None, "standard": None}
    coordinator = await sign_in(nation["440000"], Role.PROVINCE_COORDINATOR)
    refused = await draft(nation["440000"], coordinator, 2)
    assert refused.status_code == 422

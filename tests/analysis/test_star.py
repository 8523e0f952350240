"""What analysts find by SQL is what the node answers."""
# ruff: noqa: S608 - the statements are this file's own

from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from shared.analysis import star
from shared.analysis.reference import Reference, current_reference, load
from shared.organisation.division import divisions
from shared.policy.reading import read
from shared.statistics.definition import INDICATOR, extended
from shared.statistics.definition import IndicatorPolicy as Policy
from shared.statistics.indicators import CATALOGUE
from tests.analysis.conftest import CAPABILITIES
from tests.conftest import MakeNode, TestNode
from tests.statistics.registered_cities import Headers, ask, keep, table
from tests.statistics.slices_by_hand import GOLD_WOMAN, slice_of

REGION = {
    "nation": "'000000'",
    "province": "province",
    "city": "city",
}


async def found(sql: asyncpg.Connection, query: str, *values: Any) -> dict[Any, Any]:
    return {
        tuple(row[:-1]) if len(row) > 2 else row[0]: row[-1]
        for row in await sql.fetch(query, *values)
    }


@pytest.mark.parametrize("region_level", REGION)
async def test_facts_add_up_to_what_the_node_answers(
    hq: TestNode, reader: Headers, sql: asyncpg.Connection, region_level: str
) -> None:
    answer = await ask(
        hq,
        reader,
        indicator="customers",
        period="2026-11",
        by="region,level,sex",
        region_level=region_level,
    )
    query = f"""
        SELECT {REGION[region_level]}, level, sex, sum(value) FROM fact_current
        WHERE measure = 'customers' AND period = '2026-11' GROUP BY 1, 2, 3"""
    expected = table(answer, "customers", "region", "level", "sex")
    assert len(expected) > 2
    assert await found(sql, query) == expected


async def test_a_coarser_dimension_is_a_column_too(
    hq: TestNode, reader: Headers, sql: asyncpg.Connection
) -> None:
    answer = await ask(hq, reader, indicator="groups", period="2026-11", by="industry_section")
    query = (
        "SELECT industry_section, sum(value) FROM fact_current WHERE measure = 'groups' GROUP BY 1"
    )
    assert await found(sql, query) == table(answer, "groups", "industry_section")
    assert await found(sql, query) == {"I": 3, "unknown": 4}


async def test_a_ratio_is_divided_as_the_catalogue_says(
    hq: TestNode, reader: Headers, sql: asyncpg.Connection
) -> None:
    code = "arpu_fen"
    answer = await ask(
        hq, reader, indicator=code, period="2026-11", by="region", region_level="city"
    )
    query = """
        SELECT f.city, round(i.scale * sum(f.value) FILTER (WHERE f.measure = i.numerator)
                             / nullif(sum(f.value) FILTER (WHERE f.measure = i.denominator), 0), 6)::float
        FROM dim_indicator i JOIN fact_current f ON f.measure IN (i.numerator, i.denominator)
        WHERE i.code = $1 AND f.period = '2026-11' GROUP BY f.city, i.scale"""
    expected = table(answer, code, "region")
    shown = await found(sql, query, code)
    assert {city: value or 0 for city, value in shown.items()} == expected
    assert expected["440300"] == pytest.approx(1600 / 12)


async def test_history_tells_what_was_known_when(
    hq: TestNode, reader: Headers, sql: asyncpg.Connection
) -> None:
    before = hq.clock.now()
    hq.clock.advance(timedelta(minutes=5))
    await keep(hq, slice_of("440300", {GOLD_WOMAN: {"customers": 20}}, revision=2))

    async def known(moment: Any) -> dict[Any, Any]:
        query = """
            SELECT city, level, sex, sum(value) FROM fact_history
            WHERE measure = 'customers' AND period = '2026-11' AND known_from <= $1
              AND (known_until IS NULL OR known_until > $1) GROUP BY 1, 2, 3"""
        return await found(sql, query, moment)

    for moment in (before, hq.clock.now()):
        question = {"indicator": "customers", "period": "2026-11", "by": "region,level,sex"}
        at = moment.isoformat()
        answer = await ask(hq, reader, **question, region_level="city", as_known_at=at)
        assert await known(moment) == table(answer, "customers", "region", "level", "sex")
    assert (await known(before))["440300", "gold", "male"] == 2
    assert ("440300", "gold", "male") not in await known(hq.clock.now())
    revisions = await sql.fetch(
        "SELECT revision, is_current, reason FROM slice WHERE city = '440300' AND dataset = 'customer' "
        "AND period = '2026-11' ORDER BY revision"
    )
    assert [tuple(row) for row in revisions] == [(1, False, None), (2, True, "recomputed")]


async def test_a_city_that_says_nothing_is_told_from_one_that_says_zero(
    sql: asyncpg.Connection,
) -> None:
    query = "SELECT city, row_count FROM slice WHERE dataset = 'revenue' AND is_current"
    assert await found(sql, query) == {"440100": 0, "440300": 1}


async def test_the_calendar(sql: asyncpg.Connection) -> None:
    rows = {row["period"]: dict(row) for row in await sql.fetch("SELECT * FROM dim_period")}
    assert rows["2026-11"] == {
        "period": "2026-11",
        "period_kind": "month",
        "first_day": date(2026, 11, 1),
        "next_day": date(2026, 12, 1),
        "year": 2026,
        "quarter": "2026-Q4",
        "month": "2026-11",
        "iso_week": None,
        "weekday": None,
    }
    day = rows["2026-01-01"]
    assert (day["next_day"], day["iso_week"], day["weekday"]) == (date(2026, 1, 2), "2026-W01", 4)
    assert {len(period) for period in rows} == {7, 10}


async def test_regions_are_the_divisions(sql: asyncpg.Connection) -> None:
    rows = {row["code"]: row for row in await sql.fetch("SELECT * FROM dim_region")}
    assert {code: row["name_zh"] for code, row in rows.items()} == {
        each.code: each.name_zh for each in divisions().values()
    }
    assert {row["level"] for row in rows.values()} == {"nation", "province", "city"}
    assert (rows["440300"]["parent"], rows["440300"]["province_en"]) == ("440000", "Guangdong")
    assert rows["000000"]["province"] is None


async def test_the_reference_is_the_catalogue(sql: asyncpg.Connection) -> None:
    rows = {row["code"]: row for row in await sql.fetch("SELECT * FROM dim_indicator")}
    assert set(rows) == set(CATALOGUE.indicators)
    for code, each in CATALOGUE.indicators.items():
        assert rows[code]["name_zh"] == each.name.zh
        assert rows[code]["measures"] == list(each.measures)
    arpu = rows["arpu_fen"]
    assert (arpu["numerator"], arpu["denominator"]) == CATALOGUE.indicators["arpu_fen"].measures
    assert await found(sql, "SELECT code, dimensions FROM dim_dataset") == {
        code: [each.code for each in CATALOGUE.dimensions_of(code)] for code in CATALOGUE.datasets
    }
    members = await sql.fetch("SELECT dimension, code FROM dim_member ORDER BY dimension, position")
    for dimension in CATALOGUE.dimension_list:
        mine = [row["code"] for row in members if row["dimension"] == dimension.code]
        assert mine == list(dimension.values)


async def test_what_hq_defines_is_in_the_reference(hq: TestNode, sql: asyncpg.Connection) -> None:
    defined = {
        "code": "group_share",
        "name_zh": "集团占比",
        "name_en": "Share of groups",
        "kind": "ratio",
        "of": "group_customers",
        "by": "customers",
        "scale": 100,
        "unit": "percent",
    }
    document: Policy = read(INDICATOR, {"indicators": [defined]})
    reference = Reference(extended(document, "indicator 1"))
    async with hq.database.transaction() as session:
        assert await load(session, reference, now=hq.clock.now()) is True
        assert await load(session, reference, now=hq.clock.now()) is False
    row = await sql.fetchrow("SELECT * FROM dim_indicator WHERE code = 'group_share'")
    assert row is not None
    shown = (row["numerator"], row["denominator"], row["scale"], row["defined_by"])
    assert shown == ("group_customers", "customers", 100, "indicator 1")
    await current_reference(hq.context)  # no version of HQ's is in force: what ships is back
    assert "group_share" not in await found(sql, "SELECT code, name_en FROM dim_indicator")


async def test_a_node_that_starts_again_loads_nothing_anew(make_node: MakeNode) -> None:
    node = await make_node("440300", CAPABILITIES)
    query = "SELECT edition, loaded_at FROM analysis_edition"
    pool = await node.context.database.pool()
    before = await pool.fetch(query)
    node.clock.advance(timedelta(days=1))
    await node.run_job("export-lake")
    assert len(before) == 1
    assert await pool.fetch(query) == before


def test_no_dimension_has_two_above_it() -> None:
    finer = [each.of for each in CATALOGUE.dimension_list if each.of is not None]
    assert len(finer) == len(set(finer)), "`analysis_member` has room for one"


async def test_facts_have_a_column_for_each_dimension(sql: asyncpg.Connection) -> None:
    for name in ("fact_current", "fact_history"):
        columns = await found(
            sql,
            "SELECT column_name, 1 FROM information_schema.columns WHERE table_schema = 'analysis' AND table_name = $1",
            name,
        )
        assert set(CATALOGUE.dimensions) <= set(columns)
    assert set(star.VIEWS) == {
        row[0]
        for row in await sql.fetch("SELECT viewname FROM pg_views WHERE schemaname = 'analysis'")
    }

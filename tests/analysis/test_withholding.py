"""The star and the lake tell no more than answers do."""

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import asyncpg
import pytest
from pyarrow import dataset as arrow

from shared.analysis import analyst, withholding
from shared.analysis.exporting import export_lake
from shared.capability import Role
from tests.analysis.conftest import CAPABILITIES, SignIn
from tests.conftest import MakeNode, TestNode
from tests.statistics.attacker import Attacker
from tests.statistics.disclosure_policy import set_threshold
from tests.statistics.registered_cities import Headers, ask, enter, keep
from tests.statistics.slices_by_hand import GOLD_MAN, GOLD_WOMAN, STANDARD_MAN, slice_of
from tests.statistics.test_withholding import (
    CITIES,
    LEVELS,
    MEASURES,
    PERIODS,
    SEXES,
    THRESHOLD,
    Reader,
    people,
    questions,
    slices,
    small_cells,
)

COUNTED = people(1)


@pytest.fixture
async def hq(make_node: MakeNode) -> TestNode:
    node = await make_node("000000", CAPABILITIES)
    await enter(node, *CITIES)
    await keep(node, *slices(COUNTED))
    return node


@pytest.fixture
async def sql(access: analyst.Access) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(access.url, password=access.password)
    yield connection
    await connection.close()


async def facts(sql: asyncpg.Connection, view: str = "fact_current") -> list[Any]:
    return list(
        await sql.fetch(
            f"SELECT period, city, level, sex, measure, value, withheld FROM {view}"  # noqa: S608 - of this file
        )
    )


def learn(attacker: Attacker, rows: list[Any]) -> None:
    """Learn every fact, and from each that is missing that it is zero."""
    found = {
        (row["measure"], (row["period"], row["city"], row["level"], row["sex"])): row
        for row in rows
    }
    for cell, measure in product(product(PERIODS, CITIES, LEVELS, SEXES), MEASURES):
        row = found.get((measure, cell))
        if row is None or row["value"] is not None:
            attacker.learn({(measure, cell): 1})


async def test_nobody_recovers_a_small_cell_from_the_star_and_all_answers(
    hq: TestNode, reader: Headers, sql: asyncpg.Connection, sign_in: SignIn
) -> None:
    await set_threshold(hq, sign_in, THRESHOLD)
    await hq.run_job("analysis-withholding")
    rows = await facts(sql)
    known = Reader(COUNTED)
    learn(known.attacker, rows)
    for question, filters in questions():
        if "share" not in question:
            known.read(await ask(hq, reader, **question), filters)
    small = list(small_cells(COUNTED))
    assert len(small) > 10
    for measure, cells in product(MEASURES, small):
        assert not known.attacker.knows({(measure, cell): 1 for cell in cells}), cells
    assert sum(row["value"] is not None for row in rows) > 10
    assert all(row["withheld"] == (row["value"] is None) for row in rows)


async def test_without_the_policy_the_star_is_whole(hq: TestNode, sql: asyncpg.Connection) -> None:
    await hq.run_job("analysis-withholding")
    attacker = Attacker()
    rows = await facts(sql)
    learn(attacker, rows)
    assert all(
        attacker.knows({("customers", c): 1 for c in cells}) for cells in small_cells(COUNTED)
    )
    assert not any(row["withheld"] for row in rows)


async def test_the_star_tells_of_a_cell_what_the_answer_tells(
    hq: TestNode, reader: Headers, sql: asyncpg.Connection, sign_in: SignIn
) -> None:
    await set_threshold(hq, sign_in, THRESHOLD)
    await hq.run_job("analysis-withholding")
    by = "region,level,contract_term,tenure_band,sex"
    answer = await ask(
        hq, reader, indicator="customers", period=PERIODS[1], by=by, region_level="city"
    )
    expected = {
        (row["region"]["code"], row["level"], row["sex"]): row["values"]["customers"]
        for row in answer["rows"]
    }
    found = {
        (row["city"], row["level"], row["sex"]): row["value"]
        for row in await facts(sql)
        if row["measure"] == "customers" and row["period"] == PERIODS[1]
    }
    assert found == expected
    assert None in found.values()
    assert any(value for value in found.values())


async def test_what_has_not_been_decided_is_not_told(
    hq: TestNode, sql: asyncpg.Connection, sign_in: SignIn
) -> None:
    """A revision that came since, revisions of before, and days."""
    many = {GOLD_MAN: {"customers": 900}, GOLD_WOMAN: {"customers": 800}}
    await keep(hq, slice_of("110100", many, period="2026-11-22"))
    await set_threshold(hq, sign_in, THRESHOLD)
    await hq.run_job("analysis-withholding")
    assert not [row for row in await facts(sql) if row["period"] == "2026-11-22"]
    await keep(hq, slice_of("110100", many, period="2026-10", revision=2))
    assert not [
        row
        for row in await facts(sql, "fact_history")
        if row["city"] == "110100" and row["period"] == "2026-10" and row["value"] == 900
    ]

    await hq.run_job("analysis-withholding")

    told = {
        row["sex"]: row["value"]
        for row in await facts(sql, "fact_history")
        if row["city"] == "110100"
        and row["period"] == "2026-10"
        and row["level"] == "gold"
        and row["measure"] == "customers"
    }
    assert told == {"male": 900, "female": 800}


async def test_greatest_values_and_unknown_measures_are_never_told(
    hq: TestNode, sql: asyncpg.Connection, sign_in: SignIn
) -> None:
    values = {"customers": 900, "highest_monthly_charge_fen": 77}
    await keep(hq, slice_of("110100", {GOLD_MAN: values}, period="2026-09"))
    query = "SELECT measure, value FROM fact_current WHERE period = '2026-09'"
    assert len(await sql.fetch(query)) == 2
    await set_threshold(hq, sign_in, THRESHOLD)
    await hq.run_job("analysis-withholding")
    told = {row["measure"]: row["value"] for row in await sql.fetch(query)}
    assert told == {"customers": 900, "highest_monthly_charge_fen": None}


async def test_the_star_follows_the_threshold_both_ways(
    hq: TestNode, sql: asyncpg.Connection, sign_in: SignIn
) -> None:
    async def told() -> set[tuple[str, ...]]:
        await hq.run_job("analysis-withholding")
        return {
            (*(row[name] for name in ("period", "city", "level", "sex", "measure")),)
            for row in await facts(sql)
            if row["value"] is not None
        }

    whole = await told()
    await set_threshold(hq, sign_in, THRESHOLD)
    less = await told()
    await set_threshold(hq, sign_in, 1000)
    least = await told()
    await set_threshold(hq, sign_in, 2)
    more = await told()
    await set_threshold(hq, sign_in, 0)

    assert whole > less > least
    assert more > least
    assert await told() == whole


async def test_the_lake_has_what_the_star_has(
    hq: TestNode, sql: asyncpg.Connection, sign_in: SignIn
) -> None:
    """And is written anew when HQ sets a threshold."""
    await export_lake(hq.context, now=hq.clock.now())
    whole = lake(hq)
    await set_threshold(hq, sign_in, THRESHOLD)
    exported = await export_lake(hq.context, now=hq.clock.now())
    assert exported.written == len(PERIODS)
    found = lake(hq)
    star = {
        (row["period"], row["city"], row["level"], row["sex"]): row["value"]
        for row in await facts(sql)
        if row["measure"] == "customers"
    }
    assert {cell: found[cell] for cell in star} == star
    assert None in found.values()
    assert None not in whole.values()
    assert (await export_lake(hq.context, now=hq.clock.now())).written == 0


def lake(node: TestNode) -> dict[tuple[str, ...], int | None]:
    directory = node.node.settings.directory / "lake/facts/dataset=customer"
    rows = arrow.dataset(directory, partitioning="hive").to_table().to_pylist()
    return {(x["period"], x["city"], x["level"], x["sex"]): x["customers"] for x in rows}


async def test_a_city_has_its_own_whole(make_node: MakeNode, sign_in: SignIn) -> None:
    node = await make_node("440300", CAPABILITIES)
    await sign_in(node, Role.SUPERVISOR)
    await keep(node, slice_of("440300", {STANDARD_MAN: {"customers": 1}}))
    assert await withholding.withhold(node.context, now=node.clock.now()) == 0
    owner = await asyncpg.connect(node.database.url)
    assert await owner.fetchval("SELECT value FROM analysis.fact_current") == 1
    await owner.close()

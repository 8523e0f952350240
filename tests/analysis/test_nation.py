"""The lakes and stars of a nation: HQ's hold what the cities' hold, by the same tiers that run at work."""

from typing import Any

import asyncpg
from pyarrow import dataset as arrow

from services.city_node.rollup.service import roll_up
from shared.analysis import analyst
from shared.statistics.period import Period
from tests.city.random_customers import random_people, settle_in
from tests.conftest import Nation, TestNode

CITIES = {"440000": ("440100", "440300"), "000000": ("110100", "440100", "440300")}
NOVEMBER = Period.parse("2026-11")


async def count(node: TestNode, number: int) -> None:
    """Let people live in a city, and its figures be counted."""
    async with node.database.transaction() as session:
        await settle_in(session, node.code, random_people(node.code, number))
    await roll_up(
        node.database,
        node.context.post,
        [NOVEMBER],
        datasets=("customer", "revenue"),
        now=node.clock.now(),
    )


def rows(node: TestNode, dataset: str) -> list[tuple[Any, ...]]:
    found = arrow.dataset(
        node.node.settings.directory / f"lake/facts/dataset={dataset}", partitioning="hive"
    )
    return sorted(tuple(row.values()) for row in found.to_table().to_pylist())


async def measured(node: TestNode) -> dict[tuple[str, str], int]:
    """What a node's analysts see of each city and measure."""
    owner = await asyncpg.connect(node.database.url)
    async with owner.transaction():
        access = await analyst.grant(owner, node.code, node.database.url, None)
    await owner.close()
    sql = await asyncpg.connect(access.url, password=access.password)
    query = "SELECT city, measure, sum(value)::bigint FROM fact_current GROUP BY 1, 2"
    found = {(row[0], row[1]): row[2] for row in await sql.fetch(query)}
    await sql.close()
    return found


async def test_every_tier_has_the_same_figures_of_the_same_cities(nation: Nation) -> None:
    for nth, city in enumerate(CITIES["000000"]):
        await count(nation[city], 20 + nth)
    await nation.settle()
    for node in nation.nodes.values():
        await node.run_job("export-lake")

    star = {code: await measured(nation[code]) for code in nation.nodes}
    for above, below in CITIES.items():
        for dataset in ("customer", "revenue"):
            of_cities = sorted(row for city in below for row in rows(nation[city], dataset))
            assert of_cities == rows(nation[above], dataset)
            assert len(of_cities) > 10
        assert star[above] == {key: value for city in below for key, value in star[city].items()}
    assert star["000000"]["440300", "customers"] > 0
    assert rows(nation["110000"], "customer") == rows(nation["110100"], "customer")

"""What is derived from slices follows what is in force: answers, aggregates, the lake and the star."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pyarrow import dataset as arrow
from sqlalchemy import text

from shared import analysis
from shared.capability import Role
from shared.statistics import reading
from shared.statistics.retention import roll_off
from shared.statistics.verification import differences
from tests.conftest import Nation, TestNode
from tests.reporting import conftest
from tests.reporting.saying import NOVEMBER, Headers, ask, close, in_force, order, say

SignIn = Callable[..., Awaitable[Headers]]
CITY, PROVINCE, HQ = "440300", "440000", "000000"
ROLES = {CITY: Role.SUPERVISOR, PROVINCE: Role.PROVINCE_COORDINATOR, HQ: Role.HQ_ANALYST}
ABOVE = (PROVINCE, HQ)


@pytest.fixture
async def analysed(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    capabilities = (*conftest.CAPABILITIES, analysis.capability)
    nation = await joined((HQ, PROVINCE, "440100", CITY), capabilities)
    nation.clock.advance(timedelta(days=8))
    return nation


async def aggregates(node: TestNode) -> dict[str, int]:
    """What each aggregate that a question may read makes of the customers."""
    rows = await (await node.database.pool()).fetch(
        """SELECT a.region, f.total::bigint FROM statistics_aggregate a
        JOIN statistics_margin f ON f.part_id = a.id AND f.member_id = 0
        JOIN statistics_measure m ON m.id = f.measure_id AND m.code = 'customers'
        WHERE a.replaced_at IS NULL AND a.period = $1""",
        NOVEMBER,
    )
    return {row["region"]: row["total"] for row in rows}


async def told(node: TestNode, who: Headers) -> Any:
    """What is answered, with its provenance, and where on the board the city's customers stand."""
    question = {"indicator": "customers", "period": NOVEMBER, "by": "level", "provenance": "full"}
    answer = await ask(node, "values", who, **question)
    board = await ask(node, "board", who, period=NOVEMBER, dataset="customer")
    standing = [(each["node"], each["state"], each["revision"]) for each in board["slices"]]
    return answer["rows"], answer["provenance"], standing


async def opened(node: TestNode) -> tuple[dict[str, int], dict[str, int]]:
    """What analysts find of the cities' customers in the lake and in the star."""
    await node.run_job("export-lake")
    root = node.node.settings.directory / "lake/facts/dataset=customer"
    found: Sequence[Mapping[str, Any]] = (
        arrow.dataset(root, partitioning="hive").to_table().to_pylist()
    )
    star = await (await node.database.pool()).fetch(
        "SELECT city, value FROM analysis.fact_current WHERE measure = 'customers'"
    )
    return {each["city"]: each["customers"] for each in found}, {
        row["city"]: row["value"] for row in star
    }


async def test_late_data_of_a_closed_month_changes_nothing_until_it_is_approved(
    analysed: Nation, sign_in: SignIn
) -> None:
    who = {code: await sign_in(analysed[code], role) for code, role in ROLES.items()}

    async def seen() -> dict[str, Any]:
        for code in ABOVE:
            await analysed[code].run_job("statistics-aggregation")
            assert (
                await differences(analysed[code].database, analysed[code].node.settings.tier) == []
            )
        return {
            code: (
                await told(analysed[code], headers),
                await aggregates(analysed[code]),
                await opened(analysed[code]),
            )
            for code, headers in who.items()
        }

    await say(analysed["440100"], 7)
    await say(analysed[CITY], 5)
    await analysed.settle()
    await close(analysed, who[HQ], await sign_in(analysed[HQ], Role.HQ_ANALYST))
    before = await seen()
    assert before[HQ][1] == {PROVINCE: 12, HQ: 12}
    assert before[HQ][2] == ({"440100": 7, CITY: 5}, {"440100": 7, CITY: 5})

    await say(analysed[CITY], 9, 2)
    await analysed.settle()
    for code in who:
        (waiting,) = (await ask(analysed[code], "restatements", who[code], state="pending"))[
            "items"
        ]
        assert waiting["revision"] == 2
    assert await seen() == before

    mine = (await ask(analysed[PROVINCE], "restatements", who[PROVINCE]))["items"][0]["id"]
    approved = await order(analysed[PROVINCE], f"restatements/{mine}/approve", who[PROVINCE], {})
    assert approved.status_code == 200, approved.text
    ((row,), _, _) = await told(analysed[PROVINCE], who[PROVINCE])
    assert row["values"] == {"customers": 16}, "nobody waits for what is put together"
    await analysed.settle()

    after = await seen()
    for code in ABOVE:
        ((row,), provenance, standing), made, (lake, star) = after[code]
        assert row["values"] == {"customers": 16}
        assert [each["revision"] for each in provenance[0]["cities"]] == [1, 2]
        assert [revision for _, _, revision in standing] == [1, 2]
        assert set(made.values()) == {16}
        assert lake == star == {"440100": 7, CITY: 9}
    assert after[CITY][2] == ({CITY: 9}, {CITY: 9})


async def test_what_was_rolled_off_is_neither_damaged_nor_wanted_again(
    analysed: Nation, sign_in: SignIn
) -> None:
    day = "2026-11-23"
    await say(analysed[CITY], 5, period=day)
    await say(analysed[CITY], 6)
    await analysed.settle()
    hq = analysed[HQ]
    analysed.clock.advance(timedelta(days=100))
    for _ in range(2):  # what one night marks, the next drops
        now = analysed.clock.now()
        await roll_off(hq.database, day_months=2, history_months=24, now=now)
    assert await in_force(hq, CITY, day) == 1

    for code in (HQ, PROVINCE, CITY):
        await analysed[code].run_job("reporting-compare")
    await analysed.settle()
    async with hq.database.transaction() as session:
        found = await session.scalar(text("SELECT count(*) FROM reporting_difference"))
        left = await session.scalar(text("SELECT count(*) FROM statistics_fact WHERE volume < 0"))
        assert (found, left) == (0, 0)
        assert await reading.damaged(session, NOVEMBER) == []
    assert await differences(hq.database, hq.node.settings.tier) == []


async def test_what_waits_for_approval_is_not_rolled_off(analysed: Nation, sign_in: SignIn) -> None:
    hq = analysed[HQ]
    one, other = (await sign_in(hq, Role.HQ_ANALYST), await sign_in(hq, Role.HQ_ANALYST))
    await say(analysed[CITY], 4)
    await say(analysed[CITY], 5, 2)
    await analysed.settle()
    await close(analysed, one, other)
    await say(analysed[CITY], 9, 3)
    await analysed.settle()
    later = analysed.clock.now() + timedelta(days=1200)
    done = await roll_off(hq.database, day_months=2, history_months=24, now=later)
    assert done.revisions == 1
    kept = "SELECT revision FROM statistics_slice WHERE rolled_off_at IS NULL ORDER BY revision"
    rows = await (await hq.database.pool()).fetch(kept)
    assert [row["revision"] for row in rows] == [2, 3]

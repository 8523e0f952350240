"""The nightly comparison: what is lost or altered is found, repaired, and seen until then."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from shared.capability import Role
from shared.reporting.models import ReportingDifference
from shared.statistics.sketches import digest
from tests.conftest import Nation, TestNode
from tests.reporting.saying import (
    NOVEMBER,
    Headers,
    ask,
    close,
    in_force_everywhere,
    say,
    say_people,
)
from tests.sketched import distinct, persons

SignIn = Callable[..., Awaitable[Headers]]
CITY, PROVINCE, HQ = "440300", "440000", "000000"
EVERYWHERE = (HQ, PROVINCE, CITY)


async def compare_by_night(nation: Nation) -> None:
    """Let a night pass."""
    nation.clock.advance(timedelta(days=1))
    for code in (HQ, PROVINCE, "440100", CITY):
        await nation[code].run_job("reporting-compare")
        await nation.settle()


async def differences(node: TestNode) -> list[tuple[str, str, bool]]:
    """Return what was found: fault, peer and whether it is repaired."""
    async with node.database.transaction() as session:
        rows = await session.execute(
            select(
                ReportingDifference.fault,
                ReportingDifference.peer,
                ReportingDifference.repaired_at.is_not(None),
            ).order_by(ReportingDifference.id)
        )
        return [(fault, peer, repaired) for fault, peer, repaired in rows]


async def customers(node: TestNode) -> int:
    """Add up the facts of a node, whatever its register says."""
    async with node.database.transaction() as session:
        statement = """
            SELECT coalesce(sum(f.value), 0) FROM statistics_fact f
            JOIN statistics_measure m ON m.id = f.measure_id AND m.code = 'customers'
            JOIN statistics_slice s ON s.id = f.slice_id WHERE s.superseded_at IS NULL"""
        return int(await session.scalar(text(statement)) or 0)


async def lose_facts(node: TestNode) -> None:
    async with node.database.transaction() as session:
        await session.execute(text("DELETE FROM statistics_fact"))


async def lose_slices(node: TestNode) -> None:
    async with node.database.transaction() as session:
        await session.execute(text("TRUNCATE statistics_slice CASCADE"))


async def alter_facts(node: TestNode) -> None:
    async with node.database.transaction() as session:
        await session.execute(text("UPDATE statistics_fact SET value = value + 1"))


async def scraped(node: TestNode, sign_in: SignIn) -> str:
    answer = await node.client.get("/metrics", headers=await sign_in(node, Role.OPERATOR))
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.fixture
async def said(four: Nation) -> Nation:
    await say(four[CITY], 5)
    await say(four["440100"], 3)
    await four.settle()
    return four


async def test_nothing_is_found_where_nothing_differs(said: Nation) -> None:
    with capture_logs() as logged:
        await compare_by_night(said)
    assert [each for each in logged if each["log_level"] in {"warning", "error"}] == []
    for node in said.nodes.values():
        assert await differences(node) == []


@pytest.mark.parametrize("harm", [lose_facts, lose_slices, alter_facts])
@pytest.mark.parametrize("code", EVERYWHERE)
async def test_what_is_lost_or_altered_is_found_and_repaired(
    said: Nation, code: str, harm: Callable[[TestNode], Awaitable[None]]
) -> None:
    whole = {each: await customers(said[each]) for each in EVERYWHERE}
    assert whole == {HQ: 8, PROVINCE: 8, CITY: 5}
    await harm(said[code])
    assert await customers(said[code]) != whole[code]

    await compare_by_night(said)

    assert {each: await customers(said[each]) for each in EVERYWHERE} == whole
    found = [each for node in said.nodes.values() for each in await differences(node)]
    assert found
    await compare_by_night(said)
    for node in said.nodes.values():
        assert all(repaired for _, _, repaired in await differences(node)), node.code
    assert await in_force_everywhere(said, CITY) == {1}


async def images(node: TestNode) -> list[bytes]:
    """Return the sketches of a node's slices, the city's and its neighbour's."""
    pool = await node.database.pool()
    rows = await pool.fetch(
        "SELECT k.image FROM statistics_sketch k JOIN statistics_slice s ON s.id = k.part_id ORDER BY s.node, k.family"
    )
    return [row["image"] for row in rows]


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM statistics_sketch WHERE family = 15",
        "UPDATE statistics_sketch SET image = set_byte(image, 999, 1 - get_byte(image, 999) % 2)",
    ],
)
@pytest.mark.parametrize("code", EVERYWHERE)
async def test_sketches_that_are_lost_or_altered_are_repaired(
    four: Nation, code: str, harm: str
) -> None:
    await say_people(four[CITY], 400)
    await say_people(four["440100"], 300)
    await four.settle()
    whole = {each: await images(four[each]) for each in EVERYWHERE}
    assert {each: len(found) for each, found in whole.items()} == {HQ: 4, PROVINCE: 4, CITY: 2}
    async with four[code].database.transaction() as session:
        await session.execute(text(harm))
    assert await images(four[code]) != whole[code]

    await compare_by_night(four)

    assert {each: await images(four[each]) for each in EVERYWHERE} == whole
    await compare_by_night(four)
    for node in four.nodes.values():
        assert all(repaired for _, _, repaired in await differences(node)), node.code


async def test_hq_merges_what_a_province_says_of_people(four: Nation) -> None:
    await say_people(four[CITY], 400)
    await four.settle()
    pool = await four[PROVINCE].database.pool()
    other = distinct(persons(9))
    measure = "(SELECT id FROM statistics_measure WHERE code = 'distinct_customers')"
    await pool.execute(
        f"UPDATE statistics_sketch SET image = $1 WHERE measure_id = {measure}",  # noqa: S608 - the above
        other,
    )
    await pool.execute(
        "UPDATE statistics_slice SET control_totals = control_totals || jsonb_build_object('distinct_customers', $1::bigint)",
        digest(other),
    )

    with capture_logs() as logged:
        await compare_by_night(four)

    assert any(each["event"] == "a province's totals differ" for each in logged)


async def test_a_difference_is_on_the_board_and_in_the_metrics_until_it_is_repaired(
    said: Nation, sign_in: SignIn
) -> None:
    hq = said[HQ]
    await lose_facts(hq)
    said.network.cut.update({HQ, PROVINCE})
    await hq.run_job("reporting-compare")

    analyst = await sign_in(hq, Role.HQ_ANALYST)
    board = await ask(hq, "board", analyst, period=NOVEMBER, state="differing")
    assert [each["node"] for each in board["slices"]] == ["440100", CITY]
    assert sum(row["differing"] for row in board["summary"]) == 2
    metrics = await scraped(hq, sign_in)
    assert 'guanxi_reporting_open_differences{fault="damaged"} 2.0' in metrics

    said.network.cut.clear()
    await compare_by_night(said)
    analyst = await sign_in(hq, Role.HQ_ANALYST)
    board = await ask(hq, "board", analyst, period=NOVEMBER, state="differing")
    assert board["slices"] == []
    metrics = await scraped(hq, sign_in)
    assert 'guanxi_reporting_open_differences{fault="damaged"} 0.0' in metrics
    assert 'guanxi_reporting_differences_total{fault="damaged"} 2.0' in metrics


async def test_a_lost_close_and_a_lost_decision_come_with_the_comparison(
    said: Nation, sign_in: SignIn
) -> None:
    hq = said[HQ]
    people = [await sign_in(hq, Role.HQ_ANALYST) for _ in range(2)]
    await close(said, people[0], people[1])
    async with said[CITY].database.transaction() as session:
        await session.execute(text("DELETE FROM reporting_statement"))
        await session.execute(text("DELETE FROM statistics_limit"))
    await say(said[CITY], 6, 2)
    await said.settle()
    assert await in_force_everywhere(said, CITY) == {1, 2}

    await compare_by_night(said)

    assert await in_force_everywhere(said, CITY) == {1}


async def test_hq_adds_up_what_a_province_says(said: Nation) -> None:
    async with said[PROVINCE].database.transaction() as session:
        # One up, one down: every register still adds up, and only the parts tell.
        await session.execute(
            text(
                "UPDATE statistics_slice SET control_totals ="
                " jsonb_set(control_totals, '{customers}', '6') WHERE node = :city"
            ),
            {"city": CITY},
        )
        await session.execute(text("UPDATE statistics_fact SET value = 6 WHERE value = 5"))

    with capture_logs() as logged:
        await compare_by_night(said)

    assert any(each["event"] == "a province's totals differ" for each in logged)
    assert ("total", PROVINCE, False) in await differences(said[HQ])

"""One page shows every node below: what each last told of itself, and how long ago."""

from datetime import timedelta

from shared.federation.models import Lane
from shared.federation.report import Heard, subtree
from tests.conftest import Nation, TestNode
from tests.federation.conftest import post_numbers


async def heard_at(node: TestNode) -> dict[str, Heard]:
    async with node.database.transaction() as session:
        found = await subtree(session, now=node.clock.now())
    return {each.report.code: each for each in found}


async def test_hq_sees_the_whole_tree_through_the_provinces(line: Nation) -> None:
    line.clock.advance(timedelta(seconds=31))
    await line.settle()
    line.clock.advance(timedelta(seconds=31))
    await line.settle()
    heard = await heard_at(line["000000"])
    assert {(code, each.report.parent) for code, each in heard.items()} == {
        ("440000", "000000"),
        ("440300", "440000"),
    }
    assert not any(each.needs_attention for each in heard.values())
    assert {lane["lane"] for lane in heard["440300"].report.links} == set(Lane)


async def test_what_is_parked_far_below_asks_for_attention_at_hq(line: Nation) -> None:
    await post_numbers(line["000000"], "440300", 1, poison=True)
    await line.settle()
    for _ in range(2):
        line.clock.advance(timedelta(seconds=31))
        await line.settle()
    heard = await heard_at(line["000000"])
    assert heard["440300"].needs_attention
    assert heard["440300"].report.parked == 1
    assert not heard["440000"].needs_attention


async def test_a_node_that_falls_silent_is_named(line: Nation) -> None:
    line.clock.advance(timedelta(seconds=31))
    await line.settle()
    line.network.cut.add("440000")
    line.clock.advance(timedelta(minutes=6))
    heard = await heard_at(line["440000"])
    assert heard["440300"].needs_attention
    assert heard["440300"].age_seconds >= 360

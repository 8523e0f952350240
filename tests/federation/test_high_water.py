"""A node knows that its database was restored, for how long it recalls, and shuts its doors so long."""

from dataclasses import replace

import pytest

from shared.federation.high_water import FILE, HighWaterMark
from shared.federation.link import LanesDisagree
from shared.federation.models import Lane
from shared.node import recalling
from tests.conftest import MakeNode, Nation, TestNode
from tests.federation.conftest import numbers_at, post_numbers
from tests.federation.test_restore import agree, back_up, forget_sent, restore

CITY, PROVINCE = "440300", "440000"


def started_again(node: TestNode) -> HighWaterMark:
    """Return what the next process of the node sees."""
    return HighWaterMark(node.node.settings.directory, node.context.database)


async def recalls(node: TestNode) -> bool:
    return not await started_again(node).reached()


async def test_a_node_that_was_not_restored_does_not_recall(line: Nation) -> None:
    await post_numbers(line[CITY], PROVINCE, 1, 2)
    await post_numbers(line[PROVINCE], CITY, 3)
    await line.settle()
    assert [await recalls(node) for node in line.nodes.values()] == [False, False, False]


async def test_a_node_without_parent_does_not_recall(make_node: MakeNode) -> None:
    assert not await recalls(await make_node(CITY))


async def test_a_node_that_forgot_what_it_sent_recalls_until_it_has_met_its_parent(
    line: Nation,
) -> None:
    city = line[CITY]
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    await back_up(city)
    await post_numbers(city, PROVINCE, 2, 3)
    await line.settle()
    await restore(city)
    mark = started_again(city)
    assert not await mark.reached()
    await agree(line)
    assert await mark.reached()
    await restore(city)
    assert await mark.reached(), "asked of once a process"


async def test_a_node_that_forgot_what_it_heard_recalls_until_it_has_heard_it_again(
    line: Nation,
) -> None:
    city = line[CITY]
    await back_up(city)
    await post_numbers(line[PROVINCE], CITY, 1, 2)
    await line.settle()
    await restore(city)
    await city.node.dialler.reconcile()
    assert await recalls(city)
    assert await numbers_at(city) == []
    await line.settle()
    assert await numbers_at(city) == [1, 2]
    assert not await recalls(city)


async def test_without_the_file_it_meets_its_parent_first_and_learns_from_it(line: Nation) -> None:
    city = line[CITY]
    await back_up(city)
    await post_numbers(line[PROVINCE], CITY, 1)
    await line.settle()
    await restore(city)
    (city.node.settings.directory / FILE).unlink()
    assert await recalls(city)
    await city.node.dialler.reconcile()
    assert await recalls(city), "the parent says that it had received more"
    await line.settle()
    assert not await recalls(city)


async def test_a_file_that_cannot_be_read_is_none(line: Nation) -> None:
    city = line[CITY]
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    (city.node.settings.directory / FILE).write_text('{"parent": "440000", "sent"')
    assert await recalls(city)
    await city.node.dialler.reconcile()
    assert not await recalls(city)


async def test_a_parent_that_went_back_makes_no_child_recall(line: Nation) -> None:
    city, province = line[CITY], line[PROVINCE]
    await back_up(province)
    await post_numbers(city, PROVINCE, 1, 2)
    await line.settle()
    await restore(province)
    with pytest.raises(LanesDisagree):
        await city.node.dialler.poll(wait=0)
    assert not await recalls(city)
    await agree(line)
    assert not await recalls(city)
    assert not await recalls(province)


async def test_a_lane_that_is_stopped_holds_nothing_up(line: Nation) -> None:
    city, province = line[CITY], line[PROVINCE]
    await back_up(city)
    await post_numbers(province, CITY, 1, 2)
    await line.settle()
    await forget_sent(province, CITY)
    await restore(city)
    assert await recalls(city)
    await agree(line)
    assert not await recalls(city)


async def test_an_operator_may_trust_the_database(line: Nation) -> None:
    city = line[CITY]
    await back_up(city)
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    await restore(city)
    mark = started_again(city)
    assert not await mark.reached()
    await started_again(city).trust()
    assert await mark.reached()
    await agree(line)
    assert await numbers_at(line[PROVINCE]) == [1]


async def test_each_lane_counts_by_itself(line: Nation) -> None:
    city = line[CITY]
    await back_up(city)
    await post_numbers(city, PROVINCE, 1, lane=Lane.ROLLUP)
    await line.settle()
    await restore(city)
    await post_numbers(city, PROVINCE, 2, 3)
    assert await recalls(city), "what is new on one lane makes up for nothing on another"


async def test_a_recalling_node_shows_what_it_has_and_changes_nothing(line: Nation) -> None:
    city = line[CITY]
    await back_up(city)
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    await restore(city)
    city.app.state.context = replace(city.context, high_water=started_again(city))
    refused = await city.client.post("/anything", headers={"Accept-Language": "zh"})
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "2"
    assert refused.json()["type"] == recalling.NodeRecalling.type_uri()
    assert "440300 由备份恢复" in refused.json()["detail"]
    for method, path in (("GET", "/anything"), ("POST", "/oauth/x"), ("POST", "/operations/x")):
        assert (await city.client.request(method, path)).status_code == 404
    ready = await city.client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]["history"]) == (200, {"status": "recalling"})
    await agree(line)
    assert (await city.client.post("/anything")).status_code == 404
    ready = await city.client.get("/health/ready")
    assert ready.json()["checks"]["history"] == {"status": "whole"}

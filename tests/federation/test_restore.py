"""A node restored from an old backup: its peers find it out, both reconcile, nothing is lost, doubled or guessed."""

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from shared.federation import standing
from shared.federation.delivery import Delivery
from shared.federation.link import LanesDisagree, LinkDown
from shared.federation.models import Lane, LaneState, OutboxMessage, Peer
from shared.federation.records import Reconciliation
from tests.conftest import Nation, TestNode
from tests.federation.conftest import COUNTING, ECHOED, numbers_at, post_numbers

CITY, PROVINCE, HQ = "440300", "440000", "000000"
_TABLES = (
    "federation_peer",
    "federation_lane",
    "federation_outbox",
    "federation_inbox",
    "federation_receipt",
    "federation_registry",
    "federation_reconciliation",
    "test_effect",
)


async def back_up(node: TestNode) -> None:
    """Remember what the node's database holds."""
    async with node.database.transaction() as session:
        for table in _TABLES:
            await session.execute(text(f"DROP TABLE IF EXISTS backup_{table}"))
            await session.execute(text(f"CREATE TABLE backup_{table} AS TABLE {table}"))


async def restore(node: TestNode) -> None:
    """Put back what :func:`back_up` remembered."""
    async with node.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in _TABLES:
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
            await session.execute(text(f"INSERT INTO {table} SELECT * FROM backup_{table}"))  # noqa: S608 - as above


async def forget_sent(node: TestNode, peer: str) -> None:
    """Keep no longer what the node had sent to a peer on the lane ``request``."""
    async with node.database.transaction() as session:
        await session.execute(
            text("DELETE FROM federation_outbox WHERE peer = :peer AND lane = 'request'"),
            {"peer": peer},
        )


async def events_at(node: TestNode) -> list[tuple[str, str, str, int, int]]:
    async with node.database.transaction() as session:
        found = await session.scalars(select(Reconciliation).order_by(Reconciliation.position))
        return [(e.peer, e.lane, e.event, e.from_number, e.to_number) for e in found]


async def agree(nation: Nation) -> None:
    """Let every child reconcile with its parent, the lowest last, and everything flow."""
    for code in (PROVINCE, CITY):
        await nation[code].node.dialler.reconcile()
    await nation.settle()


async def test_two_that_agree_find_nothing_to_mend(line: Nation) -> None:
    await post_numbers(line[CITY], HQ, 1, 2)
    await line.settle()
    assert await line[CITY].node.dialler.reconcile() == 1
    assert await events_at(line[CITY]) == []
    assert await events_at(line[PROVINCE]) == []


async def test_a_restored_sender_is_refused_when_it_gives_old_numbers_to_new_messages(
    line: Nation,
) -> None:
    city, province = line[CITY], line[PROVINCE]
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    await back_up(city)
    await post_numbers(city, PROVINCE, 2, 3)
    await line.settle()
    await restore(city)
    await post_numbers(city, PROVINCE, 4, 5, 6)
    with pytest.raises(LanesDisagree, match="chain"):
        await city.node.dialler.push(Lane.REQUEST)
    assert await numbers_at(province) == [1, 2, 3]
    await agree(line)
    assert await numbers_at(province) == [1, 2, 3, 4, 5, 6]
    assert await numbers_at(city, ECHOED) == [1, 2, 3, 4, 5, 6]
    assert (PROVINCE, "request", "recovered", 1, 3) in await events_at(city)
    assert (CITY, "request", "given-back", 1, 3) in await events_at(province)


async def test_a_restored_sender_with_less_to_say_than_was_received_notices(line: Nation) -> None:
    city = line[CITY]
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    await back_up(city)
    await post_numbers(city, PROVINCE, 2, 3, 4)
    await line.settle()
    await restore(city)
    await post_numbers(city, PROVINCE, 5)
    with pytest.raises(LinkDown):
        await city.node.dialler.push(Lane.REQUEST)
    await agree(line)
    assert await numbers_at(line[PROVINCE]) == [1, 2, 3, 4, 5]


async def test_a_restored_child_does_again_what_its_backup_does_not_hold(line: Nation) -> None:
    city, hq = line[CITY], line[HQ]
    await post_numbers(hq, CITY, 1)
    await line.settle()
    await back_up(city)
    await post_numbers(hq, CITY, 2, 3)
    await line.settle()
    await restore(city)
    assert await numbers_at(city) == [1]
    await agree(line)
    assert await numbers_at(city) == [1, 2, 3]
    assert await numbers_at(hq, ECHOED) == [1, 2, 3], "an answer given twice arrives once"


@pytest.mark.parametrize("code", [PROVINCE, HQ])
async def test_a_restored_node_above_gets_back_what_it_had_from_below_and_had_sent_there(
    line: Nation, code: str
) -> None:
    city, hq = line[CITY], line[HQ]
    await post_numbers(city, HQ, 1)
    await post_numbers(hq, CITY, 11)
    await line.settle()
    await back_up(line[code])
    await post_numbers(city, HQ, 2, 3)
    await post_numbers(hq, CITY, 12, 13)
    await line.settle()
    await restore(line[code])
    await post_numbers(city, HQ, 4)
    await post_numbers(hq, CITY, 14)
    await agree(line)
    assert await numbers_at(hq) == [1, 2, 3, 4]
    assert await numbers_at(city) == [11, 12, 13, 14]
    assert await numbers_at(city, ECHOED) == [1, 2, 3, 4]
    # HQ restored counts the echoes of what it had sent again, each once.
    assert sorted(await numbers_at(hq, ECHOED)) == [11, 12, 13, 14]


async def test_a_restored_parent_is_noticed_by_a_child_that_has_nothing_to_send(
    line: Nation,
) -> None:
    city, province = line[CITY], line[PROVINCE]
    await back_up(province)
    await post_numbers(city, PROVINCE, 1)
    await city.node.dialler.push(Lane.REQUEST)
    await restore(province)
    with pytest.raises(LanesDisagree, match="has only 0 now"):
        await city.node.dialler.poll(wait=0)
    await agree(line)
    assert await numbers_at(province) == [1]


async def test_the_business_is_told_of_its_own_messages_that_came_back(
    line: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = line[CITY]
    told: list[int] = []

    async def remember(delivery: Delivery) -> None:
        told.append(delivery.message.data["number"])

    handlers, type_ = city.node.app.state.receiver.handlers, COUNTING.messages[0].type
    monkeypatch.setitem(handlers, type_, replace(handlers[type_], recovered=remember))
    await back_up(city)
    await post_numbers(city, HQ, 1, 2)
    await line.settle()
    await restore(city)
    await agree(line)
    assert told == [1, 2]


async def test_an_epoch_begins_and_both_sides_show_it(line: Nation) -> None:
    city, province = line[CITY], line[PROVINCE]
    await back_up(city)
    await post_numbers(city, PROVINCE, 1)
    await line.settle()
    await restore(city)
    await agree(line)
    epochs = []
    for node, peer in ((city, PROVINCE), (province, CITY)):
        async with node.database.transaction() as session:
            epochs.append((await session.get_one(Peer, peer)).epoch)
    assert epochs[0] == epochs[1] > 1


async def test_what_is_no_longer_kept_stops_the_lane_and_only_it(line: Nation) -> None:
    city, province = line[CITY], line[PROVINCE]
    await back_up(city)
    await post_numbers(province, CITY, 1, 2)
    await line.settle()
    await forget_sent(province, CITY)
    await restore(city)
    await agree(line)
    async with province.database.transaction() as session:
        states = await session.scalars(
            select(LaneState).where(LaneState.stopped_because.is_not(None))
        )
        stopped = {(state.lane, state.direction) for state in states}
        why = (await standing.of(session, CITY)).into[Lane.REQUEST].stopped_because
    assert stopped == {("request", "out"), ("request", "in")}
    assert "keeps only 0" in str(why)
    await post_numbers(city, PROVINCE, 3, lane=Lane.ROLLUP, key="other")
    await city.node.dialler.push(Lane.ROLLUP)
    assert await numbers_at(province) == [3]


async def test_recovered_messages_are_not_sent_again(line: Nation) -> None:
    """What a node posts anew under the same id, because it handles a message again, is what it had sent before."""
    city, hq = line[CITY], line[HQ]
    await post_numbers(hq, CITY, 1)
    await back_up(city)
    await line.settle()
    await restore(city)
    await agree(line)
    async with city.database.transaction() as session:
        echoes = list(
            await session.scalars(
                select(OutboxMessage.sequence).where(OutboxMessage.type == ECHOED)
            )
        )
    assert len(echoes) == 1
    assert None not in echoes
    assert await numbers_at(hq, ECHOED) == [1]

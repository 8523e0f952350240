"""Messages between real nodes: once, in order, whatever happens on the way."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text

from shared.federation import exchange, inbox, outbox, repository
from shared.federation.arrival import Arrival
from shared.federation.link import LinkDown
from shared.federation.models import InboxMessage, Lane, OutboxMessage, RegistryEntry
from shared.federation.receiver import Receiver
from tests.conftest import MakeNode, Nation, enrol
from tests.federation.conftest import COUNTED, COUNTING, ECHOED, numbers_at, post_numbers

NationOf = Callable[..., Awaitable[Nation]]


async def test_a_message_crosses_the_tree_and_its_answer_comes_back(nation_of: NationOf) -> None:
    nation = await nation_of("000000", "440000", "110000", "440300", "110100")
    await post_numbers(nation["440300"], "110100", 1, 2, 3)
    await nation.settle()
    assert await numbers_at(nation["110100"]) == [1, 2, 3]
    assert await numbers_at(nation["440300"], ECHOED) == [1, 2, 3]
    async with nation["110100"].database.transaction() as session:
        arrived = (
            await session.scalars(select(InboxMessage).where(InboxMessage.type == COUNTED))
        ).first()
    assert arrived is not None
    assert [hop["node"] for hop in arrived.hops] == ["440300", "440000", "000000", "110000"]


async def test_every_node_learns_every_other_from_the_registry(nation_of: NationOf) -> None:
    nation = await nation_of("000000", "440000", "110000", "440300", "110100")
    for node in nation.nodes.values():
        async with node.database.transaction() as session:
            entries = await repository.registry(session)
        assert {entry.code for entry in entries} == set(nation.nodes), node.code
        assert all(entry.statement for entry in entries), node.code


async def test_what_is_posted_while_the_link_is_cut_arrives_once_it_heals(line: Nation) -> None:
    line.network.cut.add("440000")
    await post_numbers(line["440300"], "000000", 1, 2)
    with pytest.raises(LinkDown, match="no route to 440000"):
        await line["440300"].node.dialler.push(Lane.REQUEST)
    await line.settle()
    assert await numbers_at(line["000000"]) == []
    line.network.cut.clear()
    await post_numbers(line["440300"], "000000", 3)
    await line.settle()
    assert await numbers_at(line["000000"]) == [1, 2, 3]
    assert await numbers_at(line["440300"], ECHOED) == [1, 2, 3]


async def test_a_batch_whose_acknowledgement_is_lost_takes_effect_once(line: Nation) -> None:
    """Every request reaches the parent and every second answer is thrown away: those batches come twice."""
    through = line.network.handle_async_request
    chance = random.Random(7)  # noqa: S311 - the same losses in every run
    lost = 0

    async def lossy(request: httpx.Request) -> httpx.Response:
        nonlocal lost
        response = await through(request)
        if chance.random() < 0.5:
            lost += 1
            await response.aread()
            raise httpx.ReadError("the answer was lost", request=request)
        return response

    line.network.handle_async_request = lossy  # type: ignore[method-assign]
    await post_numbers(line["440300"], "000000", *range(1, 21))
    for _ in range(30):
        await line.settle()
    assert lost > 10
    assert await numbers_at(line["000000"]) == list(range(1, 21))
    assert await numbers_at(line["440300"], ECHOED) == list(range(1, 21))


async def test_a_message_seen_before_under_another_sequence_number_is_skipped(line: Nation) -> None:
    """A peer that was restored may send an old message anew; origin and id still name it."""
    city = line["440300"]
    await post_numbers(city, "440000", 7)
    await line.settle()
    async with city.database.transaction() as session:
        await session.execute(
            text(
                """
                INSERT INTO federation_outbox (message_id, peer, lane, type, destination, envelope, signature, hops, posted_at)
                SELECT message_id, peer, lane, type, destination, envelope, signature, hops, posted_at
                FROM federation_outbox WHERE type = :type
                """
            ),
            {"type": COUNTED},
        )
    await line.settle()
    assert await numbers_at(line["440000"]) == [7]


async def test_a_batch_is_the_same_batch_when_it_is_sent_again(line: Nation) -> None:
    city = line["440300"]
    await post_numbers(city, "440000", 1, 2)
    async with city.database.transaction() as session:
        first = await outbox.number_next(session, "440000", Lane.REQUEST, most=10, most_bytes=10**6)
    await post_numbers(city, "440000", 3)
    async with city.database.transaction() as session:
        again = await outbox.number_next(session, "440000", Lane.REQUEST, most=10, most_bytes=10**6)
    assert first is not None
    assert again is not None
    assert (first.first, first.last) == (1, 2)
    assert (again.first, again.last) == (1, 3)
    assert again.messages[:2] == first.messages


async def test_sequence_numbers_are_dense_in_commit_order(line: Nation) -> None:
    """Of two open transactions the one that commits later is numbered later, and a rollback leaves no gap."""
    city = line["440300"]
    post = city.context.post

    async def post_one(session: object, number: int) -> None:
        await post.post(
            session,  # type: ignore[arg-type]
            COUNTED,
            "440000",
            {"number": number},
            lane=Lane.REQUEST,
            partition_key=str(number),
            now=city.clock.now(),
        )

    async def change_ones_mind() -> None:
        async with city.database.transaction() as rolled_back:
            await post_one(rolled_back, 0)
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await change_ones_mind()
    async with city.database.transaction() as late:
        await post_one(late, 1)
        async with city.database.transaction() as early:
            await post_one(early, 2)
        await city.node.dialler.push(Lane.REQUEST)
    await line.settle()
    assert await numbers_at(line["440000"]) == [2, 1]
    async with city.database.transaction() as session:
        numbers = list(
            await session.scalars(
                select(OutboxMessage.sequence)
                .where(OutboxMessage.lane == Lane.REQUEST)
                .order_by(OutboxMessage.sequence)
            )
        )
    assert numbers == [1, 2]


async def test_a_batch_is_limited_by_count_and_by_bytes(line: Nation) -> None:
    city = line["440300"]
    await post_numbers(city, "440000", *range(6))
    async with city.database.transaction() as session:
        by_count = await outbox.number_next(
            session, "440000", Lane.REQUEST, most=4, most_bytes=10**6
        )
        by_bytes = await outbox.number_next(session, "440000", Lane.REQUEST, most=4, most_bytes=1)
    assert by_count is not None
    assert len(by_count.messages) == 4
    assert by_bytes is not None
    assert len(by_bytes.messages) == 1, "one message goes even when it is larger than the limit"


async def test_poison_is_parked_with_what_is_behind_it_and_the_rest_flows(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    await post_numbers(city, "000000", 1, key="a")
    await post_numbers(city, "000000", 2, key="a", poison=True)
    await post_numbers(city, "000000", 3, key="a")
    await post_numbers(city, "000000", 4, key="b", defect=True)
    await post_numbers(city, "000000", 5, key="c")
    await line.settle()
    assert await numbers_at(hq) == [1, 5]
    async with hq.database.transaction() as session:
        parked = await inbox.parked(session, "440300")
    assert [(row.partition_key, (row.reason or "").split(":")[0]) for row in parked] == [
        ("a", "MessageRefused"),
        (
            "a",
            "An earlier message of the same origin and partition key is parked; this one waits behind it.",
        ),
        ("b", "KeyError"),
    ]


async def test_a_message_whose_origin_is_not_yet_known_waits_for_the_registry(line: Nation) -> None:
    hq = line["000000"]
    await post_numbers(line["440300"], "000000", 1)
    async with hq.database.transaction() as session:
        entry = (await repository.registry_entries(session, ["440300"]))["440300"]
        kept = {column.key: getattr(entry, column.key) for column in entry.__table__.columns}
        await session.delete(entry)
    await line.settle()
    assert await numbers_at(hq) == []
    async with hq.database.transaction() as session:
        session.add(RegistryEntry(**kept))
        await session.flush()
        assert await hq.app.state.receiver.retry_parked(session, "440300", now=hq.clock.now()) == 1
    assert await numbers_at(hq) == [1]


async def test_what_waits_for_a_parent_leaves_when_the_node_joins_one(
    make_node: MakeNode, nation_of: NationOf
) -> None:
    nation = await nation_of("000000", "440000")
    late = await make_node("440300", [COUNTING])
    nation.nodes["440300"] = late
    await post_numbers(late, "000000", 1)
    await enrol(late, nation["440000"])
    await nation.settle()
    assert await numbers_at(nation["000000"]) == [1]


async def test_two_dialling_processes_still_deliver_once_and_in_order(line: Nation) -> None:
    """Leadership makes one dial at a time; the locks hold even when two do."""
    await post_numbers(line["440300"], "440000", *range(1, 31))
    dialler = line["440300"].node.dialler
    await asyncio.gather(*[dialler.push(Lane.REQUEST) for _ in range(4)])
    await line.settle()
    assert await numbers_at(line["440000"]) == list(range(1, 31))


async def test_a_failed_commit_is_never_acknowledged(line: Nation) -> None:
    """The parent's commit fails after everything was done: the child must not believe that it has the batch."""
    city, province = line["440300"], line["440000"]
    async with province.database.engine.begin() as connection:
        await connection.execute(
            text(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$;
                """
            )
        )
        await connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON federation_inbox "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        )
    await post_numbers(city, "440000", 1)
    with pytest.raises(LinkDown, match="answered 500"):
        await city.node.dialler.push(Lane.REQUEST)
    async with province.database.engine.begin() as connection:
        await connection.execute(text("DROP TRIGGER refuse ON federation_inbox"))
    await line.settle()
    assert await numbers_at(province) == [1]
    async with province.database.transaction() as session:
        assert (
            await session.scalar(
                select(func.count()).select_from(InboxMessage).where(InboxMessage.type == COUNTED)
            )
            == 1
        )


async def test_a_batch_that_is_not_answered_is_sent_again_in_smaller_parts(line: Nation) -> None:
    """It may have been too much for the time that an exchange may take, and would be so for ever."""
    city, province = line["440300"], line["440000"]
    await post_numbers(city, "440000", *range(1, 121))
    through = line.network.handle_async_request
    sizes: list[int] = []

    async def too_slow_for_many(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/batches"):
            batch = exchange.read(exchange.Batch, request.content)
            sizes.append(len(batch.messages))
            if len(batch.messages) > 40:
                raise httpx.ReadTimeout("not in time", request=request)
        return await through(request)

    line.network.handle_async_request = too_slow_for_many  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(LinkDown, match="not in time"):
            await city.node.dialler.push(Lane.REQUEST)
    for _ in range(8):
        await line.settle()
    assert sizes[:3] == [120, 50, 12]
    assert max(sizes[3:]) <= 50, "it grows again, and not at once"
    assert await numbers_at(province) == list(range(1, 121))


async def test_one_bad_message_of_many_is_found_without_taking_each_alone(
    line: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, province = line["440300"], line["440000"]
    alone: list[int] = []
    take_alone = Receiver._take_alone

    async def counted(receiver: Receiver, session: Any, row: Arrival, **more: Any) -> None:
        alone.append(row.sequence or 0)
        await take_alone(receiver, session, row, **more)

    monkeypatch.setattr(Receiver, "_take_alone", counted)
    for number in range(1, 41):
        await post_numbers(city, "440000", number, key=str(number % 7), poison=number == 20)
    await line.settle()
    assert alone == [20]
    # 27 and 34 have the key of 20, and wait behind it
    assert await numbers_at(province) == [n for n in range(1, 41) if n not in {20, 27, 34}]

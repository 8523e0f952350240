"""Nodes compare what they hold: who joined late or was restored from a backup comes to hold what it should."""

from collections.abc import Awaitable, Callable

import pytest

from shared.federation.delivery import Delivery
from shared.federation.envelope import unpack
from shared.federation.models import Lane
from shared.policy import sharing
from tests.conftest import MakeNode, Nation, enrol
from tests.policy.conftest import LATER, Office, OfficeOf
from tests.policy.holding import (
    back_up,
    compare,
    forget,
    held_at,
    parked_at,
    restore,
    statements_from,
)
from tests.policy.thresholds import CAPABILITIES, gold, national

HQ, PROVINCE, CITY, OTHER = "000000", "440000", "440300", "440100"


async def test_a_city_that_joins_later_gets_what_was_said_before(
    make_node: MakeNode, joined: Callable[..., Awaitable[Nation]], office_of: OfficeOf
) -> None:
    nation = await joined((HQ, PROVINCE), CAPABILITIES)
    hq, province = [await office_of(nation[code]) for code in (HQ, PROVINCE)]
    await hq.publish(national(window_months=11))
    await hq.publish(national(window_months=12))
    await hq.withdraw(2)
    await province.publish(gold(60_000))
    await nation.settle()

    nation.nodes[CITY] = await make_node(CITY, CAPABILITIES)
    city = await office_of(nation[CITY])
    await city.publish(gold(55_000))  # by itself, before it joined
    await city.node.run_job("policy-compare")
    await enrol(city.node, nation[PROVINCE])
    await city.node.run_job("policy-compare")
    await city.node.run_job("policy-compare")
    await nation.settle()

    expected = "thresholds 1 + 440000:1 + 440300:1"
    assert await city.in_force() == expected
    assert await hq.in_force(at=CITY) == expected
    assert not any([await parked_at(node) for node in nation.nodes.values()])


@pytest.mark.parametrize("lost", [HQ, PROVINCE, CITY])
async def test_what_a_restore_lost_comes_back_when_nodes_compare(
    lost: str, line: Nation, offices: dict[str, Office]
) -> None:
    await offices[HQ].publish(national(window_months=12))
    await offices[PROVINCE].publish(gold(60_000))
    await offices[CITY].publish(gold(55_000))
    await offices[CITY].publish(gold(56_000))
    await offices[CITY].withdraw(2)
    await line.settle()
    before = {code: await held_at(node) for code, node in line.nodes.items()}
    assert len(before[lost]) == 5

    await forget(line[lost])
    await compare(line)

    assert {code: await held_at(node) for code, node in line.nodes.items()} == before
    assert await offices[lost].in_force(at=CITY) == "thresholds 1 + 440000:1 + 440300:1"
    assert not any([await parked_at(node) for node in line.nodes.values()])


async def test_nodes_that_hold_the_same_say_nothing_more(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[HQ].publish(national(window_months=12))
    await line.settle()
    await compare(line)

    async def said() -> int:
        return sum([len(await statements_from(node)) for node in line.nodes.values()])

    before = await said()
    await compare(line)
    assert await said() == before == 3  # to the province, and to its two cities


async def test_a_restored_publisher_knows_again_what_its_peers_give_back(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[CITY].publish(gold(55_000))
    held = await held_at(line[CITY])
    await forget(line[CITY])
    (handler,) = (
        each
        for capability in CAPABILITIES
        for each in capability.messages
        if each.type == sharing.PUBLISHED
    )
    assert handler.recovered is not None
    for _ in range(2):
        for envelope in await statements_from(line[CITY]):
            async with line[CITY].database.transaction() as session:
                delivery = Delivery(unpack(envelope), (), session, line.clock.now())
                await handler.recovered(line[CITY].context, delivery)
    assert await held_at(line[CITY]) == held
    assert await offices[CITY].in_force() == "thresholds default + 440300:1"


async def test_a_number_that_was_given_twice_is_in_force_alike_everywhere(
    line: Nation, offices: dict[str, Office]
) -> None:
    await offices[PROVINCE].publish(gold(60_000))
    await line.settle()
    await forget(line[PROVINCE])
    await offices[PROVINCE].publish(gold(65_000))
    await line.settle()
    await compare(line)
    for code in (HQ, PROVINCE, CITY):
        found = await offices[code].get("", on=LATER, at=CITY)
        assert found["document"]["gold"]["from_fen"] == 60_000
    states = [each["state"] for each in (await offices[HQ].get("/versions"))["items"]]
    assert states == ["contradicted", "published"]
    assert (await offices[PROVINCE].publish(gold(66_000)))["number"] == 2


async def test_only_children_say_what_they_hold_and_only_parents_ask(
    line: Nation, offices: dict[str, Office]
) -> None:
    digests: dict[str, list[str]] = {"digests": []}
    for sender, receiver, type_ in (
        (PROVINCE, CITY, sharing.HELD),
        (CITY, PROVINCE, sharing.WANTED),
    ):
        async with line[sender].database.transaction() as session:
            await line[sender].context.post.post(
                session,
                type_,
                receiver,
                digests,
                lane=Lane.CONTROL,
                partition_key="policy/held",
                now=line.clock.now(),
            )
    async with line[CITY].database.transaction() as session:
        await line[CITY].context.post.post(
            session,
            sharing.HELD,
            PROVINCE,
            {"digests": "all"},
            lane=Lane.CONTROL,
            partition_key="policy/other",
            now=line.clock.now(),
        )
    await line.settle()
    assert len(await parked_at(line[CITY])) == 1
    assert len(await parked_at(line[PROVINCE])) == 2


async def test_a_city_that_moves_goes_by_its_new_provinces_override(
    joined: Callable[..., Awaitable[Nation]], office_of: OfficeOf
) -> None:
    nation = await joined((HQ, PROVINCE, "110000", CITY), CAPABILITIES)
    old, new, city = [await office_of(nation[code]) for code in (PROVINCE, "110000", CITY)]
    await old.publish(gold(60_000))
    await new.publish(gold(65_000))
    await city.publish({"silver": {"from_fen": 25_000}})
    await compare(nation)
    assert await city.in_force() == "thresholds default + 440000:1 + 440300:1"

    await enrol(city.node, nation["110000"], moving=True)
    await nation.settle()
    await compare(nation)

    expected = "thresholds default + 110000:1 + 440300:1"
    assert await city.in_force() == expected
    assert await new.in_force(at=CITY) == expected
    hq = await office_of(nation[HQ])
    assert await hq.in_force(at=CITY) == expected
    assert not any([await parked_at(node) for node in nation.nodes.values()])


@pytest.mark.parametrize("restored", [PROVINCE, CITY])
async def test_a_node_restored_from_a_backup_reconciles_and_holds_everything_again(
    restored: str, line: Nation, offices: dict[str, Office]
) -> None:
    await offices[restored].publish({"silver": {"from_fen": 25_000}})
    await line.settle()
    await back_up(line[restored])
    await offices[HQ].publish(national(window_months=12))
    await offices[PROVINCE].publish(gold(60_000))
    await offices[CITY].publish(gold(55_000))
    await offices[restored].withdraw(1)
    await line.settle()
    before = {code: await held_at(node) for code, node in line.nodes.items()}
    expected = await offices[HQ].in_force(at=CITY)

    await restore(line[restored])
    for code in (PROVINCE, CITY, OTHER):
        await line[code].node.dialler.reconcile()
    await line.settle()

    assert {code: await held_at(node) for code, node in line.nodes.items()} == before
    for code in (HQ, PROVINCE, CITY):
        assert await offices[code].in_force(at=CITY) == expected

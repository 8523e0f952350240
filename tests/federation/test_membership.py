"""Revoking, retiring and adding nodes of a running federation."""

from datetime import timedelta

import pytest

from shared.federation import membership, repository
from shared.federation.link import LinkDown
from shared.federation.models import Lane, NodeStatus, PeerStatus
from shared.federation.problems import (
    NodeHasChildren,
    NodeNotActive,
    NodeNotOurs,
    NodeRetired,
    NodeUnknown,
    RetirementNotProposed,
)
from shared.kernel.second_person import SecondPersonNeeded
from tests.conftest import MakeNode, Nation, TestNode, enrol
from tests.federation.conftest import (
    ALL,
    COUNTING,
    ask,
    entry_at,
    numbers_at,
    parked_at,
    peer_status,
    post_numbers,
)
from tests.federation.test_refusals import assert_refused, batch, signed


async def revoke(at: TestNode, code: str) -> None:
    async with at.database.transaction() as session:
        await membership.revoke(
            session, at.context.post, code, "stolen", by="one", now=at.clock.now()
        )


async def retire(at: TestNode, code: str) -> None:
    post, now = at.context.post, at.clock.now()
    async with at.database.transaction() as session:
        await membership.propose_retirement(session, post, code, "merged", by="one", now=now)
    async with at.database.transaction() as session:
        await membership.approve_retirement(session, post, code, by="two", now=now)


# Revoking


@pytest.mark.parametrize("by", [pytest.param("440000", marks=pytest.mark.thorough), "000000"])
async def test_a_revoked_node_is_refused_at_once_and_everywhere(two: Nation, by: str) -> None:
    city, province = two["440300"], two["440000"]
    await post_numbers(city, "110100", 1)
    await city.node.dialler.push(Lane.REQUEST)
    await revoke(two[by], "440300")
    if by == "440000":
        request = signed(city, batch(city, first=2))
        await assert_refused(province, request, 403, "peer-revoked")
    await two.settle()
    for node in two.nodes.values():
        if node is not city:
            entry = await entry_at(node, "440300")
            assert (entry.status, entry.reason) == (NodeStatus.REVOKED, "stolen"), node.code
            assert entry.is_confirmed
            assert entry.keys_at(node.clock.now()) == ()
    await assert_refused(province, signed(city, batch(city, first=2)), 403, "peer-revoked")
    with pytest.raises(LinkDown, match="was revoked at 440000"):
        await city.node.dialler.poll(wait=0)
    assert await peer_status(province, "440300") == PeerStatus.REVOKED


async def test_a_message_under_way_is_not_believed_once_its_origin_is_revoked(two: Nation) -> None:
    city, hq = two["440300"], two["000000"]
    await post_numbers(city, "000000", 1)
    await city.node.dialler.push(Lane.REQUEST)
    await revoke(hq, "440300")
    await two.settle()
    assert await numbers_at(hq) == []
    assert "no key that is valid" in ((await parked_at(hq))[0].reason or "")


async def test_a_revoked_node_joins_again_with_a_new_key_and_loses_nothing(two: Nation) -> None:
    city, province = two["440300"], two["440000"]
    await two.settle()
    await revoke(province, "440300")
    await post_numbers(city, "110100", 1)
    await post_numbers(two["110100"], "440300", 7)
    await two.settle()
    with pytest.raises(LinkDown, match="it is revoked, and with it this key"):
        await ask(city, province)
    city.context.post.keys.replace()
    await enrol(city, province)
    await two.settle()
    assert await peer_status(province, "440300") == PeerStatus.ACTIVE
    for node in two.nodes.values():
        entry = await entry_at(node, "440300")
        assert entry.status == NodeStatus.ACTIVE, node.code
        assert entry.keys_at(node.clock.now()) == (city.context.post.key.public,)
    assert await numbers_at(two["110100"]) == [1]
    assert await numbers_at(city) == [7]


async def test_only_the_parent_and_hq_revoke_and_nobody_themselves(two: Nation) -> None:
    for at, code in (
        ("110000", "440300"),
        ("440300", "440300"),
        ("440300", "440000"),
        ("000000", "000000"),
    ):
        with pytest.raises(NodeNotOurs):
            await revoke(two[at], code)
    with pytest.raises(NodeUnknown):
        await revoke(two["000000"], "310100")
    await revoke(two["440000"], "440300")
    await revoke(two["440000"], "440300")


async def test_a_province_cannot_have_another_ones_city_withdrawn(two: Nation) -> None:
    province = two["110000"]
    async with province.database.transaction() as session:
        await province.context.post.post(
            session,
            membership.WITHDRAWN,
            "000000",
            {"code": "440300", "status": "revoked", "reason": "envy"},
            lane=Lane.CONTROL,
            partition_key="registry/440300",
            now=province.clock.now(),
        )
    await two.settle()
    assert (await entry_at(two["000000"], "440300")).status == NodeStatus.ACTIVE
    assert "does not belong to it" in ((await parked_at(two["000000"]))[0].reason or "")


# Retiring


async def test_retiring_takes_two_persons(two: Nation) -> None:
    province = two["440000"]
    post, now = province.context.post, province.clock.now()
    async with province.database.transaction() as session:
        with pytest.raises(RetirementNotProposed):
            await membership.approve_retirement(session, post, "440300", by="two", now=now)
        await membership.propose_retirement(session, post, "440300", "merged", by="one", now=now)
        with pytest.raises(SecondPersonNeeded):
            await membership.approve_retirement(session, post, "440300", by="one", now=now)
        with pytest.raises(NodeNotOurs):
            await membership.propose_retirement(session, post, "110100", "x", by="one", now=now)
    hq = two["000000"]
    async with hq.database.transaction() as session:
        with pytest.raises(NodeHasChildren, match="440300"):
            await membership.propose_retirement(
                session, hq.context.post, "440000", "x", by="one", now=now
            )
    assert (await entry_at(province, "440300")).status == NodeStatus.ACTIVE


@pytest.mark.parametrize("by", [pytest.param("440000", marks=pytest.mark.thorough), "000000"])
async def test_a_retired_node_drains_and_its_link_closes(two: Nation, by: str) -> None:
    city, province, other = two["440300"], two["440000"], two["110100"]
    await post_numbers(other, "440300", 1)
    await two.settle()
    await post_numbers(city, "110100", 7)  # not sent yet
    await post_numbers(province, "440300", 2)
    await retire(two[by], "440300")
    with pytest.raises(NodeRetired, match="merged"):
        await post_numbers(two[by], "440300", 3)
    await province.run_job("identity")
    assert await peer_status(province, "440300") == PeerStatus.ACTIVE, "it has not drained"
    await two.settle()
    assert await numbers_at(city) == [1, 2]
    assert await numbers_at(other) == [7]
    for node in two.nodes.values():
        assert (await entry_at(node, "440300")).status == NodeStatus.RETIRED, node.code
        async with node.database.transaction() as session:
            assert await repository.registered_cities(session) == ["110100"]
        if node is not city:
            with pytest.raises(NodeRetired):
                await post_numbers(node, "440300", 4)
    two.clock.advance(timedelta(hours=2))
    for node in (province, city):
        await node.run_job("identity")
    assert await peer_status(province, "440300") == PeerStatus.CLOSED
    assert await peer_status(city, "440000") == PeerStatus.CLOSED
    with pytest.raises(NodeNotActive):
        await retire(two[by], "440300")
    assert [row for node in two.nodes.values() for row in await parked_at(node)] == []


@pytest.mark.parametrize(
    "closed",
    [
        "neither",
        *(pytest.param(each, marks=pytest.mark.thorough) for each in ("the parent", "both")),
    ],
)
async def test_a_retired_city_can_join_again(two: Nation, closed: str) -> None:
    city, province = two["440300"], two["440000"]
    await post_numbers(city, "110100", 0)
    await retire(province, "440300")
    if closed != "neither":
        await two.settle()
        two.clock.advance(timedelta(hours=2))
        await province.run_job("identity")
    if closed == "both":
        await city.run_job("identity")
    await enrol(city, province)
    await post_numbers(city, "110100", 1)
    await two.settle()
    assert await numbers_at(two["110100"]) == [0, 1]
    assert (await entry_at(two["110000"], "440300")).status == NodeStatus.ACTIVE


# Adding


@pytest.mark.thorough
async def test_a_province_with_a_city_is_added_to_a_running_federation(
    two: Nation, make_node: MakeNode
) -> None:
    province = await make_node("310000", [COUNTING])
    city = await make_node("310100", [COUNTING])
    two.nodes |= {"310000": province, "310100": city}
    await enrol(province, two["000000"])
    await enrol(city, province)
    await post_numbers(city, "440300", 1)
    await two.settle()
    await post_numbers(two["440300"], "310100", 2)
    await two.settle()
    assert await numbers_at(two["440300"]) == [1]
    assert await numbers_at(city) == [2]
    async with city.database.transaction() as session:
        known = {entry.code for entry in await repository.registry(session)}
    assert known == {*ALL, "310000", "310100"}


async def test_what_is_for_a_city_that_has_not_joined_waits_at_its_province(
    two: Nation, make_node: MakeNode
) -> None:
    await post_numbers(two["110100"], "440100", 1)
    await post_numbers(two["440300"], "440100", 2, key="sibling")
    await two.settle()
    city = await make_node("440100", [COUNTING])
    two.nodes["440100"] = city
    await enrol(city, two["440000"])
    await two.settle()
    assert sorted(await numbers_at(city)) == [1, 2]

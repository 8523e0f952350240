"""A node changes its key while everything flows: the new one is known before it signs, the old one ends later."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.federation import repository, rotation
from shared.federation.envelope import sign
from shared.federation.keys import NodeKey, PublicKey
from shared.federation.link import LinkDown
from shared.federation.models import Lane
from shared.federation.problems import NotInRegistry, RotationUnderWay
from shared.federation.rotation import Stage
from tests.conftest import MakeNode, Nation, TestNode, enrol
from tests.federation.conftest import (
    COUNTING,
    ECHOED,
    numbers_at,
    parked_at,
    post_numbers,
)
from tests.federation.test_refusals import assert_refused, batch, send, signed

NationOf = Callable[..., Awaitable[Nation]]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def begin(node: TestNode) -> PublicKey:
    """Make and announce the next key; returns it."""
    async with node.database.transaction() as session:
        await rotation.begin(session, node.context.post, node.node.settings, now=node.clock.now())
    following = node.context.post.keys.next
    assert following is not None
    return following.public


async def stage(node: TestNode) -> Stage:
    """Do what is next, and tell where the rotation is."""
    context = node.context
    found = await rotation.step(
        context.database, context.post, context.settings, now=node.clock.now()
    )
    return found.stage


async def keys_of(node: TestNode, code: str) -> tuple[PublicKey, ...]:
    """The keys that ``node`` accepts from another at present."""
    async with node.database.transaction() as session:
        entry = await repository.entry(session, code)
    assert entry is not None
    return entry.keys_at(node.clock.now())


async def test_the_new_key_signs_only_after_everybody_could_hear_of_it(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    old = city.context.post.key
    following = await begin(city)
    assert await stage(city) is Stage.MADE
    await line.settle()
    assert await keys_of(hq, "440300") == (following, old.public)
    assert await stage(city) is Stage.PUBLISHED
    await post_numbers(city, "000000", 1)
    line.clock.advance(HOUR + timedelta(seconds=1))
    assert await stage(city) is Stage.OVERLAP
    assert city.context.post.key.public == following
    await post_numbers(city, "000000", 2)
    await line.settle()
    assert await numbers_at(hq) == [1, 2]
    assert await numbers_at(city, ECHOED) == [1, 2]
    with pytest.raises(RotationUnderWay, match="2026-11-30"):
        await begin(city)


async def test_the_old_key_is_accepted_until_the_overlap_ends_and_refused_then(
    line: Nation,
) -> None:
    city, province = line["440300"], line["440000"]
    old = city.context.post.key
    await begin(city)
    await line.settle()
    line.clock.advance(2 * HOUR)
    await stage(city)
    request = signed(city, batch(city, key=old, number=1), key=old)
    assert (await send(province, request)).status_code == 200
    assert await numbers_at(province) == [1]
    line.clock.advance(7 * DAY)
    await assert_refused(
        province,
        signed(city, batch(city, first=2), key=old),
        401,
        "signature-refused",
        "signature-wrong",
    )
    answer = await send(province, signed(city, batch(city, first=2, key=old, number=2)))
    assert answer.status_code == 200
    (kept,) = await parked_at(province)
    assert "not made by that node's key" in (kept.reason or "")
    assert await numbers_at(province) == [1]
    assert await stage(city) is Stage.IDLE
    await begin(city)


async def test_what_was_sealed_for_the_old_key_is_opened_after_the_change(line: Nation) -> None:
    city, hq = line["440300"], line["000000"]
    async with hq.database.transaction() as session:
        before = await hq.context.post.seal_for(session, "440300", b"old", context="c")
    await begin(city)
    await line.settle()
    async with hq.database.transaction() as session:
        between = await hq.context.post.seal_for(session, "440300", b"new", context="c")
    assert city.context.post.open_sealed(between, context="c") == b"new"
    line.clock.advance(2 * HOUR)
    await stage(city)
    assert city.context.post.open_sealed(before, context="c") == b"old"
    assert city.context.post.open_sealed(between, context="c") == b"new"


async def test_a_message_by_a_key_that_has_not_been_heard_of_waits_for_the_news(
    line: Nation,
) -> None:
    city = line["440300"]
    await begin(city)
    city.context.post.keys.switch()  # much too early
    await post_numbers(city, "000000", 1, 2)
    with pytest.raises(LinkDown, match="signature-wrong"):
        await city.node.dialler.push(Lane.REQUEST)
    await city.node.dialler.push(Lane.REQUEST)
    assert len(await parked_at(line["440000"])) == 2
    await line.settle()
    assert await parked_at(line["440000"]) == []
    assert await numbers_at(line["000000"]) == [1, 2]


@pytest.mark.parametrize("its_jobs_run", [True, False])
async def test_a_node_that_was_away_for_longer_than_the_overlap_comes_back(
    line: Nation, *, its_jobs_run: bool
) -> None:
    city, province = line["440300"], line["440000"]
    old = city.context.post.key
    following = await begin(city)
    await city.node.dialler.push(Lane.CONTROL)
    for _ in range(3):  # the others go on without it
        for lane in Lane:
            await province.node.dialler.push(lane)
        await province.node.dialler.poll(wait=0)
    assert await keys_of(province, "440300") == (following, old.public)
    await post_numbers(city, "000000", 1)
    line.network.cut.add("440000")
    with pytest.raises(LinkDown):
        await city.node.dialler.push(Lane.REQUEST)  # from now on it has its number
    line.clock.advance(8 * DAY)
    if its_jobs_run:
        await stage(city)
        assert city.context.post.key.public == following
    await post_numbers(city, "000000", 2)
    line.network.cut.clear()
    if not its_jobs_run:
        with pytest.raises(LinkDown, match="signature-wrong"):
            await city.node.dialler.poll(wait=0)
    assert city.context.post.key.public == following
    await line.settle()
    assert await numbers_at(line["000000"]) == [1, 2]
    assert await stage(city) is Stage.IDLE


async def test_a_child_that_was_away_believes_a_parent_that_has_changed_its_key(
    line: Nation,
) -> None:
    city, province = line["440300"], line["440000"]
    following = await begin(province)
    for _ in range(3):
        await province.node.dialler.push(Lane.CONTROL)
        await province.node.dialler.poll(wait=0)
    line.clock.advance(2 * HOUR)
    await post_numbers(province, "440300", 1)
    assert await stage(province) is Stage.OVERLAP
    line.clock.advance(8 * DAY)
    await post_numbers(province, "440300", 2)
    await line.settle()
    assert await keys_of(city, "440000") == (following,)
    assert await numbers_at(city) == [1, 2]


async def test_hq_rotates_and_signs_the_whole_registry_anew(
    line: Nation, make_node: MakeNode
) -> None:
    hq, city = line["000000"], line["440300"]
    following = await begin(hq)
    await line.settle()
    assert await stage(hq) is Stage.PUBLISHED
    line.clock.advance(2 * HOUR)
    assert await stage(hq) is Stage.OVERLAP
    await line.settle()
    line.clock.advance(8 * DAY)
    late = await make_node("440100", [COUNTING])
    line.nodes["440100"] = late
    await enrol(late, line["440000"])
    await line.settle()
    for node in line.nodes.values():
        assert await keys_of(node, "000000") == (following,)
        assert await keys_of(node, "440100") == (late.context.post.key.public,)
        assert await parked_at(node) == []
    async with city.database.transaction() as session:
        versions = {entry.code: entry.version for entry in await repository.registry(session)}
    assert versions == {"000000": 3, "440000": 2, "440300": 2, "440100": 1}


async def test_a_rotation_that_is_interrupted_anywhere_is_taken_up_again(
    line: Nation, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = line["440300"]
    keys = city.context.post.keys
    keys.make_next()  # and then the process died, before it could announce it
    assert await stage(city) is Stage.MADE
    assert await stage(city) is Stage.MADE
    await line.settle()
    line.clock.advance(2 * HOUR)
    await post_numbers(city, "000000", 1)
    with monkeypatch.context() as patched:

        def die() -> None:
            raise ConnectionAbortedError

        patched.setattr(keys, "switch", die)
        with pytest.raises(ConnectionAbortedError):
            await stage(city)
    await post_numbers(city, "000000", 2)
    await line.settle()
    assert await stage(city) is Stage.OVERLAP
    await post_numbers(city, "000000", 3)
    await line.settle()
    assert await numbers_at(line["000000"]) == [1, 2, 3]


@pytest.mark.parametrize("fault", ["not proved", "foreign", "malformed"])
async def test_a_key_that_is_not_the_announcers_is_refused(line: Nation, fault: str) -> None:
    city, hq = line["440300"], line["000000"]
    stolen = NodeKey.generate()
    text = stolen.public.to_text()
    claims = {
        "not proved": sign(b"something else", stolen, "440300"),
        "foreign": sign(rotation.claim_of("440000", text), stolen, "440000"),
        "malformed": "x",
    }
    async with city.database.transaction() as session:
        data: dict[str, Any] = {"public_key": text, "proof": claims[fault]}
        await city.context.post.post(
            session,
            rotation.ANNOUNCED,
            "000000",
            data,
            lane=Lane.CONTROL,
            partition_key="k",
            now=city.clock.now(),
        )
    await line.settle()
    assert await keys_of(hq, "440300") == (city.context.post.key.public,)
    (kept,) = await parked_at(hq)
    assert "is not proved" in (kept.reason or "")


async def test_who_is_not_in_the_registry_cannot_rotate(make_node: MakeNode) -> None:
    alone = await make_node("440300", [COUNTING])
    with pytest.raises(NotInRegistry):
        await begin(alone)

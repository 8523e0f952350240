"""How old the registry is, what is warned of, and what the previous release's entries become."""

from datetime import timedelta
from typing import Any

import pytest

from shared.federation import registry, repository
from shared.federation.delivery import MessageRefused
from shared.federation.envelope import sign
from shared.federation.keys import NodeKey
from shared.federation.models import Lane, RegistryEntry
from shared.node.identity import standing
from tests.conftest import Nation, TestNode
from tests.federation.conftest import numbers_at, parked_at, post_numbers

DAY = timedelta(days=1)


async def entry_at(node: TestNode, code: str) -> RegistryEntry | None:
    async with node.database.transaction() as session:
        return await repository.entry(session, code)


async def warnings(node: TestNode) -> str:
    return "\n".join((await standing(node.context)).warnings)


async def say(nation: Nation) -> None:
    await nation["000000"].run_job("registry-word")
    await nation.settle()


# HQ's word


async def test_every_node_knows_of_when_its_registry_is(line: Nation) -> None:
    await say(line)
    for node in line.nodes.values():
        found = await standing(node.context)
        assert found.registry_matches
        assert found.registry_as_of is not None
        assert line.clock.now() - found.registry_as_of < timedelta(minutes=1)
        assert found.warnings == ()


async def test_a_registry_without_a_word_warns_and_stops_nothing(line: Nation) -> None:
    await say(line)
    line.clock.advance(4 * DAY)
    assert "the registry may be old" in await warnings(line["440300"])
    await post_numbers(line["440300"], "000000", 1)
    await line.settle()
    assert await numbers_at(line["000000"]) == [1]
    await say(line)
    assert await warnings(line["440300"]) == ""


async def test_a_node_whose_registry_differs_asks_its_parent_for_it(line: Nation) -> None:
    city = line["440300"]
    before = await entry_at(line["000000"], "440000")
    assert before is not None
    async with city.database.transaction() as session:
        lost = await repository.entry(session, "440000")
        assert lost is not None
        lost.version = 0  # as it might be after a restore
    line.clock.advance(DAY)
    await say(line)
    assert "differed from HQ's" in await warnings(city)
    after = await entry_at(city, "440000")
    assert after is not None
    assert after.version == before.version
    line.clock.advance(DAY)
    await say(line)
    assert await warnings(city) == ""


async def test_a_word_that_is_not_hqs_is_not_believed(line: Nation) -> None:
    province, city = line["440000"], line["440300"]
    word: dict[str, Any] = {"as_of": line.clock.now().isoformat(), "count": 1, "digest": "0" * 64}
    word["statement"] = sign(
        registry.signed_bytes(word, sorted(word)), province.context.post.key, "000000"
    )
    async with province.database.transaction() as session:
        await province.context.post.post(
            session,
            "guanxi.registry.said.v1",
            "440300",
            word,
            lane=Lane.CONTROL,
            partition_key="registry",
            now=line.clock.now(),
        )
    await line.settle()
    assert "is not HQ's" in ((await parked_at(city))[0].reason or "")
    assert (await standing(city.context)).registry_as_of is None


# Expiry


async def test_a_key_that_expires_is_warned_of_before_and_after_and_stops_nothing(
    line: Nation,
) -> None:
    city = line["440300"]
    line.clock.advance(600 * DAY)
    await say(line)
    assert await warnings(city) == ""
    line.clock.advance(80 * DAY)
    await say(line)
    assert "The key of node 440300 expires on 2028-11-22" in await warnings(city)
    assert "The key of node 440300 expires on" in await warnings(line["440000"])
    line.clock.advance(100 * DAY)
    await say(line)
    assert "The key of node 440300 expired on 2028-11-22" in await warnings(city)
    await city.run_job("identity-warnings")
    await post_numbers(city, "000000", 1)
    await line.settle()
    assert await numbers_at(line["000000"]) == [1]


# The previous release


def first_release(hq: NodeKey, code: str, key: NodeKey, **changes: Any) -> dict[str, Any]:
    """An entry as the first release's HQ publishes it."""
    content: dict[str, Any] = {
        "code": code,
        "parent": "000000",
        "public_key": key.public.to_text(),
        "version": 1,
        "entered_at": "2026-11-01T04:00:00+00:00",
        **changes,
    }
    names = ("code", "parent", "public_key", "version", "entered_at")
    return {**content, "statement": sign(registry.signed_bytes(content, names), hq, "000000")}


async def as_of_the_first_release(line: Nation) -> None:
    """Make what the nodes know of HQ what the first release would have told them."""
    for node in line.nodes.values():
        async with node.database.transaction() as session:
            for entry in await repository.registry(session):
                entry.keys, entry.full_statement = [], None


async def test_an_entry_of_the_first_release_is_read_and_passed_on(line: Nation) -> None:
    await as_of_the_first_release(line)
    province, city, key = line["440000"], line["440300"], NodeKey.generate()
    content = first_release(line["000000"].context.post.key, "310000", key)
    async with province.database.transaction() as session:
        await registry.adopt(session, "440000", content)
    kept = await entry_at(province, "310000")
    assert kept is not None
    assert kept.keys_at(line.clock.now() + 9999 * DAY) == (key.public,)
    assert registry.content_of(kept) == content
    async with city.database.transaction() as session:
        await registry.adopt(session, "440300", registry.content_of(kept))


async def test_hq_signs_in_full_what_it_signed_as_the_first_release(line: Nation) -> None:
    await as_of_the_first_release(line)
    await line["000000"].run_job("identity")
    await line.settle()
    for node in line.nodes.values():
        async with node.database.transaction() as session:
            for entry in await repository.registry(session):
                assert entry.full_statement
                assert entry.version == 2
                assert entry.keys[0]["expires_at"]
        assert await parked_at(node) == []


@pytest.mark.parametrize("part", ["full_statement", "status", "keys"])
async def test_an_entry_that_was_cut_or_changed_is_not_believed(line: Nation, part: str) -> None:
    entry = await entry_at(line["000000"], "440300")
    assert entry is not None
    content = registry.content_of(entry) | {"version": 5}
    content["full_statement"] = sign(
        registry.signed_bytes(content, registry.FIELDS), line["000000"].context.post.key, "000000"
    )
    content["statement"] = sign(
        registry.signed_bytes(content, registry.FIRST_FIELDS),
        line["000000"].context.post.key,
        "000000",
    )
    province = line["440000"]
    cut = {"full_statement": None} if part == "full_statement" else {part: "retired"}
    async with province.database.transaction() as session:
        with pytest.raises(MessageRefused):
            await registry.adopt(session, "440000", {**content, **cut})
    async with province.database.transaction() as session:
        await registry.adopt(session, "440000", content)

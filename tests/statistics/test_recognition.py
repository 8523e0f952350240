"""Questions that were answered before: recognised while the answer holds, and answered anew as soon as it does not."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import text, update

from shared.capability import Role
from shared.federation.models import NodeStatus, RegistryEntry
from shared.kernel.tier import Tier
from shared.statistics import recognition, service, standing
from shared.statistics.aggregate import put_together
from shared.statistics.recognition import Answers, Given
from shared.statistics.retention import roll_off
from tests.conftest import TestNode
from tests.statistics.registered_cities import Headers, ask, enter, get, keep
from tests.statistics.slices_by_hand import GOLD_MAN, slice_of

DAY = "2026-11-20"
Change = Callable[[TestNode], Awaitable[None]]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was answered by looking at figures, and not recognised."""
    found: list[Any] = []

    async def answer(session: Any, question: Any, *rest: Any, **more: Any) -> Any:
        found.append(question)
        return await service.answer(session, question, *rest, **more)

    monkeypatch.setattr("shared.statistics.endpoints.answer", answer)
    return found


@pytest.fixture
async def known(hq: TestNode) -> TestNode:
    """HQ with a city's month."""
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 2}}))
    return hq


async def total(node: TestNode, headers: Headers, **more: Any) -> int | None:
    rows = (await ask(node, headers, indicator="customers", **more))["rows"]
    return rows[0]["values"]["customers"] if rows else None


async def test_what_was_answered_is_not_looked_up_again(
    known: TestNode, analyst: Headers, answered: list[Any]
) -> None:
    first = await get(known, analyst, indicator="customers")
    again = await get(known, analyst, indicator="customers")
    held = await get(
        known, analyst | {"If-None-Match": first.headers["etag"]}, indicator="customers"
    )
    stale = await get(known, analyst | {"If-None-Match": '"another"'}, indicator="customers")

    assert len(answered) == 1
    for each in (again, stale):
        assert (each.status_code, each.content) == (200, first.content)
        assert each.headers["content-type"] == first.headers["content-type"]
        assert each.headers["etag"] == first.headers["etag"]
        assert each.headers["vary"] == first.headers["vary"]
    assert (held.status_code, held.content) == (304, b"")
    assert held.headers["cache-control"] == first.headers["cache-control"]
    assert "content-type" not in held.headers


async def test_a_file_is_recognised_as_the_file_that_it_is(
    known: TestNode, analyst: Headers, answered: list[Any]
) -> None:
    csv = [await get(known, analyst, indicator="customers", format="csv") for _ in range(2)]
    json = await get(known, analyst, indicator="customers")
    by_header = await get(known, analyst | {"Accept": "text/csv"}, indicator="customers")

    assert len(answered) == 3
    assert csv[0].content == csv[1].content == by_header.content != json.content
    assert csv[1].headers["content-disposition"] == csv[0].headers["content-disposition"]
    assert csv[1].headers["link"] == csv[0].headers["link"]


async def restated(node: TestNode) -> None:
    await keep(node, slice_of("440300", {GOLD_MAN: {"customers": 3}}, revision=2))


async def another_joined(node: TestNode) -> None:
    await enter(node, "320100")


async def one_was_retired(node: TestNode) -> None:
    async with node.database.transaction() as session:
        entry = update(RegistryEntry).where(RegistryEntry.code == "310100")
        early = node.clock.now() - timedelta(days=400)
        await session.execute(entry.values(status=NodeStatus.RETIRED, entered_at=early))


async def closed_without_it(node: TestNode) -> None:
    async with node.database.transaction() as session:
        await standing.keep_limits(session, "2026-11", {"440300": (1, {})}, now=node.clock.now())


async def put_together_and_restated(node: TestNode) -> None:
    """As many changes are noted afterwards as before."""
    await restated(node)
    await aggregated(node)
    await keep(node, slice_of("440300", {GOLD_MAN: {"customers": 5}}, revision=3))


async def aggregated(node: TestNode) -> None:
    await put_together(node.database, Tier.HQ, now=node.clock.now())


@pytest.mark.parametrize(
    "change",
    [restated, another_joined, one_was_retired, closed_without_it, put_together_and_restated],
)
async def test_what_changes_an_answer_is_seen_at_once(
    known: TestNode, analyst: Headers, change: Change
) -> None:
    before = await get(known, analyst, indicator="customers")
    held = analyst | {"If-None-Match": before.headers["etag"]}
    assert (await get(known, held, indicator="customers")).status_code == 304

    await change(known)
    after = await get(known, held, indicator="customers")

    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert after.json() != before.json()


@pytest.mark.parametrize("together", [False, True])
async def test_a_restored_node_does_not_take_other_figures_for_those_it_told(
    known: TestNode, analyst: Headers, *, together: bool
) -> None:
    """It gives numbers again: what comes after the restore has the id and revision of what is forgotten."""
    if together:
        await aggregated(known)
    numbers = await back_up(known)
    await keep(known, slice_of("440300", {GOLD_MAN: {"customers": 3}}, revision=2))
    if together:
        await aggregated(known)
    told = await get(known, analyst, indicator="customers")
    then = await states(known)
    await restore(known, numbers)
    del known.node.app.state.statistics_answers  # the node was started again
    await keep(known, slice_of("440300", {GOLD_MAN: {"customers": 9}}, revision=2))
    if together:
        await aggregated(known)
    assert await states(known) == then

    held = analyst | {"If-None-Match": told.headers["etag"]}
    after = await get(known, held, indicator="customers")

    assert after.status_code == 200
    assert after.json()["rows"][0]["values"]["customers"] == 9
    assert after.headers["etag"] != told.headers["etag"]


KEPT = (
    *("statistics_slice", "statistics_fact", "statistics_margin", "statistics_change"),
    *("statistics_generation", "statistics_aggregate", "statistics_aggregate_fact"),
)


async def back_up(node: TestNode) -> int:
    """Remember what the node knows; returns the last number that it gave a slice."""
    async with node.database.transaction() as session:
        for table in KEPT:
            await session.execute(text(f"CREATE TABLE backup_{table} AS TABLE {table}"))
        found: int = await session.scalar(
            text(
                "SELECT last_value FROM pg_sequences WHERE sequencename = 'statistics_slice_id_seq'"
            )
        )
    return found


async def restore(node: TestNode, last: int) -> None:
    """Put back what was remembered, and the numbers."""
    async with node.database.transaction() as session:
        for table in KEPT:
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
            await session.execute(
                text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup_{table}")  # noqa: S608 - as above
            )
        await session.execute(text(f"SELECT setval('statistics_slice_id_seq', {last})"))


async def states(node: TestNode) -> list[Any]:
    """The numbers by which a node that does not know of the restore would take it for the same."""
    async with node.database.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT id, revision, (SELECT number FROM statistics_generation),"
                " (SELECT count(*) FROM statistics_change) FROM statistics_slice ORDER BY id"
            )
        )
        return [tuple(row) for row in rows]


async def test_days_that_are_rolled_off_are_gone_at_once(hq: TestNode, analyst: Headers) -> None:
    await keep(hq, slice_of("440300", {GOLD_MAN: {"customers": 2}}, period=DAY))
    await aggregated(hq)
    assert await total(hq, analyst, period=DAY) == 2

    later = hq.clock.now() + timedelta(days=70)
    await roll_off(hq.database, day_months=1, history_months=24, now=later)

    assert await total(hq, analyst, period=DAY) is None


async def test_putting_together_changes_no_entity_tag(
    known: TestNode, analyst: Headers, answered: list[Any]
) -> None:
    before = await get(known, analyst, indicator="customers")
    await aggregated(known)
    held = analyst | {"If-None-Match": before.headers["etag"]}

    assert (await get(known, held, indicator="customers")).status_code == 304
    assert (await get(known, held, indicator="customers")).status_code == 304
    assert len(answered) == 2
    # Whoever does not have the answer gets it, though it was not made the last time.
    assert (await get(known, analyst, indicator="customers")).content == before.content


async def test_each_asker_is_answered_in_their_own_language_and_on_their_own_day(
    known: TestNode,
    analyst: Headers,
    sign_in: Callable[..., Awaitable[Headers]],
) -> None:
    await keep(known, slice_of("110100", {GOLD_MAN: {"customers": 4}}))
    assert await total(known, analyst) == 6
    assert await total(known, analyst, region="440000") == 2
    chinese = await get(known, analyst | {"Accept-Language": "zh"}, indicator="customers")
    assert chinese.json()["rows"][0]["region"]["name"] == "全国"
    assert await total(known, analyst, period="this_month") == 6
    known.clock.advance(timedelta(days=10))
    december = await sign_in(known, Role.HQ_ANALYST)
    assert await total(known, december, period="this_month") is None


async def test_nobody_is_told_what_they_may_not_ask_for(known: TestNode, analyst: Headers) -> None:
    await ask(known, analyst, indicator="customers")

    stranger: httpx.Response = await get(known, {}, indicator="customers")

    assert stranger.status_code == 401


async def test_what_was_known_at_a_moment_is_not_remembered(
    known: TestNode, analyst: Headers, answered: list[Any]
) -> None:
    at = (known.clock.now() + timedelta(minutes=1)).isoformat()
    for _ in range(2):
        assert await total(known, analyst, as_known_at=at) == 2
    words = f"indicator=customers&as%5Fknown%5Fat={quote(at)}"
    for _ in range(2):
        answer = await known.client.get(f"/statistics/values?{words}", headers=analyst)
        assert answer.status_code == 200

    assert len(answered) == 4


async def test_a_wrong_question_is_refused_each_time(known: TestNode, analyst: Headers) -> None:
    refused = [await get(known, analyst, indicator="nonsense") for _ in range(2)]

    assert [each.status_code for each in refused] == [400, 400]
    assert len(known.node.app.state.statistics_answers) == 0


def test_the_oldest_answers_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "MOST_BYTES", 10)
    monkeypatch.setattr(recognition, "MOST_ANSWERS", 3)
    answers = Answers()

    def kept() -> str:
        return "".join(each for each in "abcde" if answers.find(each) is not None)

    for name in "abc":
        answers.keep(name, Given("state", {}, b"123"))
    answers.find("a")
    answers.keep("d", Given("state", {}, None))  # too many: "b" goes
    assert kept() == "acd"
    answers.keep("c", Given("state", {}, b"1234567"))  # "a" is 3 bytes: just enough
    assert kept() == "acd"
    answers.keep("e", Given("state", {}, b"12345678"))  # "d" takes no room
    assert kept() == "de"

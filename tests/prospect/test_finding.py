"""A whole city, those who changed and one customer: what searches make of the prospects there are."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from sqlalchemy import text

from services.city_node.prospect.finding import Finder, Search
from services.city_node.prospect.jobs import NIGHTLY
from tests.conftest import NOON, TestNode
from tests.evaluation.test_evaluation import change_somebody, settle
from tests.prospect.suitors import Suitor, person_of, settle_suitors, suitors

NUMBER = 60
SLOWLY = settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def finder(city: TestNode) -> Finder:
    return Finder(city.context, city.clock.now(), "test")


async def settle_people(city: TestNode, people: list[Suitor]) -> None:
    city.clock._now = NOON
    await settle(city, person_of(people))
    async with city.database.transaction() as session:
        await settle_suitors(session, people)


async def prospects(city: TestNode) -> dict[UUID, tuple[Any, ...]]:
    """Those that are open, by customer."""
    return {
        row[0]: tuple(row[1:])
        for row in await rows(
            city,
            "SELECT customer_id, state, target, score, signals::text, used::text FROM prospect WHERE closed_at IS NULL",
        )
    }


async def rows(city: TestNode, statement: str, **values: Any) -> list[Any]:
    async with city.database.transaction() as session:
        return list(await session.execute(text(statement), values))


async def act(city: TestNode, statement: str, **values: Any) -> None:
    async with city.database.transaction() as session:
        await session.execute(text(statement), values)


def did(search: Search) -> dict[str, int]:
    """What a search did, without what it did not."""
    names = ("made", "refreshed", "lapsed", "converted", "ended")
    return {name: getattr(search, name) for name in names if getattr(search, name)}


@pytest.fixture
async def searched(city: TestNode) -> TestNode:
    await settle_people(city, suitors("searched", NUMBER, fresh=True))
    found = await finder(city).search_city()
    assert did(found) == {"made": found.made}
    assert found.made > 5
    return city


async def test_a_search_that_finds_nothing_else_writes_nothing(searched: TestNode) -> None:
    city = searched
    before = await rows(city, "SELECT xmin, * FROM prospect ORDER BY id")
    history = await rows(city, "SELECT act, count(*) FROM prospect_event GROUP BY act")
    assert [tuple(row) for row in history] == [("find", len(before))]
    for search in (finder(city).search_city, finder(city).search_changed):
        assert did(await search()) == {}
    async with city.database.transaction() as session:
        ids = [row.customer_id for row in before]
        assert did(await finder(city).search_some(session, ids)) == {}
    assert await rows(city, "SELECT xmin, * FROM prospect ORDER BY id") == before


async def change_something_else(
    city: TestNode, chance: random.Random, people: list[Suitor]
) -> None:
    """Change what no rule but that of prospects knows, or a prospect itself."""
    who = chance.choice(people).someone.id
    statement = chance.choice(
        [
            "DELETE FROM competitor_use WHERE customer_id = :id",
            "UPDATE competitor_use SET monthly_fee_fen = 70000, since = NULL, until = NULL WHERE customer_id = :id",
            """INSERT INTO competitor_use (id, customer_id, operator, category, monthly_fee_fen)
            VALUES (gen_random_uuid(), :id, 'Gamma', 'broadband', 90000)""",
            "DELETE FROM preference WHERE customer_id = :id",
            """INSERT INTO preference (id, customer_id, topic, value) VALUES (gen_random_uuid(), :id, 'marketing', 'refused')
            ON CONFLICT DO NOTHING""",
            "UPDATE prospect SET state = 'qualified' WHERE customer_id = :id AND state = 'found'",
            """UPDATE prospect SET state = 'disqualified', ending = 'one_off', closed_at = '2026-11-24 08:00+08'
            WHERE customer_id = :id AND state = 'found'""",
        ]
    )
    await act(city, statement, id=who)


@SLOWLY
@given(some.integers(0, 10_000))
async def test_those_who_changed_are_those_whose_prospects_change(
    city: TestNode, seed: int
) -> None:
    chance, people = random.Random(seed), suitors(seed, NUMBER)  # noqa: S311 - a draw that can be repeated
    await settle_people(city, people)
    await finder(city).search_city()
    for days in (1, 0, 3):
        city.clock.advance(timedelta(days=days))
        for _ in range(chance.randrange(1, 6)):
            async with city.database.transaction() as session:
                await change_somebody(session, chance, person_of(people))
            await change_something_else(city, chance, people)
        changed = await finder(city).search_changed()
        assert changed.scope == "changed"
        assert did(await finder(city).search_city()) == {}, (
            "a search of all finds nothing that is left"
        )


async def test_one_customer_is_found_as_in_a_search_of_the_city(searched: TestNode) -> None:
    city = searched
    expected = await prospects(city)
    await act(city, "TRUNCATE prospect, prospect_step, prospect_event")
    everybody = [row[0] for row in await rows(city, "SELECT id FROM customer")]
    for who in everybody:
        async with city.database.transaction() as session:
            await finder(city).search_some(session, [who])
    assert await prospects(city) == expected


async def one_of(city: TestNode, state: str = "found") -> Any:
    """Bring the best prospect into a state, as somebody would, and return it."""
    (row, *_) = await rows(
        city, "SELECT id, customer_id, target FROM prospect ORDER BY score DESC, id LIMIT 1"
    )
    await act(city, "UPDATE prospect SET state = :state WHERE id = :id", state=state, id=row.id)
    return row


@pytest.mark.parametrize("state", ["found", "qualified", "nurtured"])
async def test_who_holds_the_level_is_converted_whoever_works_on_it(
    searched: TestNode, state: str
) -> None:
    city = searched
    row = await one_of(city, state)
    city.clock.advance(timedelta(days=5))
    await act(city, "UPDATE customer SET level = :level WHERE id = :id", level=row.target, id=row.customer_id)  # fmt: skip
    search = await finder(city).search_changed()
    assert (search.scope, search.converted) == ("changed", 1)
    ((found, ending, days, was),) = await rows(
        city,
        """SELECT p.state, p.ending, e.days, e.from_state FROM prospect p
        JOIN prospect_event e ON e.prospect_id = p.id AND e.act = 'convert' WHERE p.id = :id""",
        id=row.id,
    )
    assert (found, ending, days, was) == ("converted", None, 5, state)


@pytest.mark.parametrize(("state", "becomes"), [("found", "lapsed"), ("qualified", "qualified")])
async def test_who_is_no_prospect_any_more_lapses_unless_somebody_works_on_it(
    searched: TestNode, state: str, becomes: str
) -> None:
    city = searched
    row = await one_of(city, state)
    await act(city, "DELETE FROM bill WHERE customer_id = :id", id=row.customer_id)
    await act(city, "DELETE FROM competitor_use WHERE customer_id = :id", id=row.customer_id)
    await act(city, "DELETE FROM level_appointment WHERE customer_id = :id", id=row.customer_id)
    await act(city, "DELETE FROM group_member WHERE member_id = :id", id=row.customer_id)
    await finder(city).search_changed()
    ((found, signals, score),) = await rows(
        city, "SELECT state, signals, score FROM prospect WHERE id = :id", id=row.id
    )
    assert found == becomes
    if becomes == "qualified":
        assert (signals, score) == ([], 0)


@pytest.mark.parametrize(("state", "becomes"), [("found", "lapsed"), ("nurtured", "dropped")])
async def test_who_leaves_is_closed(searched: TestNode, state: str, becomes: str) -> None:
    city = searched
    row = await one_of(city, state)
    await act(
        city,
        "UPDATE customer SET library = 'retained', left_on = '2026-11-20' WHERE id = :id",
        id=row.customer_id,
    )
    assert (await finder(city).search_changed()).ended == 1
    ((found, ending),) = await rows(
        city, "SELECT state, ending FROM prospect WHERE id = :id", id=row.id
    )
    assert (found, ending) == (becomes, "left")


async def test_who_was_merged_into_another_is_closed(searched: TestNode) -> None:
    city = searched
    row = await one_of(city, "qualified")
    other = "SELECT id FROM customer WHERE library = 'in_network' AND id <> :id LIMIT 1"
    ((survivor,),) = await rows(city, other, id=row.customer_id)
    gone = {"id": row.customer_id, "survivor": survivor}
    for table, column in (("bill", "customer_id"), ("subscription", "customer_id"), ("competitor_use", "customer_id"), ("preference", "customer_id"), ("level_appointment", "customer_id"), ("group_member", "member_id")):  # fmt: skip
        statement = f"DELETE FROM {table} WHERE {column} = :id"  # noqa: S608 - named here
        await act(city, statement, id=row.customer_id)
    await act(
        city,
        "INSERT INTO merged_customer (id, customer_number, survivor_id, at) VALUES (:id, '44030099999999', :survivor, now())",
        **gone,
    )
    await act(city, "DELETE FROM customer WHERE id = :id", id=row.customer_id)
    assert (await finder(city).search_changed()).ended == 1
    ((state, ending, unit),) = await rows(
        city,
        """SELECT p.state, p.ending, e.unit_code FROM prospect p
        JOIN prospect_event e ON e.prospect_id = p.id AND e.act = 'drop' WHERE p.id = :id""",
        id=row.id,
    )
    assert (state, ending) == ("dropped", "merged")
    assert unit


async def test_who_was_disqualified_is_left_in_peace_for_the_months_of_the_policy(
    searched: TestNode,
) -> None:
    city = searched
    row = await one_of(city)
    await act(
        city,
        "UPDATE prospect SET state = 'disqualified', ending = 'one_off', closed_at = :now WHERE id = :id",
        id=row.id,
        now=city.clock.now(),
    )
    mine = "SELECT count(*) FROM prospect WHERE customer_id = :id"

    async def look() -> int:
        async with city.database.transaction() as session:
            await finder(city).search_some(session, [row.customer_id])
        ((number,),) = await rows(city, mine, id=row.customer_id)
        return int(number)

    assert await look() == 1
    await act(
        city,
        "UPDATE prospect SET closed_at = '2026-05-01 00:00+08', found_at = '2026-04-01' WHERE id = :id",
        id=row.id,
    )
    assert await look() == 1, "six months ago, to the month"
    await act(
        city, "UPDATE prospect SET closed_at = '2026-04-30 23:59:59+08' WHERE id = :id", id=row.id
    )
    assert await look() == 2


async def test_every_night_searches_and_the_first_of_a_month_the_city(searched: TestNode) -> None:
    city = searched
    scopes: Counter[str] = Counter()
    for days in (1, 1, 8):
        city.clock.advance(timedelta(days=days))
        await NIGHTLY.run(city.context, city.clock.now())
    for row in await rows(city, "SELECT scope FROM evaluation WHERE rule = 'prospect'"):
        scopes[row.scope] += 1
    assert scopes == {"city": 2, "changed": 2}, "twice in November, and again on 3 December"

"""Deadlines by level of customer: home says them, the visited city adopts them, and home never lets go first."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from services.city_node.card_replacement.kind import APPROVED, KIND
from services.city_node.customer.models import Customer, Level
from services.city_node.service_request.problems import RequestTimedOut
from shared.federation.envelope import Message
from tests.city.two_cities import HOME, MSISDN, NOON, VISITED, TwoCities

A_SECOND = timedelta(seconds=1)


async def become(cities: TwoCities, level: Level) -> None:
    """Make everybody of the home city a customer of that level."""
    async with cities.home.transaction() as session:
        await session.execute(update(Customer).values(level=level))


@pytest.mark.parametrize("level", list(Level))
async def test_each_level_has_its_deadline_at_both_ends(cities: TwoCities, level: Level) -> None:
    await become(cities, level)
    request_id = await cities.approved(MSISDN)
    at_visited = await cities.visited.request(request_id)
    at_home = await cities.home.request(request_id)
    assert at_visited.deadline == NOON + KIND.limit(level)
    assert at_home.deadline == at_visited.deadline + KIND.home_grace


def test_the_highest_level_has_the_shortest_limit() -> None:
    limits = [KIND.limit(level) for level in Level]
    assert limits == sorted(limits)
    assert limits[0] < limits[-1] == KIND.time_limit == KIND.limit(None)


async def test_time_that_the_question_spent_on_its_way_does_not_count_against_the_level(
    cities: TwoCities,
) -> None:
    await become(cities, Level.DIAMOND)
    request_id = await cities.ask(MSISDN)
    on_the_way = KIND.time_limit - KIND.limit(Level.DIAMOND) - A_SECOND
    cities.clock.advance(on_the_way)
    await cities.settle()
    assert (await cities.visited.request(request_id)).deadline == NOON + on_the_way + KIND.limit(
        Level.DIAMOND
    )


async def test_home_says_no_deadline_beyond_what_was_asked(cities: TwoCities) -> None:
    await become(cities, Level.DIAMOND)
    request_id = await cities.ask(MSISDN)
    cities.clock.advance(KIND.time_limit - A_SECOND)
    await cities.settle()
    assert (await cities.visited.request(request_id)).deadline == NOON + KIND.time_limit
    assert (await cities.home.request(request_id)).deadline == (
        NOON + KIND.time_limit + KIND.home_grace
    )


async def test_nobody_writes_a_card_after_the_level_s_deadline_and_the_clock_ends_it_at_both_ends(
    cities: TwoCities,
) -> None:
    await become(cities, Level.DIAMOND)
    request_id = await cities.approved(MSISDN)
    cities.clock.advance(KIND.limit(Level.DIAMOND))
    with pytest.raises(RequestTimedOut):
        await cities.write(request_id)
    await cities.home.expire_overdue()
    assert await cities.home.state(request_id) == "approved", "home keeps its promise longer"
    await cities.visited.expire_overdue()
    await cities.settle()
    assert (
        await cities.visited.state(request_id) == await cities.home.state(request_id) == "expired"
    )


async def test_a_card_written_in_the_last_moment_of_the_level_counts(cities: TwoCities) -> None:
    await become(cities, Level.DIAMOND)
    request_id = await cities.approved(MSISDN)
    cities.clock.advance(KIND.limit(Level.DIAMOND) - A_SECOND)
    await cities.write(request_id)
    cities.clock.advance(KIND.home_grace)
    await cities.settle()
    assert await cities.visited.state(request_id) == "completed"


def _said(message: Message, deadline: datetime | None) -> Message:
    data = {**message.data, "deadline": deadline and deadline.isoformat()}
    return replace(message, data=data)


@pytest.mark.parametrize("said", [NOON + timedelta(days=9), None])
async def test_a_deadline_only_comes_nearer(cities: TwoCities, said: datetime | None) -> None:
    request_id = await cities.ask(MSISDN)
    await cities.carry(VISITED)
    (answer,) = cities.lanes[HOME, VISITED]
    assert answer.type == APPROVED
    cities.lanes[HOME, VISITED][:] = [_said(answer, said)]
    await cities.settle()
    assert (await cities.visited.request(request_id)).deadline == NOON + KIND.time_limit

"""Many at once, each with its own connection: no limit is passed, nothing counts twice, nobody waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import UUID

from services.city_node.interaction.models import Channel
from services.city_node.offer import granting, using
from services.city_node.offer.counter import Counter
from services.city_node.offer.expiry import expire
from services.city_node.offer.models import ReversalReason
from shared.kernel.database import Database
from shared.kernel.problems import Problem
from tests.city.drafts import TEAM, Headers
from tests.conftest import NOON, TestNode
from tests.offer.city import (
    add_customer,
    add_offer,
    at_counter,
    require_right,
    run,
    set_quota,
)

Act = Callable[[Counter], Awaitable[Any]]


async def together(city: TestNode, acts: Iterable[Act]) -> list[str]:
    """Do everything at once; return what came of each: ``done``, or why it was refused."""

    async def one(act: Act) -> str:
        try:
            await at_counter(city, NOON, act)
        except Problem as problem:
            return problem.slug()
        return "done"

    async with asyncio.timeout(60):
        return await asyncio.gather(*[one(act) for act in acts])


def granted(customer: UUID, code: str = "lounge", uses: int = 1) -> Act:
    return lambda counter: granting.grant(counter, customer, code, uses)


def used(grant_id: UUID) -> Act:
    return lambda counter: using.use(counter, grant_id, Channel.HALL)


async def test_one_customer_is_not_granted_more_than_entitled(
    city: TestNode, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    customer = await add_customer(city.database, NOON, level="diamond")
    came = await together(city, [granted(customer)] * 9)
    assert sorted(came) == ["done"] * 4 + ["offer-not-for-customer"] * 5
    await require_right(city.database)


async def test_one_customer_is_not_granted_what_does_not_go_together(
    city: TestNode, supervisor: Headers
) -> None:
    await add_offer(city, supervisor, exclusive_group="one")
    await add_offer(city, supervisor, "data", exclusive_group="one")
    customers = [await add_customer(city.database, NOON) for _ in range(4)]
    acts = [granted(each, code) for each in customers for code in ("lounge", "data")]
    came = await together(city, acts)
    assert sorted(came) == ["done"] * 4 + ["offer-not-for-customer"] * 4
    rows = await run(city.database, "SELECT customer_id FROM offer_grant")
    assert {row.customer_id for row in rows} == set(customers)


async def test_many_customers_are_not_granted_more_than_the_quota(
    city: TestNode, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    await set_quota(city, supervisor, uses=7)
    await set_quota(city, supervisor, TEAM, budget_fen=3 * 8_000)
    wide = [await add_customer(city.database, NOON) for _ in range(10)]
    narrow = [await add_customer(city.database, NOON, unit=TEAM) for _ in range(6)]
    came = await together(city, [granted(each) for each in (*wide, *narrow)])
    assert came[:10].count("done") == 7
    assert came[10:].count("done") == 3
    assert set(came) <= {"done", "quota-short", "offer-not-for-customer"}
    rows = await run(city.database, "SELECT reserved FROM offer_quota ORDER BY unit_code")
    assert [row.reserved for row in rows] == [7, 3]
    await require_right(city.database)


async def test_a_grant_is_not_used_more_often_than_granted_and_a_use_comes_back_once(
    city: TestNode, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    await set_quota(city, supervisor, uses=9)
    customer = await add_customer(city.database, NOON, level="diamond")
    of = await at_counter(city, NOON, granted(customer, uses=3))
    came = await together(city, [used(of)] * 8)
    assert sorted(came) == ["done"] * 3 + ["grant-state-unfit"] * 5
    rows = await run(city.database, "SELECT id FROM offer_use ORDER BY id")

    def back(of: UUID) -> Act:
        return lambda counter: using.reverse(counter, of, ReversalReason.MISTAKE)

    came = await together(city, [back(row.id) for row in rows[:2] for _ in range(4)])
    assert sorted(came) == ["done"] * 2 + ["use-reversed"] * 6
    rows = await run(city.database, "SELECT used, state FROM offer_grant")
    assert [tuple(row) for row in rows] == [(1, "used_in_part")]
    await require_right(city.database)


async def test_the_night_and_the_day_do_not_disturb_one_another(
    city: TestNode, supervisor: Headers
) -> None:
    await add_offer(city, supervisor)
    await set_quota(city, supervisor, uses=100)
    customers = [await add_customer(city.database, NOON, level="diamond") for _ in range(8)]
    grants = [await at_counter(city, NOON, granted(each, uses=2)) for each in customers]
    await run(
        city.database,
        "UPDATE customer SET library = 'retained', left_on = '2026-11-23' WHERE id = ANY(:some)",
        some=customers[:4],
    )
    database: Database = city.context.database
    acts = [act for n in range(8) for act in (used(grants[n]), granted(customers[n]))]
    came, first, second = await asyncio.gather(
        together(city, acts),
        expire(database, now=NOON, portion=2),
        expire(database, now=NOON, portion=2),
    )
    assert came[8:] == ["done"] * 8
    assert set(came[:8]) <= {"customer-retained", "grant-state-unfit", "offer-not-for-customer"}
    await expire(database, now=NOON)
    rows = await run(city.database, "SELECT state, count(*) AS n FROM offer_grant GROUP BY 1")
    assert {row.state: row.n for row in rows} == {"expired": 4, "used_in_part": 4, "granted": 4}
    assert first + second <= 4
    await require_right(city.database)

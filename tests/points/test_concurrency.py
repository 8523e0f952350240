"""Many at once, on connections of their own: no account and no stock is overdrawn, and nobody waits in a circle."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from services.city_node.customer.service import Desk
from services.city_node.points import transfer
from services.city_node.points.expiry import expire
from services.city_node.points.problems import PointsInsufficient
from services.city_node.points.schemas import TransferCreate
from services.city_node.redemption.schemas import RedemptionCreate
from services.city_node.redemption.service import Counter
from services.city_node.redemption.service import redeem as redeem_points
from services.city_node.reward.problems import StockShort
from shared.access import Principal
from shared.capability import Role
from shared.kernel.database import Database
from shared.kernel.ids import new_id
from tests.city.drafts import CITY, Headers
from tests.conftest import NOON, TestNode
from tests.points.city import (
    Somebody,
    add_bill,
    add_customer,
    add_reward,
    balance_of,
    judge,
    require_right,
    run,
)

AT_ONCE = 8


@pytest.fixture
async def many(city: TestNode) -> AsyncIterator[Database]:
    """The city's database with a connection for each of those who act at once."""
    database = Database(city.context.database.url, AT_ONCE)
    yield database
    await database.close()


SOMEONE = Principal(
    new_id(), "test", Role.SUPERVISOR, CITY, f"000000/440000/{CITY}/", frozenset(), new_id()
)


async def at_desk(city: TestNode, database: Database, act: Any) -> Any:
    async with database.transaction() as session:
        return await act(Desk(session, SOMEONE, NOON, city.context.cipher, CITY))


async def redeem(database: Database, of: Somebody, reward: str) -> bool:
    """Redeem, and tell whether it was possible."""
    body = RedemptionCreate(reward=reward)
    try:
        async with database.writer() as connection, connection.transaction():
            await redeem_points(Counter(connection, database, SOMEONE, NOON, CITY), of.id, body)
    except (PointsInsufficient, StockShort):
        return False
    return True


async def test_one_account_is_never_overdrawn(
    city: TestNode, supervisor: Headers, many: Database
) -> None:
    await add_reward(city, supervisor, stock=None)
    hot = await add_customer(city.database, NOON)
    await add_bill(city.database, hot, 105_000)  # 1050 points: ten rewards
    await judge(city)
    done = await asyncio.gather(*(redeem(many, hot, "umbrella") for _ in range(16)))
    assert sum(done) == 10
    assert await balance_of(city, hot) == 50
    await require_right(city.database)


async def test_stock_is_never_oversold(city: TestNode, supervisor: Headers, many: Database) -> None:
    await add_reward(city, supervisor, stock=5)
    people = [await add_customer(city.database, NOON) for _ in range(12)]
    for who in people:
        await add_bill(city.database, who, 10_000)
    await judge(city)
    done = await asyncio.gather(*(redeem(many, who, "umbrella") for who in people))
    assert sum(done) == 5
    assert (await run(city.database, "SELECT stock FROM reward"))[0][0] == 0
    left = [await balance_of(city, who) for who in people]
    assert [n == 0 for n in left] == list(done)
    await require_right(city.database)


async def test_everything_at_once_ends_and_is_right(
    city: TestNode, supervisor: Headers, many: Database
) -> None:
    """Redemptions, transfers to and fro, accrual of a whole city and expiry: a deadlock would be an error here."""
    await add_reward(city, supervisor, stock=1000)
    people = [await add_customer(city.database, NOON) for _ in range(5)]
    dice = Random(7)  # noqa: S311 - repeatable
    bills = [await add_bill(city.database, who, 200_000) for who in people]
    await judge(city)
    whole = sum([await balance_of(city, who) for who in people])

    async def give(giver: Somebody, receiver: Somebody) -> None:
        body = TransferCreate(receiver_id=receiver.id, points=dice.randint(100, 400))
        try:
            await at_desk(city, many, lambda desk: transfer.transfer(desk, giver.id, body))
        except PointsInsufficient:
            return

    async def grow(step: int) -> None:
        fen = 200_000 + 1_000 * step
        await run(
            many, "UPDATE bill SET charge_fen = :fen WHERE id = ANY(:ids)", fen=fen, ids=bills
        )
        await judge(city, portion=2, whole_city=True)

    acts: list[Any] = [give(*dice.sample(people, 2)) for _ in range(40)]
    acts += [redeem(many, dice.choice(people), "umbrella") for _ in range(30)]
    acts += [expire(many, now=NOON, portion=1), grow(1), grow(2), grow(3)]
    dice.shuffle(acts)
    done = await asyncio.gather(*acts)
    await judge(city, whole_city=True)
    redeemed = 100 * sum(1 for each in done if each is True)
    fen = (await run(city.database, "SELECT charge_fen FROM bill LIMIT 1"))[0][0]
    earned = len(people) * fen // 100
    assert whole == 10_000
    assert sum([await balance_of(city, who) for who in people]) == earned - redeemed
    await require_right(city.database)

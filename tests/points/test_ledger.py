"""The ledger against the same books on paper: whatever happens in whatever order."""

import itertools
from collections.abc import Awaitable
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.city_node.customer.service import Desk
from services.city_node.points import adjustment, freezing, transfer
from services.city_node.points.expiry import expire
from services.city_node.points.schemas import AdjustmentCreate, TransferCreate
from services.city_node.redemption import service as redemption
from services.city_node.redemption.schemas import RedemptionCreate, Reversal
from shared.access import Principal
from shared.capability import Role
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from shared.kernel.problems import Problem
from tests.city.drafts import CITY, Headers
from tests.conftest import NOON, TestNode
from tests.examples import examples
from tests.points.city import (
    Somebody,
    add_bill,
    add_customer,
    add_reward,
    judge,
    lots_of,
    require_right,
    run,
)
from tests.points.model import Paper, Refused

WHO = st.integers(0, 2)
POINTS = st.integers(100, 450)
ACTS = st.one_of(
    st.tuples(st.just("bill"), WHO, st.integers(0, 60_000)),
    st.tuples(st.just("bill"), WHO, st.integers(10_000, 60_000)),
    st.tuples(st.just("correct"), st.integers(0, 50), st.integers(0, 60_000)),
    st.tuples(st.just("redeem"), WHO, POINTS),
    st.tuples(st.just("redeem"), WHO, POINTS),
    st.tuples(st.just("settle"), st.integers(0, 50), st.booleans()),
    st.tuples(st.just("adjust"), WHO, st.integers(-600, 600).filter(bool)),
    st.tuples(st.just("transfer"), st.permutations([0, 1, 2]), POINTS),
    st.tuples(st.just("freeze"), WHO, st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 200), st.booleans()),
)


class Books:
    """The node's ledger, on which every act is tried as on paper."""

    def __init__(self, city: TestNode, people: list[Somebody]) -> None:
        self.city = city
        self.people = people
        self.now = NOON
        self.paper = Paper(business_day(NOON))
        self.bill_ids: list[int] = []
        self.charges: list[int] = []
        self.redemption_ids: list[UUID] = []
        # Seven months on each time, so that neighbouring bills are of lots that expire in different years.
        months = [date(2024 + n // 12, n % 12 + 1, 1) for n in (7 * n % 34 for n in range(34))]
        self.months = {who: itertools.chain(months, itertools.repeat(None)) for who in range(3)}

    async def desk(self, act: Any) -> Any:
        """Do something at a desk, in a transaction; a refusal is what paper calls one."""
        someone = Principal(
            new_id(), "test", Role.SUPERVISOR, CITY, f"000000/440000/{CITY}/", frozenset(), new_id()
        )
        try:
            async with self.city.context.database.transaction() as session:
                return await act(Desk(session, someone, self.now, self.city.context.cipher, CITY))
        except Problem as problem:
            if problem.status != HTTPStatus.CONFLICT:
                raise
            raise Refused from problem

    async def both(self, on_paper: Any, act: Awaitable[Any]) -> Any:
        """Require that paper and ledger do the same."""
        refused = False
        try:
            on_paper()
        except Refused:
            refused = True
        try:
            done = await act
        except Refused:
            assert refused
            return None
        assert not refused
        return done

    async def bill(self, who: int, fen: int) -> None:
        month = next(self.months[who])
        if month is not None:
            self.bill_ids.append(await add_bill(self.city.database, self.people[who], fen, month))
            self.charges.append(fen)
            await self.judge()
            self.paper.bill(who, month, fen)

    async def correct(self, index: int, fen: int) -> None:
        if self.bill_ids:
            index %= len(self.bill_ids)
            change = "UPDATE bill SET charge_fen = :fen WHERE id = :id"
            await run(self.city.database, change, fen=fen, id=self.bill_ids[index])
            await self.judge()
            if self.charges[index] != fen:  # what says the same again is not judged again
                self.paper.correct(index, fen)
            self.charges[index] = fen

    async def judge(self) -> None:
        self.city.clock.advance(self.now - self.city.clock.now())
        await judge(self.city)

    async def redeem(self, who: int, points: int) -> None:
        body = RedemptionCreate(reward="point", quantity=points)

        async def at_counter(desk: Desk) -> UUID:
            connection = await driver_connection(desk.session)
            counter = redemption.Counter(
                connection, self.city.context.database, desk.principal, desk.now, desk.node
            )
            return await redemption.redeem(counter, self.people[who].id, body)

        act = self.desk(at_counter)
        done = await self.both(lambda: self.paper.redeem(who, points), act)
        if done is not None:
            self.redemption_ids.append(done)

    async def settle(self, index: int, handed_over: bool) -> None:  # noqa: FBT001 - as it is drawn
        if not self.redemption_ids:
            return
        index %= len(self.redemption_ids)
        taken, of = self.paper.redemptions[index], self.redemption_ids[index]
        if taken.state != "open":
            return
        if handed_over:
            await self.desk(lambda desk: redemption.fulfil(desk, of, 1))
            body = Reversal(reason="x", returned=True)
            await self.desk(lambda desk: redemption.reverse(desk, of, 2, body))
        else:
            await self.desk(lambda desk: redemption.cancel(desk, of, 1, "x"))
        taken.state = "back"
        self.paper.give_back(index)

    async def adjust(self, who: int, points: int) -> None:
        body = AdjustmentCreate(points=points, reason="x")
        act = self.desk(lambda desk: adjustment.adjust(desk, self.people[who].id, body))
        await self.both(lambda: self.paper.adjust(who, points), act)

    async def transfer(self, people: list[int], points: int) -> None:
        giver, receiver = people[:2]
        body = TransferCreate(receiver_id=self.people[receiver].id, points=points)
        act = self.desk(lambda desk: transfer.transfer(desk, self.people[giver].id, body))
        await self.both(lambda: self.paper.transfer(giver, receiver, points), act)

    async def freeze(self, who: int, on: bool) -> None:  # noqa: FBT001 - as it is drawn
        of = self.people[who].id
        if on:
            await self.desk(lambda desk: freezing.freeze(desk, of, "x"))
            self.paper.frozen.add(who)
        else:
            await self.desk(lambda desk: freezing.unfreeze(desk, of))
            self.paper.frozen.discard(who)

    async def wait(self, days: int, night: bool) -> None:  # noqa: FBT001 - as it is drawn
        self.now += timedelta(days=days)
        self.paper.today = business_day(self.now)
        if night:
            await expire(self.city.context.database, now=self.now, portion=2)
            self.paper.expire()


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(acts=st.lists(ACTS, min_size=10, max_size=30))
async def test_the_ledger_does_what_paper_does(
    city: TestNode, supervisor: Headers, acts: list[tuple[str, Any, Any]]
) -> None:
    await run(city.database, "TRUNCATE customer, points_due, points_accrual, reward CASCADE")
    await run(city.database, "TRUNCATE points_entry")
    city.clock.advance(NOON - city.clock.now())
    await add_reward(city, supervisor, code="point", points=1, stock=None)
    books = Books(city, [await add_customer(city.database, NOON) for _ in range(3)])
    for who, fen in itertools.product(range(3), (15_000, 30_000, 20_000)):
        await books.bill(who, fen)  # 150, 300 and 200 points, which expire in three different years
    for name, first, second in acts:
        await getattr(books, name)(first, second)
        for who, somebody in enumerate(books.people):
            assert await lots_of(city, somebody) == books.paper.shown(who), (name, who)
    await require_right(city.database)

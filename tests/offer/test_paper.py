"""Grants and uses against the same books on paper: whatever happens in whatever order."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.city_node.interaction.models import Channel
from services.city_node.offer import catalogue, granting, using
from services.city_node.offer.counter import Counter
from services.city_node.offer.expiry import expire
from services.city_node.offer.models import OfferGrant, ReversalReason
from services.city_node.offer.schemas import OfferCreate, QuotaSet
from shared.kernel.clock import business_day
from shared.kernel.problems import Problem
from tests.city.drafts import CITY, OTHER_TEAM, TEAM
from tests.conftest import NOON, TestNode
from tests.examples import examples
from tests.offer.city import add_customer, at_counter, draft, require_right, run
from tests.offer.paper import Paper, Person, Refused, Sort

START = NOON - timedelta(days=64)
"""Ten days before a quarter ends."""
UNITS = {-1: CITY, 0: TEAM, 1: OTHER_TEAM}
LEVELS = ("diamond", "diamond", "gold", "silver", "standard")
SORTS: dict[str, tuple[Sort, dict[str, Any]]] = {
    "a": (Sort(30_000, 50_000, frozenset({"b"})), {"conflicts_with": []}),
    "b": (
        Sort(1_000, 1_000, frozenset({"a", "c"})),
        {"approval_above_fen": 1_000, "conflicts_with": ["a"], "exclusive_group": "g"},
    ),
    "c": (Sort(0, 50_000, frozenset({"b"})), {"exclusive_group": "g"}),
    "d": (
        Sort(500, 50_000, frozenset(), business_day(START) + timedelta(days=20)),
        {"valid_until": str(business_day(START) + timedelta(days=20))},
    ),
}
WHO, WHICH = st.sampled_from([0, 0, 1, 2]), st.integers(0, 40)
MOSTLY = 35
CODE = st.sampled_from(sorted(SORTS))
BY = st.sampled_from(["zhao", "qian"])
LIMIT = st.one_of(st.none(), st.integers(0, 6))
GRANT = st.tuples(st.just("grant"), WHO, CODE, st.integers(1, 3), BY)
USE = st.tuples(st.just("use"), WHICH)
BACK = st.tuples(st.just("give_back"), WHICH, WHICH)
RARE = st.one_of(
    st.tuples(st.just("cancel"), WHICH),
    st.tuples(st.just("decide"), WHICH, BY, st.booleans()),
    st.tuples(st.just("set_purse"), CODE, st.sampled_from([-1, 0, 1]), LIMIT, LIMIT),
    st.tuples(st.just("level"), WHO, st.sampled_from(LEVELS)),
    st.tuples(st.just("leave"), WHO, st.sampled_from([True, True, False])),
    st.tuples(st.just("wait"), st.integers(0, 12), st.booleans()),
)
ROUND = st.tuples(GRANT, USE, RARE, GRANT, USE, RARE, BACK)
"""Some of each, so that there is always something to use and to give back."""


def _refuses(on_paper: Callable[[], None]) -> bool:
    try:
        on_paper()
    except Refused:
        return True
    return False


class Books:
    """The city's books, in which every act is tried as on paper."""

    def __init__(self, city: TestNode, people: list[UUID], paper: Paper) -> None:
        self.city = city
        self.people = people
        self.paper = paper
        self.now = START
        self.ids: list[UUID] = []
        self.lines: list[list[UUID]] = []

    async def both(
        self,
        on_paper: Callable[[], None],
        act: Callable[[Counter], Awaitable[Any]],
        by: str = "zhao",
    ) -> Any:
        """Require that paper and city do the same."""
        is_refused = _refuses(on_paper)
        found: Problem | None = None
        done = None
        try:
            done = await at_counter(self.city, self.now, act, by=by)
        except Problem as problem:
            found = problem
        assert (found is not None) is is_refused, (found, is_refused)
        assert found is None or found.status in {403, 409}, found
        return done

    async def grant(self, who: int, code: str, uses: int, by: str) -> None:
        if (until := self.paper.offers[code].until) is not None and until <= self.paper.today:
            return
        of = self.people[who]
        made = await self.both(
            lambda: self.paper.grant(who, code, uses, by),
            lambda counter: granting.grant(counter, of, code, uses),
            by,
        )
        if made is not None:
            self.ids.append(made)
            self.lines.append([])

    async def use(self, index: int) -> None:
        if not self.ids:
            return
        # Nearly always one that can be used: what cannot be is soon most of them.
        slips = enumerate(self.paper.slips)
        some = [n for n, slip in slips if slip.state == "open" and slip.used < slip.uses]
        index = some[index % len(some)] if some and index < MOSTLY else index % len(self.ids)
        of = self.ids[index]
        made = await self.both(
            lambda: self.paper.use(index), lambda counter: using.use(counter, of, Channel.HALL)
        )
        if made is not None:
            self.lines[index].append(made)

    async def give_back(self, index: int, given: int) -> None:
        slips = self.paper.slips
        whole = [n for n, slip in enumerate(slips) if slip.used]
        ended = [n for n in whole if slips[n].state == "closed"]
        some = (
            ended or whole if given < MOSTLY else [n for n, slip in enumerate(slips) if slip.lines]
        )
        if not some:
            return
        index = some[index % len(some)]
        lines = slips[index].lines
        line = lines.index(True) if given < MOSTLY else given % len(lines)
        of = self.lines[index][line]
        await self.both(
            lambda: self.paper.give_back(index, line),
            lambda counter: using.reverse(counter, of, ReversalReason.MISTAKE),
        )

    async def version(self, counter: Counter, of: UUID) -> int:
        found = await counter.session.scalar(select(OfferGrant.version).where(OfferGrant.id == of))
        assert found is not None
        return found

    async def cancel(self, index: int) -> None:
        if not self.ids:
            return
        slips = enumerate(self.paper.slips)
        some = [n for n, slip in slips if slip.state == "open" and 0 < slip.used < slip.uses]
        index = some[index % len(some)] if some and index < MOSTLY else index % len(self.ids)
        of = self.ids[index]

        async def act(counter: Counter) -> None:
            await granting.cancel(counter, of, await self.version(counter, of), "x")

        await self.both(lambda: self.paper.cancel(index), act)

    async def decide(self, index: int, by: str, approve: bool) -> None:  # noqa: FBT001 - as it is drawn
        waiting = [n for n, slip in enumerate(self.paper.slips) if slip.state == "proposed"]
        if not waiting:
            return
        index = waiting[index % len(waiting)]
        of = self.ids[index]

        async def act(counter: Counter) -> None:
            version = await self.version(counter, of)
            if approve:
                await granting.approve(counter, of, version)
            else:
                await granting.refuse(counter, of, version, "x")

        await self.both(lambda: self.paper.decide(index, by, approve=approve), act, by)

    async def set_purse(self, code: str, purse: int, uses: int | None, budget: int | None) -> None:
        if uses is None and budget is None:
            return
        fen = None if budget is None else budget * 10_000
        body = QuotaSet(uses=uses, budget_fen=fen)

        async def act(counter: Counter) -> None:
            rows = await run(
                self.city.database,
                "SELECT version FROM offer_quota WHERE (offer_code, unit_code) = (:code, :unit)",
                code=code,
                unit=UNITS[purse],
            )
            version = rows[0].version if rows else 0
            await catalogue.set_quota(
                counter, code, body, year=2026, unit=UNITS[purse], expected=version
            )

        await self.both(lambda: self.paper.set_purse(code, purse, uses, fen), act)

    async def level(self, who: int, level: str) -> None:
        self.paper.people[who].level = level
        change = "UPDATE customer SET level = :level WHERE id = :id"
        await run(self.city.database, change, level=level, id=self.people[who])

    async def leave(self, who: int, here: bool) -> None:  # noqa: FBT001 - as it is drawn
        self.paper.people[who].here = here
        change = (
            "UPDATE customer SET library = :library, left_on = CAST(:day AS date) WHERE id = :id"
        )
        library, day = ("in_network", None) if here else ("retained", self.paper.today)
        await run(self.city.database, change, library=library, day=day, id=self.people[who])

    async def wait(self, days: int, night: bool) -> None:  # noqa: FBT001 - as it is drawn
        if business_day(self.now + timedelta(days=days)).year == 2026:
            self.now += timedelta(days=days)
            self.paper.today = business_day(self.now)
        if night:
            await expire(self.city.context.database, now=self.now, portion=2)
            self.paper.night()

    async def compare(self) -> None:
        """Require that every grant is on paper as it is in the city."""
        rows = await run(
            self.city.database, "SELECT id, uses, used, state, quota_unit FROM offer_grant"
        )
        found = {row.id: row for row in rows}
        assert len(found) == len(self.ids)
        for of, slip in zip(self.ids, self.paper.slips, strict=True):
            row = found[of]
            assert (row.uses, row.used) == (slip.uses, slip.used)
            assert row.quota_unit == (None if slip.purse is None else UNITS[slip.purse])
            if slip.state == "closed":
                assert row.state in {"refused", "cancelled", "expired"}
            elif slip.state == "open":
                counted = "used_up" if slip.used == slip.uses else "used_in_part"
                assert row.state == (counted if slip.used else "granted")
            else:
                assert row.state == "proposed"
        await require_right(self.city.database)


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(rounds=st.lists(ROUND, min_size=4, max_size=9))
async def test_the_city_does_what_paper_does(
    city: TestNode, rounds: list[tuple[tuple[Any, ...], ...]]
) -> None:
    await run(city.database, "TRUNCATE customer, offer CASCADE")
    for code, (sort, more) in SORTS.items():
        body = OfferCreate.model_validate(draft(code, cost_fen=sort.cost, **more))
        await at_counter(city, START, partial(catalogue.add, body=body))
    people = [Person("diamond", 0), Person("gold", 1), Person("silver", -1)]
    ids = [
        await add_customer(city.database, NOON, level=each.level, unit=UNITS[each.place])
        for each in people
    ]
    offers = {code: sort for code, (sort, _) in SORTS.items()}
    books = Books(city, ids, Paper(business_day(START), people, offers))
    await books.set_purse("a", -1, 9, None)
    await books.set_purse("b", 0, None, 1)
    await books.set_purse("d", -1, 5, 1)
    for name, *given_ in itertools.chain(*rounds):
        await getattr(books, name)(*given_)
    await books.compare()

"""Transfers in any order of messages, repetitions, crashes, cancels and timeouts: exactly one owner, nothing lost."""

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from services.city_node.service_request.service import RequestNotInState
from services.city_node.transfer.problems import CustomerKnownHere
from shared.federation.delivery import MessageRefused
from shared.federation.envelope import Message
from tests.examples import examples
from tests.transfer.nation import CITIES, NEW, OLD, OTHER, SmallNation
from tests.transfer.people import id_card, msisdn, settle
from tests.transfer.watching import Watch

Action = tuple[str, Any]


@dataclass
class Run:
    """One course of events."""

    nation: SmallNation
    watch: Watch
    requests: list[tuple[str, UUID]] = field(default_factory=list)

    async def possible(self) -> list[Action]:
        """Return what may happen next; what happens often stands there more than once."""
        owner, _ = await self.watch.owner()
        open_ = [
            (city, request)
            for city, request in self.requests
            if (await self.nation.states(request)).get(city) in {"asked", "offered"}
        ]
        ways = self.nation.waiting()
        return [
            *[("ask", (owner, to)) for to in CITIES if to != owner and len(open_) < 3],
            *[("carry", way) for way in ways] * 4,
            *[("carry twice", way) for way in ways],
            *[("crash", way) for way in ways],
            *[("repeat", n) for n in range(len(self.nation.heard))[-3:]],
            *[("cancel", each) for each in open_[:1]],
            *[("change", city) for city in CITIES],
            ("wait", 30),
            ("wait", 150),
            *[("jobs", city) for city in CITIES],
        ]

    async def ends(self, city: str, request: UUID) -> dict[str, str]:
        """Return the state of a request where it was asked, and at its home if that has heard of it.

        Homes that the customer had left before refused it as moved, and it was asked again at the next.
        """
        home = await self.nation[city].value(
            "SELECT home FROM service_request WHERE id = $1", request
        )
        states = await self.nation.states(request)
        left = {code: state for code, state in states.items() if code not in {city, home}}
        assert set(left.values()) <= {"refused"}
        return {code: state for code, state in states.items() if code in {city, home}}

    async def do(self, action: str, value: Any) -> None:
        """Let one thing happen; what is not possible now is refused, and changes nothing."""
        match action:
            case "ask":
                home, to = value
                with contextlib.suppress(CustomerKnownHere):
                    request = await self.nation.ask(
                        msisdn(70), home=home, to=to, document=id_card(7)
                    )
                    self.requests.append((to, request))
            case "carry":
                await self.nation.carry(value)
            case "carry twice":
                await self.nation.carry(value, times=2)
            case "crash":
                await self.nation.carry(value, crash=True)
            case "repeat":
                destination, message = self.nation.heard[value]
                await self._repeat(destination, message)
            case "cancel":
                with contextlib.suppress(RequestNotInState):
                    await self.nation.cancel(*value)
            case "change":
                await self.watch.change(value)
            case "wait":
                self.nation.clock.advance(timedelta(minutes=value))
            case "jobs":
                await self.nation[value].run_jobs()

    async def _repeat(self, destination: str, message: Message) -> None:
        with contextlib.suppress(MessageRefused):  # parked, as what comes when it is long over
            await self.nation[destination].hear(message)


async def begin(nation: SmallNation) -> Run:
    await nation.empty()
    customer = await settle(nation[OLD], running=7)
    return Run(nation, await Watch.of(nation, customer))


@given(data=st.data(), steps=st.integers(10, 40))
@settings(
    max_examples=examples(4),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_any_order_ends_with_one_owner(
    nation: SmallNation, data: st.DataObject, steps: int
) -> None:
    run = await begin(nation)
    for _ in range(steps):
        await run.do(*data.draw(st.sampled_from(await run.possible())))
        await run.watch.check()
    await run.watch.finish()
    for city, request in run.requests:
        ends = await run.ends(city, request)
        event(f"ends {ends[city]}")
        assert (ends[city] == "completed") == (set(ends.values()) == {"completed"})


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM customer_ownership",
        "UPDATE points_balance SET balance = balance + 1",
        "UPDATE customer_ownership SET epoch = epoch + 1, state = 'live'",
    ],
)
async def test_the_watch_notices_harm(nation: SmallNation, harm: str) -> None:
    run = await begin(nation)
    await run.do("ask", (OLD, NEW))
    await nation.settle()
    await run.watch.check()
    for code in CITIES:
        await nation[code].execute(
            f"SELECT set_config('guanxi.fence', 'open', false); {harm}; RESET guanxi.fence"
        )
    with pytest.raises(AssertionError):
        await run.watch.check()


async def test_of_two_cities_one_has_the_customer_and_the_other_hears_why(
    nation: SmallNation,
) -> None:
    run = await begin(nation)
    await run.do("ask", (OLD, NEW))
    await run.do("ask", (OLD, OTHER))
    for way in nation.waiting():
        await run.do("carry", way)  # both questions, before anything is decided
    await nation.settle()
    (first, one), (second, two) = run.requests
    states = {first: (await nation.states(one))[first], second: (await nation.states(two))[second]}
    assert sorted(states.values()) == ["completed", "refused"]
    loser = next(city for city, state in states.items() if state == "refused")
    code = await nation[loser].value(
        "SELECT refusal_code FROM service_request WHERE state = 'refused'"
    )
    assert code == "transfer-under-way"
    await run.watch.finish()


async def test_who_asks_where_the_customer_was_gets_the_customer_from_where_it_is(
    nation: SmallNation,
) -> None:
    run = await begin(nation)
    await run.do("ask", (OLD, OTHER))
    await nation.settle()
    await run.do("ask", (OLD, NEW))
    await nation.settle()
    ((_, first), (_, second)) = run.requests
    assert await run.ends(OTHER, first) == {OTHER: "completed", OLD: "completed"}
    assert await nation.states(second) == {OLD: "refused", OTHER: "completed", NEW: "completed"}
    assert await run.ends(NEW, second) == {OTHER: "completed", NEW: "completed"}
    await run.watch.finish()


async def test_what_changes_during_a_transfer_is_refused_and_works_afterwards(
    nation: SmallNation,
) -> None:
    run = await begin(nation)
    assert await run.watch.change(OLD)
    await run.do("ask", (OLD, NEW))
    await nation.settle(until=lambda message: message.type == "guanxi.transfer.prepared.v1")
    assert not await run.watch.change(OLD)
    assert not await run.watch.change(NEW)
    await nation.settle()
    assert not await run.watch.change(OLD)
    assert await run.watch.change(NEW)
    await run.watch.finish()


async def test_a_refused_transfer_leaves_everything_as_it_was(nation: SmallNation) -> None:
    run = await begin(nation)
    await settle(nation[NEW], running=9)
    await run.do("ask", (OLD, NEW))
    await nation[NEW].execute("UPDATE subscription SET msisdn = $1", msisdn(70))
    await nation.settle()
    ((_, request),) = run.requests
    assert await nation.states(request) == {OLD: "refused", NEW: "refused"}
    assert await nation[OLD].value("SELECT refusal_code FROM service_request") == "number-in-use"
    assert await run.watch.change(OLD)

"""Card replacement in any order of messages, repetitions, cancels, timeouts and changes of the line."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.stock import NoCardInStock
from services.city_node.customer.models import Customer, Level, Subscription
from services.city_node.service_request.problems import RequestTimedOut
from shared.federation.envelope import Message
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.city.two_cities import (
    DOCUMENT,
    HOME,
    OTHER_DOCUMENT,
    VISITED,
    TwoCities,
    add_line,
    load_cards,
    two_cities,
)
from tests.examples import examples

MSISDN = "13800005678"
CARDS = 4
MOST_AT_ONCE = 2

CARD_OF_REQUEST: dict[str, set[str | None]] = {
    "asked": {"reserved"},
    "approved": {"reserved"},
    "written": {"written"},
    "completed": {"issued"},
    "refused": {None, "spoiled"},
    "cancelled": {None},
    "expired": {None},
}
"""Which card a request may have at the visited city, by its state there."""

Action = tuple[str, Any]


@dataclass
class Run:
    """One course of events."""

    cities: TwoCities
    requests: list[UUID] = field(default_factory=list)
    carried: list[tuple[str, Message]] = field(default_factory=list)

    suspended: bool = False
    once_written: set[str] = field(default_factory=set)

    async def states(self) -> dict[UUID, str]:
        """Return the state of every request at the visited city."""
        rows = await self.cities.visited.fetch("SELECT id, state FROM service_request")
        return {row["id"]: row["state"] for row in rows}

    async def possible(self) -> list[Action]:
        """Return what may happen next; what happens often stands there more than once."""
        by_id = await self.states()
        states = [by_id[request_id] for request_id in self.requests]
        having = {state: [n for n, s in enumerate(states) if s == state] for state in set(states)}
        early = having.get("asked", []) + having.get("approved", [])
        waiting = [city for city in (HOME, VISITED) if self.cities.waiting(city)]
        return [
            *[("ask", DOCUMENT), ("ask", DOCUMENT), ("ask", OTHER_DOCUMENT)][
                : 3 if len(early) < MOST_AT_ONCE else 0
            ],
            *[("carry", city) for city in waiting] * 3,
            *[("write", n) for n in having.get("approved", [])] * 3,
            *[("cancel", n) for n in early],
            *[("repeat", n) for n in range(len(self.carried))[-3:]],
            *[("line", "active")] * (3 if self.suspended else 0),
            *[("line", "suspended")] * (1 if "written" in having or not self.suspended else 0),
            *[("wait", minutes) for minutes in ((41, 41) if "written" in having else (1, 16))],
            *[("expire", city) for city in (HOME, VISITED)],
        ]

    async def do(self, action: str, value: Any) -> None:
        """Let one thing happen; what is not possible now is refused, and changes nothing."""
        match action:
            case "ask":
                await self._ask(value)
            case "carry":
                message = await self.cities.carry(value)
                assert message is not None
                self.carried.append((VISITED if value == HOME else HOME, message))
            case "repeat":
                destination, message = self.carried[value]
                await self.cities[destination].hear(message)
            case "write":
                with contextlib.suppress(RequestTimedOut):
                    await self.cities.write(self.requests[value])
            case "cancel":
                await self.cities.cancel(self.requests[value])
            case "expire":
                await self.cities[value].expire_overdue()
            case "wait":
                self.cities.clock.advance(timedelta(minutes=value))
            case "line":
                self.suspended = value == "suspended"
                async with self.cities.home.transaction() as session:
                    await session.execute(update(Subscription).values(status=value))

    async def _ask(self, document: str) -> None:
        try:
            self.requests.append(await self.cities.ask(MSISDN, document=document))
        except NoCardInStock:
            assert (await self.cities.cards()).get("in_stock", 0) == 0

    async def check(self) -> None:
        """Check what must hold at every moment."""
        sims = Counter(state for state, _ in await self.cities.sims(MSISDN))
        assert sims["active"] == 1, sims
        states = await self.states()
        cards = await self.cities.visited.fetch(
            "SELECT iccid, state, request_id FROM sim_card_stock"
        )
        assert len(cards) == CARDS
        self.once_written |= {
            c["iccid"] for c in cards if c["state"] in {"written", "issued", "spoiled"}
        }
        assert all(
            c["state"] not in {"in_stock", "reserved"}
            for c in cards
            if c["iccid"] in self.once_written
        ), cards
        having = {
            card["request_id"]: card["state"] for card in cards if card["request_id"] is not None
        }
        assert len(having) == sum(card["state"] != "in_stock" for card in cards), cards
        for request_id in self.requests:
            assert having.pop(request_id, None) in CARD_OF_REQUEST[states[request_id]], (
                states[request_id],
                cards,
            )
        assert not having, "a card is with a request that does not exist"
        used = {iccid for _, iccid in await self.cities.sims(MSISDN)}
        assert all(
            card["state"] in {"written", "issued"} for card in cards if card["iccid"] in used
        )
        promises = await self.cities.home.fetch(
            "SELECT r.state AS request, v.state AS promise FROM sim_switch_reservation v JOIN service_request r ON r.id = v.request_id"
        )
        assert all((p["request"] == "approved") == (p["promise"] == "held") for p in promises), (
            promises
        )
        assert all((p["request"] == "completed") == (p["promise"] == "used") for p in promises), (
            promises
        )

    async def finish(self) -> None:
        """Let the links heal and all time run out; then check what must hold at the end."""
        await self.cities.settle()
        self.cities.clock.advance(KIND.time_limit + KIND.home_grace)
        await self.cities.visited.expire_overdue()
        await self.cities.home.expire_overdue()
        await self.cities.settle()
        await self.check()
        ends = "SELECT id, state, ended_at IS NOT NULL AS ended FROM service_request"
        at_visited = {row["id"]: row for row in await self.cities.visited.fetch(ends)}
        at_home = {row["id"]: row for row in await self.cities.home.fetch(ends)}
        assert set(at_visited) == set(at_home) == set(self.requests)
        assert all(row["ended"] for row in (*at_visited.values(), *at_home.values()))
        for request_id, row in at_visited.items():
            event(
                f"ends {row['state']} at the visited city, {at_home[request_id]['state']} at home"
            )
            assert (row["state"] == "completed") == (at_home[request_id]["state"] == "completed")
        issued = {
            row["iccid"]
            for row in await self.cities.visited.fetch(
                "SELECT iccid FROM sim_card_stock WHERE state = 'issued'"
            )
        }
        first, *later = [iccid for _, iccid in await self.cities.sims(MSISDN)]
        assert first not in issued
        assert set(later) == issued


@pytest.fixture(scope="module")
async def pair(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("cities")) as made:
        yield made


async def begin(pair: TwoCities, level: Level = Level.STANDARD) -> Run:
    await pair.empty()
    await add_line(pair.home, MSISDN)
    async with pair.home.transaction() as session:
        await session.execute(update(Customer).values(level=level))
    await load_cards(pair.visited, CARDS)
    return Run(pair)


@given(data=st.data(), steps=st.integers(10, 35))
@settings(max_examples=examples(16), deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_any_order_ends_well(pair: TwoCities, data: st.DataObject, steps: int) -> None:
    run = await begin(pair, data.draw(st.sampled_from([Level.DIAMOND, Level.STANDARD])))
    for _ in range(steps):
        await run.do(*data.draw(st.sampled_from(await run.possible())))
        await run.check()
    await run.finish()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE sim_card_stock SET state = 'in_stock', request_id = NULL",
        "UPDATE sim_card_stock SET state = 'issued' WHERE request_id IS NOT NULL",
        "UPDATE service_request SET state = 'cancelled'",
        "DELETE FROM sim_card_stock WHERE request_id IS NULL",
    ],
)
async def test_the_checks_notice_harm_at_the_visited_city(pair: TwoCities, harm: str) -> None:
    run = await begin(pair)
    await run.do("ask", DOCUMENT)
    await run.check()
    await (await pair.visited.context.database.pool()).execute(harm)
    with pytest.raises(AssertionError):
        await run.check()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE sim SET state = 'ended', ended_at = activated_at",
        "UPDATE sim_switch_reservation SET state = 'released', settled_at = now()",
    ],
)
async def test_the_checks_notice_harm_at_home(pair: TwoCities, harm: str) -> None:
    run = await begin(pair)
    await run.do("ask", DOCUMENT)
    await run.do("carry", VISITED)
    await run.check()
    await (await pair.home.context.database.pool()).execute(harm)
    with pytest.raises(AssertionError):
        await run.check()

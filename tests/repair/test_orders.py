"""Repairs in any order of messages, repetitions, crashes, cancels, timeouts, loans and changes of the customer."""

import contextlib
from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from services.city_node.loan_handset.problems import LoanOut, NoLoanHandset, NoLoanOut
from services.city_node.repair import work
from services.city_node.repair.kind import AT_WORK, KIND, UNDECIDED
from services.city_node.repair.schemas import Cost
from services.city_node.service_request.problems import RequestTimedOut
from services.city_node.service_request.service import RequestNotInState
from shared.federation.envelope import Message
from tests.city.two_cities import DOCUMENT, HOME, OTHER_DOCUMENT, VISITED
from tests.examples import examples
from tests.repair.workshop import IMEI, LOANED, NEW_IMEI, OTHER_IMEI, Workshops

MOST_AT_ONCE = 3
ALLOWED_ENDS = {state.code for state in KIND.states if state.final}
COUNTER = {
    "estimate": ("confirmed", "estimated", *AT_WORK),
    "crash": ("confirmed", "estimated", *AT_WORK),
    "agree": ("estimated", "revised"),
    "decline": ("estimated", "revised"),
    "lend": AT_WORK,
    "end_loan": (*AT_WORK, "repaired"),
    "repair": ("confirmed", "estimated", *AT_WORK),
    "let_off": ("repaired",),
    "hand_back": ("repaired",),
    "rate": ("returned", "completed"),
    "cancel": (*UNDECIDED, *AT_WORK),
}
"""What clerks try, and in which states it may be worth trying."""
OFTEN = {"estimate": 2, "agree": 5, "lend": 3, "end_loan": 4, "repair": 3, "hand_back": 5}
"""What they try more often than once."""
REFUSED = (LoanOut, NoLoanOut, NoLoanHandset, RequestNotInState, RequestTimedOut)
"""What they may be told instead, whereupon nothing has changed."""

Action = tuple[str, Any]


class Crash(Exception):
    """The node dies before it commits."""


@dataclass
class Run:
    """One course of events."""

    shop: Workshops
    requests: list[UUID] = field(default_factory=list)
    carried: list[tuple[str, Message]] = field(default_factory=list)
    rated: set[UUID] = field(default_factory=set)

    async def possible(self) -> list[Action]:
        """Return what may happen next; what happens often stands there more than once."""
        rows = await self.shop.visited.fetch("SELECT id, state FROM service_request")
        states = {row["id"]: row["state"] for row in rows}
        alive = [each for each in self.requests if states[each] not in ALLOWED_ENDS]
        waiting = [way for way in ((VISITED, HOME), (HOME, VISITED)) if self.shop.lanes.get(way)]
        tries = [
            (what, request_id)
            for request_id in self.requests
            for what, among in COUNTER.items()
            if states[request_id] in among and (what != "rate" or request_id not in self.rated)
        ]
        asks = [(imei, DOCUMENT) for imei in (IMEI, OTHER_IMEI, NEW_IMEI)]
        asks += [*asks, (IMEI, OTHER_DOCUMENT)]
        return [
            *[("ask", ask) for ask in asks if len(alive) < MOST_AT_ONCE],
            *[("carry", way) for way in waiting] * 6,
            *[("lose", way) for way in waiting],
            *[each for each in tries for _ in range(OFTEN.get(each[0], 1))],
            *[("repeat", n) for n in range(len(self.carried))[-3:]],
            *[("level", level) for level in ("diamond", "standard")],
            *[("wait", 5), ("wait", 40), ("expire", VISITED), ("expire", HOME)],
        ]

    async def do(self, action: str, value: Any) -> None:
        """Let one thing happen; what is not possible now is refused, and changes nothing."""
        shop = self.shop
        match action:
            case "ask":
                imei, document = value
                self.requests.append(await shop.ask(imei=imei, document_number=document))
            case "carry":
                message = await shop.carry(*value)
                assert message is not None
                self.carried.append((value[1], message))
            case "lose":
                await self._lose(*value)
            case "repeat":
                destination, message = self.carried[value]
                await shop.cities[destination].hear(message)
            case "level":
                pool = await shop.home.context.database.pool()
                await pool.execute("UPDATE customer SET level = $1", value)
            case "wait":
                shop.clock.advance(timedelta(hours=value))
            case "expire":
                await shop.expire(value)
            case _:
                with contextlib.suppress(*REFUSED):
                    await self._work(action, value)

    async def _lose(self, source: str, destination: str) -> None:
        """Let the receiver die after it has handled a message and before it has committed."""
        message = self.shop.lanes[source, destination][0]

        async def die() -> None:
            raise Crash

        with contextlib.suppress(Crash):
            await self.shop.cities[destination].hear(message, and_then=die)

    async def _work(self, action: str, request_id: UUID) -> None:
        shop = self.shop
        match action:
            case "agree" | "decline":
                number = len(await self._estimates(request_id))
                await getattr(shop, action)(request_id, number)
            case "crash":
                await self._crash(request_id)
            case "end_loan":
                endings = ("returned", "damaged", "lost")
                await shop.end_loan(request_id, endings[request_id.int % 3])
            case "repair":
                agreed = "agreed" in await self._estimates(request_id)
                await shop.repaired(request_id, "fixed" if agreed else "not_repairable")
            case "let_off":
                await self._let_off(request_id)
            case "rate":
                await shop.rate(request_id, 4)
                self.rated.add(request_id)
            case _:
                await getattr(shop, action)(request_id)

    async def _crash(self, request_id: UUID) -> None:
        with contextlib.suppress(Crash):
            async with self.shop.counter() as desk:
                await work.estimate(desk, request_id, Cost(labour_fen=1))
                raise Crash

    async def _let_off(self, request_id: UUID) -> None:
        ticket = await self.shop.ticket(request_id)
        home = min(ticket["total_fen"] * ticket["home_share_permille"] // 1000, ticket["cap_fen"])
        await self.shop.let_off(request_id, min(100, ticket["total_fen"] - home))

    async def _estimates(self, request_id: UUID) -> list[str | None]:
        rows = await self.shop.visited.fetch(
            "SELECT decision FROM repair_estimate WHERE request_id = $1 ORDER BY number", request_id
        )
        return [row["decision"] for row in rows]

    async def check(self) -> None:
        """Check what must hold at every moment."""
        shop = self.shop
        stock = Tally(await shop.stock())
        assert sum(stock.values()) == len(LOANED), stock
        loans = await shop.visited.fetch(
            "SELECT l.*, r.state FROM handset_loan l JOIN service_request r ON r.id = l.request_id"
        )
        out = [loan for loan in loans if loan["ending"] is None]
        assert stock["lent"] == len(out) == len({loan["handset_id"] for loan in out})
        assert all(loan["state"] in (*AT_WORK, "repaired") for loan in out), out
        taken = sum(loan["deposit_fen"] for loan in loans)
        settled = sum((loan["refunded_fen"] or 0) + (loan["kept_fen"] or 0) for loan in loans)
        assert taken == settled + sum(loan["deposit_fen"] for loan in out)
        lost = sum(loan["ending"] == "lost" for loan in loans)
        assert stock["lost"] == lost
        at_home = await shop.home.fetch(
            "SELECT r.id, r.state, p.state AS promise, p.imei, d.request_id AS record FROM service_request r "
            "LEFT JOIN repair_promise p ON p.request_id = r.id LEFT JOIN repair_record d ON d.request_id = r.id"
        )
        promises = {"confirmed": "held", "completed": "used", "refused": None}
        for row in at_home:
            assert row["promise"] == promises.get(row["state"], "released"), row
            assert (row["record"] is not None) == (row["state"] == "completed"), row
        held = [row["imei"] for row in at_home if row["promise"] == "held"]
        assert len(held) == len(set(held)), held
        history = [c for c in await shop.changes() if c["field"].endswith("/result")]
        assert len(history) == sum(row["state"] == "completed" for row in at_home)

    async def finish(self) -> None:
        """Let the links heal and people end what they have begun; then check what must hold at the end."""
        shop = self.shop
        await shop.settle()
        shop.clock.advance(KIND.time_limit)
        await shop.expire()
        for request_id in self.requests:
            with contextlib.suppress(NoLoanOut):
                await shop.end_loan(request_id)
            if await shop.visited.state(request_id) in AT_WORK:
                await shop.cancel(request_id)
            if await shop.visited.state(request_id) == "repaired":
                await shop.hand_back(request_id)
        await shop.settle()
        await self.check()
        ends = "SELECT id, state, ended_at IS NOT NULL AS ended FROM service_request"
        at_visited = {row["id"]: row for row in await shop.visited.fetch(ends)}
        at_home = {row["id"]: row for row in await shop.home.fetch(ends)}
        assert set(at_visited) == set(at_home) == set(self.requests)
        for request_id, row in at_visited.items():
            event(f"ends {row['state']} and {at_home[request_id]['state']} at home")
            assert row["ended"]
            assert at_home[request_id]["ended"]
            assert row["state"] in ALLOWED_ENDS
            assert (row["state"] == "completed") == (at_home[request_id]["state"] == "completed")
        told = "request_id, total_fen, customer_fen, home_fen, visited_fen, business_day, result"
        records = await shop.home.fetch(f"SELECT {told} FROM repair_record ORDER BY 1")  # noqa: S608 - a constant
        tickets = await shop.visited.fetch(
            f"SELECT {told} FROM repair_ticket WHERE business_day IS NOT NULL ORDER BY 1"  # noqa: S608 - a constant
        )
        assert records == tickets
        ratings = "SELECT request_id, score, level FROM repair_satisfaction ORDER BY 1"
        assert await shop.visited.fetch(ratings) == await shop.home.fetch(ratings)


async def begin(opened: Workshops) -> Run:
    await opened.set_up()
    return Run(opened)


@given(data=st.data(), steps=st.integers(25, 55))
@settings(max_examples=examples(10), deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_order_ends_well(opened: Workshops, data: st.DataObject, steps: int) -> None:
    run = await begin(opened)
    for _ in range(steps):
        await run.do(*data.draw(st.sampled_from(await run.possible())))
        await run.check()
    await run.finish()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE loan_handset SET state = 'in_stock'",
        "DELETE FROM loan_handset WHERE state = 'in_stock'",
        "UPDATE service_request SET state = 'cancelled'",
    ],
)
async def test_the_checks_notice_harm_at_the_visited_city(opened: Workshops, harm: str) -> None:
    run = await begin(opened)
    request_id = await opened.agreed()
    await opened.lend(request_id)
    await opened.settle()
    await run.check()
    await (await opened.visited.context.database.pool()).execute(harm)
    with pytest.raises(AssertionError):
        await run.check()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE repair_promise SET state = 'released', settled_at = now() WHERE state = 'used'",
        "DELETE FROM repair_record",
        "UPDATE service_request SET state = 'confirmed'",
        "DELETE FROM customer_change",
    ],
)
async def test_the_checks_notice_harm_at_home(opened: Workshops, harm: str) -> None:
    run = await begin(opened)
    await opened.completed()
    await run.check()
    await (await opened.home.context.database.pool()).execute(harm)
    with pytest.raises(AssertionError):
        await run.check()

"""A hall that orders cards from its supplier, and what must have come of all that has happened."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.city_node import card_order
from services.city_node.card_order import jobs, loss, repository, service
from services.city_node.card_order.models import OPEN
from services.city_node.card_order.problems import NothingInTransit
from services.city_node.card_replacement import stock
from shared import audit
from shared.kernel.ids import new_id
from shared.port.mending import Mending
from tests.city.outside import Outside, empty_ports
from tests.city.two_cities import HALL, City, TwoCities, clerk, load_cards

SUPPLIER = "card-supplier"
REQUEST = text(
    "INSERT INTO service_request (id, kind, role, home, visited, state, awaiting, subject, deadline, data, unit_code,"
    " created_by, created_at, updated_at) VALUES (:id, 'card-replacement', 'visited', '110100', '440300', 'asked',"
    " 'home', '138****0001', :now, '{}', :unit, 'x', :now, :now)"
)


@dataclass
class Run:
    """A hall and its supplier, and what must have come of what has happened."""

    cities: TwoCities
    outside: Outside
    entered: set[str] = field(default_factory=set)
    """Every card that was ever put into the stock."""
    lost: set[str] = field(default_factory=set)
    """Every card that was written off on its way, and has not turned up."""
    requests: list[UUID] = field(default_factory=list)
    events: set[str] = field(default_factory=set)

    @property
    def city(self) -> City:
        return self.cities.visited

    async def do(self, action: str, value: Any = None) -> None:
        await getattr(self, f"_{action.replace(' ', '_')}")(value)

    async def _level(self, value: tuple[int, int]) -> None:
        async with self.city.transaction() as session:
            found = await self.city.fetch("SELECT version FROM card_reorder_level")
            await service.set_level(
                self.city.context,
                session,
                clerk(HALL),
                HALL,
                level=value[0],
                quantity=value[1],
                expected=found[0]["version"] if found else 0,
                now=self.cities.clock.now(),
            )

    async def _look(self, _: None = None) -> None:
        await jobs.supply(self.city.context, self.cities.clock.now())

    async def _work(self, value: int | None) -> None:
        await self.outside.work(self.city, SUPPLIER, most=value)

    async def _supply(self, _: None) -> None:
        await self._look()
        await self._work(None)

    async def _faults(self, value: dict[str, Any]) -> None:
        self.outside.fault(SUPPLIER, **value)

    async def _wait(self, value: int) -> None:
        self.cities.clock.advance(timedelta(minutes=value))

    async def _load(self, value: int) -> None:
        first = len(self.entered) + 1
        await load_cards(self.city, value, first=first)
        self.entered |= {f"8986009999{n:010d}" for n in range(first, first + value)}

    async def _take(self, _: None) -> None:
        request, now = new_id(), self.cities.clock.now()
        async with self.city.transaction() as session:
            await session.execute(REQUEST, {"id": request, "now": now, "unit": HALL})
            try:
                await stock.reserve(session, HALL, request, now=now)
            except stock.NoCardInStock:
                self.events.add("the hall is empty")
                return
        self.requests.append(request)

    async def _end(self, how: str) -> None:
        if not self.requests:
            return
        request, now = self.requests.pop(0), self.cities.clock.now()
        async with self.city.transaction() as session:
            if how != "give back":
                await stock.write(session, request, now=now)
                await session.flush()
            end = stock.issue if how == "issue" else stock.give_back
            await end(session, request, now=now)

    async def _receive(self, value: tuple[int, int | None]) -> None:
        rows = await self.city.fetch("SELECT id FROM card_order ORDER BY number")
        if not rows:
            return
        order, now = rows[value[0] % len(rows)]["id"], self.cities.clock.now()
        async with self.city.transaction() as session:
            coming = await repository.in_transit(session, order)
        some = None if value[1] is None else sorted(coming)[: value[1]]
        try:
            async with self.city.transaction() as session:
                received = await service.receive(session, clerk(HALL), order, some, now=now)
        except NothingInTransit:
            assert not coming
            return
        arrived = coming if some is None else set(some)
        assert received == len(arrived)
        self.entered |= arrived
        self.events.add("received")

    async def _lose(self, value: int | None) -> None:
        """Write off cards of every order that has some on their way, by two people."""
        now = self.cities.clock.now()
        for row in await self.city.fetch("SELECT id FROM card_order ORDER BY number"):
            async with self.city.transaction() as session:
                coming = sorted(await repository.in_transit(session, row["id"]))
            if not coming:
                continue
            some = None if value is None else coming[:value]
            async with self.city.transaction() as session:
                made = await loss.propose(session, clerk(HALL), row["id"], some, "x", now=now)
            async with self.city.transaction() as session:
                await loss.approve(session, clerk(HALL, "wang.wei"), made, 1, now=now)
            self.lost |= set(coming if some is None else some)
            self.events.add("written off")

    async def _find(self, _: None = None) -> None:
        """Let a lost card turn up, and be received."""
        if not self.lost:
            return
        card, now = min(self.lost), self.cities.clock.now()
        (row,) = await self.city.fetch(
            f"SELECT order_id FROM card_order_card WHERE iccid = '{card}'"  # noqa: S608 - the simulator's
        )
        async with self.city.transaction() as session:
            assert (
                await service.receive(session, clerk(HALL), row["order_id"], [card], now=now) == 1
            )
        self.lost.remove(card)
        self.entered.add(card)
        self.events.add("a lost card turned up")

    async def _cancel(self, _: None) -> None:
        for row in await self.city.fetch("SELECT id, state FROM card_order"):
            if row["state"] not in OPEN:
                continue
            async with self.city.transaction() as session:
                await service.cancel(
                    self.city.context, session, clerk(HALL), row["id"], now=self.cities.clock.now()
                )
            self.events.add("cancelled")

    def done(self, operation: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Return what the supplier has done of an operation: key, what was asked, what was answered."""
        entries = self.outside.simulators[SUPPLIER].journal
        return [(e.key, e.content, e.answer) for e in entries if e.operation == operation]

    def shipped(self) -> list[str]:
        """Return every card that the supplier has shipped, once for each consignment that has it."""
        boxes = {
            (asked["order"], asked["consignment"]): answer["consignment"]
            for _, asked, answer in self.done("dispatch-advices")
        }
        return [card["iccid"] for box in boxes.values() if box for card in box["cards"]]

    @staticmethod
    def coming(state: dict[str, str]) -> set[str]:
        """Return the cards that are on their way."""
        return {iccid for iccid in state if state[iccid] == "in_transit"}

    async def check(self) -> None:
        """Check what must hold at every moment."""
        cards = await self.city.fetch("SELECT iccid, state FROM sim_card_stock")
        state = {card["iccid"]: card["state"] for card in cards}
        assert {
            iccid for iccid in state if state[iccid] not in {"in_transit", "lost"}
        } == self.entered
        counts = Counter(state.values())
        available, written_off = counts["in_stock"], counts["spoiled"]
        held = counts["reserved"] + counts["written"]
        assert set(state) == self.entered | self.lost | self.coming(state)
        assert {iccid for iccid in state if state[iccid] == "lost"} == self.lost
        assert len(self.entered) == available + held + counts["issued"] + written_off
        assert held == len(self.requests)
        orders = await self.city.fetch("SELECT * FROM card_order")
        known = {str(order["id"]): order for order in orders}
        placed = [asked["order"] for _, asked, _ in self.done("orders")]
        assert len(placed) == len(set(placed)), "ordered twice"
        assert set(placed) <= set(known)
        assert sum(order["state"] in OPEN for order in orders) <= 1
        shipped = self.shipped()
        assert len(shipped) == len(set(shipped))
        assert set(state) <= self.entered | set(shipped), "a card from nowhere"
        keys = Counter(entry.key for entry in self.outside.simulators[SUPPLIER].journal)
        assert not keys or max(keys.values()) == 1, "done twice"

    async def _retry_refused(self) -> None:
        """Let a person make those calls again that the supplier refused for good."""
        for row in await self.city.fetch("SELECT id FROM port_call WHERE state = 'handed_over'"):
            self.events.add("retried by a person")
            async with self.city.transaction() as session:
                by, now = audit.Actor.command("operator"), self.cities.clock.now()
                await Mending(session, by, now).retry(row["id"])

    async def finish(self) -> None:
        """Let all be well in the end: everything that was shipped enters the stock, and nothing waits."""
        self.outside.fault(SUPPLIER)
        await self.do("level", (0, 1))
        for _ in range(6):
            await self._retry_refused()
            await self.do("wait", 61)
            await self.do("look")
            await self.do("work")
        rows = await self.city.fetch("SELECT state FROM card_order ORDER BY number")
        for place in range(len(rows)):
            await self.do("receive", (place, None))
        await self.check()
        assert set(self.shipped()) <= self.entered | self.lost, "a card was lost on the way"
        assert (
            await self.city.fetch(
                "SELECT state FROM port_call WHERE state NOT IN ('done', 'refused')"
            )
            == []
        )
        for row in await self.city.fetch("SELECT state FROM card_order"):
            self.events.add(f"an order ends {row['state']}")
            assert row["state"] in {"received", "cancelled", "refused"}


async def fresh(pair: TwoCities) -> Run:
    await pair.empty()
    await empty_ports(pair.visited)
    return Run(pair, Outside(pair.clock, card_order.capability.offers))

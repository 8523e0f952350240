"""A home city and two others that repair handsets: real databases and sealing, with messages carried by hand."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid5

import orjson

from services.city_node import repair
from services.city_node.loan_handset import service as handsets
from services.city_node.loan_handset.schemas import LoanHandsetIn
from services.city_node.repair import lending, satisfaction, visited, work
from services.city_node.repair.counter import Counter
from services.city_node.repair.schemas import (
    Cost,
    GoodwillIn,
    LoanEndIn,
    RepairedIn,
    RepairIn,
    ReturnIn,
    SatisfactionIn,
)
from services.city_node.till import service as till
from shared.access import Principal
from shared.capability import NodeContext, Role
from shared.federation.envelope import Message
from shared.federation.high_water import HighWaterMark
from shared.federation.keys import PublicKey
from shared.federation.post import PostOffice
from shared.kernel.clock import HandClock
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.settings import load_settings
from tests.city.hand_post import HandPost, Lanes
from tests.city.two_cities import (
    DOCUMENT,
    HOME,
    MSISDN,
    NOON,
    STRANGER,
    VISITED,
    City,
    add_line,
    add_units,
    copy_of,
)

HALL = f"{VISITED}-01"
IMEI, OTHER_IMEI, NEW_IMEI = "490154203237518", "356938035643809", "352099001761481"
LOANED = ("353918057165900", "356952073210470")
PURCHASED = date(2024, 1, 15)
"""So long before that there is no warranty."""
STAFF = new_id()
"""What the ids of accounts are made from, so that each member of staff is one."""
HANDLERS = {message.type: message.handle for message in repair.capability.messages}
RECALLED = {message.type: message.recovered for message in repair.capability.messages}
TABLES = (
    *("handset_loan", "loan_handset", "repair_satisfaction", "repair_estimate", "repair_ticket"),
    *("repair_record", "repair_promise", "service_request_event", "service_request"),
    *("clearing_entry", "till_entry", "till_shift"),
    *("audit_record", "event", "customer_change", "sim", "subscription", "customer"),
)
"""What the tests here write, in an order in which it can be deleted."""
COST = {"parts": [{"code": "LCD", "name": "屏幕", "unit_fen": 60_000}], "labour_fen": 5_001}
TOTAL = 65_001


@dataclass
class Workshops:
    """The cities, and the lanes between them."""

    cities: Mapping[str, City]
    clock: HandClock
    lanes: Lanes

    @property
    def home(self) -> City:
        return self.cities[HOME]

    @property
    def visited(self) -> City:
        return self.cities[VISITED]

    @contextlib.asynccontextmanager
    async def counter(
        self, at: str = VISITED, username: str = "li.na", role: Role = Role.CLERK
    ) -> AsyncIterator[Counter]:
        """Stand at a counter, for the time of one transaction."""
        city = self.cities[at]
        path = f"000000/{at[:2]}0000/{at}/"
        who = Principal(uuid5(STAFF, username), username, role, at, path, frozenset(), new_id())
        async with city.transaction() as session:
            yield Counter(city.context, session, who, self.clock.now())

    async def open_shift(self) -> None:
        """Let the clerk of the hall have a drawer for deposits."""
        async with self.counter() as desk:
            await till.open_shift(desk.session, desk.principal, HALL, 0, now=desk.now)

    async def drawer(self) -> list[tuple[str, int]]:
        """Return what went into the hall's drawer and out of it, in order."""
        rows = await self.visited.fetch("SELECT kind, amount_fen FROM till_entry ORDER BY id")
        return [(row["kind"], row["amount_fen"]) for row in rows]

    async def books(self, city: City) -> list[tuple[str, str, int]]:
        """Return what a city has booked: debit, credit and how much."""
        rows = await city.fetch(
            "SELECT debit, credit, amount_fen FROM clearing_entry WHERE kind = 'repair' ORDER BY id"
        )
        return [tuple(row.values()) for row in rows]

    async def ask(self, at: str = VISITED, **given: Any) -> UUID:
        """Open a ticket."""
        body = {
            "msisdn": MSISDN,
            "home": HOME,
            "document_type": "id_card",
            "document_number": DOCUMENT,
            "make": "Huawei",
            "model": "Mate 60",
            "imei": IMEI,
            "fault": "屏幕碎裂",
            "purchased_on": PURCHASED.isoformat(),
            **({"unit": HALL} if at == VISITED else {}),
            **given,
        }
        async with self.counter(at) as desk:
            return await visited.ask(desk, RepairIn.model_validate(body))

    async def estimate(self, request_id: UUID, cost: Mapping[str, Any] = COST) -> None:
        async with self.counter() as desk:
            await work.estimate(desk, request_id, Cost.model_validate(cost))

    async def agree(self, request_id: UUID, number: int = 1) -> None:
        async with self.counter() as desk:
            await work.agree(desk, request_id, number)

    async def decline(self, request_id: UUID, number: int = 1) -> None:
        async with self.counter() as desk:
            await work.decline(desk, request_id, number)

    async def lend(self, request_id: UUID, handset_id: UUID | None = None) -> None:
        async with self.counter() as desk:
            await lending.lend(desk, request_id, handset_id)

    async def end_loan(self, request_id: UUID, ending: str = "returned", **given: Any) -> None:
        async with self.counter() as desk:
            body = LoanEndIn.model_validate({"ending": ending, **given})
            await lending.end(desk, request_id, body)

    async def repaired(self, request_id: UUID, result: str = "fixed", **given: Any) -> None:
        async with self.counter() as desk:
            body = RepairedIn.model_validate({"result": result, **given})
            await work.repaired(desk, request_id, body)

    async def let_off(self, request_id: UUID, goodwill_fen: int) -> None:
        async with self.counter(role=Role.SUPERVISOR) as desk:
            body = GoodwillIn(goodwill_fen=goodwill_fen, note="备件迟到")
            await work.let_off(desk, request_id, body)

    async def hand_back(self, request_id: UUID, receipt: str | None = "R-1") -> None:
        async with self.counter() as desk:
            await work.hand_back(desk, request_id, ReturnIn(receipt=receipt))

    async def cancel(self, request_id: UUID) -> None:
        async with self.counter() as desk:
            await visited.cancel(desk, request_id, "取回")

    async def rate(self, request_id: UUID, score: int = 5, comment: str | None = None) -> None:
        async with self.counter() as desk:
            await satisfaction.rate(desk, request_id, SatisfactionIn(score=score, comment=comment))

    async def confirmed(self, **given: Any) -> UUID:
        """Ask, and have the home city agree."""
        request_id = await self.ask(**given)
        await self.settle()
        assert await self.visited.state(request_id) == "confirmed"
        return request_id

    async def agreed(self, cost: Mapping[str, Any] = COST, **given: Any) -> UUID:
        """Have the customer agree to an estimate."""
        request_id = await self.confirmed(**given)
        await self.estimate(request_id, cost)
        await self.agree(request_id)
        return request_id

    async def completed(self, **given: Any) -> UUID:
        """Repair a handset, and have the home city record it."""
        request_id = await self.agreed(**given)
        await self.repaired(request_id)
        await self.hand_back(request_id)
        await self.settle()
        assert await self.visited.state(request_id) == "completed"
        return request_id

    async def carry(self, source: str, destination: str, *, times: int = 1) -> Message | None:
        """Deliver the next message from one city to another, perhaps several times."""
        waiting = self.lanes[source, destination]
        if not waiting:
            return None
        message = waiting.pop(0)
        for _ in range(times):
            await self.cities[destination].hear(message)
        return message

    async def settle(self, *, times: int = 1) -> list[Message]:
        """Deliver until no message is under way; returns what was delivered, in order."""
        delivered: list[Message] = []
        while any(self.lanes.values()):
            for source, destination in list(self.lanes):
                message = await self.carry(source, destination, times=times)
                if message is not None:
                    delivered.append(message)
        return delivered

    async def expire(self, at: str = VISITED) -> None:
        """Run the clock's job."""
        (job,) = repair.capability.jobs
        await job.run(self.cities[at].context, self.clock.now())

    async def ticket(self, request_id: UUID) -> dict[str, Any]:
        (row,) = await self.visited.fetch(
            "SELECT * FROM repair_ticket WHERE request_id = $1", request_id
        )
        return row

    async def recorded(self) -> list[dict[str, Any]]:
        """Return what home has recorded."""
        return await self.home.fetch("SELECT * FROM repair_record ORDER BY recorded_at")

    async def stock(self) -> dict[str, int]:
        """Count the loan handsets by state."""
        rows = await self.visited.fetch("SELECT state, count(*) AS n FROM loan_handset GROUP BY 1")
        return {row["state"]: row["n"] for row in rows}

    async def refusal(self, request_id: UUID, at: str = VISITED) -> str | None:
        """Return why the home city refused, after a look at the words in both languages."""
        request = await self.cities[at].request(request_id)
        assert request.state == "refused"
        assert request.refusal_text is not None
        assert request.refusal_text["en"]
        assert request.refusal_text["zh"]
        return request.refusal_code

    async def load(self, *imeis: str) -> None:
        """Put handsets into the hall's stock."""
        given = [LoanHandsetIn(imei=imei, make="Huawei", model="Enjoy 70") for imei in imeis]
        async with self.visited.transaction() as session:
            await handsets.load(session, HALL, given, unit_path="", now=NOON)

    async def set_up(self, level: str = "gold") -> None:
        """Forget everything; then home has a customer of that level and the hall two handsets to lend."""
        for city in self.cities.values():
            pool = await city.context.database.pool()
            for table in TABLES:
                await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
            cast("HandPost", city.context.post).answered.clear()
        self.lanes.clear()
        self.clock.advance(NOON - self.clock.now())
        await add_line(self.home, MSISDN)
        pool = await self.home.context.database.pool()
        await pool.execute("UPDATE customer SET level = $1", level)
        await pool.execute("UPDATE subscription SET imei = $1, handset = 'Huawei Mate 60'", IMEI)
        await self.load(*LOANED)
        await self.open_shift()

    async def changes(self) -> list[dict[str, Any]]:
        """Return what the customer's history says was changed."""
        rows = await self.home.fetch("SELECT changes FROM customer_change ORDER BY id")
        return [change for row in rows for change in orjson.loads(row["changes"])]


@contextlib.asynccontextmanager
async def workshops(
    postgres: EmbeddedPostgres, template: str, directory: Path, **given: Any
) -> AsyncIterator[Workshops]:
    """Open the cities, with databases of their own, and with the settings given."""
    clock = HandClock(NOON)
    keys: dict[str, PublicKey] = {}
    lanes: Lanes = defaultdict(list)
    cities: dict[str, City] = {}
    for code in (HOME, VISITED, STRANGER):
        url = await copy_of(postgres, template)
        settings = load_settings(code=code, home=directory, database_url=url, **given)
        database = Database(url)
        context = NodeContext(
            settings=settings,
            clock=clock,
            database=database,
            cipher=Cipher.load_or_create(directory / code),
            post=cast("PostOffice", HandPost(code, keys, lanes)),
            high_water=HighWaterMark(settings.directory, database),
        )
        async with context.database.transaction() as session:
            await add_units(session, code, *((HALL,) if code == VISITED else ()))
        cities[code] = City(context, clock, HANDLERS)
    try:
        yield Workshops(cities, clock, lanes)
    finally:
        for city in cities.values():
            await city.context.database.close()

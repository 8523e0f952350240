"""Two cities and what lies between them: real databases and real sealing, with messages carried by hand."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node import attachment, card_replacement, payment
from services.city_node.card_replacement import stock, visited
from services.city_node.card_replacement.schemas import CardReplacementIn
from services.city_node.customer.identity import seal_document
from services.city_node.customer.models import Customer, Sim, Subscription
from services.city_node.service_request.models import ServiceRequest
from shared.access import Principal
from shared.capability import NodeContext, Role
from shared.federation.delivery import Delivery, Hop
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
from shared.organisation.models import OrganisationUnit
from tests.city.hand_post import HandPost, Lanes

HOME, VISITED, STRANGER = "110100", "440300", "440100"
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DOCUMENT = "11010519491231002X"
OTHER_DOCUMENT = "440524188001010014"
HALL, OTHER_HALL = "440300-01", "440300-02"
MSISDN = "13800005678"
OLD_CARD = "89860000000000000001"
NEW_CARD = "89860099990000000001"

TABLES = (
    *("moved_number", "attachment_chunk", "attachment"),
    *("clearing_entry", "clearing_statement", "clearing_difference", "clearing_dispute"),
    *("clearing_month", "billing_entry", "billing_account", "payment_credit"),
    *("payment_reversal", "payment", "till_entry", "till_shift", "bill"),
    "sim_switch_reservation",
    *("card_loss", "card_order_card", "card_order", "card_reorder_level"),
    "sim_card_stock",
    "service_request_event",
    "service_request",
    "customer_change",
    "sim",
    "subscription",
    "customer",
)
"""What the tests here write, in an order in which it can be deleted: faster than two databases for each test."""


@dataclass
class City:
    """One end: its context, and its side of the lanes."""

    context: NodeContext
    clock: HandClock
    handlers: Mapping[str, Callable[[NodeContext, Delivery], Awaitable[None]]] = field(
        default_factory=lambda: {
            m.type: m.handle
            for kind in (card_replacement, attachment, payment)
            for m in kind.capability.messages
        }
    )

    @property
    def code(self) -> str:
        return self.context.settings.code

    def transaction(self) -> contextlib.AbstractAsyncContextManager[AsyncSession]:
        return self.context.database.transaction()

    async def hear(
        self, message: Message, *, and_then: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Handle a message as the receiver would: in a transaction of its own, with what else happens in it."""
        now = self.clock.now()
        way = dict.fromkeys(
            [
                message.source,
                f"{message.source[:2]}0000",
                "000000",
                f"{self.code[:2]}0000",
                self.code,
            ]
        )
        hops = tuple(Hop(node, message.time) for node in way)
        async with self.transaction() as session:
            await self.handlers[message.type](self.context, Delivery(message, hops, session, now))
            if and_then is not None:
                await session.flush()
                await and_then()

    async def expire_overdue(self) -> None:
        """Run the clock's job."""
        (job,) = card_replacement.capability.jobs
        await job.run(self.context, self.clock.now())

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        pool = await self.context.database.pool()
        return [dict(row) for row in await pool.fetch(sql, *values)]

    async def request(self, request_id: UUID) -> ServiceRequest:
        async with self.transaction() as session:
            found = await session.get(ServiceRequest, request_id)
            assert found is not None, f"{self.code} has no request {request_id}"
            return found

    async def state(self, request_id: UUID) -> str:
        return (await self.request(request_id)).state

    async def trail(self, request_id: UUID) -> list[tuple[str, str]]:
        rows = await self.fetch(
            "SELECT node, event FROM service_request_event WHERE request_id = $1 ORDER BY id",
            request_id,
        )
        return [(row["node"], row["event"]) for row in rows]


@dataclass
class TwoCities:
    """A home and a visited city, and the lanes between them."""

    home: City
    visited: City
    clock: HandClock
    lanes: Lanes

    def __getitem__(self, code: str) -> City:
        return self.home if code == HOME else self.visited

    def waiting(self, source: str) -> int:
        """Return how many messages of ``source`` are under way."""
        return len(self.lanes[source, VISITED if source == HOME else HOME])

    async def carry(self, source: str, *, times: int = 1) -> Message | None:
        """Deliver the next message that ``source`` has posted, perhaps several times."""
        destination = VISITED if source == HOME else HOME
        waiting = self.lanes[source, destination]
        if not waiting:
            return None
        message = waiting.pop(0)
        for _ in range(times):
            await self[destination].hear(message)
        return message

    async def settle(self, *, times: int = 1) -> None:
        """Deliver until no message is under way."""
        while self.lanes[VISITED, HOME] or self.lanes[HOME, VISITED]:
            await self.carry(VISITED, times=times)
            await self.carry(HOME, times=times)

    async def ask(
        self, msisdn: str, *, document: str = DOCUMENT, unit: str = HALL, home: str = HOME
    ) -> UUID:
        """Ask at the visited city's counter."""
        body = CardReplacementIn.model_validate(
            {
                "msisdn": msisdn,
                "home": home,
                "document_type": "id_card",
                "document_number": document,
                "unit": unit,
                "reason": "lost",
            }
        )
        async with self.visited.transaction() as session:
            return await visited.ask(
                self.visited.context, session, clerk(), body, now=self.clock.now()
            )

    async def write(self, request_id: UUID) -> None:
        """Write the card at the visited city's counter."""
        async with self.visited.transaction() as session:
            await visited.write_card(
                self.visited.context, session, clerk(), request_id, now=self.clock.now()
            )

    async def cancel(self, request_id: UUID) -> None:
        """Give up at the visited city's counter."""
        async with self.visited.transaction() as session:
            await visited.cancel(
                self.visited.context,
                session,
                clerk(),
                request_id,
                "changed her mind",
                now=self.clock.now(),
            )

    async def approved(self, msisdn: str) -> UUID:
        """Ask, and have the home city agree."""
        request_id = await self.ask(msisdn)
        await self.settle()
        assert await self.visited.state(request_id) == "approved"
        return request_id

    async def refusal(self, request_id: UUID) -> str | None:
        """Return why the home city refused, after a look at the words in both languages."""
        request = await self.visited.request(request_id)
        assert request.state == "refused"
        assert request.refusal_text is not None
        assert request.refusal_text["en"]
        assert request.refusal_text["zh"]
        return request.refusal_code

    async def cards(self, unit: str = HALL) -> dict[str, int]:
        """Count the cards of a hall by state."""
        rows = await self.visited.fetch(
            "SELECT state, count(*) AS n FROM sim_card_stock WHERE unit_code = $1 GROUP BY state",
            unit,
        )
        return {row["state"]: row["n"] for row in rows}

    async def empty(self) -> None:
        """Forget everything but the organisation, and set the clock back."""
        for city in (self.home, self.visited):
            pool = await city.context.database.pool()
            for table in TABLES:
                await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
        self.lanes.clear()
        self.clock.advance(NOON - self.clock.now())

    async def sims(self, msisdn: str) -> list[tuple[str, str]]:
        """Return the SIMs of a line, state and ICCID, in the order in which they came."""
        rows = await self.home.fetch(
            "SELECT m.state, m.iccid FROM sim m JOIN subscription s ON s.id = m.subscription_id "
            "WHERE s.msisdn = $1 ORDER BY m.activated_at, m.state DESC",
            msisdn,
        )
        return [(row["state"], row["iccid"]) for row in rows]


def clerk(unit: str = VISITED, username: str = "li.na") -> Principal:
    """Return somebody at the counter of the visited city, or of one of its halls."""
    path = f"000000/440000/{VISITED}/" + ("" if unit == VISITED else f"{unit}/")
    return Principal(uuid4(), username, Role.CLERK, unit, path, frozenset(), uuid4())


async def add_units(session: AsyncSession, code: str, *below: str) -> None:
    """Add a city's unit, those above it and halls below it, as a node does when it first starts."""
    city = ["000000", f"{code[:2]}0000", code]
    kinds = ["hq", "province", "city"]
    paths = [[*city[: place + 1]] for place in range(3)] + [[*city, hall] for hall in below]
    for place, path in enumerate(paths):
        unit = OrganisationUnit(
            code=path[-1],
            parent_code=path[-2] if len(path) > 1 else None,
            path="/".join(path) + "/",
            kind=kinds[place] if place < len(kinds) else "hall",
            name_zh=path[-1],
            name_en=path[-1],
            created_at=NOON,
            updated_at=NOON,
        )
        await session.merge(unit)
        await session.flush()


async def add_line(
    city: City, msisdn: str, *, document: str = DOCUMENT, place: int = 1
) -> Subscription:
    """Give a city a customer with one line and its SIM."""
    sealed = seal_document(city.context.cipher, "id_card", document)
    customer = Customer(
        id=new_id(),
        customer_number=f"{city.code}{place:08d}",
        kind="individual",
        name="王芳",
        name_sort="wangfang 王芳",
        document_type=sealed.type,
        document_cipher=sealed.cipher,
        document_index=sealed.index,
        document_masked=sealed.masked,
        unit_code=city.code,
        entry_date=NOON.date(),
        created_at=NOON,
        created_by="test",
        updated_at=NOON,
        updated_by="test",
    )
    line = Subscription(id=new_id(), customer_id=customer.id, msisdn=msisdn, entry_date=NOON.date())
    sim = Sim(
        iccid=f"8986000000{place:010d}",
        imsi=f"46000{place:010d}",
        subscription_id=line.id,
        activated_at=NOON - timedelta(days=90),
    )
    async with city.transaction() as session:
        for row in (customer, line, sim):
            session.add(row)
            await session.flush()
    return line


async def load_cards(city: City, count: int, *, unit: str = HALL, first: int = 1) -> None:
    """Put blank cards into a hall's stock."""
    cards = [(f"8986009999{n:010d}", f"46009{n:010d}") for n in range(first, first + count)]
    async with city.transaction() as session:
        await stock.load(session, unit, cards, unit_path="", now=NOON)


async def copy_of(postgres: EmbeddedPostgres, template: str) -> str:
    name = f"two_cities_{new_id()}"
    connection = await asyncpg.connect(postgres.database_url("postgres"))
    try:
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'
        )
    finally:
        await connection.close()
    return postgres.database_url(name)


@contextlib.asynccontextmanager
async def two_cities(
    postgres: EmbeddedPostgres, template: str, directory: Path, **given: Any
) -> AsyncIterator[TwoCities]:
    """Open a home and a visited city, with databases of their own, and with the settings given."""
    clock = HandClock(NOON)
    keys: dict[str, PublicKey] = {}
    lanes: Lanes = defaultdict(list)
    cities = []
    for code in (HOME, VISITED):
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
            await add_units(session, code, *((HALL, OTHER_HALL) if code == VISITED else ()))
        cities.append(City(context, clock))
    try:
        yield TwoCities(cities[0], cities[1], clock, lanes)
    finally:
        for city in cities:
            await city.context.database.close()

"""HQ and three cities with databases of their own, and messages that a test carries by hand, in any order there is."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import event

from services.city_node import payment, transfer
from services.city_node.transfer import visited
from services.city_node.transfer.kind import RECORD
from services.city_node.transfer.schemas import TransferIn
from services.hq_node import ownership
from shared.access import Principal
from shared.capability import MessageHandler, NodeContext, Role
from shared.federation.delivery import Delivery, Hop
from shared.federation.envelope import Message, answer_id
from shared.federation.high_water import HighWaterMark
from shared.federation.keys import PublicKey
from shared.kernel.clock import HandClock
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.settings import load_settings
from tests.city.hand_post import HandPost, Lanes
from tests.city.two_cities import DOCUMENT, NOON, City, add_units

HQ, OLD, NEW, OTHER = "000000", "110100", "440300", "310100"
CITIES = (OLD, NEW, OTHER)
HALL = "01"
"""What the code of each city's hall ends with."""

TABLES = (
    "transfer_chunk", "transfer_case", "service_request_event", "service_request", "ownership", "ownership_change",
    "customer_ownership", "audit_record", "evaluation_mark", "evaluation_due", "level_migration", "points_due",
    "points_entry", "points_accrual", "points_lot", "points_balance", "points_account", "points_basis",
    "customer_change", "customer_further_key", "merged_customer", "level_result", "credit_result", "level_appointment",
    "win_back_attempt", "tie", "preference", "interaction", "competitor_use", "product_holding", "agreement",
    "key_person", "enterprise", "usage_month", "bill", "sim_switch_reservation", "sim", "subscription",
    "customer_verification", "contact_bounce", "contact_medium", "group_member", "customer_proposal", "legal_hold",
    "erasure", "suppression", "moved_number", "clearing_entry", "billing_entry", "billing_account", "payment_credit",
    "payment_reversal", "payment", "till_entry", "till_shift", "customer",
)  # fmt: skip
"""What the tests here write, in an order in which it can be emptied."""


class Crash(Exception):
    """The node stops before it commits."""


class TransferPost(HandPost):
    """Posts by any lane, and remembers what it answered only if that was committed, as a database does."""

    async def answer(self, delivery: Delivery, type_: str, data: Any, **more: Any) -> UUID:
        told = answer_id(delivery.message.id, type_)
        before = dict(self.answered)
        done = await super().answer(delivery, type_, data, **more)
        self.answered = before
        event.listen(
            delivery.session.sync_session,
            "after_commit",
            lambda _: self.answered.__setitem__(told, data),
            once=True,
        )
        return done


@dataclass
class Place(City):
    """A node of this small nation."""

    hall: str = ""

    async def hear_and_crash(self, message: Message) -> None:
        """Handle a message, and stop before the commit."""
        with contextlib.suppress(Crash):
            async with self.transaction() as session:
                delivery = Delivery(message, _way(message, self.code), session, self.clock.now())
                await self.handlers[message.type](self.context, delivery)
                await session.flush()
                raise Crash

    async def run_jobs(self) -> None:
        """Run the clock's part in transfers."""
        for job in transfer.capability.jobs:
            await job.run(self.context, self.clock.now())

    async def value(self, sql: str, *values: Any) -> Any:
        return await (await self.context.database.pool()).fetchval(sql, *values)

    async def execute(self, sql: str, *values: Any) -> Any:
        return await (await self.context.database.pool()).execute(sql, *values)


Way = tuple[str, str, str]
"""From where, to where, by which lane: what goes by one way arrives in its order."""


def _messages(code: str) -> tuple[MessageHandler, ...]:
    if code == HQ:
        return ownership.capability.messages
    return (*transfer.capability.messages, *payment.capability.messages)


def _lane(message: Message) -> str:
    return "bulk" if message.type == RECORD else "request"


def _way(message: Message, code: str) -> Any:
    return tuple(Hop(node, message.time) for node in dict.fromkeys([message.source, HQ, code]))


@dataclass(frozen=True)
class Saved:
    """A backup of a node.

    Attributes:
        code: whose.
        heard: how many messages the nation had heard by then.
        posted: what the node had posted by then.
        tables: rows by table.
    """

    code: str
    heard: int
    posted: list[Message]
    tables: dict[str, str]


@dataclass
class SmallNation:
    """HQ and cities, and what is on the way between them."""

    places: dict[str, Place]
    clock: HandClock
    lanes: Lanes
    heard: list[tuple[str, Message]] = field(default_factory=list)
    """Every message that was handled, with who did."""

    def __getitem__(self, code: str) -> Place:
        return self.places[code]

    @property
    def cities(self) -> list[Place]:
        return [self.places[code] for code in CITIES]

    def waiting(self) -> list[Way]:
        """Return by which ways something can be carried next."""
        return sorted(
            {
                (source, destination, _lane(message))
                for (source, destination), messages in self.lanes.items()
                for message in messages
            }
        )

    def next_by(self, way: Way) -> Message:
        """Return what comes next by a way."""
        source, destination, lane = way
        return next(m for m in self.lanes[source, destination] if _lane(m) == lane)

    async def carry(self, way: Way, *, times: int = 1, crash: bool = False) -> Message:
        """Deliver the next message of a way, perhaps several times, or to a node that stops before its commit."""
        message = self.next_by(way)
        source, destination, _ = way
        if crash:
            await self[destination].hear_and_crash(message)
            return message
        # A node's inbox knows a message by its id, and handles it once; a handler stands being called more often.
        known = any(code == destination and m.id == message.id for code, m in self.heard)
        for _ in range(0 if known else times):
            await self[destination].hear(message)
        self.lanes[source, destination].remove(message)
        self.heard.append((destination, message))
        return message

    async def save(self, code: str) -> Saved:
        """Make a backup of a node."""
        tables = {
            table: await self[code].value(
                f"SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text FROM {table} t"  # noqa: S608
            )
            for table in TABLES
        }
        return Saved(code, len(self.heard), self._posted(code), tables)

    def _posted(self, code: str) -> list[Message]:
        heard = [message for _, message in self.heard if message.source == code]
        waiting = [m for lane, messages in self.lanes.items() if lane[0] == code for m in messages]
        return [*heard, *waiting]

    async def restore(self, saved: Saved) -> None:
        """Put a backup back, and let the peers give back what the node has said and heard since."""
        place = self[saved.code]
        pool = await place.context.database.pool()
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
            for table, rows in saved.tables.items():
                await connection.execute(
                    f"INSERT INTO {table} OVERRIDING SYSTEM VALUE "  # noqa: S608
                    f"SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1::text::jsonb)",
                    rows,
                )
        said = _messages(saved.code)
        recovered = {m.type: m.recovered for m in said if m.recovered is not None}
        known = {message.id for message in saved.posted}
        for message in self._posted(saved.code):
            if message.id not in known and message.type in recovered:
                async with place.transaction() as session:
                    delivery = Delivery(
                        message, _way(message, saved.code), session, self.clock.now()
                    )
                    await recovered[message.type](place.context, delivery)
        again = [m for code, m in self.heard[saved.heard :] if code == saved.code]
        self.heard = [
            each for n, each in enumerate(self.heard) if n < saved.heard or each[0] != saved.code
        ]
        for message in reversed(again):
            self.lanes[message.source, saved.code].insert(0, message)

    async def settle(
        self, *, times: int = 1, until: Callable[[Message], bool] | None = None
    ) -> None:
        """Deliver until nothing is on the way, or up to the message that ``until`` names, which stays there."""
        while ways := [
            way for way in self.waiting() if until is None or not until(self.next_by(way))
        ]:
            await self.carry(ways[0], times=times)

    async def ask(
        self,
        msisdn: str,
        *,
        home: str = OLD,
        to: str = NEW,
        document: str = DOCUMENT,
        new_msisdn: str | None = None,
    ) -> UUID:
        """Ask at the counter of the city where the customer wants to be."""
        place = self[to]
        body = TransferIn.model_validate(
            {
                "msisdn": msisdn,
                "home": home,
                "document_type": "id_card",
                "document_number": document,
                "consent": "form 7",
                "unit": place.hall,
                "new_msisdn": new_msisdn,
            }
        )
        async with place.transaction() as session:
            return await visited.ask(place.context, session, clerk(to), body, now=self.clock.now())

    async def cancel(self, to: str, request_id: UUID) -> None:
        """Give up at the counter."""
        place = self[to]
        async with place.transaction() as session:
            await visited.cancel(
                place.context, session, clerk(to), request_id, "stays", now=self.clock.now()
            )

    async def states(self, request_id: UUID) -> dict[str, str]:
        """Return the state of a request at each city that has one."""
        found = {}
        for place in self.cities:
            state = await place.value("SELECT state FROM service_request WHERE id = $1", request_id)
            if state is not None:
                found[place.code] = state
        return found

    async def empty(self) -> None:
        """Forget everything but the organisation, and set the clock back."""
        for place in self.places.values():
            await place.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
            cast("TransferPost", place.context.post).answered.clear()
        self.lanes.clear()
        self.heard.clear()
        self.clock.advance(NOON - self.clock.now())


def clerk(city: str) -> Principal:
    """Return somebody at the counter of a city."""
    path = f"000000/{city[:2]}0000/{city}/"
    return Principal(uuid4(), "li.na", Role.CLERK, city, path, frozenset(), uuid4())


async def _copy_of(postgres: EmbeddedPostgres, template: str) -> str:
    name = f"nation_{new_id()}"
    connection = await asyncpg.connect(postgres.database_url("postgres"))
    try:
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'
        )
    finally:
        await connection.close()
    return postgres.database_url(name)


@contextlib.asynccontextmanager
async def small_nation(
    postgres: EmbeddedPostgres, template: str, directory: Path, **given: Any
) -> AsyncIterator[SmallNation]:
    """Open HQ and three cities, with the settings given."""
    clock = HandClock(NOON)
    keys: dict[str, PublicKey] = {}
    lanes: Lanes = defaultdict(list)
    places: dict[str, Place] = {}
    for code in (HQ, *CITIES):
        url = await _copy_of(postgres, template)
        settings = load_settings(code=code, home=directory, database_url=url, **given)
        database = Database(url)
        context = NodeContext(
            settings=settings,
            clock=clock,
            database=database,
            cipher=Cipher.load_or_create(directory / code),
            post=cast("Any", TransferPost(code, keys, lanes)),
            high_water=HighWaterMark(settings.directory, database),
        )
        handlers = {m.type: m.handle for m in _messages(code)}
        async with context.database.transaction() as session:
            await add_units(session, code, *((f"{code}-{HALL}",) if code != HQ else ()))
        places[code] = Place(context, clock, handlers, f"{code}-{HALL}")
    try:
        yield SmallNation(places, clock, lanes)
    finally:
        for place in places.values():
            await place.context.database.close()

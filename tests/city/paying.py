"""A till in Shenzhen and a billing account in Beijing, with messages carried by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID, uuid4

from sqlalchemy import select

from services.city_node.customer.models import Bill, Subscription
from services.city_node.payment import reversal_visited, visited
from services.city_node.payment.schemas import PaymentIn
from services.city_node.till import service as till
from shared.access import Principal
from shared.capability import Role
from shared.federation.envelope import Message
from tests.city.two_cities import HALL, HOME, MSISDN, VISITED, City, TwoCities, add_line

CASHIER, SUPERVISOR = uuid4(), uuid4()


def cashier(unit: str = HALL) -> Principal:
    """Return who takes money in the hall."""
    return _member(CASHIER, "li.na", Role.CLERK, unit)


def supervisor(unit: str = HALL) -> Principal:
    """Return who reverses what the cashier took."""
    return _member(SUPERVISOR, "zhao.min", Role.SUPERVISOR, unit)


def _member(who: UUID, username: str, role: Role, unit: str) -> Principal:
    path = f"000000/440000/{VISITED}/{unit}/"
    return Principal(who, username, role, unit, path, frozenset(), uuid4())


@dataclass
class Counter:
    """The two cities as somebody who pays meets them.

    Attributes:
        cities: the two.
        heard: everything that either has heard, in order, as its peers would give it back.
    """

    cities: TwoCities
    heard: list[Message] = field(default_factory=list)

    @property
    def home(self) -> City:
        return self.cities.home

    @property
    def visited(self) -> City:
        return self.cities.visited

    async def empty(self) -> None:
        """Forget everything but the organisation."""
        await self.cities.empty()
        self.heard.clear()

    async def open(self, who: Principal | None = None, float_fen: int = 50_000) -> UUID:
        """Open a shift."""
        async with self.visited.transaction() as session:
            return await till.open_shift(
                session, who or cashier(), None, float_fen, now=self.cities.clock.now()
            )

    async def take(self, amount_fen: int = 10_000, msisdn: str = MSISDN) -> UUID:
        """Take money at the visited city's counter."""
        body = PaymentIn(msisdn=msisdn, home=HOME, amount_fen=amount_fen)
        async with self.visited.transaction() as session:
            return await visited.take(
                self.visited.context, session, cashier(), body, now=self.cities.clock.now()
            )

    async def reverse(self, payment_id: UUID, who: Principal | None = None) -> UUID:
        """Ask for a payment to be taken back."""
        async with self.visited.transaction() as session:
            return await reversal_visited.ask(
                self.visited.context,
                session,
                who or supervisor(),
                payment_id,
                "a wrong number",
                now=self.cities.clock.now(),
            )

    async def give_back(self, request_id: UUID, *, reversed_one: bool = False) -> None:
        """Hand cash out."""
        act = reversal_visited.give_back if reversed_one else visited.give_back
        async with self.visited.transaction() as session:
            await act(
                self.visited.context, session, cashier(), request_id, now=self.cities.clock.now()
            )

    async def carry(self, source: str, *, times: int = 1) -> Message | None:
        """Deliver the next message of a city, and remember it."""
        message = await self.cities.carry(source, times=times)
        if message is not None:
            self.heard.append(message)
        return message

    async def settle(self, *, times: int = 1) -> None:
        """Deliver until no message is under way."""
        while self.cities.waiting(VISITED) or self.cities.waiting(HOME):
            await self.carry(VISITED, times=times)
            await self.carry(HOME, times=times)

    async def balance(self) -> int | None:
        """Return the balance of the line."""
        rows = await self.home.fetch("SELECT balance_fen FROM billing_account")
        return rows[0]["balance_fen"] if rows else None

    async def cash(self) -> int:
        """Return what the tills hold beyond their floats."""
        rows = await self.visited.fetch(
            "SELECT coalesce(sum(amount_fen), 0)::bigint AS n FROM till_entry"
        )
        return int(rows[0]["n"])

    async def books(self, city: City) -> Mapping[str, int]:
        """Return each account of a city's clearing ledger: what is debited, less what is credited."""
        rows = await city.fetch(
            """
            SELECT account, sum(fen)::bigint AS n FROM (
                SELECT debit AS account, amount_fen AS fen FROM clearing_entry
                UNION ALL SELECT credit, -amount_fen FROM clearing_entry) legs
            GROUP BY account ORDER BY account
            """
        )
        return {row["account"]: int(row["n"]) for row in rows if row["n"]}

    async def bill(self, month: date, charge_fen: int) -> None:
        """Bill the line."""
        async with self.home.transaction() as session:
            line = (await session.scalars(select(Subscription))).one()
            session.add(
                Bill(
                    subscription_id=line.id,
                    customer_id=line.customer_id,
                    period=month,
                    charge_fen=charge_fen,
                )
            )

    async def bills(self) -> dict[date, date | None]:
        """Return which bills are paid, and when."""
        rows = await self.home.fetch("SELECT period, paid_on FROM bill ORDER BY period")
        return {row["period"]: row["paid_on"] for row in rows}


async def begin(pair: TwoCities) -> Counter:
    """Return a counter with an open shift, and one line at home."""
    counter = Counter(pair)
    await counter.empty()
    await add_line(pair.home, MSISDN)
    await counter.open()
    return counter

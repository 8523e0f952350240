"""Money for the number of a customer who moves: credited where the customer is, once, or given back."""

import contextlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from services.city_node.payment import visited
from services.city_node.payment.kind import CREDITED, PAYMENT, REFUSED, TAKEN
from services.city_node.payment.schemas import PaymentIn
from services.city_node.service_request.kind import MOVED
from services.city_node.till import service as till
from services.city_node.transfer.problems import CustomerKnownHere
from shared.access import Principal
from shared.capability import Role
from tests.examples import examples
from tests.transfer.nation import CITIES, NEW, OLD, OTHER, SmallNation
from tests.transfer.people import id_card, msisdn, settle

NUMBER = msisdn(70)
CASHIER = uuid4()
CREDITS = "SELECT request_id, amount_fen FROM payment_credit"


def cashier(nation: SmallNation, city: str) -> Principal:
    """Return who takes money in a city."""
    path = f"000000/{city[:2]}0000/{city}/"
    hall = nation[city].hall
    return Principal(CASHIER, "li.na", Role.CLERK, hall, path, frozenset(), uuid4())


async def begin(nation: SmallNation) -> None:
    """Give the old home a customer, and open a till elsewhere."""
    await settle(nation[OLD], running=7)
    for city in (NEW, OTHER):
        async with nation[city].transaction() as session:
            who = cashier(nation, city)
            await till.open_shift(session, who, None, 0, now=nation.clock.now())


async def move(nation: SmallNation, to: str = NEW, home: str = OLD) -> UUID:
    return await nation.ask(NUMBER, home=home, to=to, document=id_card(7))


async def take(
    nation: SmallNation, fen: int = 1_000, *, home: str | None = OLD, at: str = OTHER
) -> UUID:
    """Take money at a counter."""
    body = PaymentIn(msisdn=NUMBER, home=home, amount_fen=fen)
    async with nation[at].transaction() as session:
        who, now = cashier(nation, at), nation.clock.now()
        return await visited.take(nation[at].context, session, who, body, now=now)


async def credited_anywhere(nation: SmallNation) -> list[tuple[str, UUID, int]]:
    """Return what any city has credited."""
    return [
        (place.code, row["request_id"], row["amount_fen"])
        for place in nation.cities
        for row in await place.fetch(CREDITS)
    ]


async def cash(nation: SmallNation, city: str = OTHER) -> int:
    return int(await nation[city].value("SELECT coalesce(sum(amount_fen), 0) FROM till_entry"))


async def books(nation: SmallNation, city: str) -> dict[str, int]:
    rows = await nation[city].fetch(
        "SELECT account, sum(fen)::bigint AS n FROM (SELECT debit AS account, amount_fen AS fen FROM clearing_entry"
        " UNION ALL SELECT credit, -amount_fen FROM clearing_entry) legs GROUP BY account"
    )
    return {row["account"]: int(row["n"]) for row in rows if row["n"]}


@pytest.mark.parametrize("times", [1, 3])
async def test_money_is_credited_where_the_customer_has_moved_to(
    nation: SmallNation, times: int
) -> None:
    await begin(nation)
    await move(nation)
    await nation.settle()
    payment = await take(nation)
    taken = nation.next_by((OTHER, OLD, "request"))
    await nation.settle(times=times)

    assert await credited_anywhere(nation) == [(NEW, payment, 1_000)]
    request = await nation[OTHER].request(payment)
    assert (request.state, request.home, request.data["asked_at"]) == ("credited", NEW, [OLD, NEW])
    assert (await nation[OLD].request(payment)).refusal_code == MOVED
    assert [e for _, e in await nation[OTHER].trail(payment)].count("followed") == 1
    assert taken.deadline is None
    assert await books(nation, OLD) == {}, "who credited nothing is owed nothing"
    assert (await books(nation, NEW))["customers"] == -1_000
    assert (await books(nation, OTHER))["cash"] == 1_000 == await cash(nation)
    heard = [(code, m.type) for code, m in nation.heard if m.type in {TAKEN, REFUSED, CREDITED}]
    assert heard == [(OLD, TAKEN), (OTHER, REFUSED), (NEW, TAKEN), (OTHER, CREDITED)]

    again = await take(nation, home=None)
    assert (await nation[OTHER].request(again)).home == NEW, "it is known now"
    await nation.settle()
    assert {row[1] for row in await credited_anywhere(nation)} == {payment, again}


async def test_however_late_the_old_home_answers_the_money_follows(nation: SmallNation) -> None:
    await begin(nation)
    await move(nation)
    await nation.settle()
    payment = await take(nation)
    nation.clock.advance(PAYMENT.time_limit * 50)
    await nation.settle()
    assert await credited_anywhere(nation) == [(NEW, payment, 1_000)]


async def test_who_has_moved_to_the_very_counter_is_no_matter_of_another_city(
    nation: SmallNation,
) -> None:
    await begin(nation)
    await move(nation)
    await nation.settle()
    payment = await take(nation, at=NEW)
    await nation.settle()
    request = await nation[NEW].request(payment)
    assert (request.state, request.refusal_code) == ("to_give_back", MOVED)
    assert await credited_anywhere(nation) == []


async def test_a_chain_of_homes_is_followed(nation: SmallNation) -> None:
    await begin(nation)
    await move(nation, to=NEW)
    await nation.settle()
    await move(nation, to=OTHER, home=NEW)
    await nation.settle()
    await move(nation, to=OLD, home=OTHER)
    await nation.settle()
    payment = await take(nation, home=NEW)
    await nation.settle()
    request = await nation[OTHER].request(payment)
    assert request.state == "to_give_back", (
        "where it is sent next is this city itself, which has lost it"
    )
    assert await credited_anywhere(nation) == []


@pytest.mark.parametrize("code", CITIES)
@pytest.mark.parametrize(
    "lost", [*(pytest.param(each, marks=pytest.mark.thorough) for each in range(1, 4)), 4]
)
async def test_a_restored_city_neither_loses_the_money_nor_doubles_it(
    nation: SmallNation, code: str, lost: int
) -> None:
    """The backup is from after ``done`` of the payment's four messages; the city is lost ``lost`` messages later."""
    for done in range(4 - lost + 1):
        await nation.empty()
        await begin(nation)
        await move(nation)
        await nation.settle()
        empty = await nation.save(code)
        payment = await take(nation)
        for _ in range(done):
            await nation.carry(nation.waiting()[0])
        saved = empty if done == 0 else await nation.save(code)
        for _ in range(lost):
            await nation.carry(nation.waiting()[0])
        await nation.restore(saved)
        await nation.settle()
        assert await credited_anywhere(nation) == [(NEW, payment, 1_000)]
        assert (await nation[OTHER].request(payment)).state == "credited"
        assert await cash(nation) == 1_000
        assert (await books(nation, OTHER))["cash"] == 1_000
        assert (await books(nation, NEW))["customers"] == -1_000


@dataclass
class Run:
    """One course of events: customers move while money is taken for them."""

    nation: SmallNation
    payments: list[UUID] = field(default_factory=list)
    transfers: list[UUID] = field(default_factory=list)

    async def possible(self) -> list[tuple[str, Any]]:
        ways = self.nation.waiting()
        return [
            *[("take", home) for home in (OLD, NEW) if len(self.payments) < 4],
            *[("move", to) for to in (NEW, OTHER) if len(self.transfers) < 3],
            *[("carry", way) for way in ways] * 3,
            *[("crash", way) for way in ways],
        ]

    async def do(self, action: str, value: Any) -> None:
        match action:
            case "take":
                self.payments.append(await take(self.nation, 100 + len(self.payments), home=value))
            case "move":
                with contextlib.suppress(CustomerKnownHere):
                    self.transfers.append(await move(self.nation, to=value))
            case "carry":
                await self.nation.carry(value, times=2)
            case "crash":
                await self.nation.carry(value, crash=True)

    async def check(self) -> None:
        """Check what must hold at every moment."""
        found = [request for _, request, _ in await credited_anywhere(self.nation)]
        assert len(found) == len(set(found)), "a payment was credited twice"
        assert await cash(self.nation) == sum(100 + n for n in range(len(self.payments)))

    async def finish(self) -> None:
        await self.nation.settle()
        await self.check()
        credited = {request: city for city, request, _ in await credited_anywhere(self.nation)}
        for payment in self.payments:
            request = await self.nation[OTHER].request(payment)
            event(f"{request.state}, {len(request.data.get('asked_at', [OLD]))} homes asked")
            if payment in credited:
                assert (request.state, request.home) == ("credited", credited[payment])
            else:
                assert request.state == "to_give_back"
        kept = sum(fen for _, _, fen in await credited_anywhere(self.nation))
        assert (await books(self.nation, OTHER)).get("cash", 0) == kept
        owed = [(await books(self.nation, city)).get("customers", 0) for city in CITIES]
        assert -sum(owed) == kept


@given(data=st.data(), steps=st.integers(8, 30))
@settings(
    max_examples=examples(4),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_any_order_of_moves_and_payments_ends_well(
    nation: SmallNation, data: st.DataObject, steps: int
) -> None:
    await nation.empty()
    await begin(nation)
    run = Run(nation)
    for _ in range(steps):
        possible = await run.possible()
        if not possible:
            break  # all that could be asked has been, and nothing is on its way
        await run.do(*data.draw(st.sampled_from(possible)))
        await run.check()
    await run.finish()


async def test_a_transfer_asked_of_the_old_home_is_asked_of_the_new(nation: SmallNation) -> None:
    await begin(nation)
    await move(nation)
    await nation.settle()
    second = await move(nation, to=OTHER, home=OLD)
    await nation.settle(times=2)
    assert await nation.states(second) == {OLD: "refused", NEW: "completed", OTHER: "completed"}
    request = await nation[OTHER].request(second)
    assert (request.home, request.data["asked_at"]) == (NEW, [OLD, NEW])
    assert await nation[OTHER].value("SELECT state FROM customer_ownership") == "live"
    assert await nation[NEW].value("SELECT state FROM customer_ownership") == "left"


@pytest.mark.parametrize("lost", range(1, 4))
async def test_a_restored_city_finds_where_the_transfer_was_asked_last(
    nation: SmallNation, lost: int
) -> None:
    await begin(nation)
    await move(nation)
    await nation.settle()
    saved = await nation.save(OTHER)
    second = await move(nation, to=OTHER, home=OLD)
    for _ in range(2 + lost):
        await nation.carry(nation.waiting()[0])
    await nation.restore(saved)
    await nation.settle()
    states = await nation.states(second)
    assert states[OTHER] == "completed" == states[NEW], states

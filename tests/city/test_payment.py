"""A payment between two cities: taken, credited once, or given back; reversed."""

import asyncio
from collections.abc import Coroutine
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from services.city_node.billing_account import service as billing
from services.city_node.billing_account.jobs import settle_bills
from services.city_node.customer.models import ChangeSource, Subscription, SubscriptionStatus
from services.city_node.payment.problems import (
    PaymentNotReversible,
    ReversalByCashier,
    ReversalTooLate,
)
from services.city_node.payment.receipt import is_well_formed
from services.city_node.service_request.lines import lock_line
from services.city_node.service_request.service import RequestNotInState
from services.city_node.till.problems import ShiftAlreadyOpen, ShiftNotOpen
from shared import audit
from shared.federation.delivery import MessageRefused
from tests.city.paying import Counter, begin, cashier, supervisor
from tests.city.two_cities import HOME, MSISDN, VISITED, TwoCities

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
TODAY = date(2026, 11, 23)


@pytest.fixture
async def counter(pair: TwoCities) -> Counter:
    return await begin(pair)


async def test_money_taken_in_one_city_is_credited_in_the_other(counter: Counter) -> None:
    payment = await counter.take()
    assert await counter.visited.state(payment) == "taken"
    assert await counter.cash() == 10_000
    await counter.settle()

    assert await counter.visited.state(payment) == "credited"
    assert await counter.home.state(payment) == "credited"
    assert await counter.balance() == 10_000
    (row,) = await counter.visited.fetch("SELECT * FROM payment")
    assert row["business_day"] == TODAY
    assert is_well_formed(row["receipt_number"])
    assert row["receipt_number"].startswith(f"{VISITED}261123")
    (change,) = await counter.home.fetch("SELECT by, source, changes::text FROM customer_change")
    assert (change["by"], change["source"]) == (VISITED, "message")
    assert f"billing_accounts/{MSISDN}/balance_fen" in change["changes"]
    recorded = await counter.home.fetch(
        "SELECT fields::text FROM audit_record WHERE action = 'customer.changed' ORDER BY id DESC LIMIT 1"
    )
    assert recorded[0]["fields"] == '["billing_accounts/balance_fen"]'


async def test_each_message_may_come_more_than_once(counter: Counter) -> None:
    payment = await counter.take()
    await counter.settle(times=3)
    assert await counter.balance() == 10_000
    assert await counter.books(counter.home) == {"110000": 10_000, "customers": -10_000}
    assert await counter.books(counter.visited) == {"440000": -10_000, "cash": 10_000}
    assert await counter.visited.state(payment) == "credited"


async def test_what_home_refuses_is_given_back(counter: Counter) -> None:
    payment = await counter.take(msisdn="13700000000")
    with pytest.raises(RequestNotInState):
        await counter.give_back(payment)
    await counter.settle()
    request = await counter.visited.request(payment)
    assert (request.state, request.awaiting) == ("to_give_back", "visited")
    assert request.refusal_code == "subscription-unknown"
    assert await counter.cash() == 10_000

    await counter.give_back(payment)
    await counter.settle(times=2)
    assert await counter.visited.state(payment) == "given_back"
    assert await counter.home.state(payment) == "refused"
    assert (HOME, "given-back") not in await counter.visited.trail(payment)
    assert [event for _, event in await counter.home.trail(payment)].count("given-back") == 1
    assert await counter.cash() == 0
    with pytest.raises(RequestNotInState):
        await counter.give_back(payment)
    assert await counter.books(counter.home) == {}


async def test_money_is_taken_in_an_open_shift_only(counter: Counter) -> None:
    (shift,) = await counter.visited.fetch("SELECT id FROM till_shift")
    pool = await counter.visited.context.database.pool()
    await pool.execute(
        "UPDATE till_shift SET state = 'closed', closed_at = now(), expected_fen = 0, counted_fen = 0 WHERE id = $1",
        shift["id"],
    )
    with pytest.raises(ShiftNotOpen):
        await counter.take()
    assert await counter.visited.fetch("SELECT id FROM service_request") == []


async def test_a_payment_pays_the_oldest_bills_that_it_covers(counter: Counter) -> None:
    await counter.bill(OCTOBER, 6_000)
    await counter.bill(NOVEMBER, 5_000)
    await counter.take(10_000)
    await counter.settle()
    assert await counter.bills() == {OCTOBER: TODAY, NOVEMBER: None}
    assert await counter.balance() == 4_000
    await counter.take(1_000)
    await counter.settle()
    assert await counter.bills() == {OCTOBER: TODAY, NOVEMBER: TODAY}
    assert await counter.balance() == 0


async def test_bills_that_come_after_the_money_are_paid_by_the_clock(counter: Counter) -> None:
    await counter.take(10_000)
    await counter.settle()
    await counter.bill(NOVEMBER, 4_000)
    for _ in range(2):
        await settle_bills(counter.home.context, counter.cities.clock.now())
    assert await counter.bills() == {NOVEMBER: TODAY}
    assert await counter.balance() == 6_000


async def suspend(counter: Counter) -> None:
    async with counter.home.transaction() as session:
        line = await lock_line(session, MSISDN)
        assert line is not None
        cause = billing.Cause(
            audit.Actor.command("test"), ChangeSource.COMMAND, counter.cities.clock.now()
        )
        await billing.suspend(counter.home.context, session, line, cause)


async def status(counter: Counter) -> str:
    (row,) = await counter.home.fetch("SELECT status FROM subscription")
    return str(row["status"])


async def test_a_line_in_arrears_is_resumed_when_nothing_is_owed(counter: Counter) -> None:
    await counter.bill(OCTOBER, 6_000)
    await suspend(counter)
    assert await status(counter) == "suspended"
    await counter.take(5_000)
    await counter.settle()
    assert await status(counter) == "suspended"
    last = await counter.take(1_000)
    await counter.settle()
    assert await status(counter) == "active"

    reversal = await counter.reverse(last)
    await counter.settle()
    assert await counter.visited.state(reversal) == "to_give_back"
    assert await status(counter) == "suspended"
    assert await counter.bills() == {OCTOBER: None}
    assert await counter.balance() == 5_000


async def test_a_line_that_was_suspended_otherwise_stays_so(counter: Counter) -> None:
    async with counter.home.transaction() as session:
        line = await lock_line(session, MSISDN)
        assert line is not None
        line.subscription.status = SubscriptionStatus.SUSPENDED
    await counter.take()
    await counter.settle()
    assert await status(counter) == "suspended"


async def test_a_reversal_takes_everything_back(counter: Counter) -> None:
    await counter.bill(OCTOBER, 6_000)
    payment = await counter.take()
    await counter.settle()
    reversal = await counter.reverse(payment)
    with pytest.raises(PaymentNotReversible):
        await counter.reverse(payment)
    await counter.settle(times=2)
    assert await counter.balance() == 0
    assert await counter.bills() == {OCTOBER: None}
    assert await counter.cash() == 10_000
    await counter.give_back(reversal, reversed_one=True)
    await counter.settle()
    assert await counter.cash() == 0
    assert await counter.visited.state(reversal) == "given_back"
    assert await counter.home.state(reversal) == "reversed"
    for city in (counter.home, counter.visited):
        assert await counter.books(city) == {}
        assert len(await city.fetch("SELECT FROM clearing_entry")) == 2
    with pytest.raises(PaymentNotReversible):
        await counter.reverse(payment)
    entries = await counter.home.fetch("SELECT kind, amount_fen FROM billing_entry ORDER BY id")
    assert [tuple(entry.values()) for entry in entries] == [
        ("credited", 10_000),
        ("applied", -6_000),
        ("released", 6_000),
        ("reversed", -10_000),
    ]


async def test_a_reversal_leaves_what_other_payments_paid(counter: Counter) -> None:
    await counter.bill(OCTOBER, 6_000)
    await counter.take(6_000)
    payment = await counter.take(3_000)
    await counter.settle()
    await counter.reverse(payment)
    await counter.settle()
    assert await counter.bills() == {OCTOBER: TODAY}
    assert await counter.balance() == 0


async def test_who_took_the_money_does_not_reverse_it_nor_anybody_later(counter: Counter) -> None:
    payment = await counter.take()
    with pytest.raises(PaymentNotReversible):
        await counter.reverse(payment)
    await counter.settle()
    with pytest.raises(ReversalByCashier):
        await counter.reverse(payment, cashier())
    counter.cities.clock.advance(timedelta(hours=12))
    with pytest.raises(ReversalTooLate):
        await counter.reverse(payment)


async def test_home_refuses_a_reversal_of_a_line_that_has_ended(counter: Counter) -> None:
    payment = await counter.take()
    await counter.settle()
    async with counter.home.transaction() as session:
        await session.execute(update(Subscription).values(status="ended", ended_on=TODAY))
    reversal = await counter.reverse(payment)
    await counter.settle()
    assert await counter.visited.state(reversal) == "refused"
    assert (await counter.visited.request(reversal)).refusal_code == "line-ended"
    again = await counter.reverse(payment)
    assert again != reversal, "a refused reversal stands in nobody's way"
    assert await counter.balance() == 10_000


async def test_a_credit_of_another_amount_is_not_believed(counter: Counter) -> None:
    await counter.take()
    await counter.carry(VISITED)
    (answer,) = counter.cities.lanes[HOME, VISITED]
    answer.data["amount_fen"] = 1
    with pytest.raises(MessageRefused, match="credited 1 fen"):
        await counter.carry(HOME)
    assert await counter.books(counter.visited) == {}


async def both(*acts: Coroutine[Any, Any, Any]) -> list[type[BaseException] | None]:
    """Let things happen at once; return which failed, and with what."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    return sorted((type(one) if isinstance(one, BaseException) else None for one in done), key=str)


async def test_two_who_hand_out_the_same_money_at_once_hand_it_out_once(counter: Counter) -> None:
    payment = await counter.take(msisdn="13700000000")
    await counter.settle()
    assert await both(counter.give_back(payment), counter.give_back(payment)) == [
        RequestNotInState,
        None,
    ]
    assert await counter.cash() == 0


async def test_two_who_reverse_the_same_payment_at_once_reverse_it_once(counter: Counter) -> None:
    payment = await counter.take()
    await counter.settle()
    assert await both(counter.reverse(payment), counter.reverse(payment)) == [
        PaymentNotReversible,
        None,
    ]
    await counter.settle()
    assert await counter.balance() == 0


async def test_two_shifts_of_one_cashier_opened_at_once_are_one(counter: Counter) -> None:
    who = supervisor()
    assert await both(counter.open(who), counter.open(who)) == [ShiftAlreadyOpen, None]


async def test_payments_at_several_tills_at_once_are_each_credited_once(counter: Counter) -> None:
    await asyncio.gather(*(counter.take(100) for _ in range(8)))
    await counter.settle(times=2)
    assert await counter.balance() == 800
    assert await counter.cash() == 800
    numbers = await counter.visited.fetch("SELECT DISTINCT receipt_number FROM payment")
    assert len(numbers) == 8

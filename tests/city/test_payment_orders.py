"""Payments in any order of messages, repetitions, refusals, reversals, crashes and changes of the line."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from services.city_node.billing_account.jobs import settle_bills
from services.city_node.customer.models import Subscription
from services.city_node.payment.problems import PaymentNotReversible, ReversalTooLate
from shared.federation.delivery import MessageRefused
from shared.federation.envelope import Message
from shared.kernel.embedded_postgres import EmbeddedPostgres
from tests.city.paying import Counter
from tests.city.paying import begin as open_counter
from tests.city.two_cities import HOME, MSISDN, VISITED, TwoCities, two_cities
from tests.examples import examples

WRONG_NUMBER = "13700000000"
Action = tuple[str, Any]


class Crash(Exception):
    """The power went in the middle of a transaction."""


@dataclass
class Run:
    """One course of events."""

    counter: Counter
    payments: list[UUID] = field(default_factory=list)
    carried: list[tuple[str, Message]] = field(default_factory=list)
    suspended: bool = False
    billed: int = 0

    async def requests(self) -> dict[UUID, tuple[str, str]]:
        """Return kind and state of every request at the visited city."""
        rows = await self.counter.visited.fetch("SELECT id, kind, state FROM service_request")
        return {row["id"]: (row["kind"], row["state"]) for row in rows}

    async def possible(self) -> list[Action]:
        """Return what may happen next; what happens often stands there more than once."""
        cities = self.counter.cities
        requests = sorted((await self.requests()).items())
        waiting = [city for city in (HOME, VISITED) if cities.waiting(city)]
        owed = [(kind, id_) for id_, (kind, state) in requests if state == "to_give_back"]
        credited = [id_ for id_, found in requests if found == ("payment", "credited")]
        return [
            *[("take", (MSISDN, 1_000)), ("take", (MSISDN, 700)), ("take", (WRONG_NUMBER, 50))][
                : 3 if len(self.payments) < 6 else 0
            ],
            *[("carry", city) for city in waiting] * 3,
            *[("crash", city) for city in waiting],
            *[("repeat", n) for n in range(len(self.carried))[-4:]],
            *[("give back", one) for one in owed] * 2,
            *[("reverse", one) for one in credited],
            *[("line", "active")] * (3 if self.suspended else 0),
            *[("line", "ended")] * (0 if self.suspended else 1),
            *[("bill", 600)] * (1 if self.billed < 3 else 0),
            ("settle bills", None),
            ("wait", 20),
        ]

    async def do(self, action: str, value: Any) -> None:
        """Let one thing happen; what is not possible now is refused, and changes nothing."""
        counter = self.counter
        match action:
            case "take":
                self.payments.append(await counter.take(value[1], value[0]))
            case "carry":
                message = await counter.carry(value)
                assert message is not None
                self.carried.append((VISITED if value == HOME else HOME, message))
            case "crash":
                await self._crash(value)
            case "repeat":
                destination, message = self.carried[value]
                await counter.cities[destination].hear(message)
            case "give back":
                kind, request_id = value
                await counter.give_back(request_id, reversed_one=kind != "payment")
            case "reverse":
                with contextlib.suppress(PaymentNotReversible, ReversalTooLate):
                    await counter.reverse(value)
            case _:
                await self._elsewhere(action, value)

    async def _elsewhere(self, action: str, value: Any) -> None:
        """Let something happen that is not about a payment."""
        counter = self.counter
        match action:
            case "line":
                self.suspended = value == "ended"
                ended_on = date(2026, 11, 23) if self.suspended else None
                async with counter.home.transaction() as session:
                    await session.execute(
                        update(Subscription).values(status=value, ended_on=ended_on)
                    )
            case "bill":
                self.billed += 1
                await counter.bill(date(2026, self.billed, 1), value)
            case "settle bills":
                await settle_bills(counter.home.context, counter.cities.clock.now())
            case "wait":
                counter.cities.clock.advance(timedelta(minutes=value))

    async def _crash(self, source: str) -> None:
        """Handle the next message of a city, and lose everything before the commit; it comes again."""
        destination = VISITED if source == HOME else HOME
        city, lanes = self.counter.cities[destination], self.counter.cities.lanes
        message = lanes[source, destination][0]
        kept = dict(city.context.post.answered)  # type: ignore[attr-defined]
        with contextlib.suppress(Crash):
            await city.hear(message, and_then=_fail)
        city.context.post.answered = kept  # type: ignore[attr-defined]

    async def check(self) -> None:
        """Check what must hold at every moment."""
        counter = self.counter
        kept = await counter.home.fetch("SELECT request_id, amount_fen FROM payment_credit")
        entries = await counter.home.fetch(
            "SELECT cause_id, kind, amount_fen FROM billing_entry WHERE kind IN ('credited', 'reversed')"
        )
        came = [row["cause_id"] for row in entries if row["kind"] == "credited"]
        assert sorted(came) == sorted(row["request_id"] for row in kept)
        assert len(set(came)) == len(came), "a payment was credited twice"
        total = await counter.home.fetch(
            "SELECT (SELECT coalesce(sum(amount_fen), 0) FROM billing_entry)::bigint AS entries,"
            " (SELECT coalesce(sum(balance_fen), 0) FROM billing_account)::bigint AS balance"
        )
        assert total[0]["entries"] == total[0]["balance"] >= 0
        await self._check_till()
        for city in (counter.home, counter.visited):
            assert sum((await counter.books(city)).values()) == 0
        paid = await counter.home.fetch(
            """
            SELECT b.id FROM bill b WHERE (b.paid_on IS NOT NULL) <>
                (SELECT coalesce(sum(e.amount_fen), 0) < 0 FROM billing_entry e WHERE e.bill_id = b.id)
            """
        )
        assert paid == [], "a bill is paid exactly when the balance has paid it"

    async def _check_till(self) -> None:
        (said,) = await self.counter.visited.fetch(
            """
            SELECT coalesce(sum(p.amount_fen) FILTER (WHERE r.state = 'taken'), 0)::bigint AS waiting,
                   coalesce(sum(p.amount_fen) FILTER (WHERE r.state = 'credited' AND p.reversed_at IS NULL), 0)::bigint AS credited,
                   coalesce(sum(p.amount_fen) FILTER (WHERE r.state = 'to_give_back'
                       OR p.reversed_at IS NOT NULL AND v.given_back_at IS NULL), 0)::bigint AS owed
            FROM payment p JOIN service_request r ON r.id = p.request_id
            LEFT JOIN payment_reversal v ON v.request_id = p.reversal_id
            """
        )
        assert await self.counter.cash() == sum(said.values()), said

    async def finish(self) -> None:
        """Let the links heal and every clerk do what is to be done; then check what must hold at the end."""
        counter = self.counter
        await counter.settle()
        for request_id, (kind, state) in sorted((await self.requests()).items()):
            if state == "to_give_back":
                await counter.give_back(request_id, reversed_one=kind != "payment")
        await counter.settle()
        await self.check()
        ends = "SELECT id, kind, state, ended_at IS NOT NULL AS ended FROM service_request"
        at_visited = {row["id"]: row for row in await counter.visited.fetch(ends)}
        at_home = {row["id"]: row for row in await counter.home.fetch(ends)}
        assert set(at_visited) == set(at_home)
        assert set(self.payments) <= set(at_visited)
        assert all(row["ended"] for row in (*at_visited.values(), *at_home.values()))
        for request_id, row in at_visited.items():
            other = at_home[request_id]["state"]
            event(f"{row['kind']} ends {row['state']} at the visited city, {other} at home")
            said_yes = {"payment": "credited", "payment-reversal": "given_back"}[row["kind"]]
            assert (row["state"] == said_yes) == (other in {"credited", "reversed"})
        at_home_books = await counter.books(counter.home)
        at_visited_books = await counter.books(counter.visited)
        assert at_home_books.get("110000", 0) == -at_visited_books.get("440000", 0)
        assert at_visited_books.get("cash", 0) == await counter.cash()


async def _fail() -> None:
    raise Crash


@pytest.fixture(scope="module")
async def pair(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("cities")) as made:
        yield made


@given(data=st.data(), steps=st.integers(10, 40))
@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_any_order_ends_well(pair: TwoCities, data: st.DataObject, steps: int) -> None:
    run = Run(await open_counter(pair))
    for _ in range(steps):
        await run.do(*data.draw(st.sampled_from(await run.possible())))
        await run.check()
    await run.finish()


@pytest.mark.parametrize(
    ("where", "harm"),
    [
        ("home", "UPDATE billing_account SET balance_fen = balance_fen + 1"),
        ("home", "DELETE FROM payment_credit"),
        ("home", "DELETE FROM billing_entry"),
        ("home", "UPDATE bill SET paid_on = NULL"),
        ("visited", "DELETE FROM till_entry"),
        ("visited", "UPDATE service_request SET state = 'given_back'"),
        ("visited", "UPDATE payment SET amount_fen = 1"),
    ],
)
async def test_the_checks_notice_harm(pair: TwoCities, where: str, harm: str) -> None:
    run = Run(await open_counter(pair))
    await run.do("bill", 600)
    await run.do("take", (MSISDN, 1_000))
    await run.counter.settle()
    await run.check()
    city = run.counter.home if where == "home" else run.counter.visited
    await (await city.context.database.pool()).execute(harm)
    with pytest.raises(AssertionError):
        await run.check()


async def test_without_its_indexes_and_records_a_payment_is_credited_twice_and_the_checks_see_it(
    pair: TwoCities,
) -> None:
    run = Run(await open_counter(pair))
    await run.do("take", (MSISDN, 1_000))
    message = await run.counter.carry(VISITED)
    assert message is not None
    pool = await run.counter.home.context.database.pool()
    await pool.execute("DROP INDEX billing_entry_cause_key")
    for table in ("clearing_entry", "payment_credit", "service_request_event", "service_request"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await run.counter.home.hear(message)
    with pytest.raises((AssertionError, MessageRefused)):
        await run.check()
    await pool.execute("DELETE FROM billing_entry")
    await pool.execute(
        "CREATE UNIQUE INDEX billing_entry_cause_key ON billing_entry (cause_id, kind) WHERE kind IN ('credited', 'reversed')"
    )

"""Orders of blank cards in any course of events: no card is lost or counted twice, and no hall orders twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from services.city_node.card_replacement import stock
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.ids import new_id
from shared.port.contracts import card_supplier
from shared.port.declaration import Form
from tests.city.outside import ON, empty_ports
from tests.city.supplied_hall import REQUEST, SUPPLIER, Run, fresh
from tests.city.two_cities import HALL, TwoCities, two_cities
from tests.examples import examples


@pytest.fixture(scope="module")
async def pair(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TwoCities]:
    async with two_cities(postgres, template, tmp_path_factory.mktemp("cities"), **ON) as made:
        yield made


@pytest.fixture
async def run(pair: TwoCities) -> Run:
    return await fresh(pair)


FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {"down": True},
    {"busy_rate": 0.5},
    {"error_rate": 0.5},
    {"lost_answer_rate": 0.7},
    {"refusal_rate": 0.5},
)
NONE = st.none()
ACTIONS = st.one_of(
    st.tuples(st.just("level"), st.tuples(st.integers(0, 5), st.sampled_from([1, 3, 120]))),
    st.tuples(st.sampled_from(["supply", "look"]), NONE),
    st.tuples(st.just("take"), NONE),
    st.tuples(st.just("work"), st.sampled_from([1, 2, None])),
    st.tuples(st.just("receive"), st.tuples(st.integers(0, 9), st.sampled_from([None, None, 1]))),
    st.tuples(st.just("end"), st.sampled_from(["issue", "give back", "spoil"])),
    st.tuples(st.just("load"), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.sampled_from([1, 61])),
    st.tuples(st.just("faults"), st.sampled_from(FAULTS)),
    st.tuples(st.just("cancel"), NONE),
    st.tuples(st.just("lose"), st.sampled_from([None, 1])),
    st.tuples(st.just("find"), NONE),
)


@given(actions=st.lists(ACTIONS, min_size=10, max_size=40))
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_every_card_that_was_received_is_available_held_issued_or_written_off(
    pair: TwoCities, actions: list[tuple[str, Any]]
) -> None:
    run = await fresh(pair)
    await run.do("level", (2, 3))
    for action, value in actions:
        note(f"{action} {value}")
        await run.do(action, value)
        await run.check()
    await run.finish()
    for each in sorted(run.events):
        event(each)


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM sim_card_stock WHERE state = 'issued'",
        "UPDATE sim_card_stock SET state = 'in_stock' WHERE state = 'in_transit'",
        "UPDATE sim_card_stock SET state = 'in_transit' WHERE state = 'in_stock'",
        "UPDATE sim_card_stock SET state = 'lost' WHERE state = 'in_transit'",
        "INSERT INTO sim_card_stock VALUES ('1', '1', '440300', 'in_transit', NULL, now(), now(), 1)",
    ],
)
async def test_the_checks_notice_harm(run: Run, harm: str) -> None:
    await run.do("load", 2)
    await run.do("level", (3, 2))
    await run.do("work")
    await run.do("take")
    await run.do("end", "issue")
    await run.check()
    await (await run.city.context.database.pool()).execute(harm)
    with pytest.raises(AssertionError):
        await run.check()


async def test_two_clerks_who_take_the_last_cards_at_once_lead_to_one_order(run: Run) -> None:
    await run.do("load", 3)
    await run.do("level", (2, 10))
    await asyncio.gather(*(run.cities.ask(number) for number in ("13800005678", "13800005679")))
    assert await run.cities.cards() == {"in_stock": 1, "reserved": 2}
    assert await run.city.fetch("SELECT id FROM card_order") == []

    await asyncio.gather(*(run.do("look") for _ in range(4)))  # as many processes believe to lead
    await run.do("work")
    (order,) = await run.city.fetch("SELECT state, quantity FROM card_order")
    assert order == {"state": "shipped", "quantity": 10}
    assert len(run.done("orders")) == 1


@pytest.mark.parametrize(
    ("faults", "state"),
    [
        ({"down": True}, "placed"),
        ({"error_rate": 1}, "placed"),
        ({"busy_rate": 1}, "placed"),
        (
            {"lost_answer_rate": 1},
            "shipped",
        ),  # each time it is asked again, it says what it has done
    ],
)
async def test_a_supplier_that_is_away_or_does_not_answer_is_asked_until_it_does(
    run: Run, faults: dict[str, Any], state: str
) -> None:
    run.outside.fault(SUPPLIER, **faults)
    await run.do("level", (1, 5))
    for _ in range(3):
        await run.do("look")
        await run.do("work")
        await run.do("wait", 6)
    (order,) = await run.city.fetch("SELECT state FROM card_order")
    assert order["state"] == state
    await run.finish()
    assert len(run.entered) == len(run.shipped()) == 5
    assert len(run.done("orders")) == 1


async def test_a_restored_city_orders_the_same_again_and_gets_nothing_twice(run: Run) -> None:
    await run.do("level", (1, 3))
    await run.do("work")
    await run.do("receive", (0, None))
    before = list(run.shipped())
    pool = await run.city.context.database.pool()
    for table in ("card_order_card", "sim_card_stock", "card_order"):  # none is in the backup
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await empty_ports(run.city)
    run.entered.clear()
    await run.do("look")
    await run.do("work")
    assert run.shipped() == before
    await run.check()

    request, now = new_id(), run.cities.clock.now()
    (known,) = await run.city.fetch("SELECT iccid, imsi FROM sim_card_stock LIMIT 1")
    async with run.city.transaction() as session:  # a request that had a card of the box recalls it
        await session.execute(REQUEST, {"id": request, "now": now, "unit": HALL})
        await stock.take_again(session, HALL, (known["iccid"], known["imsi"]), request, now=now)
    run.entered.add(known["iccid"])
    run.requests.append(request)
    await run.do("receive", (0, None))
    await run.check()
    (order,) = await run.city.fetch("SELECT state FROM card_order")
    assert order["state"] == "received"


async def test_a_supplier_that_confirms_and_ships_nothing_is_not_asked_for_ever(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = run.outside.simulators[SUPPLIER].behaviour
    monkeypatch.setattr(behaviour, "tell", lambda asked, **_: nothing(asked))
    await run.do("level", (1, 3))
    for _ in range(3):
        await run.do("work")
        await run.do("look")
    (order,) = await run.city.fetch("SELECT state, refusal FROM card_order")
    assert order == {"state": "refused", "refusal": "Nothing was shipped. 未发任何卡。"}


def nothing(asked: object, *, complete: bool = True) -> dict[str, object]:
    """Return the advice of a supplier that has shipped nothing."""
    is_advice = isinstance(asked, card_supplier.AdviceRequest)
    return {"consignment": None, "complete": complete} if is_advice else {}


async def test_a_supplier_that_repeats_a_box_is_not_asked_again_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = run.outside.simulators[SUPPLIER].behaviour
    tell = behaviour.tell

    def first_again(asked: Form, *, now: datetime) -> dict[str, object]:
        if isinstance(asked, card_supplier.AdviceRequest):
            first = card_supplier.AdviceRequest(order=asked.order, consignment=1)
            return {**tell(first, now=now), "complete": False}
        return tell(asked, now=now)

    monkeypatch.setattr(behaviour, "tell", first_again)
    await run.do("level", (1, 3))
    await run.do("work", 20)
    assert len(run.done("dispatch-advices")) == 2
    for asked in (3, 4):
        await run.do("wait", 60)
        await run.do("look")
        await run.do("work", 20)
        assert len(run.done("dispatch-advices")) == asked
    (order,) = await run.city.fetch("SELECT state, consignments FROM card_order")
    assert order == {"state": "confirmed", "consignments": 4}
    assert len(await run.city.fetch("SELECT iccid FROM card_order_card")) == 3


async def test_what_is_shipped_later_is_asked_for_every_hour(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = run.outside.simulators[SUPPLIER].behaviour
    ships = behaviour.tell

    monkeypatch.setattr(behaviour, "tell", lambda asked, **_: nothing(asked, complete=False))
    await run.do("level", (1, 3))
    await run.do("work")
    for minutes, asked in ((59, 1), (1, 2), (30, 2), (30, 3)):
        await run.do("wait", minutes)
        await run.do("look")
        await run.do("work")
        assert len(run.done("dispatch-advices")) == asked
    monkeypatch.setattr(behaviour, "tell", ships)
    await run.finish()
    assert len(run.entered) == 3

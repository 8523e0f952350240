"""What a repair is refused for, and by whom; and what is wrong with it at the counter."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Update, update

from services.city_node.customer.models import Customer, Subscription
from services.city_node.repair.schemas import RepairedIn, RepairIn
from services.city_node.repair.warranty import is_in_warranty
from services.city_node.service_request.problems import (
    HomeIsHere,
    HomeNodeUnknown,
    HomeNotCity,
    UnitNotYours,
)
from services.city_node.service_request.service import RequestNotFound
from shared.federation.delivery import MessageRefused
from tests.city.two_cities import HOME, OTHER_DOCUMENT, STRANGER, VISITED
from tests.repair.workshop import IMEI, NEW_IMEI, OTHER_IMEI, Workshops


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"msisdn": "13700000000"}, "subscription-unknown"),
        ({"document_number": OTHER_DOCUMENT}, "identity-mismatch"),
    ],
)
async def test_a_wrong_number_or_document_is_refused(
    shop: Workshops, given: dict[str, str], reason: str
) -> None:
    request_id = await shop.ask(**given)
    await shop.settle()
    assert await shop.refusal(request_id) == reason
    assert (await shop.home.request(request_id)).refusal_code == reason
    assert await shop.home.fetch("SELECT 1 FROM repair_promise") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (update(Subscription).values(status="suspended"), "not-active"),
        (
            update(Customer).values(library="retained", left_on=Customer.entry_date),
            "subscription-unknown",
        ),
    ],
    ids=["suspended", "left"],
)
async def test_a_line_that_is_not_in_use_is_refused(
    shop: Workshops, change: Update, reason: str
) -> None:
    async with shop.home.transaction() as session:
        await session.execute(change)
    request_id = await shop.ask()
    await shop.settle()
    assert await shop.refusal(request_id) == reason


async def test_a_question_that_comes_too_late_is_refused(shop: Workshops) -> None:
    request_id = await shop.ask()
    shop.clock.advance(timedelta(days=3))
    await shop.settle()
    assert await shop.refusal(request_id) == "deadline-passed"


async def test_a_handset_is_in_one_repair_at_a_time(shop: Workshops) -> None:
    first = await shop.confirmed()
    again = await shop.ask()
    await shop.settle()
    assert await shop.refusal(again) == "repair-under-way"
    other = await shop.ask(imei=OTHER_IMEI)
    await shop.settle()
    assert await shop.visited.state(other) == "confirmed"
    await shop.cancel(first)
    await shop.settle()
    await shop.confirmed()


async def test_one_handset_brought_to_two_cities_at_once_is_confirmed_to_one(
    shop: Workshops,
) -> None:
    here, there = await shop.ask(), await shop.ask(STRANGER)
    questions = [shop.lanes[city, HOME].pop(0) for city in (VISITED, STRANGER)]
    await asyncio.gather(*(shop.home.hear(question) for question in questions))
    await shop.settle()
    states = sorted([await shop.visited.state(here), await shop.cities[STRANGER].state(there)])
    assert states == ["confirmed", "refused"]
    held = await shop.home.fetch("SELECT imei FROM repair_promise WHERE state = 'held'")
    assert held == [{"imei": IMEI}]


async def test_without_a_deadline_nothing_is_promised(shop: Workshops) -> None:
    await shop.ask()
    (question,) = shop.lanes[VISITED, HOME]
    shop.lanes.clear()
    with pytest.raises(MessageRefused, match="no deadline"):
        await shop.home.hear(replace(question, deadline=None))


async def test_parts_that_do_not_add_up_are_refused(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    await shop.hand_back(request_id)
    closed = next(m for m in shop.lanes[VISITED, HOME] if m.type.endswith("closed.v1"))
    shop.lanes[VISITED, HOME].remove(closed)
    await shop.settle()
    closed.data["visited_fen"] = 1
    with pytest.raises(MessageRefused, match="do not add up"):
        await shop.home.hear(closed)
    assert await shop.recorded() == []


async def test_a_repair_that_home_does_not_know_is_the_visited_city_s_own(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    await shop.settle()
    pool = await shop.home.context.database.pool()
    for table in ("repair_promise", "service_request_event", "service_request"):
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await shop.hand_back(request_id)
    await shop.settle()
    assert await shop.refusal(request_id) == "request-unknown"
    ticket = await shop.ticket(request_id)
    assert (ticket["home_fen"], ticket["visited_fen"]) == (0, ticket["promised_fen"])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"home": VISITED}, HomeIsHere),
        ({"home": "440000"}, HomeNotCity),
        ({"home": "310100"}, HomeNodeUnknown),
        ({"unit": "440300-99"}, UnitNotYours),
    ],
)
async def test_what_cannot_be_asked(
    shop: Workshops, given: dict[str, str], problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await shop.ask(**given)
    assert await shop.visited.fetch("SELECT 1 FROM service_request") == []


async def test_another_city_s_clerk_does_not_find_it(shop: Workshops) -> None:
    request_id = await shop.confirmed()
    async with shop.counter() as desk:
        elsewhere = replace(desk.principal, unit_path="000000/440000/440100/")
        with pytest.raises(RequestNotFound):
            await replace(desk, principal=elsewhere).lock(request_id)


async def test_neither_clock_nor_clerk_acts_at_home(shop: Workshops) -> None:
    request_id = await shop.confirmed()
    shop.clock.advance(timedelta(days=400))
    await shop.expire(HOME)
    assert await shop.home.state(request_id) == "confirmed"


@pytest.mark.parametrize(
    ("purchased_on", "today", "expected"),
    [
        (date(2025, 11, 24), date(2026, 11, 23), True),
        (date(2025, 11, 23), date(2026, 11, 23), False),
        (date(2024, 2, 29), date(2025, 2, 28), True),
        (date(2024, 2, 29), date(2025, 3, 1), False),
        (date(2026, 11, 24), date(2026, 11, 23), False),
        (None, date(2026, 11, 23), False),
    ],
)
def test_a_warranty_ends_on_the_same_day_of_the_month(
    *, purchased_on: date | None, today: date, expected: bool
) -> None:
    asked: dict[str, Any] = {"months": 12, "imei_matches": True, "needs_imei": True}
    assert is_in_warranty(purchased_on, today, **asked) is expected
    assert not is_in_warranty(purchased_on, today, **asked | {"imei_matches": False})
    loose = asked | {"imei_matches": False, "needs_imei": False}
    assert is_in_warranty(purchased_on, today, **loose) is expected


@pytest.mark.parametrize(
    "given",
    [
        {"imei": "490154203237519"},
        {"document_number": "11010519491231002"},
        {"purchased_on": 20251201},
        {"fault": ""},
        {"more": 1},
    ],
)
def test_a_slip_of_the_pen_is_found_at_the_counter(given: dict[str, object]) -> None:
    example: dict[str, Any] = RepairIn.model_json_schema()["examples"][0]
    RepairIn.model_validate(example)
    with pytest.raises(ValidationError):
        RepairIn.model_validate(example | given)


def test_a_replacement_is_named_where_there_is_one_and_only_there() -> None:
    device = {"make": "Huawei", "model": "Mate 70", "imei": NEW_IMEI}
    RepairedIn.model_validate({"result": "replaced", "replacement": device})
    for wrong in ({"result": "replaced"}, {"result": "fixed", "replacement": device}):
        with pytest.raises(ValidationError):
            RepairedIn.model_validate(wrong)

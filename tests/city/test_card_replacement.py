"""Card replacement between two cities, messages carried by hand."""

import asyncio
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from services.city_node.card_replacement.kind import KIND
from services.city_node.card_replacement.models import SimCard
from services.city_node.card_replacement.stock import NoCardInStock
from services.city_node.service_request.problems import RequestTimedOut
from services.city_node.service_request.service import RequestNotInState
from tests.city.two_cities import (
    DOCUMENT,
    HOME,
    MSISDN,
    NEW_CARD,
    OLD_CARD,
    OTHER_HALL,
    VISITED,
    TwoCities,
)


async def test_the_line_changes_to_the_written_card(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    assert await cities.visited.state(request_id) == "asked"
    assert await cities.cards() == {"reserved": 1, "in_stock": 1}
    await cities.settle()
    assert (await cities.home.state(request_id), await cities.visited.state(request_id)) == (
        "approved",
        "approved",
    )
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]
    await cities.write(request_id)
    assert await cities.cards() == {"written": 1, "in_stock": 1}
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]
    await cities.settle()
    assert (await cities.home.state(request_id), await cities.visited.state(request_id)) == (
        "completed",
        "completed",
    )
    assert await cities.cards() == {"issued": 1, "in_stock": 1}
    assert await cities.sims(MSISDN) == [("replaced", OLD_CARD), ("active", NEW_CARD)]
    assert await cities.cards(OTHER_HALL) == {"in_stock": 1}


async def test_the_trail_names_every_node_on_the_way_there_and_back(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    way_there = [
        ("440000", "carried"),
        ("000000", "carried"),
        ("110000", "carried"),
        (HOME, "arrived"),
    ]
    way_back = [
        (HOME, "departed"),
        ("110000", "carried"),
        ("000000", "carried"),
        ("440000", "carried"),
        (VISITED, "arrived"),
    ]
    assert await cities.visited.trail(request_id) == [
        (VISITED, "asked"),
        *way_there,
        *way_back,
        (VISITED, "approved"),
    ]
    assert await cities.home.trail(request_id) == [
        (VISITED, "departed"),
        *way_there,
        (HOME, "approved"),
    ]


async def test_the_switch_is_in_the_customer_s_history(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    await cities.settle()
    (change,) = await cities.home.fetch('SELECT "by", source, action, changes FROM customer_change')
    assert (change["by"], change["source"], change["action"]) == (VISITED, "message", "changed")
    assert orjson.loads(change["changes"]) == [
        {"field": f"sims/{OLD_CARD}/state", "old": "active", "new": "replaced"},
        {"field": f"sims/{NEW_CARD}/state", "old": None, "new": "active"},
    ]


async def test_every_message_delivered_three_times_has_its_effect_once(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    await cities.settle(times=3)
    await cities.write(request_id)
    await cities.settle(times=3)
    assert (await cities.home.state(request_id), await cities.visited.state(request_id)) == (
        "completed",
        "completed",
    )
    assert await cities.sims(MSISDN) == [("replaced", OLD_CARD), ("active", NEW_CARD)]
    assert await cities.cards() == {"issued": 1, "in_stock": 1}
    moves = [
        event
        for _, event in await cities.visited.trail(request_id)
        if event not in {"departed", "carried", "arrived"}
    ]
    assert moves == ["asked", "approved", "card-written", "switched"]


async def test_numbers_are_neither_kept_at_the_visited_city_nor_sent_in_clear(
    cities: TwoCities,
) -> None:
    request_id = await cities.ask(MSISDN)
    await cities.settle()
    await cities.write(request_id)
    sent = orjson.dumps([message.data for message in cities.lanes[VISITED, HOME]])
    kept = repr(
        await cities.visited.fetch(
            "SELECT r::text, e::text FROM service_request r JOIN service_request_event e ON e.request_id = r.id"
        )
    )
    at_home = repr(await cities.home.fetch("SELECT r::text FROM service_request r"))
    for number in (MSISDN, DOCUMENT):
        assert number not in kept
        assert number not in at_home
        assert number.encode() not in sent
    assert NEW_CARD.encode() not in sent
    assert (await cities.visited.request(request_id)).subject == "138****5678"


async def test_cancelling_frees_the_card_and_the_promise(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.cancel(request_id)
    assert await cities.visited.state(request_id) == "cancelled"
    assert await cities.cards() == {"in_stock": 2}
    await cities.settle()
    assert await cities.home.state(request_id) == "cancelled"
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]
    assert await cities.home.fetch("SELECT state FROM sim_switch_reservation") == [
        {"state": "released"}
    ]


async def test_an_answer_that_crosses_a_cancellation_is_noted_and_changes_nothing(
    cities: TwoCities,
) -> None:
    request_id = await cities.ask(MSISDN)
    await cities.cancel(request_id)
    await cities.settle()
    assert (await cities.home.state(request_id), await cities.visited.state(request_id)) == (
        "cancelled",
        "cancelled",
    )
    assert (await cities.visited.trail(request_id))[-1] == (VISITED, "approved")
    assert await cities.cards() == {"in_stock": 2}


async def test_after_writing_there_is_no_cancelling(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    with pytest.raises(RequestNotInState) as refused:
        await cities.cancel(request_id)
    assert "written" in str(refused.value)
    assert await cities.visited.state(request_id) == "written"


async def test_a_card_cannot_be_written_before_home_agrees(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    with pytest.raises(RequestNotInState) as refused:
        await cities.write(request_id)
    assert "asked" in str(refused.value)
    assert "cancelled" in str(refused.value)


async def test_an_unanswered_question_expires_and_frees_the_card(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    cities.clock.advance(KIND.time_limit - timedelta(seconds=1))
    await cities.visited.expire_overdue()
    assert await cities.visited.state(request_id) == "asked"
    cities.clock.advance(timedelta(seconds=1))
    await cities.visited.expire_overdue()
    await cities.visited.expire_overdue()
    assert await cities.visited.state(request_id) == "expired"
    assert await cities.cards() == {"in_stock": 2}
    await cities.settle()
    assert await cities.home.state(request_id) == "refused"


async def test_expiry_at_the_visited_city_frees_the_promise(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    cities.clock.advance(KIND.time_limit)
    await cities.visited.expire_overdue()
    await cities.settle()
    assert (await cities.home.state(request_id), await cities.visited.state(request_id)) == (
        "expired",
        "expired",
    )
    assert await cities.home.fetch("SELECT state FROM sim_switch_reservation") == [
        {"state": "released"}
    ]


async def test_nobody_writes_a_card_after_the_deadline(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    cities.clock.advance(KIND.time_limit)
    with pytest.raises(RequestTimedOut):
        await cities.write(request_id)
    assert await cities.cards() == {"reserved": 1, "in_stock": 1}


async def test_a_card_written_in_the_last_moment_still_counts(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    cities.clock.advance(KIND.time_limit - timedelta(seconds=1))
    await cities.write(request_id)
    cities.clock.advance(KIND.home_grace)
    await cities.visited.expire_overdue()
    await cities.home.expire_overdue()
    await cities.settle()
    assert (await cities.home.state(request_id), await cities.visited.state(request_id)) == (
        "completed",
        "completed",
    )


@pytest.mark.parametrize("home", ["whose clock has run", "whose clock has not run"])
async def test_a_written_card_whose_news_comes_too_late_is_spoiled(
    cities: TwoCities, home: str
) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    cities.clock.advance(KIND.time_limit + KIND.home_grace)
    await cities.visited.expire_overdue()
    assert await cities.visited.state(request_id) == "written"
    if home == "whose clock has run":
        await cities.home.expire_overdue()
        assert await cities.home.state(request_id) == "expired"
    await cities.settle()
    assert await cities.refusal(request_id) == "deadline-passed"
    assert await cities.home.state(request_id) == "expired"
    assert await cities.cards() == {"spoiled": 1, "in_stock": 1}
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]


async def test_two_clerks_never_get_the_same_card(cities: TwoCities) -> None:
    first, second = await asyncio.gather(cities.ask(MSISDN), cities.ask("13900000000"))
    rows = await cities.visited.fetch(
        "SELECT request_id FROM sim_card_stock WHERE state = 'reserved'"
    )
    assert {row["request_id"] for row in rows} == {first, second}
    with pytest.raises(NoCardInStock):
        await cities.ask("13700000000")
    assert await cities.visited.fetch("SELECT count(*) AS n FROM service_request") == [{"n": 2}]
    assert len(cities.lanes[VISITED, HOME]) == 2


async def test_the_database_itself_keeps_a_card_and_its_request_together(cities: TwoCities) -> None:
    for broken in ({"state": "written"}, {"request_id": None}):
        request_id = await cities.ask(MSISDN, unit=OTHER_HALL)
        target = SimCard.state == ("in_stock" if "state" in broken else "reserved")
        with pytest.raises(IntegrityError):
            async with cities.visited.transaction() as session:
                await session.execute(update(SimCard).where(target).values(**broken))
        await cities.cancel(request_id)

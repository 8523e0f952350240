"""What a card replacement is refused for, and by whom."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Update, text, update

from services.city_node.card_replacement import kind, visited
from services.city_node.card_replacement.kind import KIND
from services.city_node.customer.models import Customer, Sim, Subscription
from services.city_node.service_request.models import ServiceRequest
from services.city_node.service_request.problems import (
    HomeIsHere,
    HomeNodeUnknown,
    HomeNotCity,
    UnitNotYours,
)
from services.city_node.service_request.service import RequestNotFound
from shared.federation.delivery import MessageRefused
from shared.organisation.division import UnknownDivision
from tests.city.two_cities import (
    DOCUMENT,
    HALL,
    HOME,
    MSISDN,
    NEW_CARD,
    OLD_CARD,
    OTHER_DOCUMENT,
    OTHER_HALL,
    STRANGER,
    VISITED,
    TwoCities,
    clerk,
)


@pytest.mark.parametrize(
    ("msisdn", "document", "reason"),
    [
        ("13700000000", DOCUMENT, "subscription-unknown"),
        (MSISDN, OTHER_DOCUMENT, "identity-mismatch"),
        ("13900000000", DOCUMENT, "identity-mismatch"),
    ],
)
async def test_a_wrong_number_or_document_is_refused_and_the_card_goes_back(
    cities: TwoCities, msisdn: str, document: str, reason: str
) -> None:
    request_id = await cities.ask(msisdn, document=document)
    await cities.settle()
    assert await cities.refusal(request_id) == reason
    assert (await cities.home.request(request_id)).refusal_code == reason
    assert await cities.cards() == {"in_stock": 2}
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]


async def test_the_right_number_under_the_wrong_type_of_document_is_a_mismatch(
    cities: TwoCities,
) -> None:
    async with cities.home.transaction() as session:
        await session.execute(update(Customer).values(document_type="officer_card"))
    request_id = await cities.ask(MSISDN)
    await cities.settle()
    assert await cities.refusal(request_id) == "identity-mismatch"


@pytest.mark.parametrize(
    "change",
    [
        update(Subscription).where(Subscription.msisdn == MSISDN).values(status="suspended"),
        update(Sim).where(Sim.iccid == OLD_CARD).values(state="ended", ended_at=Sim.activated_at),
    ],
    ids=["suspended", "without a SIM"],
)
async def test_a_line_that_is_not_in_use_is_refused(cities: TwoCities, change: Update) -> None:
    async with cities.home.transaction() as session:
        await session.execute(change)
    request_id = await cities.ask(MSISDN)
    await cities.settle()
    assert await cities.refusal(request_id) == "not-active"


async def test_a_customer_who_has_left_is_unknown(cities: TwoCities) -> None:
    async with cities.home.transaction() as session:
        await session.execute(
            update(Customer).values(library="retained", left_on=Customer.entry_date)
        )
    request_id = await cities.ask(MSISDN)
    await cities.settle()
    assert await cities.refusal(request_id) == "subscription-unknown"


async def test_a_second_replacement_waits_for_the_end_of_the_first(cities: TwoCities) -> None:
    first = await cities.approved(MSISDN)
    second = await cities.ask(MSISDN, unit=OTHER_HALL)
    await cities.settle()
    assert await cities.refusal(second) == "replacement-under-way"
    await cities.cancel(first)
    third = await cities.ask(MSISDN)
    await cities.settle()
    assert await cities.visited.state(third) == "approved"


_RATE = """
    INSERT INTO credit_result (customer_id, since, as_of, policy, used, score, rating, limit_fen)
    SELECT id, now(), current_date, 'test', '{}', 60, 'B', 5000 FROM customer"""
_BILL = """
    INSERT INTO bill (subscription_id, customer_id, period, charge_fen)
    SELECT id, customer_id, date '2026-08-01', :fen FROM subscription"""


async def test_who_owes_more_than_the_credit_allows_pays_first(cities: TwoCities) -> None:
    """Exactly the limit is within it; what the account holds counts against what is owed; no rating, no limit."""
    async with cities.home.transaction() as session:
        await session.execute(text(_BILL), {"fen": 5_001})
    assert await asked_and_cancelled(cities) == "approved"
    async with cities.home.transaction() as session:
        await session.execute(text(_RATE))
    request_id = await cities.ask(MSISDN)
    await cities.settle()
    assert await cities.refusal(request_id) == "beyond-credit"
    async with cities.home.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO billing_account (subscription_id, balance_fen, updated_at) SELECT id, 1, now() FROM subscription"
            )
        )
    assert await asked_and_cancelled(cities) == "approved"


async def test_a_bill_that_is_not_overdue_yet_is_no_arrears(cities: TwoCities) -> None:
    async with cities.home.transaction() as session:
        await session.execute(text(_RATE))
        await session.execute(
            text(_BILL.replace("2026-08-01", f"{cities.clock.now():%Y-%m}-01")), {"fen": 99_999}
        )
    assert await asked_and_cancelled(cities) == "approved"


async def asked_and_cancelled(cities: TwoCities) -> str:
    request_id = await cities.ask(MSISDN)
    await cities.settle()
    state = await cities.visited.state(request_id)
    await cities.cancel(request_id)
    await cities.settle()
    return state


async def test_a_higher_level_may_have_more_cards_a_day(cities: TwoCities) -> None:
    async with cities.home.transaction() as session:
        await session.execute(update(Customer).values(level="gold"))
    for unit in (HALL, HALL, OTHER_HALL):
        request_id = await cities.ask(MSISDN, unit=unit)
        await cities.settle()
        await cities.write(request_id)
        await cities.settle()
        assert await cities.visited.state(request_id) == "completed"


async def test_two_replacements_a_day_are_enough(cities: TwoCities) -> None:
    for unit in (HALL, HALL, OTHER_HALL):
        request_id = await cities.ask(MSISDN, unit=unit)
        await cities.settle()
        if unit == HALL:
            await cities.write(request_id)
            await cities.settle()
            assert await cities.visited.state(request_id) == "completed"
    assert await cities.refusal(request_id) == "replaced-recently"
    cities.clock.advance(timedelta(hours=24))
    again = await cities.ask(MSISDN, unit=OTHER_HALL)
    await cities.settle()
    assert await cities.visited.state(again) == "approved"


async def test_a_question_that_comes_after_its_deadline_is_refused(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    cities.clock.advance(KIND.time_limit)
    await cities.settle()
    assert await cities.refusal(request_id) == "deadline-passed"
    assert await cities.cards() == {"in_stock": 2}


async def test_a_line_that_was_suspended_meanwhile_is_not_switched(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    async with cities.home.transaction() as session:
        await session.execute(update(Subscription).values(status="suspended"))
    await cities.settle()
    assert await cities.refusal(request_id) == "not-active"
    assert await cities.home.state(request_id) == "refused"
    assert await cities.cards() == {"spoiled": 1, "in_stock": 1}
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]


async def test_a_card_that_home_knows_is_not_switched_to(cities: TwoCities) -> None:
    async with cities.home.transaction() as session:
        await session.execute(update(Sim).where(Sim.iccid != OLD_CARD).values(iccid=NEW_CARD))
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    await cities.settle()
    assert await cities.refusal(request_id) == "card-in-use"
    assert await cities.sims(MSISDN) == [("active", OLD_CARD)]


async def test_home_that_has_lost_the_request_still_answers(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    async with cities.home.transaction() as session:
        for table in ("sim_switch_reservation", "service_request_event", "service_request"):
            await (await session.connection()).exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - a fixed list
    await cities.settle()
    assert await cities.refusal(request_id) == "request-unknown"
    assert await cities.cards() == {"spoiled": 1, "in_stock": 1}


@pytest.mark.parametrize(
    ("home", "problem"),
    [
        (VISITED, HomeIsHere),
        ("110000", HomeNotCity),
        ("999999", UnknownDivision),
        (STRANGER, HomeNodeUnknown),
    ],
)
async def test_home_must_be_another_city_with_a_node(
    cities: TwoCities, home: str, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        await cities.ask(MSISDN, home=home)
    assert await cities.cards() == {"in_stock": 2}
    assert not cities.lanes[VISITED, HOME]


async def test_the_card_comes_from_a_unit_of_the_clerk_s_own(cities: TwoCities) -> None:
    for unit in (HOME, "440300-99"):
        with pytest.raises(UnitNotYours):
            await cities.ask(MSISDN, unit=unit)


async def test_a_clerk_of_another_hall_does_not_find_the_request(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    now = cities.clock.now()
    async with cities.visited.transaction() as session:
        with pytest.raises(RequestNotFound):
            await visited.write_card(
                cities.visited.context, session, clerk(OTHER_HALL), request_id, now=now
            )
        await visited.write_card(cities.visited.context, session, clerk(HALL), request_id, now=now)


async def test_a_third_city_cannot_meddle(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.cancel(request_id)
    (genuine,) = cities.lanes[VISITED, HOME]
    forged = type(genuine)(
        **{name: getattr(genuine, name) for name in genuine.__slots__}
        | {"id": uuid4(), "source": STRANGER}
    )
    with pytest.raises(MessageRefused, match=STRANGER):
        await cities.home.hear(forged)
    assert await cities.home.state(request_id) == "approved"


async def test_a_sealed_part_moved_to_another_request_does_not_open(cities: TwoCities) -> None:
    first = await cities.ask(MSISDN)
    second = await cities.ask("13900000000")
    one, other = cities.lanes[VISITED, HOME]
    other.data["sealed"] = one.data["sealed"]
    with pytest.raises(MessageRefused, match="another context"):
        await cities.home.hear(other)
    assert await cities.home.fetch("SELECT 1 FROM service_request") == []
    assert {first, second} == {UUID(one.data["request_id"]), UUID(other.data["request_id"])}


async def test_data_of_the_wrong_form_is_refused_without_being_repeated(cities: TwoCities) -> None:
    await cities.ask(MSISDN)
    (question,) = cities.lanes[VISITED, HOME]
    question.data["reason"] = "secret-123"
    with pytest.raises(MessageRefused, match="reason") as refused:
        await cities.home.hear(question)
    assert "secret-123" not in str(refused.value)


async def test_an_answer_to_a_request_that_nobody_made_is_refused(cities: TwoCities) -> None:
    request_id = await cities.ask(MSISDN)
    await cities.carry(VISITED)
    (answer,) = cities.lanes[HOME, VISITED]
    answer.data["request_id"] = str(uuid4())
    with pytest.raises(MessageRefused, match="no request"):
        await cities.visited.hear(answer)
    assert await cities.visited.state(request_id) == "asked"


async def test_an_answer_that_the_state_does_not_allow_is_refused(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    await cities.write(request_id)
    await cities.carry(VISITED)
    (switched,) = cities.lanes[HOME, VISITED]
    early = type(switched)(
        **{name: getattr(switched, name) for name in switched.__slots__}
        | {"id": uuid4(), "type": kind.APPROVED}
    )
    with pytest.raises(MessageRefused, match="written"):
        await cities.visited.hear(early)
    await cities.settle()
    assert await cities.visited.state(request_id) == "completed"


async def test_the_same_id_cannot_become_another_city_s_request(cities: TwoCities) -> None:
    request_id = await cities.approved(MSISDN)
    async with cities.home.transaction() as session:
        found = await session.get(ServiceRequest, request_id)
        assert found is not None
        assert found.visited == VISITED
    await cities.ask("13900000000")
    (question,) = cities.lanes[VISITED, HOME]
    values = {name: getattr(question, name) for name in question.__slots__}
    taken = {**question.data, "request_id": str(request_id)}
    with pytest.raises(MessageRefused, match=str(request_id)):
        await cities.home.hear(
            type(question)(**values | {"id": uuid4(), "source": STRANGER, "data": taken})
        )

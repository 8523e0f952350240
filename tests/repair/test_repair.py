"""Repairs between two cities, messages carried by hand."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.city_node.repair.problems import (
    AlreadyRated,
    CostAboveAgreed,
    EstimateOutdated,
    GoodwillTooHigh,
    ReceiptMissing,
)
from services.city_node.repair.repository import REPAIRS, satisfaction
from services.city_node.service_request.problems import RequestTimedOut
from services.city_node.service_request.service import RequestNotInState
from shared.kernel.listing import PageRequest
from shared.policy.kinds.repair import REPAIR
from tests.city.two_cities import DOCUMENT, HOME, MSISDN, VISITED
from tests.repair.workshop import IMEI, NEW_IMEI, TOTAL, Workshops

GOLD = REPAIR.default.of("gold")
HOME_PART = TOTAL * GOLD.share_permille // 1000


async def test_a_handset_is_repaired_and_the_repair_stands_on_the_customer_s_record(
    shop: Workshops,
) -> None:
    request_id = await shop.ask()
    assert await shop.visited.state(request_id) == "asked"
    await shop.settle()
    ticket = await shop.ticket(request_id)
    assert (ticket["level"], ticket["in_warranty"], ticket["imei_matches"]) == ("gold", False, True)
    assert (ticket["deposit_fen"], ticket["loan_days"]) == (GOLD.deposit_fen, GOLD.loan_days)
    await shop.estimate(request_id)
    assert await shop.visited.state(request_id) == "estimated"
    await shop.agree(request_id)
    await shop.repaired(request_id)
    shop.clock.advance(timedelta(days=2, hours=3))
    await shop.hand_back(request_id)
    assert await shop.visited.state(request_id) == "returned"
    await shop.settle()
    assert await shop.visited.state(request_id) == "completed"
    assert await shop.home.state(request_id) == "completed"
    (record,) = await shop.recorded()
    told = ("result", "total_fen", "customer_fen", "home_fen", "visited_fen", "claimed_fen", "days")
    assert [record[name] for name in told] == [
        *("fixed", TOTAL, TOTAL - HOME_PART, HOME_PART, 0, HOME_PART, 2)
    ]
    assert GOLD.cap_fen > HOME_PART
    ticket = await shop.ticket(request_id)
    assert [ticket[name] for name in told if name != "claimed_fen"] == [
        record[name] for name in told if name != "claimed_fen"
    ]
    assert ticket["business_day"] == record["business_day"] == shop.clock.now().date()
    assert await shop.changes() == [
        {"field": f"repairs/{request_id}/result", "old": None, "new": "fixed"}
    ]
    assert await shop.home.fetch("SELECT state FROM repair_promise") == [{"state": "used"}]
    published = await shop.home.fetch("SELECT type, subject, unit_code FROM event")
    assert published == [
        {
            "type": "guanxi.repair.completed.v1",
            "subject": f"/repairs/{request_id}",
            "unit_code": HOME,
        }
    ]


async def test_the_answer_says_in_clear_what_home_bears_and_on_which_day(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    await shop.hand_back(request_id)
    said = (await shop.settle())[-1]
    assert said.type == "guanxi.repair.recorded.v1"
    assert (said.data["home_fen"], said.data["business_day"]) == (HOME_PART, "2026-11-23")


async def test_the_trail_at_home_follows_the_work(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.lend(request_id)
    await shop.end_loan(request_id)
    await shop.repaired(request_id)
    await shop.let_off(request_id, 1)
    await shop.hand_back(request_id)
    await shop.settle()
    await shop.rate(request_id)
    await shop.settle()
    ways = {"departed", "carried", "arrived"}
    seen = [event for _, event in await shop.home.trail(request_id) if event not in ways]
    assert seen == [
        *("confirmed", "estimated", "agreed", "lent", "loan-ended", "repaired", "goodwill"),
        *("recorded", "rated"),
    ]


async def test_every_message_delivered_three_times_has_its_effect_once(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id, "replaced", replacement=_replacement())
    await shop.hand_back(request_id)
    await shop.rate(request_id, 4, "快")
    await shop.settle(times=3)
    assert await shop.visited.state(request_id) == "completed"
    assert len(await shop.recorded()) == 1
    assert len(await shop.changes()) == 3
    assert await shop.home.fetch("SELECT score, comment FROM repair_satisfaction") == [
        {"score": 4, "comment": "快"}
    ]


def _replacement(imei: str = NEW_IMEI) -> dict[str, str]:
    return {"make": "Huawei", "model": "Mate 70", "imei": imei}


async def test_a_new_handset_comes_onto_the_line(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id, "replaced", replacement=_replacement())
    await shop.hand_back(request_id)
    await shop.settle()
    assert await shop.home.fetch("SELECT handset, imei FROM subscription") == [
        {"handset": "Huawei Mate 70", "imei": NEW_IMEI}
    ]
    number = f"subscriptions/{MSISDN}"
    assert (await shop.changes())[1:] == [
        {"field": f"{number}/handset", "old": "Huawei Mate 60", "new": "Huawei Mate 70"},
        {"field": f"{number}/imei", "old": IMEI, "new": NEW_IMEI},
    ]
    audited = await shop.home.fetch(
        "SELECT fields FROM audit_record WHERE action = 'customer.changed'"
    )
    assert [sorted(orjson.loads(row["fields"])) for row in audited] == [
        sorted([f"repairs/{request_id}/result", "subscriptions/handset", "subscriptions/imei"])
    ]
    (record,) = await shop.recorded()
    assert (record["replacement"], record["replacement_imei"]) == ("Huawei Mate 70", NEW_IMEI)


async def test_another_handset_on_the_line_stays_there(shop: Workshops) -> None:
    request_id = await shop.agreed()
    pool = await shop.home.context.database.pool()
    await pool.execute("UPDATE subscription SET imei = '356938035643809'")
    await shop.repaired(request_id, "replaced", replacement=_replacement())
    await shop.hand_back(request_id)
    await shop.settle()
    assert len(await shop.recorded()) == 1
    assert await shop.home.fetch("SELECT imei FROM subscription") == [{"imei": "356938035643809"}]


async def test_numbers_are_neither_kept_at_the_visited_city_nor_sent_in_clear(
    shop: Workshops,
) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id, "replaced", replacement=_replacement())
    await shop.hand_back(request_id)
    await shop.rate(request_id, 5, "师傅姓李")
    sent = [*shop.lanes[VISITED, HOME]]
    kept = ""
    for table in ("service_request", "service_request_event", "repair_ticket", "repair_estimate"):
        kept += repr(await shop.visited.fetch(f"SELECT t::text FROM {table} t"))  # noqa: S608 - a fixed list
    kept += repr(await shop.visited.fetch("SELECT comment FROM repair_satisfaction"))
    sent += await shop.settle()
    clear = orjson.dumps([message.data for message in sent]).decode()
    for secret in (MSISDN, DOCUMENT, IMEI, NEW_IMEI, "师傅姓李"):
        assert secret not in kept
        assert secret not in clear
    assert "7518" in kept


async def test_a_clock_that_was_set_back_makes_no_repair_of_fewer_than_no_days(
    shop: Workshops,
) -> None:
    request_id = await shop.ask()
    await shop.settle()
    shop.clock.advance(timedelta(minutes=-10))
    await shop.estimate(request_id)
    await shop.agree(request_id)
    await shop.repaired(request_id)
    await shop.hand_back(request_id)
    await shop.settle()

    assert await shop.visited.state(request_id) == "completed"
    assert [each["days"] for each in await shop.recorded()] == [0]


async def test_in_warranty_the_customer_pays_nothing(shop: Workshops) -> None:
    request_id = await shop.agreed(purchased_on="2025-12-01")
    await shop.repaired(request_id)
    await shop.hand_back(request_id, receipt=None)
    await shop.settle()
    (record,) = await shop.recorded()
    assert (record["in_warranty"], record["customer_fen"], record["home_fen"]) == (True, 0, TOTAL)


async def test_home_bears_no_more_than_its_cap(shop: Workshops) -> None:
    request_id = await shop.agreed({"labour_fen": 1_000_000})
    await shop.repaired(request_id)
    await shop.hand_back(request_id)
    await shop.settle()
    (record,) = await shop.recorded()
    assert (record["home_fen"], record["customer_fen"]) == (GOLD.cap_fen, 1_000_000 - GOLD.cap_fen)


async def test_goodwill_is_the_visited_city_s_part(shop: Workshops) -> None:
    request_id = await shop.agreed()
    with pytest.raises(RequestNotInState):
        await shop.let_off(request_id, 1000)
    await shop.repaired(request_id)
    with pytest.raises(GoodwillTooHigh):
        await shop.let_off(request_id, TOTAL - HOME_PART + 1)
    await shop.let_off(request_id, 1000)
    await shop.let_off(request_id, 2000)
    await shop.hand_back(request_id)
    await shop.settle()
    (record,) = await shop.recorded()
    assert record["visited_fen"] == 2000
    assert record["customer_fen"] == TOTAL - HOME_PART - 2000


async def test_a_higher_cost_needs_a_new_estimate_and_a_new_word(shop: Workshops) -> None:
    request_id = await shop.agreed()
    dearer: dict[str, Any] = {"labour_fen": TOTAL + 1}
    with pytest.raises(CostAboveAgreed):
        await shop.repaired(request_id, **dearer)
    await shop.estimate(request_id, dearer)
    assert await shop.visited.state(request_id) == "revised"
    with pytest.raises(RequestNotInState):
        await shop.repaired(request_id)
    with pytest.raises(EstimateOutdated):
        await shop.agree(request_id, 1)
    await shop.agree(request_id, 2)
    await shop.repaired(request_id, labour_fen=TOTAL)
    rows = await shop.visited.fetch(
        "SELECT number, decision, decided_by FROM repair_estimate ORDER BY number"
    )
    assert [tuple(row.values()) for row in rows] == [(1, "agreed", "li.na"), (2, "agreed", "li.na")]
    assert (await shop.ticket(request_id))["total_fen"] == TOTAL


async def test_what_cannot_be_repaired_costs_nothing_unless_it_was_agreed(shop: Workshops) -> None:
    request_id = await shop.confirmed()
    with pytest.raises(CostAboveAgreed):
        await shop.repaired(request_id, "not_repairable", labour_fen=1)
    await shop.repaired(request_id, "not_repairable")
    await shop.hand_back(request_id, receipt=None)
    await shop.settle()
    (record,) = await shop.recorded()
    assert (record["result"], record["total_fen"], record["home_fen"]) == ("not_repairable", 0, 0)


async def test_the_customer_who_declines_owes_nothing_and_home_is_told(shop: Workshops) -> None:
    request_id = await shop.confirmed()
    await shop.estimate(request_id)
    await shop.decline(request_id)
    await shop.settle()
    assert await shop.visited.state(request_id) == "declined"
    assert await shop.home.state(request_id) == "declined"
    assert await shop.home.fetch("SELECT state FROM repair_promise") == [{"state": "released"}]
    assert await shop.recorded() == []
    await shop.confirmed()  # the handset may be brought again


@pytest.mark.parametrize("state", ["asked", "confirmed", "estimated", "agreed", "revised"])
async def test_cancelled_before_it_is_repaired(shop: Workshops, state: str) -> None:
    request_id = await shop.ask()
    if state != "asked":
        await shop.settle()
    if state in {"estimated", "agreed", "revised"}:
        await shop.estimate(request_id)
    if state in {"agreed", "revised"}:
        await shop.agree(request_id)
    if state == "revised":
        await shop.estimate(request_id)
    assert await shop.visited.state(request_id) == state
    await shop.cancel(request_id)
    await shop.settle()
    assert await shop.visited.state(request_id) == "cancelled"
    assert await shop.home.state(request_id) == "cancelled"


async def test_what_is_repaired_is_not_cancelled(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    with pytest.raises(RequestNotInState):
        await shop.cancel(request_id)
    with pytest.raises(ReceiptMissing):
        await shop.hand_back(request_id, receipt=None)
    assert await shop.visited.state(request_id) == "repaired"


async def test_the_clock_ends_what_nobody_decides_about(shop: Workshops) -> None:
    undecided, decided = await shop.confirmed(), await shop.ask(imei=NEW_IMEI)
    await shop.settle()
    await shop.estimate(decided)
    await shop.agree(decided)
    await shop.estimate(decided)
    shop.clock.advance(timedelta(days=3))
    with pytest.raises(RequestTimedOut):
        await shop.estimate(undecided)
    await shop.expire()
    await shop.expire(HOME)
    await shop.settle()
    assert await shop.visited.state(undecided) == "expired"
    assert await shop.home.state(undecided) == "expired"
    assert await shop.visited.state(decided) == "revised"
    assert await shop.home.state(decided) == "confirmed"


async def test_satisfaction_is_noted_once_and_averaged_at_both_ends(shop: Workshops) -> None:
    first = await shop.completed()
    second = await shop.completed(imei=NEW_IMEI)
    await shop.rate(first, 5)
    await shop.rate(second, 4, "很好")
    with pytest.raises(AlreadyRated):
        await shop.rate(first, 1)
    await shop.settle()
    third = await shop.agreed()
    with pytest.raises(RequestNotInState):
        await shop.rate(third)
    for city, unit in ((shop.visited, "440300-01"), (shop.home, HOME)):
        pool = await city.context.database.pool()
        lines = await satisfaction(pool, "", since=None, until=None)
        assert [(line["unit"], line["level"]) for line in lines] == [
            *((None, None), (None, "gold"), (unit, None), (unit, "gold"))
        ]
        assert {(line["answers"], line["sum"], line["mean"]) for line in lines} == {(2, 9, 4.5)}
        assert await satisfaction(pool, "none", since=None, until=None) == []
        assert await satisfaction(pool, "", since=shop.clock.now() + timedelta(1), until=None) == []


async def test_home_s_figure_counts_and_people_are_told_where_it_differs(shop: Workshops) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id)
    pool = await shop.visited.context.database.pool()
    await pool.execute("UPDATE repair_ticket SET home_share_permille = 301")
    await shop.hand_back(request_id)
    await shop.settle()
    (record,) = await shop.recorded()
    claimed = TOTAL * 301 // 1000
    assert (record["home_fen"], record["claimed_fen"]) == (HOME_PART, claimed)
    ticket = await shop.ticket(request_id)
    assert (ticket["home_fen"], ticket["promised_fen"]) == (HOME_PART, claimed)
    assert ticket["visited_fen"] == record["visited_fen"] == claimed - HOME_PART
    assert "differs" in [event for _, event in await shop.visited.trail(request_id)]
    await shop.completed()
    for city in (shop.visited, shop.home):
        for differs in (True, False):
            body = await REPAIRS.page(
                await city.context.database.pool(), PageRequest(), {"differs": differs}
            )
            shown = [(item["id"], item["differs"]) for item in orjson.loads(body)["items"]]
            assert len(shown) == 1
            assert ((str(request_id), True) in shown) is differs


async def test_of_a_customer_who_was_erased_meanwhile_only_figures_are_kept(
    shop: Workshops,
) -> None:
    request_id = await shop.agreed()
    await shop.repaired(request_id, "replaced", replacement=_replacement())
    await shop.hand_back(request_id)
    pool = await shop.home.context.database.pool()
    await pool.execute("UPDATE customer SET library = 'erased', left_on = entry_date")
    await shop.settle()
    (record,) = await shop.recorded()
    told = ("home_fen", "imei", "handset", "fault", "replacement", "replacement_imei")
    assert [record[name] for name in told] == [HOME_PART, "—", "—", "—", None, None]
    assert await shop.changes() == []
    assert await shop.visited.state(request_id) == "completed"

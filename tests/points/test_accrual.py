"""Accrual: the SQL says what the policy says, a bill earns once, and what is due is what a whole city comes to."""

import asyncio
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.city_node.points.accrual import Accrued
from services.city_node.points.due import FEW, Portion, joined, mark_city
from services.city_node.points.reading import BillFacts
from services.city_node.points.reading import judge as judged
from services.city_node.points.terms import Terms, earned
from shared.kernel.clock import business_day
from shared.kernel.database import driver_connection
from shared.policy.kinds.points import DEFAULT, Campaign, PointsPolicy, TenureBonus, issue_day
from tests.conftest import NOON, TestNode
from tests.examples import examples
from tests.points.city import (
    add_bill,
    add_customer,
    balance_of,
    judge,
    lots_of,
    require_right,
    run,
)

MONTHS = [date(2026, month, 1) for month in (8, 9, 10, 11)]
LEVELS = ["diamond", "gold", "silver", "standard"]
BRANDS = ["全球通", "动感地带", None]
RATINGS = ["A", "B", None]

campaigns = st.builds(
    lambda months, permille, levels, kind, brands, least, birthday: Campaign(
        name_zh="双倍",
        name_en="Double",
        first_period=min(months),
        last_period=max(months),
        permille=permille,
        levels=tuple(levels),
        kind=kind,
        brands=tuple(brands),
        minimum_fen=least,
        birthday_month=birthday,
    ),
    st.tuples(st.sampled_from(MONTHS), st.sampled_from(MONTHS)),
    st.integers(1000, 3000),
    st.lists(st.sampled_from(LEVELS), unique=True, max_size=2),
    st.sampled_from([None, "individual", "group"]),
    st.lists(st.sampled_from(["全球通", "o'neil"]), unique=True, max_size=2),
    st.sampled_from([0, 5_000, 20_000]),
    st.booleans(),
)
policies = st.builds(
    lambda fen, first, paid, tenure, credit, found, months, end: DEFAULT.model_copy(
        update={
            "fen_per_point": fen,
            "first_period": first,
            "only_when_paid": paid,
            "tenure": tuple(TenureBonus(years=y, permille=y * 37) for y in sorted(tenure, reverse=True)),
            "credit_permille": credit,
            "campaigns": found,
            "expiry_months": months,
            "expiry_end": end,
        }
    ),
    st.integers(1, 300),
    st.sampled_from([None, MONTHS[1]]),
    st.booleans(),
    st.sets(st.integers(1, 12), max_size=3),
    st.dictionaries(st.sampled_from(["A", "B"]), st.integers(0, 500)),
    st.dictionaries(st.sampled_from(["a", "b", "double-11"]), campaigns),
    st.integers(1, 36),
    st.sampled_from(["month", "year"]),
)  # fmt: skip
bills = st.fixed_dictionaries(
    {
        "period": st.sampled_from(MONTHS),
        "fen": st.one_of(st.integers(-500, 60_000), st.sampled_from([0, 5_000, 20_000, 2**50])),
        "paid": st.booleans(),
        "level": st.sampled_from(LEVELS),
        "kind": st.sampled_from(["individual", "group"]),
        "entry": st.dates(date(2012, 1, 1), date(2026, 8, 1)),
        "born": st.one_of(st.none(), st.dates(date(1950, 1, 1), date(2000, 1, 1))),
        "brand": st.sampled_from(BRANDS),
        "rating": st.sampled_from(RATINGS),
    }
)


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(policy=policies, drawn=st.lists(bills, min_size=1, max_size=6))
async def test_the_sql_says_of_each_bill_what_the_policy_says(
    city: TestNode, policy: PointsPolicy, drawn: list[dict[str, Any]]
) -> None:
    await run(city.database, "TRUNCATE customer, points_due CASCADE")
    facts: dict[int, BillFacts] = {}
    ratings = ["SELECT NULL::uuid AS customer_id, NULL::text AS rating WHERE false"]
    for one in drawn:
        whose = await add_customer(
            city.database, NOON, level=one["level"], kind=one["kind"], entry=one["entry"],
            born=one["born"], brand=one["brand"],
        )  # fmt: skip
        if one["rating"]:
            ratings.append(f"SELECT '{whose.id}'::uuid, '{one['rating']}'")
        paid = date(2026, 11, 20) if one["paid"] else None
        bill = await add_bill(city.database, whose, one["fen"], one["period"], paid)
        facts[bill] = BillFacts(
            one["period"], one["fen"], one["paid"], one["level"], one["kind"], one["entry"], one["born"],
            one["brand"], one["rating"],
        )  # fmt: skip
    terms = Terms(policy, "points 1", 1, MONTHS[0], issue_day(MONTHS[-1]))
    today = business_day(NOON)
    portion = Portion([min(facts)], [max(facts)], gone=False, size=len(facts))
    statement, values = earned(terms, portion, today, ratings=" UNION ALL ".join(ratings))
    async with city.database.transaction() as session:
        rows = await (await driver_connection(session)).fetch(statement, *values)
    found = {row["bill_id"]: row for row in rows}
    for bill, fact in facts.items():
        expected = judged(policy, fact)
        if not expected.charge_fen or expected.expires_on <= today:
            assert bill not in found
            continue
        row = found[bill]
        assert (row["charge_fen"], row["rate_permille"], row["campaign"], row["points"], row["expires_on"]) == (
            expected.charge_fen, expected.rate_permille, expected.campaign, expected.points, expected.expires_on
        )  # fmt: skip


@pytest.mark.parametrize(
    ("issued", "months", "end", "expires"),
    [
        (date(2026, 11, 1), 24, "month", date(2028, 11, 1)),
        (date(2026, 11, 2), 24, "month", date(2028, 12, 1)),
        (date(2026, 1, 31), 1, "month", date(2026, 3, 1)),
        (date(2026, 12, 31), 12, "month", date(2028, 1, 1)),
        (date(2026, 11, 1), 24, "year", date(2029, 1, 1)),
        (date(2027, 1, 1), 24, "year", date(2029, 1, 1)),
        (date(2027, 1, 2), 24, "year", date(2030, 1, 1)),
    ],
)
def test_points_live_their_months_and_the_rest_of_the_last(
    issued: date, months: int, end: str, expires: date
) -> None:
    policy = DEFAULT.model_copy(update={"expiry_months": months, "expiry_end": end})
    assert policy.expires_on(issued) == expires


async def test_a_run_begun_again_judges_each_bill_once(city: TestNode) -> None:
    whose = await add_customer(city.database, NOON, level="gold")
    for month in (8, 9, 10):
        await add_bill(city.database, whose, 1_000, period=date(2026, month, 1))
    pool = await city.database.pool()
    for _ in range(2):  # a run that ends before it has judged anything leaves this
        async with pool.acquire() as connection:
            await mark_city(connection)
    assert (await judge(city, whole_city=True)).judged == 3


async def test_a_bill_earns_once_and_a_changed_one_the_difference(city: TestNode) -> None:
    whose = await add_customer(city.database, NOON, level="gold")
    bill = await add_bill(city.database, whose, 12_345)
    first = await judge(city)
    assert (first.judged, first.bills, first.issued) == (1, 1, 185)  # 123.45 yuan at 1500 per mille
    assert await judge(city) == Accrued()
    again = await judge(city, whole_city=True)
    assert (again.judged, again.bills) == (1, 0)
    await run(city.database, "UPDATE customer SET level = 'diamond'")
    assert (await judge(city, whole_city=True)).bills == 0
    await run(city.database, "UPDATE bill SET charge_fen = 20000 WHERE id = :id", id=bill)
    assert (await judge(city)).issued == 300 - 185  # at the level of the first time
    await run(city.database, "UPDATE bill SET charge_fen = 10000 WHERE id = :id", id=bill)
    assert (await judge(city)).taken_back == 150
    assert await balance_of(city, whose) == 150
    await run(city.database, "DELETE FROM bill WHERE id = :id", id=bill)
    assert (await judge(city)).taken_back == 150
    assert await lots_of(city, whose) == {}
    kinds = await run(city.database, "SELECT kind, points FROM points_entry ORDER BY id")
    assert [tuple(row) for row in kinds] == [
        ("accrual", 185),
        ("accrual", 115),
        ("correction", 150),
        ("correction", 150),
    ]
    await require_right(city.database)


async def test_what_was_used_of_a_bill_that_became_smaller_is_waived(city: TestNode) -> None:
    whose = await add_customer(city.database, NOON)
    bills_of = [await add_bill(city.database, whose, 10_000, month) for month in MONTHS[:2]]
    await judge(city)
    await run(city.database, "UPDATE points_lot SET remaining = 70")
    await run(city.database, "UPDATE points_balance SET balance = 70")  # 130 of 200 were used
    await run(city.database, "UPDATE bill SET charge_fen = 5000")
    done = await judge(city)
    assert (done.taken_back, done.waived) == (70, 30)
    kept = await run(city.database, "SELECT bill_id, points, waived FROM points_accrual ORDER BY 1")
    assert [tuple(row) for row in kept] == [(bills_of[0], 50, 0), (bills_of[1], 80, 30)]
    assert await balance_of(city, whose) == 0
    assert (await judge(city, whole_city=True)).bills == 0


async def test_bills_of_those_who_were_erased_and_old_bills_earn_nothing(city: TestNode) -> None:
    gone = await add_customer(city.database, NOON)
    await run(city.database, "UPDATE customer SET library = 'erased', left_on = '2020-01-01'")
    await add_bill(city.database, gone, 10_000)
    whose = await add_customer(city.database, NOON)
    await add_bill(city.database, whose, 10_000, date(2023, 11, 1))  # to the end of 2025
    await add_bill(city.database, whose, 10_000, date(2024, 1, 1))  # to the end of 2026
    done = await judge(city)
    assert (done.judged, done.bills, done.issued) == (3, 1, 100)
    assert await lots_of(city, whose) == {"2027-01-01": 100}


async def test_a_bulk_load_is_one_range_and_a_change_one_bill(city: TestNode) -> None:
    whose = await add_customer(city.database, NOON)
    await run(
        city.database,
        "INSERT INTO bill (subscription_id, customer_id, period, charge_fen)"
        " SELECT :line, :id, ('2025-01-01'::date + n * interval '1 month')::date, 1000 FROM generate_series(0, 11) n",
        line=whose.line,
        id=whose.id,
    )
    await run(city.database, "UPDATE bill SET charge_fen = 1000, import_number = 7")
    ranges = await run(city.database, "SELECT last_id - first_id + 1, gone FROM points_due")
    assert [tuple(row) for row in ranges] == [(12, False)]
    await run(city.database, "UPDATE bill SET charge_fen = 900 WHERE period = '2025-03-01'")
    await run(city.database, "DELETE FROM bill WHERE period = '2025-05-01'")
    ranges = await run(
        city.database, "SELECT last_id - first_id + 1, gone FROM points_due ORDER BY id"
    )
    assert [tuple(row) for row in ranges] == [(12, False), (1, False), (1, True)]


@pytest.mark.parametrize(
    ("given_ranges", "expected"),
    [
        ([], []),
        ([(3, 5), (1, 2)], [(1, 5)]),
        ([(1, 9), (2, 3), (12, 12)], [(1, 9), (12, 12)]),
        ([(7, 7), (7, 7)], [(7, 7)]),
    ],
)
def test_ranges_name_each_id_once(given_ranges: Any, expected: Any) -> None:
    assert joined(given_ranges) == expected


def test_many_short_ranges_are_told_id_by_id() -> None:
    few = Portion([1, 5], [3, 5], gone=False, size=4)
    assert few.joined_to("bill b", "b.id")[1] == [[1, 5], [3, 5]]
    places = [10 * n for n in range(FEW + 1)]
    many = Portion(places, [n + 1 for n in places], gone=False, size=2 * len(places))
    assert many.joined_to("bill b", "b.id")[1] == [[n + more for n in places for more in (0, 1)]]


async def test_many_scattered_changes_are_posted(city: TestNode) -> None:
    whose = await add_customer(city.database, NOON)
    await run(
        city.database,
        "INSERT INTO bill (subscription_id, customer_id, period, charge_fen)"
        " SELECT :line, :id, ('2024-10-01'::date + n * interval '1 month')::date, 1000 FROM generate_series(0, 24) n",
        line=whose.line,
        id=whose.id,
    )
    await judge(city)
    assert await balance_of(city, whose) == 250
    await run(city.database, "UPDATE bill SET charge_fen = 1500 WHERE id % 2 = 0")
    done = await judge(city)
    assert done.judged in {12, 13}
    assert done.issued == done.judged * 5
    await run(city.database, "DELETE FROM bill WHERE id % 2 = 1")
    done = await judge(city)
    assert done.taken_back == (25 - await halves(city)) * 10
    await require_right(city.database)


async def halves(city: TestNode) -> int:
    found: int = (await run(city.database, "SELECT count(*) FROM bill"))[0][0]
    return found


class Interrupted(Exception):
    pass


changes = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["raise", "lower", "delete", "void"])), max_size=8
)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    edits=st.lists(changes, min_size=1, max_size=3),
    portion=st.integers(1, 5),
    cut=st.integers(1, 6),
)
async def test_what_is_due_in_any_portions_comes_to_what_the_whole_city_comes_to(
    city: TestNode, edits: list[list[tuple[int, str]]], portion: int, cut: int
) -> None:
    await run(city.database, "TRUNCATE customer, points_due, points_accrual CASCADE")
    await run(city.database, "TRUNCATE points_entry")
    people = [await add_customer(city.database, NOON, level=level) for level in LEVELS[:3]]
    made = [
        await add_bill(city.database, who, 1_000 * (n + 1), month)
        for n, (who, month) in enumerate((who, month) for who in people for month in MONTHS)
    ]
    steps = {
        "raise": "UPDATE bill SET charge_fen = charge_fen + 777 WHERE id = :id",
        "lower": "UPDATE bill SET charge_fen = charge_fen / 2 WHERE id = :id",
        "void": "UPDATE bill SET charge_fen = 0 WHERE id = :id",
        "delete": "DELETE FROM bill WHERE id = :id",
    }

    async def stop(done: int, _: int) -> None:
        if done >= cut:
            raise Interrupted

    for edit in edits:
        for place, step in edit:
            await run(city.database, steps[step], id=made[place])
        try:
            await judge(city, portion=portion, on_progress=stop)
        except Interrupted:
            await judge(city, portion=portion)
    stepwise = {who.id: (await balance_of(city, who), await lots_of(city, who)) for who in people}
    await require_right(city.database)
    assert (await judge(city, whole_city=True)).bills == 0
    await run(city.database, "TRUNCATE points_entry, points_accrual, points_lot, points_balance, points_account CASCADE")  # fmt: skip
    await judge(city, whole_city=True)
    whole = {who.id: (await balance_of(city, who), await lots_of(city, who)) for who in people}
    assert stepwise == whole


async def test_two_runs_at_once_post_each_bill_once(city: TestNode) -> None:
    people = [await add_customer(city.database, NOON) for _ in range(4)]
    for who in people:
        for month in MONTHS:
            await add_bill(city.database, who, 5_000, month)
    done = await asyncio.gather(
        judge(city, portion=3, whole_city=True), judge(city, portion=2), judge(city, portion=4)
    )
    assert sum(each.issued for each in done) == 16 * 50
    assert [await balance_of(city, who) for who in people] == [200] * 4
    await require_right(city.database)

"""A made-up city: the same from the same seed, sound by the rules that real data obeys, and with causes in it."""

import random
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.city_node.customer.identity import (
    check_document,
    check_iccid,
    check_imsi,
    check_msisdn,
)
from services.city_node.generator import behaviour, numbers
from services.city_node.generator.people import City
from services.city_node.generator.problems import CityInhabited, SeedUsed
from services.city_node.generator.service import Made, Progress, generate, months_before
from shared.organisation.division import divisions
from tests.city.drafts import CITY, TEAM, Headers, fresh, settle
from tests.conftest import TestNode

MONTHS = months_before(date(2026, 11, 1), 6)


async def populate(
    node: TestNode,
    customers: int,
    seed: int = 1,
    *,
    append: bool = False,
    usage: bool = True,
    batch_customers: int = 50,
    on_progress: Progress = lambda *_: None,
) -> Made:
    city = City(
        seed=seed,
        node=CITY,
        place="深圳",
        units=(CITY, TEAM),
        months=MONTHS,
        cipher=node.context.cipher,
        now=node.clock.now(),
        by="test",
    )
    async with node.database.transaction() as session:
        return await generate(
            session,
            city,
            customers,
            append=append,
            usage=usage,
            on_progress=on_progress,
            batch_customers=batch_customers,
        )


async def rows(node: TestNode, sql: str, *values: Any) -> Sequence[Any]:
    found: Sequence[Any] = await (await node.database.pool()).fetch(sql, *values)
    return found


FINGERPRINTS = {
    "customer": "id, customer_number, name, name_sort, document_index, level, left_on, left_reason, monthly_charge_fen",
    "subscription": "id, msisdn, brand, plan, status, ended_on",
    "sim": "iccid, imsi, subscription_id, state",
    "bill": "subscription_id, period, charge_fen, paid_on",
    "usage_month": "subscription_id, period, kind, band, quantity, charge_fen",
    "interaction": "id, customer_id, at, kind, subject",
}


async def fingerprint(node: TestNode) -> dict[str, Any]:
    return {
        table: (
            await rows(
                node,
                f"SELECT count(*), md5(string_agg(md5(({columns})::text), '' ORDER BY ({columns})::text)) "  # noqa: S608
                f"FROM {table}",
            )
        )[0]
        for table, columns in FINGERPRINTS.items()
    }


async def test_the_same_seed_makes_the_same_city(city: TestNode) -> None:
    async def made_anew(seed: int) -> dict[str, Any]:
        await rows(city, f"TRUNCATE {', '.join(FINGERPRINTS)} CASCADE")
        await rows(city, "ALTER SEQUENCE customer_number_seq RESTART")
        assert (await populate(city, 120, seed)).rows["customer"] == 120
        return await fingerprint(city)

    first = await made_anew(1)
    assert await made_anew(1) == first
    other = await made_anew(2)
    assert all(other[table] != first[table] for table in FINGERPRINTS)


async def test_what_is_made_is_counted_and_marked(city: TestNode) -> None:
    made = await populate(city, 200)
    for table, count in made.rows.items():
        assert (await rows(city, f"SELECT count(*) FROM {table}"))[0][0] == count, table  # noqa: S608
        assert count > 0, table
    assert [row[0] for row in await rows(city, "SELECT DISTINCT source FROM customer")] == [
        "generated"
    ]
    assert {row[0] for row in await rows(city, "SELECT DISTINCT unit_code FROM customer")} == {
        CITY,
        TEAM,
    }


async def test_a_made_up_customer_is_read_and_changed_like_any_other(
    city: TestNode, supervisor: Headers
) -> None:
    await populate(city, 60)
    listed = (await city.client.get("/customers?kind=group&limit=1", headers=supervisor)).json()
    page = await city.client.get(
        f"/customers/{listed['items'][0]['id']}?include=all", headers=supervisor
    )
    profile = page.json()
    assert profile["enterprise"]["industry_zh"]
    assert profile["usage"][0]["period"] == profile["bills"][0]["period"]
    number = await city.client.get(f"/customers/{profile['id']}/document", headers=supervisor)
    assert check_document("business_licence", number.json()["document_number"])
    changed = await city.client.patch(
        f"/customers/{profile['id']}", json={"level": "diamond"}, headers=fresh(supervisor, profile)
    )
    assert changed.status_code == 200
    made = await settle(city, supervisor)
    assert made["customer_number"] == f"{CITY}00000061"


async def test_figures_hang_together(city: TestNode) -> None:
    await populate(city, 300)
    wrong = await rows(
        city,
        """
        SELECT c.id FROM customer c
        LEFT JOIN (SELECT customer_id, sum(charge_fen) AS total FROM bill GROUP BY 1) b ON b.customer_id = c.id
        WHERE c.total_charge_fen <> coalesce(b.total, 0) OR c.left_on < c.entry_date
           OR c.left_on IS NOT NULL AND EXISTS (
              SELECT FROM subscription s WHERE s.customer_id = c.id AND s.status <> 'ended')
           OR c.left_on IS NOT NULL AND EXISTS (
              SELECT FROM bill l WHERE l.customer_id = c.id AND l.period > c.left_on)""",
    )
    assert wrong == []
    over = await rows(
        city,
        """
        SELECT u.subscription_id FROM usage_month u
        JOIN bill b ON b.subscription_id = u.subscription_id AND b.period = u.period
        GROUP BY u.subscription_id, u.period, b.charge_fen, b.customer_id, u.customer_id
        HAVING sum(u.charge_fen) > b.charge_fen + 8 OR b.customer_id <> u.customer_id""",
    )
    assert over == []
    assert (
        await rows(city, "SELECT count(*) FROM bill WHERE paid_on > $1", city.clock.now().date())
    )[0][0] == 0


async def test_a_city_with_customers_is_left_alone_unless_told(
    city: TestNode, clerk: Headers
) -> None:
    await settle(city, clerk)
    with pytest.raises(CityInhabited):
        await populate(city, 10)
    await populate(city, 10, append=True)
    with pytest.raises(SeedUsed):
        await populate(city, 10, append=True)
    more = await populate(city, 10, seed=2, append=True, usage=False)
    assert "usage_month" not in more.rows
    assert (await rows(city, "SELECT count(*), count(DISTINCT customer_number) FROM customer"))[
        0
    ] == (21, 21)


@pytest.mark.parametrize(("stop_at", "reached"), [("customers", 20), ("usage", 1)])
async def test_an_interrupted_run_leaves_nothing(
    city: TestNode, stop_at: str, reached: int
) -> None:
    def interrupt(what: str, done: int, _: int) -> None:
        if what == stop_at and done >= reached:
            raise KeyError(what)

    with pytest.raises(KeyError):
        await populate(city, 50, batch_customers=10, on_progress=interrupt)
    for table in FINGERPRINTS:
        assert (await rows(city, f"SELECT count(*) FROM {table}"))[0][0] == 0  # noqa: S608
    made = await populate(city, 50, batch_customers=10)
    assert made.rows["customer"] == 50


@given(
    running=st.integers(0, 4_999_999),
    born=st.dates(date(1920, 1, 1), date(2008, 1, 1)),
    male=st.booleans(),
)
def test_numbers_are_right_in_form_and_of_nobody(running: int, born: date, male: bool) -> None:  # noqa: FBT001
    card = numbers.id_card(running, born, male=male)
    assert check_document("id_card", card) == card
    assert int(card[16]) % 2 == male
    assert not any(code.startswith(card[:2]) for code in divisions())
    assert check_document("business_licence", numbers.credit_code(running))
    assert check_msisdn(numbers.msisdn(running)).startswith(("127", "128"))
    assert check_iccid(numbers.iccid(running))
    assert check_imsi(numbers.imsi(running))
    assert numbers.ordered_id(1_700_000_000_000 + running, running).version == 7


@settings(max_examples=20)
@given(st.lists(st.integers(0, 4_999_999), unique=True, min_size=2, max_size=50))
def test_each_running_number_makes_another(running: list[int]) -> None:
    born = date(1990, 1, 1)
    for make in (
        numbers.msisdn,
        numbers.credit_code,
        numbers.iccid,
        numbers.imsi,
        lambda each: numbers.id_card(each, born, male=True),
    ):
        assert len({make(each) for each in running}) == len(running)


def courses(number: int, contract: str = "monthly") -> list[behaviour.Course]:
    chance = random.Random(11)  # noqa: S311 - to be repeated
    year = months_before(date(2026, 11, 1), 12)
    return [behaviour.live(chance, [20_000.0], contract, year) for _ in range(number)]


def share_left(of: Sequence[behaviour.Course]) -> float:
    return sum(course.left_on is not None for course in of) / len(of)


def test_leaving_follows_from_its_causes() -> None:
    every = courses(6000)
    complained = [course for course in every if any(month.complained for month in course.months)]
    owing = [course for course in every if sum(month.unpaid for month in course.months) > 1]
    quiet = [
        course
        for course in every
        if not any(month.complained or month.unpaid for month in course.months)
        and course.months[-1].charges[0] > 0.8 * course.months[0].charges[0]
    ]
    falling = [
        course
        for course in every
        if course.months[-1].charges[0] < 0.5 * course.months[0].charges[0]
    ]
    assert share_left(quiet) < 0.06
    for caused in (complained, owing, falling):
        assert len(caused) > 100
        assert share_left(caused) > 2.5 * share_left(quiet)
    assert share_left(courses(3000, "two_year")) < 0.5 * share_left(courses(3000, "none"))


def test_spend_is_heavy_tailed_and_seasonal() -> None:
    chance = random.Random(5)  # noqa: S311 - to be repeated
    charges = sorted(
        (behaviour.base_charges(chance, 1, group=False)[0] for _ in range(5000)), reverse=True
    )
    assert 0.4 < sum(charges[:1000]) / sum(charges) < 0.75
    by_month = dict.fromkeys(range(1, 13), 0)
    for course in courses(3000):
        if course.left_on is None:
            for month in course.months:
                by_month[month.first.month] += month.charges[0]
    assert by_month[2] > 1.1 * by_month[3]


def test_months_go_back_over_the_year() -> None:
    assert months_before(date(2026, 2, 1), 3) == [
        date(2025, 11, 1),
        date(2025, 12, 1),
        date(2026, 1, 1),
    ]

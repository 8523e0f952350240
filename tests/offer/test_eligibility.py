"""Whom an offer is for: set-wise in SQL, one by one in SQL, and in plain Python, all the same."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.city_node.offer.judging import Person, Room, Rule, Standing, Terms, judge, left
from services.city_node.offer.models import Offer
from shared.kernel.ids import new_id
from shared.policy.kinds.offer import OFFER, Entitlement, LevelUses
from tests.city.drafts import CITY, OTHER_TEAM, TEAM, Headers
from tests.conftest import NOON, TestNode
from tests.offer.city import add_customer, add_offer, grant, problem_of, run

LEVELS = ("diamond", "gold", "silver", "standard")
Facts = dict[str, Any]
FOLK: list[Facts] = [
    {"level": level, "unit": unit, "charge": charge, "kind": kind, "left": left_}
    for n, (level, unit, charge, kind, left_) in enumerate(
        (level, unit, charge, kind, left_)
        for level in LEVELS
        for unit in (CITY, TEAM, OTHER_TEAM)
        for charge in (29_999, 30_000)
        for kind in ("individual", "group")
        for left_ in (False, True)
    )
    if n % 3 or not n % 5
]
CONDITIONS: list[tuple[str | None, Callable[[Facts], bool]]] = [
    (None, lambda _: True),
    ("monthly_charge >= 300 yuan", lambda who: who["charge"] >= 30_000),
    (
        'level = silver and not kind = group or unit within "440300-01"',
        lambda who: (who["level"] == "silver" and who["kind"] != "group") or who["unit"] == TEAM,
    ),
    (
        "has bill(charge > 100 yuan) or charge(last 3 months) = 0 yuan",
        lambda who: who["bill"] > 10_000 or who["bill"] == 0,
    ),
]
OFFERS: list[dict[str, Any]] = [
    {},
    {"units": [TEAM]},
    {"levels": ["gold", "standard"]},
    {"units": [TEAM, OTHER_TEAM], "levels": ["diamond", "silver"]},
]


def is_for(offer: dict[str, Any], holds: Callable[[Facts], bool], who: Facts) -> bool:
    """Say in plain words whom an offer is for."""
    units = offer.get("units", [CITY])
    return (
        not who["left"]
        and any(who["unit"].startswith(unit) for unit in units)
        and who["level"] in offer.get("levels", LEVELS)
        and who["level"] != "standard"  # by the shipped policy they have no uses
        and holds(who)
    )


async def test_all_ways_of_asking_agree(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    folk: dict[UUID, Facts] = {}
    for n, facts in enumerate(FOLK):
        made = await add_customer(city.database, NOON, **facts)
        folk[made] = {**facts, "bill": n % 3 * 10_000}
        await add_bill(city, made, n % 3 * 10_000)
    tried = [(offer, *condition) for offer in OFFERS for condition in CONDITIONS]
    for n, (offer, condition, _) in enumerate(tried):
        await add_offer(city, supervisor, f"o{n:02}", condition=condition, **offer)
    told: dict[UUID, dict[str, bool]] = {}
    for each in folk:
        answer = await city.client.get(f"/customers/{each}/offers", headers=clerk)
        told[each] = {item["offer"]: item["may"] for item in answer.json()["items"]}
    for n, (offer, _, holds) in enumerate(tried):
        expected = {each for each, who in folk.items() if is_for(offer, holds, who)}
        assert 0 < len(expected) < len(folk)
        assert {each for each in folk if told[each][f"o{n:02}"]} == expected
        page = await city.client.get(f"/offers/o{n:02}/customers?limit=500", headers=clerk)
        assert {UUID(item["id"]) for item in page.json()["items"]} == expected


async def add_bill(city: TestNode, customer: UUID, fen: int) -> None:
    """Add a line with a bill of the month before."""
    line = new_id()
    await run(
        city.database,
        "INSERT INTO subscription (id, customer_id, msisdn, entry_date) VALUES (:id, :of, :number, '2024-05-01')",
        id=line,
        of=customer,
        number=f"1{line.int % 10**10:010d}",
    )
    await run(
        city.database,
        "INSERT INTO bill (subscription_id, customer_id, period, charge_fen) VALUES (:id, :of, '2026-10-01', :fen)",
        id=line,
        of=customer,
        fen=fen,
    )


@pytest.mark.parametrize(
    ("given_", "status", "problem"),
    [
        ({"code": "fee"}, 409, "offer-taken"),
        ({"value_permille": 900}, 422, "offer-value-unclear"),
        ({"value_fen": None}, 422, "offer-value-unclear"),
        ({"valid_until": "2026-01-01"}, 422, "dates-contradict"),
        ({"units": ["440100"]}, 422, "unit-out-of-scope"),
        ({"conflicts_with": ["none"]}, 422, "offer-unknown"),
        ({"conflicts_with": ["lounge"]}, 422, "conflict-with-itself"),
        ({"condition": "levle = gold"}, 422, "condition-invalid"),
        ({"condition": "birth_date < 1990-01-01"}, 403, "condition-forbidden"),
        ({"units": [TEAM, TEAM]}, 422, "input-invalid"),
    ],
)
async def test_what_does_not_fit_together_is_no_offer(
    city: TestNode, supervisor: Headers, given_: dict[str, Any], status: int, problem: str
) -> None:
    made = await add_offer(city, supervisor, "fee")
    body = {name: made[name] for name in ("name_zh", "name_en", "benefit_zh", "benefit_en")}
    body |= {"code": "lounge", "value_fen": 1, "cost_fen": 1, "valid_from": "2026-01-01", **given_}
    answer = await city.client.post("/offers", json=body, headers=supervisor)
    assert (answer.status_code, problem_of(answer)) == (status, problem), answer.text
    headers = {**supervisor, "If-Match": '"1"'}
    wrong = {"valid_until": "2025-01-01"}
    refused = await city.client.patch("/offers/fee", json=wrong, headers=headers)
    assert problem_of(refused) == "dates-contradict"
    listed = await city.client.get("/offers", headers=supervisor)
    assert [(each["code"], each["version"]) for each in listed.json()["items"]] == [("fee", 1)]
    unknown = await grant(city, supervisor, await add_customer(city.database, NOON), "lounge")
    assert problem_of(unknown) == "offer-unknown"


async def test_the_catalogue_is_listed_for_whom_it_is(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await add_offer(city, supervisor, "a", units=[TEAM], levels=["gold"])
    await add_offer(city, supervisor, "b", valid_until="2026-06-01", exclusive_group="g")
    for query, codes in {
        "": ["a", "b"],
        f"unit={TEAM}": ["a", "b"],
        f"unit={OTHER_TEAM}": ["b"],
        "level=silver": ["b"],
        "on=2026-06-01": ["a"],
        "group=g": ["b"],
    }.items():
        listed = await city.client.get(f"/offers?{query}", headers=clerk)
        assert [each["code"] for each in listed.json()["items"]] == codes, query


@pytest.mark.parametrize(
    ("period", "day", "since", "until"),
    [
        ("month", date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        ("month", date(2026, 2, 1), date(2026, 2, 1), date(2026, 3, 1)),
        ("quarter", date(2026, 9, 30), date(2026, 7, 1), date(2026, 10, 1)),
        ("quarter", date(2026, 11, 23), date(2026, 10, 1), date(2027, 1, 1)),
        ("year", date(2026, 1, 1), date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_periods_are_those_of_the_calendar(
    period: Any, day: date, since: date, until: date
) -> None:
    uses = LevelUses(diamond=1, gold=1, silver=1, standard=1)
    assert Entitlement(period=period, uses=uses).around(day) == (since, until)


SOME = st.integers(0, 5)


@given(
    taken=SOME,
    quota=st.one_of(st.none(), SOME),
    budget=st.one_of(st.none(), st.integers(0, 500)),
    cost=st.sampled_from([0, 100, 130]),
    wanted=st.integers(1, 5),
    level=st.sampled_from(LEVELS),
)
def test_what_is_left_may_be_had_and_no_more(
    taken: int, quota: int | None, budget: int | None, cost: int, wanted: int, level: str
) -> None:
    today = date(2026, 11, 23)
    offer = Offer(code="x", units=[CITY], levels=[], valid_from=today, cost_fen=cost)
    person = Person(level, "in_network", TEAM, f"000000/440000/{CITY}/{TEAM}/")
    standing = Standing(taken=taken, room=Room(2026, CITY, quota, budget))
    terms = Terms(today, OFFER.default.of("x"), "offer default")
    may = not judge(offer, person, standing, terms, wanted)
    assert may is (wanted <= left(offer, person, standing, terms))
    said = {reason.rule for reason in judge(offer, person, standing, terms, wanted)}
    assert said <= {Rule.ENTITLEMENT, Rule.QUOTA, Rule.BUDGET}

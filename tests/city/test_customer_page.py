"""The customer's page: every part in one call, each as its reader may see it."""

from datetime import date
from typing import Any

import pytest

from shared.capability import Role
from tests.city.drafts import Headers, SignIn, fresh, line, settle
from tests.city.holding import group_of, note, page
from tests.conftest import TestNode

INDIVIDUAL_PARTS = {"subscriptions", "contacts", "bills", "changes", "arrears", "manager", "usage"}
INDIVIDUAL_PARTS |= {"interactions", "preferences", "ties", "tied_by", "groups", "competitor_use"}
GROUP_PARTS = {"enterprise", "key_persons", "members", "agreements", "products"}


async def subscribe(city: TestNode, headers: Headers, customer: Any, running: int = 1) -> Any:
    answer = await city.client.post(
        f"/customers/{customer['id']}/subscriptions",
        json=line(running, handset="Huawei Mate 60", imei="490154203237518"),
        headers={**headers, "Idempotency-Key": f"line-{running}"},
    )
    assert answer.status_code == 201, answer.text
    page = await city.client.get(f"/customers/{customer['id']}/subscriptions", headers=headers)
    return page.json()["items"][-1]


async def execute(city: TestNode, sql: str, *values: Any) -> None:
    await (await city.database.pool()).execute(sql, *values)


async def bill(
    city: TestNode, held: Any, customer: Any, period: date, charge: int, paid: date | None = None
) -> None:
    await execute(
        city,
        "INSERT INTO bill (subscription_id, customer_id, period, charge_fen, paid_on) VALUES ($1, $2, $3, $4, $5)",
        *(held["id"], customer["id"], period, charge, paid),
    )


async def use(city: TestNode, held: Any, customer: Any, *row: Any) -> None:
    await execute(
        city,
        "INSERT INTO usage_month (subscription_id, customer_id, period, kind, band, quantity, charge_fen)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(held["id"], customer["id"], *row),
    )


async def test_one_call_gives_every_part(city: TestNode, clerk: Headers) -> None:
    for customer in (await settle(city, clerk), await group_of(city, clerk)):
        whole = await page(city, clerk, customer, "all")
        assert set(whole) == {"id"} | INDIVIDUAL_PARTS | GROUP_PARTS
    wrong = await city.client.get(f"/customers/{customer['id']}?include=wallet", headers=clerk)
    assert wrong.status_code == 400
    for part in INDIVIDUAL_PARTS | GROUP_PARTS | {"all"}:
        assert part in wrong.json()["detail"]


async def test_only_what_the_version_covers_is_not_sent_again(
    city: TestNode, clerk: Headers
) -> None:
    customer = await settle(city, clerk)
    had = {**clerk, "If-None-Match": '"1"'}
    for include, status in (
        ("contacts,preferences", 304),
        ("arrears", 200),
        ("ties", 200),
        ("all", 200),
    ):
        answer = await city.client.get(
            f"/customers/{customer['id']}?include={include}", headers=had
        )
        assert answer.status_code == status, include


async def test_a_handset_stands_with_its_line(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    held = await subscribe(city, clerk, customer)
    assert (held["handset"], held["imei"]) == ("Huawei Mate 60", "490154203237518")
    wrong = await city.client.post(
        f"/customers/{customer['id']}/subscriptions",
        json=line(2, imei="490154203237519"),
        headers={**clerk, "Idempotency-Key": "b"},
    )
    assert wrong.status_code == 422


async def test_a_line_changes_against_the_customers_version(city: TestNode, clerk: Headers) -> None:
    customer, other = await settle(city, clerk), await settle(city, clerk, 2)
    held = await subscribe(city, clerk, customer)
    path, patch = (
        f"/customers/{customer['id']}/subscriptions/{held['id']}",
        {"plan": "238", "imei": None},
    )
    assert (await city.client.patch(path, json=patch, headers=clerk)).status_code == 428
    stale = await city.client.patch(path, json=patch, headers=fresh(clerk, customer))
    assert stale.status_code == 412
    current = {**clerk, "If-Match": '"2"'}
    foreign = path.replace(customer["id"], other["id"])
    assert (
        await city.client.patch(foreign, json=patch, headers=fresh(clerk, other))
    ).status_code == 404
    assert (
        await city.client.patch(path, json={"contract_term": None}, headers=current)
    ).status_code == 422
    changed = await city.client.patch(path, json=patch, headers=current)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"3"'), changed.text
    whole = await page(city, clerk, customer, "subscriptions,changes")
    assert whole["subscriptions"] == [{**held, **patch}]
    assert whole["changes"][0]["changes"] == [
        {"field": f"subscriptions/{held['msisdn']}/plan", "old": "128", "new": "238"},
        {"field": f"subscriptions/{held['msisdn']}/imei", "old": held["imei"], "new": None},
    ]
    same = await city.client.patch(path, json=patch, headers={**clerk, "If-Match": '"3"'})
    assert same.headers["etag"] == '"3"'


@pytest.mark.parametrize(
    ("unpaid", "expected"),
    [
        ([], {"amount_fen": 0, "bills": 0, "oldest_period": None, "days_overdue": 0}),
        (
            [(date(2026, 10, 1), 100)],
            {"amount_fen": 0, "bills": 0, "oldest_period": None, "days_overdue": 0},
        ),
        (
            [(date(2026, 9, 1), 100)],
            {"amount_fen": 100, "bills": 1, "oldest_period": "2026-09-01", "days_overdue": 23},
        ),
        (
            [(date(2026, 9, 1), 100), (date(2026, 7, 1), 50), (date(2026, 8, 1), 0)],
            {"amount_fen": 150, "bills": 2, "oldest_period": "2026-07-01", "days_overdue": 84},
        ),
    ],
)
async def test_arrears_are_what_is_unpaid_after_its_due_day(
    city: TestNode, clerk: Headers, unpaid: list[tuple[date, int]], expected: dict[str, Any]
) -> None:
    customer = await settle(city, clerk)
    held = await subscribe(city, clerk, customer)
    await bill(city, held, customer, date(2026, 6, 1), 900, paid=date(2026, 7, 9))
    for period, charge in unpaid:
        await bill(city, held, customer, period, charge)
    assert (await page(city, clerk, customer, "arrears"))["arrears"] == expected
    listed = await city.client.get(
        f"/customers/{customer['id']}/bills?unpaid=true&count=true", headers=clerk
    )
    assert listed.json()["count"] == len(unpaid)
    everything = await city.client.get(f"/customers/{customer['id']}/bills", headers=clerk)
    periods = [each["period"] for each in everything.json()["items"]]
    assert periods == sorted(periods, reverse=True)


async def test_usage_is_summed_on_the_page_and_listed_by_row(
    city: TestNode, clerk: Headers
) -> None:
    customer, noise = await settle(city, clerk), await settle(city, clerk, 2)
    first, second = (
        await subscribe(city, clerk, customer),
        await subscribe(city, clerk, customer, 2),
    )
    foreign = await subscribe(city, clerk, noise, 3)
    october, september, april = date(2026, 10, 1), date(2026, 9, 1), date(2026, 4, 1)
    await use(city, first, customer, october, "voice_local", "day", 60, 10)
    await use(city, first, customer, october, "voice_local", "night", 40, 5)
    await use(city, second, customer, october, "voice_local", "day", 20, 1)
    await use(city, second, customer, september, "data", "all", 4096, 7)
    await use(city, second, customer, april, "sms", "all", 3, 3)
    await use(city, foreign, noise, october, "sms", "all", 999, 999)
    assert (await page(city, clerk, customer, "usage"))["usage"] == [
        {"period": "2026-10-01", "kind": "voice_local", "quantity": 120, "charge_fen": 16},
        {"period": "2026-09-01", "kind": "data", "quantity": 4096, "charge_fen": 7},
    ]
    path, rows = f"/customers/{customer['id']}/usage?limit=2", []
    cursor: str | None = ""
    while cursor is not None:
        answer = (await city.client.get(f"{path}&cursor={cursor}", headers=clerk)).json()
        rows += answer["items"]
        cursor = answer["next"]
    assert sorted(row["quantity"] for row in rows) == [3, 20, 40, 60, 4096]
    assert [row["period"] for row in rows] == sorted((row["period"] for row in rows), reverse=True)
    voice = await city.client.get(f"{path}&kind=voice_local&count=true", headers=clerk)
    assert voice.json()["count"] == 3


async def test_a_tie_leads_to_somebody_and_shows_on_both_sides(
    city: TestNode, clerk: Headers
) -> None:
    husband, wife = await settle(city, clerk), await settle(city, clerk, 2, name="王芳")
    tie = {"kind": "spouse", "related_id": wife["id"]}
    made = await note(city, clerk, husband, "ties", tie)
    assert made.json()["related_name"] == "王芳"
    by = (await page(city, clerk, wife, "tied_by"))["tied_by"]
    assert [(each["name"], each["kind"]) for each in by] == [(husband["name"], "spouse")]
    for wrong in (
        {"kind": "spouse"},
        {**tie, "person_name": "x"},
        {**tie, "related_id": husband["id"]},
        {**tie, "phone": "13800000000"},
    ):
        assert (await note(city, clerk, husband, "ties", wrong)).status_code == 422
    assert (await note(city, clerk, husband, "ties", {**tie, "note": "again"})).status_code == 409


async def test_a_record_of_another_system_is_noted_once(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    call = {
        "channel": "call_centre",
        "kind": "complaint",
        "subject": "信号",
        "source": "cc",
        "source_key": "7",
    }
    made = await note(city, clerk, customer, "interactions", call)
    assert made.json()["at"].startswith("2026-11-23")
    assert (
        await note(city, clerk, customer, "interactions", {**call, "subject": "x"})
    ).status_code == 409
    future = {**call, "source_key": "8", "at": "2027-01-01T00:00:00Z"}
    assert (await note(city, clerk, customer, "interactions", future)).status_code == 422
    for query, count in (
        ("kind=complaint", 1),
        ("kind=visit", 0),
        ("at_before=2026-01-01T00:00:00Z", 0),
    ):
        listed = await city.client.get(
            f"/customers/{customer['id']}/interactions?{query}", headers=clerk
        )
        assert len(listed.json()["items"]) == count


async def test_a_preference_that_is_acted_on_has_one_value(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    first = {"topic": "marketing", "value": "refused"}
    assert (await note(city, clerk, customer, "preferences", first)).status_code == 201
    assert (
        await note(city, clerk, customer, "preferences", {**first, "value": "welcome"})
    ).status_code == 409
    assert (
        await note(city, clerk, customer, "preferences", {"topic": "language", "value": "!"})
    ).status_code == 422
    for value in ("围棋", "茶"):
        interest = {"topic": "interest", "value": value}
        assert (await note(city, clerk, customer, "preferences", interest)).status_code == 201


async def test_programs_read_and_do_not_write(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    customer = await settle(city, clerk)
    program = await sign_in(city, Role.INTEGRATION)
    assert (
        await note(city, program, customer, "ties", {"kind": "other", "person_name": "x"})
    ).status_code == 403
    analyst = await sign_in(city, Role.OPERATOR)
    assert (
        await city.client.get(f"/customers/{customer['id']}/ties", headers=analyst)
    ).status_code == 403


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-01-01T00:00:00",
        "2026-01-01",
        0,
    ],
)
async def test_a_moment_is_one_with_a_zone_of_this_age(
    city: TestNode, clerk: Headers, at: object
) -> None:
    customer = await settle(city, clerk)
    call = {"channel": "web", "kind": "inquiry", "subject": "x", "at": at}
    assert (await note(city, clerk, customer, "interactions", call)).status_code == 422
    listed = await city.client.get(
        f"/customers/{customer['id']}/interactions", params={"at_from": str(at)}, headers=clerk
    )
    assert listed.status_code == 422

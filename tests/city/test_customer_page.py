"""The customer's page: every part in one call, each as its reader may see it."""

from datetime import date, timedelta
from typing import Any

import pytest

from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn, fresh, line, settle
from tests.city.test_held import group_of, note
from tests.conftest import TestNode

TODAY = date(2026, 11, 23)
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


async def page(city: TestNode, headers: Headers, customer: Any, include: str) -> Any:
    answer = await city.client.get(
        f"/customers/{customer['id']}?fields=id&include={include}", headers=headers
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_one_call_gives_every_part(city: TestNode, clerk: Headers) -> None:
    for customer in (await settle(city, clerk), await group_of(city, clerk)):
        whole = await page(city, clerk, customer, "all")
        assert set(whole) == {"id"} | INDIVIDUAL_PARTS | GROUP_PARTS
    wrong = await city.client.get(f"/customers/{customer['id']}?include=wallet", headers=clerk)
    assert wrong.status_code == 400
    for part in INDIVIDUAL_PARTS | GROUP_PARTS | {"all"}:
        assert part in wrong.json()["detail"]


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


async def test_a_group_has_its_enterprise(city: TestNode, clerk: Headers) -> None:
    group = await group_of(city, clerk)
    path = f"/customers/{group['id']}/enterprise"
    assert (await city.client.get(path, headers=clerk)).status_code == 404
    facts = {
        "industry_code": "39",
        "size_class": "large",
        "employees": 1200,
        "parent_name": "华星集团",
        "parent_customer_number": "11010000000042",
    }
    assert (await city.client.put(path, json=facts, headers=clerk)).status_code == 428
    written = await city.client.put(path, json=facts, headers=fresh(clerk, group))
    assert (written.status_code, written.headers["etag"]) == (200, '"2"'), written.text
    enterprise = written.json()
    assert facts.items() <= enterprise.items()
    assert enterprise["industry_en"].startswith("Manufacture of computers")
    assert (await page(city, clerk, group, "enterprise"))["enterprise"] == enterprise
    again = await city.client.put(path, json=facts, headers={**clerk, "If-Match": '"2"'})
    assert again.headers["etag"] == '"2"'
    for wrong in (
        {"industry_code": "98"},
        {"parent_customer_number": "99010000000042"},
        {"parent_customer_number": group["customer_number"]},
        {"parent_customer_number": "1101"},
    ):
        refused = await city.client.put(path, json=wrong, headers={**clerk, "If-Match": '"2"'})
        assert refused.status_code == 422, refused.text
    person = await settle(city, clerk)
    refused = await city.client.put(
        f"/customers/{person['id']}/enterprise", json=facts, headers=fresh(clerk, person)
    )
    assert refused.status_code == 409
    industries = (await city.client.get("/industries", headers=clerk)).json()["items"]
    assert len(industries) == 20 + 97
    assert {each["section"] for each in industries} == set("ABCDEFGHIJKLMNOPQRST")


async def test_the_decision_chain_is_in_order_and_masked(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    group = await group_of(city, clerk)
    for name, order in (("丙", None), ("乙", 2), ("甲", 1)):
        body = {
            "name": name,
            "decision_order": order,
            "phone": "13912345678",
            "email": "li@example.com",
        }
        await note(city, clerk, group, "key-persons", {k: v for k, v in body.items() if v})
    chain = (await page(city, clerk, group, "key_persons"))["key_persons"]
    assert [each["name"] for each in chain] == ["甲", "乙", "丙"]
    assert {each["phone"] for each in chain} == {"13912345678"}
    program = await sign_in(city, Role.INTEGRATION)
    masked = await page(city, program, group, "key_persons,changes")
    assert {each["phone"] for each in masked["key_persons"]} == {"139****5678"}
    assert {each["email"] for each in masked["key_persons"]} == {"l***@example.com"}
    listed = await city.client.get(f"/customers/{group['id']}/key-persons", headers=program)
    assert listed.json()["items"] == masked["key_persons"]
    one = await city.client.get(
        f"/customers/{group['id']}/key-persons/{chain[0]['id']}", headers=program
    )
    assert one.json() == masked["key_persons"][0]
    assert "13912345678" not in str(masked["changes"])
    assert "139****5678" in str(masked["changes"])


async def test_members_belong_to_one_group_at_a_time(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    group, other = await group_of(city, clerk), await group_of(city, clerk, 91, name="宝安")
    member = await settle(city, clerk, unit_code=TEAM)
    body = {"member_id": member["id"], "since": "2025-01-01", "short_number": "6123"}
    made = await note(city, clerk, group, "members", body)
    assert made.status_code == 201, made.text
    assert made.json()["member_name"] == member["name"]
    assert (await note(city, clerk, other, "members", body)).status_code == 409
    assert (
        await note(city, clerk, group, "members", {**body, "member_id": other["id"]})
    ).status_code == 422
    assert (await note(city, clerk, member, "members", body)).status_code == 409
    groups = (await page(city, clerk, member, "groups"))["groups"]
    assert [each["name"] for each in groups] == [group["name"]]
    team = await sign_in(city, Role.CLERK, unit=TEAM)
    assert (await page(city, team, member, "groups"))["groups"] == []
    gone = await city.client.patch(
        made.headers["location"], json={"until": "2026-01-01"}, headers={**clerk, "If-Match": '"2"'}
    )
    assert gone.status_code == 200, gone.text
    assert (await note(city, clerk, other, "members", body)).status_code == 201


async def test_agreements_that_expire_soon_are_found_over_the_unit(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    group = await group_of(city, clerk, unit_code=TEAM)
    for number, days, renews in (
        ("past", 0, False),
        ("soon", 30, False),
        ("later", 91, True),
        ("renews", 90, True),
    ):
        body = {
            "number": number,
            "title": "专线",
            "starts_on": "2025-01-01",
            "expires_on": (TODAY + timedelta(days=days)).isoformat(),
            "auto_renews": renews,
            "renewal_months": 12 if renews else None,
        }
        made = await note(
            city, clerk, group, "agreements", {k: v for k, v in body.items() if v is not None}
        )
        assert made.status_code == 201, made.text
    await note(
        city,
        clerk,
        group,
        "agreements",
        {"number": "open", "title": "x", "starts_on": "2025-01-01"},
    )

    async def found(headers: Headers, query: str) -> list[str]:
        answer = await city.client.get(f"/agreements?{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [each["number"] for each in answer.json()["items"]]

    assert await found(clerk, "expiring_within=90") == ["soon", "renews"]
    assert await found(clerk, "expiring_within=90&auto_renews=false") == ["soon"]
    assert await found(clerk, "") == ["past", "soon", "renews", "later", "open"]
    assert await found(await sign_in(city, Role.CLERK, unit="440300-02"), "") == []
    wrong = await note(
        city,
        clerk,
        group,
        "agreements",
        {"number": "x", "title": "x", "starts_on": "2025-01-01", "auto_renews": True},
    )
    assert wrong.status_code == 422
    location = f"/customers/{group['id']}/agreements"
    soon = (await city.client.get(f"{location}?expiring_within=30", headers=clerk)).json()["items"][
        0
    ]
    bent = await city.client.patch(
        f"{location}/{soon['id']}",
        json={"expires_on": "2024-01-01"},
        headers={**clerk, "If-Match": '"6"'},
    )
    assert bent.status_code == 422
    assert "expires_on must lie after" in bent.text


async def test_shares_of_competitors_leave_no_more_than_the_whole(
    city: TestNode, clerk: Headers
) -> None:
    group = await group_of(city, clerk)
    body = {"operator": "中国电信", "category": "cloud", "share_percent": 70}
    assert (await note(city, clerk, group, "competitor-use", body)).status_code == 201
    more = {**body, "operator": "中国联通", "share_percent": 31}
    refused = await note(city, clerk, group, "competitor-use", more)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["detail"] == "at most 30"
    assert (
        await note(city, clerk, group, "competitor-use", {**more, "category": "data"})
    ).status_code == 201


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

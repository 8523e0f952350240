"""Group customers: the enterprise, who decides there, who belongs to it, what is agreed."""

from datetime import date, timedelta

from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn, fresh, settle
from tests.city.holding import group_of, note, page
from tests.conftest import TestNode

TODAY = date(2026, 11, 23)


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

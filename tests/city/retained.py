"""Customers who left, with something in every table, and how tests reach them."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from shared.kernel.ids import new_id
from tests.city.drafts import Headers, fresh, line, settle
from tests.conftest import TestNode

SECRETS = (
    "王小明", "wangxiaoming", "13800000001", "139****1234", "知情人", "137****7777", "秘密",
    "w***@example.com", "深圳市南山区", "46000", "89860026", "BMW", "CRM-77",
)  # fmt: skip
"""What the fixture writes about a person and what must be nowhere afterwards; contacts as they are masked."""


async def leave(
    city: TestNode, headers: Headers, profile: dict[str, Any], **given: Any
) -> dict[str, Any]:
    """Retire a customer, and return the profile."""
    answer = await city.client.post(
        f"/customers/{profile['id']}/retire",
        json={"reason": "price", **given},
        headers=fresh(headers, profile),
    )
    assert answer.status_code == 200, answer.text
    left: dict[str, Any] = answer.json()
    return left


async def post(city: TestNode, path: str, body: Any, headers: Headers) -> dict[str, Any]:
    """Add something, and return it."""
    answer = await city.client.post(
        path, json=body, headers={**headers, "Idempotency-Key": new_id().hex}
    )
    assert answer.status_code in {200, 201}, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def read(city: TestNode, headers: Headers, customer: str) -> dict[str, Any]:
    """Return a customer's profile as it is now."""
    answer = await city.client.get(f"/customers/{customer}", headers=headers)
    assert answer.status_code == 200, answer.text
    profile: dict[str, Any] = answer.json()
    return profile


async def lived_in(city: TestNode, headers: Headers, running: int = 1) -> dict[str, Any]:
    """Make a customer with something in every table of a person, who has not left yet."""
    profile = await settle(
        city,
        headers,
        running,
        name="王小明",
        payment_method="秘密账户",
        attributes={"car": "BMW", "hobby": "秘密"},
    )
    path = f"/customers/{profile['id']}"
    await post(city, f"{path}/subscriptions", line(running, handset="秘密手机"), headers)
    for kind, value in (
        ("phone", "13900001234"),
        ("email", "wang@example.com"),
        ("postal", "深圳市南山区科技园一路1号"),
    ):
        await post(city, f"{path}/contacts", {"kind": kind, "value": value}, headers)
    tie = {"kind": "spouse", "person_name": "知情人", "phone": "13700007777", "note": "秘密"}
    await post(city, f"{path}/ties", tie, headers)
    await post(city, f"{path}/preferences", {"topic": "interest", "value": "秘密爱好"}, headers)
    spoken = {"channel": "hall", "kind": "visit", "subject": "秘密谈话", "summary": "秘密", "outcome": "秘密"}  # fmt: skip
    await post(city, f"{path}/interactions", spoken, headers)
    agreed = {"number": "CRM-77", "kind": "service", "title": "秘密协议", "starts_on": "2021-01-01",
              "expires_on": "2022-01-01", "note": "秘密"}  # fmt: skip
    await post(city, f"{path}/agreements", agreed, headers)
    used = {"operator": "中国电信", "category": "voice", "note": "秘密"}
    await post(city, f"{path}/competitor-use", used, headers)
    async with city.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO bill (subscription_id, customer_id, period, charge_fen, paid_on)"
                " SELECT s.id, s.customer_id, DATE '2021-03-01', 12345, DATE '2021-04-02' FROM subscription s"
                " WHERE s.customer_id = :id"
            ),
            {"id": UUID(profile["id"])},
        )
        await session.execute(
            text("UPDATE customer SET monthly_charge_fen = 12345 WHERE id = :id"),
            {"id": UUID(profile["id"])},
        )
    present = await read(city, headers, profile["id"])
    answer = await city.client.patch(
        path, json={"birth_date": "1990-01-01", "level": "diamond"}, headers=fresh(headers, present)
    )
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def long_gone(
    city: TestNode, headers: Headers, running: int = 1, on: str = "2021-06-30", **given: Any
) -> dict[str, Any]:
    """Make a customer with something in every table, who left long ago."""
    profile = await lived_in(city, headers, running)
    departure = {"destination": "秘密城市", "note": "秘密原因", "on": on, **given}
    left = await leave(city, headers, profile, **departure)
    attempt = {"channel": "call_centre", "result": "declined", "offer": "秘密优惠", "note": "秘密"}
    await post(city, f"/customers/{left['id']}/win-back-attempts", attempt, headers)
    return await read(city, headers, left["id"])


async def everything(city: TestNode) -> str:
    """Return all that the tables about customers hold, as one text."""
    pool = await city.database.pool()
    tables = await pool.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name NOT IN ('alembic_version', 'staff_member', 'competitor', 'idempotency_key')"
    )
    found = []
    for (table,) in tables:
        rows = await pool.fetch(f'SELECT row_to_json(p)::text FROM "{table}" p')  # noqa: S608 - from the catalogue
        found += [f"{table}: {row[0]}" for row in rows]
    return "\n".join(found)


async def library_of(city: TestNode, customer: str) -> str:
    """Return where a customer's row says that it is."""
    pool = await city.database.pool()
    library: str = await pool.fetchval("SELECT library FROM customer WHERE id = $1", UUID(customer))
    return library

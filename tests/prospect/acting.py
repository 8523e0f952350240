"""Making customers who are prospects, and acting on prospects over REST."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.city_node.prospect.finding import Finder, Search
from shared.kernel.database import copy_rows
from tests.city.drafts import Headers, fresh, settle
from tests.conftest import TestNode

MONTHS = [date(2026, month, 1) for month in range(5, 11)]


async def with_bills(
    city: TestNode, headers: Headers, charge: int, running: int = 1, step: int = 0, **given: Any
) -> dict[str, Any]:
    """Make a customer with six bills, each higher than the one before by ``step``."""
    customer = await settle(city, headers, running, **{"level": "standard", **given})
    line = UUID(int=running)
    async with city.database.transaction() as session:
        await copy_rows(
            session,
            "subscription",
            ("id", "customer_id", "msisdn", "entry_date"),
            [(line, UUID(customer["id"]), f"1380000{running:04}", date(2020, 1, 1))],
        )
        await copy_rows(
            session,
            "bill",
            ("subscription_id", "customer_id", "period", "charge_fen"),
            [
                (line, UUID(customer["id"]), month, charge + step * place)
                for place, month in enumerate(MONTHS)
            ],
        )
    return customer


async def found(city: TestNode, headers: Headers, customer: dict[str, Any]) -> dict[str, Any]:
    """Look at a customer at once, and return the open prospect."""
    answer = await city.client.post(f"/customers/{customer['id']}/prospect/find", headers=headers)
    assert answer.status_code == 200, answer.text
    prospect: dict[str, Any] = answer.json()["prospect"]
    return prospect


async def act(
    city: TestNode, headers: Headers, prospect: dict[str, Any], name: str, **body: Any
) -> Any:
    """Do something to a prospect, at the version that is shown, and return the answer."""
    return await city.client.post(
        f"/prospects/{prospect['id']}/{name}", json=body, headers=fresh(headers, prospect)
    )


async def done(
    city: TestNode, headers: Headers, prospect: dict[str, Any], name: str, **body: Any
) -> dict[str, Any]:
    """Do something to a prospect that can be done, and return it as it is then."""
    answer = await act(city, headers, prospect, name, **body)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == f'"{shown["version"]}"'
    return shown


async def set_level(city: TestNode, customer: dict[str, Any], level: str) -> None:
    """Let a customer hold a level, as a review does."""
    async with city.database.transaction() as session:
        values = {"level": level, "id": UUID(customer["id"])}
        await session.execute(text("UPDATE customer SET level = :level WHERE id = :id"), values)


async def search(city: TestNode) -> Search:
    """Search the whole city."""
    return await Finder(city.context, city.clock.now(), "test").search_city()

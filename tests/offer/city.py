"""A city with offers: customers made in SQL, at once, and offers over HTTP."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import text

from services.city_node import offer, query
from services.city_node.offer.counter import Counter
from shared import audit
from shared.capability import Capability
from shared.kernel.database import Database
from shared.kernel.ids import new_id
from tests.city.drafts import CAPABILITIES, CITY, Headers
from tests.conftest import TestNode

WITH_OFFERS: tuple[Capability, ...] = (*CAPABILITIES, query.capability, offer.capability)
PATH = f"000000/440000/{CITY}/"
Done = TypeVar("Done")


async def run(database: Database, statement: str, **values: Any) -> list[Any]:
    """Run a statement in a transaction of its own, and return what it gives."""
    async with database.transaction() as session:
        done: Any = await session.execute(text(statement), values)
        return list(done.all()) if done.returns_rows else []


async def add_customer(
    database: Database,
    now: datetime,
    *,
    level: str = "gold",
    unit: str = CITY,
    kind: str = "individual",
    charge: int = 0,
    left: bool = False,
) -> UUID:
    """Add a customer."""
    made = new_id()
    await run(
        database,
        """
        INSERT INTO customer (id, customer_number, kind, name, name_sort, level, unit_code, entry_date, library,
                              monthly_charge_fen, left_on, created_at, created_by, updated_at, updated_by)
        VALUES (:id, :number, :kind, '某', 'mou', :level, :unit, '2024-05-01', :library, :charge,
                CASE WHEN CAST(:gone AS boolean) THEN DATE '2026-11-01' END, :now, 'test', :now, 'test')""",
        id=made,
        number=f"{CITY}{made.hex[-8:]}",
        kind=kind,
        level=level,
        unit=unit,
        library="retained" if left else "in_network",
        gone=left,
        charge=charge,
        now=now,
    )
    return made


def draft(code: str = "lounge", **given: Any) -> dict[str, Any]:
    """Return the body of an offer, for the whole city unless something else is given."""
    return {
        "code": code,
        "name_zh": "机场贵宾厅",
        "name_en": "Airport lounge",
        "benefit_zh": "免费使用一次",
        "benefit_en": "One visit",
        "value_fen": 20_000,
        "cost_fen": 8_000,
        "valid_from": "2026-01-01",
        **given,
    }


async def add_offer(
    city: TestNode, headers: Headers, code: str = "lounge", **given: Any
) -> dict[str, Any]:
    """Add an offer."""
    answer = await city.client.post("/offers", json=draft(code, **given), headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def set_quota(
    city: TestNode,
    headers: Headers,
    unit: str = CITY,
    code: str = "lounge",
    version: int = 0,
    **given: Any,
) -> Any:
    """Set a unit's quota of the year of the tests."""
    return await city.client.put(
        f"/offers/{code}/quotas/2026/{unit}",
        json=given,
        headers={**headers, "If-Match": f'"{version}"'},
    )


async def send(city: TestNode, headers: Headers, path: str, body: Any = None, **more: str) -> Any:
    """POST once, with a fresh key."""
    return await city.client.post(
        path, json=body, headers={**headers, "Idempotency-Key": str(uuid4()), **more}
    )


async def grant(
    city: TestNode, headers: Headers, customer: UUID, offer: str = "lounge", **given: Any
) -> Any:
    """Grant an offer."""
    body = {"offer": offer, **given}
    return await send(city, headers, f"/customers/{customer}/offer-grants", body)


async def act(city: TestNode, headers: Headers, granted: Any, verb: str, body: Any = None) -> Any:
    """Approve, refuse or cancel a grant as it was answered last."""
    path = f"/offer-grants/{granted.json()['id']}/{verb}"
    tag = {"If-Match": granted.headers["etag"]}
    return await city.client.post(path, json=body, headers={**headers, **tag})


async def use(city: TestNode, headers: Headers, granted: Any) -> Any:
    """Use a grant."""
    return await send(city, headers, f"/offer-grants/{granted.json()['id']}/uses", {})


async def reverse(city: TestNode, headers: Headers, used: Any) -> Any:
    """Give a use back."""
    path = f"/offer-uses/{used.json()['id']}/reverse"
    return await send(city, headers, path, {"reason": "mistake"})


def problem_of(answer: Any) -> str:
    """Return the last part of a refusal's type."""
    return str(answer.json()["type"]).rpartition(":")[2]


async def reasons_of(city: TestNode, headers: Headers, customer: UUID, code: str) -> list[str]:
    """Return the rules by which a customer may not have an offer."""
    answer = await city.client.get(f"/customers/{customer}/offers", headers=headers)
    assert answer.status_code == 200, answer.text
    (found,) = [each for each in answer.json()["items"] if each["offer"] == code]
    assert found["may"] is (found["reasons"] == [])
    return [each["rule"] for each in found["reasons"]]


async def at_counter(
    city: TestNode,
    now: datetime,
    do: Callable[[Counter], Awaitable[Done]],
    *,
    by: str = "test",
) -> Done:
    """Do something in a transaction, as somebody of the whole city."""
    actor = audit.Actor(by, user_id=UUID(int=abs(hash(by)) % 2**64), unit_code=CITY, unit_path=PATH)
    async with city.context.database.transaction() as session:
        return await do(Counter(session, actor, PATH, now, city.context.cipher, CITY))


async def require_right(database: Database) -> None:
    """Require that counts, reservations and rows agree, and that no limit is passed."""
    wrong = await run(
        database,
        """
        SELECT 'used', g.id::text FROM offer_grant g
        WHERE g.used <> (SELECT coalesce(sum(s.uses), 0) FROM offer_use s WHERE s.grant_id = g.id)
        UNION ALL
        SELECT 'cost', s.id::text FROM offer_use s JOIN offer_grant g ON g.id = s.grant_id
        WHERE s.cost_fen <> s.uses * g.cost_fen OR s.unit_code <> g.unit_code OR s.offer_code <> g.offer_code
        UNION ALL
        SELECT 'reserved', q.offer_code FROM offer_quota q LEFT JOIN LATERAL (
            SELECT sum(n) AS uses, sum(n * cost_fen) AS fen FROM (
                SELECT CASE WHEN g.state IN ('proposed', 'granted', 'used_in_part', 'used_up') THEN g.uses ELSE g.used END AS n,
                       g.cost_fen
                FROM offer_grant g WHERE (g.offer_code, g.quota_year, g.quota_unit) = (q.offer_code, q.year, q.unit_code)) x
        ) held ON true
        WHERE q.reserved <> coalesce(held.uses, 0) OR q.reserved_fen <> coalesce(held.fen, 0)
        UNION ALL
        SELECT 'limit', q.offer_code FROM offer_quota q WHERE q.reserved > q.uses OR q.reserved_fen > q.budget_fen""",
    )
    assert wrong == []

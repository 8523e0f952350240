"""A city whose customers have points: made in SQL, at once, with bills as billing would bring them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text

from services.city_node import points, redemption, reward
from services.city_node.points.accrual import Accrued, accrue
from services.city_node.points.verification import verify
from shared import work
from shared.capability import Capability
from shared.kernel.database import Database
from shared.kernel.ids import new_id
from tests.city.drafts import CAPABILITIES, CITY, Headers
from tests.conftest import TestNode

WITH_POINTS: tuple[Capability, ...] = (
    *CAPABILITIES,
    work.capability,
    points.capability,
    reward.capability,
    redemption.capability,
)
ENTRY = date(2024, 5, 1)


@dataclass
class Somebody:
    """A customer with one line."""

    id: UUID = field(default_factory=new_id)
    line: UUID = field(default_factory=new_id)


async def run(database: Database, statement: str, **values: Any) -> list[Any]:
    """Run a statement in a transaction of its own, and return what it gives."""
    async with database.transaction() as session:
        done: Any = await session.execute(text(statement), values)
        return list(done.all()) if done.returns_rows else []


async def add_customer(
    database: Database,
    now: datetime,
    *,
    level: str = "standard",
    kind: str = "individual",
    entry: date = ENTRY,
    born: date | None = None,
    unit: str = CITY,
    brand: str | None = "全球通",
) -> Somebody:
    """Add a customer."""
    made = Somebody()
    await run(
        database,
        """
        INSERT INTO customer (id, customer_number, kind, name, name_sort, birth_date, level, unit_code, entry_date,
                              created_at, created_by, updated_at, updated_by)
        VALUES (:id, :number, :kind, '某', 'mou', :born, :level, :unit, :entry, :now, 'test', :now, 'test')""",
        id=made.id,
        number=f"{CITY}{made.id.hex[-8:]}",
        kind=kind,
        born=born,
        level=level,
        unit=unit,
        entry=entry,
        now=now,
    )
    await run(
        database,
        "INSERT INTO subscription (id, customer_id, msisdn, brand, entry_date) VALUES (:id, :of, :msisdn, :brand, :entry)",
        id=made.line,
        of=made.id,
        msisdn=f"1{made.line.int % 10**10:010d}",
        brand=brand,
        entry=entry,
    )
    return made


async def add_bill(
    database: Database,
    of: Somebody,
    fen: int,
    period: date = date(2026, 10, 1),
    paid: date | None = None,
) -> int:
    """Add a bill of the customer's line, and return its id."""
    rows = await run(
        database,
        "INSERT INTO bill (subscription_id, customer_id, period, charge_fen, paid_on) VALUES (:line, :of, :period, :fen, :paid) RETURNING id",
        line=of.line,
        of=of.id,
        period=period,
        fen=fen,
        paid=paid,
    )
    found: int = rows[0][0]
    return found


async def judge(city: TestNode, **given: Any) -> Accrued:
    """Let bills earn their points."""
    return await accrue(city.context.database, node=CITY, now=city.clock.now(), **given)


async def balance_of(city: TestNode, of: Somebody) -> int:
    """Return what the customer's accounts hold."""
    rows = await run(
        city.database,
        "SELECT coalesce(sum(balance), 0) FROM points_balance b JOIN points_account a ON a.id = b.account_id WHERE a.customer_id = :id",
        id=of.id,
    )
    return int(rows[0][0])


async def lots_of(city: TestNode, of: Somebody) -> dict[str, int]:
    """Return what the customer's lots hold, by the day on which they expire."""
    rows = await run(
        city.database,
        "SELECT expires_on::text, sum(remaining) FROM points_lot l JOIN points_account a ON a.id = l.account_id"
        " WHERE a.customer_id = :id AND remaining > 0 GROUP BY 1 ORDER BY 1",
        id=of.id,
    )
    return {day: int(points) for day, points in rows}


async def require_right(database: Database) -> None:
    """Require that everything holds that the ledger promises."""
    found = {each.check.code: list(each.examples) for each in await verify(database) if each.breaches}  # fmt: skip
    assert found == {}


async def send(city: TestNode, headers: Headers, path: str, body: Any = None, **more: str) -> Any:
    """POST once, with a fresh key."""
    return await city.client.post(
        path, json=body, headers={**headers, "Idempotency-Key": str(uuid4()), **more}
    )


async def add_reward(
    city: TestNode, headers: Headers, code: str = "umbrella", **given: Any
) -> dict[str, Any]:
    """Add a reward, of 100 points and ten in stock unless something else is given."""
    body = {
        "code": code,
        "name_zh": "晴雨伞",
        "name_en": "Umbrella",
        "points": 100,
        "stock": 10,
        "valid_from": "2026-01-01",
        **given,
    }
    answer = await city.client.post("/rewards", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = orjson.loads(answer.content)
    return made

"""Sketches of real cities, counted from their live tables: at HQ they are what the raw tables give together."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.city_node.rollup.service import Counted, roll_up, roll_up_due
from shared.capability import Role
from shared.kernel.database import Database
from shared.statistics.sketches import DISTINCT_ERROR, RANK_ERROR
from tests.city.test_rollup_nation import CITIES, NOVEMBER, inhabit
from tests.conftest import Nation, TestNode
from tests.sketched import rank_missed
from tests.statistics.registered_cities import Headers, ask, table

SignIn = Callable[..., Awaitable[Headers]]
USE = """INSERT INTO usage_month (subscription_id, customer_id, quantity, charge_fen, period, kind, band)
    SELECT s.id, s.customer_id, 60, 1, m.day::date, k.kind, 'all' FROM subscription s,
    (VALUES (DATE '2026-10-01'), (DATE '2026-11-01')) m (day), (VALUES ('voice_local'), ('data')) k (kind)
    WHERE abs(hashtext(s.id::text || m.day || k.kind)) % 3 = 0"""
"""A third of the lines in a month, and in another month others."""


async def live(nation: Nation) -> None:
    """Let customers live in every city, and use their lines."""
    for code in CITIES:
        await inhabit(nation[code], 260)
        async with nation[code].database.transaction() as session:
            await session.execute(text(USE))


async def count(node: TestNode) -> list[Counted]:
    return await roll_up(
        *(node.database, node.context.post, [NOVEMBER.previous, NOVEMBER]),
        datasets=("people", "activity"),
        now=node.clock.now(),
        reason="told late",
    )


async def everybody(nation: Nation, statement: str, *codes: str) -> list[Any]:
    """What the raw tables of cities give."""
    found: list[Any] = []
    for code in codes or CITIES:
        database: Database = nation[code].database
        found += [row[0] for row in await (await database.pool()).fetch(statement)]
    return found


ACTIVE = "SELECT customer_id FROM usage_month WHERE quantity > 0 AND period >= '2026-10-01'"
PAID = "SELECT monthly_charge_fen FROM customer WHERE entry_date < '2026-12-01' AND coalesce(left_on >= '2026-12-01', true)"


async def test_what_hq_tells_is_what_the_raw_tables_give(nation: Nation, sign_in: SignIn) -> None:
    await live(nation)
    for code in CITIES:
        assert all(each.changed for each in await count(nation[code]))
        assert not any(each.changed for each in await count(nation[code]))
    await nation.settle()
    measures = "active_customers,data_users,median_monthly_charge_fen,p90_monthly_charge_fen"

    async def told(**words: Any) -> dict[str, Any]:
        analyst = await sign_in(nation["000000"], Role.HQ_ANALYST)
        question = {"indicator": measures, "from": "2026-10", "to": "2026-11", **words}
        return await ask(nation["000000"], analyst, **question)

    async def reconcile() -> None:
        whole = await told(by="region", region_level="nation")
        by_city = await told(by="region", region_level="city")
        for found, codes in [
            (table(whole, "active_customers", "region")["000000"], CITIES),
            *((table(by_city, "active_customers", "region")[code], (code,)) for code in CITIES),
        ]:
            exact = set[UUID](await everybody(nation, ACTIVE, *codes))
            assert abs(found - len(exact)) <= DISTINCT_ERROR * len(exact)
        ordered = sorted(await everybody(nation, PAID))
        for code, percent in (("median_monthly_charge_fen", 50), ("p90_monthly_charge_fen", 90)):
            value = table(whole, code, "region")["000000"]
            assert rank_missed(ordered, value, percent) <= RANK_ERROR

    await reconcile()
    await nation["000000"].run_job("statistics-aggregation")
    await reconcile()
    before = await told(by="period")

    late = nation["440300"]
    async with late.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO usage_month (subscription_id, customer_id, quantity, charge_fen, period, kind, band) "
                "SELECT id, customer_id, 9, 1, DATE '2026-10-01', 'sms', 'all' FROM subscription"
            )
        )
    nation.clock.advance(timedelta(days=1))
    due = await roll_up_due(late.database, late.context.post, now=late.clock.now())
    assert {(x.period, x.revision) for x in due if x.dataset == "activity" and x.changed} == {
        ("2026-10", 2)
    }
    assert not any(x.changed for x in due if x.dataset == "people" and x.period == "2026-10")
    await nation.settle()
    await reconcile()
    after = await told(by="period")
    months = [table(each, "active_customers", "period") for each in (before, after)]
    assert months[0]["2026-10"] < months[1]["2026-10"]
    assert months[0]["2026-11"] == months[1]["2026-11"]

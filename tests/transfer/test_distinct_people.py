"""Who moved from one city to another is in the sketches of both, and one person in the nation."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from services.city_node.rollup.service import roll_up
from shared.capability import Role
from shared.statistics.period import Period
from tests.conftest import Nation
from tests.statistics.registered_cities import Headers, ask, table
from tests.transfer.nation import HQ, NEW, OLD, Place
from tests.transfer.people import id_card, msisdn, settle

SignIn = Callable[..., Awaitable[Headers]]
MONTHS = {"from": "2026-10", "to": "2026-11"}
ASKED = {
    "msisdn": msisdn(70),
    "home": OLD,
    "document_type": "id_card",
    "document_number": id_card(7),
    "consent": "转网登记表 2026-0007",
}


@pytest.fixture
async def nation(joined: Callable[..., Awaitable[Nation]]) -> Nation:
    """HQ, two provinces and a city of each."""
    return await joined((HQ, "440000", "110000", NEW, OLD))


async def use(nation: Nation, city: str, customer: UUID, month: str) -> None:
    """Let a customer's line be used."""
    pool = await nation[city].database.pool()
    await pool.execute(
        "INSERT INTO usage_month (subscription_id, customer_id, quantity, charge_fen, period, kind, band) "
        "SELECT id, customer_id, 60, 10, ($2 || '-01')::date, 'data', 'day' FROM subscription WHERE customer_id = $1",
        customer,
        month,
    )


async def count(nation: Nation) -> None:
    for city in (OLD, NEW):
        node = nation[city]
        await roll_up(
            *(node.database, node.context.post, [Period.parse(each) for each in MONTHS.values()]),
            datasets=("people", "activity"),
            now=node.clock.now(),
        )
    await nation.settle()


async def test_who_moved_is_counted_once_over_cities_and_months(
    nation: Nation, sign_in: SignIn
) -> None:
    mover, stays = [
        await settle(Place(nation[OLD].context, nation[OLD].clock, hall=OLD), running=running)
        for running in (7, 8)
    ]
    for customer in (mover, stays):
        await use(nation, OLD, customer, "2026-10")
    await count(nation)
    clerk = await sign_in(nation[NEW], Role.SUPERVISOR)
    moved = await nation[NEW].client.post(
        "/transfers", json=ASKED, headers={**clerk, "Idempotency-Key": "once"}
    )
    assert moved.status_code == 201, moved.text
    await nation.settle()
    await use(nation, NEW, mover, "2026-11")
    await use(nation, OLD, stays, "2026-11")
    await count(nation)

    analyst = await sign_in(nation[HQ], Role.HQ_ANALYST)
    measures = "active_customers,distinct_customers"

    async def told(indicator: str, *by: str, **words: str) -> dict[object, int]:
        question = {"indicator": measures, "by": ",".join(by), **MONTHS, **words}
        return table(await ask(nation[HQ], analyst, **question), indicator, *by)

    assert await told("active_customers", "region", region_level="city") == {OLD: 2, NEW: 1}
    assert await told("active_customers", "region", region_level="nation") == {HQ: 2}
    assert await told("distinct_customers", "region", region_level="city") == {OLD: 2, NEW: 1}
    assert await told("distinct_customers", "period") == {"2026-10": 2, "2026-11": 2}

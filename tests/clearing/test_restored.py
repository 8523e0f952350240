"""Any node of the way is restored from an old backup: no money is lost, none credited twice, the books mirror again."""

from typing import Any

import pytest
from sqlalchemy import text

from shared.capability import Role
from tests.clearing.trade import BEIJING, BEIJING_PROVINCE, GUANGDONG, HQ, SHENZHEN, Trade
from tests.conftest import TestNode

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'backup%' AND tablename <> 'alembic_version'"


async def back_up(node: TestNode) -> list[str]:
    """Remember everything that the node's database holds."""
    async with node.database.transaction() as session:
        tables = list(await session.scalars(text(_TABLES)))
        for table in tables:
            await session.execute(text(f"CREATE TABLE backup_{table} AS TABLE {table}"))
    return tables


async def restore(node: TestNode, tables: list[str]) -> None:
    """Put back what :func:`back_up` remembered."""
    async with node.database.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for table in tables:
            await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
            await session.execute(
                text(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM backup_{table}")  # noqa: S608 - as above
            )


async def reconcile(trade: Trade) -> None:
    """Let every child reconcile with its parent, the lowest last, and everything flow."""
    for code in (GUANGDONG, BEIJING_PROVINCE, SHENZHEN, BEIJING):
        await trade.nation[code].node.dialler.reconcile()
    await trade.nation.settle()


async def facts(trade: Trade) -> dict[str, Any]:
    """Return what a checker reads of every node."""
    found: dict[str, Any] = {code: await trade.accounts(code) for code in trade.nation.nodes}
    page = await trade.get(SHENZHEN, "/payments?sort=created_at&fields=id,state,amount_fen,receipt_number")  # fmt: skip
    found["payments"] = {each["id"]: each for each in page["items"]}
    found["totals"] = await trade.get(SHENZHEN, "/payments/totals")
    pool = await trade.nation[BEIJING].database.pool()
    found["balance"] = await pool.fetchval("SELECT sum(balance_fen) FROM billing_account")
    return found


@pytest.mark.parametrize(
    "restored",
    [
        HQ,
        BEIJING,
        *(pytest.param(each, marks=pytest.mark.thorough) for each in (SHENZHEN, GUANGDONG)),
    ],
)
async def test_nothing_is_lost_or_doubled(trade: Trade, restored: str) -> None:
    for code in trade.nation.nodes:
        await trade.headers(code)
    await trade.take(SHENZHEN, BEIJING, 1)
    await trade.nation.settle()
    node = trade.nation[restored]
    kept = await back_up(node)
    for fen in (20, 300):
        await trade.take(SHENZHEN, BEIJING, fen)
    body = {"msisdn": "13700000000", "home": BEIJING, "amount_fen": 4_000}
    refused = (await trade.post(SHENZHEN, "/payments", body, role=Role.CLERK)).json()["id"]
    mistake = await trade.take(SHENZHEN, BEIJING, 50_000)
    await trade.nation.settle()
    await trade.post(SHENZHEN, f"/payments/{refused}/give-back", role=Role.CLERK)
    await trade.reverse(SHENZHEN, mistake)
    await trade.nation.settle()
    before = await facts(trade)
    assert before["balance"] == 321
    assert before["totals"]["cash_fen"] == 50_321

    await restore(node, kept)
    assert await facts(trade) != before
    await reconcile(trade)
    assert await facts(trade) == before
    await trade.mirrored()


async def test_a_payment_whose_line_is_lost_is_allocated_to_another(trade: Trade) -> None:
    for code in trade.nation.nodes:
        await trade.headers(code)
    node = trade.nation[BEIJING]
    kept = await back_up(node)
    payment = await trade.take(SHENZHEN, BEIJING, 700)
    await trade.nation.settle()
    await restore(node, kept)
    pool = await node.database.pool()
    await pool.execute("UPDATE subscription SET msisdn = '13711111111'")
    await reconcile(trade)
    (lost,) = (await trade.get(BEIJING, "/payments?allocated=false"))["items"]
    assert (lost["id"], lost["state"], lost["allocated"]) == (payment, "credited", False)

    path = f"/payment-credits/{payment}/allocate"
    nobody = await trade.post(BEIJING, path, {"subscription_id": payment})
    assert nobody.json()["type"].endswith("line-unknown"), nobody.text
    line = str(await pool.fetchval("SELECT id FROM subscription"))
    found = await trade.post(BEIJING, path, {"subscription_id": line})
    assert (found.status_code, found.json()["allocated"]) == (200, True), found.text
    assert found.json()["trail"][-1]["event"] == "allocated"
    again = await trade.post(BEIJING, path, {"subscription_id": line})
    assert again.json()["type"].endswith("payment-has-line")
    at_home = await trade.get(BEIJING, "/billing-accounts/totals")
    assert at_home["credited_fen"] == 700 == -(await trade.accounts(BEIJING))["customers"]

"""What else is cleared: what home bears of a repair, and money that followed a customer who moved."""

from typing import Any

from services.city_node.service_request import finding
from shared.capability import Role
from tests.city.two_cities import DOCUMENT
from tests.clearing.trade import (
    BEIJING,
    BEIJING_PROVINCE,
    GUANGDONG,
    GUANGZHOU,
    HQ,
    LINES,
    SHENZHEN,
    Trade,
)

TODAY = "2026-11-23"
IMEI = "490154203237518"
COST = {"parts": [{"code": "LCD", "name": "屏幕", "unit_fen": 60_000}], "labour_fen": 5_000}


async def repair(trade: Trade, visited: str, home: str) -> dict[str, Any]:
    """Repair a handset in warranty for another city's customer, all of it at that city's cost."""
    pool = await trade.nation[home].database.pool()
    await pool.execute("UPDATE subscription SET imei = $1", IMEI)
    body = {
        "msisdn": LINES[home],
        "home": home,
        "document_type": "id_card",
        "document_number": DOCUMENT,
        "make": "Huawei",
        "model": "Mate 60",
        "imei": IMEI,
        "fault": "屏幕碎裂",
        "purchased_on": "2026-10-01",
    }
    asked = await trade.post(visited, "/repairs", body, role=Role.CLERK)
    assert asked.status_code == 201, asked.text
    path = f"/repairs/{asked.json()['id']}"
    await trade.nation.settle()
    for step, given in (
        ("estimates", COST),
        ("agree", {"estimate": 1}),
        ("repaired", {"result": "fixed"}),
        ("return", {}),
    ):
        done = await trade.post(visited, f"{path}/{step}", given, role=Role.CLERK)
        assert done.status_code == 200, (step, done.text)
    await trade.nation.settle()
    found: dict[str, Any] = await trade.get(visited, path)
    assert found["state"] == "completed"
    return found


async def test_what_home_bears_of_a_repair_is_cleared_by_everybody_on_the_way(trade: Trade) -> None:
    done = await repair(trade, SHENZHEN, BEIJING)
    fen = done["outcome"]["home_fen"]
    assert fen == 65_000
    assert await trade.accounts(BEIJING) == {"repairs": fen, BEIJING_PROVINCE: -fen}
    assert await trade.accounts(BEIJING_PROVINCE) == {BEIJING: fen, HQ: -fen}
    assert await trade.accounts(HQ) == {BEIJING_PROVINCE: fen, GUANGDONG: -fen}
    assert await trade.accounts(GUANGDONG) == {HQ: fen, SHENZHEN: -fen}
    assert await trade.accounts(SHENZHEN) == {GUANGDONG: fen, "repairs": -fen}
    await trade.mirrored()
    city = await trade.get(BEIJING, "/clearing/netting")
    assert city["transfers"] == [{"payer": BEIJING, "payee": BEIJING_PROVINCE, "amount_fen": fen}]
    page = await trade.get(HQ, "/clearing/entries?kind=repair")
    assert [each["request_id"] for each in page["items"]] == [done["id"]]

    await trade.take(SHENZHEN, BEIJING, 5_000)
    await trade.nation.settle()
    assert (await trade.accounts(HQ))[GUANGDONG] == 5_000 - fen, "payments and repairs are netted"
    totals = await trade.get(SHENZHEN, "/payments/totals")
    assert totals["cash_fen"] == (await trade.accounts(SHENZHEN))["cash"] == 5_000

    await trade.next_day()
    for code in trade.nation.nodes:
        for neighbour, said in (await trade.statements(code, TODAY)).items():
            assert said["state"] == "agreed", (code, neighbour, said)
    assert (await trade.statements(HQ, TODAY))[GUANGDONG]["net_fen"] == 5_000 - fen


async def test_within_a_province_a_repair_is_no_matter_of_headquarters(trade: Trade) -> None:
    await repair(trade, SHENZHEN, GUANGZHOU)
    assert await trade.accounts(GUANGDONG) == {GUANGZHOU: 65_000, SHENZHEN: -65_000}
    assert await trade.accounts(HQ) == {}
    await trade.mirrored()


async def test_money_that_followed_a_customer_is_cleared_with_the_city_that_credited_it(
    trade: Trade,
) -> None:
    number, beijing = LINES[GUANGZHOU], trade.nation[BEIJING].context
    async with beijing.database.transaction() as session:
        now = beijing.clock.now()
        await finding.note_moved(session, beijing.cipher, number, GUANGZHOU, epoch=2, now=now)
    body = {"msisdn": number, "home": BEIJING, "amount_fen": 700}
    taken = await trade.post(SHENZHEN, "/payments", body, role=Role.CLERK)
    await trade.nation.settle()
    paid = await trade.get(SHENZHEN, f"/payments/{taken.json()['id']}")
    assert (paid["state"], paid["home"]) == ("credited", GUANGZHOU)
    assert await trade.accounts(GUANGZHOU) == {"customers": -700, GUANGDONG: 700}
    assert await trade.accounts(GUANGDONG) == {GUANGZHOU: -700, SHENZHEN: 700}
    assert await trade.accounts(SHENZHEN) == {GUANGDONG: -700, "cash": 700}
    for code in (BEIJING, BEIJING_PROVINCE, HQ):
        assert await trade.accounts(code) == {}
    await trade.mirrored()
    reversal = await trade.reverse(SHENZHEN, paid["id"])
    await trade.nation.settle()
    assert (await trade.get(SHENZHEN, f"/payment-reversals/{reversal}"))["state"] == "to_give_back"
    assert set((await trade.accounts(GUANGDONG)).values()) == {0}

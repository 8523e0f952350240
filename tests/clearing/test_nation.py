"""Payments through real nodes of three tiers: who owes whom, statements, differences, disputes, months."""

from datetime import timedelta
from typing import Any

from shared.capability import Role
from shared.clearing.wire import STATEMENT
from shared.federation.models import Lane
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


async def test_everybody_on_the_way_books_between_its_neighbours(trade: Trade) -> None:
    await trade.take(SHENZHEN, BEIJING, 10_000)
    assert await trade.accounts(SHENZHEN) == {}
    await trade.nation.settle()
    assert await trade.accounts(BEIJING) == {"customers": -10_000, BEIJING_PROVINCE: 10_000}
    assert await trade.accounts(BEIJING_PROVINCE) == {BEIJING: -10_000, HQ: 10_000}
    assert await trade.accounts(HQ) == {BEIJING_PROVINCE: -10_000, GUANGDONG: 10_000}
    assert await trade.accounts(GUANGDONG) == {HQ: -10_000, SHENZHEN: 10_000}
    assert await trade.accounts(SHENZHEN) == {GUANGDONG: -10_000, "cash": 10_000}
    netted = await trade.get(HQ, "/clearing/netting")
    assert netted["transfers"] == [
        {"payer": GUANGDONG, "payee": BEIJING_PROVINCE, "amount_fen": 10_000}
    ]
    city = await trade.get(SHENZHEN, "/clearing/netting")
    assert city["transfers"] == [{"payer": SHENZHEN, "payee": GUANGDONG, "amount_fen": 10_000}]


async def test_within_a_province_headquarters_sees_nothing(trade: Trade) -> None:
    await trade.take(SHENZHEN, GUANGZHOU, 500)
    await trade.nation.settle()
    assert await trade.accounts(GUANGDONG) == {GUANGZHOU: -500, SHENZHEN: 500}
    assert await trade.accounts(HQ) == {}
    await trade.mirrored()


async def test_a_day_of_payments_nets_to_zero_and_is_agreed(trade: Trade) -> None:
    for visited, home, fen in (
        *((SHENZHEN, BEIJING, 10_000), (SHENZHEN, GUANGZHOU, 500), (BEIJING, SHENZHEN, 3_000)),
        *((BEIJING, GUANGZHOU, 200), (GUANGZHOU, BEIJING, 70)),
    ):
        await trade.take(visited, home, fen)
    refused = await trade.post(
        SHENZHEN,
        "/payments",
        {"msisdn": "13700000000", "home": BEIJING, "amount_fen": 9},
        role=Role.CLERK,
    )
    await trade.nation.settle()
    back = await trade.take(GUANGZHOU, SHENZHEN, 44)
    await trade.nation.settle()
    reversal = await trade.reverse(GUANGZHOU, back)
    await trade.nation.settle()
    await trade.mirrored()
    assert await trade.accounts(HQ) == {BEIJING_PROVINCE: -6_870, GUANGDONG: 6_870}

    totals = await trade.get(SHENZHEN, "/payments/totals")
    assert totals["cash_fen"] == 10_509
    assert (totals["credited_fen"], totals["to_give_back_fen"]) == (10_500, 9)
    path = f"/payments/{refused.json()['id']}/give-back"
    assert (await trade.post(SHENZHEN, path, role=Role.CLERK)).json()["state"] == "given_back"
    path = f"/payment-reversals/{reversal}/give-back"
    assert (await trade.post(GUANGZHOU, path, role=Role.CLERK)).json()["state"] == "given_back"
    for city in (SHENZHEN, GUANGZHOU, BEIJING):
        totals = await trade.get(city, "/payments/totals")
        assert totals["cash_fen"] == totals["credited_fen"]
        assert totals["cash_fen"] == (await trade.accounts(city))["cash"]
        at_home = await trade.get(city, "/billing-accounts/totals")
        kept = at_home["credited_fen"] - at_home["reversed_fen"]
        assert kept == at_home["applied_fen"] + at_home["balance_fen"]
        assert kept == -(await trade.accounts(city))["customers"]

    await trade.next_day()
    for code in trade.nation.nodes:
        for neighbour, said in (await trade.statements(code, TODAY)).items():
            assert said["state"] == "agreed", (code, neighbour, said)
            assert (said["items"], said["net_fen"]) == (said["their_items"], said["their_net_fen"])
        assert await trade.differences(code) == []
    assert (await trade.statements(HQ, TODAY))[GUANGDONG]["net_fen"] == 6_870
    assert set(await trade.statements(GUANGDONG, TODAY)) == {GUANGZHOU, SHENZHEN, HQ}


async def test_the_same_key_pays_once_and_two_keys_pay_twice(trade: Trade) -> None:
    first = await trade.take(SHENZHEN, BEIJING, 100, key="one")
    assert await trade.take(SHENZHEN, BEIJING, 100, key="one") == first
    assert await trade.take(SHENZHEN, BEIJING, 100, key="two") != first
    await trade.nation.settle()
    assert (await trade.accounts(BEIJING))["customers"] == -200
    totals = await trade.get(SHENZHEN, "/payments/totals")
    assert (totals["taken_fen"], totals["credited_fen"]) == (200, 200)
    page = await trade.get(BEIJING, "/payments?role=home&state=credited")
    assert sum(item["amount_fen"] for item in page["items"]) == 200


async def test_an_item_that_one_end_lacks_is_named_at_both_until_it_comes(trade: Trade) -> None:
    await trade.take(SHENZHEN, BEIJING, 10_000)
    await trade.nation.settle()
    late = await trade.take_and_park(SHENZHEN, BEIJING, 700)
    await trade.next_day()

    (at_province,) = await trade.differences(GUANGDONG)
    assert (at_province["neighbour"], at_province["request_id"]) == (SHENZHEN, late)
    assert (at_province["our_fen"], at_province["their_fen"]) == (700, None)
    (at_city,) = await trade.differences(SHENZHEN)
    assert (at_city["neighbour"], at_city["request_id"]) == (GUANGDONG, late)
    assert (at_city["our_fen"], at_city["their_fen"]) == (None, -700)
    said = (await trade.statements(GUANGDONG, TODAY))[SHENZHEN]
    assert (said["state"], said["items"], said["their_items"]) == ("differs", 2, 1)
    assert (said["net_fen"], said["their_net_fen"], said["differences"]) == (10_700, 10_000, 1)
    assert (await trade.statements(HQ, TODAY))[GUANGDONG]["state"] == "agreed"

    await trade.retry_parked(SHENZHEN)
    await trade.state()
    await trade.mirrored()
    for code in (GUANGDONG, SHENZHEN):
        assert await trade.differences(code) == []
        (settled,) = await trade.differences(code, settled=True)
        assert settled["request_id"] == late
    assert (await trade.statements(SHENZHEN, TODAY))[GUANGDONG]["revision"] == 2


async def test_an_item_that_a_parent_lacks_is_named_too(trade: Trade) -> None:
    kept = await trade.take(SHENZHEN, BEIJING, 10_000)
    lost = await trade.take(SHENZHEN, BEIJING, 700)
    await trade.nation.settle()
    pool = await trade.nation[HQ].database.pool()
    await pool.execute("DELETE FROM clearing_entry WHERE request_id = $1::uuid", lost)
    await pool.execute("UPDATE clearing_entry SET amount_fen = 1 WHERE request_id = $1::uuid", kept)
    await trade.next_day()
    for code, sign in ((GUANGDONG, -1), (BEIJING_PROVINCE, 1)):
        found = {each["request_id"]: each for each in await trade.differences(code)}
        assert set(found) == {kept, lost}
        assert (found[lost]["our_fen"], found[lost]["their_fen"]) == (sign * 700, None)
        assert (found[kept]["our_fen"], found[kept]["their_fen"]) == (sign * 10_000, sign)
    assert len(await trade.differences(HQ)) == 4


async def test_a_city_that_states_nothing_is_awaited(trade: Trade) -> None:
    await trade.take(SHENZHEN, BEIJING, 10_000)
    await trade.nation.settle()
    trade.nation.network.cut = {GUANGDONG}
    trade.nation.clock.advance(timedelta(days=1))
    trade.staff.clear()
    await trade.nation[GUANGDONG].run_job("clearing-comparison")
    said = (await trade.statements(GUANGDONG, TODAY))[SHENZHEN]
    assert (said["state"], said["revision"], said["their_items"]) == ("awaited", 0, None)
    trade.nation.network.cut = set()
    trade.nation.clock.advance(timedelta(minutes=10))
    await trade.state()
    assert (await trade.statements(GUANGDONG, TODAY))[SHENZHEN]["state"] == "agreed"


async def test_nobody_states_anothers_books(trade: Trade) -> None:
    node = trade.nation[SHENZHEN]
    said = {"day": TODAY, "revision": 1, "items": 0, "net_fen": 0, "portions": {}}
    async with node.database.transaction() as session:
        await node.context.post.post(
            session, STATEMENT, HQ, said, lane=Lane.ROLLUP, partition_key="x", now=node.clock.now()
        )
    await trade.nation.settle()
    pool = await trade.nation[HQ].database.pool()
    reason = await pool.fetchval("SELECT reason FROM federation_inbox WHERE state = 'parked'")
    assert "is no child of this node" in reason


async def test_a_dispute_takes_two(trade: Trade, sign_in: Any) -> None:
    lost = await trade.take_and_park(SHENZHEN, BEIJING, 700)
    await trade.next_day()
    about = {"neighbour": SHENZHEN, "day": TODAY, "request_id": lost, "reason": "Not in the till."}
    wrong = await trade.post(GUANGDONG, "/clearing/disputes", about | {"day": "2026-11-01"})
    assert (wrong.status_code, wrong.json()["type"].rpartition(":")[2]) == (422, "nothing-to-dispute")  # fmt: skip
    opened = await trade.post(GUANGDONG, "/clearing/disputes", about)
    assert opened.status_code == 201, opened.text
    again = await trade.post(GUANGDONG, "/clearing/disputes", about)
    assert again.status_code == 409
    path, version = opened.headers["location"], {"If-Match": opened.headers["etag"]}
    client = trade.nation[GUANGDONG].client
    mine = await trade.headers(GUANGDONG)
    early = await client.post(f"{path}/resolve", headers={**mine, **version})
    assert early.status_code == 409
    how = {"resolution": "The answer was parked; it was retried."}
    proposed = await client.post(f"{path}/propose", json=how, headers={**mine, **version})
    assert proposed.json()["state"] == "proposed", proposed.text
    version = {"If-Match": proposed.headers["etag"]}
    alone = await client.post(f"{path}/resolve", headers={**mine, **version})
    assert alone.status_code == 403
    other = await sign_in(trade.nation[GUANGDONG], Role.PROVINCE_COORDINATOR)
    resolved = await client.post(f"{path}/resolve", headers={**other, **version})
    assert resolved.json()["state"] == "resolved", resolved.text
    listed = await trade.get(GUANGDONG, "/clearing/disputes?state=resolved")
    assert [each["id"] for each in listed["items"]] == [opened.json()["id"]]
    assert (await trade.post(GUANGDONG, "/clearing/disputes", about)).status_code == 201


async def test_a_closed_month_does_not_change_any_more(trade: Trade, sign_in: Any) -> None:
    await trade.take(SHENZHEN, BEIJING, 700)
    await trade.nation.settle()
    late = await trade.take_and_park(SHENZHEN, BEIJING, 50)
    await trade.next_day()
    early = await trade.post(SHENZHEN, "/clearing/months/2026-11/propose", {})
    assert early.json()["type"].endswith("month-not-over"), early.text
    trade.nation.clock.advance(timedelta(days=10))
    trade.staff.clear()
    await trade.state()
    blocked = await trade.post(GUANGDONG, "/clearing/months/2026-11/propose", {})
    assert blocked.json()["type"].endswith("month-unsettled"), blocked.text
    nothing = await trade.post(GUANGDONG, "/clearing/months/2026-11/close")
    assert nothing.json()["type"].endswith("closing-not-proposed"), nothing.text
    forced = {"reason": "One answer is parked at Shenzhen."}
    for code in (GUANGDONG, SHENZHEN):
        proposed = await trade.post(code, "/clearing/months/2026-11/propose", forced)
        assert proposed.status_code == 200, (code, proposed.text)
        alone = await trade.post(code, "/clearing/months/2026-11/close")
        assert alone.status_code == 403
        role = Role.SUPERVISOR if code == SHENZHEN else Role.PROVINCE_COORDINATOR
        other = await sign_in(trade.nation[code], role)
        closed = await trade.post(code, "/clearing/months/2026-11/close", headers=other)
        assert closed.status_code == 200, closed.text
        assert closed.json()["closed_by"] != closed.json()["proposed_by"]
    (november,) = (await trade.get(SHENZHEN, "/clearing/months"))["items"]
    assert {each["account"]: each["net_fen"] for each in november["positions"]} == {
        "cash": 700,
        GUANGDONG: -700,
    }
    await trade.retry_parked(SHENZHEN)
    await trade.state()
    (entry,) = (await trade.get(SHENZHEN, "/clearing/entries?late=true"))["items"]
    assert entry["request_id"] == late
    assert (entry["business_day"], entry["booked_on"]) == ("2026-11-23", "2026-12-01")
    in_november = await trade.get(SHENZHEN, "/clearing/positions?day_before=2026-12-01")
    assert {each["net_fen"] for each in in_november["accounts"]} == {700, -700}
    await trade.mirrored()
    assert (await trade.statements(GUANGDONG, TODAY))[SHENZHEN]["state"] == "agreed"


async def test_a_receipt_says_what_it_is_worth(trade: Trade) -> None:
    payment = await trade.take(SHENZHEN, BEIJING, 10_000)
    number = (await trade.get(SHENZHEN, f"/payments/{payment}"))["receipt_number"]
    assert (await trade.get(SHENZHEN, f"/receipts/{number}"))["state"] == "taken"
    await trade.nation.settle()
    worth = await trade.get(SHENZHEN, f"/receipts/{number}")
    assert (worth["state"], worth["amount_fen"], worth["subject"]) == (
        "credited",
        10_000,
        "138****5678",
    )
    reversal = await trade.reverse(SHENZHEN, payment)
    await trade.nation.settle()
    assert (await trade.get(SHENZHEN, f"/receipts/{number}"))["reversed_at"] is not None
    seen = await trade.get(SHENZHEN, f"/payment-reversals/{reversal}")
    assert (seen["state"], seen["payment_id"], seen["amount_fen"]) == (
        "to_give_back",
        payment,
        10_000,
    )
    elsewhere = await trade.nation[BEIJING].client.get(
        f"/receipts/{number}", headers=await trade.headers(BEIJING)
    )
    assert (elsewhere.status_code, elsewhere.json()["type"].rpartition(":")[2]) == (
        404,
        "receipt-of-other-city",
    )
    swapped = number[:10] + number[11] + number[10] + number[12:]
    if swapped != number:
        wrong = await trade.nation[SHENZHEN].client.get(
            f"/receipts/{swapped}", headers=await trade.headers(SHENZHEN)
        )
        assert wrong.status_code == 422
    trail = [line["node"] for line in (await trade.get(SHENZHEN, f"/payments/{payment}"))["trail"]]
    assert {SHENZHEN, GUANGDONG, HQ, BEIJING_PROVINCE, BEIJING} <= set(trail)


async def test_no_number_stands_open_on_the_way(trade: Trade) -> None:
    await trade.take(SHENZHEN, BEIJING, 10_000)
    await trade.nation.settle()
    for code in (SHENZHEN, GUANGDONG, HQ, BEIJING_PROVINCE):
        pool = await trade.nation[code].database.pool()
        said = await pool.fetchval(
            "SELECT string_agg(convert_from(envelope, 'UTF8'), '') FROM (SELECT envelope FROM federation_inbox "
            "UNION ALL SELECT envelope FROM federation_outbox) m"
        )
        assert "guanxi.payment" in said
        assert LINES[BEIJING] not in said

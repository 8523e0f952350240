"""Lines, bills, usage and interactions from files: known again by their natural keys, charges kept right."""

from typing import Any

import pytest
from sqlalchemy import text

from services.city_node.customer_import.mapping import read_mapping
from services.city_node.customer_import.problems import MappingInvalid
from tests.city.drafts import OTHER_TEAM, TEAM, Headers
from tests.city.extracts import counts, load, row
from tests.city.record_extracts import (
    BILLS,
    BILLS_BY_KEY,
    BILLS_TEXT,
    CALLS,
    LINES,
    USAGE,
    bill,
    everything,
    table,
)
from tests.conftest import TestNode


async def rows_of(city: TestNode, query: str) -> list[tuple[Any, ...]]:
    async with city.database.transaction() as session:
        return [tuple(found) for found in await session.execute(text(query))]


async def rejects(city: TestNode) -> list[tuple[Any, ...]]:
    return await rows_of(
        city, 'SELECT line, "column", reason FROM customer_import_reject ORDER BY line, id'
    )


CHARGES = "SELECT source_key, monthly_charge_fen, total_charge_fen FROM customer ORDER BY 1"


async def test_bills_come_to_their_lines_and_into_the_charges_of_the_customers(
    city: TestNode, clerk: Headers
) -> None:
    await load(city, [row(1), row(2), row(3)])  # each with a bill of October, 88.50
    bills = [bill(1, 9, "1.00"), bill(1, 11, "3.00"), bill(2, 8, "7.00"), bill(9, 8)]
    loaded = await load(city, table(bills), BILLS)
    assert counts(loaded) == (3, 0, 0, 1)
    assert await rejects(city) == [(5, "msisdn", "is the number of no line that had begun by then")]
    # The latest month of C2 is still October; the totals have moved by what was billed.
    assert await rows_of(city, CHARGES) == [("C1", 300, 400), ("C2", 8850, 700), ("C3", 8850, 0)]
    found = (await city.client.get("/customers?sort=id", headers=clerk)).json()["items"]
    first = next(one for one in found if one["source_key"] == "C1")
    history = await city.client.get(f"/customers/{first['id']}?include=changes", headers=clerk)
    change = history.json()["changes"][0]
    assert change["cause_id"] == str(loaded.id)
    assert {"field": "total_charge_fen", "old": 0, "new": 400} in change["changes"]
    before = await everything(city)
    assert counts(await load(city, table(bills), BILLS)) == (0, 0, 3, 1)
    assert await everything(city) == before


async def test_a_corrected_bill_moves_the_charges_by_the_difference(city: TestNode) -> None:
    await load(city, [row(1)])
    await load(city, table([bill(1, 11, "3.00")]), BILLS)
    corrected = table([bill(1, 11, "5.00", "2026-11-20")])
    assert counts(await load(city, corrected, BILLS)) == (0, 1, 0, 0)
    assert await rows_of(city, CHARGES) == [("C1", 500, 500)]
    changes = await rows_of(city, "SELECT changes FROM customer_change ORDER BY id DESC LIMIT 1")
    assert changes[0][0] == [
        {"field": "bills/13900000001/2026-11/charge_fen", "old": 300, "new": 500},
        {"field": "monthly_charge_fen", "old": 300, "new": 500},
        {"field": "total_charge_fen", "old": 300, "new": 500},
    ]


@pytest.mark.parametrize("portion", [1, 2, 100])
async def test_a_bill_that_is_twice_in_a_file_with_two_charges_is_loaded_once(
    city: TestNode, portion: int
) -> None:
    await load(city, [row(1)])
    bills = [bill(1, 9), bill(1, 9, "11.00"), bill(1, 9), bill(1, 8)]
    assert counts(await load(city, table(bills), BILLS, portion=portion)) == (2, 0, 1, 1)
    assert [found[:2] for found in await rejects(city)] == [(3, "yuan")]
    assert await rows_of(city, CHARGES) == [("C1", 8850, 2000)]


async def test_a_number_that_had_several_holders_names_the_one_of_the_month(city: TestNode) -> None:
    await load(city, [row(1, gone="y"), row(2, msisdn="13900000001", entry="2026-11-16")])
    await load(city, table([bill(1, 10, "1.00"), bill(1, 11, "2.00")]), BILLS)
    found = await rows_of(
        city,
        "SELECT c.source_key, b.period::text, b.charge_fen FROM bill b JOIN customer c ON c.id = b.customer_id"
        " WHERE b.charge_fen < 8850 ORDER BY 1",
    )
    assert found == [("C1", "2026-10-01", 100), ("C2", "2026-11-01", 200)]


async def test_of_lines_with_one_number_the_latest_that_had_begun_has_the_record(
    city: TestNode,
) -> None:
    """Of two that began on one day it is the one that lasted longer."""
    await load(city, [row(1)])
    async with city.database.transaction() as session:
        await session.execute(
            text(
                """
                INSERT INTO subscription (id, customer_id, msisdn, status, entry_date, ended_on, plan)
                SELECT gen_random_uuid(), c.id, '13977777777', CASE WHEN e.ended IS NULL THEN 'active' ELSE 'ended' END,
                       e.entry, e.ended, e.plan
                FROM customer c, (VALUES ('old', DATE '2026-01-05', DATE '2026-03-01'), ('short', '2026-05-31', '2026-06-20'),
                                         ('long', '2026-05-31', NULL), ('shorter', '2026-05-31', '2026-06-01')) e (plan, entry, ended)"""
            )
        )
    bills = [{**bill(1, month, f"{month}.00"), "msisdn": "13977777777"} for month in range(1, 9)]
    early = {**bills[0], "month": "2025-12"}
    loaded = await load(city, table([*bills, early]), BILLS)
    assert counts(loaded) == (8, 0, 0, 1)
    found = await rows_of(
        city,
        "SELECT s.plan, string_agg(extract(month FROM b.period)::text, ' ' ORDER BY b.period) FROM bill b"
        " JOIN subscription s ON s.id = b.subscription_id WHERE s.msisdn = '13977777777' GROUP BY 1 ORDER BY 1",
    )
    assert found == [("long", "5 6 7 8"), ("old", "1 2 3 4")]


async def test_a_customer_key_names_the_line_if_there_is_one(city: TestNode) -> None:
    await load(city, [row(1), row(2)])
    second = row(2, msisdn="13955555555", iccid="89860026125555555555", imsi="460015555555555")
    await load(city, [second])
    keyed = [{"id": f"C{n}", **bill(n, 9)} for n in (1, 2, 3)]
    assert counts(await load(city, table(keyed), BILLS_BY_KEY)) == (1, 0, 0, 2)
    assert [reason for _, _, reason in await rejects(city)] == [
        "belongs to a customer with several lines: name the number",
        "belongs to no customer",
    ]


async def test_an_importer_bills_no_further_than_the_unit(city: TestNode) -> None:
    await load(city, [row(1, unit=OTHER_TEAM), row(2, unit=TEAM)])
    assert counts(await load(city, table([bill(1, 9), bill(2, 9)]), BILLS, unit=TEAM)) == (
        1, 0, 0, 1,
    )  # fmt: skip
    assert (await rejects(city))[0][2] == "belongs to a customer of another unit"


async def test_lines_are_added_changed_and_ended(city: TestNode) -> None:
    await load(city, [row(1), row(2)])

    def subscription(key: str, running: int, **given: Any) -> dict[str, Any]:
        return {
            "id": key,
            "msisdn": f"139{running:08d}",
            "plan": "88",
            "status": "active",
            "ended": "",
            "entry": "2022-01-01",
            "iccid": f"8986002612{running:010d}",
            "imsi": f"46001{running:010d}",
            **given,
        }

    rows = [
        subscription("C1", 11),
        subscription("C1", 12, status="suspended"),
        subscription("C2", 2, status="ended", ended="2026-11-20", entry="2021-03-01"),
        subscription("C1", 2, iccid="89860026129999999999", imsi="460019999999999"),
        subscription("C9", 13),
        subscription("C1", 14, status="ended"),
        subscription("C1", 11),
    ]
    for portion in (1, 100):
        assert counts(await load(city, table(rows), LINES, portion=portion)) == (
            (0, 4, 0, 3) if portion == 1 else (0, 0, 4, 3)
        )
    assert sorted(set(await rejects(city))) == [
        (6, "id", "belongs to no customer"),
        (7, "ended", "is missing, and the line has ended"),
        (8, "id", "is on line 2 too"),
    ]
    lines = (await everything(city))[1]
    assert [(key, number, status) for key, number, _, _, _, status, _, _ in lines] == [
        ("C1", "13900000001", "active"),
        ("C1", "13900000002", "active"),
        ("C1", "13900000011", "active"),
        ("C1", "13900000012", "suspended"),
        ("C2", "13900000002", "ended"),
    ]
    ended = "SELECT iccid FROM sim WHERE state = 'ended'"
    assert await rows_of(city, ended) == [("89860026120000000002",)]


async def test_usage_is_loaded_by_month_kind_and_hours(city: TestNode) -> None:
    await load(city, [row(1)])

    def usage(kind: str, band: str, quantity: object = 60) -> dict[str, Any]:
        return {"msisdn": "13900000001", "month": "2026-10", "kind": kind, "band": band, "quantity": quantity}  # fmt: skip

    rows = [
        usage("voice_local", "day"),
        usage("voice_local", "night"),
        usage("data", ""),
        usage("voice_local", ""),
        usage("data", "day"),
        usage("sms", "", -1),
        usage("sms", "", 10**14),
        usage("fax", ""),
    ]
    for portion in (100, 1):
        expected = (3, 0, 0, 5) if portion == 100 else (0, 0, 3, 5)
        assert counts(await load(city, table(rows), USAGE, portion=portion)) == expected
    assert [(found[2], found[3], found[4]) for found in (await everything(city))[5]] == [
        ("data", "all", 60),
        ("voice_local", "day", 60),
        ("voice_local", "night", 60),
    ]
    corrected = table([usage("data", "", 61)])
    assert counts(await load(city, corrected, USAGE)) == (0, 1, 0, 0)


async def test_interactions_are_loaded_once_by_their_key(city: TestNode) -> None:
    await load(city, [row(1), row(2)])

    def call(key: str, number: str, **given: Any) -> dict[str, Any]:
        return {
            "id": key, "call": number, "at": "2026-11-02 09:30:00", "kind": "1", "subject": "话费争议",
            "summary": "多收 3 元，已退还 😀", **given,
        }  # fmt: skip

    rows = [call("C1", "A1"), call("C2", "A2", at="2026-11-02T01:30:00Z"), call("C9", "A3")]
    rows += [call("C2", "A1"), call("C1", "A4", at="soon"), call("C1", "A5", summary="x" * 4001)]
    assert counts(await load(city, table(rows), CALLS)) == (2, 0, 0, 4)
    assert counts(await load(city, table(rows), CALLS, portion=100)) == (0, 0, 2, 4)
    found = (await everything(city))[6]
    assert [(one[0], one[2], one[3].isoformat()) for one in found] == [
        ("C1", "A1", "2026-11-02T01:30:00+00:00"),
        ("C2", "A2", "2026-11-02T01:30:00+00:00"),
    ]
    assert counts(await load(city, table([call("C1", "A1", kind="2")]), CALLS)) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (BILLS_TEXT.replace('"bills"', '"cheques"'), "/source/records"),
        (BILLS_TEXT + '[customer.name]\ncolumn = "name"\n', "/customer/name"),
        (BILLS_TEXT.replace("[bill.period]", "[bill.paid]"), "/bill/paid"),
        (BILLS_TEXT.replace('[subscription.msisdn]\ncolumn = "msisdn"', ""), "/source/key"),
        (BILLS_TEXT.replace('"billing"', '"billing"\ncustomers = "a b"'), "/source/customers"),
    ],
)
def test_a_mapping_of_records_is_checked_whole(wrong: str, pointer: str) -> None:
    with pytest.raises(MappingInvalid) as refusal:
        read_mapping(wrong)
    assert pointer in [fault.pointer for fault in refusal.value.faults]


async def test_bills_alone_are_added_to_the_lines_of_a_file_of_customers(city: TestNode) -> None:
    await load(city, [row(1), row(2)])
    bills = read_mapping(
        '[source]\nname = "crm"\nkey = "id"\n[subscription.msisdn]\ncolumn = "msisdn"\n'
        '[bill.period]\ncolumn = "month"\nconvert = "date"\nformat = "%Y-%m"\n'
        '[bill.charge_fen]\ncolumn = "fen"\n[bill.paid_on]\ncolumn = "paid"\n'
    )
    november = b"id,msisdn,month,fen,paid\r\nC1,13900000001,2026-11,100,\r\nC7,13900000007,2026-11,5,\r\nC2,13900000002,2026-11,300,2026-11-20\r\n"
    assert counts(await load(city, november, bills)) == (0, 2, 0, 1)
    assert counts(await load(city, november, bills)) == (0, 0, 2, 1)
    assert counts(await load(city, november.replace(b",100,", b",100,2026-11-21"), bills)) == (
        0,
        1,
        1,
        1,
    )
    found = await rows_of(
        city, "SELECT charge_fen, paid_on::text FROM bill WHERE period = '2026-11-01' ORDER BY 1"
    )
    assert found == [(100, "2026-11-21"), (300, "2026-11-20")]
    assert "belongs to no customer" in (await rejects(city))[0][2]

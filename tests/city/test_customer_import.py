"""A file of customers: loaded whole or not at all, row by row with reasons, and the second time without effect."""

import asyncio
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.city_node.customer_import import service
from services.city_node.customer_import.mapping import read_mapping
from services.city_node.customer_import.problems import FileUnusable
from services.city_node.customer_import.undoing import undo
from tests.city.drafts import OTHER_TEAM, TEAM, Headers, fresh, id_card, line, settle
from tests.city.extracts import HEADER, MAPPING_TEXT, begin, counts, desk, extract, load, row
from tests.conftest import TestNode

TABLES = (
    "customer",
    "subscription",
    "sim",
    "bill",
    "contact_medium",
    "customer_change",
    "customer_import",
    "customer_import_reject",
)


async def rows_of(city: TestNode, query: str) -> list[tuple[Any, ...]]:
    async with city.database.transaction() as session:
        return [tuple(found) for found in await session.execute(text(query))]


async def state(city: TestNode) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything about customers that the node holds."""
    return {
        table: await rows_of(city, f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608 - names of tables
        for table in TABLES[:6]
    }


async def rejects(city: TestNode) -> list[tuple[Any, ...]]:
    return await rows_of(
        city, 'SELECT line, "column", value, reason FROM customer_import_reject ORDER BY line, id'
    )


async def test_a_row_becomes_a_customer_with_all_that_it_holds(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    loaded = await load(city, [row(running) for running in range(1, 8)])
    assert counts(loaded) == (7, 0, 0, 0)
    found = await city.client.get(f"/customers?document={id_card(5)}", headers=clerk)
    path = f"/customers/{found.json()['items'][0]['id']}"
    query = "?include=subscriptions,contacts,bills,changes"
    profile = (await city.client.get(path + query, headers=clerk)).json()
    expected = {
        "customer_number": "44030000000005",
        "name": "王芳",
        "sex": "female",
        "level": "gold",
        "library": "in_network",
        "unit_code": "440300",
        "monthly_charge_fen": 8850,
        "entry_date": "2021-03-01",
        "attributes": {"hobby": "茶"},
        "source": "crm",
        "source_key": "C5",
        "created_by": "importer",
        "left_on": None,
    }
    assert {name: profile[name] for name in expected} == expected
    subscription = profile["subscriptions"][0]
    assert (subscription["msisdn"], subscription["plan"]) == ("13900000005", "88")
    assert (subscription["status"], subscription["entry_date"]) == ("active", "2021-03-01")
    assert subscription["iccid"] == "89860026120000000005"
    assert [bill["charge_fen"] for bill in profile["bills"]] == [8850]
    assert [medium["value"] for medium in profile["contacts"]] == ["0755-00000005"]
    change = profile["changes"][0]
    assert (change["source"], change["action"], change["by"]) == ("import", "created", "importer")
    assert change["cause_id"] == str(loaded.id)
    assert {"field": "level", "old": None, "new": "gold"} in change["changes"]
    clear = await city.client.get(f"{path}/document", headers=supervisor)
    assert clear.json()["document_number"] == id_card(5)


async def test_the_same_file_again_changes_nothing(city: TestNode) -> None:
    people = [row(running, gone="ny"[running % 2]) for running in range(1, 11)]
    assert counts(await load(city, people)) == (10, 0, 0, 0)
    before = await state(city)
    city.clock.advance(timedelta(days=1))
    assert counts(await load(city, people)) == (0, 0, 10, 0)
    assert counts(await load(city, people[::-1], portion=100)) == (0, 0, 10, 0)
    assert await state(city) == before


async def test_only_what_differs_is_changed_and_kept_in_the_history(
    city: TestNode, clerk: Headers
) -> None:
    await load(city, [row(1), row(2, hobby=""), row(3)])
    found = (await city.client.get("/customers?sort=id", headers=clerk)).json()["items"]
    by_key = {item["source_key"]: item for item in found}
    by_hand = {"payment_method": "cash", "attributes": {"shoe": 44}}
    await city.client.patch(
        f"/customers/{by_key['C2']['id']}", json=by_hand, headers=fresh(clerk, by_key["C2"])
    )
    city.clock.advance(timedelta(minutes=5))
    changed = row(2, name="王芬", charge="90", hobby="棋", plan="128", level="")
    changed |= {"document": id_card(22), "phone": "0755-11111111"}
    assert counts(await load(city, [row(1), changed, row(3)])) == (0, 1, 2, 0)
    path = f"/customers/{by_key['C2']['id']}"
    query = "?include=subscriptions,contacts,bills,changes"
    after = (await city.client.get(path + query, headers=clerk)).json()
    assert (after["name"], after["level"], after["monthly_charge_fen"]) == (
        "王芬",
        "standard",
        9000,
    )
    assert (after["payment_method"], after["attributes"]) == ("cash", {"shoe": 44, "hobby": "棋"})
    assert (after["version"], after["updated_by"]) == (3, "importer")
    assert after["subscriptions"][0]["plan"] == "128"
    assert [bill["charge_fen"] for bill in after["bills"]] == [9000]
    assert len(after["contacts"]) == 2
    history = {one["field"]: (one["old"], one["new"]) for one in after["changes"][0]["changes"]}
    masked = [f"4403{'*' * 10}{id_card(running)[-4:]}" for running in (2, 22)]
    assert history == {
        "name": ("王芳", "王芬"),
        "level": ("gold", "standard"),
        "monthly_charge_fen": (8850, 9000),
        "document_number": (masked[0], masked[1]),
        "attributes/hobby": (None, "棋"),
        "subscriptions/13900000002/plan": ("88", "128"),
        "bills/13900000002/2026-10/charge_fen": (8850, 9000),
        "contacts/phone": (None, "075******1111"),
    }
    assert (
        await city.client.get(f"/customers?name=wangfen&document={id_card(22)}", headers=clerk)
    ).json()["items"]


async def test_a_bad_row_is_named_and_loads_nothing_of_itself(city: TestNode) -> None:
    bad = [
        row(2, charge="12.345", sex="x"),
        row(3, document=id_card(3)[:-1] + "?"),
        row(4, name=""),
        row(5, msisdn="110"),
        row(6, imsi=""),
        row(7, entry="2027-01-01"),
        row(8, unit="440300-77"),
        row(9, id=""),
        row(10, name="a\x00b"),
        row(11, gone="y", entry="2026-11-16"),
        row(12, msisdn=""),
    ]
    loaded = await load(city, [row(1), *bad, row(13)])
    assert counts(loaded) == (2, 0, 0, len(bad))
    found = await rejects(city)
    assert [(line_, column) for line_, column, _, _ in found] == [
        (3, "sex"), (3, "charge"), (4, "document"), (5, "name"), (6, "msisdn"), (7, "iccid"), (8, "entry"),
        (9, "unit"), (10, "id"), (11, "name"), (12, "customer.left_on"), (13, "msisdn"),
    ]  # fmt: skip
    reasons = {(line_, column): (value, reason) for line_, column, value, reason in found}
    assert reasons[3, "charge"] == ("12.345", "is not an amount in yuan with two decimals at most")
    assert reasons[3, "sex"] == ("x", "is not one of: f, m")
    value, reason = reasons[4, "document"]
    assert id_card(3)[:-1] not in value
    assert "identity card" in reason
    assert reasons[9, "unit"] == ("440300-77", "is not an active unit within the importer's scope")
    for table, expected in (
        ("customer", 2),
        ("subscription", 2),
        ("sim", 2),
        ("bill", 2),
        ("contact_medium", 2),
    ):
        assert await rows_of(city, f"SELECT count(*) FROM {table}") == [(expected,)], table  # noqa: S608 - names of tables


async def test_lines_are_counted_as_an_editor_shows_them(city: TestNode) -> None:
    people = [row(1, hobby="tea\nand\nchess"), row(2), row(3, charge="x")]
    content = extract(people).replace(b"\r\nC2", b"\r\n\r\nC2") + b"C9,too,few\r\n"
    assert counts(await load(city, content)) == (1, 0, 0, 3)
    found = await rejects(city)
    assert [(line_, column) for line_, column, _, _ in found] == [
        (2, "hobby"),
        (7, "charge"),
        (8, ""),
    ]
    assert "3 cells" in found[2][3]


async def test_what_is_twice_in_a_file_is_loaded_once(city: TestNode) -> None:
    people = [
        row(1),
        row(2, id="C1"),
        row(3, document=id_card(1)),
        row(4, msisdn=row(1)["msisdn"]),
        row(5, iccid=row(1)["iccid"]),
        row(6, imsi=row(1)["imsi"]),
        row(7),
    ]
    for portion in (2, 100):
        async with city.database.transaction() as session:
            await session.execute(text(f"TRUNCATE {', '.join(TABLES)} CASCADE"))
        loaded = await load(city, people, portion=portion)
        assert counts(loaded) == (2, 0, 0, 5), portion
        found = await rejects(city)
        assert [(line_, column) for line_, column, _, _ in found] == [
            (3, "id"), (4, "document"), (5, "msisdn"), (6, "iccid"), (7, "imsi"),
        ]  # fmt: skip
        assert found[0][3] == "is on line 2 too"


async def test_what_another_customer_has_is_not_taken(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    holder = await settle(city, clerk, 500)
    once = {**clerk, "Idempotency-Key": "k"}
    await city.client.post(f"/customers/{holder['id']}/subscriptions", json=line(), headers=once)
    hidden = await settle(city, supervisor, 501, unit_code=OTHER_TEAM)
    before = await state(city)
    people = [
        row(1, document=id_card(500)),
        row(2, msisdn=line()["msisdn"]),
        row(3, iccid=line()["iccid"]),
        row(4, imsi=line()["imsi"]),
        row(6, iccid=line()["iccid"], imsi=line()["imsi"]),
    ]
    assert counts(await load(city, people, portion=1)) == (0, 0, 0, 5)
    assert await state(city) == before
    found = await rejects(city)
    assert [(line_, column) for line_, column, _, _ in found] == [
        (2, "document"), (3, "msisdn"), (4, "iccid"), (5, "imsi"), (6, "iccid"),
    ]  # fmt: skip
    assert all(holder["customer_number"] in reason for *_, reason in (found[0], found[1], found[4]))
    assert id_card(500) not in str(found)
    of_team = await load(city, [row(6, document=id_card(501), unit=TEAM)], unit=TEAM)
    assert counts(of_team) == (0, 0, 0, 1)
    assert hidden["customer_number"] not in str(await rejects(city))


async def test_an_importer_reaches_no_further_than_the_unit(city: TestNode) -> None:
    await load(city, [row(1, unit=OTHER_TEAM), row(2, unit=TEAM)])
    people = [
        row(1, name="x", unit=TEAM),
        row(2, name="y", unit=TEAM),
        row(3),
        row(4, unit=OTHER_TEAM),
    ]
    assert counts(await load(city, people, unit=TEAM)) == (0, 1, 0, 3)
    names = await rows_of(city, "SELECT source_key, name FROM customer ORDER BY 1")
    assert names == [("C1", "王芳"), ("C2", "y")]


async def test_a_file_retires_customers_and_brings_none_back(
    city: TestNode, clerk: Headers
) -> None:
    await load(city, [row(1), row(2)])
    assert counts(await load(city, [row(1, gone="y"), row(2)])) == (0, 1, 1, 0)
    gone = (await city.client.get("/customers?library=retained", headers=clerk)).json()["items"]
    assert [(one["source_key"], one["left_on"]) for one in gone] == [("C1", "2026-11-15")]
    query = "?include=subscriptions,changes"
    profile = (await city.client.get(f"/customers/{gone[0]['id']}{query}", headers=clerk)).json()
    lines = profile["subscriptions"]
    assert [(one["status"], one["ended_on"], one["iccid"]) for one in lines] == [
        ("ended", "2026-11-15", None)
    ]
    assert profile["changes"][0]["action"] == "retired"
    fields = [one["field"] for one in profile["changes"][0]["changes"]]
    assert fields == ["library", "left_on", "subscriptions/13900000001/status"]
    assert await rows_of(
        city,
        "SELECT state, ended_at AT TIME ZONE 'Asia/Shanghai' IS NOT NULL FROM sim ORDER BY iccid",
    ) == [("ended", True), ("active", False)]
    before = await state(city)
    assert counts(await load(city, [row(1), row(2)])) == (0, 0, 1, 1)
    assert "restore" in (await rejects(city))[0][3]
    assert counts(await load(city, [row(1, gone="y"), row(2)])) == (0, 0, 2, 0)
    assert await state(city) == before


async def test_a_new_card_replaces_the_one_in_use_and_an_old_one_never_comes_back(
    city: TestNode,
) -> None:
    old, new = row(1), row(1, iccid="89860026129999999999", imsi="460019999999999")
    await load(city, [old])
    assert counts(await load(city, [new])) == (0, 1, 0, 0)
    sims = "SELECT iccid, state FROM sim ORDER BY iccid"
    replaced = [(old["iccid"], "replaced"), (new["iccid"], "active")]
    assert await rows_of(city, sims) == replaced
    assert counts(await load(city, [old])) == (0, 0, 1, 0)
    assert await rows_of(city, sims) == replaced


async def test_a_new_number_is_a_second_line(city: TestNode, clerk: Headers) -> None:
    await load(city, [row(1)])
    second = row(1, msisdn="13955555555", iccid="89860026125555555555", imsi="460015555555555")
    assert counts(await load(city, [second])) == (0, 1, 0, 0)
    found = (await city.client.get("/customers", headers=clerk)).json()["items"][0]
    lines = await city.client.get(f"/customers/{found['id']}/subscriptions", headers=clerk)
    assert [one["status"] for one in lines.json()["items"]] == ["active", "active"]


@pytest.mark.parametrize(
    ("content", "line_", "reason"),
    [
        (b"", 1, "empty"),
        (b"\r\n\r\n", 1, "empty"),
        (b"id,name\r\n", 1, "no column sex"),
        (",".join([*HEADER, "name"]).encode(), 1, "more than once"),
    ],
)
async def test_a_file_that_is_not_what_its_mapping_says_is_refused(
    city: TestNode, content: bytes, line_: int, reason: str
) -> None:
    with pytest.raises(FileUnusable) as refusal:
        await load(city, content)
    sentence = str(refusal.value)
    assert reason in sentence
    assert 1 <= int(sentence.split("line ")[1].split(":", maxsplit=1)[0]) <= line_
    assert all(not rows for rows in (await state(city)).values())
    assert await rows_of(city, "SELECT id FROM customer_import") == []


@pytest.mark.parametrize("portion", [1, 3, 100])
async def test_a_file_that_breaks_off_is_loaded_up_to_there_and_can_be_undone(
    city: TestNode, portion: int
) -> None:
    content = extract([row(running) for running in range(1, 8)]) + b'C9,"open'
    begun = await begin(city, content)
    with pytest.raises(FileUnusable, match="line 9: this is not CSV"):
        await service.load(desk(city, portion), begun.id, io.BytesIO(content))
    failed = "SELECT state, rows, created, position('line 9' in problem) > 0 FROM customer_import"
    assert await rows_of(city, failed) == [("failed", 7, 7, True)]
    undone = await undo(desk(city), begun.id, "importer")
    assert (undone.state, undone.undone, undone.kept) == ("undone", 7, 0)
    assert all(not rows for rows in (await state(city)).values())


async def test_a_mark_at_the_beginning_and_other_encodings_are_read(city: TestNode) -> None:
    assert counts(await load(city, b"\xef\xbb\xbf" + extract([row(1)]))) == (1, 0, 0, 0)
    chinese = read_mapping(
        MAPPING_TEXT.replace('key = "id"', 'key = "id"\nencoding = "gb18030"\ndelimiter = ";"')
    )
    content = extract([row(2, name="赵钱孙")]).decode().replace(",", ";").encode("gb18030")
    assert counts(await load(city, content, chinese)) == (1, 0, 0, 0)
    assert await rows_of(city, "SELECT name FROM customer ORDER BY source_key") == [
        ("王芳",),
        ("赵钱孙",),
    ]


async def test_two_who_load_the_same_file_at_once_load_it_once(city: TestNode) -> None:
    people = [row(running) for running in range(1, 8)]
    loaded = await asyncio.gather(load(city, people), load(city, people[::-1]))
    assert sorted(counts(one) for one in loaded) == [(0, 0, 7, 0), (7, 0, 0, 0)]


async def test_a_number_that_is_taken_meanwhile_is_named_like_one_that_was_taken_before(
    city: TestNode, clerk: Headers
) -> None:
    holder = await settle(city, clerk, 500)
    async with city.database.transaction() as session:
        taken = (
            "INSERT INTO subscription (id, customer_id, msisdn, entry_date)"
            " VALUES (gen_random_uuid(), :holder, '13900000006', '2026-01-01')"
        )
        await session.execute(text(taken), {"holder": holder["id"]})
        importing = asyncio.ensure_future(load(city, [row(running) for running in range(1, 8)]))
        await _until_somebody_waits(city)
    assert counts(await importing) == (6, 0, 0, 1)
    ((line_, column, _, reason),) = await rejects(city)
    assert (line_, column) == (7, "msisdn")
    assert holder["customer_number"] in reason


async def _until_somebody_waits(city: TestNode) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while await rows_of(city, waiting) == [(0,)]:
            pass  # each look is a round trip to the server, and lets the import go on

"""An import that is undone leaves the city as it was before; what others changed since stays, and is named."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.models import CustomerImport
from services.city_node.customer_import.problems import ImportStateUnfit
from services.city_node.customer_import.undoing import undo
from shared.kernel.problems import Problem
from tests.city.drafts import Headers, fresh, id_card
from tests.city.extracts import MAPPING, begin, counts, desk, load, row
from tests.city.record_extracts import BILLS, CALLS, LINES, USAGE, bill, everything, table
from tests.conftest import TestNode


async def undone(city: TestNode, loaded: CustomerImport) -> tuple[int, int]:
    """Undo an import; returns how many records were taken back in all, and how many are kept."""
    row_ = await undo(desk(city), loaded.id, "importer")
    assert row_.state == "undone"
    return row_.undone, row_.kept


async def kept(city: TestNode) -> list[tuple[Any, ...]]:
    async with city.database.transaction() as session:
        found = await session.execute(
            text("SELECT record, reason FROM customer_import_kept ORDER BY id")
        )
        return [tuple(one) for one in found]


CHANGED = [
    row(1, name="李四", document=id_card(101), level="silver", phone="0755-99999999"),
    row(2, gone="y"),
    row(3, msisdn="13955555555", iccid="89860026125555555555", imsi="460015555555555"),
    row(4, iccid="89860026126666666666", imsi="460016666666666", charge="90"),
    row(5),
    row(6),
]
LINE = {
    "id": "C1",
    "msisdn": "13900000001",
    "plan": "128",
    "status": "ended",
    "ended": "2026-11-20",
    "entry": "2021-03-01",
    "iccid": "",
    "imsi": "",
}


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        (None, MAPPING),
        (table([LINE, LINE | {"id": "C2", "msisdn": "13933333333", "status": "active", "ended": ""}]), LINES),
        (table([bill(1, 10, "3.00"), bill(1, 11, "4.00"), bill(2, 12), bill(3, 9)]), BILLS),
        (table([{"msisdn": "13900000001", "month": "2026-10", "kind": "sms", "band": "", "quantity": 5}]), USAGE),
        (
            table([
                {"id": "C1", "call": "A1", "at": "2026-11-02", "kind": "1", "subject": "s", "summary": ""},
                {"id": "C2", "call": "A2", "at": "2026-11-02", "kind": "1", "subject": "s", "summary": ""},
            ]),
            CALLS,
        ),
    ],
    ids=["customers", "subscriptions", "bills", "usage", "interactions"],
)  # fmt: skip
async def test_an_import_that_is_undone_leaves_what_was_before(
    city: TestNode, content: bytes | None, mapping: ImportMapping
) -> None:
    people = [row(running) for running in range(1, 6)]
    await load(city, people)
    await load(city, table([{"msisdn": "13900000001", "month": "2026-10", "kind": "sms", "band": "", "quantity": 4}]), USAGE)  # fmt: skip
    call = {"id": "C1", "call": "A1", "at": "2026-11-01", "kind": "2", "subject": "q", "summary": "s"}  # fmt: skip
    await load(city, table([call]), CALLS)
    before = await everything(city)
    for _ in range(2):  # what was undone can be imported again, and undone again
        city.clock.advance(timedelta(hours=1))
        loaded = await load(city, CHANGED if content is None else content, mapping)
        assert loaded.rejected == 0
        assert await everything(city) != before
        number, refused = await undone(city, loaded)
        assert (number, refused) == (loaded.created + loaded.changed, 0)
        assert await everything(city) == before
        assert await undone(city, loaded) == (number, 0)
        assert await everything(city) == before


async def test_the_history_tells_what_was_undone(city: TestNode, clerk: Headers) -> None:
    await load(city, [row(1)])
    await undone(city, await load(city, [row(1, name="李四")]))
    found = (await city.client.get("/customers", headers=clerk)).json()["items"][0]
    profile = await city.client.get(f"/customers/{found['id']}?include=changes", headers=clerk)
    changes = profile.json()["changes"]
    assert [one["action"] for one in changes] == ["import_undone", "changed", "created"]
    assert changes[0]["changes"] == [{"field": "name", "old": "李四", "new": "王芳"}]
    assert profile.json()["version"] == 3


async def test_what_somebody_changed_since_is_kept_and_named(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    await load(city, [row(1)])
    before = await everything(city)
    loaded = await load(city, [row(1, name="李四"), row(2), row(3), row(4)])
    found = (await city.client.get("/customers?sort=id", headers=clerk)).json()["items"]
    by_key = {one["source_key"]: one for one in found}
    for key in ("C1", "C2"):
        await city.client.patch(
            f"/customers/{by_key[key]['id']}",
            json={"payment_method": "cash"},
            headers=fresh(clerk, by_key[key]),
        )
    await city.client.get(f"/customers/{by_key['C3']['id']}/document", headers=supervisor)
    assert await undone(city, loaded) == (2, 2)
    assert await kept(city) == [
        ("customer", "was changed since"),
        ("customer", "was changed since"),
    ]
    names = [(one[0], one[3], one[12]) for one in (await everything(city))[0]]
    assert names == [("C1", "李四", "cash"), ("C2", "王芳", "cash")]
    assert before != await everything(city)


async def test_imports_are_undone_the_last_one_first(city: TestNode) -> None:
    before = await everything(city)
    people = await load(city, [row(1), row(2)])
    bills = await load(city, table([bill(1, 11), bill(2, 9)]), BILLS)
    corrected = await load(city, table([bill(1, 11, "20.00")]), BILLS)
    assert await undone(city, people) == (0, 2)
    assert await undone(city, bills) == (1, 1)
    assert (await kept(city))[-1] == ("bill", f"was changed since by import {corrected.number}")
    assert await undone(city, corrected) == (1, 0)
    assert await undone(city, bills) == (2, 0)
    assert await undone(city, people) == (2, 0)
    assert await everything(city) == before


async def test_only_what_was_loaded_is_undone(city: TestNode) -> None:
    begun = await begin(city, [row(1)])
    with pytest.raises(ImportStateUnfit):
        await undo(desk(city), begun.id, "importer")
    rehearsed = await load(city, [row(1)], dry_run=True)
    assert counts(rehearsed) == (1, 0, 0, 0)
    with pytest.raises(Problem, match="rehearsed"):
        await undo(desk(city), rehearsed.id, "importer")


async def test_an_import_is_undone_over_rest(city: TestNode, supervisor: Headers) -> None:
    loaded = await load(city, [row(1), row(2)])
    path = f"/customer-imports/{loaded.id}"
    asked = await city.client.post(f"{path}/undo", headers=supervisor)
    assert (asked.status_code, asked.json()["state"]) == (202, "undoing")
    await city.run_job("customer-import")
    read = (await city.client.get(path, headers=supervisor)).json()
    assert (read["state"], read["undone"], read["kept"], read["undone_by"]) == (
        "undone", 2, 0, asked.json()["undone_by"],
    )  # fmt: skip
    assert (await everything(city))[0] == []

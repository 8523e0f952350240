"""Changes of a profile beside others of the same customer, and what each leaves in the database."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from bench.write_customer import bare_change, clerk_of
from shared.capability import Role
from shared.kernel.database import Database
from tests.city.drafts import OTHER_TEAM, TEAM, Headers, SignIn, fresh, id_card, settle
from tests.conftest import TestNode

TRACE = "0af7651916cd43dd8448eb211c80319c"
MOVED = f"UPDATE customer SET unit_code = '{OTHER_TEAM}', version = version + 1"  # noqa: S608 - a constant
CHANGED = "UPDATE customer SET payment_method = '代扣', version = version + 1"
LEFT = """
    UPDATE customer SET library = 'retained', left_on = '2026-11-01', left_reason = 'other', version = version + 1"""
LOCKED = "SELECT FROM customer FOR UPDATE"


async def change(city: TestNode, headers: Headers, profile: dict[str, Any], **patch: Any) -> Any:
    return await city.client.patch(
        f"/customers/{profile['id']}", json=patch, headers=fresh(headers, profile)
    )


async def left_behind(database: Database, profile: dict[str, Any]) -> tuple[Any, ...]:
    """Return the customer's row, history and audit records since it was made."""
    pool = await database.pool()
    customer = UUID(profile["id"])
    return (
        await pool.fetchrow("SELECT *, xmin::text FROM customer WHERE id = $1", customer),
        await pool.fetch(
            "SELECT * FROM customer_change WHERE customer_id = $1 AND action <> 'created' ORDER BY id",
            customer,
        ),
        await pool.fetch(
            "SELECT * FROM audit_record WHERE subject_id = $1 AND action = 'customer.changed' ORDER BY id",
            str(customer),
        ),
    )


@pytest.mark.parametrize(
    ("meanwhile", "committed", "status"),
    [
        (LOCKED, True, 200),
        (CHANGED, False, 200),
        (CHANGED, True, 412),
        (LEFT, True, 412),
        (MOVED, True, 404),
    ],
)
@pytest.mark.parametrize("patch", [{"level": "diamond"}, {"document_number": id_card(2)}])
async def test_a_change_waits_for_another_and_counts_only_if_that_left_the_customer_as_it_was(
    city: TestNode,
    sign_in: SignIn,
    meanwhile: str,
    committed: bool,  # noqa: FBT001
    status: int,
    patch: dict[str, Any],
) -> None:
    clerk = await sign_in(city, Role.CLERK, unit=TEAM)
    profile = await settle(city, clerk, unit_code=TEAM)
    if "document_number" in patch:
        patch = {**patch, "document_type": "id_card"}
    pool = await city.database.pool()
    async with pool.acquire() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute(meanwhile)
        changing = asyncio.ensure_future(change(city, clerk, profile, **patch))
        await _until_somebody_waits(other)
        await (holding.commit() if committed else holding.rollback())
    answer = await changing
    assert answer.status_code == status, answer.text
    row, history, records = await left_behind(city.database, profile)
    written = 1 if status == 200 else 0
    assert (len(history), len(records)) == (written, written)
    assert row["level"] == ("diamond" if written and "level" in patch else "gold")


async def _until_somebody_waits(connection: asyncpg.Connection) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
    async with asyncio.timeout(20):
        while not await connection.fetchval(waiting):
            pass  # each look is a round trip to the server, and lets the change go on


async def test_row_history_and_audit_record_are_of_one_transaction(
    city: TestNode, clerk: Headers
) -> None:
    profile = await settle(city, clerk)
    traced = {**clerk, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = await change(
        city, traced, profile, level="diamond", attributes={"vip": None, "gift": "tea"}
    )
    assert answer.status_code == 200, answer.text
    row, (entry,), (record,) = await left_behind(city.database, profile)
    assert row["xmin"] == str(record["xid"] % 2**32)
    assert row["version"] == answer.json()["version"] == 2
    now = city.clock.now()
    assert row["updated_at"] == entry["at"] == record["at"] == now
    assert row["updated_by"] == entry["by"] == record["by"]
    assert (entry["source"], entry["action"], entry["cause_id"]) == ("rest", "changed", None)
    assert {"level", "attributes/vip", "attributes/gift"} == set(orjson.loads(record["fields"]))
    assert (record["subject_type"], record["source"]) == ("customer", "rest")
    assert (record["role"], record["unit_code"]) == ("clerk", city.code)
    assert record["trace_id"] == TRACE
    assert record["user_id"] is not None


async def test_every_member_changes_at_once_and_the_answer_is_what_is_read(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    profile = await settle(city, clerk)
    me = (await city.client.get("/staff/me", headers=supervisor)).json()["id"]
    patch = {
        "name": "李娜",
        "sex": "female",
        "birth_date": "1985-05-05",
        "document_type": "passport",
        "document_number": "E12345678",
        "level": "silver",
        "unit_code": TEAM,
        "manager_id": me,
        "contract_term": "two_year",
        "payment_method": "代扣",
        "entry_date": "2019-01-01",
        "attributes": {"vip": False},
    }
    answer = await change(city, clerk, profile, **patch)
    assert answer.status_code == 200, answer.text
    read = await city.client.get(f"/customers/{profile['id']}", headers=clerk)
    assert answer.json() == read.json()
    assert answer.headers["etag"] == read.headers["etag"]
    assert answer.json().items() >= {
        (name, value)
        for name, value in patch.items()
        if name not in {"document_number", "attributes"}
    }
    found = await city.client.get("/customers?name=lina", headers=clerk)
    assert [one["id"] for one in found.json()["items"]] == [profile["id"]]


async def test_a_document_that_somebody_has_is_refused_also_at_the_same_moment(
    city: TestNode, clerk: Headers
) -> None:
    first, second, third = [await settle(city, clerk, running) for running in (1, 2, 3)]
    of_first = {"document_type": "id_card", "document_number": id_card(1)}
    taken = await change(city, clerk, second, **of_first)
    assert taken.status_code == 409
    assert first["id"] in taken.json()["detail"]
    free = {"document_type": "id_card", "document_number": id_card(9)}
    answers = await asyncio.gather(
        *(change(city, clerk, profile, **free) for profile in (second, third))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_the_ceiling_of_the_benchmark_writes_the_same_rows(
    city: TestNode, clerk: Headers
) -> None:
    ours, bare = await settle(city, clerk, 1), await settle(city, clerk, 2)
    answer = await change(city, clerk, ours, payment_method="代扣 1")
    assert answer.status_code == 200, answer.text
    pool = await city.database.pool()
    me = (await city.client.get("/staff/me", headers=clerk)).json()["username"]
    write = bare_change(pool, await clerk_of(pool, me))
    await write(UUID(bare["id"]), "代扣 1")
    (row, *lists), (bare_row, *bare_lists) = [
        await left_behind(city.database, profile) for profile in (ours, bare)
    ]
    for name in ("payment_method", "version", "updated_by"):
        assert row[name] == bare_row[name]
    for (one,), (other,) in zip(lists, bare_lists, strict=True):
        assert _filled(one) == _filled(other)
        for name in ("by", "action", "source"):
            assert one[name] == other[name]


def _filled(row: asyncpg.Record) -> set[str]:
    return {name for name, value in row.items() if value is not None}

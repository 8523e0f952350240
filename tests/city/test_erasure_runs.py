"""When erasure runs: who is due, what holds it up, and what an interruption leaves."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from services.city_node.customer.models import Customer
from services.city_node.erasure import repository
from services.city_node.erasure.service import due
from shared.capability import Role
from tests.city.drafts import TEAM, Headers, SignIn, fresh, settle
from tests.city.erasing import erase
from tests.city.retained import (
    leave,
    library_of,
    lived_in,
    long_gone,
    post,
    read,
)
from tests.conftest import TestNode


async def test_the_period_is_that_of_reason_and_kind(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    early = await leave(city, clerk, await settle(city, clerk, 1), on="2026-11-20", reason="fraud")
    late = await leave(city, clerk, await settle(city, clerk, 2), on="2021-01-01", reason="arrears")
    group = await settle(
        city, clerk, 3, kind="group", sex="unknown", birth_date=None,
        document_type=None, document_number=None,
    )  # fmt: skip
    other_kind = await leave(city, clerk, group, on="2026-11-20", reason="fraud")
    plain = await leave(city, clerk, await settle(city, clerk, 4), on="2023-11-24", reason="price")
    for code, patch in (
        ("fraud", {"individual_retention_days": 3}),
        ("arrears", {"individual_retention_days": 3650}),
    ):
        answer = await city.client.patch(
            f"/departure-reasons/{code}", json=patch, headers={**supervisor, "If-Match": '"1"'}
        )
        assert answer.status_code == 200, answer.text
    counted = await city.client.get("/erasures/due", headers=supervisor)
    assert counted.json()["items"] == [
        {"reason": "fraud", "kind": "individual", "customers": 1, "left_first": "2026-11-20", "left_last": "2026-11-20"},
        {"reason": "price", "kind": "individual", "customers": 1, "left_first": "2023-11-24", "left_last": "2023-11-24"},
    ]  # fmt: skip
    team = await sign_in(city, Role.SUPERVISOR, TEAM)
    assert (await city.client.get("/erasures/due", headers=team)).json() == {"items": []}
    await city.run_job("erasure")
    libraries = [await library_of(city, each["id"]) for each in (early, late, other_kind, plain)]
    assert libraries == ["erased", "retained", "retained", "erased"]


async def test_the_last_day_of_the_period_is_kept(city: TestNode, clerk: Headers) -> None:
    gone = await leave(city, clerk, await settle(city, clerk, 1), on="2023-11-25")
    assert await erase(city) == 0
    city.clock.advance(timedelta(days=1))
    assert await erase(city) == 1
    assert await library_of(city, gone["id"]) == "erased"


async def test_who_has_not_left_is_never_erased(city: TestNode, clerk: Headers) -> None:
    profile = await lived_in(city, clerk)
    assert await erase(city) == 0
    assert await read(city, clerk, profile["id"]) == profile


async def test_a_hold_keeps_the_records_until_two_people_lift_it(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    gone = await long_gone(city, clerk)
    held = await post(city, f"/customers/{gone['id']}/legal-holds", {"reason": "诉讼"}, supervisor)
    assert await erase(city) == 0
    path = f"/legal-holds/{held['id']}/lift"
    early = await city.client.post(f"{path}/approve", headers=fresh(supervisor, held))
    assert early.json()["type"] == "urn:guanxi:problem:lift-not-proposed"
    answer = await city.client.post(path, json={"reason": "结案"}, headers=fresh(supervisor, held))
    assert answer.status_code == 200, answer.text
    assert await erase(city) == 0
    own = await city.client.post(f"{path}/approve", headers=fresh(supervisor, answer.json()))
    assert own.json()["type"] == "urn:guanxi:problem:second-person-needed"
    another = await sign_in(city, Role.SUPERVISOR)
    stale = await city.client.post(f"{path}/approve", headers=fresh(another, held))
    assert stale.status_code == 412
    lifted = await city.client.post(f"{path}/approve", headers=fresh(another, answer.json()))
    assert lifted.status_code == 200, lifted.text
    assert lifted.json()["lifted_by"] != lifted.json()["lift_proposed_by"]
    again = await city.client.post(
        path, json={"reason": "x"}, headers=fresh(another, lifted.json())
    )
    assert again.json()["type"] == "urn:guanxi:problem:hold-lifted"
    standing = await city.client.get("/legal-holds?standing=true", headers=supervisor)
    assert standing.json()["items"] == []
    assert await erase(city) == 1


async def test_a_hold_that_is_placed_meanwhile_is_seen(
    city: TestNode, clerk: Headers, supervisor: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await long_gone(city, clerk)
    lock = repository.lock_due

    async def lock_late(*args: Any, **given: Any) -> Any:
        # As if the hold were committed after the statement's snapshot and before its lock.
        found = await lock(*args, **given)
        async with city.database.transaction() as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(
                text(
                    "INSERT INTO legal_hold (id, customer_id, reason, placed_at, placed_by)"
                    " VALUES (gen_random_uuid(), :id, 'x', now(), 'x')"
                ),
                {"id": UUID(gone["id"])},
            )
        return found

    monkeypatch.setattr(repository, "lock_due", lock_late)
    assert await erase(city) == 0
    assert (await read(city, clerk, gone["id"]))["name"] == "王小明"


async def test_one_whom_somebody_changes_waits_for_the_next_night(
    city: TestNode, clerk: Headers
) -> None:
    first = await leave(city, clerk, await settle(city, clerk, 1), on="2021-01-01")
    second = await leave(city, clerk, await settle(city, clerk, 2), on="2021-01-02")
    async with city.database.transaction() as session:
        await session.execute(
            select(Customer).where(Customer.id == UUID(first["id"])).with_for_update()
        )
        assert await asyncio.wait_for(erase(city), 20) == 1
    assert await library_of(city, second["id"]) == "erased"
    assert await erase(city) == 1
    assert await library_of(city, first["id"]) == "erased"


async def test_an_interruption_leaves_whole_portions_and_the_next_run_ends_it(
    city: TestNode, clerk: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [
        await leave(city, clerk, await settle(city, clerk, running), on=f"2021-01-0{running}")
        for running in range(1, 6)
    ]
    whole, portions = repository.erase, []

    async def break_off(connection: Any, customers: Any, **given: Any) -> None:
        portions.append(len(customers))
        await whole(connection, customers, **given)
        if len(portions) == 2:
            raise ConnectionError("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(repository, "erase", break_off)
        with pytest.raises(ConnectionError):
            await erase(city, portion=2)
    libraries = [await library_of(city, each["id"]) for each in gone]
    assert libraries == ["erased", "erased", "retained", "retained", "retained"]
    assert await erase(city, portion=2) == 3
    assert await erase(city, portion=2) == 0
    pool = await city.database.pool()
    assert await pool.fetchval("SELECT count(*) FROM erasure") == 5


async def test_counting_erases_nobody(city: TestNode, clerk: Headers) -> None:
    gone = await long_gone(city, clerk)
    counted = await due(
        city.database, days=city.context.settings.retention_days, now=city.clock.now()
    )
    assert [(each["reason"], each["customers"]) for each in counted] == [("price", 1)]
    assert await read(city, clerk, gone["id"]) == gone

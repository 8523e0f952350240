"""What imports keep of people goes when its time is over."""

import io
import os
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.city_node.customer_import import service, uploads
from services.city_node.customer_import.problems import ImportOver
from services.city_node.customer_import.retention import delete_old
from services.city_node.customer_import.undoing import undo
from shared.capability import Role
from shared.kernel.ids import new_id
from tests.city.drafts import SignIn
from tests.city.extracts import begin, counts, desk, extract, load, row
from tests.conftest import TestNode

FAULTY = [row(1, charge="x"), row(2, charge="y"), row(3, charge="z"), row(4)]


async def held(city: TestNode) -> dict[str, int]:
    async with city.database.transaction() as session:
        return {
            name: await session.scalar(text(f"SELECT count(*) FROM customer_import_{name}"))  # noqa: S608
            for name in ("reject", "before", "kept")
        }


async def nightly(city: TestNode, days: float) -> None:
    city.clock.advance(timedelta(days=days))
    await city.run_job("customer-import-retention")


async def test_rejected_rows_go_and_the_counts_stay(city: TestNode, sign_in: SignIn) -> None:
    loaded = await load(city, FAULTY)
    await nightly(city, 29)
    supervisor = await sign_in(city, Role.SUPERVISOR)
    assert (await held(city))["reject"] == 3
    path = f"/customer-imports/{loaded.id}"
    shown = (await city.client.get(path, headers=supervisor)).json()
    assert (shown["rejects_deleted_at"], len(shown["rejects"])) == (None, 3)

    await nightly(city, 2)

    assert (await held(city))["reject"] == 0
    supervisor = await sign_in(city, Role.SUPERVISOR)
    shown = (await city.client.get(path, headers=supervisor)).json()
    assert (shown["rejected"], shown["rejects"]) == (3, [])
    assert shown["rejects_deleted_at"] is not None
    gone = await city.client.get(f"{path}/rejects", headers=supervisor)
    assert gone.status_code == 410
    assert gone.json()["type"].endswith("rejects-deleted")


async def test_an_import_cannot_be_resumed_without_its_rejected_rows(city: TestNode) -> None:
    content = extract(FAULTY)
    begun = await begin(city, content)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await service.load(desk(city), begun.id, io.BytesIO(content), stop)
    await nightly(city, 31)
    with pytest.raises(ImportOver):
        await service.load(desk(city), begun.id, io.BytesIO(content))
    assert (await held(city))["reject"] == 0


async def test_an_import_is_final_when_what_records_were_is_gone(
    city: TestNode, sign_in: SignIn
) -> None:
    await load(city, [row(1)])
    second = await load(city, [row(1, plan="288")])
    before = (await held(city))["before"]
    await nightly(city, 89)
    assert (await held(city))["before"] == before > 0
    await nightly(city, 2)
    assert (await held(city))["before"] == 0
    with pytest.raises(ImportOver):
        await undo(desk(city), second.id, "importer")
    supervisor = await sign_in(city, Role.SUPERVISOR)
    refused = await city.client.post(f"/customer-imports/{second.id}/undo", headers=supervisor)
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("import-over")


async def test_an_undo_begins_the_time_anew(city: TestNode) -> None:
    """What it kept is listed for as long as what an import rejected."""
    await load(city, [row(1)])
    second = await load(city, [row(1, plan="288")])
    await load(city, [row(1, plan="388")])
    city.clock.advance(timedelta(days=80))
    undone = await undo(desk(city), second.id, "importer")
    assert undone.kept == 1
    await nightly(city, 20)
    async with city.database.transaction() as session:
        kept = await session.scalar(text("SELECT import_id FROM customer_import_kept"))
    assert kept == second.id


async def test_an_interruption_is_made_good_by_the_next_night(
    city: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(city, FAULTY)
    whole, calls = delete_old.__globals__["_run"], list[str]()

    async def break_off(database: Any, statement: str, values: Any) -> int:
        calls.append(statement)
        if len(calls) == 3:
            raise ConnectionError("interrupted")
        done: int = await whole(database, statement, values)
        return done

    month = timedelta(days=30)
    now = city.clock.now() + 2 * month
    with monkeypatch.context() as patched:
        patched.setitem(delete_old.__globals__, "_run", break_off)
        with pytest.raises(ConnectionError):
            await delete_old(city.database, now=now, rejects=month, images=month, portion=1)
    assert (await held(city))["reject"] == 2
    again = await delete_old(city.database, now=now, rejects=month, images=month, portion=1)
    assert again == 2
    assert (await held(city))["reject"] == 0


async def test_a_younger_import_is_left_alone(city: TestNode) -> None:
    await load(city, [row(1, charge="x")])
    city.clock.advance(timedelta(days=20))
    loaded = await load(city, [row(1, charge="x")])
    await nightly(city, 15)
    assert counts(loaded) == (0, 0, 0, 1)
    async with city.database.transaction() as session:
        left = await session.scalars(text("SELECT import_id FROM customer_import_reject"))
        assert left.all() == [loaded.id]


async def test_samples_of_a_dry_run_go_too(city: TestNode) -> None:
    loaded = await load(city, [row(1)], dry_run=True)
    assert loaded.samples
    await nightly(city, 31)
    async with city.database.transaction() as session:
        assert await session.scalar(text("SELECT samples FROM customer_import")) == []


async def test_a_file_that_belongs_to_no_import_goes(city: TestNode) -> None:
    settings = city.context.settings
    stray, young = (uploads.path_of(settings, new_id()) for _ in range(2))
    stray.parent.mkdir(parents=True, exist_ok=True)
    now = city.clock.now().timestamp()
    for path, age in ((stray, 2 * 86400), (young, 60)):
        path.write_bytes(b"x")
        os.utime(path, (now - age, now - age))
    await city.run_job("customer-import-retention")
    assert (stray.exists(), young.exists()) == (False, True)

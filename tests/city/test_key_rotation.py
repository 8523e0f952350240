"""Rotating the keys for personal data: while the node works, and whatever stops it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from typer.testing import CliRunner

from services.city_node.customer.identity import seal_document
from services.city_node.customer.models import Customer
from services.city_node.personal_data import service
from services.city_node.personal_data.commands import app
from services.city_node.personal_data.problems import KeyInUse, KeysRotating, SealingUnderWay
from shared.capability import Role
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_id
from shared.kernel.settings import load_settings
from shared.organisation.service import ensure_divisions
from shared.startup import open_context
from tests.city.drafts import CITY, Headers, SignIn, id_card, settle
from tests.city.extracts import load, row
from tests.conftest import TestNode

PEOPLE = 7


@pytest.fixture
async def headers(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


class Killed(Exception):
    """The process is gone."""


async def begin(city: TestNode) -> None:
    await service.begin(city.database, city.context.cipher, by="test", now=city.clock.now())


async def rotate(city: TestNode, portion_rows: int = 2) -> bool:
    """Carry a rotation as far as it goes."""
    async for _ in service.seal(city.database, city.context.cipher, portion_rows=portion_rows):
        pass
    return await service.end(city.database, now=city.clock.now())


async def find(city: TestNode, headers: Headers, running: int) -> list[str]:
    answer = await city.client.get(f"/customers?document={id_card(running)}", headers=headers)
    return [item["id"] for item in answer.json()["items"]]


async def document(city: TestNode, headers: Headers, customer_id: str) -> Any:
    answer = await city.client.get(f"/customers/{customer_id}/document", headers=headers)
    return answer.json()["document_number"]


@pytest.fixture
async def people(city: TestNode, headers: Headers) -> dict[int, str]:
    return {
        running: (await settle(city, headers, running))["id"] for running in range(1, PEOPLE + 1)
    }


async def test_every_value_is_found_and_read_at_each_step(
    city: TestNode, headers: Headers, people: dict[int, str]
) -> None:
    other = Cipher.load_or_create(city.node.settings.directory / "keys")
    await begin(city)
    assert other.current.id == city.context.cipher.current.id == 2
    steps: AsyncIterator[Any] = service.seal(city.database, city.context.cipher, portion_rows=2)
    later = PEOPLE
    while True:
        for running, customer_id in people.items():
            assert await find(city, headers, running) == [customer_id]
            assert await document(city, headers, customer_id) == id_card(running)
        taken = await city.client.post(
            "/customers", json={"name": "甲", **_document(1)}, headers=headers
        )
        assert taken.status_code == 409
        later += 1
        people[later] = (await settle(city, headers, later))["id"]
        if (await anext(steps, None)) is None:
            break
    assert await service.end(city.database, now=city.clock.now())
    used = await service.keys_in_use(city.database)
    assert used == {2: {"customer.document": len(people)}}
    for running, customer_id in people.items():
        assert await find(city, headers, running) == [customer_id]


def _document(running: int) -> dict[str, str]:
    return {"document_type": "id_card", "document_number": id_card(running)}


@pytest.mark.parametrize("statement", range(1, 17, 2))
async def test_it_may_be_killed_at_any_statement_and_is_taken_up(
    city: TestNode, headers: Headers, people: dict[int, str], statement: int
) -> None:
    left = statement

    def kill(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    engine = city.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", kill)
    try:
        await begin(city)
        await rotate(city)
    except Killed:
        pass
    finally:
        event.remove(engine, "before_cursor_execute", kill)
    for running, customer_id in people.items():
        assert await find(city, headers, running) == [customer_id]
        assert await document(city, headers, customer_id) == id_card(running)
    await begin(city)
    city.clock.advance(timedelta(minutes=1))
    await city.run_job("personal-data-sealing")
    newest = city.context.cipher.current.id
    assert await service.end(city.database, now=city.clock.now())
    assert await service.keys_in_use(city.database) == {newest: {"customer.document": PEOPLE}}
    for running, customer_id in people.items():
        assert await find(city, headers, running) == [customer_id]
        assert await document(city, headers, customer_id) == id_card(running)


async def test_the_job_waits_until_no_search_knows_the_old_key_alone(
    city: TestNode, people: dict[int, str]
) -> None:
    await city.run_job("personal-data-sealing")
    await begin(city)
    await city.run_job("personal-data-sealing")
    assert await service.keys_in_use(city.database) == {1: {"customer.document": len(people)}}
    city.clock.advance(service.GRACE)
    await city.run_job("personal-data-sealing")
    assert await service.keys_in_use(city.database) == {2: {"customer.document": len(people)}}


async def test_a_row_that_is_locked_is_left_for_the_next_pass(
    city: TestNode, people: dict[int, str]
) -> None:
    await begin(city)
    async with city.database.transaction() as session:
        await session.execute(select(Customer).limit(1).with_for_update())
        assert not await rotate(city)
    assert await rotate(city)
    assert await service.keys_in_use(city.database) == {2: {"customer.document": len(people)}}


async def test_a_key_is_dropped_only_when_nothing_needs_it(
    city: TestNode, headers: Headers, people: dict[int, str]
) -> None:
    cipher = city.context.cipher
    with pytest.raises(KeyInUse, match="newest"):
        await service.drop(city.database, cipher, 1)
    await begin(city)
    with pytest.raises(KeyInUse, match="under way"):
        await service.drop(city.database, cipher, 1)
    assert await rotate(city)
    async with city.database.transaction() as session:
        customer = (await session.scalars(select(Customer).limit(1))).one()
        kept = customer.document_cipher
        old = next(key for key in cipher.ring() if key.id == 1)
        customer.document_cipher = Cipher(old.secret[:32], old.secret[32:]).encrypt("x")
    with pytest.raises(KeyInUse, match=r"1 values of customer\.document need it"):
        await service.drop(city.database, cipher, 1)
    async with city.database.transaction() as session:
        (await session.scalars(select(Customer).where(Customer.id == customer.id))).one()
        await session.execute(
            text("UPDATE customer SET document_cipher = :kept WHERE id = :id").bindparams(
                kept=kept, id=customer.id
            )
        )
    await service.drop(city.database, cipher, 1)
    assert [key.id for key in cipher.ring()] == [2]
    for running, customer_id in people.items():
        assert await find(city, headers, running) == [customer_id]
        assert await document(city, headers, customer_id) == id_card(running)


async def test_imports_and_rotations_wait_for_one_another(
    city: TestNode, people: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TRIES", 2)
    monkeypatch.setattr(service, "PAUSE_SECONDS", 0)
    async with city.database.transaction() as session:
        await service.hold_keys_for_bulk(session)
        with pytest.raises(SealingUnderWay):
            await begin(city)
    assert city.context.cipher.current.id == 1
    await begin(city)
    with pytest.raises(KeysRotating):
        await load(city, [row(50)])
    assert await rotate(city)
    assert (await load(city, [row(50)])).created == 1


async def test_an_import_knows_a_document_again_after_a_rotation(
    city: TestNode, people: dict[int, str]
) -> None:
    await load(city, [row(50)])
    await begin(city)
    assert await rotate(city)
    assert (await load(city, [row(50)])).unchanged == 1
    clash = await load(city, [row(51, document=id_card(1))])
    assert clash.rejected == 1


async def _one_customer(url: str, home: Path) -> None:
    settings = load_settings(code=CITY, home=home, database_url=url)
    async with open_context(settings) as context:
        await ensure_divisions(context)
        sealed = seal_document(context.cipher, "id_card", id_card(1))
        made = datetime(2026, 11, 1, tzinfo=UTC)
        async with context.database.transaction() as session:
            session.add(
                Customer(
                    id=new_id(),
                    customer_number="1",
                    kind="individual",
                    name="甲",
                    name_sort="jia",
                    unit_code=CITY,
                    document_type=sealed.type,
                    document_cipher=sealed.cipher,
                    document_index=sealed.index,
                    document_masked=sealed.masked,
                    entry_date=made.date(),
                    created_at=made,
                    created_by="test",
                    updated_at=made,
                    updated_by="test",
                )
            )


def test_the_commands(
    postgres: Any, template: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.create_database("rotation_commands")
    monkeypatch.setenv("GUANXI_HOME", str(tmp_path))
    monkeypatch.setenv("GUANXI_DATABASE_URL", postgres.database_url("rotation_commands"))
    monkeypatch.setattr(service, "GRACE", timedelta())

    def said(*words: str) -> Any:
        result = CliRunner().invoke(app, [*words, "--node", CITY, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    asyncio.run(_one_customer(postgres.database_url("rotation_commands"), tmp_path))
    assert said("rotate-key") == {"key": 2, "values": 1, "rows of an older key": 0}
    assert [each["state"] for each in said("keys")] == ["opens", "seals"]
    assert said("drop-key", "1") == {"dropped": 1, "keys": [2]}
    refused = CliRunner().invoke(app, ["drop-key", "2", "--node", CITY])
    assert refused.exit_code == 1
    assert "newest" in refused.output

"""Copies of sealed values when the keys are rotated: what waits, what was refused, and what can be taken back."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.city_node import proposal
from services.city_node.customer_import.models import ImportState
from services.city_node.customer_import.reports import rejects_as_csv
from services.city_node.customer_import.undoing import undo
from services.city_node.duplicate.service import scan
from services.city_node.personal_data import service
from services.city_node.personal_data.copies import COPIES
from shared.capability import Role
from tests.city.drafts import CAPABILITIES, Headers, SignIn, fresh, id_card, make_city, settle
from tests.city.extracts import desk, load, row
from tests.conftest import MakeNode, TestNode


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node, (*CAPABILITIES, proposal.capability))


@pytest.fixture
async def supervisor(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


async def rotate(city: TestNode, *, drops: bool = True) -> None:
    """Rotate the keys to the end, and drop the old one."""
    cipher = city.context.cipher
    await service.begin(city.database, cipher, by="test", now=city.clock.now())
    async for _ in service.seal(city.database, cipher, portion_rows=1):
        pass
    assert await service.end(city.database, now=city.clock.now())
    if drops:
        await service.drop(city.database, cipher, 1)


async def document(city: TestNode, headers: Headers, customer: dict[str, Any]) -> Any:
    answer = await city.client.get(f"/customers/{customer['id']}/document", headers=headers)
    return answer.json().get("document_number")


async def reach(city: TestNode, headers: Headers, customer: dict[str, Any], phone: str) -> None:
    answer = await city.client.post(
        f"/customers/{customer['id']}/contacts",
        json={"kind": "phone", "value": phone},
        headers={**headers, "Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == 201, answer.text


async def phones(city: TestNode, headers: Headers, customer: dict[str, Any]) -> list[str]:
    path = f"/customers/{customer['id']}/contacts"
    items = (await city.client.get(path, headers=headers)).json()["items"]
    return sorted(item["value"] for item in items)


async def profile(city: TestNode, headers: Headers, customer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (
        await city.client.get(f"/customers/{customer['id']}", headers=headers)
    ).json()
    return found


async def test_a_merge_is_undone_after_a_rotation(city: TestNode, supervisor: Headers) -> None:
    one, other = await settle(city, supervisor, 1), await settle(city, supervisor, 2)
    for each in (one, other):
        await reach(city, supervisor, each, "13912345678")  # the one is set aside
    one, other = await profile(city, supervisor, one), await profile(city, supervisor, other)
    merged = await city.client.post(
        "/customer-merges",
        json={
            "survivor_id": one["id"],
            "merged_id": other["id"],
            "survivor_version": one["version"],
            "merged_version": other["version"],
            "chosen": {"document": "merged"},
        },
        headers={**supervisor, "Idempotency-Key": "merge"},
    )
    assert merged.status_code == 201, merged.text
    assert await document(city, supervisor, one) == id_card(2)
    await rotate(city)
    path = f"/customer-merges/{merged.json()['id']}/undo"
    undone = await city.client.post(path, headers=supervisor)
    assert undone.status_code == 200, undone.text
    assert await document(city, supervisor, one) == id_card(1)
    assert await document(city, supervisor, other) == id_card(2)
    for each in (one, other):
        assert await phones(city, supervisor, each) == ["13912345678"]
    found = await city.client.get("/customers?contact=13912345678", headers=supervisor)
    assert {item["id"] for item in found.json()["items"]} == {one["id"], other["id"]}


async def test_a_proposal_is_approved_after_a_rotation(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    one = await settle(city, supervisor, 1)
    number = {"document_type": "id_card", "document_number": id_card(5)}
    asked = await city.client.patch(
        f"/customers/{one['id']}", json=number, headers=fresh(supervisor, one)
    )
    assert asked.status_code == 202, asked.text
    await rotate(city, drops=False)
    second = await sign_in(city, Role.SUPERVISOR)
    approved = await city.client.post(
        f"/customer-proposals/{asked.json()['proposal_id']}/approve",
        headers={**second, "If-Match": '"1"'},
    )
    assert approved.status_code == 200, approved.text
    assert await document(city, supervisor, one) == id_card(5)


async def test_an_import_is_undone_and_its_rejects_are_read_after_a_rotation(
    city: TestNode, supervisor: Headers
) -> None:
    first = row(1, phone="13800000001")
    await load(city, [first])
    changed = await load(
        city,
        [{**first, "document": id_card(2), "phone": "13800000002"}, row(3, document="nothing")],
    )
    assert (changed.changed, changed.rejected) == (1, 1)
    await rotate(city)
    async with city.database.transaction() as session:
        text = b"".join(
            [piece async for piece in rejects_as_csv(session, changed, city.context.cipher)]
        )
    assert b"nothing" in text
    done = await undo(desk(city), changed.id, "importer")
    assert done.state == ImportState.UNDONE
    found = await city.client.get(f"/customers?document={id_card(1)}", headers=supervisor)
    (one,) = found.json()["items"]
    assert await document(city, supervisor, one) == id_card(1)
    assert await phones(city, supervisor, one) == ["13800000001"]


async def test_a_key_that_a_copy_needs_is_not_dropped(city: TestNode, supervisor: Headers) -> None:
    one = await settle(city, supervisor, 1)
    number = {"document_type": "id_card", "document_number": id_card(5)}
    await city.client.patch(f"/customers/{one['id']}", json=number, headers=fresh(supervisor, one))
    used = await service.keys_in_use(city.database)
    assert used == {1: {"customer.document": 1, "customer_proposal.sealed": 1}}
    assert "customer_proposal.sealed" in {copy.label for copy in COPIES}


async def test_likeness_is_found_across_a_rotation(city: TestNode, supervisor: Headers) -> None:
    nobody: dict[str, Any] = {"document_type": None, "document_number": None}
    cipher = city.context.cipher
    one = await settle(city, supervisor, 1)
    await reach(city, supervisor, one, "+86 139 1234 5678")
    await scan(city.database, cipher, now=city.clock.now())
    await rotate(city)
    other = await settle(city, supervisor, 2, **nobody)
    await reach(city, supervisor, other, "139-1234-5678")
    done = await scan(city.database, cipher, now=city.clock.now() + timedelta(days=3))
    assert (done.full, done.candidates) == (True, 1)

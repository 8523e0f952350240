"""Contact values at rest: encrypted, found exactly, opened for those who may see them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.city_node.customer.identity import seal_contact
from services.city_node.personal_data import service
from services.city_node.personal_data.problems import ValuesInClear
from shared.capability import Role
from tests.city.drafts import Headers, SignIn, fresh, settle
from tests.city.extracts import MAPPING, load, row
from tests.city.holding import group_of, note
from tests.city.test_generator import populate
from tests.conftest import TestNode

PHONE, EMAIL, PLACE = "139-1111-2222", "O.Secret@example.com", "广东省深圳市 南山区科技园17号"
KEY_PERSON = {"name": "李娜", "phone": "13733334444", "email": "key.secret@example.com"}
TIE = {"kind": "spouse", "person_name": "王芳", "phone": "13655556666"}
CLEAR = (PHONE, EMAIL, PLACE, "13733334444", "key.secret@example.com", "13655556666")
TABLES = """
    SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"""


@pytest.fixture
async def headers(city: TestNode, sign_in: SignIn) -> Headers:
    return await sign_in(city, Role.SUPERVISOR)


async def reach(city: TestNode, headers: Headers, customer: Any, kind: str, value: str) -> Any:
    body = {"kind": kind, "value": value}
    return await city.client.post(
        f"/customers/{customer['id']}/contacts", json=body, headers=headers
    )


@pytest.fixture
async def person(city: TestNode, headers: Headers) -> Any:
    made = await settle(city, headers)
    for kind, value in (("phone", PHONE), ("email", EMAIL), ("postal", PLACE)):
        assert (await reach(city, headers, made, kind, value)).status_code == 201
    assert (await note(city, headers, made, "ties", TIE)).status_code == 201
    return made


async def everything(city: TestNode) -> str:
    """Return all that the node's tables hold, as text."""
    async with city.database.transaction() as session:
        tables = (await session.scalars(text(TABLES))).all()
        rows = [
            str(row)
            for table in tables
            for row in await session.scalars(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - the catalogue's names
        ]
    return "\n".join(rows)


async def contacts(city: TestNode, headers: Headers, customer: Any) -> list[str]:
    page = await city.client.get(f"/customers/{customer['id']}/contacts", headers=headers)
    whole = await city.client.get(
        f"/customers/{customer['id']}?fields=id&include=contacts", headers=headers
    )
    assert page.json()["items"] == whole.json()["contacts"]
    return [one["value"] for one in page.json()["items"]]


async def test_no_table_holds_a_contact_value_in_clear(
    city: TestNode, headers: Headers, person: Any
) -> None:
    group = await group_of(city, headers)
    assert (await note(city, headers, group, "key-persons", KEY_PERSON)).status_code == 201
    await load(city, [row(50, phone="0755-12121212")])
    await load(city, [row(50, phone="0755-34343434")])
    await populate(city, 30, append=True, usage=False)
    kept = await everything(city)
    assert "李娜" in kept
    assert [value for value in (*CLEAR, "0755-12121212", "0755-34343434") if value in kept] == []
    assert "@example.com" in kept  # masked
    assert [line for line in kept.split("\n") if "c1@example.com" in line] == []
    assert await contacts(city, headers, person) == [PHONE, EMAIL, PLACE]


async def test_a_contact_is_found_exactly_however_it_is_written(
    city: TestNode, headers: Headers, person: Any
) -> None:
    await settle(city, headers, 2)
    for value in ("13911112222", "+86 139 1111 2222", "o.secret@EXAMPLE.com", PLACE):
        answer = await city.client.get("/customers", params={"contact": value}, headers=headers)
        assert [one["id"] for one in answer.json()["items"]] == [person["id"]], value
    for value in ("1391111222", "13911112223", "secret@example.com"):
        answer = await city.client.get("/customers", params={"contact": value}, headers=headers)
        assert answer.json()["items"] == []
    again = await reach(city, headers, person, "phone", "13911112222")
    assert (again.status_code, again.json()["type"]) == (409, "urn:guanxi:problem:number-taken")


async def test_a_third_persons_number_is_changed_and_kept_sealed(
    city: TestNode, headers: Headers
) -> None:
    group = await group_of(city, headers)
    made = await note(city, headers, group, "key-persons", KEY_PERSON)
    where = made.headers["location"]
    read = (await city.client.get(where, headers=headers)).json()
    assert KEY_PERSON.items() <= read.items()
    for version, (patch, shown) in enumerate(
        (
            ({"title": "主任"}, KEY_PERSON["phone"]),
            ({"phone": "13799998888"}, "13799998888"),
            ({"phone": None}, None),
        ),
        2,
    ):
        changed = await city.client.patch(
            where, json=patch, headers={**headers, "If-Match": f'"{version}"'}
        )
        assert (changed.status_code, changed.json()["phone"]) == (200, shown), changed.text
        assert changed.json()["email"] == KEY_PERSON["email"]
    history = await city.client.get(f"/customers/{group['id']}/changes", headers=headers)
    phones = [
        (one["old"], one["new"])
        for item in history.json()["items"]
        for one in item["changes"]
        if one["field"].endswith("/phone")
    ]
    assert phones == [("137****8888", None), ("137****4444", "137****8888"), (None, "137****4444")]


async def test_text_that_looks_sealed_is_left_as_it_is(city: TestNode, headers: Headers) -> None:
    stolen = city.context.cipher.encrypt("13800138000").hex()
    odd = {"a": "\\u001f" + stolen, "b": f'"\\u001f{stolen}"', "c": stolen}
    made = await settle(city, headers, attributes=odd)
    await reach(city, headers, made, "phone", PHONE)
    read = await city.client.get(f"/customers/{made['id']}?include=contacts", headers=headers)
    assert read.json()["attributes"] == odd
    assert read.json()["contacts"][0]["value"] == PHONE


async def in_clear(city: TestNode, person: Any) -> None:
    """Keep contact values as an earlier release did; one of them twice, in two spellings."""
    async with city.database.transaction() as session:
        for kind, value in (("phone", PHONE), ("email", EMAIL), ("postal", PLACE)):
            await session.execute(
                text(
                    "UPDATE contact_medium SET value = :value, value_cipher = NULL, value_index = NULL WHERE kind = :kind"
                ).bindparams(value=value, kind=kind)
            )
        await session.execute(
            text(
                "INSERT INTO contact_medium (id, customer_id, kind, value, value_masked)"
                " VALUES (gen_random_uuid(), CAST(:customer AS uuid), 'phone', '13911112222', '139****2222')"
            ).bindparams(customer=person["id"])
        )
        await session.execute(
            text(
                "UPDATE tie SET phone = :phone, phone_cipher = NULL, phone_index = NULL"
            ).bindparams(phone=TIE["phone"])
        )


async def test_values_of_an_earlier_release_are_read_and_sealed_while_the_node_works(
    city: TestNode, headers: Headers, person: Any, sign_in: SignIn
) -> None:
    await in_clear(city, person)
    program = await sign_in(city, Role.INTEGRATION)
    clear, masked = (
        await contacts(city, headers, person),
        await contacts(city, program, person),
    )
    assert set(clear) == {PHONE, EMAIL, PLACE, "13911112222"}
    assert not set(clear) & set(masked)
    with pytest.raises(ValuesInClear):
        await load(city, [row(50)], MAPPING)
    again = await reach(city, headers, person, "email", EMAIL)
    assert again.status_code == 409

    async for done in service.seal(city.database, city.context.cipher, portion_rows=1):
        assert done.rows == 1
        assert sorted(await contacts(city, headers, person)) == sorted(clear)
        assert sorted(await contacts(city, program, person)) == sorted(masked)
    kept = await everything(city)
    assert [value for value in (*clear, TIE["phone"]) if value in kept] == []
    answer = await city.client.get("/customers?contact=13911112222", headers=headers)
    assert [one["id"] for one in answer.json()["items"]] == [person["id"]]
    assert (await load(city, [row(50)], MAPPING)).created == 1


async def test_the_job_seals_and_rotates_contact_values_too(
    city: TestNode, headers: Headers, person: Any
) -> None:
    await in_clear(city, person)
    await city.run_job("personal-data-sealing")
    assert await service.keys_in_use(city.database) == {
        1: {"customer.document": 1, "contact_medium.value": 4, "tie.phone": 1}
    }
    await service.begin(city.database, city.context.cipher, by="test", now=city.clock.now())
    answer = await city.client.get("/customers?contact=13911112222", headers=headers)
    assert [one["id"] for one in answer.json()["items"]] == [person["id"]]
    city.clock.advance(timedelta(minutes=1))
    await city.run_job("personal-data-sealing")
    await service.drop(city.database, city.context.cipher, 1)
    assert set(await contacts(city, headers, person)) == {PHONE, EMAIL, PLACE, "13911112222"}
    answer = await city.client.get("/customers?contact=13911112222", headers=headers)
    assert [one["id"] for one in answer.json()["items"]] == [person["id"]]


async def test_a_change_of_something_in_clear_seals_it_and_notes_no_change_of_it(
    city: TestNode, headers: Headers, person: Any
) -> None:
    await in_clear(city, person)
    ties = (await city.client.get(f"/customers/{person['id']}/ties", headers=headers)).json()
    profile = (await city.client.get(f"/customers/{person['id']}", headers=headers)).json()
    changed = await city.client.patch(
        f"/customers/{person['id']}/ties/{ties['items'][0]['id']}",
        json={"note": "同住"},
        headers=fresh(headers, profile),
    )
    assert (changed.status_code, changed.json()["phone"]) == (200, TIE["phone"])
    history = await city.client.get(f"/customers/{person['id']}/changes?limit=1", headers=headers)
    fields = [one["field"].rsplit("/", 1)[1] for one in history.json()["items"][0]["changes"]]
    assert fields == ["note"]
    assert TIE["phone"] not in await everything(city)


def test_equal_values_are_sealed_differently_and_indexed_alike(city: TestNode) -> None:
    once, again = (seal_contact(city.context.cipher, "phone", PHONE) for _ in range(2))
    assert (once.index, once.masked) == (again.index, again.masked)
    assert once.cipher != again.cipher

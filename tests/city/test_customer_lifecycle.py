"""Leaving and returning, what a customer holds, and the history of it all."""

import asyncio
from typing import Any

from sqlalchemy import text

from tests.city.drafts import Headers, fresh, id_card, line, person, settle
from tests.conftest import TestNode


async def hold(
    city: TestNode, headers: Headers, profile: dict[str, Any], running: int = 1, **given: Any
) -> Any:
    """Give the customer a line, and return the answer."""
    return await city.client.post(
        f"/customers/{profile['id']}/subscriptions",
        json=line(running, **given),
        headers={**headers, "Idempotency-Key": f"{profile['id']}-{running}"},
    )


async def history(
    city: TestNode, headers: Headers, profile: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the customer's changes, the oldest first."""
    answer = await city.client.get(f"/customers/{profile['id']}/changes?sort=id", headers=headers)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_customer_who_leaves_is_kept_whole_and_frees_the_numbers(
    city: TestNode, clerk: Headers
) -> None:
    profile = (await hold(city, clerk, await settle(city, clerk))).json()
    path = f"/customers/{profile['id']}"
    departure = {"reason": "price", "destination": "中国联通", "on": "2026-11-20"}
    answer = await city.client.post(f"{path}/retire", json=departure, headers=fresh(clerk, profile))
    assert answer.status_code == 200, answer.text
    left = answer.json()
    kept = {name for name in profile if left[name] == profile[name]}
    assert set(profile) - kept == {
        "library", "left_on", "left_reason", "left_destination", "left_competitor", "version",
    }  # fmt: skip
    assert (left["library"], left["left_on"]) == ("retained", "2026-11-20")
    assert (left["left_reason"], left["left_destination"]) == ("price", "中国联通")
    lines = (await city.client.get(f"{path}/subscriptions", headers=clerk)).json()["items"]
    assert [(one["status"], one["ended_on"], one["iccid"]) for one in lines] == [
        ("ended", "2026-11-20", None)
    ]
    async with city.database.transaction() as session:
        states = (await session.scalars(text("SELECT state FROM sim"))).all()
    assert states == ["ended"]
    # The number is free for somebody else; the card is used up.
    other = await settle(city, clerk, 2)
    assert (await hold(city, clerk, other, 1)).status_code == 409
    assert (await hold(city, clerk, other, 2, msisdn=line(1)["msisdn"])).status_code == 201


async def test_a_customer_who_returns_is_restored_with_the_history(
    city: TestNode, clerk: Headers
) -> None:
    profile = (await hold(city, clerk, await settle(city, clerk))).json()
    path = f"/customers/{profile['id']}"
    left = await city.client.post(
        f"{path}/retire", json={"reason": "moved"}, headers=fresh(clerk, profile)
    )
    assert left.json()["left_on"] == "2026-11-23"
    back = await city.client.post(f"{path}/restore", headers=fresh(clerk, left.json()))
    assert back.json() | {"version": 0, "updated_at": ""} == profile | {
        "version": 0,
        "updated_at": "",
    }
    changes = await history(city, clerk, profile)
    assert [change["action"] for change in changes] == [
        "created",
        "subscribed",
        "retired",
        "restored",
    ]
    assert {"field": "library", "old": "in_network", "new": "retained"} in changes[2]["changes"]
    ended = f"subscriptions/{line(1)['msisdn']}/status"
    assert {"field": ended, "old": "active", "new": "ended"} in changes[2]["changes"]
    assert {"field": "left_reason", "old": "moved", "new": None} in changes[3]["changes"]


async def test_libraries_are_changed_only_the_right_way_round(
    city: TestNode, clerk: Headers
) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    update = fresh(clerk, profile)
    assert (await city.client.post(f"{path}/restore", headers=update)).status_code == 409
    for wrong, status in (
        ({"reason": "price", "on": "2026-11-24"}, 422),
        ({"reason": "price", "on": "2020-04-30"}, 422),
        ({"reason": " "}, 422),
        ({}, 422),
    ):
        answer = await city.client.post(f"{path}/retire", json=wrong, headers=update)
        assert answer.status_code == status, wrong
    leave = {"reason": "price"}
    assert (await city.client.post(f"{path}/retire", json=leave, headers=clerk)).status_code == 428
    left = (await city.client.post(f"{path}/retire", json=leave, headers=update)).json()
    assert (await city.client.post(f"{path}/retire", json=leave, headers=update)).status_code == 412
    again = await city.client.post(f"{path}/retire", json=leave, headers=fresh(clerk, left))
    assert again.status_code == 409
    assert (await hold(city, clerk, profile)).status_code == 409
    early = {"entry_date": "2026-11-23", "birth_date": "2026-11-24"}
    answer = await city.client.patch(path, json=early, headers=fresh(clerk, left))
    assert answer.status_code == 422


async def test_a_line_takes_a_number_and_a_card_that_nobody_has(
    city: TestNode, clerk: Headers
) -> None:
    first, second = await settle(city, clerk, 1), await settle(city, clerk, 2)
    made = await hold(city, clerk, first)
    assert made.status_code == 201
    assert (made.json()["version"], made.headers["etag"]) == (2, '"2"')
    for changed, pointer in (
        ({"msisdn": line(1)["msisdn"]}, "/msisdn"),
        ({"iccid": line(1)["iccid"]}, "/iccid"),
        ({"imsi": line(1)["imsi"]}, "/iccid"),
    ):
        refused = await hold(city, clerk, second, 2, **changed)
        assert refused.status_code == 409, changed
        if "imsi" not in changed:
            assert refused.json()["errors"][0]["pointer"] == pointer
    for wrong in (
        {"msisdn": "23800000002"},
        {"msisdn": "1380000000²"},
        {"iccid": "123"},
        {"imsi": "12345678901234"},
        {"imsi": None},
        {"entry_date": "2026-11-24"},
    ):
        assert (await hold(city, clerk, second, 3, **wrong)).status_code == 422, wrong
    assert (await city.client.get(f"/customers/{second['id']}", headers=clerk)).json() == second
    assert (await hold(city, clerk, second, 4, iccid=None, imsi=None)).status_code == 201


async def test_a_line_asked_for_twice_is_made_once(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    first, second = await hold(city, clerk, profile), await hold(city, clerk, profile)
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    path = f"/customers/{profile['id']}/subscriptions"
    assert len((await city.client.get(path, headers=clerk)).json()["items"]) == 1
    bare = await city.client.post(path, json=line(2), headers=clerk)
    assert bare.status_code == 400


async def test_of_two_who_take_a_number_at_once_one_gets_it(city: TestNode, clerk: Headers) -> None:
    first, second = await settle(city, clerk, 1), await settle(city, clerk, 2)
    answers = await asyncio.gather(hold(city, clerk, first), hold(city, clerk, second))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_one_contact_medium_is_preferred(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"

    async def add(**contact: Any) -> int:
        answer = await city.client.post(f"{path}/contacts", json=contact, headers=clerk)
        return answer.status_code

    assert await add(kind="phone", value="0755-26001234", preferred=True) == 201
    assert (
        await add(
            kind="email", value="a@example.com", preferred=True, preferred_hours="09:00-11:30"
        )
    ) == 201
    assert await add(kind="phone", value="0755-26001234") == 409
    for wrong in (
        {"kind": "phone", "value": "call me"},
        {"kind": "email", "value": "nobody"},
        {"kind": "fax", "value": "0755-26001234"},
        {"kind": "postal", "value": "x", "preferred_hours": "25:00-26:00"},
    ):
        assert await add(**wrong) == 422, wrong
    contacts = (await city.client.get(f"{path}?include=contacts", headers=clerk)).json()["contacts"]
    assert [(one["value"], one["preferred"]) for one in contacts] == [
        ("0755-26001234", False),
        ("a@example.com", True),
    ]


async def test_history_says_who_when_whence_and_what(city: TestNode, clerk: Headers) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    patch = {"name": "张玮", "attributes": {"vip": None, "card": "black"}}
    await city.client.patch(path, json=patch, headers=fresh(clerk, profile))
    created, changed = await history(city, clerk, profile)
    assert created["source"] == changed["source"] == "rest"
    assert created["by"] == changed["by"] == profile["created_by"]
    assert changed["at"] == "2026-11-23T04:00:00+00:00"
    assert {"field": "entry_date", "old": None, "new": "2020-05-01"} in created["changes"]
    assert changed["changes"] == [
        {"field": "name", "old": "张伟", "new": "张玮"},
        {"field": "attributes/vip", "old": True, "new": None},
        {"field": "attributes/card", "old": None, "new": "black"},
    ]
    first = await city.client.get(f"{path}/changes?limit=1", headers=clerk)
    assert first.json()["items"] == [changed]
    rest = await city.client.get(
        f"{path}/changes?limit=1&cursor={first.json()['next']}", headers=clerk
    )
    assert rest.json() == {"items": [created], "next": None}
    only = await city.client.get(f"{path}/changes?action=created", headers=clerk)
    assert only.json()["items"] == [created]


async def test_changes_undone_backwards_give_the_profile_as_it_began(
    city: TestNode, clerk: Headers
) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    present = profile
    for patch in (
        {"level": "silver", "payment_method": "cash"},
        {"name": "李娜", "sex": "female", "level": "diamond"},
        {"payment_method": None, "entry_date": "2019-01-01"},
    ):
        answer = await city.client.patch(path, json=patch, headers=fresh(clerk, present))
        present = answer.json()
    for change in reversed(await history(city, clerk, profile)):
        if change["action"] != "created":
            for one in change["changes"]:
                assert present[one["field"]] == one["new"]
                present[one["field"]] = one["old"]
    assert present | {"version": 1} == profile


async def test_a_commit_that_fails_is_never_answered_as_done(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    profile = await settle(city, clerk)
    async with city.database.transaction() as session:
        await session.execute(
            text(
                "CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$"
            )
        )
        for table in ("customer_change", "audit_record"):
            await session.execute(
                text(
                    f"CREATE CONSTRAINT TRIGGER break_off AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break_off()"
                )
            )
    path = f"/customers/{profile['id']}"
    for answer in (
        await city.client.post("/customers", json=person(5), headers=clerk),
        await city.client.patch(path, json={"level": "diamond"}, headers=fresh(clerk, profile)),
        await hold(city, clerk, profile),
        await city.client.get(path, headers=clerk),
        await city.client.get("/customers", headers=clerk),
        await city.client.get(f"{path}/document", headers=supervisor),
        await city.client.get(f"{path}?fields=document_number", headers=supervisor),
    ):
        assert answer.status_code == 500
        assert id_card(1) not in answer.text
        assert profile["name"] not in answer.text
    async with city.database.transaction() as session:
        await session.execute(text("DROP TRIGGER break_off ON audit_record"))
    assert (await city.client.get(path, headers=clerk)).json() == profile
    everybody = await city.client.get("/customers?library=all&count=true", headers=clerk)
    assert everybody.json()["count"] == 1

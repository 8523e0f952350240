"""A profile as of any moment: what was read then is what is read now."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.city_node.customer.as_of import _NOT_TOLD
from shared.capability import Role
from tests.city.drafts import Headers, SignIn, fresh, id_card, line, settle
from tests.conftest import TestNode
from tests.examples import examples

PARTS = "subscriptions,contacts,preferences,ties,interactions"


@pytest.fixture
async def reader(city: TestNode, sign_in: SignIn) -> Headers:
    """Somebody who sees numbers masked, as history has them."""
    return await sign_in(city, Role.INTEGRATION)


def told(page: dict[str, Any]) -> dict[str, Any]:
    """A page without what history does not hold, and its parts in one order."""
    shown = {name: value for name, value in page.items() if name != "as_of"}
    for name, value in shown.items():
        if isinstance(value, list):
            left_out = _NOT_TOLD.get(name, ())
            items = [{k: v for k, v in item.items() if k not in left_out} for item in value]
            shown[name] = sorted(items, key=lambda item: str(item["id"]))
    return shown


async def read(
    city: TestNode, headers: Headers, customer: dict[str, Any], moment: Any = None
) -> dict[str, Any]:
    query = {"include": PARTS} | ({"as_of": moment.isoformat()} if moment else {})
    answer = await city.client.get(f"/customers/{customer['id']}", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["张伟", "章卫", "Zhang"]),
        "sex": st.sampled_from(["male", "female"]),
        "birth_date": st.sampled_from([None, "1990-01-01", "1991-02-03"]),
        "level": st.sampled_from(["gold", "diamond"]),
        "payment_method": st.sampled_from([None, "代扣"]),
        "attributes": st.dictionaries(
            st.sampled_from(["vip", "a/b", "hobby"]),
            st.sampled_from([None, True, "x", {"tea": 1}]),
            min_size=1,
        ),
        "document": st.sampled_from([1, 2, None]),
    },
)
EDITS = st.one_of(
    st.tuples(st.just("patch"), PATCHES),
    st.tuples(st.just("line"), st.integers(1, 3)),
    st.tuples(st.just("contact"), st.sampled_from(["13912345678", "13812345678"])),
    st.tuples(st.just("preference"), st.sampled_from(["围棋", "高尔夫"])),
    st.tuples(st.just("hobby"), st.sampled_from(["围棋", "茶"])),
    st.tuples(st.just("forget"), st.none()),
    st.tuples(st.just("retire"), st.none()),
    st.tuples(st.just("restore"), st.none()),
)


async def edit(city: TestNode, clerk: Headers, customer: dict[str, Any], edit: Any) -> None:
    """Make one edit; it may be refused, and then changes nothing."""
    what, value = edit
    path = f"/customers/{customer['id']}"
    page = await read(city, clerk, customer)
    headers = {**fresh(clerk, page), "Idempotency-Key": str(uuid4())}
    first = page["preferences"][0]["id"] if page["preferences"] else uuid4()
    if what == "patch":
        body = dict(value)
        if "document" in body:
            running = body.pop("document")
            body["document_type"] = "id_card" if running else None
            body["document_number"] = id_card(running) if running else None
        await city.client.patch(path, json=body, headers=headers)
    elif what == "line":
        await city.client.post(f"{path}/subscriptions", json=line(value), headers=headers)
    elif what == "contact":
        body = {"kind": "phone", "value": value, "preferred": True}
        await city.client.post(f"{path}/contacts", json=body, headers=headers)
    elif what == "preference":
        body = {"topic": "interest", "value": value}
        await city.client.post(f"{path}/preferences", json=body, headers=headers)
    elif what == "hobby":
        body = {"value": value}
        await city.client.patch(f"{path}/preferences/{first}", json=body, headers=headers)
    elif what == "forget":
        await city.client.delete(f"{path}/preferences/{first}", headers=headers)
    elif what == "retire":
        await city.client.post(f"{path}/retire", json={"reason": "price"}, headers=headers)
    else:
        await city.client.post(f"{path}/restore", headers=headers)


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(edits=st.lists(EDITS, min_size=1, max_size=8))
async def test_as_of_equals_what_was_read_then(
    city: TestNode, clerk: Headers, reader: Headers, edits: list[Any]
) -> None:
    async with city.database.transaction() as session:
        await session.execute(text("TRUNCATE customer, customer_change CASCADE"))
    customer = await settle(city, clerk)
    seen = [(city.clock.now(), await read(city, reader, customer))]
    for each in edits:
        city.clock.advance(timedelta(milliseconds=1))
        await edit(city, clerk, customer, each)
        seen.append((city.clock.now(), await read(city, reader, customer)))
    city.clock.advance(timedelta(milliseconds=1))
    for moment, page in seen:
        then = await read(city, reader, customer, moment)
        assert told(then) == told(page)


async def test_fields_and_moments(city: TestNode, clerk: Headers) -> None:
    customer = await settle(city, clerk)
    made = city.clock.now()
    city.clock.advance(timedelta(minutes=2))
    await city.client.patch(
        f"/customers/{customer['id']}", json={"name": "章卫"}, headers=fresh(clerk, customer)
    )
    path = f"/customers/{customer['id']}"

    async def as_of(moment: str, **query: str) -> Any:
        return await city.client.get(path, params={"as_of": moment, **query}, headers=clerk)

    answer = await as_of(made.isoformat(), fields="name,version")
    assert answer.json() == {"name": "张伟", "version": 1, "as_of": made.isoformat()}
    assert "etag" not in answer.headers
    unencoded = await city.client.get(
        f"{path}?fields=name&as_of=2026-11-23T12:01:00+08:00", headers=clerk
    )
    assert unencoded.json()["name"] == "张伟"
    early = await as_of((made - timedelta(seconds=1)).isoformat())
    assert (early.status_code, early.json()["title"]) == (404, "Not yet a customer")
    for wrong in ("2026-05-01", "yesterday", "2999-01-01T00:00:00Z"):
        assert (await as_of(wrong)).status_code == 400
    assert (await as_of(made.isoformat(), include="bills")).status_code == 400
    assert (await as_of(made.isoformat(), fields="document_number")).status_code == 400


async def test_lines_that_came_by_a_merge_were_not_there_before(
    city: TestNode, supervisor: Headers, reader: Headers
) -> None:
    survivor, merged = [await settle(city, supervisor, running) for running in (1, 2)]
    for running, one in enumerate((survivor, merged), 1):
        await city.client.post(
            f"/customers/{one['id']}/subscriptions",
            json=line(running),
            headers={**supervisor, "Idempotency-Key": one["id"]},
        )
    before = city.clock.now(), await read(city, reader, survivor)
    city.clock.advance(timedelta(minutes=2))
    body = {"survivor_id": survivor["id"], "merged_id": merged["id"]}
    body |= {"survivor_version": 2, "merged_version": 2}
    done = await city.client.post(
        "/customer-merges", json=body, headers={**supervisor, "Idempotency-Key": "merge"}
    )
    between = city.clock.now(), await read(city, reader, survivor)
    assert len(between[1]["subscriptions"]) == 2
    city.clock.advance(timedelta(minutes=2))
    await city.client.post(f"/customer-merges/{done.json()['id']}/undo", headers=supervisor)
    assert told(await read(city, reader, survivor, before[0])) == told(before[1])
    lines = (await read(city, reader, survivor, between[0]))["subscriptions"]
    assert sorted(one["msisdn"] for one in lines) == ["13800000001", "13800000002"]

"""While a customer moves, whoever would change the record is refused or leaves it out; nothing of it changes."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.city_node.points import expiry, moving
from services.city_node.transfer.packing import pack
from shared.capability import Role
from shared.kernel.database import driver_connection
from shared.kernel.ids import new_id
from tests.city.drafts import CITY, make_city
from tests.city.extracts import counts, load, row
from tests.city.record_extracts import BILLS, bill, table
from tests.conftest import MakeNode, TestNode
from tests.permissions.asking import filled, guarded, problem_of, token
from tests.permissions.bodies import BODIES, HELD
from tests.permissions.test_masking import PATH, settle
from tests.points.city import WITH_POINTS, add_bill, add_customer, balance_of, judge
from tests.transfer.nation import OLD

BESIDE = {
    "legal-holds": "a hold says what may become of a record, and is this city's",
    "subject-requests": "the person may ask at any time; the answer waits",
    "offer-grants": "offers stay with this city",
}
"""What may begin beside a transfer: nothing of it is in the record."""


DOES_NOTHING = {
    ("POST", "/customers/{customer_id}/level/evaluate"),
    ("POST", "/customers/{customer_id}/credit/evaluate"),
    ("POST", "/customers/{customer_id}/prospect/find"),
    ("POST", "/customers/{customer_id}/points/unfreeze"),
}
"""What is answered, and has found nothing to change."""
CHANGES = {("PATCH", "/customers/{customer_id}"): {"payment_method": "cash"}}
"""Bodies that surely change something, where another test's need not."""


async def freeze(node: TestNode, *customers: UUID, state: str = "frozen") -> None:
    for customer in customers:
        await run(
            node,
            "INSERT INTO customer_ownership (customer_id, epoch, state, other, transfer_id, since) "
            "VALUES (:customer, 1, :state, :other, :transfer, now()) "
            "ON CONFLICT (customer_id) DO UPDATE SET state = excluded.state",
            customer=customer,
            state=state,
            other=OLD,
            transfer=new_id(),
        )


async def run(node: TestNode, statement: str, **values: Any) -> list[Any]:
    async with node.database.transaction() as session:
        done: Any = await session.execute(text(statement), values)
        return list(done.all()) if done.returns_rows else []


async def record_of(node: TestNode, customer: UUID) -> dict[str, bytes]:
    """Return the record as it would be sent, table by table."""
    async with node.database.transaction() as session:
        connection = await driver_connection(session)
        found = await pack(connection, node.context.cipher, customer, unjudged=frozenset())
    return {
        name: orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)
        for name, rows in {**found["tables"], "points": found["points"]}.items()
    }


@pytest.mark.parametrize(
    ("state", "problem"), [("frozen", "customer-in-transfer"), ("left", "customer-moved-away")]
)
async def test_every_change_over_rest_is_refused(
    make_node: MakeNode, state: str, problem: str
) -> None:
    node = await make_node(CITY)
    ids = await settle(node)
    one, group = (UUID(ids[word]["customer_id"]) for word in ("", "group"))
    await freeze(node, one, group, state=state)
    before = [await record_of(node, each) for each in (one, group)]
    headers = token(node, Role.SUPERVISOR, CITY, PATH)
    refused, passed = set(), set()
    for guard in guarded(node):
        if guard.method == "GET" or "{customer_id}" not in guard.path:
            continue
        noun = guard.path.split("/")[3] if guard.path.count("/") > 2 else ""
        for owner in (one, group):
            values = {**ids.get(noun, {}), **ids[""], "customer_id": owner}
            path = filled(guard.path, **values)
            body = {**BODIES, **CHANGES}.get((guard.method, guard.path), HELD.get(noun, {}))
            seen = await node.client.get(f"/customers/{owner}", headers=headers)
            more = {"If-Match": seen.headers["etag"], "Idempotency-Key": str(new_id())}
            answer = await node.client.request(
                guard.method, path, json=body, headers={**headers, **more}
            )
            assert answer.status_code < 500, (guard.path, answer.text)
            if problem_of(answer) == problem:
                refused.add(guard.path)
            elif answer.status_code < 400 and noun not in BESIDE:
                passed.add((guard.method, guard.path))
    after = [await record_of(node, each) for each in (one, group)]
    changed = [
        name
        for was, now in zip(before, after, strict=True)
        for name in was
        if was[name] != now[name]
    ]
    assert changed == []
    assert passed <= DOES_NOTHING
    assert len(refused) >= 15, sorted(refused)


async def test_a_proposal_that_waited_is_not_approved_and_no_profile_is_merged(
    make_node: MakeNode,
) -> None:
    node = await make_node(CITY)
    ids = await settle(node)
    one = UUID(ids[""]["customer_id"])
    await freeze(node, one)
    before = await record_of(node, one)
    second = token(node, Role.SUPERVISOR, CITY, PATH, number=9)
    waiting = (await node.client.get("/customer-proposals?state=pending", headers=second)).json()[
        "items"
    ][0]
    approve = f"/customer-proposals/{waiting['id']}/approve"
    answer = await node.client.post(
        approve, headers={**second, "If-Match": f'"{waiting["version"]}"', "Idempotency-Key": "a"}
    )
    assert problem_of(answer) == "customer-in-transfer", answer.text
    other = UUID(ids["group"]["customer_id"])
    version = {
        each: (await node.client.get(f"/customers/{each}?fields=version", headers=second)).json()[
            "version"
        ]
        for each in (one, other)
    }
    pair = {
        "survivor_id": str(other),
        "merged_id": str(one),
        "survivor_version": version[other],
        "merged_version": version[one],
    }
    answer = await node.client.post(
        "/customer-merges", json=pair, headers={**second, "Idempotency-Key": "m"}
    )
    assert answer.status_code in {409, 422}, answer.text
    assert await record_of(node, one) == before


async def test_an_import_rejects_the_rows_and_loads_the_others(make_node: MakeNode) -> None:
    city = await make_city(make_node)
    await load(city, [row(1), row(2)])
    ((one,),) = await run(city, "SELECT id FROM customer WHERE source_key = 'C1'")
    await freeze(city, one)
    before = await record_of(city, one)
    why = "belongs to a customer who is moving or has moved to another city"
    loaded = await load(city, table([bill(1, 11, "3.00"), bill(2, 11, "4.00")]), BILLS)
    assert counts(loaded) == (1, 0, 0, 1)
    assert [r[0] for r in await run(city, "SELECT reason FROM customer_import_reject")] == [why]
    changed = await load(city, [row(1, name="王另名"), row(2, name="李另名")])
    assert counts(changed)[3] == 1
    assert await record_of(city, one) == before
    assert await run(city, "SELECT name FROM customer ORDER BY source_key") != [("王另名",)]


async def test_points_are_neither_earned_nor_lost_meanwhile(make_node: MakeNode) -> None:
    city = await make_city(make_node, WITH_POINTS)
    now = city.clock.now()
    one, other = await add_customer(city.database, now), await add_customer(city.database, now)
    for each in (one, other):
        await add_bill(city.database, each, 10_000)
    await judge(city)
    had = await balance_of(city, one)
    assert had > 0
    for each in (one, other):
        await add_bill(city.database, each, 20_000, period=(now.date().replace(month=9, day=1)))
    await freeze(city, one.id)
    await judge(city)
    assert await balance_of(city, one) == had
    assert await balance_of(city, other) > had
    # Its day comes while the record is frozen: it expires where the customer is, when that is decided.
    await run(city, "UPDATE points_lot SET expires_on = '2026-01-01'")
    assert (await expiry.expire(city.database, now=now)).lots == 1
    assert await balance_of(city, one) == had
    await run(city, "UPDATE customer_ownership SET state = 'live'")
    async with city.database.transaction() as session:
        await moving.judge_again(await driver_connection(session), one.id)
    await judge(city)
    assert await balance_of(city, one) > had


async def test_a_bill_not_judged_yet_earns_once_and_in_the_new_home(make_node: MakeNode) -> None:
    city = await make_city(make_node, WITH_POINTS)
    one = await add_customer(city.database, city.clock.now())
    judged = await add_bill(city.database, one, 10_000)
    await judge(city)
    late = await add_bill(
        city.database, one, 10_000, period=city.clock.now().date().replace(month=9, day=1)
    )
    async with city.database.transaction() as session:
        connection = await driver_connection(session)
        assert await moving.unjudged(connection, one.id) == {late}
        record = await pack(connection, city.context.cipher, one.id, unjudged=frozenset({late}))
    assert judged != late
    assert [each["period"] for each in record["judged"]] == ["2026-10-01"]

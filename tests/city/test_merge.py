"""Merging: everything moves, the old id tells where to, and an undo leaves no trace but in history."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, text

from services.city_node.merge.models import UNDO_DAYS
from services.city_node.merge.references import MOVES_UNDECLARED, STAYS, references
from shared.capability import Role
from shared.kernel.database import Base
from shared.node.tiers import load_tables
from tests.city.drafts import TEAM, Headers, SignIn, fresh, line, settle
from tests.city.merging import merge, present, undo
from tests.city.whole import everything
from tests.conftest import TestNode
from tests.examples import examples

load_tables()  # what refers to a customer is read from every table there is, whatever else was imported

DERIVED = {"duplicate_candidate.left_id", "duplicate_candidate.right_id"}


async def hold(
    city: TestNode, headers: Headers, customer: dict[str, Any], path: str, body: dict[str, Any]
) -> Any:
    answer = await city.client.post(
        f"/customers/{customer['id']}/{path}",
        json=body,
        headers={**headers, "Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def bill(city: TestNode, customer: dict[str, Any], month: date, fen: int) -> None:
    """What a billing extract and a usage extract bring."""
    async with city.database.transaction() as session:
        values = {"id": UUID(customer["id"]), "month": month, "fen": fen}
        for table, names, given_values in (
            ("bill", "period, charge_fen", ":month, :fen"),
            ("usage_month", "period, quantity, charge_fen, kind, band", ":month, :fen, 0, 'sms', 'all'"),
        ):  # fmt: skip
            await session.execute(
                text(
                    f"INSERT INTO {table} (subscription_id, customer_id, {names})"  # noqa: S608 - as above
                    f" SELECT id, customer_id, {given_values} FROM subscription WHERE customer_id = :id"
                ),
                values,
            )


async def test_everything_moves_and_the_old_id_tells_where_to(
    city: TestNode, supervisor: Headers
) -> None:
    survivor = await settle(city, supervisor, 1, entry_date="2021-01-01")
    merged = await settle(city, supervisor, 2, name="张玮", payment_method="代扣")
    await hold(city, supervisor, survivor, "subscriptions", line(1))
    await hold(city, supervisor, merged, "subscriptions", line(2))
    await bill(city, merged, date(2026, 10, 1), 12_800)
    for customer in (survivor, merged):
        body = {"kind": "phone", "value": "13912345678", "preferred": True}
        await hold(city, supervisor, customer, "contacts", body)
    body = {"kind": "email", "value": "w@example.com", "preferred": True}
    await hold(city, supervisor, merged, "contacts", body)
    complaint = {"channel": "hall", "kind": "complaint", "subject": "话费"}
    await hold(city, supervisor, merged, "interactions", complaint)

    answer = await merge(city, supervisor, survivor, merged, chosen={"name": "merged"})

    assert answer.status_code == 201, answer.text
    record = answer.json()
    assert (record["state"], record["set_aside"]) == ("done", 1)
    assert {"table": "usage_month", "moved": 1, "set_aside": 0} in record["tables"]
    profile = await present(city, supervisor, survivor)
    assert profile["name"] == "张玮"
    assert profile["document_masked"] == survivor["document_masked"]
    assert profile["payment_method"] == "代扣"
    assert profile["entry_date"] == "2020-05-01"
    assert {one["msisdn"] for one in profile["subscriptions"]} == {"13800000001", "13800000002"}
    assert [one["charge_fen"] for one in profile["bills"]] == [12_800]
    assert sorted((one["kind"], one["preferred"]) for one in profile["contacts"]) == [
        ("email", False),
        ("phone", True),
    ]
    assert [one["subject"] for one in profile["interactions"]] == ["话费"]
    assert profile["changes"][0]["action"] == "merged"
    gone = await city.client.get(f"/customers/{merged['id']}", headers=supervisor)
    assert gone.status_code == 410
    assert gone.json()["survivor"] == survivor["id"]
    assert gone.headers["link"] == f'</customers/{survivor["id"]}>; rel="successor-version"'
    late = await city.client.patch(
        f"/customers/{merged['id']}", json={"sex": "female"}, headers=fresh(supervisor, merged)
    )
    assert late.status_code == 410
    history = await city.client.get(f"/customer-merges/{record['id']}/changes", headers=supervisor)
    assert [one["action"] for one in history.json()["items"]] == [
        "merged",
        "part_added",
        "contact_added",
        "contact_added",
        "subscribed",
        "created",
    ]
    listed = await city.client.get("/customers?library=all", headers=supervisor)
    assert [one["id"] for one in listed.json()["items"]] == [survivor["id"]]


async def test_bills_that_came_since_go_back_with_their_line(
    city: TestNode, supervisor: Headers
) -> None:
    survivor, merged = [await settle(city, supervisor, running) for running in (1, 2)]
    for running, customer in enumerate((survivor, merged), 1):
        await hold(city, supervisor, customer, "subscriptions", line(running))
    done = await merge(city, supervisor, survivor, merged)
    await bill(city, survivor, date(2026, 11, 1), 100)
    assert (await undo(city, supervisor, done)).json()["state"] == "undone"
    for customer in (survivor, merged):
        profile = await present(city, supervisor, customer)
        assert len(profile["bills"]) == 1
        assert profile["bills"][0]["subscription_id"] == profile["subscriptions"][0]["id"]
        assert len(profile["usage"]) == 1
    again = await undo(city, supervisor, done)
    assert (again.status_code, again.json()["title"]) == (409, "Merge cannot be undone any more")


async def test_what_changed_since_is_listed_and_nothing_is_undone(
    city: TestNode, supervisor: Headers
) -> None:
    survivor, merged = [await settle(city, supervisor, running) for running in (1, 2)]
    held = {"topic": "interest", "value": "高尔夫"}
    preference = await hold(city, supervisor, merged, "preferences", held)
    done = await merge(city, supervisor, survivor, merged, chosen={"document": "merged"})
    now = await present(city, supervisor, survivor)
    patch = {"value": "围棋"}
    answer = await city.client.patch(
        f"/customers/{survivor['id']}/preferences/{preference['id']}",
        json=patch,
        headers=fresh(supervisor, now),
    )
    assert answer.status_code == 200, answer.text
    before = await everything(city)
    refused = await undo(city, supervisor, done)
    assert refused.status_code == 409
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [
        f"/preference/{preference['id']}"
    ]
    assert await everything(city) == before


async def test_other_changes_of_the_survivor_stay(city: TestNode, supervisor: Headers) -> None:
    survivor, merged = [await settle(city, supervisor, running) for running in (1, 2)]
    done = await merge(city, supervisor, survivor, merged)
    now = await present(city, supervisor, survivor)
    await city.client.patch(
        f"/customers/{survivor['id']}",
        json={"payment_method": "现金"},
        headers=fresh(supervisor, now),
    )
    assert (await undo(city, supervisor, done)).status_code == 200
    assert (await present(city, supervisor, survivor))["payment_method"] == "现金"
    assert (await present(city, supervisor, merged))["payment_method"] is None


async def test_chains_of_merges_are_undone_from_the_end(
    city: TestNode, supervisor: Headers
) -> None:
    first, second, third = [await settle(city, supervisor, running) for running in (1, 2, 3)]
    before = await everything(city)
    inner = await merge(city, supervisor, second, first)
    outer = await merge(city, supervisor, third, second)
    gone = await city.client.get(f"/customers/{first['id']}", headers=supervisor)
    assert gone.json()["survivor"] == third["id"]
    assert (await undo(city, supervisor, inner)).status_code == 410
    assert (await undo(city, supervisor, outer)).status_code == 200
    assert (await undo(city, supervisor, inner)).status_code == 200
    assert await everything(city) == before


async def test_what_cannot_be_one_customer_is_refused(
    city: TestNode, supervisor: Headers, clerk: Headers, sign_in: SignIn
) -> None:
    one, other = [await settle(city, supervisor, running) for running in (1, 2)]
    licence = {"document_type": "business_licence", "document_number": "91440300MA00000001"}
    group = await settle(city, supervisor, 3, kind="group", birth_date=None, **licence)
    assert (await merge(city, supervisor, one, one)).status_code == 422
    assert (await merge(city, supervisor, one, group)).status_code == 409
    assert (await merge(city, supervisor, one, other, merged_version=7)).status_code == 412
    assert (await merge(city, clerk, one, other)).status_code == 403
    narrow = await sign_in(city, Role.SUPERVISOR, TEAM)
    body = {"survivor_id": one["id"], "merged_id": other["id"]}
    body |= {"survivor_version": 1, "merged_version": 1}
    outside = await city.client.post(
        "/customer-merges", json=body, headers={**narrow, "Idempotency-Key": "narrow"}
    )
    assert outside.status_code == 404
    left = await city.client.post(
        f"/customers/{one['id']}/retire", json={"reason": "price"}, headers=fresh(supervisor, one)
    )
    assert left.status_code == 200, left.text
    refused = await merge(city, supervisor, one, other)
    assert (refused.status_code, refused.json()["title"]) == (409, "Survivor has left")


async def test_an_old_merge_is_final_and_its_copies_are_gone(
    city: TestNode, supervisor: Headers
) -> None:
    one, other = [await settle(city, supervisor, running) for running in (1, 2)]
    done = await merge(city, supervisor, one, other)
    await city.run_job("forget-merge-copies")
    city.clock.advance(timedelta(days=UNDO_DAYS, seconds=1))
    await city.run_job("forget-merge-copies")
    await city.run_job("forget-merge-copies")
    async with city.database.transaction() as session:
        row = (await session.execute(text("SELECT state, profile FROM customer_merge"))).one()
        kept = (await session.execute(text("SELECT count(*) FROM customer_merge_row"))).scalar_one()
    assert tuple(row) == ("final", None)
    assert kept == 0
    assert done.status_code == 201


def test_no_column_with_a_customers_id_is_forgotten() -> None:
    referring = {reference.name for reference in references()}
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            name = f"{table.name}.{column.name}"
            if column.name == "customer_id":
                assert (name in referring) != (name in STAYS), (
                    f"{name} has no foreign key to customer.id: say in merge/references.py whether it moves"
                )
    known = {f"{t.name}.{c.name}" for t in Base.metadata.sorted_tables for c in t.columns}
    assert {*MOVES_UNDECLARED, *STAYS} <= known


@pytest.mark.parametrize("reference", references(), ids=lambda reference: reference.name)
def test_a_reference_is_one_that_a_merge_can_move(reference: Any) -> None:
    """What set-aside rows would leave dangling, or what only a scan of the table would find."""
    table = reference.table
    referred = [
        f"{other.name}.{fk.parent.name}"
        for other in Base.metadata.sorted_tables
        for fk in other.foreign_keys
        if fk.column.table is table
    ]
    if reference.rivals or reference.others:
        assert not referred, f"rows of {table.name} may be set aside, but {referred} refer to them"
    assert reference.column in leading(table) or reference.name in MOVES_UNDECLARED, (
        f"{reference.name} needs an index: a merge would read the whole table"
    )


def leading(table: Table) -> set[str]:
    """Return the columns by which the table's rows are found through an index."""
    indexed = [index.columns.keys() for index in table.indexes]
    return {names[0] for names in [*indexed, table.primary_key.columns.keys()] if names}


@pytest.mark.parametrize("name", STAYS)
def test_what_stays_at_a_merge_is_found_by_its_customer_too(name: str) -> None:
    table, _, column = name.partition(".")
    assert column in leading(Base.metadata.tables[table]), (
        f"{name} needs an index: an erasure would read the whole table"
    )


PARTS: dict[str, list[dict[str, Any]]] = {
    "contacts": [
        {"kind": "phone", "value": "13912345678", "preferred": True},
        {"kind": "phone", "value": "13912345678"},
        {"kind": "email", "value": "a@example.com", "preferred": True},
    ],
    "preferences": [
        {"topic": "marketing", "value": "welcome"},
        {"topic": "marketing", "value": "refused"},
        {"topic": "interest", "value": "围棋"},
    ],
    "ties": [
        {"kind": "spouse", "person_name": "王芳", "phone": "13800138000"},
        {"kind": "colleague", "related": "other"},
        {"kind": "friend", "related": "third"},
    ],
    "interactions": [{"channel": "hall", "kind": "inquiry", "subject": "话费"}],
}
HOLDING = st.sampled_from([(path, index) for path, all_ in PARTS.items() for index in range(len(all_))])  # fmt: skip
HOLDINGS = st.lists(HOLDING, max_size=6, unique=True)
FIELDS = ["name", "sex", "birth_date", "document", "level", "manager_id", "attributes", "entry_date"]  # fmt: skip
CHOSEN = st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["survivor", "merged"]))


@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    mine=HOLDINGS,
    theirs=HOLDINGS,
    chosen=CHOSEN,
    lines=st.tuples(st.booleans(), st.booleans()),
    departed=st.booleans(),
)
async def test_merge_then_undo_is_identity(
    city: TestNode,
    supervisor: Headers,
    mine: list[tuple[str, int]],
    theirs: list[tuple[str, int]],
    chosen: dict[str, str],
    lines: tuple[bool, bool],
    departed: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    async with city.database.transaction() as session:
        await session.execute(text("TRUNCATE customer, merged_customer, customer_merge CASCADE"))
    survivor = await settle(city, supervisor, 1)
    merged = await settle(
        city, supervisor, 2, name="章卫", sex="unknown", attributes={"hobby": {"tea": 1}}
    )
    third = await settle(city, supervisor, 3)
    people = {"survivor": survivor, "merged": merged}
    for who, other, parts, with_line in (
        ("survivor", "merged", mine, lines[0]),
        ("merged", "survivor", theirs, lines[1]),
    ):
        if with_line:
            number = 1 if who == "survivor" else 2
            await hold(city, supervisor, people[who], "subscriptions", line(number))
            await bill(city, people[who], date(2026, 10, 1), number)
        for path, index in parts:
            body = dict(PARTS[path][index])
            related = body.pop("related", None)
            if related:
                body["related_id"] = (people[other] if related == "other" else third)["id"]
            await city.client.post(
                f"/customers/{people[who]['id']}/{path}",
                json=body,
                headers={**supervisor, "Idempotency-Key": str(uuid4())},
            )
    if departed:
        profile = await present(city, supervisor, merged)
        await city.client.post(
            f"/customers/{merged['id']}/retire",
            json={"reason": "price"},
            headers=fresh(supervisor, profile),
        )
    before = await everything(city)
    done = await merge(city, supervisor, survivor, merged, chosen=chosen)
    assert done.status_code == 201, done.text
    between = await everything(city)
    assert merged["id"] not in {one["id"] for one in between["customer"]}
    undone = await undo(city, supervisor, done)
    assert undone.status_code == 200, undone.text
    assert await everything(city) == before

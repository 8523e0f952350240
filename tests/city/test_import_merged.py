"""An extract that still has the rows of merged customers: they lead to the survivor, and nobody is made anew."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import text

from services.city_node.customer_import.mapping import read_mapping
from tests.city.drafts import Headers
from tests.city.extracts import counts, load, row
from tests.city.merging import merge, undo
from tests.city.record_extracts import CALLS, empty, everything, table
from tests.conftest import TestNode
from tests.examples import examples

BILLING = read_mapping("""
[source]
name = "billing"
key = "account"
[customer.name]
column = "name"
[customer.entry_date]
column = "entry"
[customer.payment_method]
column = "pays"
""")


def account(key: str, name: str = "王芳", pays: str = "代扣") -> dict[str, Any]:
    return {"account": key, "name": name, "entry": "2021-03-01", "pays": pays}


async def customers(city: TestNode) -> dict[str, Any]:
    """Return the id and version of each customer by key of its source."""
    async with city.database.transaction() as session:
        rows = await session.execute(
            text("SELECT source_key, id::text, version FROM customer WHERE source IS NOT NULL")
        )
        return {one.source_key: {"id": one.id, "version": one.version} for one in rows}


async def value(city: TestNode, query: str) -> Any:
    async with city.database.transaction() as session:
        return await session.scalar(text(query))


async def merge_keys(city: TestNode, headers: Headers, survivor: str, merged: str) -> Any:
    known = await customers(city)
    answer = await merge(city, headers, known[survivor], known[merged])
    assert answer.status_code == 201, answer.text
    return answer


async def test_the_key_of_a_merged_customer_leads_to_the_survivor(
    city: TestNode, supervisor: Headers
) -> None:
    await load(city, [row(1), row(2)])
    done = await merge_keys(city, supervisor, "C1", "C2")
    people = [row(1), row(2, name="王二", msisdn="13900000009", iccid="", imsi="")]

    # The governing row tells the charges, which the merge had added up.
    assert counts(await load(city, people)) == (0, 2, 0, 0)
    assert counts(await load(city, people)) == (0, 0, 2, 0)

    (survivor,) = (await customers(city)).values()
    answer = await city.client.get(f"/customers/{survivor['id']}?include=all", headers=supervisor)
    profile = answer.json()
    assert profile["name"] == "王芳"
    assert {one["msisdn"] for one in profile["subscriptions"]} == {
        "13900000001", "13900000002", "13900000009",
    }  # fmt: skip
    assert await value(city, "SELECT count(*) FROM customer") == 1
    assert (await undo(city, supervisor, done)).status_code == 200


async def test_an_undo_of_the_merge_gives_the_key_back(city: TestNode, supervisor: Headers) -> None:
    await load(city, [row(1), row(2)])
    done = await merge_keys(city, supervisor, "C1", "C2")
    assert counts(await load(city, [row(2)])) == (0, 0, 1, 0)
    assert (await undo(city, supervisor, done)).status_code == 200
    assert counts(await load(city, [row(1), row(2, name="王二")])) == (0, 1, 1, 0)
    assert await value(city, "SELECT name FROM customer WHERE source_key = 'C2'") == "王二"
    assert await value(city, "SELECT count(*) FROM customer_further_key") == 0


async def test_a_key_follows_from_merge_to_merge(city: TestNode, supervisor: Headers) -> None:
    await load(city, [row(1), row(2), row(3)])
    await merge_keys(city, supervisor, "C2", "C3")
    second = await merge_keys(city, supervisor, "C1", "C2")
    leads = "SELECT array_agg(c.source_key || f.source_key ORDER BY f.source_key) FROM customer_further_key f JOIN customer c ON c.id = f.customer_id"  # fmt: skip
    assert await value(city, leads) == ["C1C2", "C1C3"]
    assert counts(await load(city, [row(3), row(2), row(1)], portion=10)) == (0, 1, 2, 0)
    assert (await undo(city, supervisor, second)).status_code == 200
    assert await value(city, leads) == ["C2C3"]


async def test_calls_of_a_merged_customer_are_the_survivors(
    city: TestNode, supervisor: Headers
) -> None:
    await load(city, [row(1), row(2)])
    await merge_keys(city, supervisor, "C1", "C2")
    call = {"call": "K1", "id": "C2", "at": "2026-11-02T10:00:00", "kind": "1", "subject": "话费", "summary": ""}  # fmt: skip
    assert counts(await load(city, table([call]), CALLS)) == (1, 0, 0, 0)
    held = "SELECT c.source_key FROM interaction i JOIN customer c ON c.id = i.customer_id"
    assert await value(city, held) == "C1"


async def test_another_source_goes_on_governing_what_it_says(
    city: TestNode, supervisor: Headers
) -> None:
    """The key is of a source by which the survivor was not known: what it says of the profile counts."""
    await load(city, [row(1)])
    await load(city, table([account("B1"), account("B2")]), BILLING)
    await merge_keys(city, supervisor, "C1", "B1")
    await merge_keys(city, supervisor, "C1", "B2")
    both = table([account("B1", pays="现金"), account("B2", pays="支票")])
    assert counts(await load(city, both, BILLING)) == (0, 1, 1, 0)
    assert counts(await load(city, both, BILLING)) == (0, 0, 2, 0)
    assert await value(city, "SELECT payment_method FROM customer") == "现金"


async def test_only_the_governing_key_tells_that_a_customer_left(
    city: TestNode, supervisor: Headers
) -> None:
    await load(city, [row(1), row(2)])
    await merge_keys(city, supervisor, "C1", "C2")
    assert counts(await load(city, [row(2, gone="y")])) == (0, 0, 0, 1)
    reason = await value(city, "SELECT reason FROM customer_import_reject")
    assert reason.endswith("another of whose keys tells whether the customer left")
    assert await value(city, "SELECT library FROM customer") == "in_network"
    assert counts(await load(city, [row(1, gone="y"), row(2, gone="y")])) == (0, 1, 1, 0)


async def test_a_dry_run_reaches_the_survivor_too(city: TestNode, supervisor: Headers) -> None:
    await load(city, [row(1), row(2)])
    await merge_keys(city, supervisor, "C1", "C2")
    assert counts(await load(city, [row(2), row(3)], dry_run=True)) == (1, 0, 1, 0)


FEW = some.integers(1, 4)
PEOPLE = some.lists(
    some.builds(
        lambda who, number, gone, name: row(
            who, msisdn=f"139{number:08d}", iccid="", imsi="", gone=gone, name=name
        ),
        some.integers(1, 5),
        FEW,
        some.sampled_from("nny"),
        some.sampled_from(["王芳", "王二"]),
    ),
    min_size=2,
    max_size=6,
    unique_by=lambda one: one["id"],
)


@settings(
    max_examples=examples(6),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(people=PEOPLE, portion=some.integers(1, 4))
async def test_portions_make_no_difference(
    city: TestNode, supervisor: Headers, people: list[dict[str, Any]], portion: int
) -> None:
    ends = []
    anew = "SELECT count(*) FROM customer JOIN customer_further_key USING (source, source_key)"
    for size in (100, portion):
        await empty(city)
        await load(city, [row(1), row(2), row(3)])
        await merge_keys(city, supervisor, "C1", "C2")
        await merge_keys(city, supervisor, "C1", "C3")
        loaded = counts(await load(city, people, portion=size))
        ends.append((loaded, await everything(city)))
        assert await value(city, anew) == 0
    assert ends[0] == ends[1]


@pytest.mark.parametrize("portion", [1, 100])
async def test_lines_of_merged_customers_are_the_survivors(
    city: TestNode, supervisor: Headers, portion: int
) -> None:
    lines = read_mapping(
        """
[source]
name = "crm"
key = "id"
records = "subscriptions"
[subscription.msisdn]
column = "msisdn"
[subscription.plan]
column = "plan"
"""
    )
    await load(city, [row(1), row(2)])
    await merge_keys(city, supervisor, "C1", "C2")
    rows = [
        {"id": "C1", "msisdn": "13900000001", "plan": "188"},
        {"id": "C2", "msisdn": "13900000002", "plan": "288"},
        {"id": "C2", "msisdn": "13900000007", "plan": "388"},
    ]
    assert counts(await load(city, table(rows), lines, portion=portion)) == (0, 3, 0, 0)
    plans = "SELECT array_agg(plan ORDER BY msisdn) FROM subscription"
    assert await value(city, plans) == ["188", "288", "388"]

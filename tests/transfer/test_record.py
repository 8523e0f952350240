"""What comes out at the new home is what went in at the old one."""

# ruff: noqa: S608 - put together from the register

from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.city_node.customer.identity import contact_indexes, document_indexes
from services.city_node.erasure.service import Order, erase_one
from services.city_node.points.verification import verify
from services.city_node.transfer.record import CARRIED, POINTS, STAYS, columns_of, undeclared
from shared import audit
from shared.kernel.database import Base
from shared.node.tiers import load_tables
from tests.examples import examples
from tests.transfer.nation import NEW, OLD, Place, SmallNation
from tests.transfer.people import id_card, msisdn, settle

MADE_ANEW = {
    "customer": {
        "unit_code", "manager_id", "source", "source_key", "document_cipher", "document_index", "version", "updated_at",
        "updated_by",
    },
    "contact_medium": {"value", "value_cipher", "value_index"},
    "key_person": {"phone_cipher", "phone_index"},
    "tie": {"phone_cipher", "phone_index", "related_id", "person_name"},
    "interaction": {"source", "source_key"},
}  # fmt: skip
"""What is another value at the new home, and is looked at by itself."""


def test_every_table_about_customers_has_its_place() -> None:
    load_tables()
    assert list(undeclared(Base.metadata)) == []


def test_a_table_without_a_place_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    load_tables()
    for places in (CARRIED, STAYS):
        with monkeypatch.context() as patched:
            kept = {name: each for name, each in places.items() if name not in {"tie", "prospect"}}
            patched.setattr(
                f"services.city_node.transfer.record.{'CARRIED' if places is CARRIED else 'STAYS'}",
                kept,
            )
            assert list(undeclared(Base.metadata)) != []


def test_nothing_that_stays_refers_to_a_row_that_is_replaced() -> None:
    load_tables()
    for name in (*STAYS, *POINTS):
        for key in Base.metadata.tables[name].foreign_keys:
            of = CARRIED.get(key.column.table.name)
            assert of is None or of.stays_known, f"{name} refers to {key.column}"


async def rows(city: Place, table: str, customer: UUID) -> list[dict[str, Any]]:
    """Return what a city has of a customer in a table, without what is made anew."""
    sent = [
        name
        for name in columns_of(Base.metadata.tables[table])
        if name not in MADE_ANEW.get(table, set())
    ]
    found = await city.value(
        f"SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]')::text FROM (SELECT {', '.join(sent)} FROM {table} p "
        f"WHERE {CARRIED[table].of}) r",
        customer,
    )
    return sorted(
        orjson.loads(found), key=lambda row: orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    )


async def record(city: Place, customer: UUID) -> dict[str, list[dict[str, Any]]]:
    return {name: await rows(city, name, customer) for name in CARRIED if name != "customer_change"}


async def history(city: Place, customer: UUID) -> list[dict[str, Any]]:
    return await city.fetch(
        "SELECT at, by, source, action, changes::text FROM customer_change WHERE customer_id = $1 ORDER BY id",
        customer,
    )


async def lots(city: Place, customer: UUID) -> list[tuple[Any, ...]]:
    found = await city.fetch(
        "SELECT l.expires_on, sum(l.remaining)::int AS points FROM points_lot l JOIN points_account a ON a.id = l.account_id "
        "WHERE a.customer_id = $1 AND l.remaining > 0 GROUP BY 1 ORDER BY 1",
        customer,
    )
    return [tuple(row.values()) for row in found]


async def balance(city: Place, customer: UUID) -> int:
    found: int = await city.value(
        "SELECT coalesce(sum(b.balance), 0)::int FROM points_balance b JOIN points_account a ON a.id = b.account_id "
        "WHERE a.customer_id = $1",
        customer,
    )
    return found


async def sealed(city: Place, table: str, column: str, customer: UUID) -> list[str]:
    """Return sealed values in clear, opened with the city's own keys."""
    found = await city.fetch(
        f"SELECT {column}_cipher AS c FROM {table} p WHERE {CARRIED[table].of} AND {column}_cipher IS NOT NULL",
        customer,
    )
    return sorted(city.context.cipher.decrypt(row["c"]) for row in found)


async def move(nation: SmallNation, customer: UUID, running: int, **given: Any) -> UUID:
    request = await nation.ask(msisdn(running * 10), document=id_card(running), **given)
    await nation.settle()
    states = await nation.states(request)
    assert set(states.values()) == {"completed"}, await nation[NEW].fetch(
        "SELECT refusal_code, state FROM service_request"
    )
    del customer
    return request


@given(seed=st.integers(0, 10**9))
@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_what_comes_out_is_what_went_in(nation: SmallNation, seed: int) -> None:
    await nation.empty()
    old, new = nation[OLD], nation[NEW]
    customer = await settle(old, seed, running=7, rich=True)
    await settle(new, seed, running=8)
    before, told, had = (
        await record(old, customer),
        await history(old, customer),
        await lots(old, customer),
    )
    values = {
        (table, column): await sealed(old, table, column, customer)
        for table, column in (
            ("customer", "document"),
            ("contact_medium", "value"),
            ("tie", "phone"),
            ("key_person", "phone"),
        )
    }
    in_clear = await old.value(
        "SELECT value FROM contact_medium WHERE customer_id = $1 AND value IS NOT NULL", customer
    )
    total = await balance(old, customer)
    await move(nation, customer, 7)
    assert await record(new, customer) == before
    assert [row | {"by": row["by"]} for row in (await history(new, customer))[:-1]] == told
    assert (await history(new, customer))[-1]["action"] == "moved_in"
    assert (await lots(new, customer), await balance(new, customer)) == (had, total)
    assert (await lots(old, customer), await balance(old, customer)) == ([], 0)
    for (table, column), clear in values.items():
        more = [in_clear] if table == "contact_medium" else []
        assert await sealed(new, table, column, customer) == sorted(clear + more)
    cipher = new.context.cipher
    assert customer == await new.value(
        "SELECT id FROM customer WHERE document_index = ANY($1)",
        document_indexes(cipher, id_card(7)),
    )
    assert customer == await new.value(
        "SELECT customer_id FROM contact_medium WHERE value_index = ANY($1)",
        contact_indexes(cipher, "phone", "138 1234 5678"),
    )
    assert (
        await new.value(
            "SELECT count(*) FROM tie WHERE customer_id = $1 AND person_name = '李四'", customer
        )
        == 1
    )
    assert await new.value("SELECT count(*) FROM level_migration") == 0
    ours = await new.fetch(
        "SELECT unit_code, manager_id, source, library FROM customer WHERE id = $1", customer
    )
    assert ours == [
        {"unit_code": new.hall, "manager_id": None, "source": None, "library": "in_network"}
    ]


async def test_the_copy_is_in_the_retained_library(nation: SmallNation) -> None:
    old, customer = nation[OLD], await settle(nation[OLD], running=7)
    await move(nation, customer, 7)
    kept = await old.fetch(
        "SELECT library, left_reason, left_destination FROM customer WHERE id = $1", customer
    )
    assert kept == [{"library": "retained", "left_reason": "transferred", "left_destination": NEW}]
    assert await old.fetch("SELECT DISTINCT status FROM subscription") == [{"status": "ended"}]
    assert await old.fetch("SELECT DISTINCT state FROM sim") == [{"state": "ended"}]
    assert (
        await old.value("SELECT state FROM customer_ownership WHERE customer_id = $1", customer)
        == "left"
    )
    assert (
        await old.value("SELECT action FROM customer_change ORDER BY id DESC LIMIT 1")
        == "moved_out"
    )


async def test_the_city_that_was_left_knows_where_the_number_is(nation: SmallNation) -> None:
    old, new, customer = nation[OLD], nation[NEW], await settle(nation[OLD], running=7)
    await move(nation, customer, 7)
    known = "SELECT home, epoch FROM moved_number"
    assert await old.fetch(known) == [{"home": NEW, "epoch": 2}]
    await move(nation, customer, 7, home=NEW, to=OLD)
    assert await old.fetch(known) == []
    assert await new.fetch(known) == [{"home": OLD, "epoch": 3}]


async def test_one_line_may_have_another_number(nation: SmallNation) -> None:
    new, customer = nation[NEW], await settle(nation[OLD], running=7)
    await move(nation, customer, 7, new_msisdn="13900009999")
    lines = await new.fetch(
        "SELECT s.msisdn, s.status, (SELECT m.state FROM sim m WHERE m.subscription_id = s.id) AS sim FROM subscription s ORDER BY 1"
    )
    assert lines == [
        {"msisdn": msisdn(70), "status": "ended", "sim": None},
        {"msisdn": "13900009999", "status": "active", "sim": "active"},
    ]


async def test_who_comes_back_is_who_left(nation: SmallNation) -> None:
    old, new = nation[OLD], nation[NEW]
    customer = await settle(old, 3, running=7, rich=True)
    before, had = await record(old, customer), await lots(old, customer)
    await move(nation, customer, 7)
    await move(nation, customer, 7, home=NEW, to=OLD)
    assert await record(old, customer) == before
    assert await lots(old, customer) == had
    assert await new.value("SELECT state FROM customer_ownership") == "left"
    assert [row["epoch"] for row in await old.fetch("SELECT epoch FROM customer_ownership")] == [3]
    actions = [row["action"] for row in await history(old, customer)]
    assert actions[-3:] == ["moved_in", "moved_out", "moved_in"] or actions[-2:] == [
        "moved_in",
        "moved_in",
    ]
    await move(nation, customer, 7)
    assert await record(new, customer) == before


async def test_who_comes_back_after_the_copy_was_erased_is_there_again(nation: SmallNation) -> None:
    old, customer = nation[OLD], await settle(nation[OLD], 3, running=7, rich=True)
    before, had = await record(old, customer), await lots(old, customer)
    await move(nation, customer, 7)
    async with old.transaction() as session:
        order = Order(audit.Actor("retention"))
        await erase_one(session, customer, order, old.context.cipher, now=nation.clock.now())
    assert await old.value("SELECT library FROM customer WHERE id = $1", customer) == "erased"
    await move(nation, customer, 7, home=NEW, to=OLD)
    assert await record(old, customer) == before
    assert await lots(old, customer) == had
    assert all(found.breaches == 0 for found in await verify(old.context.database))
    await move(nation, customer, 7)
    async with old.transaction() as session:
        again = Order(audit.Actor("retention"))
        await erase_one(session, customer, again, old.context.cipher, now=nation.clock.now())


async def test_a_taken_customer_number_is_kept_as_a_further_key(nation: SmallNation) -> None:
    new, customer = nation[NEW], await settle(nation[OLD], running=7)
    await settle(new, running=9)
    await new.execute("UPDATE customer SET customer_number = $1", f"{OLD}00000007")
    await move(nation, customer, 7)
    number = await new.value("SELECT customer_number FROM customer WHERE id = $1", customer)
    assert number.startswith(NEW)
    assert await new.value("SELECT source_key FROM customer_further_key") == f"{OLD}00000007"

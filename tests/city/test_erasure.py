"""Who left long ago is erased: nothing of the person stays, and every figure stays."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text, text, update

from services.city_node.customer.models import Customer
from services.city_node.erasure.register import CLASSES, REGISTER, undeclared
from services.city_node.rollup.repository import count, snapshot
from shared.capability import Role
from shared.kernel.database import Base, Database
from shared.node.tiers import load_tables
from shared.statistics.indicators import CATALOGUE
from shared.statistics.period import Period
from tests.city.drafts import Headers, SignIn, fresh, id_card, line, person, settle
from tests.city.erasing import erase
from tests.city.retained import (
    SECRETS,
    everything,
    leave,
    lived_in,
    long_gone,
    post,
    read,
)
from tests.conftest import TestNode


async def figures(database: Database) -> dict[str, Any]:
    """Count every dataset of some months anew, as a roll-up does."""
    counted: dict[str, Any] = {}
    for month in ("2020-05", "2021-03", "2021-06", "2021-07", "2026-10", "2026-11"):
        period = Period.parse(month, "period")
        async with snapshot(database) as session:
            for dataset in CATALOGUE.dataset_list:
                if dataset.present_only:
                    continue  # nobody asks what it was in a month long over
                cells = await count(session, dataset, CATALOGUE.measures_of(dataset.code), period)
                counted[f"{dataset.code} {month}"] = sorted(cells)
    return counted


async def test_nothing_of_the_person_stays(city: TestNode, clerk: Headers) -> None:
    gone = await long_gone(city, clerk)
    before = await everything(city)
    assert [secret for secret in SECRETS if secret not in before] == []
    assert await erase(city) == 1
    after = await everything(city)
    assert [line for line in after.splitlines() if any(secret in line for secret in SECRETS)] == []
    assert gone["customer_number"] not in after
    assert id_card(1)[-4:] not in after
    assert "1990-01-01" not in after


async def test_every_figure_stays(city: TestNode, clerk: Headers) -> None:
    await long_gone(city, clerk)
    await lived_in(city, clerk, 2)
    await leave(city, clerk, await settle(city, clerk, 3), on="2026-11-01", reason="moved")
    before = await figures(city.database)
    assert before["revenue 2021-03"]
    assert before["customer 2021-06"]
    assert await erase(city) == 1
    assert await figures(city.database) == before


async def test_what_holds_nothing_personal_is_untouched(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    gone = await long_gone(city, clerk)
    looked = await city.client.get(f"/customers/{gone['id']}/document", headers=supervisor)
    assert looked.status_code == 200
    untouched = [
        name
        for name, table in REGISTER.items()
        if not table.erased and not table.deleted and name != "erasure"
    ]
    assert {"bill", "usage_month"} < set(untouched)
    pool = await city.database.pool()

    async def rows() -> dict[str, list[str]]:
        return {
            name: [row[0] for row in await pool.fetch(f"SELECT p::text FROM {name} p ORDER BY 1")]  # noqa: S608 - of the register
            for name in untouched
        }

    before = await rows()
    assert before["bill"]
    await erase(city)
    assert await rows() == before


async def test_the_proof_says_what_and_why_and_no_content(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    gone = await long_gone(city, clerk)
    await erase(city)
    answer = await city.client.get(f"/erasures/{gone['id']}", headers=supervisor)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "customer_id": gone["id"], "at": "2026-11-23T04:00:00+00:00", "by": "test", "approved_by": None,
        "cause": "retention", "cause_id": None, "left_on": "2021-06-30", "left_reason": "price",
        "classes": list(CLASSES),
    }  # fmt: skip
    listed = await city.client.get("/erasures?cause=retention", headers=supervisor)
    assert listed.json() == {"items": [answer.json()], "next": None}
    none = await city.client.get("/erasures?cause=subject_request", headers=supervisor)
    assert none.json()["items"] == []
    pool = await city.database.pool()
    recorded = await pool.fetch(
        "SELECT by, fields FROM audit_record WHERE action = 'customer.erased' AND subject_id = $1",
        gone["id"],
    )
    assert [(row["by"], orjson.loads(row["fields"])) for row in recorded] == [
        ("test", list(CLASSES))
    ]
    refused = await city.client.get("/erasures", headers=clerk)
    assert refused.status_code == 403


async def test_who_was_erased_is_shown_so_by_id_and_found_by_nothing(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    gone = await long_gone(city, clerk)
    path = f"/customers/{gone['id']}"
    await erase(city)
    for part in (
        "",
        "/changes",
        "/subscriptions",
        "/contacts",
        "/bills",
        "/ties",
        "/win-back-attempts",
    ):
        answer = await city.client.get(f"{path}{part}", headers=clerk)
        assert answer.status_code == 410, (part, answer.text)
        assert answer.json()["type"] == "urn:guanxi:problem:customer-erased"
        assert "2026-11-23" in answer.json()["detail"]
    assert (await city.client.get(f"{path}/document", headers=supervisor)).status_code == 410
    for query in (
        "",
        "&name=wang",
        "&name=%E7%8E%8B",
        f"&document={id_card(1)}",
        "&msisdn=13800000001",
    ):
        found = await city.client.get(f"/customers?library=all&count=true{query}", headers=clerk)
        assert found.json() == {"items": [], "next": None, "count": 0}
    for answer in (
        await city.client.post(f"{path}/restore", headers=fresh(clerk, {"version": 99})),
        await city.client.patch(path, json={"name": "x"}, headers=fresh(clerk, {"version": 99})),
        await city.client.post(
            f"{path}/contacts", json={"kind": "phone", "value": "13800138000"}, headers=clerk
        ),
    ):
        assert answer.status_code == 410
    worklist = await city.client.get("/win-back/worklist", headers=clerk)
    assert worklist.json()["items"] == []


async def test_to_other_units_there_never_was_such_a_customer(
    city: TestNode, clerk: Headers, sign_in: SignIn
) -> None:
    gone = await long_gone(city, clerk)
    await erase(city)
    elsewhere = await sign_in(city, Role.SUPERVISOR, "440300-01")
    for path in (f"/customers/{gone['id']}", f"/erasures/{gone['id']}"):
        assert (await city.client.get(path, headers=elsewhere)).status_code == 404


async def test_the_person_may_come_back_as_a_new_customer(city: TestNode, clerk: Headers) -> None:
    gone = await long_gone(city, clerk)
    await erase(city)
    answer = await city.client.post("/customers", json=person(1), headers=clerk)
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"] != gone["id"]
    added = await post(city, f"/customers/{answer.json()['id']}/subscriptions", line(1), clerk)
    assert added["id"] == answer.json()["id"]


async def test_history_keeps_that_something_was_changed_and_what_is_counted(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    await erase(city)
    pool = await city.database.pool()
    rows = await pool.fetch(
        "SELECT action, changes FROM customer_change WHERE customer_id = $1 ORDER BY id",
        UUID(gone["id"]),
    )
    changes = [(row["action"], one) for row in rows for one in orjson.loads(row["changes"])]
    assert ("changed", {"field": "level", "old": "gold", "new": "diamond"}) in changes
    assert ("created", {"field": "name", "old": None, "new": None}) in changes
    assert ("created", {"field": "attributes", "old": None, "new": None}) in changes
    assert ("subscribed", {"field": "subscriptions", "old": None, "new": None}) in changes
    assert ("retired", {"field": "left_on", "old": None, "new": "2021-06-30"}) in changes


async def test_what_others_hold_about_the_person_goes_too(city: TestNode, clerk: Headers) -> None:
    friend = await settle(city, clerk, 7, name="李四")
    gone = await long_gone(city, clerk)
    tie = {"kind": "friend", "related_id": gone["id"], "note": "老同学"}
    await post(city, f"/customers/{friend['id']}/ties", tie, clerk)
    kept = {"kind": "friend", "person_name": "赵六"}
    await post(city, f"/customers/{friend['id']}/ties", kept, clerk)
    await erase(city)
    ties = await city.client.get(f"/customers/{friend['id']}/ties", headers=clerk)
    assert [one["person_name"] for one in ties.json()["items"]] == ["赵六"]
    history = await city.client.get(f"/customers/{friend['id']}/changes", headers=clerk)
    assert "老同学" not in history.text
    assert gone["id"] not in history.text
    assert "赵六" in history.text
    assert (await read(city, clerk, friend["id"]))["name"] == "李四"


async def test_an_imported_customer_is_no_longer_known_by_the_source(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    async with city.database.transaction() as session:
        await session.execute(
            update(Customer)
            .where(Customer.id == UUID(gone["id"]))
            .values(source="crm", source_key="CRM-77")
        )
    await erase(city)
    assert "CRM-77" not in await everything(city)


def test_every_column_about_customers_is_declared() -> None:
    load_tables()
    assert list(undeclared(Base.metadata)) == []


def test_a_column_that_nobody_declared_is_noticed() -> None:
    metadata = MetaData()
    for name, table in REGISTER.items():
        Table(name, metadata, *(Column(column, Text) for column in table.columns))
    assert list(undeclared(metadata)) == []
    metadata.tables["tie"].append_column(Column("nickname", Text))
    Table("diary", metadata, Column("customer_id", Integer), Column("entry", Text))
    Table("remark", metadata, Column("tie_id", Text, ForeignKey("tie.id")))
    assert list(undeclared(metadata)) == [
        "diary.customer_id", "diary.entry", "remark.tie_id", "tie.nickname",
    ]  # fmt: skip


async def test_of_a_group_stay_industry_and_size(city: TestNode, clerk: Headers) -> None:
    body = {
        "kind": "group",
        "sex": "unknown",
        "birth_date": None,
        "document_type": None,
        "document_number": None,
    }
    group = await settle(city, clerk, 1, name="秘密公司", **body)
    member = await settle(city, clerk, 2, name="李四")
    path = f"/customers/{group['id']}"
    facts = {"industry_code": "65", "size_class": "small", "employees": 80, "legal_representative": "知情人",
             "website": "https://秘密.example", "address": "深圳市南山区", "parent_name": "秘密集团"}  # fmt: skip
    answer = await city.client.put(f"{path}/enterprise", json=facts, headers=fresh(clerk, group))
    assert answer.status_code == 200, answer.text
    key_person = {
        "name": "知情人",
        "phone": "13700007777",
        "email": "wang@example.com",
        "note": "秘密",
    }
    await post(city, f"{path}/key-persons", key_person, clerk)
    belongs = {
        "member_id": member["id"],
        "since": "2020-06-01",
        "position": "秘密职位",
        "short_number": "6688",
    }
    await post(city, f"{path}/members", belongs, clerk)
    await leave(city, clerk, await read(city, clerk, group["id"]), on="2021-01-01")
    assert await erase(city) == 1
    kept = await everything(city)
    words = (*SECRETS, "6688")
    assert [row for row in kept.splitlines() if any(word in row for word in words)] == []
    pool = await city.database.pool()
    stays = await pool.fetchrow("SELECT industry_code, size_class, employees FROM enterprise")
    assert tuple(stays) == ("65", "small", 80)
    assert (await read(city, clerk, member["id"]))["name"] == "李四"


async def test_a_request_between_cities_keeps_its_trail_without_the_number(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    async with city.database.transaction() as session:
        await session.execute(
            text(
                "WITH r AS (INSERT INTO service_request (id, kind, role, home, visited, state, subject, deadline,"
                " unit_code, created_by, created_at, updated_at, ended_at) VALUES (gen_random_uuid(),"
                " 'card-replacement', 'home', '440300', '440100', 'completed', '138****0001', now(), '440300', 'x',"
                " now(), now(), now()) RETURNING id)"
                " INSERT INTO sim_switch_reservation (request_id, subscription_id, state, settled_at)"
                " SELECT r.id, s.id, 'used', now() FROM r, subscription s WHERE s.customer_id = :id"
            ),
            {"id": UUID(gone["id"])},
        )
    await erase(city)
    kept = await everything(city)
    assert "138****0001" not in kept
    assert "card-replacement" in kept


async def test_a_payment_keeps_its_figures_without_the_number(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    async with city.database.transaction() as session:
        await session.execute(
            text(
                "WITH r AS (INSERT INTO service_request (id, kind, role, home, visited, state, subject, deadline,"
                " unit_code, created_by, created_at, updated_at, ended_at) VALUES (gen_random_uuid(),"
                " 'payment', 'home', '440300', '440100', 'credited', '138****0001', now(), '440300', 'x',"
                " now(), now(), now()) RETURNING id)"
                " INSERT INTO payment_credit (request_id, subscription_id, amount_fen, credited_at, business_day, resumed)"
                " SELECT r.id, s.id, 777, now(), now(), false FROM r, subscription s WHERE s.customer_id = :id"
            ),
            {"id": UUID(gone["id"])},
        )
    await erase(city)
    assert "138****0001" not in await everything(city)
    pool = await city.database.pool()
    assert await pool.fetchval("SELECT amount_fen FROM payment_credit") == 777


async def test_a_repair_keeps_its_figures_without_the_handset(
    city: TestNode, clerk: Headers
) -> None:
    gone = await long_gone(city, clerk)
    async with city.database.transaction() as session:
        await session.execute(
            text(
                "WITH r AS (INSERT INTO service_request (id, kind, role, home, visited, state, subject, deadline,"
                " unit_code, created_by, created_at, updated_at, ended_at) VALUES (gen_random_uuid(),"
                " 'repair', 'home', '440300', '440100', 'completed', '138****0001', now(), '440300', 'x',"
                " now(), now(), now()) RETURNING id), p AS (INSERT INTO repair_promise (request_id, customer_id, make,"
                " model, imei, fault, level, in_warranty, imei_matches, home_share_permille, cap_fen, deposit_fen,"
                " loan_days, policy, state, settled_at) SELECT r.id, :id, '秘密手机', 'x', '490154203237518', '屏幕碎裂',"
                " 'gold', true, true, 1000, 9, 0, 7, 'x', 'used', now() FROM r), d AS (INSERT INTO repair_record"
                " (request_id, customer_id, visited, handset, imei, fault, level, in_warranty, result, replacement,"
                " replacement_imei, parts, labour_fen, total_fen, customer_fen, home_fen, visited_fen, claimed_fen, days,"
                " recorded_at, business_day) SELECT r.id, :id, '440100', '秘密手机', '490154203237518', '屏幕碎裂',"
                " 'gold', true, 'replaced', '新手机', '352099001761481', '[]', 778899, 778899, 0, 778899, 0, 778899, 1,"
                " now(), current_date FROM r) INSERT INTO repair_satisfaction (request_id, score, comment, level,"
                " unit_code, answered_at) SELECT r.id, 5, '感谢李师傅', 'gold', '440300', now() FROM r"
            ),
            {"id": UUID(gone["id"])},
        )
    await erase(city)
    kept = await everything(city)
    for secret in ("秘密手机", "新手机", "490154203237518", "352099001761481", "碎裂", "李师傅"):
        assert secret not in kept
    assert "778899" in kept

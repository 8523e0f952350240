"""Who sees what: scope by unit, masks by permission, and a record of each look at a document number."""

from sqlalchemy import select

from services.city_node.customer.models import Customer
from shared.audit.models import AuditRecord
from shared.capability import Role
from tests.city.drafts import (
    OTHER_TEAM,
    TEAM,
    Headers,
    SignIn,
    fresh,
    id_card,
    line,
    person,
    settle,
)
from tests.conftest import TestNode


async def test_a_team_sees_its_own_customers_and_no_others(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    ours = await settle(city, supervisor, 1, unit_code=TEAM)
    theirs = await settle(city, supervisor, 2, unit_code=OTHER_TEAM)
    above = await settle(city, supervisor, 3)
    of_team = await sign_in(city, Role.SUPERVISOR, TEAM)

    listed = (await city.client.get("/customers?count=true", headers=of_team)).json()
    assert ([item["id"] for item in listed["items"]], listed["count"]) == ([ours["id"]], 1)
    whole = (await city.client.get("/customers?count=true", headers=supervisor)).json()
    assert whole["count"] == 3
    for hidden in (theirs, above):
        path = f"/customers/{hidden['id']}"
        for get in ("", "/changes", "/subscriptions", "/document", "?fields=document_number"):
            assert (await city.client.get(path + get, headers=of_team)).status_code == 404, get
        update = fresh(of_team, hidden)
        assert (
            await city.client.patch(path, json={"name": "x"}, headers=update)
        ).status_code == 404
        leave = {"reason": "price"}
        assert (
            await city.client.post(f"{path}/retire", json=leave, headers=update)
        ).status_code == 404
        assert (await city.client.post(f"{path}/restore", headers=update)).status_code == 404
        once = {**of_team, "Idempotency-Key": hidden["id"]}
        added = await city.client.post(f"{path}/subscriptions", json=line(), headers=once)
        assert added.status_code == 404
        contact = {"kind": "phone", "value": "13800138000"}
        added = await city.client.post(f"{path}/contacts", json=contact, headers=of_team)
        assert added.status_code == 404
        assert (await city.client.get(path, headers=supervisor)).json() == hidden


async def test_a_unit_of_similar_code_is_not_below(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    await settle(city, supervisor, 1, unit_code=OTHER_TEAM)
    of_team = await sign_in(city, Role.CLERK, TEAM)
    # A scope is a path with its last slash: 440300-0 would otherwise hold 440300-01.
    assert (await city.client.get("/customers", headers=of_team)).json()["items"] == []


async def test_a_team_makes_and_gives_customers_only_within_itself(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    of_team = await sign_in(city, Role.CLERK, TEAM)
    mine = await settle(city, of_team)
    assert mine["unit_code"] == TEAM
    for unit in (OTHER_TEAM, "440300", "000000"):
        answer = await city.client.patch(
            f"/customers/{mine['id']}", json={"unit_code": unit}, headers=fresh(of_team, mine)
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/unit_code"
    moved = await city.client.patch(
        f"/customers/{mine['id']}", json={"unit_code": OTHER_TEAM}, headers=fresh(supervisor, mine)
    )
    assert moved.json()["unit_code"] == OTHER_TEAM


async def test_a_holder_of_a_document_in_another_unit_is_not_named(
    city: TestNode, supervisor: Headers, sign_in: SignIn
) -> None:
    theirs = await settle(city, supervisor, 1, unit_code=OTHER_TEAM)
    of_team = await sign_in(city, Role.CLERK, TEAM)
    answer = await city.client.post("/customers", json=person(1), headers=of_team)
    assert answer.status_code == 409
    assert theirs["id"] not in answer.text


async def test_contact_media_are_masked_for_programs(
    city: TestNode, clerk: Headers, supervisor: Headers, sign_in: SignIn
) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    for kind, value in (
        ("phone", "13800138000"),
        ("email", "zhang.wei@example.com"),
        ("postal", "广东省深圳市南山区科技园1号"),
    ):
        contact = {"kind": kind, "value": value}
        await city.client.post(f"{path}/contacts", json=contact, headers=clerk)
    query = "?fields=id&include=contacts"
    clear = (await city.client.get(path + query, headers=supervisor)).json()["contacts"]
    assert [one["value"] for one in clear] == [
        "13800138000",
        "zhang.wei@example.com",
        "广东省深圳市南山区科技园1号",
    ]
    program = await sign_in(city, Role.INTEGRATION)
    masked = await city.client.get(path + query, headers=program)
    assert [one["value"] for one in masked.json()["contacts"]] == [
        "138****8000",
        "z***@example.com",
        "广东省深圳市****",
    ]
    assert "13800138000" not in (await city.client.get(f"{path}/changes", headers=clerk)).text


async def test_each_look_at_a_document_number_is_recorded(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    for way in ("/document", "?fields=id,document_number"):
        refused = await city.client.get(path + way, headers=clerk)
        assert refused.status_code == 403
        assert id_card(1) not in refused.text
        seen = await city.client.get(path + way, headers=supervisor)
        assert seen.json()["document_number"] == id_card(1)
    async with city.database.transaction() as session:
        looks = (
            await session.scalars(
                select(AuditRecord)
                .where(
                    AuditRecord.action == "customer.looked",
                    AuditRecord.fields.contains(["document_number"]),
                )
                .order_by(AuditRecord.id)
            )
        ).all()
    assert [(look.action, look.subject_id, look.at, look.fields) for look in looks] == [
        ("customer.looked", profile["id"], city.clock.now(), fields)
        for fields in (["document_number"], ["id", "document_number"])
    ]
    assert looks[0].by.startswith("supervisor-")


async def test_a_document_number_is_nowhere_in_clear(
    city: TestNode, clerk: Headers, supervisor: Headers
) -> None:
    profile = await settle(city, clerk)
    path = f"/customers/{profile['id']}"
    patch = {"document_type": "id_card", "document_number": id_card(7)}
    changed = await city.client.patch(path, json=patch, headers=fresh(clerk, profile))
    for answer in (
        changed,
        await city.client.get(f"{path}?include=changes", headers=supervisor),
        await city.client.get("/customers", headers=supervisor),
    ):
        assert id_card(1) not in answer.text
        assert id_card(7) not in answer.text
    history = await city.client.get(f"{path}/changes?fields=changes", headers=clerk)
    numbers = [
        one for one in history.json()["items"][0]["changes"] if one["field"] == "document_number"
    ]
    assert numbers == [
        {
            "field": "document_number",
            "old": f"4403{'*' * 10}{id_card(1)[-4:]}",
            "new": f"4403{'*' * 10}{id_card(7)[-4:]}",
        }
    ]
    async with city.database.transaction() as session:
        stored = (await session.scalars(select(Customer))).one()
    assert id_card(7).encode() not in (stored.document_cipher or b"")
    assert city.context.cipher.decrypt(stored.document_cipher or b"") == id_card(7)


async def test_roles_without_the_permission_are_refused(city: TestNode, sign_in: SignIn) -> None:
    operator = await sign_in(city, Role.OPERATOR)
    program = await sign_in(city, Role.INTEGRATION)
    assert (await city.client.get("/customers", headers=operator)).status_code == 403
    assert (await city.client.get("/customers")).status_code == 401
    made = await city.client.post("/customers", json=person(), headers=program)
    assert made.status_code == 403
    assert (await city.client.get("/customers?count=true", headers=program)).json()["count"] == 0

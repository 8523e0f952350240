"""Whatever is to be answered for leaves a record where it is done, and none where it is refused."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from services.city_node.customer.audited import CHANGES
from services.city_node.customer.models import ChangeAction
from shared.audit.models import AuditRecord
from shared.capability import Role
from shared.federation.problems import EnrolmentRefused
from shared.node import joining
from shared.node.command import app
from tests.city.drafts import make_city
from tests.city.extracts import MAPPING_TEXT, extract, row
from tests.conftest import PASSWORD, MakeNode, TestNode

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]


@pytest.fixture
async def city(make_node: MakeNode) -> TestNode:
    return await make_city(make_node)


async def records(node: TestNode, *actions: str) -> Sequence[AuditRecord]:
    async with node.database.transaction() as session:
        return (
            await session.scalars(
                select(AuditRecord).where(AuditRecord.action.in_(actions)).order_by(AuditRecord.id)
            )
        ).all()


async def token(node: TestNode, **form: str) -> Any:
    return await node.client.post("/oauth/token", data=form)


async def test_accounts(city: TestNode, sign_in: SignIn) -> None:
    operator = await sign_in(city, Role.OPERATOR)
    new = {
        "username": "li.wei",
        "kind": "person",
        "role": "clerk",
        "unit_code": "440300",
        "password": "tide-lantern-orchard-nine",
    }
    made = await city.client.post("/staff", json=new, headers=operator)
    assert made.status_code == 201, made.text
    again = await city.client.post("/staff", json=new, headers=operator)
    assert again.status_code == 409
    path, tag = made.headers["location"], {"If-Match": made.headers["etag"]}
    for change in ({"role": "supervisor"}, {"role": "supervisor"}, {"active": False}):
        answer = await city.client.patch(path, json=change, headers=operator | tag)
        tag = {"If-Match": answer.headers["etag"]}
    await city.client.post(
        f"{path}/password", json={"password": "harbour-violin-cedar-two"}, headers=operator
    )
    found = await records(
        city, "user.created", "user.changed", "user.disabled", "user.password_set"
    )
    assert [(one.action, one.fields, one.detail) for one in found] == [
        ("user.created", ["role", "unit_code"], {"role": "clerk"}),
        ("user.changed", ["role"], {"role": "supervisor"}),
        ("user.disabled", ["active"], {"role": "supervisor"}),
        ("user.password_set", [], {}),
    ]
    assert {one.subject_id for one in found} == {made.json()["id"]}
    assert {one.role for one in found} == {"operator"}


async def test_sign_ins_and_refusals(city: TestNode, sign_in: SignIn) -> None:
    await sign_in(city, Role.CLERK)
    (opened,) = await records(city, "session.opened")
    await token(city, grant_type="password", username=opened.by, password="wrong")
    await token(city, grant_type="password", username="typed my password", password="wrong")
    pair = (await token(city, grant_type="password", username=opened.by, password=PASSWORD)).json()
    old = pair["refresh_token"]
    await token(city, grant_type="refresh_token", refresh_token=old)
    await token(city, grant_type="refresh_token", refresh_token=old)
    pair = (await token(city, grant_type="password", username=opened.by, password=PASSWORD)).json()
    for _ in range(2):
        await city.client.post("/oauth/revoke", data={"token": pair["refresh_token"]})
    found = await records(
        city, "session.opened", "session.refused", "session.token_reused", "session.ended"
    )
    assert [(one.action, one.by) for one in found] == [
        ("session.opened", opened.by),
        ("session.refused", opened.by),
        ("session.refused", "unknown"),
        ("session.opened", opened.by),
        ("session.token_reused", opened.by),
        ("session.opened", opened.by),
        ("session.ended", opened.by),
    ]
    assert found[1].unit_path == "000000/440000/440300/"
    assert found[5].subject_id == found[6].subject_id


async def test_an_import_is_one_record_that_names_its_cause(
    city: TestNode, sign_in: SignIn
) -> None:
    supervisor = await sign_in(city, Role.SUPERVISOR)
    files = {
        "file": ("crm.csv", extract([row(n) for n in range(1, 4)]), "text/csv"),
        "mapping": ("crm.toml", MAPPING_TEXT.encode(), "application/toml"),
    }
    for query in ("?dry_run=true", ""):
        answer = await city.client.post(
            f"/customer-imports{query}", files=files, headers=supervisor
        )
        assert answer.is_success, answer.text
        await city.run_job("customer-import")
    (one,) = await records(city, "customer.imported")
    assert (one.source, str(one.cause_id)) == ("import", answer.json()["id"])
    assert one.detail["created"] == 3
    assert one.detail["sha256"] == answer.json()["sha256"]


async def test_nodes_that_are_invited_and_refused(make_node: MakeNode, sign_in: SignIn) -> None:
    hq = await make_node("000000")
    operator = await sign_in(hq, Role.OPERATOR)
    for child, status in (("440000", 201), ("440300", 403)):
        answer = await hq.client.post(
            "/operations/invitations", json={"child": child}, headers=operator
        )
        assert answer.status_code == status, answer.text
    with pytest.raises(EnrolmentRefused):
        await joining.invite(hq.context, "440300", by="command:test")
    await joining.invite(hq.context, "110000", by="command:test")
    found = await records(hq, "node.invited")
    assert [(one.subject_id, one.source) for one in found] == [
        ("440000", "rest"),
        ("110000", "command"),
    ]


async def test_accounts_by_command(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node = await make_node("440000")
    settings = node.node.settings
    monkeypatch.setenv("GUANXI_HOME", str(settings.home))
    monkeypatch.setenv("GUANXI_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("GUANXI_DATABASE_OWNER_URL", str(settings.database_owner_url))

    async def guanxi(*words: str) -> None:
        given = "tide-lantern-orchard-nine\n"
        result = await asyncio.to_thread(
            CliRunner().invoke, app, [*words, "--node", "440000"], input=given
        )
        assert result.exit_code == 0, result.output

    await guanxi("user", "create", "wang.min", "--role", "auditor", "--password-stdin")
    await guanxi("user", "password", "wang.min", "--password-stdin")
    await guanxi("user", "disable", "wang.min")
    found = await records(node, "user.created", "user.password_set", "user.disabled")
    assert [one.action for one in found] == [
        "user.created",
        "user.password_set",
        "user.disabled",
    ]
    assert all(one.by.startswith("command:") and one.source == "command" for one in found)


def test_every_kind_of_change_of_a_customer_has_its_action() -> None:
    assert set(CHANGES) == set(ChangeAction)
